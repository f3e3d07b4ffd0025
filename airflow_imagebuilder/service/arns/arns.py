"""One class for each kind of Image Builder ARN: parse it, check it, make it.

The patterns are AWS's own, letter by letter (API reference, e.g. ``ImageRecipeArn``); on top of them come the
rules for version numbers, which AWS tells in words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from airflow_imagebuilder.service.arns.grammar import (
    BOUGHT,
    NAME,
    OWN,
    SHARED,
    WILD,
    WILD_OR_BUILD,
    version_is_allowed,
)
from airflow_imagebuilder.service.arns.hints import way_out
from airflow_imagebuilder.service.errors import Fault, InvalidRequestError

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass(frozen=True, kw_only=True)
class Arn:
    """An ARN of one kind. Made with keywords or by :meth:`parse`; either way it is a valid one.

    :param region: the region, e.g. ``us-east-1``.
    :param account: twelve digits, or the owner of a managed resource, e.g. ``aws``.
    :param name: the resource's name as ARNs have it: lower case.
    :param partition: ``aws``, ``aws-cn``, ``aws-us-gov``, ``aws-iso``, ...
    :raises InvalidRequestError: AWS has no such ARN of this kind.
    """

    NOUN: ClassVar[str]
    RESOURCE: ClassVar[str]
    PATTERN: ClassVar[str]
    TAIL: ClassVar[tuple[str, ...]] = ("name",)

    region: str
    account: str
    name: str
    partition: str = "aws"

    def __post_init__(self) -> None:
        _refuse(type(self), str(self))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an ARN of this kind.

        :raises InvalidRequestError: (a ValueError) with what is wrong and the way out.
        """
        _refuse(cls, text)
        _, partition, _, region, account, resource = text.split(":", 5)
        tail = dict(zip(cls.TAIL, resource.split("/")[1:], strict=False))
        numbered = {key: int(value) if key == "build" else value for key, value in tail.items()}
        return cls(partition=partition, region=region, account=account, **numbered)  # type: ignore[arg-type]

    @classmethod
    def accepts(cls, text: object) -> bool:
        """Tell whether AWS takes this text for an ARN of this kind."""
        if not isinstance(text, str) or not re.fullmatch(cls.PATTERN, text, re.ASCII):
            return False
        at = cls.TAIL.index("version") + 1 if "version" in cls.TAIL else 0
        return not at or version_is_allowed(text.split(":", 5)[5].split("/")[at])

    @classmethod
    def example(cls) -> str:
        """Return an ARN of this kind to learn from."""
        parts = {"type": "test", "name": "golden", "version": "1.0.0", "build": "1"}
        tail = "/".join([cls.RESOURCE, *(parts[part] for part in cls.TAIL)])
        return f"arn:aws:imagebuilder:us-east-1:123456789012:{tail}"

    def __str__(self) -> str:
        tail = [str(getattr(self, part)) for part in self.TAIL if getattr(self, part) is not None]
        owner = f"arn:{self.partition}:imagebuilder:{self.region}:{self.account}"
        return f"{owner}:{'/'.join([self.RESOURCE, *tail])}"


@dataclass(frozen=True, kw_only=True)
class _Versioned(Arn):
    TAIL: ClassVar[tuple[str, ...]] = ("name", "version")

    version: str


@dataclass(frozen=True, kw_only=True)
class _Built(_Versioned):
    TAIL: ClassVar[tuple[str, ...]] = ("name", "version", "build")

    build: int | None = None


class InfrastructureConfigurationArn(Arn):
    """Where images are built."""

    NOUN = "an infrastructure configuration"
    RESOURCE = "infrastructure-configuration"
    PATTERN = OWN + RESOURCE + NAME + "$"


class DistributionConfigurationArn(Arn):
    """Where images are copied."""

    NOUN = "a distribution configuration"
    RESOURCE = "distribution-configuration"
    PATTERN = OWN + RESOURCE + NAME + "$"


class ImagePipelineArn(Arn):
    """A pipeline."""

    NOUN = "an image pipeline"
    RESOURCE = "image-pipeline"
    PATTERN = OWN + RESOURCE + NAME + "$"


class ImageRecipeArn(_Versioned):
    """What makes an AMI; ``x.x.x`` names the newest version."""

    NOUN = "an image recipe"
    RESOURCE = "image-recipe"
    PATTERN = OWN + RESOURCE + NAME + WILD + "$"


class ContainerRecipeArn(_Versioned):
    """What makes a container image; ``x.x.x`` names the newest version."""

    NOUN = "a container recipe"
    RESOURCE = "container-recipe"
    PATTERN = OWN + RESOURCE + NAME + WILD + "$"


class ImageVersionArn(_Versioned):
    """A version of an image, whatever the build; with ``x`` as in GetImage's latestVersionReferences."""

    NOUN = "an image version"
    RESOURCE = "image"
    PATTERN = SHARED + RESOURCE + NAME + WILD + "$"


@dataclass(frozen=True, kw_only=True)
class ImageBuildVersionArn(_Versioned):
    """One image: what CreateImage returns, and what is waited for."""

    NOUN: ClassVar[str] = "an image build version"
    RESOURCE: ClassVar[str] = "image"
    PATTERN: ClassVar[str] = SHARED + RESOURCE + NAME + r"/[0-9]+\.[0-9]+\.[0-9]+/[0-9]+$"
    TAIL: ClassVar[tuple[str, ...]] = ("name", "version", "build")

    build: int

    @property
    def log_stream(self) -> str:
        """The CloudWatch Logs stream of its build, e.g. ``1.0.0/1``."""
        return f"{self.version}/{self.build}"


class ComponentArn(_Built):
    """A component, of one version or build, or the newest that ``x`` matches."""

    NOUN = "a component"
    RESOURCE = "component"
    PATTERN = BOUGHT + RESOURCE + NAME + WILD_OR_BUILD


@dataclass(frozen=True, kw_only=True)
class WorkflowArn(_Built):
    """A workflow, of one version or build, or the newest that ``x`` matches.

    :param type: ``build``, ``test`` or ``distribution``.
    """

    NOUN: ClassVar[str] = "a workflow"
    RESOURCE: ClassVar[str] = "workflow"
    PATTERN: ClassVar[str] = (
        r"^arn:aws(?:-[a-z]+)*:imagebuilder:[a-z]{2,}(?:-[a-z]+)+-[0-9]+:(?:[0-9]{12}|aws(?:-[a-z-]+)?):"
        r"workflow/(build|test|distribution)" + NAME + WILD_OR_BUILD
    )
    TAIL: ClassVar[tuple[str, ...]] = ("type", "name", "version", "build")

    type: str

    @property
    def is_managed(self) -> bool:
        """Whether it is one of Amazon's own workflows."""
        return self.account == "aws"


def fault_in_arn(kind: type[Arn], text: object, field: str) -> Fault | None:
    """Tell what is wrong with an ARN of a kind, if anything is.

    :param field: the field that the fault is to name.
    """
    if kind.accepts(text):
        return None
    return Fault(field, text, f"the ARN of {kind.NOUN}, such as {kind.example()}", way_out(kind, text))


def _refuse(kind: type[Arn], text: object) -> None:
    if fault := fault_in_arn(kind, text, "arn"):
        raise InvalidRequestError([fault])
