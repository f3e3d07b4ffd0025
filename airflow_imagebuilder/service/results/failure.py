"""ImageFailure: what failed in an image, from whatever AWS tells of it, and what to do next."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.results.failure_text import describe
from airflow_imagebuilder.service.results.step_error import WAIT_FOR_ACTION, StepError, unframed
from airflow_imagebuilder.service.states import STEP_FAILED, WORKFLOW_FAILED, StepStatus, WorkflowStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_WORKFLOW = re.compile(r":workflow/(?P<type>build|test|distribution)/(?P<name>[^/]+)/")
STAGES = {"BUILD": "BUILDING", "TEST": "TESTING", "DISTRIBUTION": "DISTRIBUTING"}
_TYPES = {**{stage: kind for kind, stage in STAGES.items()}, "INTEGRATING": "DISTRIBUTION"}
# What a reason of an image says where there is no failureContext (AWS user guide, troubleshooting; seen in
# aws-samples/immutable-server-pipeline#12): the execution, the stage, the component.
_EXECUTION = re.compile(r"Workflow Execution ID:?\s*'?(wf-[0-9a-f-]+)", re.IGNORECASE)
_STATE = re.compile(r"\bin state\s*=?\s*'?([A-Z]{6,})|\bduring (building|testing|distributing)\b")
_DOCUMENT = re.compile(r"Document (arn:\S+?:component/\S+) failed")
_STEP = re.compile(r"\bStep '?(\w{3,})'? (?:has )?(?:timed out|failed)")
_FAILING = WORKFLOW_FAILED | {WorkflowStatus.ROLLBACK_IN_PROGRESS}


@dataclass(frozen=True, kw_only=True)
class ImageFailure:
    """What failed in an image. Every member may be missing: AWS tells what it knows.

    :param arn: the image build version ARN.
    :param image_status: the image's status when this was read.
    :param image_type: ``AMI`` or ``DOCKER``.
    :param stage: the image's status when it failed, e.g. ``TESTING``.
    :param workflow: the name of the workflow that failed, with its ARN and execution id.
    :param step: the workflow step that failed, with its execution id.
    :param component: the ARN of the component that failed, with the phase and the step of its document.
    :param action: the action module of the component's step, else the workflow step's action.
    :param message: the most exact message that AWS gives; if a person stopped the workflow, their reason.
    :param details: what else the outputs of the failed step hold, e.g. a state machine's ``executionArn``.
    :param reason: the image's ``state.reason``.
    :param regions: AWS's ``regionFailures`` of a distribution.
    :param log_group: the CloudWatch Logs group, and the stream in it.

    .. seealso:: https://docs.aws.amazon.com/imagebuilder/latest/APIReference/API_ImageFailureContext.html
    """

    arn: str | None = None
    image_status: str | None = None
    image_type: str | None = None
    stage: str | None = None
    workflow: str | None = None
    workflow_arn: str | None = None
    workflow_execution_id: str | None = None
    step: str | None = None
    step_execution_id: str | None = None
    component: str | None = None
    component_phase: str | None = None
    component_step: str | None = None
    action: str | None = None
    message: str | None = None
    reason: str | None = None
    regions: tuple[Mapping[str, Any], ...] = ()
    log_group: str | None = None
    log_stream: str | None = None
    details: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_api(
        cls,
        image: Mapping[str, Any],
        executions: Sequence[Mapping[str, Any]] = (),
        steps: Sequence[Mapping[str, Any]] = (),
    ) -> ImageFailure:
        """Read what failed: from the image's failureContext, else from the failed execution and its step.

        :param image: GetImage's ``image``.
        :param executions: ListWorkflowExecutions' ``workflowExecutions``: all of them.
        :param steps: ListWorkflowStepExecutions' ``steps`` of :func:`failed_execution`.
        """
        context = _context(image)
        named = context.get("workflowExecutionId")
        if named and executions and named not in {item.get("workflowExecutionId") for item in executions}:
            # Whoever asks about executions of which the context does not speak wants to know about these.
            return cls.from_execution(image, _weightiest(image, executions) or {}, steps)
        return _read(image, context, failed_execution(image, executions) or {}, steps)

    @classmethod
    def from_execution(
        cls, image: Mapping[str, Any], execution: Mapping[str, Any], steps: Sequence[Mapping[str, Any]] = ()
    ) -> ImageFailure:
        """Read what failed in one workflow execution, whatever else failed in the image.

        :param image: GetImage's ``image``.
        :param execution: one of ListWorkflowExecutions' ``workflowExecutions``.
        :param steps: ListWorkflowStepExecutions' ``steps`` of this execution.
        """
        context = _context(image)
        own = context.get("workflowExecutionId") == execution.get("workflowExecutionId")
        return _read(image, context if own else {}, execution, steps, alone=not own)

    def describe(self) -> str:
        """Say it in several lines: what failed, where, why, where the log is, what to do."""
        return describe(self)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-safe mapping."""
        regions = [dict(region) for region in self.regions]
        return {**asdict(self), "regions": regions, "details": dict(self.details)}

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any]) -> ImageFailure:
        """Read what :meth:`to_dict` gave, of this or another version."""
        known = {item.name: mapping[item.name] for item in fields(cls) if item.name in mapping}
        regions, details = tuple(known.get("regions") or ()), dict(known.get("details") or {})
        return cls(**{**known, "regions": regions, "details": details})


