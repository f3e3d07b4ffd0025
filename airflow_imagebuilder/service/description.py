"""How a failure reads at three in the morning: its lines, the way to its log, and what to do next.

The advice is the first that fits, after what Image Builder's user guide says of each kind of failure.
"""

from __future__ import annotations

import re
from shlex import quote
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_imagebuilder.service.failure import ImageFailure

_SHOWN = 4000
_RETRIED = frozenset({"TESTING", "DISTRIBUTING"})


def describe(failure: ImageFailure) -> str:
    """Tell a failure in several lines, each with its label."""
    inner = failure.component is not None
    phase = {"phase": failure.component_phase, "step": failure.component_step, "action": failure.action}
    lines = [
        ("stage", failure.stage),
        ("workflow", _with(failure.workflow, failure.workflow_arn, failure.workflow_execution_id)),
        ("step", _with(failure.step, None if inner else failure.action, failure.step_execution_id)),
        ("component", failure.component),
        ("", ", ".join(f"{name} {part}" for name, part in phase.items() if part) if inner else None),
        ("message", failure.message),
        ("reason", None if failure.reason and failure.reason in (failure.message or "") else failure.reason),
        *(("region", _region(region)) for region in failure.regions),
        ("log", failure.log_group and f"CloudWatch group {failure.log_group}, stream {failure.log_stream}"),
        ("", log_command(failure)),
        ("what to do", advice(failure)),
    ]
    return "\n".join(_line(label, _printable(text)) for label, text in lines if text)


def log_command(failure: ImageFailure) -> str | None:
    """Return the command that reads the image's log."""
    region = (failure.arn or "").split(":")[3:4]
    if not region or not failure.log_group or not failure.log_stream:
        return None
    group, stream = quote(failure.log_group), quote(failure.log_stream)
    return (
        f"aws logs get-log-events --region {region[0]} --log-group-name {group} --log-stream-name {stream} "
        "--query 'events[].message' --output text"
    )


def advice(failure: ImageFailure) -> str:
    """Tell what to look at, and how the image can go on."""
    told = f"{failure.message or ''} {failure.reason or ''}"
    cause = next(text for applies, text in _CAUSES if applies(failure, told))
    return "\n".join(filter(None, (cause, _next_step(failure))))


def _next_step(failure: ImageFailure) -> str | None:
    if failure.image_status not in (None, "FAILED", "CANCELLED"):
        return None  # the image goes on, or is AVAILABLE in spite of a failed test
    if failure.stage in _RETRIED and failure.image_type != "DOCKER":
        return "Then RetryImage goes on with this image from the failed phase, without building it again."
    return "Then build a new image: RetryImage repeats the test and distribution phases of AMI images only."


def _says(pattern: str) -> Callable[[ImageFailure, str], bool]:
    return lambda _, told: re.search(pattern, told) is not None


_CAUSES: tuple[tuple[Callable[[ImageFailure, str], bool], str], ...] = (
    (
        lambda failure, _: failure.image_status == "CANCELLED",
        """The image was cancelled, so nothing need be wrong here: the log of the task that guards the image
(in a task group: image) tells whether it was killed; else somebody called CancelImageCreation.""",
    ),
    (
        _says(r"InvalidInstanceId|not in a valid state"),
        """The instance did not reach Systems Manager: check the subnet's route or VPC endpoints (ssm,
ssmmessages, ec2messages), the security group, and AmazonSSMManagedInstanceCore in the instance profile.""",
    ),
    (
        _says(r"ssm:PutParameter"),
        """The SSM parameter could not be written: the service-linked role writes below /imagebuilder/ only.
Rename the parameter, or give an execution role that may write it.""",
    ),
    (
        lambda failure, _: bool(failure.regions) or failure.stage in {"DISTRIBUTING", "INTEGRATING"},
        """The image is built, its AMI may exist already. Check the distribution configuration, and the rights
of the execution role and, in other accounts, of EC2ImageBuilderDistributionCrossAccountRole.""",
    ),
    (
        _says(r"RunInstances|InsufficientInstanceCapacity"),
        """The instance did not start: check instance types, subnet and instance profile of the
infrastructure configuration, and the EC2 quotas.""",
    ),
    (
        lambda failure, told: bool(failure.component) or ":component/" in told,
        """The component's own output is in the log: search it for Stderr and ExitCode. To look around on
the instance, set terminateInstanceOnFailure to false in the infrastructure configuration.""",
    ),
    (
        lambda failure, _: bool(failure.workflow or failure.step),
        "Read the log from the first error on; it has the output of every step.",
    ),
    (
        lambda *_: True,
        """AWS names no workflow, so it failed before one began: check that the recipe's parent image still
exists, and the infrastructure configuration. There may be no log.""",
    ),
)


def _region(failure: Mapping[str, Any]) -> str:
    account = f" account {failure['targetAccountId']}" if failure.get("targetAccountId") else ""
    at = f" in {failure['imageConfigurationStep']}" if failure.get("imageConfigurationStep") else ""
    head = f"{failure.get('region')}{account}: {failure.get('status', 'FAILED')}{at}"
    return f"{head}: {failure['errorMessage']}" if failure.get("errorMessage") else head


def _with(name: str | None, *more: str | None) -> str | None:
    known = ", ".join(filter(None, more))
    return f"{name} ({known})" if name and known else name or known


def _line(label: str, text: str) -> str:
    return f"  {label:<12}" + text.replace("\n", "\n" + " " * 14)


def _printable(text: str) -> str:
    """Cut a long text, and take out what would move a terminal: AWS calls these messages untrusted."""
    clean = "".join(c if c.isprintable() or c in "\n\t" else "?" for c in text[:_SHOWN].strip())
    return clean if len(text) <= _SHOWN else f"{clean}... ({len(text)} characters, the log has them all)"
