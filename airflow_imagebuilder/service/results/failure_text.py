"""The text of a failure: its first line, all its lines, and the command that reads its log."""

from __future__ import annotations

import re
from dataclasses import replace
from shlex import quote
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.arns.grammar import name_and_version, region_in
from airflow_imagebuilder.service.results.step_error import unframed
from airflow_imagebuilder.service.text import cut_and_clean, image_name, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_imagebuilder.service.results.failure_record import FailureRecord

_SHOWN, _SHOWN_EACH, _REGIONS = 4000, 1000, 20
_HEAD, _NAME = 200, 80
_DOCUMENT = re.compile(r"^Document arn:\S+ failed!?$")


def failure_message(
    failure: FailureRecord, arn: str, *, head: str | None = None, repairable: bool = True
) -> str:
    """Return the message of an error: the headline, and the description below it.

    :param failure: what failed.
    :param arn: the image build version ARN, for a failure that has none.
    :param head: the beginning of the headline; the image by default.
    :param repairable: see :func:`describe`.
    """
    known = failure if failure.arn else replace(failure, arn=arn)
    return f"{headline(known, head)}\n{describe(known, repairable=repairable)}"


def headline(failure: FailureRecord, head: str | None = None) -> str:
    """Return one line: what failed, where and why, as far as AWS reports it.

    :param failure: what failed.
    :param head: the beginning of the line; the image by default.
    """
    verb = "was stopped" if failure.was_stopped else "failed"
    head = head or f"Image {image_name(failure.arn or '(unknown)')} {verb}"
    if failure.stage:
        head = f"{head} in {one_line(failure.stage, _NAME)}"
    component = component_line(failure)
    named = {
        "workflow": None if head.startswith("Workflow ") else failure.workflow.name,
        "step": failure.step.name,
        "component": component,
    }
    where = ", ".join(f"{label} {one_line(name, _NAME)}" for label, name in named.items() if name)
    why = _why(failure)
    if component and _DOCUMENT.match(why):
        why = "its log says why"
    return ": ".join(part for part in (head, where, why) if part)


def describe(failure: FailureRecord, *, repairable: bool = True) -> str:
    """Return what failed in several lines, each with its label.

    :param failure: what failed.
    :param repairable: whether RetryImage may still continue the image (the default); if not, the text
        names no next step.
    """
    return "\n".join(labelled(label, text) for label, text in _lines(failure, repairable=repairable) if text)


def labelled(label: str, text: str | None) -> str:
    """Return a line with its label; an empty text if there is nothing to show."""
    if not text:
        return ""
    clean = cut_and_clean(text, _SHOWN, ", the log has them all")
    return f"  {label:<12}" + clean.replace("\n", "\n" + " " * 14)


def _lines(failure: FailureRecord, *, repairable: bool) -> Iterator[tuple[str, str | None]]:
    workflow, step, component = failure.workflow, failure.step, failure.component
    inside = {"phase": component.phase, "step": component.step}
    in_component = any(inside.values())
    place = {**inside, "action": failure.action} if in_component else {}
    yield "image", failure.arn
    yield "stage", failure.stage
    yield "workflow", _with(workflow.name, workflow.arn, workflow.execution_id)
    yield "step", _with(step.name, None if in_component else failure.action, step.execution_id)
    yield "component", component.arn
    yield "", ", ".join(f"{label} {name}" for label, name in place.items() if name)
    yield "message", failure.message
    yield "reason", None if failure.reason and failure.reason in (failure.message or "") else failure.reason
    for number, (name, value) in enumerate(failure.details.items()):
        yield "" if number else "outputs", f"{name}: {one_line(value, _SHOWN_EACH)}"
    for region in failure.regions[:_REGIONS]:
        yield "region", _region(region)
    if len(failure.regions) > _REGIONS:
        yield "", f"and {len(failure.regions) - _REGIONS} more"
    yield "log", failure.log.group and f"CloudWatch group {failure.log.group}, stream {failure.log.stream}"
    yield "", log_command(failure)
    # Imported here: a Dag file that is parsed has no use for the tables of advice.
    from airflow_imagebuilder.service.results.advice.advice import advice

    yield "what to do", advice(failure, repairable=repairable)


def log_command(failure: FailureRecord) -> str | None:
    """Return the AWS CLI's command that reads the image's log; ``None`` if its place is not known."""
    region, log = region_in(failure.arn or ""), failure.log
    if not region or not log.group or not log.stream:
        return None
    group, stream = quote(log.group), quote(log.stream)
    return (
        f"aws logs get-log-events --region {region} --log-group-name {group} --log-stream-name {stream} "
        "--query 'events[].message' --output text"
    )


def _why(failure: FailureRecord) -> str:
    text = failure.message or failure.reason or next((_region(region) for region in failure.regions), "")
    return one_line(unframed(text), _HEAD)


def component_line(failure: FailureRecord) -> str | None:
    """Return a component on one line: ``cis-hardening 1.2.0/4 (build step HardenSshd)``."""
    component = failure.component
    if not component.arn:
        return None
    name = name_and_version(component.arn, "component")
    inside = " step ".join(filter(None, (component.phase, component.step)))
    return f"{name} ({inside})" if inside else name


def _region(failure: Mapping[str, Any]) -> str:
    account = f" account {failure['targetAccountId']}" if failure.get("targetAccountId") else ""
    at = f" in {failure['imageConfigurationStep']}" if failure.get("imageConfigurationStep") else ""
    head = f"{failure.get('region')}{account}: {failure.get('status', 'FAILED')}{at}"
    return (
        f"{head}: {one_line(failure['errorMessage'], _SHOWN_EACH)}" if failure.get("errorMessage") else head
    )


def _with(name: str | None, *more: str | None) -> str | None:
    known = ", ".join(filter(None, more))
    return f"{name} ({known})" if name and known else name or known
