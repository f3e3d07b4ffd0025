"""The advice on a failure: its known cause, what to check, and how to continue in Airflow."""

from __future__ import annotations

import re
from shlex import quote
from typing import TYPE_CHECKING

from airflow_imagebuilder import aws_model
from airflow_imagebuilder.service.results.advice.distribution import DISTRIBUTION
from airflow_imagebuilder.service.results.advice.instance import LAUNCH, LIMITS, THROTTLED
from airflow_imagebuilder.service.results.advice.permissions import PERMISSIONS
from airflow_imagebuilder.service.results.advice.reason import LOG, Mark, Reason
from airflow_imagebuilder.service.results.advice.steps import COMMANDS, COMPONENTS, OTHERS, WAITING_STEPS
from airflow_imagebuilder.service.results.advice.systems_manager import SYSTEMS_MANAGER
from airflow_imagebuilder.service.text import CLEAR, NEW_IMAGE, what_continues

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_imagebuilder.service.results.failure_record import FailureRecord

REASONS: tuple[Reason, ...] = (
    *WAITING_STEPS,
    *DISTRIBUTION,
    *THROTTLED,
    *PERMISSIONS,
    *LIMITS,
    *LAUNCH,
    *COMPONENTS,
    *SYSTEMS_MANAGER,
    *COMMANDS,
    *OTHERS,
)
"""Every known reason. The first one that fits is used, so a narrow reason is listed before a wide one."""

_RETRIED = frozenset({"TESTING", "DISTRIBUTING"})
_SEARCHED = 2000
_RESOURCES = re.compile(r"arn:aws[\w-]*:imagebuilder:\S+")  # the name of a component is not a reason
_SENTENCES = re.compile(r"(?<=[\w)/]\.) (?=[A-Z])")


def advice(failure: FailureRecord, *, repairable: bool = True) -> str:
    """Return the cause, what to check, and how to continue: one sentence per line.

    :param failure: what failed.
    :param repairable: whether RetryImage may still continue the image (the default); if not, the text
        names no next step.
    """
    text = _whole_text(failure)
    lines = [*_SENTENCES.split(_cause(failure, text)), _execution_command(failure), _decode_command(text)]
    if repairable:
        lines.append(_next_step(failure))
    return "\n".join(filter(None, lines))


def find(failure: FailureRecord) -> Reason | None:
    """Return the first known reason that fits a failure; ``None`` if none fits."""
    where = _where(failure)
    # The message names the first of many regions, so it is searched before the other regions.
    for text in (_main_text(failure), _whole_text(failure)):
        message = _RESOURCES.sub("", " ".join(text.split()))
        if found := next((reason for reason in REASONS if reason.fits(message, where)), None):
            return found
    return None


def _cause(failure: FailureRecord, text: str) -> str:
    if failure.image_status == "CANCELLED" or failure.was_stopped:
        return _CANCELLED if failure.image_status == "CANCELLED" else _DECIDED
    if reason := find(failure):
        guess = " (This cause is a guess: AWS does not document it.)" if reason.mark is Mark.GUESSED else ""
        return f"{reason.cause} {reason.advice}{guess}"
    advice = next(advice for applies, advice in _BY_PLACE if applies(failure, text))
    if advice is _BEFORE and not aws_model.has_failure_context():
        return f"{aws_model.lack(aws_model.FAILURE_CONTEXT)}. {_ANYWHERE}"
    return advice


def _next_step(failure: FailureRecord) -> str | None:
    if failure.image_status not in (None, "FAILED", "CANCELLED"):
        return None  # the image is in progress, or AVAILABLE in spite of a failed test
    if failure.image_type == "DOCKER" or failure.stage not in {*_RETRIED, None}:
        return f"Then {CLEAR}: {NEW_IMAGE}\n{_NO_RETRY}"
    if failure.stage is None or not aws_model.has_retry_image():
        return f"Then {CLEAR}: {what_continues()}"
    return (
        f"Then {CLEAR}.\n"
        f"The new try calls RetryImage, which continues this image in {failure.stage} without a new build."
    )


