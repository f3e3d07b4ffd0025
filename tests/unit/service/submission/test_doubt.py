"""A submit in doubt: what is not stored, not found, refused, cancelled twice or cleared must not double."""

from __future__ import annotations

from typing import Any

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
from airflow_imagebuilder.service.submission.ports import Origin, Try
from airflow_imagebuilder.service.submission.submission import FIND_PATIENCE, RECORD_KEY, OnRetry, Submission
from tests.unit.service.submission.test_submission import World, request


class Doubt(World):
    """A world whose store and whose answers can be in trouble."""

    def __init__(self) -> None:
        super().__init__()
        self.store_down = False
        self.not_found = 0
        self.answer: AwsError | None = None
        self.announced: list[tuple[str, str]] = []

    def get(self, key: str) -> Any:
        if self.store_down:
            raise StateStoreError("503")
        return super().get(key)

    def set(self, key: str, value: Any) -> None:
        if self.store_down:
            raise StateStoreError("503")
        super().set(key, value)

    def get_image(self, arn: str) -> dict[str, Any]:
        if self.not_found:
            self.not_found -= 1
            raise NotFoundError("GetImage", "ResourceNotFoundException", 404)
        if self.answer:
            raise self.answer
        return super().get_image(arn)

    def submission(self, on_retry: OnRetry = OnRetry.REPAIR, *, cancel: bool = True) -> Submission:
        return Submission(
            self,
            self,
            on_retry=on_retry,
            cancel=cancel,
            announce=lambda arn: self.announced.append((arn, self.images[arn]["state"]["status"])),
            clock=self.clock,
            sleep=self.sleep,
        )


@pytest.fixture
def world() -> Doubt:
    return Doubt()


# -- the store ---------------------------------------------------------------------------------------------


def test_what_cannot_be_stored_is_not_sent_on_the_first_try_either(world: Doubt) -> None:
    world.store_down = True
    with pytest.raises(StateStoreError):
        world.submission().submit(request(), Try("one", 1))
    assert world.images == {}
    world.store_down = False
    world.submission().submit(request(), Try("two", 1))
    assert len(world.images) == 1


def test_a_store_that_breaks_after_the_answer_forgets_no_image(world: Doubt) -> None:
    create = world.create_image

    def break_store(*args: Any) -> str:
        arn = create(*args)
        world.store_down = True
        return arn

    world.create_image = break_store  # type: ignore[method-assign,assignment]
    first = world.submission().submit(request(), Try("one", 1))
    world.store_down, world.create_image = False, create  # type: ignore[method-assign]
    assert world.submission().submit(request(), Try("two", 1)).arn == first.arn
    assert len(world.images) == 1


def test_a_repair_that_cannot_be_noted_is_not_made(world: Doubt) -> None:
    first = world.submission().submit(request(), Try("one", 1))
    world.end(first.arn, "FAILED")
    find = world.get_image

    def break_store(arn: str) -> dict[str, Any]:
        world.store_down = True
        return find(arn)

    world.get_image = break_store  # type: ignore[method-assign]
    with pytest.raises(StateStoreError):
        world.submission().submit(request(), Try("two", 1))
    assert not world.retry_tokens


# -- not found ---------------------------------------------------------------------------------------------


def test_one_not_found_on_a_retry_builds_nothing(world: Doubt) -> None:
    first = world.submission().submit(request(), Try("one", 1))
    world.not_found = 1
    again = world.submission().submit(request(), Try("two", 1))
    assert (again.arn, again.origin, len(world.images)) == (first.arn, Origin.ATTACHED, 1)


def test_a_not_found_that_lasts_fails_a_retry_and_says_what_to_do(world: Doubt) -> None:
    first = world.submission().submit(request(), Try("one", 1))
    world.not_found, began = 10_000, world.now
    with pytest.raises(ImageNotFoundError, match="clear the task that submits it") as raised:
        world.submission().submit(request(), Try("two", 1))
    assert first.arn in str(raised.value)
    assert "account and region" in str(raised.value)
    assert world.now - began >= FIND_PATIENCE
    assert len(world.images) == 1


