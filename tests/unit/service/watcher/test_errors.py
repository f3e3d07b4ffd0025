"""ImageWatcher while AWS fails: what slows it, what ends a wait, and that nothing hangs."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError

from airflow_imagebuilder.service.errors import (
    DeadlineExceededError,
    ForbiddenError,
    ImageBuilderError,
    MalformedAnswerError,
    NotFoundError,
    RefusedError,
    ThrottledError,
)
from airflow_imagebuilder.service.watcher.watcher import ImageWatcher, WatchSettings
from tests.support.clockwork import (
    ARN,
    DOWN,
    EPOCH,
    THROTTLED,
    Fault,
    Service,
    build,
    client_error,
    now,
    run,
    statuses,
    wall,
    watcher_of,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ALSO_THROTTLED = client_error("ThrottlingException", 400)
REFUSED = EndpointConnectionError(endpoint_url="http://127.0.0.1:1")


def one_wait(service: Service, **kwargs: Any) -> tuple[list[tuple[float, str]], float]:
    async def main() -> tuple[list[tuple[float, str]], float]:
        async with watcher_of(service) as watcher:
            return await statuses(watcher, ARN, **kwargs), now()

    return run(main())


def error_of(service: Service, **settings: Any) -> tuple[ImageBuilderError, float]:
    async def main() -> tuple[ImageBuilderError, float]:
        async with watcher_of(service, **settings) as watcher:
            with pytest.raises(ImageBuilderError) as caught:
                await statuses(watcher, ARN)
            return caught.value, now()

    return run(main())


def in_progress(fault: Fault) -> Service:
    service = Service(fault=fault)
    service.image(ARN, (0, "BUILDING"), (200, "AVAILABLE"))
    return service


@pytest.mark.parametrize(
    "error",
    [
        THROTTLED,
        client_error("ThrottlingException", 400),
        DOWN,
        REFUSED,
        ConnectionResetError(),
        asyncio.TimeoutError(),
    ],
    ids=lambda error: str(error) or type(error).__name__,
)
def test_a_minute_of_errors_delays_a_wait_and_fails_none(error: Exception) -> None:
    service = in_progress(lambda operation, arn, time: error if 20 < time < 80 else None)
    seen, ended = one_wait(service)
    assert [status for _, status in seen] == ["BUILDING", "AVAILABLE"]
    assert ended < 211


def test_an_outage_at_the_very_end_delays_a_wait_by_itself_and_one_interval_at_most() -> None:
    service = in_progress(lambda operation, arn, time: DOWN if 195 < time < 260 else None)
    _, ended = one_wait(service)
    assert ended < 271


def test_a_fifth_of_all_calls_throttled_fails_no_wait_of_a_hundred() -> None:
    service = Service(fault=lambda operation, arn, time: THROTTLED if len(service.calls) % 5 == 0 else None)
    arns = [service.image(build(1, f"image-{n}"), (0, "BUILDING"), (60 + n, "AVAILABLE")) for n in range(100)]

    async def main() -> tuple[list[Any], float]:
        async with watcher_of(service, max_calls_per_second=40) as watcher:
            seen = await asyncio.gather(*(statuses(watcher, arn) for arn in arns), return_exceptions=True)
            return seen, now()

    seen, ended = run(main())
    assert {one[-1][1] for one in seen} == {"AVAILABLE"}
    assert ended < 200


def test_an_outage_costs_few_calls() -> None:
    service = Service(fault=lambda operation, arn, time: DOWN if 30 < time < 630 else None)
    arns = [service.image(build(1, f"image-{n}"), (0, "BUILDING"), (700, "AVAILABLE")) for n in range(200)]

    async def main() -> float:
        async with watcher_of(service) as watcher:
            await asyncio.gather(*(statuses(watcher, arn) for arn in arns))
            return now()

    ended = run(main())
    assert len([time for time, *_ in service.calls if 90 < time < 630]) < 200
    assert ended < 735


def test_after_an_outage_every_image_is_polled_again_within_two_intervals() -> None:
    service = Service(fault=lambda operation, arn, time: DOWN if 30 < time < 630 else None)
    arns = [service.image(build(1, f"image-{n}"), (0, "BUILDING"), (600, "AVAILABLE")) for n in range(200)]

    async def main() -> float:
        async with watcher_of(service) as watcher:
            await asyncio.gather(*(statuses(watcher, arn) for arn in arns))
            return now()

    assert run(main()) < 650


def test_the_cause_of_the_deadline_is_the_error_that_kept_the_answer_away() -> None:
    service = in_progress(lambda operation, arn, time: THROTTLED if time > 20 else None)

    async def main() -> None:
        async with watcher_of(service) as watcher:
            with pytest.raises(DeadlineExceededError) as caught:
                await statuses(watcher, ARN, deadline=EPOCH + 100)
            assert isinstance(caught.value.__cause__, ThrottledError)

    run(main())


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("ForbiddenException", 403, ForbiddenError),
        ("AccessDeniedException", 403, ForbiddenError),
        ("ResourceNotFoundException", 404, NotFoundError),
    ],
)
def test_errors_that_may_pass_are_tolerated_for_a_short_grace(
    code: str, status: int, kind: type[Exception]
) -> None:
    error = client_error(code, status)
    surfaced, after = error_of(in_progress(lambda operation, arn, time: error if time > 20 else None))
    assert isinstance(surfaced, kind)
    assert 50 <= after <= 71
    seen, _ = one_wait(in_progress(lambda operation, arn, time: error if 20 < time < 40 else None))
    assert seen[-1][1] == "AVAILABLE"


def test_a_refusal_that_lasts_surfaces_after_the_grace() -> None:
    error = client_error("InvalidRequestException", 400, message="not an ARN")
    surfaced, after = error_of(in_progress(lambda operation, arn, time: error))
    assert isinstance(surfaced, RefusedError)
    assert 35 <= after < 60
    assert error_of(in_progress(lambda operation, arn, time: error), grace=0)[1] < 6


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"image": {}},
        {"image": {"state": {}}},
        {"image": None},
        {"image": {"state": {"status": None}}},
        [],
    ],
)
def test_an_answer_of_the_wrong_shape_is_an_error_that_shows_the_shape(answer: Any) -> None:
    async def later() -> Any:
        return answer

    surfaced, after = error_of(in_progress(lambda operation, arn, time: later() if time > 8 else None))
    assert isinstance(surfaced, MalformedAnswerError)
    assert "shape" in str(surfaced)
    assert after < 60


def test_a_call_that_hangs_is_given_up_and_delays_no_other_wait() -> None:
    hanging = build(1, "hanging")

    async def hang() -> Any:
        await asyncio.sleep(10_000)

    service = Service(fault=lambda operation, arn, time: hang() if arn == hanging and time < 100 else None)
    service.image(hanging, (0, "AVAILABLE"))
    service.image(ARN, (0, "BUILDING"), (30, "AVAILABLE"))

    async def main() -> tuple[float, float]:
        async with watcher_of(service) as watcher:
            first = asyncio.ensure_future(statuses(watcher, hanging))
            other = await statuses(watcher, ARN)
            return other[-1][0], (await first)[-1][0]

    other, late = run(main())
    assert other < 41
    assert late < 130


def test_forbidden_executions_fail_only_the_waits_that_want_them() -> None:
    error = client_error("ForbiddenException", 403, "ListWorkflowExecutions")
    service = in_progress(
        lambda operation, arn, time: error if operation == "list_workflow_executions" else None
    )

    async def main() -> Any:
        async with watcher_of(service) as watcher:
            return await asyncio.gather(
                statuses(watcher, ARN), statuses(watcher, ARN, workflows=True), return_exceptions=True
            )

    seen, failed = run(main())
    assert seen[-1][1] == "AVAILABLE"
    assert isinstance(failed, ForbiddenError)
    assert failed.operation == "ListWorkflowExecutions"


@pytest.mark.parametrize(
    "code", ["ExpiredToken", "ExpiredTokenException", "RequestExpired", "UnrecognizedClientException"]
)
def test_expired_credentials_replace_the_client_at_most_once_per_minute(code: str) -> None:
    error = client_error(code, 403)
    service = in_progress(lambda operation, arn, time: error if 100 < time < 160 else None)
    seen, ended = one_wait(service)
    assert seen[-1][1] == "AVAILABLE"
    assert ended < 211
    assert service.opened == service.closed == 2


def test_expired_credentials_are_tried_again_until_the_deadline() -> None:
    service = in_progress(
        lambda operation, arn, time: client_error("ExpiredToken", 403) if time > 20 else None
    )

    async def main() -> None:
        async with watcher_of(service) as watcher:
            with pytest.raises(DeadlineExceededError):
                await statuses(watcher, ARN, deadline=EPOCH + 3620)

    run(main())
    assert 30 < service.opened <= 61


def test_a_key_that_stays_unknown_counts_as_wrong() -> None:
    error = client_error("UnrecognizedClientException", 403)
    surfaced, after = error_of(in_progress(lambda operation, arn, time: error))
    assert isinstance(surfaced, ForbiddenError)
    assert 900 <= after < 1000


def test_a_client_that_cannot_be_made_is_tried_again_unless_there_are_no_credentials() -> None:
    service = Service()
    service.image(ARN, (0, "AVAILABLE"))
    tried: list[float] = []

    @asynccontextmanager
    async def trouble(error: Exception) -> AsyncIterator[Any]:
        raise error
        yield

    async def main(error: Exception, until: float) -> list[tuple[float, str]]:
        async def connect() -> AbstractAsyncContextManager[Any]:
            tried.append(now())
            return await service.connect() if now() > until else trouble(error)

        settings = WatchSettings(poll_interval=10)
        async with ImageWatcher(connect, settings=settings, wall=wall) as watcher:
            return await statuses(watcher, ARN)

    assert run(main(REFUSED, 60))[-1][1] == "AVAILABLE"
    assert len(tried) > 3
    with pytest.raises(ForbiddenError):
        run(main(NoCredentialsError(), 10_000))


def test_each_wait_gets_an_error_of_its_own() -> None:
    error = client_error("InvalidRequestException", 400)
    service = in_progress(lambda operation, arn, time: error)

    async def main() -> Any:
        async with watcher_of(service) as watcher:
            return await asyncio.gather(*(statuses(watcher, ARN) for _ in range(3)), return_exceptions=True)

    errors = run(main())
    assert len({id(one) for one in errors}) == 3
    assert {type(one) for one in errors} == {RefusedError}


def test_the_log_has_at_most_one_line_per_minute(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="airflow_imagebuilder")
    service = Service(fault=lambda operation, arn, time: THROTTLED if 30 < time < 330 else None)
    arns = [service.image(build(1, f"image-{n}"), (0, "BUILDING"), (500, "AVAILABLE")) for n in range(50)]

    async def main() -> None:
        async with watcher_of(service) as watcher:
            await asyncio.gather(*(statuses(watcher, arn) for arn in arns for _ in range(3)))

    run(main())
    lines = [record.getMessage() for record in caplog.records]
    assert 5 <= len(lines) <= 8
    assert "CallRateLimitExceededException" in lines[0]
    assert "50 images, 150 waits" in lines[0]
    assert "answers again" in lines[-1]


def test_numbers_reach_the_metrics() -> None:
    numbers: dict[str, float] = {}

    class Numbers:
        def incr(self, name: str, count: int) -> None:
            numbers[name] = numbers.get(name, 0) + count

        def gauge(self, name: str, value: float) -> None:
            numbers[name] = max(numbers.get(name, 0), value)

        def timing(self, name: str, seconds: float) -> None:
            numbers[name] = max(numbers.get(name, 0), seconds)

    service = in_progress(lambda operation, arn, time: THROTTLED if 50 < time < 60 else None)

    async def main() -> None:
        settings = WatchSettings(poll_interval=10)
        async with ImageWatcher(service.connect, settings=settings, metrics=Numbers(), wall=wall) as watcher:
            await asyncio.gather(*(statuses(watcher, ARN) for _ in range(3)))

    run(main())
    assert numbers["calls"] == len(service.calls)
    assert numbers["calls_throttled"] > 0
    assert numbers["images"] == 1
    assert numbers["waits"] == 3
    assert numbers["lag"] > 0
