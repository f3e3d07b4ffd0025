"""A submit in doubt: nothing not stored, not found, refused, cancelled twice or cleared doubles an image."""

from __future__ import annotations

import pytest

from airflow_imagebuilder.service.errors import (
    AwsError,
    ForbiddenError,
    ImageFailedError,
    ImageNotFoundError,
    NotFoundError,
    NotRepairableError,
    QuotaExceededError,
    RefusedError,
    StateStoreError,
    ThrottledError,
    WaitInterruptedError,
)
from airflow_imagebuilder.service.submission.decision import OnRetry
from airflow_imagebuilder.service.submission.ports import Origin, Try
from airflow_imagebuilder.service.submission.record import RECORD_KEY
from airflow_imagebuilder.service.submission.recovery import FIND_PATIENCE
from tests.support.fault_plan import ALWAYS
from tests.support.submissions import OPERATIONS, World

NOT_FOUND = NotFoundError("GetImage", "ResourceNotFoundException", 404)


@pytest.fixture(params=OPERATIONS)
def world(request: pytest.FixtureRequest) -> World:
    return World(request.param)


# -- the store ---------------------------------------------------------------------------------------------


def test_a_request_whose_token_cannot_be_stored_is_not_sent_on_the_first_try_either(world: World) -> None:
    world.store.go_down()
    with pytest.raises(StateStoreError):
        world.submission().submit(world.request(), Try("one", 1))
    assert world.aws.images == {}
    world.store.come_back()
    world.submission().submit(world.request(), Try("two", 1))
    assert len(world.aws.images) == 1


def test_a_store_that_breaks_after_the_answer_does_not_lose_the_image(world: World) -> None:
    world.aws.after(world.method, world.store.go_down)
    first = world.submission().submit(world.request(), Try("one", 1))
    world.store.come_back()
    assert world.submission().submit(world.request(), Try("two", 1)).arn == first.arn
    assert len(world.aws.images) == 1


def test_a_repair_that_cannot_be_stored_is_not_made(world: World) -> None:
    first = world.submission().submit(world.request(), Try("one", 1))
    world.aws.finish(first.arn, "FAILED")
    world.aws.before("get_image", world.store.go_down)
    with pytest.raises(StateStoreError):
        world.submission().submit(world.request(), Try("two", 1))
    assert not world.aws.retry_tokens


# -- not found ---------------------------------------------------------------------------------------------


def test_one_not_found_on_a_retry_builds_nothing(world: World) -> None:
    first = world.submission().submit(world.request(), Try("one", 1))
    world.aws.before("get_image", NOT_FOUND)
    again = world.submission().submit(world.request(), Try("two", 1))
    assert (again.arn, again.origin, len(world.aws.images)) == (first.arn, Origin.ATTACHED, 1)


def test_a_not_found_that_lasts_fails_a_retry_and_says_what_to_do(world: World) -> None:
    first = world.submission().submit(world.request(), Try("one", 1))
    world.aws.before("get_image", NOT_FOUND, times=ALWAYS)
    began = world.now
    with pytest.raises(ImageNotFoundError, match="clear the task that submits it") as raised:
        world.submission().submit(world.request(), Try("two", 1))
    assert first.arn in str(raised.value)
    assert "account and region" in str(raised.value)
    assert world.now - began >= FIND_PATIENCE
    assert len(world.aws.images) == 1


def test_a_person_who_clears_a_task_whose_image_is_not_found_gets_another(world: World) -> None:
    world.submission().submit(world.request(), Try("one", 1))
    world.aws.before("get_image", NOT_FOUND, times=ALWAYS)
    assert world.submission().submit(world.request(), Try("two", 2)).origin is Origin.CREATED


def test_a_guard_tolerates_a_not_found_and_then_reports_it(world: World) -> None:
    first = world.submission().submit(world.request(), Try("create 1", 1))
    guard = world.guard()
    guard.rejoin(first.arn, Try("guard 1", 1))
    world.aws.before("get_image", NOT_FOUND)
    assert guard.rejoin(first.arn, Try("guard 2", 1)).origin is Origin.ATTACHED
    world.aws.before("get_image", NOT_FOUND, times=ALWAYS)
    with pytest.raises(ImageNotFoundError):
        guard.rejoin(first.arn, Try("guard 3", 1))


@pytest.mark.parametrize("kind", [ForbiddenError, ThrottledError])
def test_an_error_about_the_image_of_an_earlier_try_interrupts_the_submit(
    world: World, kind: type[AwsError]
) -> None:
    world.submission().submit(world.request(), Try("one", 1))
    world.aws.before("get_image", kind("GetImage", "Trouble"), times=ALWAYS)
    with pytest.raises(WaitInterruptedError):
        world.submission().submit(world.request(), Try("two", 1))
    assert len(world.aws.images) == 1


def test_a_not_found_while_a_clear_waits_for_the_cancel_is_tolerated(world: World) -> None:
    first = world.submission().submit(world.request(), Try("one", 1))
    world.aws.before("get_image", NOT_FOUND, nth=2, times=2)
    assert world.submission().submit(world.request(), Try("two", 2)).origin is Origin.REPAIRED
    assert world.aws.cancelled == [first.arn]


