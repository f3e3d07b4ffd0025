"""The state of the engine: resources, images, executions, steps and client tokens."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.local.emulator.engine import identifiers
from airflow_imagebuilder.local.emulator.engine.shelf import Catalogue, Shelf

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_imagebuilder.local.emulator.documents.workflow import PlannedStep, WorkflowDocument

Doc = dict[str, Any]

IMAGE_ENDED = frozenset({"AVAILABLE", "FAILED", "CANCELLED", "DEPRECATED", "DELETED", "DISABLED"})
EXECUTION_ENDED = frozenset({"COMPLETED", "FAILED", "ROLLBACK_COMPLETED", "CANCELLED", "SKIPPED"})


@dataclass
class Effect:
    """A change outside of Image Builder: an AMI, a parameter, an event, lines of a log.

    :param kind: ``ami``, ``container``, ``launch_permission``, ``parameter``, ``launch_template``, ``event``,
        ``notification``, ``function`` or ``log``.
    :param at: virtual seconds since the epoch.
    :param account: the account of the image or pipeline that it comes from.
    """

    kind: str
    region: str
    at: float
    data: Doc
    account: str = identifiers.ACCOUNT


@dataclass(frozen=True)
class PlannedWorkflow:
    """A workflow of one image, resolved to the build version that runs.

    :param parameters: names and typed values, as ``$.parameters`` finds them.
    """

    arn: str
    type: str
    document: WorkflowDocument
    group: str | None = None
    on_failure: str | None = None
    parameters: Doc = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name in the workflow's ARN."""
        return self.arn.split("/")[2]


@dataclass
class Step:
    """A step execution.

    :param unneeded: whether it is known from the start that it will be skipped.
    :param inputs: the inputs that the API shows: with paths until the step runs, then with their values.
    """

    id: str
    planned: PlannedStep
    status: str = "PENDING"
    message: str = ""
    outputs: Doc = field(default_factory=dict)
    start: float | None = None
    end: float | None = None
    rollback: str | None = None
    unneeded: bool = False
    inputs: Doc = field(default_factory=dict)


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
    :param parent: the AMI that the build begins with; None for a container image.
    :param ami: the AMI of the build, in the region of the image; None before a step has made it.
    :param copied: whether it is a copy of another image (DistributeImage).
    :param outputs: the outputs of the workflows that have finished.
    :param terminated: the instances that a step has ended.
    :param copies: AMI ids by ``<region>/<account>``.
    :param stamp: the moment in the names of its AMIs, which no other image of its account has.
    :param unnamed: whether another AMI has the name that the build's AMI should have.
    :param snapshots: the snapshot of each AMI, by ``<region>/<account>``.
    :param shown: name and description of each AMI, by ``<region>/<account>``.
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
    parent: str | None = None
    architecture: str = "x86_64"
    ami: str | None = None
    copied: bool = False
    outputs: Doc = field(default_factory=dict)
    terminated: set[str] = field(default_factory=set)
    copies: dict[str, str] = field(default_factory=dict)
    snapshots: dict[str, str] = field(default_factory=dict)
    shown: dict[str, Doc] = field(default_factory=dict)
    cancelling: bool = False
    stamp: float = 0.0
    unnamed: bool = False
    history: list[Doc] = field(default_factory=list)

    @property
    def arn(self) -> str:
        """The image build version ARN."""
        return str(self.doc["arn"])

    @property
    def account(self) -> str:
        """The account that owns it."""
        return identifiers.owner_of(self.arn)

    @property
    def version_arn(self) -> str:
        """The ARN of its version, without a build number."""
        return self.arn.rpartition("/")[0]

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
class LifecycleExecution:
    """One run of a policy, or one update of an image.

    :param subject: the ARN of the policy, or of the image.
    :param policy: whether it is a run of a policy.
    :param reason: why it has its status; empty for a usual one.
    :param resources: ``LifecycleExecutionResource`` of each image, with its AMIs under ``amis``.
    """

    id: str
    subject: str
    region: str
    start: float
    policy: bool
    status: str = "IN_PROGRESS"
    reason: str = ""
    end: float | None = None
    resources: list[Doc] = field(default_factory=list)

    @property
    def ended(self) -> bool:
        """Whether it has finished."""
        return self.status in ("SUCCESS", "FAILED", "CANCELLED")


