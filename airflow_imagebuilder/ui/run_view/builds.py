"""The images of a run, from all records of its tasks."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from airflow_imagebuilder.links import console_address, log_address
from airflow_imagebuilder.service.results.states import is_image_terminal
from airflow_imagebuilder.ui.api.models import Build, Failure
from airflow_imagebuilder.ui.run_view import values
from airflow_imagebuilder.ui.run_view.cost import build_minutes_of
from airflow_imagebuilder.ui.run_view.estimate import estimate_of
from airflow_imagebuilder.ui.run_view.images import image_row
from airflow_imagebuilder.ui.run_view.stages import stages_of
from airflow_imagebuilder.ui.run_view.workflows import EARLIEST, workflows_of
from airflow_imagebuilder.xcom import BUILD_KEY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from airflow_imagebuilder.ui.api.models import ImageRow, Workflow
    from airflow_imagebuilder.ui.run_view.images import Counts
    from airflow_imagebuilder.ui.run_view.records import Place, Stored

LONGEST_REPORT = 16_384
LONGEST_LIFE = timedelta(days=7)


@dataclass(frozen=True)
class Past:
    """An earlier image of a recipe."""

    arn: str
    recipe: str
    duration: float


@dataclass(frozen=True)
class RunImage:
    """What the tasks of a run recorded of one image."""

    stored: Stored
    """The record that counts."""
    owner: Place
    """The task instance that submitted the image, else the one that wrote ``stored``."""
    writers: list[Place]
    monitored: list[Stored] = field(default_factory=list)

    @property
    def recipe(self) -> str | None:
        """The name of its recipe, without the version."""
        return recipe_name(values.text(self.stored.value, "recipe"))

    @property
    def ended(self) -> bool:
        """Whether the image has stopped changing."""
        return is_image_terminal(values.text(self.stored.value, "status") or "")

    @property
    def complete(self) -> bool:
        """Whether its record has how each workflow ended: a trigger sees the end, and a worker lists them."""
        return self.ended and self.stored.key == BUILD_KEY

    @property
    def stale(self) -> bool:
        """Whether every task that recorded it has ended before the image."""
        return not self.ended and all(one.has_ended for one in self.writers)


def recipe_name(recipe: str | None) -> str | None:
    """Return the name of a recipe that is given as ``<name>/<version>``."""
    return recipe.rpartition("/")[0] or recipe if recipe else None


def images_of(builds: Sequence[Stored], workflows: Sequence[Stored]) -> list[RunImage]:
    """
    Return the images of a run, in the order of their creation.

    :param builds: records of images, of all task instances, final and live.
    :param workflows: records of monitors.
    """
    by_place: dict[Place, Stored] = {}
    for one in builds:
        held = by_place.get(one.place)
        if held is None or one.precedence > held.precedence:
            by_place[one.place] = one
    by_arn: dict[str, list[Stored]] = {}
    for one in by_place.values():
        by_arn.setdefault(one.arn, []).append(one)
    found = [_merged(same, [one for one in workflows if one.arn == arn]) for arn, same in by_arn.items()]
    return sorted(
        found, key=lambda one: (values.time(one.stored.value, "created_at") or EARLIEST, one.stored.arn)
    )


def _merged(same: list[Stored], monitored: list[Stored]) -> RunImage:
    """Choose among the records of one image: a final one first, else the newest."""
    best = max(same, key=lambda one: (one.is_final, one.observed_at or EARLIEST))
    submitting = [one.place for one in same if one.value.get("submitted") is True]
    owner = best.place if best.place in submitting or not submitting else submitting[0]
    value = {**best.value, "submitted": bool(submitting)}
    chosen = type(best)(best.key, value, best.place)
    return RunImage(chosen, owner, [one.place for one in same], monitored)


def build_of(image: RunImage, past: Sequence[Past], counts: Counts | None, now: datetime) -> Build:
    """
    Return what the run view shows of an image.

    :param image: its records.
    :param past: earlier images of any recipe, the newest first.
    :param counts: findings by severity, of a scan gate.
    :param now: this machine's time.
    """
    record, arn = image.stored.value, image.stored.arn
    row = image_row(image.stored, image.owner, counts, stale=image.stale)
    observed = _observed(image, now)
    shown = values.written(observed) or ""
    workflows = workflows_of(image.stored, image.monitored, ended=image.complete)
    durations = [one.duration for one in past if one.recipe == image.recipe and one.arn != arn]
    return Build(
        **{**row.model_dump(), **_tests(image, row, workflows)},
        recipe=values.text(record, "recipe"),
        pipeline_arn=values.text(record, "pipeline_arn"),
        reason=values.text(record, "reason"),
        observed_at=shown,
        stages=stages_of(record, workflows, ended=image.ended),
        workflows=workflows,
        failure=_failure(record),
        estimate=estimate_of(durations, _elapsed(record, observed), ended=image.ended),
        build_minutes=build_minutes_of(record, workflows, shown),
        console_url=console_address(arn),
        log_url=log_address(arn, values.text(record, "name")),
        truncated=values.texts(record, "truncated"),
    )


def _tests(image: RunImage, row: ImageRow, workflows: Sequence[Workflow]) -> dict[str, int]:
    """Return the tests that have ended: the record of an image is older than what its monitors have seen."""
    if image.complete:
        return {}
    recorded = values.items(image.stored.value, "workflows")
    superseded = {values.text(one, "execution_id") for one in recorded if one.get("retried") is True}
    tests = [one for one in workflows if one.type == "TEST" and one.execution_id not in superseded]
    outcomes = Counter(one.outcome for one in tests if one.attempt == one.attempts)
    return {
        "tests_passed": max(row.tests_passed, outcomes["passed"]),
        "tests_failed": max(row.tests_failed, outcomes["failed"]),
    }


def _observed(image: RunImage, now: datetime) -> datetime:
    """
    Return AWS's time: as it was seen last and, while tasks watch the image, the time since then.

    A record is written at each change only, and nothing may change for many minutes.
    """
    seen = [one for one in (image.stored, *image.monitored) if one.observed_at]
    last = max(seen, key=lambda one: one.observed_at or EARLIEST, default=None)
    if last is None or last.observed_at is None:
        return now
    written = values.time(last.value, "written_at")
    since = now - written if written and not (image.ended or image.stale) else timedelta()
    try:
        return last.observed_at + min(max(since, timedelta()), LONGEST_LIFE)
    except OverflowError:
        return last.observed_at


def _elapsed(record: Mapping[str, Any], observed: datetime) -> float:
    duration = values.number(record, "duration")
    if duration is not None:
        return duration
    begun = values.time(record, "created_at")
    return max(0.0, (observed - begun).total_seconds()) if begun else 0.0


def _failure(record: Mapping[str, Any]) -> Failure | None:
    failure = values.mapping(record, "failure")
    if not failure:
        return None
    members = ("stage", "workflow", "step", "component", "message", "advice")
    return Failure(
        **{member: values.text(failure, member) for member in members},
        text=values.text(failure, "text", LONGEST_REPORT) or "",
    )


def utc_now() -> datetime:
    """Return this machine's time."""
    return datetime.now(timezone.utc)
