"""The workflows of an image, and the groups in which its tests run together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow_imagebuilder.service.arns.arns import WorkflowArn
from airflow_imagebuilder.service.arns.grammar import is_like_an_arn, workflow_type_and_name
from airflow_imagebuilder.service.errors import Fault, InvalidRequestError
from airflow_imagebuilder.service.request.fields.fields import Text
from airflow_imagebuilder.service.request.fields.suggestions import refuses_unknown_names
from airflow_imagebuilder.service.request.fields.templates import is_blank, is_late, is_template

PARALLEL_GROUP = Text(
    allowed="1 to 100 of a-z, A-Z, 0-9, -, _, + and #, a letter or digit first",
    pattern=r"^[A-Za-z0-9][A-Za-z0-9-_+#]{0,99}$",
    minimum=1,
    maximum=100,
    characters=r"[A-Za-z0-9\-_+#]",
    otherwise="begin it with a letter or a digit",
    blank_is_unset=False,  # a name that is left out changes which tests run together
)
"""The name of a parallel group (API reference, ``ParallelGroup``)."""

ARN_WITH_STAGE = "a workflow ARN: ...:workflow/<build, test or distribution>/<name>/<version>"
"""What is allowed as a workflow's ARN where its stage and name are read from it."""


class WorkflowType(str, Enum):
    """The stage that a workflow runs in (API reference, ``WorkflowType``)."""

    BUILD = "BUILD"
    TEST = "TEST"
    DISTRIBUTION = "DISTRIBUTION"

    def __str__(self) -> str:
        return str(self.value)


class OnFailure(str, Enum):
    """What AWS does with the image when a test workflow fails (API reference, ``OnWorkflowFailure``).

    ``CONTINUE`` logs the failure and continues: the image can become AVAILABLE with a failed test. ``ABORT``
    fails the image, as AWS does by default.
    """

    CONTINUE = "CONTINUE"
    ABORT = "ABORT"

    def __str__(self) -> str:
        return str(self.value)


@refuses_unknown_names()
@dataclass(frozen=True)
class Workflow:
    """One workflow of an image: AWS's WorkflowConfiguration.

    It may hold templates and is not checked by itself: :class:`ImageRequest` checks it together with the
    other members.

    :param arn: the workflow's ARN; that of an Amazon-managed workflow has the version ``x.x.x``.
    :param parameters: a list of strings per parameter, of whatever type the workflow document declares it.
    :param parallel_group: for tests only: tests with the same group run at the same time, at most five at
        once. Without it (default) a test runs alone.
    :param on_failure: for tests only: :class:`OnFailure`. Without it (default) a failed test fails the image.
    """

    arn: str
    _: KW_ONLY
    parameters: Mapping[str, Sequence[str]] = field(default_factory=dict, hash=False)
    parallel_group: str | None = None
    on_failure: OnFailure | Literal["CONTINUE", "ABORT"] | None = None

    def __post_init__(self) -> None:
        if isinstance(self.parameters, Mapping):
            copied = {name: _frozen(value) for name, value in self.parameters.items()}
            object.__setattr__(self, "parameters", copied)
        if isinstance(self.on_failure, str) and self.on_failure in OnFailure.__members__:
            object.__setattr__(self, "on_failure", OnFailure(self.on_failure))
        elif is_blank(self.on_failure):
            object.__setattr__(self, "on_failure", None)

    @property
    def type(self) -> WorkflowType:
        """The stage, read from the ARN.

        :raises InvalidRequestError: the ARN has no stage, for example because it is a template.
        """
        return WorkflowType(self._type_and_name("type")[0].upper())

    @property
    def name(self) -> str:
        """The workflow's name, read from the ARN.

        :raises InvalidRequestError: the ARN has no name, for example because it is a template.
        """
        return self._type_and_name("name")[1]

    def to_api(self) -> dict[str, Any]:
        """Return AWS's WorkflowConfiguration, without unset members."""
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
        """Make a workflow of AWS's WorkflowConfiguration, as CreateImage takes it and GetImage returns it.

        :param mapping: AWS's names and values; unknown members are left out, because AWS adds some over time.
        :raises InvalidRequestError: it is not a mapping with a workflowArn.
        """
        if not isinstance(mapping, Mapping) or "workflowArn" not in mapping:
            raise InvalidRequestError(
                [Fault("workflow", mapping, _A_MAPPING, "write its ARN as workflowArn")]
            )
        parameters = mapping.get("parameters") or {}
        if isinstance(parameters, (list, tuple)) and all(map(_is_parameter, parameters)):
            parameters = {item["name"]: item["value"] for item in parameters}
        return cls(
            mapping["workflowArn"],
            parameters=parameters,
            parallel_group=mapping.get("parallelGroup"),
            on_failure=mapping.get("onFailure"),
        )

    def _type_and_name(self, wanted: str) -> tuple[str, str]:
        # Not WorkflowArn.parse: account and region may be templates while type and name are plain.
        type_, name = workflow_type_and_name(self.arn)
        if type_ is None or name is None:
            remedy = f"its {wanted} is read from the ARN: write this part of it plainly, without a template"
            raise InvalidRequestError([Fault("arn", self.arn, ARN_WITH_STAGE, remedy)])
        return type_, name


