"""ImageResult: the JSON-safe record of a build, its tests and its distribution."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.arns.grammar import path_of
from airflow_imagebuilder.service.results.ami import Ami, amis_of, marked
from airflow_imagebuilder.service.results.ami import in_order as golden_first
from airflow_imagebuilder.service.results.cause import failed_execution
from airflow_imagebuilder.service.results.failure import ImageFailure, log_location
from airflow_imagebuilder.service.results.failure_record import known_members
from airflow_imagebuilder.service.results.states import ImageStatus
from airflow_imagebuilder.service.results.workflow import (
    PHASES,
    TestResult,
    WorkflowResult,
    in_order,
    result_class,
    span,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "Ami",
    "Container",
    "ImageFailure",
    "ImageResult",
    "TestResult",
    "WorkflowResult",
    "failed_execution",
    "log_location",
]

SCHEMA = 1
"""The version of the stored form. It rises when an older reader would misread a record; a new member that an
older reader can ignore does not raise it."""


@dataclass(frozen=True, kw_only=True)
class Container:
    """The container images of one region."""

    region: str
    image_uris: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ImageResult:
    """The result of a build, which every waiting operator returns as :meth:`to_dict`.

    :param arn: the image build version ARN.
    :param name: the image's name.
    :param version: version and build, e.g. ``1.0.0/3``.
    :param status: the image's status.
    :param type: ``AMI`` (the default) or ``DOCKER``.
    :param platform: ``Linux``, ``Windows`` or ``macOS``.
    :param os_version: the operating system, e.g. ``Amazon Linux 2023``.
    :param date_created: the time of creation in ISO 8601.
    :param amis: all AMIs that AWS lists; empty for a container image. Use those of :attr:`golden_amis`.
    :param containers: the container images by region; empty for an AMI.
    :param workflows: the executions of all types: builds first, tests in the order in which they started.
    :param scan: AWS's ``scanState``.
    :param failure: what failed; ``None`` unless the image is FAILED.
    :param tags: the image's tags.
    """

    arn: str
    name: str
    version: str
    status: str
    type: str = "AMI"
    platform: str | None = None
    os_version: str | None = None
    date_created: str | None = None
    amis: tuple[Ami, ...] = ()
    containers: tuple[Container, ...] = ()
    workflows: tuple[WorkflowResult, ...] = ()
    scan: Mapping[str, Any] | None = None
    failure: ImageFailure | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def tests(self) -> tuple[TestResult, ...]:
        """The executions of test workflows, in the order in which they started."""
        return tuple(item for item in self.workflows if isinstance(item, TestResult))

    @property
    def golden_amis(self) -> tuple[Ami, ...]:
        """The AMIs to use, one of each region and account: that of the build's region and account first.

        None if the image is FAILED, CANCELLED or in progress, if it has test workflows only, or for a
        container image. :mod:`airflow_imagebuilder.service.results.ami` has the rules.
        """
        return golden_first(self.amis, self.arn)

    @property
    def duration(self) -> dict[str, float]:
        """Seconds from first start to last end of ``build``, ``test``, ``distribution`` and ``total``.

        A phase without a known start and end is left out. AWS reports times of workflows only: a distribution
        without a distribution workflow has no duration.
        """
        phases = {
            phase: [item for item in self.workflows if item.type == kind] for kind, phase in PHASES.items()
        }
        spans = {phase: span(items) for phase, items in {**phases, "total": self.workflows}.items()}
        return {phase: span for phase, span in spans.items() if span is not None}

    @classmethod
    def from_api(cls, image: Mapping[str, Any], executions: Sequence[Mapping[str, Any]] = ()) -> ImageResult:
        """Read an image from AWS's answers.

        :param image: GetImage's ``image``.
        :param executions: ListWorkflowExecutions' ``workflowExecutions``; those that a retry superseded are
            left out.
        """
        outputs = image.get("outputResources") or {}
        status = image["state"]["status"]
        name, *numbers = path_of(image["arn"], "image") or (image["arn"],)
        return cls(
            arn=image["arn"],
            name=image.get("name") or name,
            version=image.get("version") or "/".join(numbers),
            status=status,
            type=image.get("type") or ("DOCKER" if image.get("containerRecipe") else "AMI"),
            platform=image.get("platform"),
            os_version=image.get("osVersion"),
            date_created=image.get("dateCreated"),
            amis=amis_of(image, executions),
            containers=tuple(_container(item) for item in outputs.get("containers") or ()),
            workflows=in_order(executions),
            scan=dict(image["scanState"]) if image.get("scanState") else None,
            failure=ImageFailure.from_api(image, executions) if status == ImageStatus.FAILED else None,
            tags=dict(image.get("tags") or {}),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-safe mapping.

        It adds ``schema``, ``duration``, ``passed`` of each workflow, and :attr:`golden_amis`.
        """
        plain = asdict(self)
        plain["amis"] = list(plain["amis"])
        plain["containers"] = [
            {**item, "image_uris": list(item["image_uris"])} for item in plain["containers"]
        ]
        plain["workflows"] = [{**asdict(item), "passed": item.passed} for item in self.workflows]
        plain["failure"] = self.failure.to_dict() if self.failure else None
        plain["golden_amis"] = [asdict(ami) for ami in self.golden_amis]
        return {"schema": SCHEMA, **plain, "duration": self.duration}

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any]) -> ImageResult:
        """Read the result of :meth:`to_dict`, e.g. from the XCom of an old run; unknown members are ignored.

        :raises ValueError: a later version with another schema wrote the record.
        """
        if mapping.get("schema", SCHEMA) > SCHEMA:
            raise ValueError(
                f"this record has schema {mapping['schema']}, this version reads up to {SCHEMA}: upgrade"
            )
        known = known_members(cls, mapping)
        for name, read in _READERS.items():
            known[name] = tuple(read(item) for item in known.get(name) or ())
        if "golden_amis" not in mapping:  # a record of a version that did not choose
            known["amis"] = marked(known["amis"], known["arn"], known["status"])
        failure = known.get("failure")
        return cls(**{**known, "failure": ImageFailure.from_dict(failure) if failure else None})


_READERS: dict[str, Any] = {
    "amis": lambda item: Ami(**known_members(Ami, item)),
    "containers": lambda item: Container(
        region=item["region"], image_uris=tuple(item.get("image_uris") or ())
    ),
    "workflows": lambda item: result_class(item["type"])(**known_members(WorkflowResult, item)),
}


def _container(container: Mapping[str, Any]) -> Container:
    return Container(region=container.get("region", ""), image_uris=tuple(container.get("imageUris") or ()))
