"""A pipeline that others change, delete or forbid between two tries, and what is checked before its start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_imagebuilder.service.client.tokens import token_for
from airflow_imagebuilder.service.errors import (
    Fault,
    ForbiddenError,
    NotFoundError,
    OutdatedBoto3Error,
    PipelineNotStartedError,
    RequestChangedError,
    TransientError,
)
from airflow_imagebuilder.service.request import PipelineRequest, Workflow
from airflow_imagebuilder.service.submission.decision import OnRetry
from airflow_imagebuilder.service.submission.pipeline import DEFINITION, Pipeline
from airflow_imagebuilder.service.submission.ports import Origin, Try
from airflow_imagebuilder.service.submission.record import RECORD_KEY, SubmissionRecord
from tests.support.arns import BOOT, CIS
from tests.support.fault_plan import ALWAYS
from tests.support.submissions import Crash, World, pipeline, pipeline_arn, recipe_arn

if TYPE_CHECKING:
    from collections.abc import Sequence

ARN = pipeline_arn()
FORBIDDEN = ForbiddenError("GetImagePipeline", "AccessDeniedException", 403, "not allowed")
NEWER = recipe_arn("al2023").replace("1.0.0", "2.0.0")


@pytest.fixture
def world() -> World:
    return World("StartImagePipelineExecution")


def submit(world: World, seed: str, epoch: int = 1, **options: Any) -> Any:
    return world.submission(**options).submit(world.request(), Try(seed, epoch))


def change(world: World, **members: Any) -> None:
    """Let a person change the pipeline."""
    world.aws.pipelines[ARN] = pipeline(**members)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


# -- before the start --------------------------------------------------------------------------------------


def test_a_pipeline_that_does_not_exist_is_an_error_that_names_it(world: World) -> None:
    del world.aws.pipelines[ARN]
    with pytest.raises(
        PipelineNotStartedError, match=r"Pipeline al2023 was not started: AWS does not find"
    ) as e:
        submit(world, "one")
    assert ARN in str(e.value)
    assert "account and region" in str(e.value)
    assert (world.aws.called("start_pipeline"), world.store.kept) == ([], {})


def test_a_pipeline_without_a_recipe_is_not_started(world: World) -> None:
    change(world, imageRecipeArn="")
    with pytest.raises(PipelineNotStartedError, match=r"names no recipe.*\n.*\n.*UpdateImagePipeline"):
        submit(world, "one")
    assert (world.aws.called("start_pipeline"), world.store.kept) == ([], {})


def test_a_disabled_pipeline_is_started_and_the_log_says_so(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    change(world, status="DISABLED")
    assert submit(world, "one").origin is Origin.CREATED
    assert f"Pipeline {ARN} is DISABLED: its schedule is off. AWS starts it all the same." in caplog.messages


def test_a_pipeline_that_may_not_be_read_is_started_with_a_warning(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.aws.before("get_image_pipeline", FORBIDDEN, times=ALWAYS)
    assert submit(world, "one").origin is Origin.CREATED
    (line,) = warnings(caplog)
    assert "started all the same" in line
    assert "imagebuilder:GetImagePipeline" in line
    assert world.store.kept[RECORD_KEY]["definition"] is None


def test_trouble_of_reading_starts_nothing_and_the_next_try_does(world: World) -> None:
    trouble = TransientError("GetImagePipeline", "ServiceUnavailableException", 503)
    world.aws.before("get_image_pipeline", trouble)
    with pytest.raises(TransientError):
        submit(world, "one")
    assert world.aws.called("start_pipeline") == []
    assert submit(world, "two").origin is Origin.CREATED


def test_the_definition_is_stored_with_the_token_and_schedule_and_status_are_not(world: World) -> None:
    change(world, status="DISABLED", schedule={"scheduleExpression": "rate(1 day)"}, tags={"a": "b"})
    world.die_at = "after token"
    with pytest.raises(Crash):
        submit(world, "one")
    stored = world.store.kept[RECORD_KEY]
    assert stored["token"]
    assert set(stored["definition"]) == {"imageRecipeArn", "infrastructureConfigurationArn"}
    assert set(stored["definition"]) < set(DEFINITION)


# -- between two tries -------------------------------------------------------------------------------------


def test_an_image_in_progress_of_a_pipeline_that_was_changed_is_awaited_with_a_warning(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    first = submit(world, "one")
    change(world, imageRecipeArn=NEWER, executionRole="another")
    again = submit(world, "two")
    assert (again.arn, again.origin) == (first.arn, Origin.ATTACHED)
    (line,) = warnings(caplog)
    assert "(executionRole, imageRecipeArn)" in line
    assert f"Image {first.arn} is building what the pipeline was when it was started" in line


def test_an_unchanged_pipeline_warns_of_nothing(world: World, caplog: pytest.LogCaptureFixture) -> None:
    submit(world, "one")
    change(world, status="DISABLED", dateLastRun="2026-01-01", lastRunStatus="FAILED", tags={"new": "tag"})
    submit(world, "two")
    assert warnings(caplog) == []


@pytest.mark.parametrize("epoch", [1, 2], ids=["a retry", "a clear"])
@pytest.mark.parametrize("status", ["FAILED", "CANCELLED"])
def test_a_changed_pipeline_is_started_again_instead_of_a_repair(
    world: World, status: str, epoch: int, caplog: pytest.LogCaptureFixture
) -> None:
    first = submit(world, "one")
    world.aws.finish(first.arn, status)
    change(world, imageRecipeArn=NEWER)
    again = submit(world, "two", epoch)
    assert (again.origin, len(world.aws.images)) == (Origin.CREATED, 2)
    assert world.aws.called("retry_image") == []
    (line,) = warnings(caplog)
    assert "(imageRecipeArn)" in line
    assert "RetryImage would repeat the definition" in line
    # The next failure is of the new definition, and is repaired.
    world.aws.finish(again.arn, "FAILED")
    assert submit(world, "three", epoch).origin is Origin.REPAIRED


def test_a_succeeded_image_is_taken_whatever_became_of_the_pipeline(world: World) -> None:
    first = submit(world, "one")
    world.aws.finish(first.arn, "AVAILABLE")
    change(world, imageRecipeArn=NEWER)
    assert submit(world, "two").arn == first.arn
    del world.aws.pipelines[ARN]
    assert submit(world, "three").arn == first.arn


def test_with_on_retry_fail_a_changed_pipeline_is_not_started_again(world: World) -> None:
    first = submit(world, "one")
    world.aws.finish(first.arn, "FAILED")
    change(world, imageRecipeArn=NEWER)
    with pytest.raises(Exception, match=first.arn):
        submit(world, "two", on_retry=OnRetry.FAIL)
    assert len(world.aws.images) == 1


@pytest.mark.parametrize("status", ["BUILDING", "FAILED"])
def test_a_deleted_pipeline_is_not_needed_to_wait_or_to_repair(world: World, status: str) -> None:
    first = submit(world, "one")
    if status == "FAILED":
        world.aws.finish(first.arn, status)
    del world.aws.pipelines[ARN]
    again = submit(world, "two")
    assert again.arn == first.arn
    assert again.origin is (Origin.REPAIRED if status == "FAILED" else Origin.ATTACHED)


def test_a_deleted_pipeline_that_has_to_be_started_again_is_an_error_that_names_it(world: World) -> None:
    first = submit(world, "one")
    world.aws.finish(first.arn, "FAILED", stage="BUILDING")
    del world.aws.pipelines[ARN]
    with pytest.raises(PipelineNotStartedError, match="make it again"):
        submit(world, "two")
    # Once it exists again, a try starts it.
    change(world)
    assert submit(world, "three").origin is Origin.CREATED


@pytest.mark.parametrize(
    "trouble", [FORBIDDEN, TransientError("GetImagePipeline", "ServiceUnavailableException", 503)]
)
def test_on_a_retry_a_pipeline_that_cannot_be_read_counts_as_unchanged(
    world: World, trouble: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    first = submit(world, "one")
    world.aws.finish(first.arn, "FAILED")
    world.aws.before("get_image_pipeline", trouble, times=ALWAYS)
    assert submit(world, "two").origin is Origin.REPAIRED
    assert any("is not known" in line for line in warnings(caplog))


def test_a_start_whose_answer_was_lost_is_found_though_the_pipeline_was_changed(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.die_at = "after create"
    with pytest.raises(Crash):
        submit(world, "one")
    change(world, imageRecipeArn=NEWER)
    again = submit(world, "two")
    assert (list(world.aws.images), again.origin) == ([again.arn], Origin.ATTACHED)
    assert any("was changed since an earlier try read it" in line for line in warnings(caplog))


def test_a_start_whose_answer_was_lost_and_whose_pipeline_is_gone_says_that_an_image_may_build(
    world: World,
) -> None:
    world.die_at = "after create"
    with pytest.raises(Crash):
        submit(world, "one")
    del world.aws.pipelines[ARN]
    with pytest.raises(PipelineNotStartedError, match="an earlier try may have started it"):
        submit(world, "two")
    change(world)
    assert submit(world, "three").arn == next(iter(world.aws.images))
    assert len(world.aws.images) == 1


def test_changed_tags_are_refused_while_the_image_is_in_progress(world: World) -> None:
    first = submit(world, "one")
    tagged = PipelineRequest(pipeline_arn=ARN, tags={"team": "platform"})
    with pytest.raises(RequestChangedError) as error:
        world.submission().submit(tagged, Try("two", 1))
    assert (error.value.arn, error.value.changed) == (first.arn, ("tags",))


def test_two_tasks_that_start_one_pipeline_at_once_have_an_image_each(world: World) -> None:
    other = World("StartImagePipelineExecution")
    other.aws = world.aws
    world.aws.before("start_pipeline", lambda: None)
    arns = {submit(one, seed).arn for one, seed in ((world, "task 1"), (other, "task 2"))}
    assert arns == set(world.aws.images)
    assert len(arns) == 2
    assert submit(world, "task 1, again").arn != submit(other, "task 2, again").arn
    assert len(world.aws.images) == 2


# -- another operation, another release ----------------------------------------------------------------------


@pytest.mark.parametrize("arrived", [True, False])
@pytest.mark.parametrize("first", ["CreateImage", "StartImagePipelineExecution"])
def test_a_task_that_became_one_of_the_other_operation_builds_no_second_image(
    first: str, arrived: bool
) -> None:
    """A token belongs to one operation: sent with the other one, AWS would build a second image."""
    before = World(first)
    before.die_at = "after create" if arrived else "before create"
    with pytest.raises(Crash):
        before.submission().submit(before.request(), Try("one", 1))
    after = World("CreateImage" if first != "CreateImage" else "StartImagePipelineExecution")
    with pytest.raises(RequestChangedError):
        before.submission().submit(after.request(), Try("two", 1))
    assert len(before.aws.images) == 1
    # A person clears the task: the image is cancelled, and the other operation builds its own.
    assert before.submission().submit(after.request(), Try("three", 2)).origin is Origin.CREATED
    assert len(before.aws.in_progress()) == 1


def test_a_record_of_the_first_release_is_read(world: World) -> None:
    stored = {
        "epoch": 1,
        "clears": 0,
        "finished": False,
        "submitted_at": 900.0,
        "token": token_for("one", "1"),
        "request": world.request().to_api(),
        "count": 1,
        "arn": None,
        "refused": False,
        "sent": [],
    }
    world.store.kept[RECORD_KEY] = stored
    record = SubmissionRecord.load(world.store)
    assert record is not None
    assert (record.token, record.definition) == (stored["token"], None)
    assert submit(world, "two").origin is Origin.ATTACHED


def test_a_start_that_the_installed_boto3_could_not_send_has_started_nothing(world: World) -> None:
    fault = Fault("StartImagePipelineExecution.tags", None, "boto3 1.40.41 or newer", "install it")
    world.aws.before("start_pipeline", OutdatedBoto3Error([fault]))
    with pytest.raises(OutdatedBoto3Error):
        submit(world, "one")
    first = world.aws.called("get_image_pipeline")
    del world.aws.pipelines[ARN]
    with pytest.raises(PipelineNotStartedError) as error:
        submit(world, "two", epoch=2)
    assert "an earlier try may have started it" not in str(error.value)
    change(world)
    assert submit(world, "two", epoch=2).origin is Origin.CREATED
    assert len(world.aws.called("get_image_pipeline")) == len(first) + 2  # checked before each start


# -- the workflows that a task group draws -------------------------------------------------------------------


def checked(world: World, *declared: Workflow, **members: Any) -> Sequence[str]:
    """Return the differences that forbid the start."""
    change(world, **members)
    try:
        Pipeline(world.aws, ARN, declared=declared).checked()
    except PipelineNotStartedError as error:
        return error.differences
    return ()


def test_what_a_group_draws_is_compared_before_the_start(world: World) -> None:
    runs = [{"workflowArn": BOOT, "parallelGroup": "functional"}, {"workflowArn": CIS}]
    fitting = (Workflow(BOOT, parallel_group="functional"), Workflow(CIS))
    assert checked(world, *fitting, workflows=runs) == ()
    (line,) = checked(world, *reversed(fitting), workflows=runs)
    assert line == (
        "test_groups: the pipeline runs functional (boot), then cis alone; declared: cis alone, then "
        "functional (boot)"
    )


def test_a_group_starts_a_pipeline_that_it_may_not_read(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.aws.before("get_image_pipeline", FORBIDDEN)
    assert Pipeline(world.aws, ARN, declared=[Workflow(BOOT)]).checked() is None
    assert any("that are declared is not known" in line for line in warnings(caplog))


def test_a_pipeline_that_is_deleted_right_before_its_start_may_be_started_later(world: World) -> None:
    world.aws.before(
        "start_pipeline", NotFoundError("StartImagePipelineExecution", "ResourceNotFoundException")
    )
    with pytest.raises(NotFoundError):
        submit(world, "one")
    assert world.store.kept[RECORD_KEY]["refused"] is True
    assert submit(world, "two").origin is Origin.CREATED
