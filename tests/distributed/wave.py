"""A wave of images on the distributed set-up: started, watched from the database, and reported."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.local.stack.airflow_client import TERMINAL, AirflowApiError
from airflow_imagebuilder.local.stack.base import StackError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from typing_extensions import Self

    from airflow_imagebuilder.local.stack.compose import ComposeStack

DAG = "fleet"
_ACTIVE = "'queued', 'running', 'deferred'"
_GROUPS = (
    "select max(n) from (select count(*) n from task_instance"
    f" where dag_id = 'fleet' and task_id like '%.test' and state in ({_ACTIVE}) group by run_id, task_id) t"
)
_WAITS = "select triggerer_id, count(*) from trigger where triggerer_id is not null group by 1"


def sql(stack: ComposeStack, statement: str) -> list[list[str]]:
    """Return the rows of a query to Airflow's database, made in its own container."""
    found = stack.docker(
        "exec", stack.containers("postgres")[0].name, "psql", "-h", "/var/run/postgresql", "-U", "airflow",
        "-d", "airflow", "-AtF,", "-c", statement, seconds=20,
    )  # fmt: skip
    return [line.split(",") for line in found.splitlines()]


@dataclass
class Report:
    """The result of a wave.

    :param states: how many runs ended in each state.
    :param images: statuses of the images that the wave made.
    :param one_each: whether every run names an image of its own.
    :param cancels: calls of CancelImageCreation.
    :param widest: most executions of one test group at once, by the local service's records.
    :param most_active: most task instances of one test group active at once, by Airflow's database.
    :param waits: most waits that each triggerer held at once.
    :param tries: how many task instances needed a second try.
    """

    states: dict[str, int]
    images: list[str]
    one_each: bool
    cancels: int
    widest: int
    most_active: int
    waits: dict[str, int]
    tries: int
    seconds: float


@dataclass
class Wave:
    """Images that were started together.

    :param count: how many.
    """

    stack: ComposeStack
    count: int
    runs: list[str] = field(default_factory=list)
    _samples: list[int] = field(default_factory=list)
    _waits: dict[str, int] = field(default_factory=dict)
    _over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self._begun = time.monotonic()
        before = self.stack.service.records()
        self._before = {image["arn"] for image in before["images"]}
        self._cancels = _cancels(before)
        self.api = self.stack.api
        self.api.wait_for_dag(DAG, seconds=240)
        self.api.unpause(DAG)
        self.runs = [self.api.trigger(DAG) for _ in range(self.count)]
        self._sampler = threading.Thread(target=self._sample, daemon=True)
        self._sampler.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._sampler.join(30)

    def _sample(self) -> None:
        """Read the database every other second; skip what it does not answer."""
        while not self._over.wait(2):
            with contextlib.suppress(StackError, IndexError):
                self._samples += [int(row[0]) for row in sql(self.stack, _GROUPS) if row[0]]
                for triggerer, waits in sql(self.stack, _WAITS):
                    self._waits[triggerer] = max(int(waits), self._waits.get(triggerer, 0))

    def images(self) -> list[dict[str, Any]]:
        """Return the local service's records of the images that this wave made."""
        return [i for i in self.stack.service.records()["images"] if i["arn"] not in self._before]

    def wait_for(self, what: str, condition: Callable[[], bool], seconds: float) -> None:
        """Wait until a condition holds.

        :raises AssertionError: the time is up.
        """
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() >= deadline:
                raise AssertionError(f"{what}: not within {seconds:.0f} s; {self.picture()}")
            time.sleep(1)

    def wait_in_flight(self, seconds: float = 600) -> None:
        """Wait until half of the images are there: some builds are waited for, some are being submitted."""
        self.wait_for("images in flight", lambda: len(self.images()) * 2 >= self.count, seconds)

    def wait_ended(self, seconds: float) -> None:
        """Wait until every run has ended."""
        self.wait_for("every run has ended", lambda: set(self._states()) <= TERMINAL, seconds)

    def _states(self) -> list[str]:
        try:
            return [self.api.run(DAG, run)["state"] for run in self.runs]
        except AirflowApiError as error:
            return [f"unknown: {error}"]

    def picture(self) -> dict[str, Any]:
        """Return the states of runs and images, for messages."""
        return {"runs": _counted(self._states()), "images": _counted(i["status"] for i in self.images())}

    def report(self) -> Report:
        """Return the result of the wave."""
        images = self.images()
        arns = {self.api.xcom(DAG, run, "image.create_image", "image_build_version_arn") for run in self.runs}
        tasks = [task for run in self.runs for task in self.api.tasks(DAG, run)]
        return Report(
            states=_counted(self._states()),
            images=sorted(image["status"] for image in images),
            one_each=arns == {image["arn"] for image in images},
            cancels=_cancels(self.stack.service.records()) - self._cancels,
            widest=max((_widest(image["executions"]) for image in images), default=0),
            most_active=max(self._samples, default=0),
            waits=self._waits,
            tries=sum(task["try_number"] > 1 for task in tasks),
            seconds=time.monotonic() - self._begun,
        )


def _counted(words: Iterable[str]) -> dict[str, int]:
    listed = list(words)
    return {word: listed.count(word) for word in sorted(set(listed))}


def _cancels(records: dict[str, Any]) -> int:
    total: int = records["calls"].get("CancelImageCreation", {}).get("total", 0)
    return total


def _widest(executions: list[dict[str, Any]]) -> int:
    """Return how many executions of one test group ran at once, at most."""
    spans = [
        (_moment(e["start"]), _moment(e["end"]), e["group"])
        for e in executions
        if e["type"] == "TEST" and e["start"] and e["end"]
    ]
    return max(
        (sum(g == group and s <= start < e for s, e, g in spans) for start, _, group in spans), default=0
    )


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
