"""The record of an image, which tasks write as an XCom: docs/build-record.md documents its members."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.build_record import SCHEMA
from airflow_imagebuilder.build_record.bounds import BUILD_BYTES, bounded, fitting, keep, note, shorten
from airflow_imagebuilder.build_record.executions import (
    counts_of,
    declared_of,
    executions_of,
    most_telling,
    settled,
)
from airflow_imagebuilder.build_record.outputs import amis_in, containers_in, failure_in
from airflow_imagebuilder.build_record.values import (
    ARN,
    MESSAGE,
    iso,
    iso_of,
    latest,
    mapping,
    mappings,
    text,
    time_of,
    word,
)
from airflow_imagebuilder.service.arns.grammar import path_of
from airflow_imagebuilder.service.results.states import IMAGE_FAILED, is_image_terminal
from airflow_imagebuilder.service.results.workflow import seconds_between

if TYPE_CHECKING:
    from collections.abc import Sequence

WORKFLOWS, AMIS, CONTAINERS, DECLARED, STAGES, INSTANCE_TYPES = 60, 100, 100, 60, 40, 20
"""The most items of each list."""


@dataclass(frozen=True, kw_only=True)
class Answers:
    """
    What AWS has answered about an image.

    :param image: GetImage's ``image``, or as much of it as a list shows.
    :param executions: ListWorkflowExecutions' ``workflowExecutions``, also those that are ``retried``;
        ``None`` (default) if they were not read.
    :param steps: ListWorkflowStepExecutions' ``steps`` of the execution that failed the image.
    :param asked_at: Unix time at which AWS was asked.
    """

    image: Mapping[str, Any]
    executions: Sequence[Mapping[str, Any]] | None = None
    steps: Sequence[Mapping[str, Any]] = ()
    asked_at: float


def build_record(
    answers: Answers,
    *,
    submitted: bool,
    try_number: int,
    before: Mapping[str, Any] | None = None,
    now: float | None = None,
) -> dict[str, Any]:
    """
    Return the record of an image: a JSON-safe mapping of at most :data:`BUILD_BYTES` as JSON in UTF-8.

    :param answers: what AWS has answered.
    :param submitted: whether the task submits the image, or waits for one of its own run.
    :param try_number: the try of the task.
    :param before: the record that this one replaces, with what this answer lacks: the stages so far, and what
        only GetImage shows. One of another image is ignored. ``None`` (default) if there is none.
    :param now: Unix time at which the record is made; ``None`` (default) means now.
    """
    image = answers.image
    known = _same_image(before, image)
    state = mapping(image.get("state"))
    status = word(state.get("status")) or "PENDING"
    ended = is_image_terminal(status)
    record: dict[str, Any] = {
        "schema": SCHEMA,
        **_identity(image, known),
        "status": status,
        "reason": text(state.get("reason"), MESSAGE),
        "ended": ended,
        "created_at": iso_of(image.get("dateCreated")) or known.get("created_at"),
        "ended_at": None,
        "observed_at": latest([*_times(answers), known.get("observed_at")], answers.asked_at),
        "written_at": iso(time.time() if now is None else now),
        "duration": None,
        "submitted": bool(submitted),
        "try_number": try_number,
        "truncated": [],
    }
    record["stages"] = _stages(record, known)
    _add_workflows(record, answers, known)
    _add_end(record, answers, known)
    _add_outputs(record, answers, known)
    return bounded(record, BUILD_BYTES, _CUTS)


def _same_image(before: Mapping[str, Any] | None, image: Mapping[str, Any]) -> Mapping[str, Any]:
    same = isinstance(before, Mapping) and before.get("schema") == SCHEMA
    return before if same and before and before.get("arn") == text(image.get("arn"), ARN) else {}


def _identity(image: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """Return what does not change in the life of an image. A list shows less of it than GetImage."""
    arn = str(image.get("arn") or "")
    name, *numbers = path_of(arn, "image") or (arn,)
    recipe = mapping(image.get("imageRecipe")) or mapping(image.get("containerRecipe"))
    recipe_name = "/".join(str(part) for part in (recipe.get("name"), recipe.get("version")) if part)
    shown = {
        "arn": text(arn, ARN),
        "name": text(image.get("name")) or text(name) or "",
        "version": text(image.get("version")) or text("/".join(numbers)) or "",
        "type": word(image.get("type")) or ("DOCKER" if image.get("containerRecipe") else None),
        "platform": word(image.get("platform")),
        "os_version": text(image.get("osVersion")),
        "recipe": text(recipe_name),
        "recipe_arn": text(recipe.get("arn"), ARN),
        "pipeline_arn": text(image.get("sourcePipelineArn"), ARN),
    }
    merged = {member: value or known.get(member) for member, value in shown.items()}
    return {**merged, "type": merged["type"] or "AMI"}


def _times(answers: Answers) -> list[Any]:
    times = [answers.image.get("dateCreated")]
    for item in (*(answers.executions or ()), *answers.steps):
        times += [item.get("startTime"), item.get("endTime")]
    return times


def _stages(record: dict[str, Any], known: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the changes of the status as tasks have seen them: the first ones give way to the newest."""
    stages = [dict(item) for item in known.get("stages") or ()]
    if not stages or stages[-1]["status"] != record["status"]:
        since = record["observed_at"] if stages or not record["created_at"] else _first_since(record)
        stages.append({"status": record["status"], "since": since})
    if len(stages) > STAGES:
        note(record, "stages")
    return stages[-STAGES:]


