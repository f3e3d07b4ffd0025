"""Behaviour: durations and failures, the part of a scenario that the engine reads."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from airflow_imagebuilder.local.emulator.engine.identifiers import Identifiers
    from airflow_imagebuilder.local.emulator.engine.state import Doc, Execution, Image, Step

#: Virtual seconds, or a range from which each workflow gets its own number.
Seconds = float | tuple[float, float]
#: None: the workflow takes as long as its steps. Sources: the examples of the AWS CLI, which are from 2026-09
#: (4.5 s from the call to the build workflow, 5.6 s from its end to the first test), and a log in
#: amazonlinux/amazon-linux-2023#1054. Distribution, integration and cancellation are guesses.
DEFAULT_DURATIONS: dict[str, Seconds | None] = {
    "pending": 1.0,
    "creating": 3.5,
    "build": None,
    "gap": 5.5,
    "test": None,
    "distribution": 180.0,
    "integration": 30.0,
    "cancellation": 5.0,
    "retry": 0.0,
}
#: Virtual seconds of each action, :data:`OTHER_SECONDS` for every other; also its share in the time of a
#: workflow with a time of its own. Sources: the same examples (a build of 403 s and a test of 156 s, without
#: components: launch 147, inventory 94, sanitize 10, CreateImage 145, terminate 4), and for components the
#: builds with update-linux in github.com/iainelder/backups (615 s, a test of 285 s).
ACTION_SECONDS = {
    "LaunchInstance": 147.0,
    "ExecuteComponents": 212.0,
    "CollectImageMetadata": 94.0,
    "SanitizeInstance": 10.0,
    "CreateImage": 145.0,
    "TerminateInstance": 4.0,
    "DistributeImage": 145.0,
}
TEST_COMPONENTS_SECONDS = 100.0
OTHER_SECONDS = 20.0
#: Workflows of the same steps differ: no two launches take the same time.
VARIATION = 0.05
#: The actions in which a workflow fails if the scenario names no step, the first that the workflow has.
MAIN_ACTIONS = (
    "ExecuteComponents",
    "RunCommand",
    "DistributeImage",
    "DistributeContainerImage",
    "CreateImage",
)


@dataclass
class Failure:
    """A failure on demand; the docstring of :mod:`..scenario` describes each member.

    :param used: how often it has happened, by image ARN if it counts per image.
    """

    workflow: str | None = None
    step: str | None = None
    component: str | None = None
    phase: str | None = None
    component_step: str = "Run"
    action: str = "ExecuteBash"
    region: str | None = None
    configuration_step: str | None = None
    account: str | None = None
    status: str = "FAILED"
    message: str | None = None
    image: str = "*"
    times: int | None = None
    per: Literal["service", "image"] = "service"
    rollback: bool = False
    used: Counter[str] = field(default_factory=Counter)

    def applies_to(self, image: Image) -> bool:
        """Whether it fits an image and has not happened often enough."""
        name = str(image.doc["name"])
        if not (fnmatchcase(name, self.image) or fnmatchcase(image.arn, self.image)):
            return False
        return self.times is None or self.used[self._key(image)] < self.times

    def count(self, image: Image) -> None:
        """Count that it has happened."""
        self.used[self._key(image)] += 1

    def _key(self, image: Image) -> str:
        return image.arn if self.per == "image" else ""


@dataclass
class Behaviour:
    """Durations and failures; both may change while builds run.

    :param durations: virtual seconds by phase; :data:`DEFAULT_DURATIONS` for the others.
    :param workflows: virtual seconds by workflow name.
    :param steps: virtual seconds by ``<workflow>/<step>``.
    :param failures: read in order; the first that fits applies.
    :param findings: how many findings a scan reports, by severity.
    """

    durations: dict[str, Seconds] = field(default_factory=dict)
    workflows: dict[str, float] = field(default_factory=dict)
    steps: dict[str, float] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    findings: dict[str, int] = field(default_factory=dict)

    def update(self, other: Behaviour) -> None:
        """Take over what another one says; its failures come after the present ones."""
        self.durations.update(other.durations)
        self.workflows.update(other.workflows)
        self.steps.update(other.steps)
        self.failures.extend(other.failures)
        self.findings.update(other.findings)

    def phase_seconds(self, phase: str, ids: Identifiers, key: str) -> float:
        """Return the virtual seconds of a phase.

        :param key: the same key gets the same number out of a range.
        """
        seconds = self.durations.get(phase, DEFAULT_DURATIONS[phase])
        return ids.between(*seconds, key) if isinstance(seconds, tuple) else float(seconds or 0.0)

    def step_seconds(self, image: Image, execution: Execution, step: Step, ids: Identifiers) -> float:
        """Return the virtual seconds of a step."""
        workflow = execution.workflow
        given = self.steps.get(f"{workflow.name}/{step.planned.name}")
        if given is not None:
            return given
        total, phase, key = (
            self.workflows.get(workflow.name),
            workflow.type.lower(),
            f"{image.arn}:{workflow.arn}",
        )
        if total is None and self.durations.get(phase, DEFAULT_DURATIONS[phase]) is None:
            return _seconds(execution, step) * ids.between(1 - VARIATION, 1 + VARIATION, key)
        if total is None:
            total = self.phase_seconds(phase, ids, key)
        running = [
            s
            for s in execution.steps
            if s.status != "SKIPPED" and not s.unneeded and s.planned.action != "WaitForAction"
        ]
        return _shares(execution, running, total)[step.id]

    def finding_counts(self, scans: int = 1) -> Doc:
        """Return the findings of some scans by severity, with their sum as ``all``."""
        counts = {key: scans * self.findings.get(key, 0) for key in ("critical", "high", "medium")}
        return {"all": scans * sum(self.findings.values()), **counts}

    def step_failure(self, image: Image, execution: Execution, step: Step) -> Failure | None:
        """Return the failure of a step and count it; None if the step succeeds."""
        for failure in self.failures:
            fits = failure.region is None and failure.applies_to(image)
            if fits and _fails(failure, image, execution, step):
                failure.count(image)
                return failure
        return None

    def region_failures(self, image: Image, regions: set[str], *, integrating: bool) -> list[Failure]:
        """Return the failures in some regions and count them.

        :param integrating: whether the copies are made and the image is INTEGRATING.
        """
        found = [
            failure
            for failure in self.failures
            if failure.region in regions
            and bool(failure.configuration_step) is integrating
            and failure.applies_to(image)
        ]
        for failure in found:
            failure.count(image)
        return found


def _seconds(execution: Execution, step: Step) -> float:
    """Return the usual virtual seconds of a step."""
    if step.planned.action == "ExecuteComponents" and execution.workflow.type == "TEST":
        return TEST_COMPONENTS_SECONDS
    return ACTION_SECONDS.get(step.planned.action, OTHER_SECONDS)


def _shares(execution: Execution, steps: list[Step], total: float) -> dict[str, float]:
    """Split the time of a workflow as its steps usually share it.

    The main step gets what the others leave: in a workflow of hours a launch does not take hours.
    """
    whole = sum(_seconds(execution, step) for step in steps)
    shares = {
        step.id: min(total * _seconds(execution, step) / whole, step.planned.timeout / 2) for step in steps
    }
    main = _main(steps)
    shares[main.id] += total - sum(shares.values())
    return shares


def _fails(failure: Failure, image: Image, execution: Execution, step: Step) -> bool:
    workflow = execution.workflow
    if failure.workflow and not any(fnmatchcase(n, failure.workflow) for n in (workflow.name, workflow.arn)):
        return False
    if failure.component:
        return _fails_component(failure, image, execution, step)
    if failure.step:
        return failure.step == step.planned.name
    return bool(failure.workflow) and step is main_step(execution)


def _fails_component(failure: Failure, image: Image, execution: Execution, step: Step) -> bool:
    if step.planned.action != "ExecuteComponents" or (failure.step and failure.step != step.planned.name):
        return False
    phase = "test" if execution.workflow.type == "TEST" else "build"
    if not failure.workflow and (failure.phase == "test") != (phase == "test"):
        return False
    return component_arn(image, failure.component or "") is not None


def main_step(execution: Execution) -> Step:
    """Return the step that does the work of a workflow, e.g. runs the components."""
    needed = [step for step in execution.steps if step.status != "SKIPPED" and not step.unneeded]
    return _main(needed or execution.steps)


def _main(steps: list[Step]) -> Step:
    for action in MAIN_ACTIONS:
        for step in steps:
            if step.planned.action == action:
                return step
    return steps[-1]


def component_arn(image: Image, name: str) -> str | None:
    """Find a component of an image's recipe and return its ARN.

    :param name: its name, or an ARN that may hold ``*`` and ``?``.
    :return: the ARN; None if the recipe does not have the component.
    """
    for item in image.recipe.get("components", ()):
        arn = str(item["componentArn"])
        if (
            fnmatchcase(arn, name)
            or arn.rsplit(":component/", maxsplit=1)[-1].split("/", maxsplit=1)[0] == name
        ):
            return arn
    return None
