"""What to do about a failure: the cause that its message had before, and how to continue in Airflow."""

from __future__ import annotations

import re
from shlex import quote
from typing import TYPE_CHECKING

from airflow_imagebuilder.service.results.advice.distribution import DISTRIBUTION
from airflow_imagebuilder.service.results.advice.instance import LAUNCH, LIMITS, THROTTLED
from airflow_imagebuilder.service.results.advice.permissions import RIGHTS
from airflow_imagebuilder.service.results.advice.reason import LOG, Mark, Reason
from airflow_imagebuilder.service.results.advice.steps import ANSWERS, COMMANDS, COMPONENTS, OTHERS
from airflow_imagebuilder.service.results.advice.systems_manager import SYSTEMS_MANAGER
from airflow_imagebuilder.service.text import CLEAR, MAY_CONTINUE

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_imagebuilder.service.results.failure_record import FailureRecord

REASONS: tuple[Reason, ...] = (
    *ANSWERS,
    *DISTRIBUTION,
    *THROTTLED,
    *RIGHTS,
    *LIMITS,
    *LAUNCH,
    *COMPONENTS,
    *SYSTEMS_MANAGER,
    *COMMANDS,
    *OTHERS,
)
"""Every known reason. The first that fits is taken, so the narrow ones stand before the wide ones."""

_RETRIED = frozenset({"TESTING", "DISTRIBUTING"})
_SEARCHED = 2000
_RESOURCES = re.compile(r"arn:aws[\w-]*:imagebuilder:\S+")  # the name of a component is no reason
_SENTENCES = re.compile(r"(?<=[\w)/]\.) (?=[A-Z])")


def advice(failure: FailureRecord, *, repairable: bool = True) -> str:
    """Say what was the cause, what to check, and how to continue: a sentence a line.

    :param repairable: whether RetryImage may still continue the image; if not, no next step is named.
    """
    said = _everything(failure)
    lines = [*_SENTENCES.split(_cause(failure, said)), _execution(failure), _encoded(said)]
    if repairable:
        lines.append(_next_step(failure))
    return "\n".join(filter(None, lines))


def find(failure: FailureRecord) -> Reason | None:
    """Return the first known reason that fits."""
    where = _where(failure)
    for text in (_own(failure), _everything(failure)):  # of many regions, the message speaks of the first
        said = _RESOURCES.sub("", " ".join(text.split()))
        if found := next((reason for reason in REASONS if reason.fits(said, where)), None):
            return found
    return None


def _cause(failure: FailureRecord, said: str) -> str:
    if failure.image_status == "CANCELLED" or failure.was_stopped:
        return _CANCELLED if failure.image_status == "CANCELLED" else _DECIDED
    if reason := find(failure):
        guess = " (This cause is a guess: AWS does not document it.)" if reason.mark is Mark.GUESSED else ""
        return f"{reason.cause} {reason.advice}{guess}"
    return next(text for applies, text in _KINDS if applies(failure, said))


def _next_step(failure: FailureRecord) -> str | None:
    if failure.image_status not in (None, "FAILED", "CANCELLED"):
        return None  # the image is in progress, or AVAILABLE in spite of a failed test
    if failure.image_type == "DOCKER" or failure.stage not in {*_RETRIED, None}:
        return f"Then {CLEAR}: that builds a new image.\n{_NO_RETRY}"
    if failure.stage is None:
        return f"Then {CLEAR}: {MAY_CONTINUE}"
    return (
        f"Then {CLEAR}.\n"
        f"The new try calls RetryImage, which continues this image in {failure.stage} without a new build."
    )


def _execution(failure: FailureRecord) -> str | None:
    """Return the command that shows the execution of a state machine."""
    for name, arn in failure.details.items():
        if name.rsplit(".", 1)[-1] == "executionArn" and arn.startswith("arn:"):
            return f"aws stepfunctions describe-execution --execution-arn {quote(arn)}"
    return None


def _encoded(said: str) -> str | None:
    if not re.search("encoded authorization", said, re.IGNORECASE):
        return None
    return (
        "The encoded part of the message names the action, the resource and the policy:\n"
        "aws sts decode-authorization-message --encoded-message TEXT"
    )


def _everything(failure: FailureRecord) -> str:
    regions = (f"{r.get('imageConfigurationStep', '')} {r.get('errorMessage', '')}" for r in failure.regions)
    return "\n".join([_own(failure), *map(_ends, regions)])[: 5 * _SEARCHED]


def _own(failure: FailureRecord) -> str:
    parts = (failure.message, failure.reason, *failure.details.values())
    return "\n".join(_ends(part) for part in parts if part)[: 4 * _SEARCHED]


def _ends(text: str) -> str:
    """Return the beginning and the end of a text: one of them says why."""
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
    "The image was cancelled, so nothing need be wrong here. The log of the task that guards the image (in a "
    "task group: image) says whether it was killed. If it was not, AWS CloudTrail shows who called "
    "CancelImageCreation."
)
_DECIDED = (
    "This is a decision, not a fault: a person, or a program of theirs, answered the step with STOP "
    "(SendWorkflowStepAction; AWS CloudTrail shows who). Settle the reason with them first."
)
_SENDING = (
    "The image is built, its AMI may exist already. Check the distribution configuration, and the rights "
    "of the "
    "execution role and, in other accounts, of EC2ImageBuilderDistributionCrossAccountRole."
)
_READ = "Read the log from the first error on; it has the output of every step."
_LOOK_AROUND = (
    "To look around on the instance, set terminateInstanceOnFailure to false in the infrastructure "
    "configuration."
)
_IN_A_STAGE = (
    "AWS names neither workflow nor step. Read the log, if there is one, from the first error on, and "
    "check the "
    "infrastructure configuration."
)
_BEFORE = (
    "AWS names no workflow, so it failed before one began: check that the recipe's parent image still "
    "exists, and "
    "the infrastructure configuration. There may be no log."
)
_NO_RETRY = "(RetryImage cannot continue this one: it repeats the test and distribution phases of AMIs only.)"

_KINDS: tuple[tuple[Callable[[FailureRecord, str], bool], str], ...] = (
    (lambda failure, _: bool(failure.regions) or failure.stage in {"DISTRIBUTING", "INTEGRATING"}, _SENDING),
    (lambda failure, said: bool(failure.component.arn) or ":component/" in said, f"{LOG} {_LOOK_AROUND}"),
    (lambda failure, _: bool(failure.workflow.name or failure.step.name), _READ),
    (lambda failure, _: failure.stage is not None, _IN_A_STAGE),
    (lambda *_: True, _BEFORE),
)
"""What is said of a failure whose reason is not known: by the place where it failed."""
