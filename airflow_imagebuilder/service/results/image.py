"""ImageResult: a JSON-safe record of what was built, tested and distributed."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.arns.grammar import path_of
from airflow_imagebuilder.service.results.cause import failed_execution
from airflow_imagebuilder.service.results.failure import ImageFailure, log_location
from airflow_imagebuilder.service.results.failure_record import known_members
from airflow_imagebuilder.service.results.workflow import (
    PHASES,
    TestResult,
    WorkflowResult,
    in_order,
    result_class,
    span,
)
from airflow_imagebuilder.service.states import ImageStatus

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
"""Rises when an older reader would misread a record; members that are only added do not raise it."""


@dataclass(frozen=True, kw_only=True)
class Ami:
    """One AMI of an image: one for each region and account.

    :param image: the AMI id.
    :param status: the status of this copy.
    """

    region: str
    account_id: str | None = None
    image: str | None = None
    name: str | None = None
    status: str | None = None


@dataclass(frozen=True, kw_only=True)
class Container:
    """The container images of one region."""

    region: str
    image_uris: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ImageResult:
    """What an image came to: what every waiting operator returns, as :meth:`to_dict`.

    :param arn: the image build version ARN.
    :param version: version and build, e.g. ``1.0.0/3``.
    :param type: ``AMI`` or ``DOCKER``.
    :param workflows: the executions of all kinds, builds first, tests in the order in which they started.
    :param scan: AWS's ``scanState``.
    :param failure: what failed; None unless the image is FAILED.
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
    def duration(self) -> dict[str, float]:
        """Seconds from first start to last end of ``build``, ``test``, ``distribution`` and ``total``.

        A phase of which a start or an end is not known is left out. What runs outside of workflows, such as
        a distribution without a distribution workflow, AWS does not time.
        """
        phases = {
            phase: [item for item in self.workflows if item.type == kind] for kind, phase in PHASES.items()
        }
        spans = {phase: span(items) for phase, items in {**phases, "total": self.workflows}.items()}
        return {phase: span for phase, span in spans.items() if span is not None}

    @classmethod
    def from_api(cls, image: Mapping[str, Any], executions: Sequence[Mapping[str, Any]] = ()) -> ImageResult:
        """Read an image as AWS answers it.

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
            amis=tuple(_ami(ami) for ami in outputs.get("amis") or ()),
            containers=tuple(_container(item) for item in outputs.get("containers") or ()),
            workflows=in_order(executions),
            scan=dict(image["scanState"]) if image.get("scanState") else None,
            failure=ImageFailure.from_api(image, executions) if status == ImageStatus.FAILED else None,
            tags=dict(image.get("tags") or {}),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-safe mapping, with ``schema``, ``duration``, and ``passed`` of each workflow."""
        plain = asdict(self)
        plain["amis"] = list(plain["amis"])
        plain["containers"] = [
            {**item, "image_uris": list(item["image_uris"])} for item in plain["containers"]
        ]
        plain["workflows"] = [{**asdict(item), "passed": item.passed} for item in self.workflows]
        plain["failure"] = self.failure.to_dict() if self.failure else None
        return {"schema": SCHEMA, **plain, "duration": self.duration}

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any]) -> ImageResult:
        """Read what :meth:`to_dict` gave, e.g. from the XCom of an old run; unknown members are left out.

        :raises ValueError: it was written by a later version that means something else by it.
        """
        if mapping.get("schema", SCHEMA) > SCHEMA:
            raise ValueError(
                f"this record has schema {mapping['schema']}, this version reads up to {SCHEMA}: upgrade"
            )
        known = known_members(cls, mapping)
        for name, read in _READERS.items():
            known[name] = tuple(read(item) for item in known.get(name) or ())
        failure = known.get("failure")
        return cls(**{**known, "failure": ImageFailure.from_dict(failure) if failure else None})


_READERS: dict[str, Any] = {
    "amis": lambda item: Ami(**known_members(Ami, item)),
    "containers": lambda item: Container(
        region=item["region"], image_uris=tuple(item.get("image_uris") or ())
    ),
    "workflows": lambda item: result_class(item["type"])(**known_members(WorkflowResult, item)),
}


def _ami(ami: Mapping[str, Any]) -> Ami:
    return Ami(
        region=ami.get("region", ""),
        account_id=ami.get("accountId"),
        image=ami.get("image"),
        name=ami.get("name"),
        status=(ami.get("state") or {}).get("status"),
    )


def _container(container: Mapping[str, Any]) -> Container:
    return Container(region=container.get("region", ""), image_uris=tuple(container.get("imageUris") or ()))
