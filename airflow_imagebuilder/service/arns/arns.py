"""One class per kind of Image Builder ARN: parse an ARN, check it, make it.

The patterns are AWS's own, letter by letter (API reference, e.g. ``ImageRecipeArn``). AWS describes the rules
for version numbers in words alone: :mod:`airflow_imagebuilder.service.arns.grammar` has them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from airflow_imagebuilder.service.arns.grammar import (
    BOUGHT,
    NAME,
    NUMBERS,
    OWN,
    SHARED,
    WILD,
    WILD_OR_BUILD,
    ArnKind,
)
from airflow_imagebuilder.service.arns.hints import fault_in_arn
from airflow_imagebuilder.service.errors import InvalidRequestError

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass(frozen=True, kw_only=True)
class Arn:
    """An ARN of one kind, made with keywords or by :meth:`parse`. It is checked either way.

    :param region: the region, e.g. ``us-east-1``.
    :param account: twelve digits, or the owner of a managed resource, e.g. ``aws``.
    :param name: the resource's name as ARNs have it, in lower case.
    :param partition: ``aws`` (default), ``aws-cn``, ``aws-us-gov``, ``aws-iso``, ...
    :raises InvalidRequestError: AWS has no such ARN of this kind.
    """

    KIND: ClassVar[ArnKind]

    region: str
    account: str
    name: str
    partition: str = "aws"

    def __post_init__(self) -> None:
        self._check(str(self))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an ARN of this kind.

        :param text: the ARN.
        :raises InvalidRequestError: (a ValueError) the text is not such an ARN; with what to write instead.
        """
        cls._check(text)
        _, partition, _, region, account, _ = text.split(":", 5)
        parts = cls.KIND.parts(text)
        numbered = {name: int(value) if name == "build" else value for name, value in parts.items()}
        return cls(partition=partition, region=region, account=account, **numbered)  # type: ignore[arg-type]

    @classmethod
    def accepts(cls, text: object) -> bool:
        """Return whether AWS takes this text for an ARN of this kind."""
        return cls.KIND.accepts(text)

    def __str__(self) -> str:
        tail = [str(getattr(self, part)) for part in self.KIND.tail if getattr(self, part) is not None]
        owner = f"arn:{self.partition}:imagebuilder:{self.region}:{self.account}"
        return f"{owner}:{'/'.join([self.KIND.resource, *tail])}"

    @classmethod
    def _check(cls, text: object) -> None:
        if fault := fault_in_arn(cls.KIND, text, "arn"):
            raise InvalidRequestError([fault])


@dataclass(frozen=True, kw_only=True)
class _Versioned(Arn):
    version: str


class InfrastructureConfigurationArn(Arn):
    """Where images are built."""

    KIND = ArnKind(
        "an infrastructure configuration",
        "infrastructure-configuration",
        ("name",),
        f"{OWN}infrastructure-configuration{NAME}$",
    )


class DistributionConfigurationArn(Arn):
    """Where images are copied."""

    KIND = ArnKind(
        "a distribution configuration",
        "distribution-configuration",
        ("name",),
        f"{OWN}distribution-configuration{NAME}$",
    )


class ImagePipelineArn(Arn):
    """A pipeline."""

    KIND = ArnKind("an image pipeline", "image-pipeline", ("name",), f"{OWN}image-pipeline{NAME}$")


class ImageRecipeArn(_Versioned):
    """The recipe of an AMI; ``x.x.x`` names its newest version."""

    KIND = ArnKind("an image recipe", "image-recipe", ("name", "version"), f"{OWN}image-recipe{NAME}{WILD}$")


class ContainerRecipeArn(_Versioned):
    """The recipe of a container image; ``x.x.x`` names its newest version."""

    KIND = ArnKind(
        "a container recipe", "container-recipe", ("name", "version"), f"{OWN}container-recipe{NAME}{WILD}$"
    )


class ImageVersionArn(_Versioned):
    """A version of an image with all of its builds; GetImage's latestVersionReferences have wildcards."""

    KIND = ArnKind("an image version", "image", ("name", "version"), f"{SHARED}image{NAME}{WILD}$")


@dataclass(frozen=True, kw_only=True)
class ImageBuildVersionArn(_Versioned):
    """One build of an image: CreateImage returns it, and the operators wait for it.

    :param build: the build number, from 1.
    """

    KIND: ClassVar[ArnKind] = ArnKind(
        "an image build version",
        "image",
        ("name", "version", "build"),
        f"{SHARED}image{NAME}{NUMBERS}/[0-9]+$",
    )

    build: int

    @property
    def log_stream(self) -> str:
        """The CloudWatch Logs stream of its build, e.g. ``1.0.0/1``."""
        return f"{self.version}/{self.build}"


@dataclass(frozen=True, kw_only=True)
class ComponentArn(_Versioned):
    """A component: one version, one build, or the newest version that ``x`` matches.

    :param build: the build number; ``None`` (default) for all builds of the version.
    """

    KIND: ClassVar[ArnKind] = ArnKind(
        "a component", "component", ("name", "version", "build"), f"{BOUGHT}component{NAME}{WILD_OR_BUILD}"
    )

    build: int | None = None


@dataclass(frozen=True, kw_only=True)
class WorkflowArn(_Versioned):
    """A workflow: one version, one build, or the newest version that ``x`` matches.

    :param type: ``build``, ``test`` or ``distribution``.
    :param build: the build number; ``None`` (default) for all builds of the version.
    """

    KIND: ClassVar[ArnKind] = ArnKind(
        "a workflow",
        "workflow",
        ("type", "name", "version", "build"),
        r"^arn:aws(?:-[a-z]+)*:imagebuilder:[a-z]{2,}(?:-[a-z]+)+-[0-9]+:(?:[0-9]{12}|aws(?:-[a-z-]+)?):"
        rf"workflow/(build|test|distribution){NAME}{WILD_OR_BUILD}",
    )

    type: str
    build: int | None = None

    @property
    def is_managed(self) -> bool:
        """Whether it is one of Amazon's own workflows."""
        return self.account == "aws"

    @property
    def newest(self) -> Self:
        """The same workflow in its newest version, ``x.x.x``."""
        return replace(self, version="x.x.x", build=None)