def test_a_repair_of_an_image_that_is_not_found_builds_nothing(world: World) -> None:
    first = world.submission().submit(world.request(), Try("one", 1))
    world.aws.finish(first.arn, "FAILED")
    not_found = NotFoundError("RetryImage", "ResourceNotFoundException", 404)
    world.aws.before("retry_image", not_found, times=ALWAYS)
    with pytest.raises(ImageNotFoundError):
        world.submission().submit(world.request(), Try("two", 1))
    assert len(world.aws.images) == 1


# -- repairs that repeat -----------------------------------------------------------------------------------


def test_an_image_that_fails_again_in_the_same_way_is_repaired_again(world: World) -> None:
    # AWS's default is a distribution without a workflow: the two failures are equal.
    first = world.submission().submit(world.request(), Try("one", 5))
    for number in range(2, 6):
        world.aws.finish(first.arn, "FAILED", stage="DISTRIBUTING", execution_id="wf-build")
        again = world.submission().submit(world.request(), Try(f"try {number}", 5))
        assert (again.origin, world.aws.images[first.arn]["state"]["status"]) == (Origin.REPAIRED, "TESTING")
    assert len(world.aws.retry_tokens) == 4


def test_an_image_that_is_cancelled_twice_is_repaired_twice(world: World) -> None:
    guard = world.guard()
    first = world.submission().submit(world.request(), Try("create 1", 1))
    guard.rejoin(first.arn, Try("guard 1", 1))
    for number in (2, 3):
        world.aws.finish(first.arn, "CANCELLED")
        assert guard.rejoin(first.arn, Try(f"guard {number}", number)).origin is Origin.REPAIRED
    assert world.aws.lives[first.arn] == 2


def test_the_image_is_announced_before_it_gets_a_new_life(world: World) -> None:
    first = world.submission().submit(world.request(), Try("one", 1))
    world.aws.finish(first.arn, "FAILED")
    world.submission().submit(world.request(), Try("two", 1))
    assert world.announced == [(first.arn, "FAILED")]


