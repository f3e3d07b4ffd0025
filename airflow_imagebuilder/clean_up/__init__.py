"""
Removes the Variables that finished runs left behind. Airflow before 3.3 has no other place for them.

Before Airflow 3.3 this package keeps in Variables what has to outlive a try (the client token, the ARN). A
task that succeeds removes its Variable. ``image`` of a task group also removes that of ``create_image``. What
stays: Variables of failed and deleted runs, and of a ``wait_for_completion=False`` operator outside a task
group. A person may still clear the task, and the clear needs them.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow_imagebuilder.clean_up.apis import AirflowServer, ApiError, MwaaEnvironment
from airflow_imagebuilder.variable_store import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_imagebuilder.clean_up.apis import Api

__all__ = ["OLDER_THAN", "AirflowServer", "ApiError", "MwaaEnvironment", "Report", "clean_up"]

OLDER_THAN = timedelta(days=30)
"""How long a finished run keeps its Variables by default, as long as Airflow 3.3's task state store does."""

PAGE = 100
"""Entries per page: the most that Airflow returns by default."""

MOST_PAGES = 10_000
"""Pages of one list: a server that never ends its list must not hold the command."""

_KEY = re.compile(re.escape(PREFIX) + r"[0-9a-f]{32}")
_OWNER = frozenset({"dag_id", "run_id", "task_id", "map_index"})
_FINISHED = ("success", "failed")


@dataclass
class Report:
    """
    What a clean-up did.

    :param removed: the Variables whose run is gone, or ended long ago: key, and why. In a dry run they are
        still there.
    :param kept: the Variables of runs that are in progress or ended recently.
    :param foreign: Variables with such a key that this package did not write.
    :param unreadable: the Variables that were kept because their run could not be checked, or that could not
        be removed: key, and the error.
    :param runs: Dag and run of each Variable that this package wrote.
    """

    removed: dict[str, str] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    runs: dict[str, tuple[str, str]] = field(default_factory=dict)


def clean_up(api: Api, *, older_than: timedelta = OLDER_THAN, delete: bool = False) -> Report:
    """
    Remove the Variables of this package whose run is gone, or finished longer ago than ``older_than``.

    A Variable stays if its run is queued or running or ended recently, if its description is not one that
    this package writes, and if its run cannot be checked: Airflow does not answer or refuses the question, or
    Amazon MWAA does not take the path.

    :param api: an :class:`AirflowServer` or a :class:`MwaaEnvironment`.
    :param older_than: how long ago a run must have ended (default: 30 days). A clear can repair the image of
        a failed run as long as its Variables are there.
    :param delete: whether to remove them; ``False`` (default) only reports what would be removed.
    :raises ApiError: Airflow does not list its Variables; nothing has been removed.
    :raises ValueError: ``older_than`` is negative.
    """
    if older_than < timedelta(0):
        raise ValueError(f"older_than is {older_than}; it must not be negative")
    report, runs = Report(), _Runs(api, datetime.now(timezone.utc) - older_than)
    owners = _owners(api)
    report.foreign = [key for key, owner in owners.items() if owner is None]
    report.runs = {key: owner for key, owner in owners.items() if owner}
    # Dag by Dag, so that little time passes between the question about its runs and the removal.
    for owner, key in sorted((owner, key) for key, owner in report.runs.items()):
        try:
            reason = runs.why_over(*owner)
            if reason and delete:
                _delete(api, key)
        except ApiError as error:
            report.unreadable[key] = str(error)
            continue
        if reason:
            report.removed[key] = reason
        else:
            report.kept.append(key)
    return report


def _owners(api: Api) -> dict[str, tuple[str, str] | None]:
    """Return Dag and run of each Variable with such a key; ``None`` if this package did not write it."""
    found = {str(variable.get("key")): _owner(variable) for variable in _pages(api, "variables")}
    return {key: owner for key, owner in found.items() if key.startswith(PREFIX)}


def _owner(variable: Mapping[str, Any]) -> tuple[str, str] | None:
    try:
        owner = json.loads(variable["description"])
    except (KeyError, TypeError, ValueError):
        return None
    ours = _KEY.fullmatch(str(variable.get("key"))) and isinstance(owner, dict) and owner.keys() == _OWNER
    return (str(owner["dag_id"]), str(owner["run_id"])) if ours else None


