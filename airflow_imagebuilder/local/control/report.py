"""What ``control`` prints of a service: its clock, its failures, its records."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def clock(answer: Mapping[str, Any]) -> str:
    """Return the virtual time, and how fast it passes."""
    speed = answer["speed"]
    pace = f"{speed:g} virtual seconds per second" if speed else "the clock moves by hand: control advance"
    return f"virtual time {answer['now']}, {pace}"


def failure(one: Mapping[str, Any]) -> str:
    """Return a failure in one line."""
    keys = ("workflow", "step", "component", "region", "image", "configuration_step")
    where = ", ".join(f"{key} {one[key]}" for key in keys if one.get(key))
    times = one.get("times")
    per = " of each image" if one.get("per") == "image" else ""
    return f"{where} fails {'always' if times is None else _times(times)}{per}"


def fault(one: Mapping[str, Any]) -> str:
    """Return a fault in one line."""
    times, rate = one.get("times"), one.get("rate", 1)
    which = "all calls" if times is None else "1 call" if times == 1 else f"{times} calls"
    share = "" if rate >= 1 else f", {rate:.0%} of them"
    what = one.get("code", "") if one.get("kind", "error") == "error" else one["kind"]
    return f"{one.get('operation', '*')}: {which}{share}: {what or 'error'}"


def _times(times: int) -> str:
    return "once" if times == 1 else f"{times} times"


def records(answer: Mapping[str, Any]) -> str:
    """Return images, calls and faults, a line each."""
    return "\n".join(_lines(answer))


def _lines(answer: Mapping[str, Any]) -> Iterator[str]:
    yield clock(answer)
    for image in answer["images"]:
        yield f"{image['arn']}  {image['status']}"
        yield from (f"  {run['status']:<20} {run['workflow']}" for run in image["executions"])
    for name, counts in answer["calls"].items():
        outcomes = ", ".join(f"{count} x {what}" for what, count in counts.items() if what != "total")
        yield f"{name}: {counts['total']} calls ({outcomes})"
    for one in answer["faults"]:
        yield f"{fault(one)}; has hit {one['fired']}"


def as_json(answer: Mapping[str, Any]) -> str:
    """Return everything."""
    return json.dumps(answer, indent=2)
