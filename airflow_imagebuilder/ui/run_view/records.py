"""Which XCom values are records, which task instance they belong to, and which of two counts."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeGuard

from airflow_imagebuilder.build_record import SCHEMA
from airflow_imagebuilder.ui.api.models import TaskRef
from airflow_imagebuilder.ui.run_view import values
from airflow_imagebuilder.xcom import BUILD_KEY

if TYPE_CHECKING:
    from datetime import datetime

FINISHED = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})
"""States of a task instance that does not run any more."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Place:
    """The task instance that wrote an XCom, as it is now."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    state: str | None
    try_number: int

    @property
    def has_ended(self) -> bool:
        """Whether no worker and no trigger runs for it."""
        return self.state in FINISHED

    @property
    def task(self) -> TaskRef:
        """What an answer says of it."""
        return TaskRef(
            task_id=self.task_id, map_index=self.map_index, state=self.state, try_number=self.try_number
        )


@dataclass(frozen=True)
class Stored:
    """A readable record and its place. ``value`` may still lack members, or have them of a wrong type."""

    key: str
    value: Mapping[str, Any]
    place: Place

    @property
    def arn(self) -> str:
        """The image build version ARN."""
        return values.text(self.value, "arn") or ""

    @property
    def observed_at(self) -> datetime | None:
        """AWS's time, as the writer saw it."""
        return values.time(self.value, "observed_at")

    @property
    def precedence(self) -> tuple[int, bool]:
        """Of two records of one task instance the greater one counts."""
        return values.count(self.value, "try_number"), self.key == BUILD_KEY

    @property
    def is_final(self) -> bool:
        """Whether it has the end of the image, seen by the task's current try."""
        return self.key == BUILD_KEY and values.count(self.value, "try_number", 1) >= self.place.try_number


class _Skipped:
    """Counts what was left out, and logs it once in this process."""

    def __init__(self) -> None:
        self._logged = False

    def __call__(self, number: int, why: str) -> None:
        if number and not self._logged:
            self._logged = True
            log.warning(
                "Left %s records of images out of the pages: %s. A custom XCom backend keeps values "
                "elsewhere; a newer version of this package writes another schema.",
                number,
                why,
            )


report_skipped = _Skipped()


def is_record(value: object) -> TypeGuard[Mapping[str, Any]]:
    """Return whether an XCom value is a record of a schema that this version reads, with an ARN."""
    return (
        isinstance(value, Mapping) and value.get("schema") == SCHEMA and values.text(value, "arn") is not None
    )