def test_a_person_who_clears_a_task_whose_image_is_not_found_gets_another(world: Doubt) -> None:
    world.submission().submit(request(), Try("one", 1))
    world.not_found = 10_000
    assert world.submission().submit(request(), Try("two", 2)).origin is Origin.CREATED


def test_a_guard_tolerates_a_not_found_and_then_reports_it(world: Doubt) -> None:
    first = world.submission().submit(request(), Try("create 1", 1))
    guard = Submission(world, Doubt(), clock=world.clock, sleep=world.sleep)
    guard.rejoin(first.arn, Try("guard 1", 1))
    world.not_found = 1
    assert guard.rejoin(first.arn, Try("guard 2", 1)).origin is Origin.ATTACHED
    world.not_found = 10_000
    with pytest.raises(ImageNotFoundError):
        guard.rejoin(first.arn, Try("guard 3", 1))


@pytest.mark.parametrize("kind", [ForbiddenError, ThrottledError])
def test_trouble_about_the_image_of_an_earlier_try_is_no_verdict_on_a_submit(
    world: Doubt, kind: type[AwsError]
) -> None:
    world.submission().submit(request(), Try("one", 1))
    world.answer = kind("GetImage", "Trouble")
    with pytest.raises(WaitInterruptedError):
        world.submission().submit(request(), Try("two", 1))
    assert len(world.images) == 1


def test_a_not_found_while_a_clear_waits_for_the_cancel_is_tolerated(world: Doubt) -> None:
    first = world.submission().submit(request(), Try("one", 1))
    find, answers = world.get_image, iter([False, True, True])

    def lagging(arn: str) -> dict[str, Any]:
        world.not_found = int(next(answers, False))
        return find(arn)

    world.get_image = lagging  # type: ignore[method-assign]
    assert world.submission().submit(request(), Try("two", 2)).origin is Origin.REPAIRED
    assert world.cancels == [first.arn]


def test_a_repair_of_an_image_that_is_not_found_builds_nothing(world: Doubt) -> None:
    first = world.submission().submit(request(), Try("one", 1))
    world.end(first.arn, "FAILED")

    def not_found(*_: Any) -> str:
        raise NotFoundError("RetryImage", "ResourceNotFoundException", 404)

    world.retry_image = not_found  # type: ignore[method-assign,assignment]
    with pytest.raises(ImageNotFoundError):
        world.submission().submit(request(), Try("two", 1))
    assert len(world.images) == 1


# -- repairs that repeat -----------------------------------------------------------------------------------


def test_an_image_that_fails_again_in_the_same_way_is_repaired_again(world: Doubt) -> None:
    # AWS's default: a distribution without a workflow, so that nothing tells the two failures apart.
    world.list_workflow_executions = lambda _: [{"workflowExecutionId": "wf-build"}]  # type: ignore[method-assign,assignment]
    world.stage = "DISTRIBUTING"
    first = world.submission().submit(request(), Try("one", 5))
    for number in range(2, 6):
        world.end(first.arn, "FAILED")
        again = world.submission().submit(request(), Try(f"try {number}", 5))
        assert (again.origin, world.images[first.arn]["state"]["status"]) == (Origin.REPAIRED, "TESTING")
    assert len(world.retry_tokens) == 4


def test_an_image_that_is_cancelled_twice_is_repaired_twice(world: Doubt) -> None:
    guard = Submission(world, Doubt(), clock=world.clock, sleep=world.sleep)
    first = world.submission().submit(request(), Try("create 1", 1))
    guard.rejoin(first.arn, Try("guard 1", 1))
    for number in (2, 3):
        world.end(first.arn, "CANCELLED")
        assert guard.rejoin(first.arn, Try(f"guard {number}", number)).origin is Origin.REPAIRED
    assert world.images[first.arn]["life"] == 2


def test_the_image_is_announced_before_it_gets_a_new_life(world: Doubt) -> None:
    first = world.submission().submit(request(), Try("one", 1))
    world.end(first.arn, "FAILED")
    world.submission().submit(request(), Try("two", 1))
    assert world.announced == [(first.arn, "FAILED")]