def test_a_try_after_one_that_died_after_its_repair_attaches_to_the_repair(world: World) -> None:
    first = world.submission().submit(world.request(), Try("one", 1))
    world.aws.finish(first.arn, "CANCELLED")
    world.aws.after("retry_image", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        world.submission().submit(world.request(), Try("two", 2))  # a clear
    again = world.submission().submit(world.request(), Try("three", 2))  # Airflow's retry
    assert (again.arn, again.origin, world.aws.cancelled) == (first.arn, Origin.ATTACHED, [])


# -- clears ------------------------------------------------------------------------------------------------


def test_a_clear_is_recognised_though_retries_were_lowered(world: World) -> None:
    first, one = world.submission(), Try("one", 2, clears=0)
    built = first.submit(world.request(), one)
    world.aws.finish(built.arn, "AVAILABLE")
    first.finished(one)
    # max_tries is the tries so far plus the retries of the Dag: 1 + 1, where it was 0 + 2.
    assert world.submission().submit(world.request(), Try("two", 2, clears=1)).arn != built.arn


def test_a_worker_that_dies_after_it_has_finished_is_followed_by_a_retry(world: World) -> None:
    first, one = world.submission(), Try("one", 2, clears=0)
    built = first.submit(world.request(), one)
    world.aws.finish(built.arn, "AVAILABLE")
    first.finished(one)
    assert world.submission().submit(world.request(), Try("two", 2, clears=0)).arn == built.arn


def test_where_clears_are_not_counted_a_try_that_has_finished_is_followed_by_a_clear(world: World) -> None:
    first, one = world.submission(), Try("one", 2)
    built = first.submit(world.request(), one)
    world.aws.finish(built.arn, "AVAILABLE")
    first.finished(one)
    assert world.submission().submit(world.request(), Try("two", 2)).arn != built.arn


def test_a_clear_of_other_tasks_of_the_run_does_not_count_as_a_clear_of_a_retried_task(world: World) -> None:
    built = world.submission().submit(world.request(), Try("one", 2, clears=0))
    again = world.submission().submit(world.request(), Try("two", 2, clears=3))
    assert (again.arn, again.origin, world.aws.cancelled) == (built.arn, Origin.ATTACHED, [])


def test_in_doubt_whether_this_task_was_cleared_no_build_is_cancelled(world: World) -> None:
    # A submitter that succeeded, whose worker died before Airflow stored that; then another task was cleared.
    first, one = world.submission(), Try("one", 2, clears=0)
    built = first.submit(world.request(), one)
    first.finished(one)
    again = world.submission().submit(world.request(), Try("two", 2, clears=1))
    assert (again.arn, again.origin, world.aws.cancelled) == (built.arn, Origin.ATTACHED, [])


def test_a_finish_that_cannot_be_stored_fails_nothing(world: World) -> None:
    one = Try("one", 1)
    submission = world.submission()
    submission.submit(world.request(), one)
    world.store.go_down()
    submission.finished(one)


@pytest.mark.parametrize("status", ["FAILED", "CANCELLED"])
def test_with_on_retry_fail_a_clear_builds_another_image(world: World, status: str) -> None:
    first = world.submission(OnRetry.FAIL).submit(world.request(), Try("one", 0))
    world.aws.finish(first.arn, status)
    again = world.submission(OnRetry.FAIL).submit(world.request(), Try("two", 1))
    assert (again.origin, len(world.aws.images), len(world.aws.retry_tokens)) == (Origin.CREATED, 2, 0)


def test_with_on_retry_fail_a_guard_that_is_cleared_alone_says_what_to_clear(world: World) -> None:
    guard = world.guard(on_retry=OnRetry.FAIL)
    built = world.submission().submit(world.request(), Try("create 1", 1))
    guard.rejoin(built.arn, Try("guard 1", 1))
    world.aws.finish(built.arn, "FAILED")
    with pytest.raises(ImageFailedError):
        guard.rejoin(built.arn, Try("guard 2", 1))
    with pytest.raises(NotRepairableError, match="clear the whole group"):
        guard.rejoin(built.arn, Try("guard 3", 2))


def test_with_cancel_off_a_clear_attaches(world: World) -> None:
    first = world.submission(cancel=False).submit(world.request(), Try("one", 1))
    again = world.submission(cancel=False).submit(world.request(), Try("two", 2))
    assert (again.arn, again.origin, world.aws.cancelled) == (first.arn, Origin.ATTACHED, [])


def test_with_cancel_off_a_guard_attaches_after_a_clear(world: World) -> None:
    guard = world.guard(cancel=False)
    first = world.submission().submit(world.request(), Try("create 1", 1))
    for epoch in (1, 2):
        assert guard.rejoin(first.arn, Try(f"guard {epoch}", epoch)).origin is Origin.ATTACHED
    assert world.aws.cancelled == []


# -- refusals ----------------------------------------------------------------------------------------------

REFUSALS = [
    RefusedError("CreateImage", "InvalidRequestException", 400),
    ForbiddenError("CreateImage", "AccessDeniedException", 403),
    NotFoundError("CreateImage", "ResourceNotFoundException", 404),
    QuotaExceededError("CreateImage", "ServiceQuotaExceededException", 402),
]


def assert_refused(world: World, refusal: AwsError) -> None:
    """Let a first try be refused; AWS keeps its token with its parameters all the same."""
    refusal.attempts = 1
    world.aws.before(world.method, refusal)
    with pytest.raises(type(refusal)):
        world.submission().submit(world.request(), Try("one", 1))
    world.tokens[world.aws.calls[-1].token] = (world.request().to_api(), "")


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("epoch", [1, 2], ids=["retried", "cleared"])
def test_a_try_after_a_refused_request_sends_a_new_token(world: World, refusal: AwsError, epoch: int) -> None:
    assert_refused(world, refusal)
    assert world.submission().submit(world.request("ubuntu"), Try("two", epoch)).origin is Origin.CREATED
    assert len(world.aws.images) == 1


def test_a_refusal_after_a_lost_answer_keeps_the_token(world: World) -> None:
    refusal = ForbiddenError("CreateImage", "AccessDeniedException", 403)
    refusal.attempts = 2
    world.aws.after(world.method, refusal)
    with pytest.raises(ForbiddenError):
        world.submission().submit(world.request(), Try("one", 1))
    token = world.store.kept[RECORD_KEY]["token"]
    again = world.submission().submit(world.request(), Try("two", 1))
    assert (again.arn, len(world.aws.images)) == (world.tokens[token][1], 1)


# -- the start of the time ----------------------------------------------------------------------------------


def test_time_counts_from_the_submit_whichever_try_waits(world: World) -> None:
    first = world.submission().submit(world.request(), Try("one", 1))
    world.sleep(3000)
    again = world.submission().submit(world.request(), Try("two", 1))
    assert (first.submitted_at, again.submitted_at) == (1_000.0, 1_000.0)


def test_time_counts_again_from_a_repair(world: World) -> None:
    first = world.submission().submit(world.request(), Try("one", 1))
    world.sleep(3000)
    world.aws.finish(first.arn, "FAILED")
    repaired = world.submission().submit(world.request(), Try("two", 1))
    world.sleep(100)
    attached = world.submission().submit(world.request(), Try("three", 1))
    assert (repaired.submitted_at, attached.submitted_at) == (4_000.0, 4_000.0)


def test_the_time_of_a_guard_counts_from_the_submit_or_its_own_repair(world: World) -> None:
    guard = world.guard()
    first = world.submission().submit(world.request(), Try("create 1", 1))
    world.sleep(500)
    joined = guard.rejoin(first.arn, Try("guard 1", 1), submitted_at=first.submitted_at)
    world.aws.finish(first.arn, "FAILED")
    repaired = guard.rejoin(first.arn, Try("guard 2", 1), submitted_at=first.submitted_at)
    world.sleep(50)
    attached = guard.rejoin(first.arn, Try("guard 3", 1), submitted_at=first.submitted_at)
    assert [one.submitted_at for one in (joined, repaired, attached)] == [1_000.0, 1_500.0, 1_500.0]
