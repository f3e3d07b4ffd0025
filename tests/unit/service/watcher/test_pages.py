"""Endless lists: an error of their own call, which does not reach a wait for the image alone."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any

import pytest

from airflow_imagebuilder.service.errors import MalformedAnswerError
from tests.support.clockwork import ARN, Service, build, execution, now, run, snapshots, statuses, watcher_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EXECUTIONS, BUILDS = "list_workflow_executions", "list_image_build_versions"
TOKENS: dict[str, Callable[[], Iterator[str]]] = {
    "the same token": lambda: itertools.repeat("same"),
    "a cycle of tokens": lambda: itertools.cycle("abc"),
    "pages without end": lambda: map(str, itertools.count()),
}
endless = pytest.mark.parametrize("tokens", TOKENS.values(), ids=TOKENS.keys())


async def page(member: str, tokens: Iterator[str], *records: Any) -> Any:
    return {member: list(records), "nextToken": next(tokens)}


def without_end(operation: str, member: str, tokens: Iterator[str], until: float = 1e9) -> Service:
    """A service whose answers to one operation always name a next page."""
    service = Service()
    service.fault = lambda called, arn, time: (
        page(member, tokens) if called == operation and time < until else None
    )
    return service


@endless
def test_executions_without_end_fail_only_the_waits_that_want_them(
    tokens: Callable[[], Iterator[str]],
) -> None:
    service = without_end(EXECUTIONS, "workflowExecutions", tokens())
    service.image(ARN, (0, "TESTING"), (100, "AVAILABLE"))

    async def main() -> Any:
        async with watcher_of(service) as watcher:

            async def assert_fails() -> float:
                with pytest.raises(MalformedAnswerError, match=r"ListWorkflowExecutions.*nextToken"):
                    await statuses(watcher, ARN, workflows=True)
                return now()

            return await asyncio.gather(statuses(watcher, ARN), assert_fails())

    seen, failed = run(main())
    assert seen[-1][1] == "AVAILABLE"
    assert seen[-1][0] < 111
    assert 35 <= failed < 60
    assert service.counted(EXECUTIONS)[ARN] < 500


@endless
def test_executions_without_end_for_a_while_end_no_wait(tokens: Callable[[], Iterator[str]]) -> None:
    service = without_end(EXECUTIONS, "workflowExecutions", tokens(), until=20)
    service.image(ARN, (0, "TESTING"), (100, "AVAILABLE"))
    service.workflows[ARN] = [(0, execution("boot", "RUNNING"))]

    async def main() -> Any:
        async with watcher_of(service) as watcher:
            return await snapshots(watcher, ARN, workflows=True)

    seen = run(main())
    assert seen[-1].status == "AVAILABLE"
    assert seen[-1].executions


@endless
def test_a_list_of_builds_without_end_is_given_up_for_single_polls(
    tokens: Callable[[], Iterator[str]],
) -> None:
    service = without_end(BUILDS, "imageSummaryList", tokens())
    arns = [service.image(build(n), (0, "BUILDING"), (200, "AVAILABLE")) for n in range(100)]

    async def main() -> Any:
        async with watcher_of(service) as watcher:
            return await asyncio.gather(*(statuses(watcher, arn) for arn in arns))

    seen = run(main())
    assert {one[-1][1] for one in seen} == {"AVAILABLE"}
    assert max(one[-1][0] for one in seen) < 215
    assert service.counted(BUILDS).total() < 100  # an attempt is a quarter of an interval's calls at most


@endless
def test_steps_without_end_are_an_error(tokens: Callable[[], Iterator[str]]) -> None:
    service = without_end("list_workflow_step_executions", "steps", tokens())

    async def main() -> None:
        async with watcher_of(service) as watcher:
            with pytest.raises(MalformedAnswerError, match=r"ListWorkflowStepExecutions.*nextToken"):
                await watcher.steps("wf-1")

    run(main())
    assert len(service.calls) < 100


@pytest.mark.parametrize("token", [7, ["a"], {"a": "b"}, True])
def test_a_token_of_the_wrong_shape_is_a_malformed_answer(token: Any) -> None:
    async def page_with() -> Any:
        return {"steps": [], "nextToken": token}

    service = Service(fault=lambda operation, arn, time: page_with())

    async def main() -> None:
        async with watcher_of(service) as watcher:
            with pytest.raises(MalformedAnswerError, match="a string nextToken"):
                await watcher.steps("wf-1")

    run(main())


class Paged(Service):
    """Executions in pages of one."""

    async def list_workflow_executions(self, **params: Any) -> Any:
        arn, begin = params["imageBuildVersionArn"], int(params.get("nextToken", "0"))

        def answer() -> Any:
            begun_by_now = [one for begun, one in self.workflows[arn] if begun <= now()]
            more = {"nextToken": str(begin + 1)} if begin + 1 < len(begun_by_now) else {}
            return {"workflowExecutions": begun_by_now[begin : begin + 1], **more}

        return await self.answer(EXECUTIONS, arn, answer)


def test_every_page_of_executions_is_read() -> None:
    service = Paged()
    service.image(ARN, (0, "TESTING"), (31, "AVAILABLE"))
    service.workflows[ARN] = [(0, execution(str(n), "RUNNING")) for n in range(12)]

    async def main() -> Any:
        async with watcher_of(service) as watcher:
            return await snapshots(watcher, ARN, workflows=True)

    for seen in run(main()):
        assert [one["workflowExecutionId"] for one in seen.executions] == [f"wf-{n}" for n in range(12)]


def test_a_stage_that_ends_between_two_pages_has_them_read_again() -> None:
    service = Paged(latency=1.0)
    service.image(ARN, (0, "TESTING"), (20, "AVAILABLE"))
    service.workflows[ARN] = [(0, execution(str(n), "RUNNING")) for n in range(15)]

    def end_them(operation: str, arn: str, time: float) -> None:
        if time >= 20:
            service.workflows[ARN] = [(0, execution(str(n), "COMPLETED")) for n in range(15)]

    service.fault = end_them

    async def main() -> Any:
        async with watcher_of(service) as watcher:
            return await snapshots(watcher, ARN, workflows=True)

    last = run(main())[-1]
    assert last.status == "AVAILABLE"
    assert {one["status"] for one in last.executions} == {"COMPLETED"}


def test_many_slow_pages_do_not_hold_up_the_wait_for_the_image() -> None:
    service = Paged(latency=2.0)
    service.image(ARN, (0, "TESTING"), (30, "AVAILABLE"))
    service.workflows[ARN] = [(0, execution(str(n), "RUNNING")) for n in range(35)]

    async def main() -> Any:
        async with watcher_of(service) as watcher:
            with_workflows = asyncio.ensure_future(statuses(watcher, ARN, workflows=True))
            return (await statuses(watcher, ARN))[-1], await with_workflows

    (ended, status), seen = run(main())
    assert status == "AVAILABLE"
    assert ended < 30 + 10 + 2 * 2.0 + 1
    assert seen[-1][1] == "AVAILABLE"
