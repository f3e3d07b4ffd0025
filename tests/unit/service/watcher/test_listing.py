"""One list for many images: used where the last one was cheaper, and never at the price of a wrong state."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ParamValidationError

from airflow_imagebuilder import aws_model
from airflow_imagebuilder.service.errors import ForbiddenError
from tests.support.clockwork import (
    DOWN,
    THROTTLED,
    Service,
    build,
    client_error,
    now,
    run,
    snapshots,
    statuses,
    watcher_of,
)

if TYPE_CHECKING:
    from airflow_imagebuilder.service.watcher.watcher import ImageSnapshot, ImageWatcher


def builds(service: Service, count: int, end: float, *, names: int = 1) -> list[str]:
    return [
        service.image(
            build(n + 1, f"golden-{n % names}"), (0, "BUILDING"), (end / 2, "TESTING"), (end, "AVAILABLE")
        )
        for n in range(count)
    ]


def tracked(service: Service, arns: list[str], **settings: Any) -> list[list[tuple[float, str]]]:
    async def main() -> list[list[tuple[float, str]]]:
        async with watcher_of(service, **settings) as watcher:
            return await asyncio.gather(*(statuses(watcher, arn) for arn in arns))

    return run(main())


def test_many_builds_of_one_version_are_answered_by_lists() -> None:
    service = Service()
    arns = builds(service, 200, 300)
    seen = tracked(service, arns)
    assert all([status for _, status in one] == ["BUILDING", "TESTING", "AVAILABLE"] for one in seen)
    assert max(one[-1][0] for one in seen) < 310 + 2
    # 200 images in 30 intervals: eight pages per interval, and a trial.
    assert len(service.calls) < 200 * 30 / 20


def test_one_build_of_many_versions_is_answered_by_the_account_s_list() -> None:
    service = Service()
    arns = builds(service, 100, 300, names=100)
    tracked(service, arns)
    assert len(service.calls) < 100 * 30 / 10
    assert set(service.counted("list_image_build_versions")) == {""}


def test_versions_with_several_builds_have_lists_of_their_own() -> None:
    service = Service()
    tracked(service, builds(service, 60, 300, names=2))
    asked_at = service.counted("list_image_build_versions")
    assert all(arn.endswith("/1.0.0") for arn in asked_at)
    assert len(asked_at) == 2


def test_a_wait_with_workflows_gets_the_end_as_getimage_shows_it() -> None:
    service = Service()
    arns = builds(service, 10, 100)

    async def main() -> Any:
        async with watcher_of(service) as watcher:
            return await asyncio.gather(*(snapshots(watcher, arn, workflows=True) for arn in arns))

    for seen in run(main()):
        assert seen[-1].image["infrastructureConfiguration"] == {"name": "golden-build"}


def test_a_list_s_end_is_the_end_of_a_plain_wait() -> None:
    service = Service()
    arns = builds(service, 25, 100)
    assert all(seen[-1][1] == "AVAILABLE" for seen in tracked(service, arns))
    assert not service.counted("get_image")


def test_a_wait_for_workflows_gets_those_of_the_image_even_where_lists_answer() -> None:
    service = Service()
    arns = builds(service, 10, 100)

    async def late(watcher: ImageWatcher, arn: str) -> list[ImageSnapshot]:
        await asyncio.sleep(22)
        return await snapshots(watcher, arn, workflows=True)

    async def main() -> Any:
        async with watcher_of(service) as watcher:
            plain = asyncio.gather(*(snapshots(watcher, arn) for arn in arns))
            return await asyncio.gather(*(late(watcher, arn) for arn in arns)), await plain

    with_workflows, plain = run(main())
    assert all(one.image["workflows"] for seen in with_workflows for one in seen)
    assert {len(seen) for seen in plain} == {3}


def test_an_image_in_progress_is_light() -> None:
    service = Service()
    [arn] = builds(service, 1, 100)

    async def main() -> list[ImageSnapshot]:
        async with watcher_of(service) as watcher:
            return await snapshots(watcher, arn)

    seen = run(main())
    assert ["infrastructureConfiguration" in one.image for one in seen] == [False, False, True]


def test_a_list_of_mostly_old_builds_is_given_up_and_seldom_tried_again() -> None:
    service = Service(old=2000)
    arns = builds(service, 10, 1000, names=10)
    tracked(service, arns)
    lists = service.counted("list_image_build_versions")[""]
    assert 1 <= lists <= 10
    assert len(service.calls) < 10 * 100 * 1.02
    assert all(count >= 98 for count in service.counted("get_image").values())


def test_a_trial_costs_at_most_a_quarter_of_an_interval_s_calls() -> None:
    service = Service(old=10_000)
    arns = builds(service, 100, 45, names=100)
    tracked(service, arns)
    assert service.counted("list_image_build_versions")[""] <= 25


def test_two_images_are_polled_one_by_one() -> None:
    service = Service()
    tracked(service, builds(service, 2, 300))
    assert not service.counted("list_image_build_versions")


def test_without_permission_to_list_each_image_is_polled() -> None:
    error = client_error("AccessDeniedException", 403, "ListImageBuildVersions")
    listed = "list_image_build_versions"
    service = Service(fault=lambda operation, arn, time: error if operation == listed else None)
    seen = tracked(service, builds(service, 20, 100))
    assert {one[-1][1] for one in seen} == {"AVAILABLE"}


def older_boto3(operation: str, arn: str, time: float) -> Exception | None:
    """Answer as a boto3 whose ListImageBuildVersions demands an ARN."""
    report = 'Missing required parameter in input: "imageVersionArn"'
    unasked = operation == "list_image_build_versions" and not arn
    return ParamValidationError(report=report) if unasked else None


def test_a_boto3_that_cannot_list_the_account_is_asked_once_and_each_image_is_polled(
    caplog: pytest.LogCaptureFixture,
) -> None:
    service = Service(fault=older_boto3)
    arns = builds(service, 20, 3000, names=20)
    seen = tracked(service, arns)
    assert {one[-1][1] for one in seen} == {"AVAILABLE"}
    assert max(one[-1][0] for one in seen) < 3000 + 2 * 10
    assert service.counted("list_image_build_versions") == {"": 1}
    (line,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "ListImageBuildVersions without imageVersionArn needs boto3 1.40.36 or newer" in line
    assert aws_model.installed() in line


def test_a_boto3_that_cannot_list_the_account_lists_the_builds_of_a_version() -> None:
    service = Service(fault=older_boto3)
    arns = builds(service, 60, 300, names=2) + builds(service, 5, 300, names=5)
    seen = tracked(service, arns)
    assert {one[-1][1] for one in seen} == {"AVAILABLE"}
    lists = service.counted("list_image_build_versions")
    assert len([arn for arn in lists if arn.endswith("/1.0.0")]) == 2


def test_images_that_join_after_a_list_was_refused_are_polled_one_by_one() -> None:
    service = Service(fault=older_boto3)
    arns = builds(service, 40, 300, names=40)

    async def late(watcher: ImageWatcher, arn: str) -> str:
        await asyncio.sleep(100)
        return (await statuses(watcher, arn))[-1][1]

    async def main() -> list[Any]:
        async with watcher_of(service) as watcher:
            early = [statuses(watcher, arn) for arn in arns[:10]]
            return await asyncio.gather(*early, *(late(watcher, arn) for arn in arns[10:]))

    assert run(main())[10:] == ["AVAILABLE"] * 30
    assert service.counted("list_image_build_versions") == {"": 1}


@pytest.mark.parametrize("answer", [{"imageSummaryList": [{}, {"arn": "x"}]}, {}, {"imageSummaryList": None}])
def test_a_list_of_the_wrong_shape_fails_no_wait(answer: Any) -> None:
    async def wrong() -> Any:
        return answer

    listed = "list_image_build_versions"
    service = Service(fault=lambda operation, arn, time: wrong() if operation == listed else None)
    seen = tracked(service, builds(service, 20, 100))
    assert {one[-1][1] for one in seen} == {"AVAILABLE"}


def test_a_forbidden_image_surfaces_although_others_are_listed() -> None:
    error = client_error("ForbiddenException", 403)
    service = Service()
    arns = builds(service, 20, 300)
    service.fault = lambda operation, arn, time: (
        error if arn == arns[0] and operation == "get_image" else None
    )

    async def main() -> list[Any]:
        async with watcher_of(service) as watcher:
            shown, *others = arns
            waits = [statuses(watcher, shown, workflows=True), *(statuses(watcher, arn) for arn in others)]
            return await asyncio.gather(*waits, return_exceptions=True)

    forbidden, *others = run(main())
    assert isinstance(forbidden, ForbiddenError)
    assert {one[-1][1] for one in others} == {"AVAILABLE"}


def test_throttled_lists_are_retried_and_an_outage_fails_no_wait() -> None:
    def fault(operation: str, arn: str, time: float) -> Any:
        return DOWN if 100 < time < 160 else THROTTLED if len(service.calls) % 5 == 0 else None

    service = Service(fault=fault)
    arns = builds(service, 200, 300)
    seen = tracked(service, arns)
    assert {one[-1][1] for one in seen} == {"AVAILABLE"}
    assert max(one[-1][0] for one in seen) < 340


def test_a_list_that_is_throttled_at_times_is_not_given_up_for_single_polls() -> None:
    service = Service(fault=lambda operation, arn, time: THROTTLED if len(service.calls) % 5 == 0 else None)
    arns = builds(service, 100, 300)
    seen = tracked(service, arns)
    assert max(one[-1][0] for one in seen) < 300 + 2 * 10
    assert not service.counted("get_image")


def test_where_only_lists_are_throttled_each_image_is_polled() -> None:
    listed = "list_image_build_versions"
    service = Service(fault=lambda operation, arn, time: THROTTLED if operation == listed else None)
    seen = tracked(service, builds(service, 50, 300))
    assert {one[-1][1] for one in seen} == {"AVAILABLE"}
    assert max(one[-1][0] for one in seen) < 300 + 2 * 10


def test_images_that_join_while_a_list_is_read_are_not_forgotten() -> None:
    service = Service(latency=1.0)
    arns = builds(service, 100, 120)

    async def late(watcher: Any, arn: str, after: float) -> float:
        await asyncio.sleep(after)
        await statuses(watcher, arn)
        return now()

    async def main() -> list[float]:
        async with watcher_of(service) as watcher:
            return await asyncio.gather(*(late(watcher, arn, n * 0.3) for n, arn in enumerate(arns)))

    assert max(run(main())) < 120 + 10 + 15


def test_a_watched_image_that_leaves_while_a_list_is_read_does_not_come_back() -> None:
    service = Service(latency=2.0)
    arns = builds(service, 30, 500)

    async def main() -> int:
        async with watcher_of(service) as watcher:
            waits = [asyncio.ensure_future(statuses(watcher, arn)) for arn in arns]
            await asyncio.sleep(16)
            for wait in waits:
                wait.cancel()
            await asyncio.sleep(2)
            calls = len(service.calls)
            await asyncio.sleep(500)
            return calls

    assert run(main()) == len(service.calls)
