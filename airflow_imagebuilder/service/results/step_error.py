"""StepError: what a failed workflow step says, from its message and from the JSON in its outputs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

WAIT_FOR_ACTION = "WaitForAction"
STOPPED = f"stopped at {WAIT_FOR_ACTION} by a person"
"""How the message of a workflow begins that SendWorkflowStepAction stopped: a decision, not a fault."""

_KINDS = ("error", "errorcode")
_CAUSES = ("cause", "errormessage", "message", "reason", "errortype")
_DEPTH, _MEMBERS, _VALUE = 4, 40, 4000
_WORD = 12  # a shorter value may stand in a message by chance

# WaitForAction fails when it is stopped, when it waits too long, and when it cannot notify. AWS documents the
# outputs action and reason; should they be missing after a STOP, what is none of the other two is a STOP.
_FAULT = re.compile(
    r"^step \S+ (?:has )?failed|timed?[ -]?out|not authorized|access ?denied|exception|throttl|rate exceeded|"
    r"(?:not|n.t) (?:exist|found)",
    re.IGNORECASE,
)
# What Image Builder and Systems Manager put around the text that says why.
_FRAMES = (
    re.compile(r"^\s*Workflow Execution ID:?\s*'?wf-\S+?'? failed with reason:\s*", re.IGNORECASE),
    re.compile(r"^\s*SSM execution '\S+' failed with .{0,80}?failure message\s*=\s*(?=')", re.IGNORECASE),
)
_PREFIX = re.compile(r"^(?:stopped|stop)\s*:\s*", re.IGNORECASE)


@dataclass(frozen=True)
class StepError:
    """What a failed step says.

    :param message: the most exact text; ``None`` where AWS gives none.
    :param details: what else its outputs hold, e.g. ``executionArn``; of JSON in a string the members.
    """

    message: str | None = None
    details: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_api(cls, step: Mapping[str, Any]) -> StepError:
        """Read one of ListWorkflowStepExecutions' ``steps``, or an empty mapping where there is none."""
        message, outputs = step.get("message") or None, step.get("outputs")
        members = dict(_members("", outputs))
        of_message = dict(_members("", message))
        if set(of_message) - {""}:  # the message is JSON itself
            members, message = {**of_message, **members}, None
        plain = members.pop("", None)
        if step.get("action") == WAIT_FOR_ACTION and (stop := _stop(message or plain, members)):
            return cls(stop, _beside(stop, {k: v for k, v in members.items() if k != "action"}))
        if step.get("action") == "ExecuteStateMachine" and message:
            # Its own message may say no more than that the execution failed; the cause is in the outputs.
            message = ": ".join(part for part in (message, _said(members)) if part)
        message = message or _said(members) or plain or _raw(members, outputs)
        return cls(message, _beside(message, members))


def unframed(text: str) -> str:
    """Return what stands inside the frames that Image Builder puts around a reason."""
    for frame in _FRAMES:
        inner = frame.sub("", text)
        text = inner.strip("'") if inner != text and inner.startswith("'") else inner
    return text


def _said(members: Mapping[str, str]) -> str | None:
    """Put the kind of an error and its cause together: ``States.TaskFailed: no route to host``."""
    kind, cause = _first(members, _KINDS), _first(members, _CAUSES)
    parts = [part for part in (kind, cause) if part]
    return ": ".join(dict.fromkeys(parts)) or None


def _first(members: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    for name in names:
        for path, value in members.items():
            if re.split(r"[.\]]", path)[-1].lower() == name:
                return value
    return None


def _stop(message: str | None, members: Mapping[str, str]) -> str | None:
    action = members.get("action", "").upper()
    said = f"{message or ''} {' '.join(members.values())}"
    if action != "STOP" and (action or not said.strip() or _FAULT.search(said)):
        return None
    reason = members.get("reason") or _PREFIX.sub("", message or _said(members) or "")
    return f"{STOPPED}: {reason}" if reason else f"{STOPPED}, who gave no reason"


def _raw(members: Mapping[str, str], outputs: Any) -> str | None:
    return str(outputs) if members else None  # "{}" says nothing


def _beside(message: str | None, members: Mapping[str, str]) -> dict[str, str]:
    said, parts = message or "", (message or "").split(": ")
    shown = {
        path for path, value in members.items() if value in parts or (len(value) > _WORD and value in said)
    }
    return {path: value for path, value in members.items() if path not in shown}


def _members(path: str, value: Any, depth: int = 0) -> Iterator[tuple[str, str]]:
    """Give every member of a value that says something, by its path; JSON in a string is read too."""
    known = _read(value) if depth < _DEPTH else value
    inner: list[tuple[str, Any]] = []
    if isinstance(known, Mapping):
        inner = [(f"{path}.{key}" if path else str(key), item) for key, item in known.items()]
    elif isinstance(known, list) and any(isinstance(item, (Mapping, list)) for item in known):
        inner = [(f"{path}[{number}]", item) for number, item in enumerate(known)]
    if inner and depth < _DEPTH:
        for name, item in inner[:_MEMBERS]:
            yield from _members(name, item, depth + 1)
    elif known not in (None, "", {}, []):
        yield path, (known if isinstance(known, str) else json.dumps(known, default=str))[:_VALUE]


def _read(value: Any) -> Any:
    """Return what JSON in a string holds, if it holds members; every other value as it is."""
    if not isinstance(value, str) or not value.lstrip().startswith(("{", "[")):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value