def test_a_try_that_dies_after_its_repair_leaves_the_repair_alone(world: Doubt) -> None:
    first = world.submission().submit(request(), Try("one", 1))
    world.end(first.arn, "CANCELLED")
    repair = world.retry_image

    def die_after(*args: Any) -> str:
        repair(*args)
        raise KeyboardInterrupt

    world.retry_image = die_after  # type: ignore[method-assign,assignment]
    with pytest.raises(KeyboardInterrupt):
        world.submission().submit(request(), Try("two", 2))  # a clear
    again = world.submission().submit(request(), Try("three", 2))  # Airflow's retry
    assert (again.arn, again.origin, world.cancels) == (first.arn, Origin.ATTACHED, [])


# -- clears ------------------------------------------------------------------------------------------------


def test_a_clear_is_recognised_though_retries_were_lowered(world: Doubt) -> None:
    first, one = world.submission(), Try("one", 2, clears=0)
    built = first.submit(request(), one)
    world.end(built.arn, "AVAILABLE")
    first.finished(one)
    # max_tries is the tries so far plus the retries of the Dag: 1 + 1, where it was 0 + 2.
    assert world.submission().submit(request(), Try("two", 2, clears=1)).arn != built.arn


def test_a_worker_that_dies_after_it_has_finished_is_followed_by_a_retry(world: Doubt) -> None:
    first, one = world.submission(), Try("one", 2, clears=0)
    built = first.submit(request(), one)
    world.end(built.arn, "AVAILABLE")
    first.finished(one)
    assert world.submission().submit(request(), Try("two", 2, clears=0)).arn == built.arn


def test_where_clears_are_not_counted_a_try_that_has_finished_is_followed_by_a_clear(world: Doubt) -> None:
    first, one = world.submission(), Try("one", 2)
    built = first.submit(request(), one)
    world.end(built.arn, "AVAILABLE")
    first.finished(one)
    assert world.submission().submit(request(), Try("two", 2)).arn != built.arn


def test_a_clear_of_other_tasks_of_the_run_is_no_clear_of_one_that_is_being_retried(world: Doubt) -> None:
    built = world.submission().submit(request(), Try("one", 2, clears=0))
    again = world.submission().submit(request(), Try("two", 2, clears=3))
    assert (again.arn, again.origin, world.cancels) == (built.arn, Origin.ATTACHED, [])


def test_in_doubt_whether_this_task_was_cleared_no_build_is_cancelled(world: Doubt) -> None:
    # A submitter that ended well, whose worker died before Airflow noted it; then another task was cleared.
    first, one = world.submission(), Try("one", 2, clears=0)
    built = first.submit(request(), one)
    first.finished(one)
    again = world.submission().submit(request(), Try("two", 2, clears=1))
    assert (again.arn, again.origin, world.cancels) == (built.arn, Origin.ATTACHED, [])


def test_a_finish_that_cannot_be_noted_fails_nothing(world: Doubt) -> None:
    one = Try("one", 1)
    submission = world.submission()
    submission.submit(request(), one)
    world.store_down = True
    submission.finished(one)


@pytest.mark.parametrize("status", ["FAILED", "CANCELLED"])
def test_with_on_retry_fail_a_clear_builds_another_image(world: Doubt, status: str) -> None:
    first = world.submission(OnRetry.FAIL).submit(request(), Try("one", 0))
    world.end(first.arn, status)
    again = world.submission(OnRetry.FAIL).submit(request(), Try("two", 1))
    assert (again.origin, len(world.images), len(world.retry_tokens)) == (Origin.CREATED, 2, 0)


def test_with_on_retry_fail_a_guard_that_is_cleared_alone_says_what_to_clear(world: Doubt) -> None:
    guard = Submission(world, Doubt(), on_retry=OnRetry.FAIL, clock=world.clock, sleep=world.sleep)
    built = world.submission().submit(request(), Try("create 1", 1))
    guard.rejoin(built.arn, Try("guard 1", 1))
    world.end(built.arn, "FAILED")
    with pytest.raises(ImageFailedError):
        guard.rejoin(built.arn, Try("guard 2", 1))
    with pytest.raises(NotRepairableError, match="clear the whole group"):
        guard.rejoin(built.arn, Try("guard 3", 2))


def test_where_nothing_may_cancel_a_clear_attaches(world: Doubt) -> None:
    first = world.submission(cancel=False).submit(request(), Try("one", 1))
    again = world.submission(cancel=False).submit(request(), Try("two", 2))
    assert (again.arn, again.origin, world.cancels) == (first.arn, Origin.ATTACHED, [])


