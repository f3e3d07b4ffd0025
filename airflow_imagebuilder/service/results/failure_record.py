"""FailureRecord: the facts about a failed image, nested as AWS nests them and stored in an XCom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.results.step_error import STOPPED

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass(frozen=True, kw_only=True)
class FailedWorkflow:
    """The workflow execution that failed.

    :param name: the workflow's name.
    :param arn: the workflow build version ARN.
    :param execution_id: the id of the execution, ``wf-...``.
    """

    name: str | None = None
    arn: str | None = None
    execution_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class FailedStep:
    """The workflow step that failed.

    :param name: the step's name in the workflow document.
    :param action: its step action, e.g. ``ExecuteComponents``.
    :param execution_id: the id of the step execution, ``step-...``.
    """

    name: str | None = None
    action: str | None = None
    execution_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class FailedComponent:
    """The component that failed, and the place in its document.

    :param arn: the component build version ARN.
    :param phase: the phase of the document, e.g. ``build``.
    :param step: the step of that phase.
    :param action: the action module of that step, e.g. ``ExecuteBash``.
    """

    arn: str | None = None
    phase: str | None = None
    step: str | None = None
    action: str | None = None


@dataclass(frozen=True, kw_only=True)
class LogLocation:
    """The CloudWatch Logs group and stream of an image's build."""

    group: str | None = None
    stream: str | None = None


@dataclass(frozen=True, kw_only=True)
class FailureRecord:
    """What failed in an image. Every member may be missing: AWS does not always report all of them.

    :param arn: the image build version ARN.
    :param image_status: the image's status when AWS was asked.
    :param image_type: ``AMI`` or ``DOCKER``.
    :param stage: the image's status when it failed, e.g. ``TESTING``.
    :param workflow: the workflow that failed.
    :param step: the step of the workflow that failed.
    :param component: the component that failed in this step.
    :param message: the most exact message that AWS gives; if a person stopped the workflow, their reason.
    :param reason: the image's ``state.reason``.
    :param regions: AWS's ``regionFailures`` of a distribution.
    :param log: where the log of the build is.
    :param details: other outputs of the failed step, e.g. a state machine's ``executionArn``.

    .. seealso:: https://docs.aws.amazon.com/imagebuilder/latest/APIReference/API_ImageFailureContext.html
    """

    arn: str | None = None
    image_status: str | None = None
    image_type: str | None = None
    stage: str | None = None
    workflow: FailedWorkflow = FailedWorkflow()
    step: FailedStep = FailedStep()
    component: FailedComponent = FailedComponent()
    message: str | None = None
    reason: str | None = None
    regions: tuple[Mapping[str, Any], ...] = ()
    log: LogLocation = LogLocation()
    details: Mapping[str, str] = field(default_factory=dict)

    @property
    def action(self) -> str | None:
        """The action that failed: the component's, otherwise the workflow step's."""
        return self.component.action or self.step.action

    @property
    def was_stopped(self) -> bool:
        """Whether a person stopped the workflow at WaitForAction: a decision, not a fault."""
        return (self.message or "").startswith(STOPPED)

    def to_dict(self) -> dict[str, Any]:
        """Return the record as a JSON-safe mapping, nested in the same way."""
        regions = [dict(region) for region in self.regions]
        return {**asdict(self), "regions": regions, "details": dict(self.details)}

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any]) -> Self:
        """Read the result of :meth:`to_dict`, of this or another version; unknown members are ignored."""
        known = known_members(cls, mapping)
        for name, part in _PARTS.items():
            stored = known.get(name)
            known[name] = part(**known_members(part, stored if isinstance(stored, Mapping) else {}))
        known["regions"] = tuple(known.get("regions") or ())
        known["details"] = dict(known.get("details") or {})
        return cls(**known)


_PARTS: dict[str, Any] = {
    "workflow": FailedWorkflow,
    "step": FailedStep,
    "component": FailedComponent,
    "log": LogLocation,
}


def known_members(kind: Any, mapping: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members of a stored record that its dataclass has.

    :param kind: the dataclass.
    :param mapping: the stored record, which a later version may have written.
    """
    return {item.name: mapping[item.name] for item in fields(kind) if item.name in mapping}
