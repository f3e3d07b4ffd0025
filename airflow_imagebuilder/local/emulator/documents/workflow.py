"""Workflow documents.

Source: User Guide, "Create a YAML workflow document", "Supported step actions", "Manage image workflows".
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from airflow_imagebuilder.local.emulator.documents import conditions, parameters, paths
from airflow_imagebuilder.local.emulator.documents.step_actions import (
    INPUT_VALUES,
    MAX_PAYLOAD,
    OF_AMIS,
    STEP_ACTIONS,
    SYSTEM_VARIABLES,
)
from airflow_imagebuilder.local.emulator.documents.text import Doc, DocumentError, Mapping, load

MAX_STEPS = 15
MAX_OUTPUTS = 25
MAX_DESCRIPTION = 1024
_KEYS = ("name", "description", "schemaVersion", "parameters", "steps", "outputs")
_STEP_KEYS = (
    *("name", "action", "description", "if", "onFailure", "rollbackEnabled", "timeoutSeconds", "inputs"),
)
#: What both the guide (3 to 128 letters, digits and _) and the service model (a letter, 100 at most) allow.
_STEP_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{2,99}")

_STATE_MACHINE = re.compile(r"arn:[a-z-]{3,20}:states:[a-z0-9-]{5,30}:[0-9]{12}:stateMachine:[^\s]{1,140}")


@dataclass(frozen=True)
class PlannedStep:
    """A step of a workflow document.

    :param timeout: seconds.
    :param condition: its ``if``; None runs it always.
    :param inputs: as the document has them, with paths.
    :param rollback: its ``rollbackEnabled``, which may be a path.
    """

    name: str
    action: str
    description: str | None = None
    on_failure: str = "Abort"
    timeout: int = 43200
    condition: Any = None
    inputs: Doc = field(default_factory=dict)
    rollback: bool | str = True


@dataclass(frozen=True)
class WorkflowDocument:
    """A workflow document that has been checked.

    :param steps: in the order in which they run.
    :param parameters: ``WorkflowParameterDetail`` of each.
    :param outputs: name and value of each output.
    """

    steps: tuple[PlannedStep, ...]
    parameters: tuple[Doc, ...] = ()
    outputs: tuple[tuple[str, str], ...] = ()


def read(text: str, workflow_type: str) -> WorkflowDocument:
    """Read a workflow document.

    :param text: YAML or JSON.
    :param workflow_type: BUILD, TEST or DISTRIBUTION.
    :raises DocumentError: the guide does not allow it.
    """
    document = load(text)
    _only(document, _KEYS, "A workflow document")
    if str(document.get("schemaVersion")) not in ("1.0", "1"):
        raise DocumentError("schemaVersion is required and is 1.0.")
    declared = parameters.read(document.get("parameters"))
    given = _sequence(document.get("steps"), "steps", MAX_STEPS)
    if not given:
        raise DocumentError("steps: at least one step is required.")
    steps = tuple(_step(step, workflow_type) for step in given)
    _check_together(steps, given)
    known = {detail["name"] for detail in declared}
    for position, (step, mapping) in enumerate(zip(steps, given, strict=True)):
        earlier = [other.name for other in steps[:position]]
        _check_references(_references(step), known, earlier, mapping)
    outputs = _outputs(document.get("outputs"), known, [step.name for step in steps])
    return WorkflowDocument(steps, tuple(declared), outputs)


def _only(mapping: Mapping, allowed: tuple[str, ...], what: str) -> None:
    if unknown := sorted(set(mapping) - set(allowed)):
        raise DocumentError(f"{what} has no '{unknown[0]}'; allowed are {', '.join(allowed)}.", mapping)


def _sequence(value: Any, what: str, most: int) -> list[Mapping]:
    """Return a list of mappings; an empty one for nothing."""
    items = [] if value is None else value
    if not isinstance(items, list) or len(items) > most:
        raise DocumentError(f"{what}: at most {most} items in a list.")
    for item in items:
        if not isinstance(item, Mapping):
            raise DocumentError(f"{what}: {item!r} is not a mapping.")
    return items


def _step(step: Mapping, workflow_type: str) -> PlannedStep:
    name = step.get("name")
    if not isinstance(name, str) or not _STEP_NAME.fullmatch(name):
        raise DocumentError(
            f"The name of a step begins with a letter and has 3 to 100 letters, digits and _: {name!r}.",
            step,
        )
    _only(step, _STEP_KEYS, f"Step '{name}'")
    action = step.get("action")
    if not isinstance(action, str) or action not in STEP_ACTIONS:
        raise DocumentError(f"Step '{name}': unknown action {action!r}.", step)
    kind = STEP_ACTIONS[action]
    if workflow_type not in kind.types:
        raise DocumentError(f"Step '{name}': a {workflow_type} workflow cannot have {action}.", step)
    if "if" in step:
        conditions.check(step["if"])
    return PlannedStep(
        name=name,
        action=action,
        description=_description(step, name),
        on_failure=_on_failure(step, name),
        timeout=_timeout(step, name, kind.default, kind.maximum),
        condition=step.get("if"),
        inputs=_inputs(step, name, action),
        rollback=_rollback(step, name),
    )


def _description(step: Mapping, name: str) -> str | None:
    found = step.get("description")
    if found is not None and not (isinstance(found, str) and 1 <= len(found) <= MAX_DESCRIPTION):
        raise DocumentError(
            f"Step '{name}': description is a text of 1 to {MAX_DESCRIPTION} characters.", step
        )
    return found


def _on_failure(step: Mapping, name: str) -> str:
    found = str(step.get("onFailure", "Abort"))
    if found.lower() not in ("abort", "continue"):
        raise DocumentError(f"Step '{name}': onFailure is Abort or Continue, not {found}.", step)
    return found.capitalize()


def _rollback(step: Mapping, name: str) -> bool | str:
    found: bool | str = step.get("rollbackEnabled", True)
    if not (isinstance(found, bool) or paths.is_path(found)):
        raise DocumentError(f"Step '{name}': rollbackEnabled is true, false or a path.", step)
    return found


def _timeout(step: Mapping, name: str, default: int, maximum: int) -> int:
    found = step.get("timeoutSeconds", default)
    if not isinstance(found, int) or isinstance(found, bool) or not 1 <= found <= maximum:
        raise DocumentError(
            f"Step '{name}': timeoutSeconds is a number from 1 to {maximum} for this action.", step
        )
    return found


def _inputs(step: Mapping, name: str, action: str) -> Doc:
    kind, inputs = STEP_ACTIONS[action], step.get("inputs")
    inputs = {} if inputs is None else inputs
    if not isinstance(inputs, dict):
        raise DocumentError(f"Step '{name}': inputs is a mapping.", step)
    given = {key.removesuffix(paths.CHAIN) for key in inputs}
    if missing := [key for key in kind.required if key not in given]:
        raise DocumentError(f"Step '{name}': {action} needs the input {missing[0]}.", step)
    if unknown := sorted(given - {*kind.required, *kind.optional}):
        raise DocumentError(f"Step '{name}': {action} has no input {unknown[0]}.", step)
    for key, value in inputs.items():
        if why := None if isinstance(value, str) and "{{" in value else _input_fault(action, key, value):
            raise DocumentError(f"Step '{name}': {key} {why}.", step)
    return dict(inputs)


def _input_fault(action: str, key: str, value: Any) -> str | None:
    """Return what is wrong with an input that has no template."""
    allowed = INPUT_VALUES.get((action, key))
    if allowed and value not in allowed:
        return f"is one of {', '.join(map(str, allowed))}, not {value!r}"
    if key == "stateMachineArn" and not (isinstance(value, str) and _STATE_MACHINE.fullmatch(value)):
        return f"is the ARN of a state machine, not {value!r}"
    if (action, key) == ("ExecuteStateMachine", "input"):
        return _json_fault(value)
    if key == "payload" and len(str(value).encode()) > MAX_PAYLOAD:
        return f"has at most {MAX_PAYLOAD} bytes"
    return None


def _json_fault(value: Any) -> str | None:
    if not isinstance(value, str) or len(value.encode()) > MAX_PAYLOAD:
        return f"is a text of at most {MAX_PAYLOAD} bytes"
    try:
        json.loads(value)
    except (ValueError, RecursionError):
        return "is not JSON"
    return None


def _check_together(steps: tuple[PlannedStep, ...], given: list[Mapping]) -> None:
    seen: set[str] = set()
    for step, mapping in zip(steps, given, strict=True):
        if step.name in seen:
            raise DocumentError(f"Step '{step.name}': the name of a step is unique in its document.", mapping)
        seen.add(step.name)
    actions = {step.action for step in steps}
    if "DistributeContainerImage" in actions and actions & set(OF_AMIS):
        raise DocumentError("DistributeContainerImage cannot be combined with the actions for AMIs.")


def _references(step: PlannedStep) -> list[str]:
    found = list(paths.references(step.inputs))
    if step.condition is not None:
        found += conditions.references(step.condition)
    return found + ([step.rollback] if isinstance(step.rollback, str) else [])


def _check_references(found: list[str], parameters: set[str], steps: list[str], at: Mapping) -> None:
    for path in found:
        if not paths.is_path(path):
            raise DocumentError(
                f"'{path}' is not a path; a path looks like $.stepOutputs.<step>.<output>.", at
            )
        node, name, *_ = (*paths.parts(path), "")
        known = {
            "parameters": parameters,
            "stepOutputs": set(steps),
            "imagebuilder": {variable.lower() for variable in SYSTEM_VARIABLES},
        }.get(paths.NODES.get(node, node))
        wanted = name.lower() if paths.NODES.get(node) == "imagebuilder" else name
        if node not in paths.NODES or (known is not None and wanted not in known):
            raise DocumentError(f"The path '{path}' leads to nothing that is known at this step.", at)


def _outputs(given: Any, parameters: set[str], steps: list[str]) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    for output in _sequence(given, "outputs", MAX_OUTPUTS):
        name, value = output.get("name"), output.get("value")
        _only(output, ("name", "value"), "An output")
        if not isinstance(name, str) or not name or not isinstance(value, str):
            raise DocumentError("An output has a name and a value.", output)
        if name in found:
            raise DocumentError(f"Output '{name}': the name of an output is unique.", output)
        _check_references([value] if value.startswith("$") else [], parameters, steps, output)
        found[name] = value
    return tuple(found.items())