@dataclass
class State:
    """Everything that one account has.

    :param account: its 12 digits.
    :param accounts: the states of all accounts, this one included.
    :param resources: documents of components, recipes, configurations, workflows and pipelines, by ARN.
    :param documents: the document of each workflow, by the ARN of its build version.
    :param by_version: the images of each region, by the ARN of their version, oldest first.
    :param by_name: the versions of each image, by region and then by their ARN without a version.
    :param by_region: the images of each region, oldest first.
    :param by_pipeline: the images of each pipeline, oldest first.
    :param scanned_of: how many of them each pipeline has.
    :param scanned: the images of each region whose scan has finished, in this order.
    :param waiting: the steps that wait for an action, oldest first.
    :param tokens: request and answer by region, operation and client token.
    :param managed: the regions that hold Amazon's own resources already.
    :param policies: the policy of each shared resource, as JSON, by ARN.
    :param last_stamp: the ``stamp`` of the newest image.
    :param builds: the last build number of each image version, deleted builds included.
    """

    account: str = identifiers.ACCOUNT
    accounts: dict[str, State] = field(default_factory=dict, repr=False)
    resources: Catalogue = field(default_factory=Catalogue)
    documents: dict[str, WorkflowDocument] = field(default_factory=dict)
    images: dict[str, Image] = field(default_factory=dict)
    by_version: dict[str, Shelf[Shelf[Image]]] = field(default_factory=dict)
    by_name: dict[str, Shelf[Shelf[Shelf[Image]]]] = field(default_factory=dict)
    by_region: dict[str, Shelf[Image]] = field(default_factory=dict)
    by_pipeline: dict[str, Shelf[Image]] = field(default_factory=dict)
    scanned: dict[str, Shelf[Image]] = field(default_factory=dict)
    scanned_of: Counter[str] = field(default_factory=Counter)
    waiting: Shelf[tuple[Execution, Step]] = field(default_factory=Shelf)
    executions: dict[str, Execution] = field(default_factory=dict)
    steps: dict[str, tuple[Execution, Step]] = field(default_factory=dict)
    tokens: dict[tuple[str, str, str], tuple[str, Doc]] = field(default_factory=dict)
    managed: set[str] = field(default_factory=set)
    builds: dict[str, int] = field(default_factory=dict)
    last_stamp: float = 0.0
    policies: dict[str, str] = field(default_factory=dict)
    lifecycle_executions: dict[str, LifecycleExecution] = field(default_factory=dict)
    lifecycle_by_subject: dict[str, Shelf[LifecycleExecution]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Join the other accounts."""
        self.accounts[self.account] = self

    def add_image(self, image: Image) -> None:
        """Add a new image."""
        # The clock may not move, or two images begin at one moment; on AWS no two have the same date.
        image.stamp = self.last_stamp = max(image.created, self.last_stamp + 2e-6)
        self.images[image.arn] = image
        self.by_region.setdefault(image.region, Shelf())[image.arn] = image
        version, name = image.version_arn, image.version_arn.rpartition("/")[0]
        versions = self.by_version.setdefault(image.region, Shelf())
        builds = versions.setdefault(version, Shelf())
        builds[image.arn] = image
        self.by_name.setdefault(image.region, Shelf()).setdefault(name, Shelf())[version] = builds

    def remove_image(self, image: Image) -> None:
        """Remove an image, with what it has run."""
        region, version = image.region, image.version_arn
        for execution in image.executions:
            self.executions.pop(execution.id, None)
            for step in execution.steps:
                self.steps.pop(step.id, None)
                self.waiting.pop(step.id, None)
        del self.images[image.arn]
        del self.by_region[region][image.arn]
        pipeline = image.doc.get("sourcePipelineArn", "")
        if pipeline in self.by_pipeline:
            self.by_pipeline[pipeline].pop(image.arn, None)
        if self.scanned.get(region, Shelf[Image]()).pop(image.arn, None):
            self.scanned_of[pipeline] -= 1
        builds = self.by_version[region][version]
        del builds[image.arn]
        if not builds:
            del self.by_version[region][version]
            name = version.rpartition("/")[0]
            del self.by_name[region][name][version]
            if not self.by_name[region][name]:
                del self.by_name[region][name]

    def add_scanned(self, image: Image) -> None:
        """Note that the scan of an image has finished."""
        shelf = self.scanned.setdefault(image.region, Shelf())
        self.scanned_of[image.doc.get("sourcePipelineArn", "")] += image.arn not in shelf
        shelf[image.arn] = image

    def newest_image(self, arn: str, allows: Callable[[Image], bool]) -> Image | None:
        """Resolve a version, with or without wildcards, to its newest build that is AVAILABLE.

        :param arn: the ARN of an image without a build number.
        :param allows: whether a build may be seen.
        """
        parts = identifiers.parse(arn)
        stem = identifiers.arn_of(parts.region, f"{parts.resource_type}/{parts.name}", parts.owner)
        versions = self.by_name.get(parts.region, Shelf()).get(stem, Shelf())
        fitting = {
            identifiers.version_key(found): builds
            for version, builds in versions.items()
            if identifiers.matches(found := version.rpartition("/")[2], parts.version)
        }
        for _, builds in sorted(fitting.items(), key=lambda item: item[0], reverse=True):
            for _, image in builds.before(0):
                if image.status == "AVAILABLE" and allows(image):
                    return image
        return None

    def images_in(self, region: str) -> list[Image]:
        """Return the images of a region, oldest first."""
        return list(self.by_region.get(region, {}).values())

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Undo what is created inside: resources, their documents and build numbers."""
        kept = Catalogue(self.resources), dict(self.documents), dict(self.builds)
        try:
            yield
        finally:
            self.resources, self.documents, self.builds = kept
