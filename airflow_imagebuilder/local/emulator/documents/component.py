"""Component documents of AWSTOE: phases and steps.

Source: User Guide, "Use the AWSTOE component document framework", "Action modules supported by AWSTOE".
The wording of the refusals of actions was seen in CloudSnorkel/cdk-github-runners#964.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from airflow_imagebuilder.local.emulator.documents.text import Doc, DocumentError, Mapping, load

ACTIONS: Final = frozenset(
    {
        *("ExecuteBash", "ExecuteBinary", "ExecuteDocument", "ExecutePowerShell"),
        *("S3Download", "S3Upload", "WebDownload"),
        *("AppendFile", "CopyFile", "CopyFolder", "CreateFile", "CreateFolder", "CreateSymlink"),
        *("DeleteFile", "DeleteFolder", "ListFiles", "MoveFile", "MoveFolder", "ReadFile"),
        *("SetFileEncoding", "SetFileOwner", "SetFolderOwner", "SetFilePermissions", "SetFolderPermissions"),
        *("InstallMSI", "UninstallMSI"),
        *("Reboot", "SetRegistry", "UpdateOS"),
        "Assert",
    }
)
#: Actions whose inputs are all optional.
WITHOUT_INPUTS: Final = frozenset({"Reboot", "UpdateOS"})
_PATH, _BOTH_ENDS = ("path",), ("source", "destination")
#: The inputs that an action needs, as far as the guide's tables call them required.
REQUIRED_INPUTS: Final = {
    "ExecuteBash": ("commands",),
    "ExecuteBinary": _PATH,
    "ExecuteDocument": ("document",),
    "WebDownload": ("source",),
    **dict.fromkeys(
        ("S3Download", "S3Upload", "CopyFile", "CopyFolder", "MoveFile", "MoveFolder"), _BOTH_ENDS
    ),
    **dict.fromkeys(("CreateFile", "CreateFolder", "CreateSymlink", "DeleteFile", "DeleteFolder"), _PATH),
    **dict.fromkeys(("AppendFile", "ListFiles", "ReadFile", "SetFileEncoding", "SetRegistry"), _PATH),
    **dict.fromkeys(("SetFileOwner", "SetFolderOwner", "SetFilePermissions", "SetFolderPermissions"), _PATH),
    **dict.fromkeys(("InstallMSI", "UninstallMSI"), _PATH),
}
ON_FAILURE: Final = ("Abort", "Continue", "Ignore")
#: A document has at least one of these phases.
PHASES: Final = ("build", "validate", "test")


@dataclass(frozen=True)
class ComponentDocument:
    """A component document that has been checked.

    :param phases: the names of its phases, in order.
    :param steps: name and action of the first step of each phase, for the failures of a scenario.
    :param parameters: ``ComponentParameterDetail`` of each.
    """

    phases: tuple[str, ...]
    steps: dict[str, tuple[str, str]]
    parameters: tuple[Doc, ...] = ()

    @property
    def type(self) -> str:
        """TEST for a document whose only phase is ``test``, else BUILD (API reference, CreateComponent)."""
        return "TEST" if self.phases == ("test",) else "BUILD"


def read(text: str) -> ComponentDocument:
    """Read a component document.

    :param text: YAML or JSON.
    :raises DocumentError: the guide does not allow it.
    """
    document = load(text)
    if str(document.get("schemaVersion")) not in ("1.0", "1"):
        raise DocumentError("schemaVersion is required and is 1.0.")
    phases = document.get("phases")
    if not isinstance(phases, list) or not phases:
        raise DocumentError("phases is a list with at least one phase.")
    steps: dict[str, tuple[str, str]] = {}
    for phase in phases:
        name = _phase_name(phase)
        if name in steps:
            raise DocumentError(f"Phase '{name}' is there more than once.", phase)
        steps[name] = _steps(phase, name)
    if not any(name in steps for name in PHASES):
        raise DocumentError(f"At least one phase is required of {', '.join(PHASES)}.")
    return ComponentDocument(tuple(steps), steps, _parameters(document.get("parameters")))


def _phase_name(phase: Any) -> str:
    name = phase.get("name") if isinstance(phase, Mapping) else None
    if not isinstance(name, str) or not name:
        raise DocumentError("A phase has a name and steps.", phase)
    return name


def _steps(phase: Mapping, name: str) -> tuple[str, str]:
    """Check the steps of a phase, and return name and action of the first."""
    steps = phase.get("steps")
    if not isinstance(steps, list) or not steps:
        raise DocumentError(f"Phase '{name}': steps is a list with at least one step.", phase)
    found: dict[str, str] = {}
    for step in steps:
        if not isinstance(step, Mapping) or not isinstance(step.get("name"), str):
            raise DocumentError(f"Phase '{name}': a step has a name, an action and inputs.", step)
        if step["name"] in found:
            raise DocumentError(f"Phase '{name}': step '{step['name']}' is there more than once.", step)
        _check_step(step, name)
        found[step["name"]] = step["action"]
    return next(iter(found.items()))


def _check_step(step: Mapping, phase: str) -> None:
    if why := _step_fault(step):
        raise DocumentError(f"Parsing step '{step['name']}' in phase '{phase}' failed. Error: {why}", step)


def _step_fault(step: Mapping) -> str | None:
    action = step.get("action")
    if not isinstance(action, str) or action not in ACTIONS:
        return f"Action {action} is not supported"
    if not step.get("inputs") and action not in WITHOUT_INPUTS:
        return f"Action {action} has no inputs; it requires an 'inputs'"
    return _inputs_fault(action, step.get("inputs") or {}) or _options_fault(step)


def _inputs_fault(action: str, inputs: Any) -> str | None:
    items = inputs if isinstance(inputs, list) else [inputs]
    if not all(isinstance(item, Mapping) for item in items) and inputs:
        return "inputs is a mapping or a list of mappings"
    for item in items:
        if lacking := [name for name in REQUIRED_INPUTS.get(action, ()) if item.get(name) is None]:
            return f"Action {action} needs the input '{lacking[0]}'"
        if not isinstance(item.get("commands", []), list):
            return "commands is a list of texts"
    if action == "ExecutePowerShell" and all("commands" not in item and "file" not in item for item in items):
        return f"Action {action} needs the input 'commands' or 'file'"
    return None


def _options_fault(step: Mapping) -> str | None:
    timeout, attempts = step.get("timeoutSeconds", -1), step.get("maxAttempts", 1)
    if not _is_integer(timeout) or (timeout < 1 and timeout != -1):
        return "timeoutSeconds is a number of seconds, or -1 for none"
    if not _is_integer(attempts) or attempts < 1:
        return "maxAttempts is a number from 1"
    if step.get("onFailure", "Abort") not in ON_FAILURE:
        return f"onFailure is one of {', '.join(ON_FAILURE)}"
    return None


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _parameters(declared: Any) -> tuple[Doc, ...]:
    items = [] if declared is None else declared
    if not isinstance(items, list):
        raise DocumentError("parameters is a list.")
    details = [_parameter(item) for item in items]
    names = [detail["name"] for detail in details]
    for name in names:
        if names.count(name) > 1:
            raise DocumentError(f"Parameter '{name}' is declared more than once.")
    return tuple(details)


def _parameter(item: Any) -> Doc:
    """Read ``{Name: {type: string, default: ...}}``, or the same with ``name`` as a member."""
    if not isinstance(item, Mapping) or not item:
        raise DocumentError("A parameter has a name and a type.", item)
    name, details = item.get("name"), item
    if len(item) == 1 and isinstance(next(iter(item.values())), Mapping):
        name, details = next(iter(item.items()))
    if not isinstance(name, str) or details.get("type") != "string":
        raise DocumentError(f"Parameter '{name}': its type is string.", item)
    detail: Doc = {"name": name, "type": "string"}
    if details.get("default") is not None:
        detail["defaultValue"] = [str(details["default"])]
    if details.get("description") is not None:
        detail["description"] = str(details["description"])[:1024]
    return detail


def refused(declared: tuple[Doc, ...] | list[Doc], given: list[Doc]) -> str | None:
    """Return why the parameters of a recipe are refused; None if they fit the component.

    :param declared: ``ComponentParameterDetail`` of each parameter of the component.
    :param given: ``ComponentParameter`` of the recipe.
    """
    names = {detail["name"] for detail in declared}
    if unknown := [item["name"] for item in given if item["name"] not in names]:
        listed = ", ".join(unknown)
        return f"The following parameters are not defined in the provided component: {listed}"
    values = {item["name"] for item in given}
    required = [detail["name"] for detail in declared if "defaultValue" not in detail]
    if lacking := [name for name in required if name not in values]:
        return f"The following parameters need a value in the recipe: {', '.join(lacking)}"
    return None