@refuses_unknown_names()
@dataclass(frozen=True)
class TestGroup:
    """Test workflows that run at the same time, at most five at once: the next begins when one finishes.

    :param name: the parallel group; ``None`` for an ungrouped test, which runs alone.
    :param workflows: its tests, in the order of the request: one at least.
    :raises InvalidRequestError: AWS does not take the name, or an entry is not a :class:`Workflow`.
    """

    __test__: ClassVar[bool] = False  # the name would make pytest collect it

    name: str | None
    workflows: tuple[Workflow, ...]

    if TYPE_CHECKING:

        def __init__(self, name: str | None, workflows: Iterable[Workflow]) -> None: ...

    def __post_init__(self) -> None:
        if isinstance(self.workflows, (list, Iterator)):
            object.__setattr__(self, "workflows", tuple(self.workflows))
        if faults := [*self._name_faults(), *self._workflow_faults()]:
            raise InvalidRequestError(faults, of=f"TestGroup({self.name!r}, ...)")

    def _name_faults(self) -> Iterator[Fault]:
        yield from PARALLEL_GROUP.faults("name", self.name, is_template)
        if self.name is None and isinstance(self.workflows, tuple) and len(self.workflows) > 1:
            remedy = "name the group, or list tests that run alone beside the groups"
            yield Fault("name", None, f"{PARALLEL_GROUP.allowed}; none for a single test", remedy)

    def _workflow_faults(self) -> Iterator[Fault]:
        tests: object = self.workflows
        if not isinstance(tests, tuple):
            yield Fault("workflows", tests, _A_TUPLE, _way_to_a_tuple(tests))
        elif not tests:
            yield Fault("workflows", tests, _A_TUPLE, "leave an empty group out")
        else:
            for number, test in enumerate(tests):
                if not isinstance(test, Workflow):
                    yield not_a_workflow(f"workflows[{number}]", test)


def stage_of(workflow: Workflow) -> WorkflowType | None:
    """Return a workflow's stage; ``None`` where its ARN has none, for example because it is a template."""
    try:
        return workflow.type
    except InvalidRequestError:
        return None


def not_a_workflow(path: str, value: object, allowed: str = "a Workflow") -> Fault:
    """Return the fault of a value that is not a workflow although one belongs there.

    :param path: where the value is, e.g. ``workflows[2]``.
    :param allowed: what is allowed there, in words.
    """
    arn = value.get("workflowArn") if isinstance(value, Mapping) else value
    if value is ...:
        remedy = "the dots are not a workflow: write the workflows that they mean, or take the dots out"
    elif isinstance(value, TestGroup):
        remedy = f"list its workflows, each with parallel_group={value.name!r}"
    elif is_late(value):
        remedy = "write the workflow out: only the account and the region of its ARN may be templates"
    else:
        written = arn if is_like_an_arn(arn) else WorkflowArn.KIND.example()
        remedy = f"write Workflow({written!r})"
    return Fault(path, value, allowed, remedy)


_A_TUPLE = "a tuple of Workflow, one at least"


def _way_to_a_tuple(tests: object) -> str:
    if isinstance(tests, Workflow):
        return f"put it into a tuple, with a comma: (Workflow({tests.arn!r}),)"
    if is_late(tests):
        return "write the tests out, for the graph to show; run_tests chooses among them when the task runs"
    return f"write (Workflow({WorkflowArn.KIND.example()!r}),)"


_A_MAPPING = "AWS's WorkflowConfiguration: a mapping with workflowArn"


def _is_parameter(item: object) -> bool:
    return isinstance(item, Mapping) and {"name", "value"} <= set(item)


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, (list, tuple)) else value


def _listed(parameters: Any) -> Any:
    if not isinstance(parameters, Mapping):
        return parameters
    return [
        {"name": name, "value": list(value) if isinstance(value, tuple) else value}
        for name, value in parameters.items()
    ]