def _first_since(record: Mapping[str, Any]) -> str:
    """Return when the first status that a task sees began: an image that has just begun has had no other."""
    begun = record["status"] in ("PENDING", "CREATING", "BUILDING")
    return str(record["created_at"] if begun else record["observed_at"])


def _add_workflows(record: dict[str, Any], answers: Answers, known: Mapping[str, Any]) -> None:
    declared = declared_of(answers.image) or list(known.get("declared") or ())
    if answers.executions is None:
        # A monitor may have seen one of those in progress since.
        workflows = settled(known.get("workflows") or ())
    else:
        workflows = executions_of(answers.executions, declared)
    types = mapping(answers.image.get("infrastructureConfiguration")).get("instanceTypes")
    names = [name for name in map(word, types or ()) if name] or list(known.get("instance_types") or ())
    record["instance_types"] = fitting(record, "instance_types", names, INSTANCE_TYPES)
    record["declared"] = fitting(record, "declared", declared, DECLARED)
    record.update(counts_of(workflows, declared))
    if len(workflows) > WORKFLOWS:
        note(record, "workflows")
    record["workflows"] = most_telling(workflows, WORKFLOWS)


def _add_end(record: dict[str, Any], answers: Answers, known: Mapping[str, Any]) -> None:
    """Add when the image ended. AWS says so of workflows only: a distribution need not be one."""
    if not record["ended"]:
        return
    executions = answers.executions or ()
    ends = [when for when in (time_of(item.get("endTime")) for item in executions) if when]
    last_workflow = iso(max(ends, default=None))
    # A task that sees only the end, such as a late sensor, does not know when it came.
    seen = record["stages"][-1]["since"] if len(record["stages"]) > 1 else None
    if record["status"] in IMAGE_FAILED or any(item.get("type") == "DISTRIBUTION" for item in executions):
        ended = last_workflow or seen
    else:
        ended = max(filter(None, (seen, last_workflow)), default=None)
    record["ended_at"] = ended or (known.get("ended_at") if known.get("ended") else None)
    if seen and ended and seen < ended:  # the clock of the service is ahead of this machine's
        record["stages"][-1] = {**record["stages"][-1], "since": ended}
    record["duration"] = seconds_between(record["created_at"], record["ended_at"])


def _add_outputs(record: dict[str, Any], answers: Answers, known: Mapping[str, Any]) -> None:
    image = answers.image
    record["amis"] = fitting(record, "amis", amis_in(image, answers.executions or ()), AMIS)
    outputs = mapping(image.get("outputResources"))
    containers = containers_in(mappings(outputs.get("containers")))
    record["containers"] = fitting(record, "containers", containers, CONTAINERS)
    scan = mapping(image.get("scanState"))
    seen = {"status": word(scan.get("status")), "reason": text(scan.get("reason"), MESSAGE)}
    record["scan"] = seen if scan else known.get("scan")
    record["failure"] = failure_in(image, answers.executions or (), answers.steps)


def _drop_superseded(record: dict[str, Any]) -> bool:
    kept = [item for item in record["workflows"] if not item["retried"]]
    dropped = len(kept) < len(record["workflows"])
    record["workflows"] = kept
    return dropped


_CUTS = (
    *(shorten("workflows.message", most) for most in (300, 100)),
    *(shorten("failure.text", most) for most in (4000, 2000)),
    *(shorten("workflows.message", most) for most in (0,)),
    ("workflows", _drop_superseded),
    *(keep("amis", most) for most in (50, 20)),
    *(keep("containers", most) for most in (20, 5)),
    *(shorten(path, 200) for path in ("reason", "failure.text", "failure.advice", "failure.message")),
    *(keep("amis", most) for most in (10, 3)),
    *(keep("workflows", most) for most in (30, 15)),
    *(keep(name, 10) for name in ("declared", "stages")),
    *(keep(name, 0) for name in ("workflows", "declared", "amis", "containers", "stages", "instance_types")),
)
