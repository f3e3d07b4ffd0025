"""Scenarios: durations, failures, and faults in the answers to calls.

A scenario is a YAML mapping. Every key is optional; an unknown key is refused.

.. code-block:: yaml

    seed: 7                      # ids, random durations and rates are the same in every run

    durations:                   # virtual seconds, or [least, most]: each workflow gets its own number
      pending: 1                 # PENDING
      creating: 3.5              # CREATING
      build: 600                 # a build workflow; by default as long as its steps usually take
      gap: 5.5                   # from the build workflow to the tests
      test: [120, 300]           # a test workflow; by default as long as its steps usually take
      distribution: 180          # DISTRIBUTING, or a distribution workflow
      integration: 30            # INTEGRATING
      cancellation: 5            # from CancelImageCreation to CANCELLED
      retry: 0                   # from RetryImage until the image is in progress again
    workflows: {boot: 90}        # virtual seconds of a workflow, by its name
    steps: {boot/RunTests: 60}   # virtual seconds of a step, by workflow and step

    failures:                    # the first that fits applies; names may hold * and ?
      - workflow: boot           # a workflow fails in its main step
      - workflow: boot           # ... in this step
        step: LaunchTestInstance
        message: no capacity
        rollback: true           # the execution becomes ROLLBACK_COMPLETED, not FAILED
      - component: golden-base   # a component of the recipe fails where components are executed;
        phase: build             # build, validate or test (test: in test workflows)
        component_step: Install  # the step of the component's document
        action: ExecuteBash
        message: disk full       # what it writes into the log
      - region: eu-west-1        # the copy to a region fails
        status: FAILED           # FAILED, CANCELLED or TIMED_OUT
        account: "123456789012"
      - region: eu-west-1        # a step after the copy fails: ASSOCIATE_LICENSES,
        configuration_step: PUT_SSM_PARAMETERS     # UPDATE_LAUNCH_TEMPLATES, PUT_SSM_PARAMETERS,
                                 # UPDATE_FAST_LAUNCH_CONFIGURATIONS or EXPORT_AMI
        times: 1                 # only the first time; always by default
        per: image               # counted per image; for the whole service by default
        image: golden-*          # only images of this name or ARN

    later: [own-*]               # workflows and components that a client creates later: every other name in
                                 # workflows, steps and failures must exist, so that a typing error is no
                                 # failure that never happens

    findings: {critical: 0, high: 2, medium: 5, low: 0, informational: 0}    # what a scan of an image finds

    faults:                      # the first that is open and fits hits a call
      - operation: GetImage      # any operation of Image Builder ("*") by default
        kind: error              # error, reset (of the connection), delay, hang, truncated (body),
                                 # empty (body), malformed (JSON)
        code: CallRateLimitExceededException       # of kind error
        status: 429              # by default, that of the model for this code
        message: slow down
        times: 3                 # how many calls it hits; all by default
        skip: 2                  # how many calls it spares first; 0 by default
        rate: 0.2                # the share of calls that it hits; 1 by default
        start: 10                # real seconds after the scenario (or the control request) is read
        lasts: 60                # real seconds
        seconds: 5               # real seconds of a delay; a hang lasts until the client leaves
        performed: true          # whether the service carries the request out; by default it does, except
                                 # for error, reset and hang
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, Any

import yaml

from airflow_imagebuilder.local.emulator.engine import (
    CONFIGURATION_STEPS,
    DEFAULT_DURATIONS,
    Behaviour,
    Engine,
    Failure,
    Seconds,
)
from airflow_imagebuilder.local.emulator.faults import KINDS, Fault

if TYPE_CHECKING:
    from pathlib import Path

_FAILURE_KEYS = tuple(f.name for f in fields(Failure) if f.name != "used")
_FAULT_KEYS = tuple(f.name for f in fields(Fault) if f.name not in ("installed", "met", "fired"))
_CHOICES: dict[str, tuple[str, ...]] = {
    "phase": ("build", "validate", "test"),
    "status": ("FAILED", "CANCELLED", "TIMED_OUT"),
    "configuration_step": tuple(CONFIGURATION_STEPS.values()),
    "per": ("service", "image"),
    "kind": KINDS,
}
#: The largest number of a scenario: seconds of more than a year.
MOST = 40_000_000
_NUMBERS = frozenset({"times", "rate", "start", "lasts", "skip", "seconds"})


class ScenarioError(ValueError):
    """The scenario is invalid; the message says where and what is allowed."""


@dataclass
class Scenario:
    """A scenario that has been read."""

    seed: int | str | None = None
    durations: dict[str, Seconds] = field(default_factory=dict)
    workflows: dict[str, float] = field(default_factory=dict)
    steps: dict[str, float] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    later: list[str] = field(default_factory=list)
    findings: dict[str, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def behaviour(self) -> Behaviour:
        """Return the part that the engine reads."""
        return Behaviour(self.durations, self.workflows, self.steps, self.failures, self.findings)


def load(path: Path) -> dict[str, Any]:
    """Read and check a scenario file.

    :raises ScenarioError: the file cannot be read or is not YAML, or the scenario in it is invalid.
    :return: the mapping, for :func:`parse`.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise ScenarioError(f"--scenario {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    try:
        parse(document)
    except ScenarioError as error:
        raise ScenarioError(f"{path}: {error}") from error
    return dict(document)


def parse(document: Any) -> Scenario:
    """Read a scenario from a mapping.

    :raises ScenarioError: a key is unknown, or a value is invalid.
    """
    _known(document, tuple(f.name for f in fields(Scenario)), "the scenario")
    readers: dict[str, Callable[[Any], Any]] = {
        "durations": durations,
        "workflows": lambda value: _numbers(value, "workflows"),
        "steps": lambda value: _numbers(value, "steps"),
        "failures": failures,
        "later": later,
        "findings": _findings,
        "faults": faults,
    }
    return Scenario(**{key: readers.get(key, _same)(value) for key, value in document.items()})


def _same(value: Any) -> Any:
    return value


def durations(document: Any) -> dict[str, Seconds]:
    """Read ``durations``."""
    _known(document, tuple(DEFAULT_DURATIONS), "durations")
    read: dict[str, Seconds] = {}
    for key, value in document.items():
        if isinstance(value, (list, tuple)) and len(value) == 2:  # noqa: PLR2004  (least and most)
            low, high = (number(part, f"durations.{key}") for part in value)
            read[key] = (low, high)
        else:
            read[key] = number(value, f"durations.{key}")
    return read


def failures(document: Any) -> list[Failure]:
    """Read ``failures``."""
    items = _list(document, "failures")
    for index, item in enumerate(items):
        where = f"failures[{index}]"
        _known(item, _FAILURE_KEYS, where)
        if not any(item.get(key) for key in ("workflow", "step", "component", "region")):
            raise ScenarioError(f"{where}: nothing fails; give workflow, step, component or region")
        if item.get("configuration_step") and not item.get("region"):
            raise ScenarioError(f"{where}: configuration_step needs region")
        _check(item, where)
    return [Failure(**item) for item in items]


def later(document: Any) -> list[str]:
    """Read ``later``."""
    items = _list(document, "later")
    for index, item in enumerate(items):
        if not isinstance(item, str) or not item:
            raise ScenarioError(f"later[{index}]: {item!r} is not a name")
    return items


def faults(document: Any) -> list[Fault]:
    """Read ``faults``."""
    items = _list(document, "faults")
    for index, item in enumerate(items):
        _known(item, _FAULT_KEYS, f"faults[{index}]")
        _check({k: v for k, v in item.items() if k != "status"}, f"faults[{index}]")
        _check_operation(item.get("operation", "*"), f"faults[{index}].operation")
    return [Fault(**item) for item in items]


def _check(item: Mapping[str, Any], where: str) -> None:
    for key, value in item.items():
        allowed = _CHOICES.get(key)
        if allowed and value not in allowed:
            raise ScenarioError(f"{where}.{key}: {value!r}; allowed: {', '.join(allowed)}")
        if key in _NUMBERS and value is not None:
            number(value, f"{where}.{key}")


@cache
def _operations() -> frozenset[str]:
    return Engine().operations


def _check_operation(name: Any, where: str) -> None:
    known = _operations()
    if name != "*" and name not in known:
        nearest = get_close_matches(str(name), known, n=3) or sorted(known)
        raise ScenarioError(
            f"{where}: {name!r} is not an operation of Image Builder; e.g. {', '.join(nearest)}"
        )


def _findings(document: Any) -> dict[str, int]:
    _known(document, ("critical", "high", "medium", "low", "informational"), "findings")
    return {key: int(value) for key, value in _numbers(document, "findings").items()}


def _numbers(document: Any, where: str) -> dict[str, float]:
    if not isinstance(document, Mapping):
        raise ScenarioError(f"{where}: {document!r} is not a mapping")
    return {str(key): number(value, f"{where}.{key}") for key, value in document.items()}


def number(value: Any, where: str) -> float:
    """Read a number from 0 to :data:`MOST`."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= MOST:
        raise ScenarioError(f"{where}: {value!r} is not a number from 0 to {MOST:,}")
    return value


def _list(document: Any, where: str) -> list[Any]:
    if not isinstance(document, list):
        raise ScenarioError(f"{where}: {document!r} is not a list")
    return document


def _known(document: Any, allowed: tuple[str, ...], where: str) -> None:
    if not isinstance(document, Mapping):
        raise ScenarioError(f"{where}: {document!r} is not a mapping")
    for key in document:
        if key not in allowed:
            raise ScenarioError(f"{where}: unknown key {key!r}; allowed: {', '.join(allowed)}")
