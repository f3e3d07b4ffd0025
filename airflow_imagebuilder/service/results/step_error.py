"""StepError: the error of a failed workflow step, from its message and from the JSON in its outputs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

WAIT_FOR_ACTION = "WaitForAction"
STOPPED = f"stopped at {WAIT_FOR_ACTION} by a person"
"""The beginning of the message of a workflow that SendWorkflowStepAction stopped: a decision, not a fault."""

_KINDS = ("error", "errorcode")
_CAUSES = ("cause", "errormessage", "message", "reason", "errortype")
_DEPTH, _MEMBERS, _VALUE = 4, 40, 4000
_WORD = 12  # a message may contain a shorter value by chance

# WaitForAction fails when it is stopped, when it waits too long, and when it cannot notify. AWS documents the
# outputs action and reason. If they are missing, a failure that is neither of the other two counts as a STOP.
_FAULT = re.compile(
    r"^step \S+ (?:has )?failed|timed?[ -]?out|not authorized|access ?denied|exception|throttl|rate exceeded|"
    r"(?:not|n.t) (?:exist|found)",
    re.IGNORECASE,
)
# The text that Image Builder and Systems Manager put around the reason.
_FRAMES = (
    re.compile(r"^\s*Workflow Execution ID:?\s*'?wf-\S+?'? failed with reason:\s*", re.IGNORECASE),
    re.compile(r"^\s*SSM execution '\S+' failed with .{0,80}?failure message\s*=\s*(?=')", re.IGNORECASE),
)
_PREFIX = re.compile(r"^(?:stopped|stop)\s*:\s*", re.IGNORECASE)


@dataclass(frozen=True)
class StepError:
    """The error of a failed step.

    :param message: the most exact text; ``None`` if AWS gives none.
    :param details: the other outputs, e.g. ``executionArn``; JSON in a string is split into its members.
    """

    message: str | None = None
    details: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_api(cls, step: Mapping[str, Any]) -> StepError:
        """Read the error of a step.

        :param step: one of ListWorkflowStepExecutions' ``steps``; an empty mapping if there is none.
        """
        message, outputs = step.get("message") or None, step.get("outputs")
        members = dict(_members("", outputs))
        of_message = dict(_members("", message))
        if set(of_message) - {""}:  # the message is JSON itself
            members, message = {**of_message, **members}, None
        plain = members.pop("", None)
        if step.get("action") == WAIT_FOR_ACTION and (stop := _stop(message or plain, members)):
            return cls(stop, _not_in(stop, {k: v for k, v in members.items() if k != "action"}))
        if step.get("action") == "ExecuteStateMachine" and message:
            # The message may only report that the execution failed; the outputs hold the cause.
            message = ": ".join(part for part in (message, _error_and_cause(members)) if part)
        message = message or _error_and_cause(members) or plain or _raw(members, outputs)
        return cls(message, _not_in(message, members))


def unframed(text: str) -> str:
    """Return a reason without the text that Image Builder and Systems Manager put around it."""
    for frame in _FRAMES:
        inner = frame.sub("", text)
        text = inner.strip("'") if inner != text and inner.startswith("'") else inner
    return text


def _error_and_cause(members: Mapping[str, str]) -> str | None:
    """Return the name of an error with its cause: ``States.TaskFailed: no route to host``."""
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
    text = f"{message or ''} {' '.join(members.values())}"
    if action != "STOP" and (action or not text.strip() or _FAULT.search(text)):
        return None
    reason = members.get("reason") or _PREFIX.sub("", message or _error_and_cause(members) or "")
    return f"{STOPPED}: {reason}" if reason else f"{STOPPED}, who gave no reason"


def _raw(members: Mapping[str, str], outputs: Any) -> str | None:
    return str(outputs) if members else None  # "{}" holds no information


def _not_in(message: str | None, members: Mapping[str, str]) -> dict[str, str]:
    """Return the members that the message does not show already."""
    text, parts = message or "", (message or "").split(": ")
    shown = {
        path for path, value in members.items() if value in parts or (len(value) > _WORD and value in text)
    }
    return {path: value for path, value in members.items() if path not in shown}


def _members(path: str, value: Any, depth: int = 0) -> Iterator[tuple[str, str]]:
    """Yield every member of a value that is not empty, with its path; JSON in a string is read too."""
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
    """Return the content of JSON in a string; every other value as it is."""
    if not isinstance(value, str) or not value.lstrip().startswith(("{", "[")):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value
