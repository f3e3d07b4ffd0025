"""The operator that starts a pipeline: what it refuses, renders, checks and sends."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_imagebuilder.operators.base import ImageBuilderBaseOperator
from airflow_imagebuilder.operators.create_image import ImageBuilderCreateImageOperator
from airflow_imagebuilder.operators.retry_policy import ImageBuilderRetryPolicy
from airflow_imagebuilder.operators.start_pipeline import ImageBuilderStartPipelineOperator
from airflow_imagebuilder.service.errors import (
    DeadlineExceededError,
    ForbiddenError,
    ImageBuilderError,
    InvalidRequestError,
    PipelineNotStartedError,
    RequestChangedError,
)
from airflow_imagebuilder.service.request import Workflow
from airflow_imagebuilder.service.submission.record import RECORD_KEY
from airflow_imagebuilder.xcom import ARN_KEY, SUBMISSION_KEY
from tests.support.arns import BOOT, CIS, IMAGE, PIPELINE, PREFIX, RECIPE
from tests.support.fault_plan import ALWAYS
from tests.support.image_builder import FakeImageBuilder
from tests.support.operators import assert_defers, event, start, time_out
from tests.support.task import FakeTask, context

NEWER = RECIPE.replace("1.0.0", "2.0.0")


# -- what is refused, and when ---------------------------------------------------------------------------


def test_all_faults_are_reported_together_at_parse() -> None:
    with pytest.raises(InvalidRequestError) as error:
        start(
            FakeImageBuilder(),
            pipeline_arn=RECIPE,
            tags={},
            expected_workflows=["boot"],
            on_retry="repare",
        )
    assert {fault.field for fault in error.value.faults} == {
        "pipeline_arn",
        "tags",
        "expected_workflows[0]",
        "on_retry",
    }


def test_a_pipeline_of_another_region_than_the_call_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="region_name: got 'eu-west-1'; allowed: us-east-1"):
        start(FakeImageBuilder(), region_name="eu-west-1")
    aws = FakeImageBuilder()
    aws.region = "eu-west-1"
    with pytest.raises(InvalidRequestError, match="region of the connection 'aws_default'"):
        start(aws).execute(context())
    assert aws.calls == []


def test_templated_parameters_are_refused_once_rendered_and_before_any_call() -> None:
    aws = FakeImageBuilder()
    operator = start(
        aws,
        pipeline_arn="{{ params.pipeline }}",
        tags="{{ params.tags | tojson }}",
        expected_workflows="{{ params.workflows | tojson }}",
    )
    operator.render_template_fields({"params": {"pipeline": "golden", "tags": {}, "workflows": ["boot"]}})
    with pytest.raises(InvalidRequestError) as error:
        operator.execute(context())
    fields = {fault.field for fault in error.value.faults}
    assert fields == {"pipeline_arn", "tags", "expected_workflows[0]"}
    assert aws.calls == []


def test_a_template_may_render_json_and_empty_text_is_unset() -> None:
    aws = FakeImageBuilder("AVAILABLE")
    operator = start(
        aws,
        pipeline_arn=PREFIX + ":image-pipeline/{{ params.name }}",
        tags="{{ params.tags | tojson }}",
        expected_workflows="{{ params.none }}",
    )
    operator.render_template_fields({"params": {"name": "golden", "tags": {"team": "a"}, "none": ""}})
    operator.execute(context())
    assert aws.requests == [{"imagePipelineArn": PIPELINE, "tags": {"team": "a"}}]


def test_the_output_of_another_task_makes_that_task_upstream() -> None:
    with DAG("d", schedule=None) as dag:
        first = ImageBuilderBaseOperator(task_id="first")
        start(FakeImageBuilder(), pipeline_arn=first.output)
    assert dag.get_task("t").upstream_task_ids == {"first"}


def test_pipelines_are_mapped() -> None:
    with DAG("d", schedule=None):
        mapped = ImageBuilderStartPipelineOperator.partial(task_id="t", tags={"a": "b"}).expand(
            pipeline_arn=[PIPELINE]
        )
    made: Any = mapped.unmap({"pipeline_arn": PIPELINE})
    assert (made.pipeline_arn, made.tags) == (PIPELINE, {"a": "b"})
    assert isinstance(made.retry_policy, ImageBuilderRetryPolicy)


def test_a_wrong_argument_of_partial_is_refused_at_parse() -> None:
    with DAG("d", schedule=None), pytest.raises(InvalidRequestError, match="pipeline_arn: got"):
        ImageBuilderStartPipelineOperator.partial(task_id="t", pipeline_arn=RECIPE)


def test_it_has_every_option_of_the_operator_that_creates_images() -> None:
    import inspect

    def options(kind: type) -> set[str]:
        own = [c for c in kind.__mro__[1:] if c.__module__.startswith("airflow_imagebuilder")]
        return {name for c in own for name in inspect.signature(vars(c).get("__init__", c)).parameters}

    assert options(ImageBuilderStartPipelineOperator) == options(ImageBuilderCreateImageOperator)


# -- the start -------------------------------------------------------------------------------------------


def test_the_image_is_awaited_and_is_the_result() -> None:
    aws, task = FakeImageBuilder("BUILDING"), FakeTask()
    operator = start(aws)
    trigger = assert_defers(lambda: operator.execute(task.context))
    assert trigger.image_build_version_arn == task.xcoms[ARN_KEY] == IMAGE
    aws.finish(IMAGE, "AVAILABLE")
    assert operator.execute_complete(task.context, event())["arn"] == IMAGE
    assert [call.method for call in aws.calls[:3]] == ["get_image_pipeline", "start_pipeline", "get_image"]


def test_without_waiting_the_arn_is_the_result() -> None:
    aws, task = FakeImageBuilder("BUILDING"), FakeTask()
    assert start(aws, wait_for_completion=False).execute(task.context) == IMAGE
    assert task.xcoms[SUBMISSION_KEY]["arn"] == IMAGE
    assert task.store.kept[RECORD_KEY]["finished"] is True


def test_the_link_to_the_pipelines_is_there_though_nothing_is_started() -> None:
    aws, task = FakeImageBuilder(), FakeTask()
    operator = start(aws)
    aws.pipelines.clear()
    with pytest.raises(PipelineNotStartedError):
        operator.execute(task.context)
    assert task.xcoms["imagebuilder_pipelines_link"]["region_name"] == "us-east-1"
    assert [link.name for link in operator.operator_extra_links][-1] == "Image Builder pipelines"


def test_expected_workflows_are_compared_before_anything_is_started() -> None:
    aws, task = FakeImageBuilder("BUILDING"), FakeTask()
    operator = start(aws, expected_workflows=[Workflow(BOOT, parallel_group="functional")])
    aws.pipelines[PIPELINE]["workflows"] = [{"workflowArn": CIS}]
    with pytest.raises(PipelineNotStartedError, match="runs cis alone; declared: functional") as error:
        operator.execute(task.context)
    assert aws.requests == []
    assert ImageBuilderRetryPolicy().evaluate(error.value, 1, 3).action.value == "fail"


def test_an_empty_list_of_expected_workflows_means_awss_default_ones() -> None:
    aws, task = FakeImageBuilder("BUILDING"), FakeTask()
    operator = start(aws, expected_workflows=[])
    assert_defers(lambda: operator.execute(task.context))
    other = FakeImageBuilder("BUILDING")
    refused = start(other, expected_workflows=[])
    other.pipelines[PIPELINE]["workflows"] = [{"workflowArn": CIS}]
    with pytest.raises(PipelineNotStartedError):
        refused.execute(FakeTask().context)


def test_templates_inside_expected_workflows_are_rendered() -> None:
    aws = FakeImageBuilder("AVAILABLE")
    operator = start(aws, expected_workflows=[Workflow(BOOT.replace(PREFIX, "{{ params.prefix }}"))])
    aws.pipelines[PIPELINE]["workflows"] = [{"workflowArn": BOOT}]
    operator.render_template_fields({"params": {"prefix": PREFIX}})
    operator.execute(context())
    assert len(aws.requests) == 1


def test_a_pipeline_that_may_not_be_read_is_started() -> None:
    aws, task = FakeImageBuilder("BUILDING"), FakeTask()
    denied = ForbiddenError("GetImagePipeline", "AccessDeniedException", 403)
    aws.before("get_image_pipeline", denied, times=ALWAYS)
    operator = start(aws, expected_workflows=[Workflow(BOOT)])
    assert_defers(lambda: operator.execute(task.context))


# -- further tries -----------------------------------------------------------------------------------------


def test_a_new_try_finds_the_image_of_a_start_without_an_answer() -> None:
    aws, task = FakeImageBuilder("BUILDING"), FakeTask()
    aws.after("start_pipeline", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        start(aws).execute(task.context)
    task.next_try()
    assert_defers(lambda: start(aws).execute(task.context))
    assert list(aws.images) == [IMAGE]
    assert json.loads(json.dumps(task.store.kept[RECORD_KEY]))["definition"] == {"imageRecipeArn": RECIPE}


def test_a_new_try_with_other_tags_leaves_the_image_in_progress_alone() -> None:
    aws, task = FakeImageBuilder("BUILDING"), FakeTask()
    assert_defers(lambda: start(aws).execute(task.context))
    task.next_try()
    with pytest.raises(RequestChangedError, match="now different: tags"):
        start(aws, tags={"team": "a"}).execute(task.context)
    assert aws.cancelled == []


@pytest.mark.parametrize("changed", [False, True])
def test_a_failed_image_is_repaired_unless_the_pipeline_was_changed(changed: bool) -> None:
    aws, task = FakeImageBuilder("BUILDING"), FakeTask()
    assert_defers(lambda: start(aws).execute(task.context))
    aws.finish(IMAGE, "FAILED")
    task.next_try()
    if changed:
        aws.pipelines[PIPELINE]["imageRecipeArn"] = NEWER
    assert_defers(lambda: start(aws).execute(task.context))
    assert len(aws.images) == (2 if changed else 1)
    assert len(aws.called("retry_image")) == (0 if changed else 1)


# -- kills and deadlines -----------------------------------------------------------------------------------


def test_a_kill_while_the_pipeline_is_read_starts_nothing_that_is_left() -> None:
    aws, task = FakeImageBuilder("BUILDING"), FakeTask()
    operator = start(aws)

    def kill() -> None:
        task.state = "failed"
        operator.on_kill()

    aws.before("get_image_pipeline", kill)
    with pytest.raises(ImageBuilderError, match="killed while it submitted"):
        operator.execute(task.context)
    assert aws.cancelled == [IMAGE]


def test_the_timeout_counts_from_the_start() -> None:
    aws, task = FakeImageBuilder("BUILDING"), FakeTask()
    operator = start(aws, timeout=timedelta(seconds=60))
    trigger = assert_defers(lambda: operator.execute(task.context))
    assert trigger.deadline == task.store.kept[RECORD_KEY]["submitted_at"] + 60


def test_an_execution_timeout_while_the_pipeline_is_read_cancels_nothing() -> None:
    aws, task = FakeImageBuilder("BUILDING"), FakeTask()
    aws.before("get_image_pipeline", time_out)
    with pytest.raises(BaseException, match="execution_timeout") as error:
        start(aws).execute(task.context)
    assert not isinstance(error.value, DeadlineExceededError)
    assert aws.called("cancel_image") == aws.called("start_pipeline") == []
