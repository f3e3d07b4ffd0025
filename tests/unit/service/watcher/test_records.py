"""One record that cannot be read does not affect the waits for other images."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from airflow_imagebuilder.service.errors import ImageBuilderError, MalformedAnswerError
from tests.support.clockwork import Service, build, execution, now, run, statuses, watcher_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 1) | st.sampled_from(["", "x", "AVAILABLE"]),
    lambda inside: (
        st.lists(inside, max_size=2)
        | st.dictionaries(
            st.sampled_from(["arn", "state", "status", "failureContext", "nextToken", "image", "retried"]),
            inside,
            max_size=3,
        )
    ),
    max_leaves=6,
)
MEMBERS = {
    "get_image": "image",
    "list_image_build_versions": "imageSummaryList",
    "list_workflow_executions": "workflowExecutions",
}


def answers(operation: str, junk: Any, where: str, good: Mapping[str, Any]) -> Any:
    """Return an answer with junk in place of the whole answer, of its member, or of one record."""
    member = MEMBERS[operation]
    if where == "answer":
        return junk
    if where == "record" and isinstance(good.get(member), list):
        return {**good, member: [junk, *good[member], junk]}
    return {**good, member: junk}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(sorted(MEMBERS)), JUNK, st.sampled_from(["answer", "member", "record"]))
@example("list_image_build_versions", None, "record")
@example("list_image_build_versions", {"arn": []}, "record")
@example("list_image_build_versions", {"arn": build(1), "state": None}, "record")
@example("list_image_build_versions", {"arn": build(1), "state": {"status": ["AVAILABLE"]}}, "record")
@example("list_image_build_versions", {"x": 1}, "member")
@example("list_workflow_executions", None, "record")
@example("list_workflow_executions", "executions", "member")
@example("get_image", {"state": {"status": "FAILED", "failureContext": "x"}}, "member")
def test_junk_for_one_image_or_in_a_list_delays_no_other(
    caplog: pytest.LogCaptureFixture, operation: str, junk: Any, where: str
) -> None:
    caplog.clear()
    service = Service()
    arns = [service.image(build(n), (0, "TESTING"), (60, "AVAILABLE")) for n in range(8)]
    for arn in arns:
        service.workflows[arn] = [(0, execution("boot", "RUNNING"))]
    odd, *others = arns
    plain: dict[str, Callable[[], dict[str, Any]]] = {}
    plain["get_image"] = lambda: {"image": service.full_image(odd)}
    plain["list_workflow_executions"] = lambda: {"workflowExecutions": [execution("boot", "RUNNING")]}
    plain["list_image_build_versions"] = lambda: {"imageSummaryList": [service.summary(a) for a in arns]}

    async def odd_answer() -> Any:
        await asyncio.sleep(0.01)
        return answers(operation, junk, where, plain[operation]())

    service.fault = lambda called, arn, time: (
        odd_answer() if called == operation and arn in (odd, "") else None
    )
    if operation == "list_image_build_versions":
        service.fault = lambda called, arn, time: odd_answer() if called == operation else None

    async def assert_available(watcher: Any, number: int, arn: str) -> float:
        seen = await statuses(watcher, arn, workflows=number % 3 == 0)
        assert seen[-1][1] == "AVAILABLE"
        return now()

    async def main() -> Any:
        async with watcher_of(service) as watcher:
            strange = [asyncio.ensure_future(statuses(watcher, odd, workflows=w)) for w in (False, True)]
            ended = await asyncio.gather(*(assert_available(watcher, n, arn) for n, arn in enumerate(others)))
            await asyncio.sleep(60)
            for wait in strange:
                wait.cancel()
            return ended, await asyncio.gather(*strange, return_exceptions=True)

    ended, strange = run(main())
    assert max(ended) < 60 + 10 + 3
    assert all(
        isinstance(one, (list, ImageBuilderError, asyncio.CancelledError)) for one in strange
    )  # never a TypeError
    assert not [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.parametrize("record", [None, {}, {"status": "RUNNING"}, {"workflowExecutionId": "wf-1"}, "x"])
def test_an_execution_that_cannot_be_read_is_a_malformed_answer(record: Any) -> None:
    service = Service()
    arn = service.image(build(1), (0, "TESTING"), (300, "AVAILABLE"))
    service.workflows[arn] = [(0, record)]

    async def main() -> None:
        async with watcher_of(service) as watcher:
            with pytest.raises(MalformedAnswerError, match="ListWorkflowExecutions"):
                await statuses(watcher, arn, workflows=True)

    run(main())
