"""The state of the engine: resources, images, executions, steps and client tokens."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Doc = dict[str, Any]

IMAGE_ENDED = frozenset({"AVAILABLE", "FAILED", "CANCELLED", "DEPRECATED", "DELETED", "DISABLED"})
EXECUTION_ENDED = frozenset({"COMPLETED", "FAILED", "ROLLBACK_COMPLETED", "CANCELLED", "SKIPPED"})


@dataclass
class Effect:
    """A change outside of Image Builder: an AMI, a parameter, an event, lines of a log.

    :param kind: ``ami``, ``parameter``, ``launch_template``, ``event``, ``notification`` or ``log``.
    :param at: virtual seconds since the epoch.
    """

    kind: str
    region: str
    at: float
    data: Doc


@dataclass(frozen=True)
class PlannedStep:
    """A step of a workflow document."""

    name: str
    action: str
    description: str | None = None
    on_failure: str = "Abort"
    timeout: int = 43200
    condition: Any = None
    inputs: Doc = field(default_factory=dict)


@dataclass(frozen=True)
class PlannedWorkflow:
    """A workflow of one image, resolved to the build version that runs.

    :param parameters: names and typed values, as ``$.parameters`` finds them.
    """

    arn: str
    type: str
    steps: tuple[PlannedStep, ...]
    group: str | None = None
    on_failure: str | None = None
    parameters: Doc = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name in the workflow's ARN."""
        return self.arn.split("/")[2]


@dataclass
class Step:
    """A step execution."""

    id: str
    planned: PlannedStep
    status: str = "PENDING"
    message: str = ""
    outputs: Doc = field(default_factory=dict)
    start: float | None = None
    end: float | None = None
    rollback: str | None = None


@dataclass
class Execution:
    """A workflow execution."""

    id: str
    image_arn: str
    workflow: PlannedWorkflow
    steps: list[Step]
    status: str = "PENDING"
    message: str = ""
    start: float | None = None
    end: float | None = None
    retried: bool = False
    failure: Doc = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        """Whether its status is final."""
        return self.status in EXECUTION_ENDED

    def count(self, status: str) -> int:
        """Count the steps that have a status."""
        return sum(step.status == status for step in self.steps)


@dataclass
class Image:
    """An image build version: what GetImage shows, and what the life cycle needs beside it.

    :param doc: the ``Image`` of the service model.
    :param epoch: rises when the image fails, is cancelled or is retried; timers of an older epoch do nothing.
    :param phase: ``created``, ``build``, ``test``, ``distribution``, ``integration`` or ``done``.
    :param batches: the test executions that run at the same time, one list per place in the order.
    :param ami: the AMI of the build, in the region of the image.
    :param copies: AMI ids by ``<region>/<account>``.
    :param history: every status with its virtual and its real moment.
    """

    doc: Doc
    region: str
    recipe: Doc
    infrastructure: Doc
    distribution: Doc | None
    workflows: tuple[PlannedWorkflow, ...]
    created: float
    epoch: int = 0
    phase: str = "created"
    executions: list[Execution] = field(default_factory=list)
    batches: list[list[Execution]] = field(default_factory=list)
    ami: str | None = None
    copies: dict[str, str] = field(default_factory=dict)
    cancelling: bool = False
    history: list[Doc] = field(default_factory=list)

    @property
    def arn(self) -> str:
        """The image build version ARN."""
        return str(self.doc["arn"])

    @property
    def status(self) -> str:
        """The present status."""
        return str(self.doc["state"]["status"])

    @property
    def ended(self) -> bool:
        """Whether the build has finished, whatever became of it."""
        return self.status in IMAGE_ENDED

    @property
    def is_ami(self) -> bool:
        """Whether it is an AMI, not a container image."""
        return bool(self.doc["type"] == "AMI")


@dataclass
class State:
    """Everything that the engine remembers.

    :param resources: documents of components, recipes, configurations, workflows and pipelines, by ARN.
    :param workflow_steps: the steps of each workflow, by the ARN of its build version.
    :param tokens: request and answer by region, operation and client token.
    :param managed: the regions that hold Amazon's own resources already.
    :param builds: the last build number of each image version, deleted builds included.
    """

    resources: dict[str, Doc] = field(default_factory=dict)
    workflow_steps: dict[str, tuple[PlannedStep, ...]] = field(default_factory=dict)
    images: dict[str, Image] = field(default_factory=dict)
    executions: dict[str, Execution] = field(default_factory=dict)
    steps: dict[str, tuple[Execution, Step]] = field(default_factory=dict)
    tokens: dict[tuple[str, str, str], tuple[str, Doc]] = field(default_factory=dict)
    managed: set[str] = field(default_factory=set)
    builds: dict[str, int] = field(default_factory=dict)
