"""The workflows of an image, and the plan: which tests run together, in AWS's order, five wide."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from enum import Enum
from typing import Any, ClassVar

from airflow_imagebuilder.service.errors import Fault, InvalidRequestError

WIDTH = 5
"""How many test workflows of one parallel group run at once (API reference, WorkflowConfiguration)."""


class WorkflowType(str, Enum):
    """The stage that a workflow runs in (API reference, ``WorkflowType``)."""

    BUILD = "BUILD"
    TEST = "TEST"
    DISTRIBUTION = "DISTRIBUTION"

    def __str__(self) -> str:
        return str(self.value)


class OnFailure(str, Enum):
    """What becomes of the image when a test workflow fails (API reference, ``OnWorkflowFailure``).

    ``CONTINUE`` logs the failure and goes on: the image can end AVAILABLE with a failed test. ``ABORT`` fails
    the image, as it does where nothing is set.
    """

    CONTINUE = "CONTINUE"
    ABORT = "ABORT"

    def __str__(self) -> str:
        return str(self.value)


@dataclass(frozen=True)
class Workflow:
    """One workflow of an image: AWS's WorkflowConfiguration.

    It holds what it is given, templates included; :class:`ImageRequest` checks it, together with the rest.

    :param arn: the workflow's ARN; an Amazon-managed one ends in ``/x.x.x``.
    :param parameters: a list of strings for each parameter, whatever its type in the workflow document.
    :param parallel_group: tests of one group run at the same time, five at once; tests only.
    :param on_failure: :class:`OnFailure`; tests only. Unset, a failed test fails the image.
    """

    arn: str
    _: KW_ONLY
    parameters: Mapping[str, Sequence[str]] = field(default_factory=dict, hash=False)
    parallel_group: str | None = None
    on_failure: OnFailure | str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.parameters, Mapping):
            copied = {name: _frozen(value) for name, value in self.parameters.items()}
            object.__setattr__(self, "parameters", copied)
        if isinstance(self.on_failure, str) and self.on_failure in OnFailure.__members__:
            object.__setattr__(self, "on_failure", OnFailure(self.on_failure))

    @property
    def type(self) -> WorkflowType:
        """The stage, read from the ARN.

        :raises InvalidRequestError: the ARN does not tell, e.g. because a template will render it.
        """
        return WorkflowType(self._read("type").upper())

    @property
    def name(self) -> str:
        """The workflow's name, read from the ARN.

        :raises InvalidRequestError: the ARN does not tell, e.g. because a template will render it.
        """
        return self._read("name")

    def to_api(self) -> dict[str, Any]:
        """Return AWS's WorkflowConfiguration, without what is unset."""
        out: dict[str, Any] = {"workflowArn": self.arn}
        if self.parameters:
            out["parameters"] = _listed(self.parameters)
        if self.parallel_group is not None:
            out["parallelGroup"] = self.parallel_group
        if self.on_failure is not None:
            out["onFailure"] = self.on_failure.value if isinstance(self.on_failure, Enum) else self.on_failure
        return out

    @classmethod
    def from_api(cls, mapping: Mapping[str, Any]) -> Workflow:
        """Read AWS's WorkflowConfiguration, as CreateImage takes it and GetImage answers it.

        :param mapping: unknown members are left out: AWS adds some over time.
        """
        parameters = mapping.get("parameters") or {}
        if isinstance(parameters, (list, tuple)) and all(isinstance(item, Mapping) for item in parameters):
            parameters = {item["name"]: item["value"] for item in parameters}
        return cls(
            mapping["workflowArn"],
            parameters=parameters,
            parallel_group=mapping.get("parallelGroup"),
            on_failure=mapping.get("onFailure"),
        )

    def _read(self, part: str) -> str:
        # Not the strict ARN pattern: account and region may be templates while type and name are plain. What
        # stands inside of a template is not looked at, it may be one of several choices.
        plain = re.sub(r"\{\{.*?\}\}|\{%.*?%\}", "{}", str(self.arn), flags=re.DOTALL)
        found = list(re.finditer(r":workflow/(?P<type>build|test|distribution)/(?P<name>[^/{}]+)/", plain))
        if len(found) != 1:
            allowed = "a workflow ARN: ...:workflow/<build, test or distribution>/<name>/<version>"
            way_out = f"its {part} is read from the ARN: write this part of it plainly, without a template"
            raise InvalidRequestError([Fault("arn", self.arn, allowed, way_out)])
        return found[0][part]


@dataclass(frozen=True)
class TestGroup:
    """Test workflows that run at the same time, :data:`WIDTH` at once; the next begins as one finishes.

    :param name: the parallel group; None for an ungrouped test, which runs alone.
    :param workflows: its tests, in the order of the request.
    """

    __test__: ClassVar[bool] = False  # the name would make pytest collect it

    name: str | None
    workflows: tuple[Workflow, ...]


def plan(workflows: Iterable[Workflow]) -> tuple[TestGroup, ...]:
    """Lay an image's test workflows out as AWS runs them: one group after another.

    A group takes its place where its name first appears, and draws its later members forward to there.
    An ungrouped test stands alone at its own place. Where build and distribution workflows stand does not
    matter.

    :param workflows: all workflows of the request, in its order.
    :return: the groups in the order in which they run.
    :raises InvalidRequestError: a workflow's type cannot be read from its ARN.

    .. seealso:: "Define test groups",
        https://docs.aws.amazon.com/imagebuilder/latest/userguide/pipeline-workflows.html
    """
    places: dict[object, list[Workflow]] = {}
    for position, workflow in enumerate(workflows):
        if workflow.type is WorkflowType.TEST:
            alone = workflow.parallel_group is None
            places.setdefault(position if alone else workflow.parallel_group, []).append(workflow)
    return tuple(TestGroup(members[0].parallel_group, tuple(members)) for members in places.values())


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, (list, tuple)) else value


def _listed(parameters: Any) -> Any:
    if not isinstance(parameters, Mapping):
        return parameters
    return [
        {"name": name, "value": list(value) if isinstance(value, tuple) else value}
        for name, value in parameters.items()
    ]
