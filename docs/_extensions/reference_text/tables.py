"""Configuration options, metrics, XComs and links, from the tables of the code."""

from __future__ import annotations

import ast
import inspect
import itertools
import re
from dataclasses import fields
from typing import Any

from airflow_imagebuilder import links, xcom
from airflow_imagebuilder.provider_info import get_provider_info
from airflow_imagebuilder.service.watcher.settings import WatchSettings
from airflow_imagebuilder.triggers.watch.metrics import LABELS, METRICS, PREFIX
from reference_text import docstring
from reference_text.docstring import literal, plain, table

SECTION = "imagebuilder"
UNITS = {
    "poll_interval": "seconds",
    "max_calls_per_second": "calls per second",
    "first_look": "seconds",
    "call_timeout": "seconds",
    "max_connections": "calls",
    "grace": "seconds",
    "queue_url": "URL",
    "instance_prices": "JSON: price per hour by instance type",
    "prices_currency": "name of a currency",
}


def options() -> dict[str, dict[str, Any]]:
    """Return the options of the section, as Airflow discovers them."""
    found: dict[str, dict[str, Any]] = get_provider_info()["config"][SECTION]["options"]
    return found


def variable(option: str) -> str:
    """Return the environment variable that sets an option."""
    return f"AIRFLOW__{SECTION.upper()}__{option.upper()}"


def allowed(option: str) -> str:
    """Return which numbers an option takes, as its check says it; empty text if none are refused."""
    if option not in {field.name for field in fields(WatchSettings)}:
        return ""
    for number in (-1, 0):
        try:
            WatchSettings(**{option: number})
        except ValueError as error:
            return str(error).removeprefix(f"{option} must be ").partition(",")[0]
    return ""


def options_text() -> str:
    """Return the table of the options."""
    rows = [("Option, and its environment variable", "Default", "Unit", "Meaning")]
    for name, option in options().items():
        example = f"\n\nExample: {literal(option['example'])}" if option["example"] else ""
        rows.append(
            (
                f"{literal(name)}\n\n:ref-note:`{variable(name)}`",
                literal(option["default"]) or "empty",
                "; ".join(filter(None, (UNITS[name], allowed(name)))),
                plain(option["description"]) + example,
            )
        )
    return table((32, 12, 18, 38), rows, css="reference options")


def metrics_text() -> str:
    """Return the table of the metrics."""
    rows = [("Metric", "Kind, unit", "Meaning", "Normal")]
    rows += [
        (literal(PREFIX + one.name), f"{one.kind}, {one.unit}", plain(one.meaning), plain(one.normal))
        for one in METRICS
    ]
    labels = "\n".join(f"- {literal(name)}: {plain(text)}" for name, text in LABELS.items())
    return f"Labels of each metric:\n\n{labels}\n\n{table((31, 15, 32, 22), rows, css='reference metrics')}"


def xcoms() -> dict[str, str]:
    """Return what the module of the XComs says about each key, by key."""
    found = {}
    body = ast.parse(inspect.getsource(xcom)).body
    for statement, follows in itertools.pairwise(body):
        if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
            continue
        name = statement.targets[0].id
        if (
            name.endswith("_KEY")
            and isinstance(follows, ast.Expr)
            and isinstance(follows.value, ast.Constant)
        ):
            found[getattr(xcom, name)] = " ".join(str(follows.value.value).split())
    return found


def xcoms_text() -> str:
    """Return the table of the XComs."""
    rows = [("Key", "What it holds")]
    for key, text in xcoms().items():
        meaning = _without_names(text).removeprefix("Key of the XCom that holds ")
        rows.append(
            (literal(key), meaning.removeprefix("Key of the XCom with ").removeprefix("Key of the XCom, "))
        )
    return table((28, 72), rows)


def _without_names(text: str) -> str:
    return re.sub(r":data:`(\w+)`", lambda found: literal(getattr(xcom, found[1])), text)


def link_classes() -> list[Any]:
    """Return the classes of the links, as Airflow discovers them."""
    return [getattr(links, path.rpartition(".")[2]) for path in get_provider_info()["extra-links"]]


def links_text() -> str:
    """Return the table of the links."""
    rows = [("Link", "Where it leads", "XCom")]
    for cls in link_classes():
        key = getattr(cls, "key", "")
        rows.append((plain(cls.name), docstring.summary(cls), literal(key) or "none"))
    return table((26, 48, 26), rows)


def scenario_text() -> str:
    """Return the keys of a scenario file, from the docstring of its reader."""
    from airflow_imagebuilder.local.emulator import scenario  # noqa: TID251 (the page is about it)

    return inspect.cleandoc(scenario.__doc__ or "").partition("\n\n")[2]
