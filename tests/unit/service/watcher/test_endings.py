"""A wait outlasts errors while its build runs: which errors end a wait, when, and the cause of a deadline."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import NoCredentialsError

from airflow_imagebuilder.service.errors import (
    AwsError,
    DeadlineExceededError,
    ForbiddenError,
    ImageBuilderError,
    ThrottledError,
    TransientError,
)
from airflow_imagebuilder.service.watcher.watcher import ImageWatcher, WatchSettings
from tests.support.clockwork import (
    ARN,
    DOWN,
    EPOCH,
    THROTTLED,
    Fault,
    FaultyImage,
    FaultySettings,
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
    from collections.abc import AsyncIterator, Callable

FORBIDDEN = client_error("AccessDeniedException", 403)
MISSING = client_error("ResourceNotFoundException", 404)
REFUSED = client_error("InvalidRequestException", 400)
UNKNOWN_KEY = client_error("UnrecognizedClientException", 403)
ODD = [FORBIDDEN, MISSING, REFUSED, UNKNOWN_KEY, NoCredentialsError(), KeyError("x"), RuntimeError("closed")]
odd = pytest.mark.parametrize("error", ODD, ids=lambda error: str(error)[:60])


def in_progress(fault: Fault) -> Service:
    service = Service(fault=fault)
    service.image(ARN, (0, "BUILDING"), (200, "AVAILABLE"))
    return service


def waited(service: Service, **kwargs: Any) -> list[str]:
    async def main() -> list[str]:
        async with watcher_of(service) as watcher:
            return [status for _, status in await statuses(watcher, ARN, **kwargs)]

    return run(main())


# -- one error does not decide -----------------------------------------------------------------------------


@odd
def test_an_error_that_passes_within_the_grace_ends_no_wait(error: Exception) -> None:
    service = in_progress(lambda operation, arn, time: error if 20 < time < 45 else None)
    assert waited(service) == ["BUILDING", "AVAILABLE"]


@odd
def test_one_error_after_an_outage_ends_no_wait(error: Exception) -> None:
    after = iter([error])

    def fault(operation: str, arn: str, time: float) -> Any:
        return DOWN if 20 < time < 150 else next(after, None) if time >= 150 else None

    assert waited(in_progress(fault)) == ["BUILDING", "AVAILABLE"]


@odd
def test_an_error_that_lasts_is_an_error_of_the_package(error: Exception) -> None:
    service = in_progress(lambda operation, arn, time: error if time > 20 else None)

    async def main() -> float:
        async with watcher_of(service) as watcher:
            with pytest.raises(AwsError):
                await statuses(watcher, ARN)
            return now()

    grace = 900 if error is UNKNOWN_KEY else 30
    assert grace <= run(main()) - 20 < grace + 60


# -- the client --------------------------------------------------------------------------------------------


class Connecting:
    """Makes clients, or raises while there is trouble."""

    def __init__(self, service: Service, error: Exception, trouble: Callable[[], bool]) -> None:
        self.service, self.error, self.trouble = service, error, trouble

    async def __call__(self) -> AbstractAsyncContextManager[Any]:
        return self._failing() if self.trouble() else await self.service.connect()

    @asynccontextmanager
    async def _failing(self) -> AsyncIterator[Any]:
        raise self.error
        yield


@pytest.mark.parametrize("error", [NoCredentialsError(), KeyError("secrets backend"), OSError("no route")])
def test_a_client_that_cannot_be_made_for_a_moment_ends_no_wait(error: Exception) -> None:
    service = in_progress(lambda operation, arn, time: None)

    async def main() -> list[tuple[float, str]]:
        connect = Connecting(service, error, lambda: now() < 25)
        async with ImageWatcher(connect, settings=WatchSettings(poll_interval=10), wall=wall) as watcher:
            return await statuses(watcher, ARN)

    assert [status for _, status in run(main())] == ["BUILDING", "AVAILABLE"]


def test_a_client_made_without_credentials_is_made_again_within_the_grace() -> None:
    # botocore makes a client all the same. Each call on it fails, even after credentials have come back.
    service = Service()
    service.image(ARN, (0, "BUILDING"), (200, "AVAILABLE"))
    made: list[float] = []

    class Bare:
        async def get_image(self, **_: Any) -> Any:
            raise NoCredentialsError

    @asynccontextmanager
    async def bare() -> AsyncIterator[Any]:
        yield Bare()

    async def main() -> list[tuple[float, str]]:
        async def connect() -> AbstractAsyncContextManager[Any]:
            made.append(now())
            return bare() if now() < 20 else await service.connect()

        async with ImageWatcher(connect, settings=WatchSettings(poll_interval=10), wall=wall) as watcher:
            return await statuses(watcher, ARN)

    assert [status for _, status in run(main())] == ["BUILDING", "AVAILABLE"]
    assert 2 <= len(made) < 8


# -- faults of the package ---------------------------------------------------------------------------------


def test_an_unexpected_fault_with_one_image_is_tolerated_like_a_malformed_answer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    service = Service()
    arns = [service.image(build(1, f"image-{n}"), (0, "BUILDING"), (100, "AVAILABLE")) for n in range(50)]
    bad = arns[:25]

    async def faulty(arn: str) -> Any:
        return {"image": FaultyImage(service.summary(arn))}

    def fault(operation: str, arn: str, time: float) -> Any:
        if operation == "list_image_build_versions":
            return FORBIDDEN
        return faulty(arn) if 20 < time < 40 or (arn in bad and time > 20) else None

    service.fault = fault

    async def main() -> list[Any]:
        async with watcher_of(service) as watcher:
            return await asyncio.gather(*(statuses(watcher, arn) for arn in arns), return_exceptions=True)

    seen = run(main())
    assert all(one[-1][1] == "AVAILABLE" for one in seen[25:])
    assert {type(one) for one in seen[:25]} == {ImageBuilderError}
    assert "a mistake of ours" in str(seen[0])
    assert isinstance(seen[0].__cause__, KeyError)
    # Not a traceback for each poll.
    assert 1 <= len([record for record in caplog.records if record.levelno >= logging.ERROR]) <= 3


def test_a_fault_in_the_poll_itself_ends_no_wait_unless_it_lasts(caplog: pytest.LogCaptureFixture) -> None:
    service = in_progress(lambda operation, arn, time: None)

    async def main() -> list[tuple[float, str]]:
        settings = FaultySettings(
            lambda: KeyError("a mistake of ours") if 20 < now() < 40 else None, poll_interval=10.0
        )
        async with ImageWatcher(service.connect, settings=settings, wall=wall) as watcher:
            return await statuses(watcher, ARN)

    assert [status for _, status in run(main())] == ["BUILDING", "AVAILABLE"]
    assert "a mistake of ours" in caplog.text


# -- deadlines ---------------------------------------------------------------------------------------------


def over(service: Service, deadline: float, **kwargs: Any) -> DeadlineExceededError:
    async def main() -> DeadlineExceededError:
        async with watcher_of(service) as watcher:
            with pytest.raises(DeadlineExceededError) as caught:
                await statuses(watcher, ARN, deadline=EPOCH + deadline, **kwargs)
            return caught.value

    return run(main())


@pytest.mark.parametrize("workflows", [False, True])
@pytest.mark.parametrize("stage", ["BUILDING", "TESTING"])
def test_an_error_that_is_over_is_not_the_cause_of_a_deadline(workflows: bool, stage: str) -> None:
    service = Service(fault=lambda operation, arn, time: DOWN if 12 < time < 25 else None)
    service.image(ARN, (0, stage))
    assert over(service, 40, workflows=workflows).__cause__ is None


def test_an_error_of_the_executions_is_not_the_cause_for_a_wait_on_the_image() -> None:
    service = in_progress(
        lambda operation, arn, time: THROTTLED if operation == "list_workflow_executions" else None
    )

    async def main() -> Any:
        async with watcher_of(service) as watcher:
            both = (statuses(watcher, ARN, deadline=EPOCH + 57, workflows=wanted) for wanted in (False, True))
            return await asyncio.gather(*both, return_exceptions=True)

    plain, with_workflows = run(main())
    assert isinstance(plain, DeadlineExceededError)
    assert plain.__cause__ is None
    assert isinstance(with_workflows.__cause__, ThrottledError)


def test_a_wait_that_begins_during_an_outage_has_it_as_its_cause() -> None:
    service = in_progress(lambda operation, arn, time: DOWN if time > 20 else None)

    async def main() -> Any:
        async with watcher_of(service) as watcher:
            first = asyncio.ensure_future(statuses(watcher, ARN, deadline=EPOCH + 300))
            await asyncio.sleep(100)
            with pytest.raises(DeadlineExceededError) as caught:
                await statuses(watcher, ARN, deadline=EPOCH + 100.5)
            await asyncio.gather(first, return_exceptions=True)
            return caught.value

    assert isinstance(run(main()).__cause__, TransientError)


def test_an_outage_is_the_cause_for_each_of_many_waits_although_few_calls_are_made() -> None:
    def fault(operation: str, arn: str, time: float) -> Any:
        return FORBIDDEN if operation == "list_image_build_versions" else DOWN if time > 60 else None

    service = Service(fault=fault)
    arns = [service.image(build(1, f"image-{n}"), (0, "BUILDING")) for n in range(300)]

    async def main() -> list[Any]:
        async with watcher_of(service, max_calls_per_second=40) as watcher:
            waits = (statuses(watcher, arn, deadline=EPOCH + 300) for arn in arns)
            return await asyncio.gather(*waits, return_exceptions=True)

    seen = run(main())
    assert {type(one) for one in seen} == {DeadlineExceededError}
    assert len({arn for time, _, arn in service.calls if time > 60}) < 250  # the others were not polled
    assert all(isinstance(one.__cause__, TransientError) for one in seen)


def test_a_deadline_without_errors_has_no_cause_for_any_of_many() -> None:
    service = Service(fault=lambda operation, arn, time: DOWN if 60 < time < 120 else None)
    arns = [service.image(build(1, f"image-{n}"), (0, "BUILDING")) for n in range(300)]

    async def main() -> list[Any]:
        async with watcher_of(service, max_calls_per_second=40) as watcher:
            waits = (statuses(watcher, arn, deadline=EPOCH + 300) for arn in arns)
            return await asyncio.gather(*waits, return_exceptions=True)

    assert {one.__cause__ for one in run(main())} == {None}


def test_forbidden_at_the_deadline_is_its_cause() -> None:
    service = in_progress(lambda operation, arn, time: FORBIDDEN if time > 80 else None)
    assert isinstance(over(service, 100).__cause__, ForbiddenError)
