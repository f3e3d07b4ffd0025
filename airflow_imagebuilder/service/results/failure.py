"""ImageFailure: what failed in an image, as far as AWS reports it, and what to do next."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.arns.grammar import path_of, workflow_type_and_name
from airflow_imagebuilder.service.results.cause import failed_execution, failure_context, likeliest
from airflow_imagebuilder.service.results.failure_record import (
    FailedComponent,
    FailedStep,
    FailedWorkflow,
    FailureRecord,
    LogLocation,
)
from airflow_imagebuilder.service.results.failure_text import describe
from airflow_imagebuilder.service.results.states import STEP_FAILED, StepStatus
from airflow_imagebuilder.service.results.step_error import WAIT_FOR_ACTION, StepError, unframed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

STAGES = {"BUILD": "BUILDING", "TEST": "TESTING", "DISTRIBUTION": "DISTRIBUTING"}
"""The image's status while a workflow of each type runs."""

# What the reason of an image names where there is no failureContext (AWS user guide, troubleshooting; seen in
# aws-samples/immutable-server-pipeline#12): the stage, the component, the step.
_STATE = re.compile(r"\bin state\s*=?\s*'?([A-Z]{6,})|\bduring (building|testing|distributing)\b")
_DOCUMENT = re.compile(r"Document (arn:\S+?:component/\S+) failed")
_STEP = re.compile(r"\bStep '?(\w{3,})'? (?:has )?(?:timed out|failed)")


class ImageFailure(FailureRecord):
    """What failed in an image, read from AWS's answers; its members are those of :class:`FailureRecord`."""

    @classmethod
    def from_api(
        cls,
        image: Mapping[str, Any],
        executions: Sequence[Mapping[str, Any]] = (),
        steps: Sequence[Mapping[str, Any]] = (),
    ) -> ImageFailure:
        """Read the failure from the image's failureContext, otherwise from the failed execution and its step.

        :param image: GetImage's ``image``.
        :param executions: ListWorkflowExecutions' ``workflowExecutions``: all of them.
        :param steps: ListWorkflowStepExecutions' ``steps`` of :func:`failed_execution`.
        """
        context = failure_context(image)
        named = context.get("workflowExecutionId")
        if named and executions and named not in {item.get("workflowExecutionId") for item in executions}:
            # The caller asks about executions that the context does not name, so the context is left out.
            return cls.from_execution(image, likeliest(image, executions) or {}, steps)
        return _read(image, context, failed_execution(image, executions) or {}, steps)

    @classmethod
    def from_execution(
        cls, image: Mapping[str, Any], execution: Mapping[str, Any], steps: Sequence[Mapping[str, Any]] = ()
    ) -> ImageFailure:
        """Read the failure of one workflow execution, even if another one failed the image.

        :param image: GetImage's ``image``.
        :param execution: one of ListWorkflowExecutions' ``workflowExecutions``.
        :param steps: ListWorkflowStepExecutions' ``steps`` of this execution.
        """
        context = failure_context(image)
        own = context.get("workflowExecutionId") == execution.get("workflowExecutionId")
        return _read(image, context if own else {}, execution, steps, reason_applies=own)

    def describe(self) -> str:
        """Return several lines: what failed, where, why, where the log is, what to do."""
        return describe(self)


def log_location(image: Mapping[str, Any]) -> tuple[str, str]:
    """Return the CloudWatch Logs group and stream of an image's build.

    The group contains the image's name in its original case. An ARN has the name in lower case.

    :param image: GetImage's ``image``; its ``arn`` alone is enough where the name is in lower case.

    .. seealso:: https://docs.aws.amazon.com/imagebuilder/latest/userguide/monitor-cwlogs.html
    """
    name, *numbers = path_of(str(image.get("arn", "")), "image") or ("",)
    own = (image.get("loggingConfiguration") or {}).get("logGroupName")
    return own or f"/aws/imagebuilder/{image.get('name') or name}", "/".join(numbers)


def _read(
    image: Mapping[str, Any],
    context: Mapping[str, Any],
    execution: Mapping[str, Any],
    steps: Sequence[Mapping[str, Any]],
    *,
    reason_applies: bool = True,
) -> ImageFailure:
    state = image.get("state") or {}
    reason = state.get("reason") if reason_applies else None
    step = _failed_step(context, steps)
    component, distribution = (context.get(f"{part}Failure") or {} for part in ("component", "distribution"))
    error = _error_of_step(step, execution, reason)
    messages = (component.get("errorMessage"), distribution.get("errorMessage"), error.message, reason)
    message = next(filter(None, messages), None)
    text = "\n".join(filter(None, (message, reason)))
    group, stream = log_location(image)
    return ImageFailure(
        arn=image.get("arn"),
        image_status=state.get("status"),
        image_type=image.get("type"),
        stage=context.get("imageStatus") or STAGES.get(execution.get("type", "")) or _stage_in(text),
        workflow=_workflow(context, execution),
        step=FailedStep(
            name=context.get("failedStep") or step.get("name") or _found(_STEP, text),
            action=step.get("action"),
            execution_id=context.get("stepExecutionId") or step.get("stepExecutionId"),
        ),
        component=FailedComponent(
            arn=component.get("componentArn") or _found(_DOCUMENT, text),
            phase=component.get("phaseName"),
            step=component.get("stepName"),
            action=component.get("action"),
        ),
        message=message,
        reason=reason,
        regions=tuple(dict(region) for region in distribution.get("regionFailures") or ()),
        log=LogLocation(group=group, stream=stream),
        details=error.details,
    )


def _workflow(context: Mapping[str, Any], execution: Mapping[str, Any]) -> FailedWorkflow:
    arn = context.get("workflowArn") or execution.get("workflowBuildVersionArn")
    return FailedWorkflow(
        name=workflow_type_and_name(arn or "")[1],
        arn=arn,
        execution_id=context.get("workflowExecutionId") or execution.get("workflowExecutionId"),
    )


def _failed_step(context: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    for member, key in (("stepExecutionId", "stepExecutionId"), ("failedStep", "name")):
        if wanted := context.get(member):
            return next((step for step in steps if step.get(key) == wanted), {})
    # The workflow may have continued after an earlier failure; nothing ran after the one that counts.
    failed = [step for step in steps if step.get("status") in STEP_FAILED]
    return max(reversed(failed), key=_moment, default={})


def _moment(step: Mapping[str, Any]) -> tuple[bool, str]:
    # After the failure AWS may cancel what was pending: a failed step outweighs a cancelled one.
    return step.get("status") != StepStatus.CANCELLED, step.get("endTime") or step.get("startTime") or ""


def _error_of_step(step: Mapping[str, Any], execution: Mapping[str, Any], reason: str | None) -> StepError:
    error = StepError.from_api(step)
    if error.message is not None:
        return error
    # The image's reason alone may hold the reason of a STOP; the execution's message may be JSON too.
    waits = step.get("action") == WAIT_FOR_ACTION
    message = execution.get("message") or (unframed(reason or "") if waits else None)
    return StepError.from_api({**step, "message": message})


def _found(pattern: re.Pattern[str], text: str) -> str | None:
    found = pattern.search(text)
    return found[1] if found else None


def _stage_in(text: str) -> str | None:
    found = _STATE.search(text)
    return (found[1] or found[2]).upper() if found else None