def test_where_nothing_may_cancel_a_guard_attaches_after_a_clear(world: Doubt) -> None:
    guard = Submission(world, Doubt(), cancel=False, clock=world.clock, sleep=world.sleep)
    first = world.submission().submit(request(), Try("create 1", 1))
    for epoch in (1, 2):
        assert guard.rejoin(first.arn, Try(f"guard {epoch}", epoch)).origin is Origin.ATTACHED
    assert world.cancels == []


# -- refusals ----------------------------------------------------------------------------------------------

REFUSALS = [
    RefusedError("CreateImage", "InvalidRequestException", 400),
    ForbiddenError("CreateImage", "AccessDeniedException", 403),
    NotFoundError("CreateImage", "ResourceNotFoundException", 404),
    QuotaExceededError("CreateImage", "ServiceQuotaExceededException", 402),
]


def refused(world: Doubt, refusal: AwsError, attempts: int = 1) -> None:
    """Let a first try be refused; AWS keeps its token with its parameters all the same."""
    create = world.create_image

    def refuse(request_: Any, token: str) -> str:
        world.tokens[token] = (request_.to_api(), "")
        refusal.attempts = attempts
        raise refusal

    world.create_image = refuse  # type: ignore[method-assign,assignment]
    with pytest.raises(type(refusal)):
        world.submission().submit(request(), Try("one", 1))
    world.create_image = create  # type: ignore[method-assign]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("epoch", [1, 2], ids=["retried", "cleared"])
def test_the_token_of_a_refused_request_is_not_in_the_way(
    world: Doubt, refusal: AwsError, epoch: int
) -> None:
    refused(world, refusal)
    assert world.submission().submit(request("ubuntu"), Try("two", epoch)).origin is Origin.CREATED
    assert len(world.images) == 1


def test_a_refusal_after_a_lost_answer_keeps_the_token(world: Doubt) -> None:
    refused(world, REFUSALS[1], attempts=2)
    token = world.kept[RECORD_KEY]["token"]
    world.tokens[token] = (
        request().to_api(),
        f"{request().image_recipe_arn}".replace("image-recipe", "image") + "/1",
    )
    world.images[world.tokens[token][1]] = {
        "arn": world.tokens[token][1],
        "type": "AMI",
        "state": {"status": "BUILDING"},
    }
    again = world.submission().submit(request(), Try("two", 1))
    assert (again.arn, len(world.images)) == (world.tokens[token][1], 1)


# -- the time that counts ----------------------------------------------------------------------------------


def test_time_counts_from_the_submit_whichever_try_waits(world: Doubt) -> None:
    first = world.submission().submit(request(), Try("one", 1))
    world.sleep(3000)
    again = world.submission().submit(request(), Try("two", 1))
    assert (first.submitted_at, again.submitted_at) == (1_000.0, 1_000.0)


def test_time_counts_again_from_a_repair(world: Doubt) -> None:
    first = world.submission().submit(request(), Try("one", 1))
    world.sleep(3000)
    world.end(first.arn, "FAILED")
    repaired = world.submission().submit(request(), Try("two", 1))
    world.sleep(100)
    attached = world.submission().submit(request(), Try("three", 1))
    assert (repaired.submitted_at, attached.submitted_at) == (4_000.0, 4_000.0)


def test_a_guards_time_counts_from_the_submit_or_its_own_repair(world: Doubt) -> None:
    guard = Submission(world, Doubt(), clock=world.clock, sleep=world.sleep)
    first = world.submission().submit(request(), Try("create 1", 1))
    world.sleep(500)
    joined = guard.rejoin(first.arn, Try("guard 1", 1), submitted_at=first.submitted_at)
    world.end(first.arn, "FAILED")
    repaired = guard.rejoin(first.arn, Try("guard 2", 1), submitted_at=first.submitted_at)
    world.sleep(50)
    attached = guard.rejoin(first.arn, Try("guard 3", 1), submitted_at=first.submitted_at)
    assert [one.submitted_at for one in (joined, repaired, attached)] == [1_000.0, 1_500.0, 1_500.0]