def _delete(api: Api, key: str) -> None:
    try:
        api.call("DELETE", f"/variables/{key}")
    except ApiError as error:
        if error.status != HTTPStatus.NOT_FOUND or key not in error.detail:
            raise


class _Runs:
    """
    Which runs are over.

    The ids of runs are sent in bodies, never in a path: Amazon MWAA takes short paths only, and an id may
    have any character.
    """

    def __init__(self, api: Api, before: datetime) -> None:
        self._api = api
        self._before = before
        self._ended: dict[str, frozenset[str] | ApiError] = {}
        self._gone: dict[tuple[str, str], bool] = {}

    def why_over(self, dag_id: str, run_id: str) -> str | None:
        """
        Return why what a run left is of no use; ``None`` if the run is in progress or ended recently.

        :raises ApiError: Airflow does not answer.
        """
        if run_id in self._ended_runs(dag_id):
            return "its run has ended"
        if (dag_id, run_id) not in self._gone:
            self._gone[dag_id, run_id] = self._is_gone(dag_id, run_id)
        return "its run is gone" if self._gone[dag_id, run_id] else None

    def _ended_runs(self, dag_id: str) -> frozenset[str]:
        if dag_id not in self._ended:
            try:
                self._ended[dag_id] = frozenset(self._find_ended(dag_id))
            except ApiError as error:
                self._ended[dag_id] = error
        found = self._ended[dag_id]
        if isinstance(found, ApiError):
            raise found
        return found

    def _find_ended(self, dag_id: str) -> Iterator[str]:
        wanted = {"dag_ids": [dag_id], "states": [*_FINISHED], "end_date_lte": self._before.isoformat()}
        for run in _pages(self._api, "dag_runs", wanted):
            end = _time(run.get("end_date"))
            if run.get("dag_id") == dag_id and run.get("state") in _FINISHED and end and end <= self._before:
                yield str(run.get("dag_run_id"))

    def _is_gone(self, dag_id: str, run_id: str) -> bool:
        """Return whether a run was deleted: it has no task any more, in a Dag that the caller may read."""
        wanted = {"dag_ids": [dag_id], "dag_run_ids": [run_id], "page_limit": 1, "page_offset": 0}
        path = _PATHS["task_instances"]
        tasks = self._api.call("POST", path, body=wanted)
        if _number(tasks, path) > 0:
            return False
        try:
            self._api.call("GET", f"/dags/{quote(dag_id, safe='')}")
        except ApiError as error:
            if error.status != HTTPStatus.NOT_FOUND or dag_id not in error.detail:
                raise
        return True


_PATHS = {
    "variables": "/variables",
    "dag_runs": "/dags/~/dagRuns/list",
    "task_instances": "/dags/~/dagRuns/~/taskInstances/list",
}


def _pages(api: Api, what: str, wanted: Mapping[str, Any] | None = None) -> Iterator[Mapping[str, Any]]:
    """Yield the entries of a list, page by page."""
    path, offset = _PATHS[what], 0
    for _ in range(MOST_PAGES):
        if wanted is None:
            query = {"variable_key_pattern": PREFIX, "order_by": "id", "limit": PAGE, "offset": offset}
            answer = api.call("GET", path, params=query)
        else:
            query = {**wanted, "order_by": "id", "page_limit": PAGE, "page_offset": offset}
            answer = api.call("POST", path, body=query)
        total, page = _number(answer, path), answer.get(what)
        if not isinstance(page, list):
            raise ApiError(f"{path}: the answer has no {what}")
        yield from page
        offset += len(page)
        if not page or offset >= total:
            return
    raise ApiError(f"{path}: the list has no end after {MOST_PAGES} pages")


def _number(answer: Any, path: str) -> int:
    total = answer.get("total_entries") if isinstance(answer, dict) else None
    if not isinstance(total, int):
        raise ApiError(f"{path}: the answer has no total_entries; is this Airflow's REST API v2?")
    return total


def _time(text: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        return None
    return found if found.tzinfo else None