def _execution_command(failure: FailureRecord) -> str | None:
    """Return the command that shows the execution of a state machine."""
    for name, arn in failure.details.items():
        if name.rsplit(".", 1)[-1] == "executionArn" and arn.startswith("arn:"):
            return f"aws stepfunctions describe-execution --execution-arn {quote(arn)}"
    return None


def _decode_command(text: str) -> str | None:
    if not re.search("encoded authorization", text, re.IGNORECASE):
        return None
    return (
        "The encoded part of the message names the action, the resource and the policy:\n"
        "aws sts decode-authorization-message --encoded-message TEXT"
    )


def _whole_text(failure: FailureRecord) -> str:
    regions = (f"{r.get('imageConfigurationStep', '')} {r.get('errorMessage', '')}" for r in failure.regions)
    return "\n".join([_main_text(failure), *map(_both_ends, regions)])[: 5 * _SEARCHED]


def _main_text(failure: FailureRecord) -> str:
    parts = (failure.message, failure.reason, *failure.details.values())
    return "\n".join(_both_ends(part) for part in parts if part)[: 4 * _SEARCHED]


def _both_ends(text: str) -> str:
    """Return the beginning and the end of a text: one of them holds the reason."""
    return text if len(text) <= 2 * _SEARCHED else f"{text[:_SEARCHED]}\n{text[-_SEARCHED:]}"


def _where(failure: FailureRecord) -> str:
    parts = {
        "stage": failure.stage,
        "step": failure.step.name,
        "action": failure.action,
        "component": failure.component.arn,
        "type": failure.image_type,
    }
    return " ".join(f"{name}={part}" for name, part in parts.items() if part)


_CANCELLED = (
    "The image was cancelled, so there may be no fault. The log of the task that waits for the image (in a "
    "task group: image) shows whether it was killed. If it was not, AWS CloudTrail shows who called "
    "CancelImageCreation."
)
_DECIDED = (
    "This is a decision, not a fault: a person, or a program of theirs, answered the step with STOP "
    "(SendWorkflowStepAction; AWS CloudTrail shows who). Settle the reason with them first."
)
_DISTRIBUTION_ADVICE = (
    "The image is built, its AMI may exist already. Check the distribution configuration, and the "
    "permissions of the execution role and, in other accounts, of "
    "EC2ImageBuilderDistributionCrossAccountRole."
)
_READ = "Read the log from the first error on; it has the output of every step."
_INSPECT = (
    "To inspect the instance, set terminateInstanceOnFailure to false in the infrastructure configuration."
)
_IN_A_STAGE = (
    "AWS names neither workflow nor step. Read the log, if there is one, from the first error on, and "
    "check the infrastructure configuration."
)
_BEFORE = (
    "AWS names no workflow, so it failed before one began: check that the recipe's parent image still "
    "exists, and the infrastructure configuration. There may be no log."
)
_ANYWHERE = (
    "Without it, the place of the failure is not known. If the tests ended well, check the distribution "
    "configuration and the permissions of the execution role. If no workflow began, check that the recipe's "
    "parent image still exists, and the infrastructure configuration."
)
_NO_RETRY = "(RetryImage cannot continue this one: it repeats the test and distribution phases of AMIs only.)"

_BY_PLACE: tuple[tuple[Callable[[FailureRecord, str], bool], str], ...] = (
    (
        lambda failure, _: bool(failure.regions) or failure.stage in {"DISTRIBUTING", "INTEGRATING"},
        _DISTRIBUTION_ADVICE,
    ),
    (lambda failure, text: bool(failure.component.arn) or ":component/" in text, f"{LOG} {_INSPECT}"),
    (lambda failure, _: bool(failure.workflow.name or failure.step.name), _READ),
    (lambda failure, _: failure.stage is not None, _IN_A_STAGE),
    (lambda *_: True, _BEFORE),
)
"""The advice on a failure whose reason is not known, by the place where it failed."""
