"""After a repair: the old failure is stale, a new one is news at once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support.clockwork import ARN, EPOCH, Service, now, run, watcher_of


class Failing(Service):
    """An image that failed in one workflow execution and, after its repair, in another."""

    def __init__(self, *failures: tuple[float, str | None]) -> None:
        super().__init__()
        self.failures = failures
        self.image(ARN, *((begun, "FAILED") for begun, _ in failures))

    def summary(self, arn: str) -> dict[str, Any]:
        execution = [number for begun, number in self.failures if begun <= now()][-1]
        context = {"failureContext": {"workflowExecutionId": execution}} if execution else {}
        return {"arn": arn, "state": {"status": self.status(arn, now()), **context}}


def seen(service: Service, **kwargs: Any) -> list[tuple[float, str]]:
    async def main() -> list[tuple[float, str]]:
        async with watcher_of(service) as watcher:
            watch = watcher.watch(ARN, stale_until=EPOCH + 60, **kwargs)
            return [(now(), str(one.image["state"].get("failureContext"))) async for one in watch]

    return run(main())


@pytest.mark.parametrize("workflows", [False, True])
def test_a_failure_in_another_execution_is_news_at_once(workflows: bool) -> None:
    [(at, context)] = seen(
        Failing((0, "wf-old"), (12, "wf-new")), stale_failure="wf-old", workflows=workflows
    )
    assert at < 12 + 10 + 2
    assert "wf-new" in context


@pytest.mark.parametrize("execution", ["wf-old", None])
def test_the_repaired_failure_or_one_without_an_execution_is_stale(execution: str | None) -> None:
    [(at, _)] = seen(Failing((0, execution)), stale_failure="wf-old")
    assert at >= 60


def test_where_the_repaired_failure_is_not_known_every_failure_is_stale() -> None:
    [(at, _)] = seen(Failing((0, "wf-old"), (12, "wf-new")))
    assert at >= 60


def test_where_the_repaired_image_had_no_failure_a_failure_in_any_execution_is_news() -> None:
    [(at, context)] = seen(Failing((0, None), (12, "wf-new")), stale_failure="")
    assert at < 12 + 10 + 2
    assert "wf-new" in context


def test_a_snapshot_from_before_the_wait_is_not_news() -> None:
    # Two repairs in a row. The watcher has not polled since the first one, so it knows neither's failure.
    service = Failing((0, "wf-first"), (41, "wf-third"))

    async def main() -> list[tuple[float, str]]:
        async with watcher_of(service) as watcher:
            first = watcher.watch(ARN, stale_until=EPOCH + 300, stale_failure="wf-first")
            task = asyncio.ensure_future(anext(first))
            await asyncio.sleep(36)
            second = watcher.watch(ARN, stale_until=EPOCH + 300, stale_failure="wf-second", first_look=0)
            found = [
                (now(), one.image["state"]["failureContext"]["workflowExecutionId"]) async for one in second
            ]
            await task
            return found

    [(at, execution)] = run(main())
    assert execution == "wf-third"
    assert at >= 41


@pytest.mark.parametrize("context", ["x", [], {"workflowExecutionId": 7}, {"workflowExecutionId": []}])
def test_a_failure_context_of_the_wrong_shape_is_stale(context: Any) -> None:
    service = Service()
    service.image(ARN, (0, "FAILED"))

    async def odd() -> Any:
        return {"image": {"arn": ARN, "state": {"status": "FAILED", "failureContext": context}}}

    service.fault = lambda operation, arn, time: odd()
    [(at, _)] = seen(service, stale_failure="wf-old")
    assert at >= 60
