"""Exactly one image, whatever dies: submits with crashes, retries and clears in any order."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from airflow_imagebuilder.service.client.outdated import method_of
from airflow_imagebuilder.service.client.tokens import random_token
from airflow_imagebuilder.service.errors import (
    ForbiddenError,
    ImageCancelledError,
    ImageFailedError,
    NotRepairableError,
    OutdatedBoto3Error,
    PipelineNotStartedError,
    RefusedError,
    RequestChangedError,
    WaitInterruptedError,
)
from airflow_imagebuilder.service.submission.decision import OnRetry
from airflow_imagebuilder.service.submission.ports import Origin, Try
from airflow_imagebuilder.service.submission.record import RECORD_KEY
from airflow_imagebuilder.service.submission.recovery import KILL_GRACE
from airflow_imagebuilder.service.submission.repair import REPAIR_GRACE, may_be_stale, repair
from tests.support.fault_plan import ALWAYS
from tests.support.submissions import (
    CRASH_POINTS,
    OPERATIONS,
    RECIPES,
    Crash,
    World,
    pipeline,
    pipeline_arn,
    recipe_arn,
)
from tests.support.task import FakeStateStore


@pytest.fixture(params=OPERATIONS)
def world(request: pytest.FixtureRequest) -> World:
    return World(request.param)


class CrashesRetriesAndClears(RuleBasedStateMachine):
    operation = "CreateImage"

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.operation)
        self.epoch, self.tries, self.recipe = 2, 0, "al2023"

    @rule(die_at=st.sampled_from(CRASH_POINTS))
    def a_try(self, die_at: str | None) -> None:
        self.tries += 1
        self.world.die_at = die_at
        known = len(self.world.aws.images)
        try:
            got = self.world.submission().submit(
                self.world.request(self.recipe), Try(f"try-{self.tries}", self.epoch)
            )
        except Crash:
            return
        except RequestChangedError as error:
            assert error.arn in self.world.aws.in_progress()  # noqa: PT017 (it is one of two good ends)
            return
        finally:
            self.world.die_at = None
        assert self.world.aws.images[got.arn]["state"]["status"] in ("BUILDING", "TESTING", "AVAILABLE")
        assert len(self.world.aws.images) <= known + 1
        assert self.world.store.kept[RECORD_KEY]["arn"] == got.arn

    @rule(kill_arrives=st.booleans())
    def a_user_clears(self, kill_arrives: bool) -> None:
        self.epoch += 1
        record = self.world.store.kept.get(RECORD_KEY) or {}
        arn = record.get("arn")
        if kill_arrives and arn in self.world.aws.in_progress():
            self.world.aws.cancel_image(arn, "on_kill")

    @precondition(lambda self: self.world.aws.in_progress())
    @rule(
        status=st.sampled_from(["AVAILABLE", "FAILED", "CANCELLED"]),
        stage=st.sampled_from(["BUILDING", "TESTING"]),
    )
    def an_image_ends(self, status: str, stage: str) -> None:
        self.world.aws.finish(self.world.aws.in_progress()[0], status, stage=stage)

    @rule(recipe=st.sampled_from(["al2023", "ubuntu"]))
    def parameters_change(self, recipe: str) -> None:
        self.recipe = recipe

    @invariant()
    def at_most_one_image_is_in_flight(self) -> None:
        assert len(self.world.aws.in_progress()) <= 1

    @invariant()
    def no_image_is_orphaned(self) -> None:
        record = self.world.store.kept.get(RECORD_KEY) or {}
        by_token = self.world.tokens.get(str(record.get("token")), ({}, ""))[1]
        for arn in self.world.aws.in_progress():
            assert arn in (record.get("arn"), by_token)


class CrashesRetriesAndClearsOfAPipeline(CrashesRetriesAndClears):
    operation = "StartImagePipelineExecution"

    @rule(name=st.sampled_from(RECIPES), version=st.integers(1, 3))
    def a_pipeline_changes(self, name: str, version: int) -> None:
        recipe = f"{recipe_arn(name).removesuffix('1.0.0')}{version}.0.0"
        self.world.aws.pipelines[pipeline_arn(name)] = pipeline(name, imageRecipeArn=recipe)

    @rule(die_at=st.sampled_from(CRASH_POINTS))
    def a_try_while_the_pipeline_does_not_exist(self, die_at: str | None) -> None:
        arn, known = pipeline_arn(self.recipe), len(self.world.aws.images)
        deleted = self.world.aws.pipelines.pop(arn)
        try:
            self.a_try(die_at)
        except PipelineNotStartedError as error:
            assert error.arn == arn  # noqa: PT017 (it is one of the good ends)
        finally:
            self.world.aws.pipelines[arn] = deleted
        assert len(self.world.aws.images) == known


OFTEN = settings(max_examples=300, stateful_step_count=20, deadline=None)
CrashesRetriesAndClears.TestCase.settings = OFTEN
CrashesRetriesAndClearsOfAPipeline.TestCase.settings = OFTEN
TestCrashesRetriesAndClears = CrashesRetriesAndClears.TestCase
TestCrashesRetriesAndClearsOfAPipeline = CrashesRetriesAndClearsOfAPipeline.TestCase


@pytest.mark.parametrize("die_at", [point for point in CRASH_POINTS if point])
def test_a_try_that_dies_anywhere_is_followed_by_one_that_finds_its_image(world: World, die_at: str) -> None:
    world.die_at = die_at
    with pytest.raises(Crash):
        world.submission().submit(world.request(), Try("one", 1))
    got = world.submission().submit(world.request(), Try("two", 1))
    assert list(world.aws.images) == [got.arn]


def test_a_retry_returns_an_available_image_and_a_clear_builds_another(world: World) -> None:
    first = world.submission().submit(world.request(), Try("one", 1))
    world.aws.finish(first.arn, "AVAILABLE")
    again = world.submission().submit(world.request(), Try("two", 1))
    cleared = world.submission().submit(world.request(), Try("three", 2))
    assert again.arn == first.arn
    assert again.origin is Origin.ATTACHED
    assert cleared.arn != first.arn


@pytest.mark.parametrize("stage", ["TESTING", "DISTRIBUTING"])
def test_a_failure_after_the_build_phase_is_repaired(world: World, stage: str) -> None:
    first = world.submission().submit(world.request(), Try("one", 1))
    world.aws.finish(first.arn, "FAILED", stage=stage)
    second = world.submission().submit(world.request(), Try("two", 1))
    assert (second.arn, second.origin) == (first.arn, Origin.REPAIRED)
    assert second.stale_until is not None
    assert second.stale_until > world.now


def test_after_a_failure_of_the_build_phase_another_image_is_built(world: World) -> None:
    first = world.submission().submit(world.request(), Try("one", 1))
    world.aws.finish(first.arn, "FAILED", stage="BUILDING")
    second = world.submission().submit(world.request(), Try("two", 1))
    assert second.origin is Origin.CREATED
    assert second.arn != first.arn
    assert not world.aws.retry_tokens


def test_a_container_image_is_never_repaired(world: World) -> None:
    first = world.submission().submit(world.request(), Try("one", 1))
    world.aws.images[first.arn]["type"] = "DOCKER"
    world.aws.finish(first.arn, "FAILED")
    assert world.submission().submit(world.request(), Try("two", 1)).origin is Origin.CREATED
    assert not world.aws.retry_tokens


def test_a_repair_of_another_task_that_aws_does_not_show_yet_is_waited_for(world: World) -> None:
    first = world.submission().submit(world.request(), Try("one", 1))
    world.aws.finish(first.arn, "FAILED")
    before = world.aws.get_image(first.arn)
    world.aws.retry_image(first.arn, "another task's")
    shown = [before, before, world.aws.get_image(first.arn)]
    world.aws.still_shown = shown
    repaired = repair(world.aws, before, "ours", clock=world.clock, sleep=world.sleep)
    assert repaired is not None
    assert (repaired.arn, repaired.origin, shown) == (first.arn, Origin.ATTACHED, [])
    assert len(world.aws.retry_tokens) == 1


def test_a_guard_that_is_cleared_with_the_submitting_task_leaves_its_repair_alone(world: World) -> None:
    guard = FakeStateStore()
    first = world.submission().submit(world.request(), Try("create 1", 1))
    world.guard(guard).rejoin(first.arn, Try("guard 1", 1), submitted_by="create 1")
    world.aws.finish(first.arn, "CANCELLED")
    again = world.submission().submit(world.request(), Try("create 2", 2))
    began = world.now
    joined = world.guard(guard).rejoin(
        again.arn, Try("guard 2", 2), stale_until=again.stale_until, submitted_by="create 2"
    )
    assert (again.origin, joined.origin, joined.stale_until) == (
        Origin.REPAIRED,
        Origin.ATTACHED,
        again.stale_until,
    )
    assert world.aws.cancelled == []
    assert world.now == began
    assert world.aws.in_progress() == [first.arn]


def test_a_guard_that_is_cleared_alone_waits_for_the_kill_and_repairs(world: World) -> None:
    guard = FakeStateStore()
    first = world.submission().submit(world.request(), Try("create 1", 1))
    for epoch in (1, 2):
        joined = world.guard(guard).rejoin(first.arn, Try(f"guard {epoch}", epoch), submitted_by="create 1")
    assert world.aws.cancelled == [first.arn]
    assert joined.origin is Origin.REPAIRED
    assert world.aws.in_progress() == [first.arn]


def test_a_new_failure_soon_after_the_submitters_repair_is_repaired_by_the_guards_retry(world: World) -> None:
    first = world.submission().submit(world.request(), Try("create 1", 1))
    world.aws.finish(first.arn, "FAILED")
    again = world.submission().submit(world.request(), Try("create 2", 2))
    known: dict[str, Any] = {
        "stale_until": again.stale_until,
        "stale_failure": again.stale_failure,
        "submitted_by": "create 2",
    }
    guarding = world.guard()
    guarding.rejoin(first.arn, Try("guard 1", 2), **known)
    world.aws.finish(first.arn, "FAILED")  # another workflow execution failed than the one that was repaired
    assert world.now < (again.stale_until or 0.0)
    assert guarding.rejoin(first.arn, Try("guard 2", 2), **known).origin is Origin.REPAIRED
    assert world.aws.in_progress() == [first.arn]


def test_a_guard_that_is_cleared_alone_soon_after_the_submitters_repair_repairs_too(world: World) -> None:
    first = world.submission().submit(world.request(), Try("create 1", 1))
    world.aws.finish(first.arn, "FAILED")
    again = world.submission().submit(world.request(), Try("create 2", 2))
    guarding = world.guard()
    for epoch in (2, 3):
        joined = guarding.rejoin(
            first.arn, Try(f"guard {epoch}", epoch), stale_until=again.stale_until, submitted_by="create 2"
        )
    assert world.now < (again.stale_until or 0.0)
    assert (world.aws.cancelled, joined.origin) == ([first.arn], Origin.REPAIRED)


@pytest.mark.parametrize("status", ["AVAILABLE", "FAILED"])
def test_a_clear_builds_another_image_though_the_finished_one_was_not_known(
    status: str, world: World
) -> None:
    world.die_at = "after create"
    with pytest.raises(Crash):
        world.submission(OnRetry.FAIL).submit(world.request(), Try("one", 0))
    (first,) = world.aws.images
    world.aws.finish(first, status)
    second = world.submission(OnRetry.FAIL).submit(world.request(), Try("two", 1))
    assert (second.origin, len(world.aws.images)) == (Origin.CREATED, 2)
    assert second.arn != first


@pytest.mark.parametrize("code", ["NoCredentialsError", "InvalidClientTokenId", "Unknown"])
def test_trouble_with_credentials_at_a_repair_builds_no_new_image(code: str, world: World) -> None:
    first = world.submission().submit(world.request(), Try("one", 1))
    world.aws.finish(first.arn, "FAILED")
    world.aws.before("retry_image", ForbiddenError("RetryImage", code))
    with pytest.raises(WaitInterruptedError, match=code):
        world.submission().submit(world.request(), Try("two", 1))
    assert list(world.aws.images) == [first.arn]
    assert world.submission().submit(world.request(), Try("three", 1)).origin is Origin.REPAIRED


def test_a_guard_whose_image_cannot_be_repaired_says_what_to_clear(world: World) -> None:
    first = world.submission().submit(world.request(), Try("create 1", 1))
    guarding = world.guard()
    guarding.rejoin(first.arn, Try("guard 1", 1), submitted_by="create 1")
    world.aws.finish(first.arn, "FAILED", stage="BUILDING")
    with pytest.raises(NotRepairableError, match="clear the whole group") as raised:
        guarding.rejoin(first.arn, Try("guard 2", 1), submitted_by="create 1")
    assert isinstance(raised.value.ended, ImageFailedError)
    assert first.arn in str(raised.value)


def test_a_repair_that_is_refused_because_another_task_did_it_attaches(world: World) -> None:
    first = world.submission().submit(world.request(), Try("one", 1))
    world.aws.finish(first.arn, "CANCELLED")
    seen = world.aws.get_image(first.arn)
    world.aws.retry_image(first.arn, "a person")
    repaired = repair(world.aws, seen, "ours", clock=world.clock, sleep=world.sleep)
    assert repaired is not None
    assert repaired.origin is Origin.ATTACHED
    assert len(world.aws.images) == 1


@pytest.mark.parametrize(
    ("status", "error"), [("FAILED", ImageFailedError), ("CANCELLED", ImageCancelledError)]
)
def test_on_retry_fail_changes_nothing(world: World, status: str, error: type[Exception]) -> None:
    first = world.submission().submit(world.request(), Try("one", 1))
    world.aws.finish(first.arn, status)
    with pytest.raises(error, match=first.arn):
        world.submission(OnRetry.FAIL).submit(world.request(), Try("two", 1))
    assert len(world.aws.images) == 1
    assert not world.aws.retry_tokens


def test_on_retry_rebuild_never_repairs(world: World) -> None:
    first = world.submission().submit(world.request(), Try("one", 1))
    world.aws.finish(first.arn, "FAILED")
    assert world.submission(OnRetry.REBUILD).submit(world.request(), Try("two", 1)).arn != first.arn
    assert not world.aws.retry_tokens


def test_a_clear_waits_for_the_kill_before_it_cancels_itself(world: World) -> None:
    first = world.submission().submit(world.request(), Try("one", 1))
    began = world.now
    world.submission().submit(world.request(), Try("two", 2))
    assert world.aws.cancelled == [first.arn]
    assert world.now - began >= KILL_GRACE


def test_a_clear_whose_kill_arrived_cancels_nothing_more(world: World) -> None:
    first = world.submission().submit(world.request(), Try("one", 1))
    world.aws.cancel_image(first.arn, "on_kill")
    world.submission().submit(world.request(), Try("two", 2))
    assert world.aws.cancelled == [first.arn]


def test_changed_parameters_name_what_changed_and_what_to_do(world: World) -> None:
    first = world.submission().submit(world.request(), Try("one", 1))
    with pytest.raises(RequestChangedError) as raised:
        world.submission().submit(world.request("ubuntu"), Try("two", 1))
    assert raised.value.changed == (world.member,)
    assert f"cancel-image-creation --image-build-version-arn {first.arn}" in str(raised.value)
    assert len(world.aws.images) == 1


def test_changed_parameters_after_a_lost_arn_find_the_first_image(world: World) -> None:
    world.die_at = "after create"
    with pytest.raises(Crash):
        world.submission().submit(world.request(), Try("one", 1))
    with pytest.raises(RequestChangedError):
        world.submission().submit(world.request("ubuntu"), Try("two", 1))
    assert len(world.aws.images) == 1


@pytest.mark.parametrize("operation", OPERATIONS)
def test_tries_of_two_tasks_never_share_a_token(operation: str) -> None:
    one, other = World(operation), World(operation)
    one.submission().submit(one.request(), Try("seed-1", 1))
    other.submission().submit(other.request(), Try("seed-2", 1))
    assert set(one.tokens).isdisjoint(other.tokens)
    assert all(1 <= len(token) <= 64 for token in {*one.tokens, *other.tokens})


def test_a_token_is_as_short_as_the_oldest_model_demands(world: World) -> None:
    first = world.submission().submit(world.request(), Try("one", 1))
    world.aws.finish(first.arn, "FAILED")
    world.submission().submit(world.request(), Try("two", 1))
    assert {len(token) for token in (*world.tokens, *world.aws.retry_tokens, random_token())} == {36}


def test_the_same_try_without_a_store_sends_the_same_token(world: World) -> None:
    first = world.submission().submit(world.request(), Try("one", 1))
    world.store.kept.clear()
    assert world.submission().submit(world.request(), Try("one", 1)).arn == first.arn


def test_instead_of_a_deleted_image_another_one_is_built(world: World) -> None:
    first = world.submission().submit(world.request(), Try("one", 1))
    world.aws.finish(first.arn, "DELETED")
    refusal = RefusedError("RetryImage", "InvalidRequestException")
    world.aws.before("retry_image", refusal, times=ALWAYS)
    assert world.submission().submit(world.request(), Try("two", 1)).origin is Origin.CREATED


# -- an older boto3 ----------------------------------------------------------------------------------------


def without_retry_image(world: World) -> None:
    """Let the installed boto3 lack RetryImage."""
    with pytest.raises(OutdatedBoto3Error) as raised:
        method_of(object(), "retry_image")
    world.aws.before("retry_image", raised.value, times=ALWAYS)


@pytest.mark.parametrize("epoch", [1, 2], ids=["a retry", "a clear"])
@pytest.mark.parametrize("status", ["FAILED", "CANCELLED"])
def test_a_boto3_without_retry_image_builds_a_new_image_and_says_why(
    world: World, status: str, epoch: int, caplog: pytest.LogCaptureFixture
) -> None:
    without_retry_image(world)
    first = world.submission().submit(world.request(), Try("one", 1))
    world.aws.finish(first.arn, status)
    second = world.submission().submit(world.request(), Try("two", epoch))
    assert (second.origin, len(world.aws.images)) == (Origin.CREATED, 2)
    assert len(world.aws.called("retry_image")) == 1
    (line,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert f"Image {first.arn} is not repaired, a new one is built instead: RetryImage needs boto3" in line
    assert "1.41.1 or newer" in line
    assert "install a newer boto3" in line
    # The next retry has the new image, and repairs nothing before it ends badly too.
    assert world.submission().submit(world.request(), Try("three", epoch)).arn == second.arn


def test_a_guard_with_a_boto3_without_retry_image_cannot_repair_and_says_why(world: World) -> None:
    without_retry_image(world)
    first = world.submission().submit(world.request(), Try("create 1", 1))
    guarding = world.guard()
    guarding.rejoin(first.arn, Try("guard 1", 1), submitted_by="create 1")
    world.aws.finish(first.arn, "FAILED")
    for number in (2, 3):  # another try is refused in the same way
        with pytest.raises(NotRepairableError, match=r"RetryImage needs boto3 1\.41\.1 or newer") as raised:
            guarding.rejoin(first.arn, Try(f"guard {number}", 1), submitted_by="create 1")
        assert isinstance(raised.value.ended, ImageFailedError)
        assert "clear the task that submitted this one" in str(raised.value)
        assert "install a newer boto3" in str(raised.value)
    assert list(world.aws.images) == [first.arn]


def test_a_build_whose_stage_aws_does_not_show_is_built_again_where_retry_image_is_refused(
    world: World,
) -> None:
    first = world.submission().submit(world.request(), Try("one", 1))
    world.aws.finish(first.arn, "FAILED", stage=None)
    refusal = RefusedError("RetryImage", "InvalidRequestException", 400, "it failed in BUILDING")
    world.aws.before("retry_image", refusal, times=ALWAYS)
    second = world.submission().submit(world.request(), Try("two", 1))
    assert (second.origin, len(world.aws.called("retry_image"))) == (Origin.CREATED, 1)


def test_a_test_whose_stage_aws_does_not_show_is_repaired(world: World) -> None:
    first = world.submission().submit(world.request(), Try("one", 1))
    world.aws.finish(first.arn, "FAILED", stage=None)
    second = world.submission().submit(world.request(), Try("two", 1))
    assert (second.arn, second.origin) == (first.arn, Origin.REPAIRED)


@pytest.mark.parametrize("failed_before", ["", "wf-1"], ids=["an older boto3", "a newer boto3"])
def test_without_a_named_execution_a_failure_counts_once_its_grace_is_over(
    world: World, failed_before: str
) -> None:
    image = {"state": {"status": "FAILED"}}
    until = world.now + REPAIR_GRACE
    assert may_be_stale(image, until, failed_before, world.now)
    assert not may_be_stale(image, until, failed_before, until)
