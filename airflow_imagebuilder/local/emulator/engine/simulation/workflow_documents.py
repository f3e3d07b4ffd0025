"""Workflow documents: how they are read, and those that Amazon manages.

Source: User Guide, "Create a YAML workflow document" and "Step actions". The names of the default steps come
from the examples of the AWS CLI (list-workflow-step-executions).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

from airflow_imagebuilder.local.emulator.engine.errors import ApiError, invalid_value
from airflow_imagebuilder.local.emulator.engine.state import PlannedStep

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_imagebuilder.local.emulator.engine.state import Doc

MAX_STEPS = 15
_STEP_NAME = re.compile(r"^[A-Za-z][A-Za-z0-9_-]{1,99}$")
#: Default timeouts of the step actions, in seconds; 43200 for the others.
TIMEOUTS = {
    "LaunchInstance": 4500,
    "CollectImageMetadata": 1800,
    "CollectImageScanFindings": 7200,
    "SanitizeInstance": 3600,
    "RunSysPrep": 3600,
    "BootstrapInstanceForContainer": 3600,
    "TerminateInstance": 1800,
    "WaitForSSMAgent": 3600,
    "WaitForAction": 259200,
    "ExecuteStateMachine": 21600,
    "RegisterImage": 32400,
    "DistributeImage": 21600,
    "ModifyImageAttributes": 7200,
    "ApplyImageConfigurations": 21600,
    "DistributeContainerImage": 7200,
}
ACTIONS = frozenset(TIMEOUTS) | {"ExecuteComponents", "CreateImage", "RunCommand", "CreateImageFromIso"}


def _steps(*pairs: tuple[str, str]) -> tuple[PlannedStep, ...]:
    return tuple(PlannedStep(name, action, timeout=TIMEOUTS.get(action, 43200)) for name, action in pairs)


_BUILD_CONTAINER = (
    ("LaunchBuildInstance", "LaunchInstance"),
    ("BootstrapBuildInstance", "BootstrapInstanceForContainer"),
    ("ApplyBuildComponents", "ExecuteComponents"),
    ("CreateOutputContainerImage", "RunCommand"),
    ("TerminateBuildInstance", "TerminateInstance"),
)
_TEST = (
    ("LaunchTestInstance", "LaunchInstance"),
    ("ApplyTestComponents", "ExecuteComponents"),
    ("CollectImageScanFindings", "CollectImageScanFindings"),
    ("TerminateTestInstance", "TerminateInstance"),
)
_BUILD = (
    ("LaunchBuildInstance", "LaunchInstance"),
    ("ApplyBuildComponents", "ExecuteComponents"),
    ("InventoryCollection", "CollectImageMetadata"),
    ("RunSanitizeScript", "SanitizeInstance"),
    ("RunSysPrepScript", "RunSysPrep"),
    ("CreateOutputAMI", "CreateImage"),
    ("TerminateBuildInstance", "TerminateInstance"),
)
#: The newest version and the steps of Amazon-managed workflows, by type and name.
MANAGED: dict[tuple[str, str], tuple[str, tuple[PlannedStep, ...]]] = {
    ("build", "build-image"): ("1.0.3", _steps(*_BUILD)),
    ("build", "build-container"): ("1.0.2", _steps(*_BUILD_CONTAINER)),
    ("build", "express-build-image"): ("1.0.0", _steps(*_BUILD[:2], *_BUILD[3:])),
    ("build", "express-build-container"): ("1.0.0", _steps(*_BUILD_CONTAINER)),
    ("test", "test-image"): ("1.0.2", _steps(*_TEST)),
    ("test", "test-container"): ("1.0.1", _steps(*_TEST)),
    ("test", "express-test-image"): ("1.0.0", _steps(*_TEST[:2], *_TEST[3:])),
    ("distribution", "distribute-image"): (
        "1.0.0",
        _steps(
            ("DistributeImage", "DistributeImage"), ("ApplyImageConfigurations", "ApplyImageConfigurations")
        ),
    ),
    ("distribution", "distribute-container"): (
        "1.0.0",
        _steps(("DistributeContainerImage", "DistributeContainerImage")),
    ),
}
#: The steps of a workflow whose document is in S3, which the engine does not read.
FALLBACK = {
    "BUILD": MANAGED["build", "build-image"][1],
    "TEST": MANAGED["test", "test-image"][1],
    "DISTRIBUTION": MANAGED["distribution", "distribute-image"][1],
}


def read(text: str) -> tuple[PlannedStep, ...]:
    """Read a workflow document.

    :param text: YAML or JSON.
    :raises ApiError: the document is invalid.
    :return: its steps in order.
    """
    document = _document(text)
    steps = document.get("steps")
    if not isinstance(steps, list) or not 1 <= len(steps) <= MAX_STEPS:
        raise invalid_value("data", f"A workflow document has 1 to {MAX_STEPS} steps.")
    planned = tuple(_step(step) for step in steps)
    if len({step.name for step in planned}) < len(planned):
        raise invalid_value("data", "Step names are unique in a workflow document.")
    return planned


def _document(text: str) -> Mapping[str, Any]:
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise invalid_value("data", f"The document is not YAML: {error}") from error
    if not isinstance(document, dict):
        raise invalid_value("data", "The document is not a mapping.")
    if str(document.get("schemaVersion")) not in ("1.0", "1"):
        raise invalid_value("data", "schemaVersion is required and is 1.0.")
    return document


def _step(step: Any) -> PlannedStep:
    if not isinstance(step, dict) or not _STEP_NAME.match(str(step.get("name", ""))):
        raise invalid_value("data", f"A step has a name of 3 to 100 letters, digits and _: {step!r}")
    action = step.get("action")
    if action not in ACTIONS:
        raise invalid_value("data", f"Step '{step['name']}': unknown action {action!r}.")
    return PlannedStep(
        name=step["name"],
        action=action,
        description=step.get("description"),
        on_failure=step.get("onFailure", "Abort"),
        timeout=int(step.get("timeoutSeconds", TIMEOUTS.get(action, 43200))),
        condition=step.get("if"),
        inputs=step.get("inputs") or {},
    )


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "booleanEquals": lambda left, right: left is right,
    "stringEquals": lambda left, right: left == right,
    "numberEquals": lambda left, right: left == right,
    "numberGreaterThan": lambda left, right: left > right,
    "numberGreaterThanEquals": lambda left, right: left >= right,
    "numberLessThan": lambda left, right: left < right,
    "numberLessThanEquals": lambda left, right: left <= right,
}


def holds(condition: Any, values: Doc) -> bool:
    """Whether the ``if`` of a step is true.

    :param condition: the ``if`` of the document; None is true.
    :param values: ``parameters`` and ``stepOutputs``, to which ``$.`` paths refer.
    """
    if condition is None:
        return True
    for operator, combine in (("and", all), ("or", any)):
        if operator in condition:
            return combine(holds(part, values) for part in condition[operator])
    if "not" in condition:
        return not holds(condition["not"], values)
    actual = _find(condition.get("value"), values)
    return all(test(actual, condition[name]) for name, test in _COMPARISONS.items() if name in condition)


def _find(path: Any, values: Doc) -> Any:
    if not isinstance(path, str) or not path.startswith("$."):
        return path
    found: Any = values
    for part in path[2:].split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def parameters_of(text: str | None) -> list[Doc]:
    """Return ``WorkflowParameterDetail`` of each parameter that a document declares."""
    if not text:
        return []
    declared = _document(text).get("parameters") or []
    details = [
        {key: item[key] for key in ("name", "type", "description") if key in item} for item in declared
    ]
    for detail, item in zip(details, declared, strict=True):
        if "default" in item:
            detail["defaultValue"] = [str(item["default"])]
    return details


def missing_parameters(declared: list[Doc], given: Mapping[str, Any]) -> ApiError | None:
    """Check the parameters of a request against the workflow document.

    :param declared: what :func:`parameters_of` returned.
    :param given: names and values of the request.
    :return: the error for an unknown or a missing parameter; None if they fit.
    """
    names = {detail["name"] for detail in declared}
    required = {detail["name"] for detail in declared if "defaultValue" not in detail}
    if unknown := sorted(set(given) - names):
        return invalid_value("workflows", f"The workflow has no parameter {', '.join(unknown)}.")
    if lacking := sorted(required - set(given)):
        return invalid_value("workflows", f"The workflow needs a value for {', '.join(lacking)}.")
    return None


def values_of(declared: list[Doc], given: Mapping[str, Any]) -> Doc:
    """Return the values of ``$.parameters``: those of the request or the defaults, in the declared types.

    :param declared: what :func:`parameters_of` returned.
    :param given: names and values of the request; each value is a list of strings.
    """
    return {
        detail["name"]: _typed(detail["type"], given.get(detail["name"], detail.get("defaultValue", [])))
        for detail in declared
    }


def _typed(type_: str, value: Any) -> Any:
    values = value if isinstance(value, list) else [value]
    if type_ == "stringList" or not values:
        return values
    text = str(values[0])
    if type_ == "boolean":
        return text.lower() == "true"
    return int(text) if type_ == "integer" and text.lstrip("-").isdigit() else text