def failed_execution(
    image: Mapping[str, Any], executions: Iterable[Mapping[str, Any]]
) -> Mapping[str, Any] | None:
    """Return the workflow execution that failed the image.

    It is the one that failureContext names, or the image's reason. Else, of the failed ones of the stage that
    failed: rather one that aborts than one whose failure was let pass, rather a failed than a cancelled one,
    rather a late one.

    :param image: GetImage's ``image``.
    :param executions: ListWorkflowExecutions' ``workflowExecutions``; those that a retry superseded are left
        out.
    """
    context = _context(image)
    stage = _TYPES.get(context.get("imageStatus", ""))
    live = [item for item in executions if not item.get("retried")]
    said = _found(_EXECUTION, (image.get("state") or {}).get("reason"))
    name = context.get("workflowExecutionId") or said or ""
    named = [item for item in live if item.get("workflowExecutionId") == name]
    return named[0] if named else _weightiest(image, live, stage)


def log_location(image: Mapping[str, Any]) -> tuple[str, str]:
    """Return the CloudWatch Logs group and stream of an image's build.

    The group has the image's name with its case, which the ARN has not.

    :param image: GetImage's ``image``; its ``arn`` alone will do where the name is in lower case.

    .. seealso:: https://docs.aws.amazon.com/imagebuilder/latest/userguide/monitor-cwlogs.html
    """
    _, name, *numbers = str(image.get("arn", "image//")).split(":", 5)[-1].split("/")
    own = (image.get("loggingConfiguration") or {}).get("logGroupName")
    return own or f"/aws/imagebuilder/{image.get('name') or name}", "/".join(numbers)


def _read(
    image: Mapping[str, Any],
    context: Mapping[str, Any],
    execution: Mapping[str, Any],
    steps: Sequence[Mapping[str, Any]],
    *,
    alone: bool = False,
) -> ImageFailure:
    component = context.get("componentFailure") or {}
    distribution = context.get("distributionFailure") or {}
    step = _failed_step(context, steps)
    reason = None if alone else (image.get("state") or {}).get("reason")
    arn = context.get("workflowArn") or execution.get("workflowBuildVersionArn")
    group, stream = log_location(image)
    error = StepError.from_api(step)
    if error.message is None:
        # The reason of a STOP may stand with the image alone; what stands with the execution may be JSON too.
        waits = step.get("action") == WAIT_FOR_ACTION
        other = execution.get("message") or (unframed(reason or "") if waits else None)
        error = StepError.from_api({**step, "message": other})
    own = (component.get("errorMessage"), distribution.get("errorMessage"), error.message, reason)
    message = next(filter(None, own), None)
    said = "\n".join(filter(None, (message, reason)))
    return ImageFailure(
        arn=image.get("arn"),
        image_status=(image.get("state") or {}).get("status"),
        image_type=image.get("type"),
        stage=context.get("imageStatus") or STAGES.get(execution.get("type", "")) or _stage_in(said),
        workflow=type_and_name({"workflowArn": arn})[1],
        workflow_arn=arn,
        workflow_execution_id=context.get("workflowExecutionId") or execution.get("workflowExecutionId"),
        step=context.get("failedStep") or step.get("name") or _found(_STEP, said),
        step_execution_id=context.get("stepExecutionId") or step.get("stepExecutionId"),
        component=component.get("componentArn") or _found(_DOCUMENT, said),
        component_phase=component.get("phaseName"),
        component_step=component.get("stepName"),
        action=component.get("action") or step.get("action"),
        message=message,
        reason=reason,
        regions=tuple(dict(region) for region in distribution.get("regionFailures") or ()),
        log_group=group,
        log_stream=stream,
        details=error.details,
    )


def _weightiest(
    image: Mapping[str, Any], executions: Iterable[Mapping[str, Any]], stage: str | None = None
) -> Mapping[str, Any] | None:
    failed = [
        item for item in executions if item.get("status") in _FAILING and stage in (None, item.get("type"))
    ]
    let_pass = {
        type_and_name(item) for item in image.get("workflows") or () if item.get("onFailure") == "CONTINUE"
    }

    def weight(item: Mapping[str, Any]) -> tuple[bool, bool, str]:
        cancelled = item.get("status") == WorkflowStatus.CANCELLED
        return (
            type_and_name(item) not in let_pass,
            not cancelled,
            item.get("endTime") or item.get("startTime") or "",
        )

    return max(failed, key=weight, default=None)


def _context(image: Mapping[str, Any]) -> Mapping[str, Any]:
    return (image.get("state") or {}).get("failureContext") or {}


def _failed_step(context: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    for member, key in (("stepExecutionId", "stepExecutionId"), ("failedStep", "name")):
        if wanted := context.get(member):
            return next((step for step in steps if step.get(key) == wanted), {})
    # An earlier one may have failed and been let pass; after the one that counts nothing ran.
    failed = [step for step in steps if step.get("status") in STEP_FAILED]
    return max(reversed(failed), key=_moment, default={})


def _moment(step: Mapping[str, Any]) -> tuple[bool, str]:
    # After the failure AWS may cancel what was pending: a failed step outweighs a cancelled one.
    return step.get("status") != StepStatus.CANCELLED, step.get("endTime") or step.get("startTime") or ""


def _found(pattern: re.Pattern[str], text: str | None) -> str | None:
    found = pattern.search(text or "")
    return found[1] if found else None


def _stage_in(text: str) -> str | None:
    found = _STATE.search(text)
    return (found[1] or found[2]).upper() if found else None


def type_and_name(item: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Read type and name of a workflow from its configuration or one of its executions.

    An execution names the build version, and the request may have said x.x.x: these two are the same.
    """
    found = _WORKFLOW.search(item.get("workflowBuildVersionArn") or item.get("workflowArn") or "")
    return (found["type"], found["name"]) if found else (None, None)
