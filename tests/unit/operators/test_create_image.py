"""The operators without a server: what they refuse, submit, wait for, tell and cancel."""

from __future__ import annotations

import time
from collections import defaultdict
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG, Asset
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, TaskDeferred

from airflow_imagebuilder.operators.await_image import ImageBuilderAwaitImageOperator
from airflow_imagebuilder.operators.base import ImageBuilderBaseOperator
from airflow_imagebuilder.operators.create_image import ImageBuilderCreateImageOperator
from airflow_imagebuilder.operators.monitor_workflow import ImageBuilderMonitorWorkflowOperator
from airflow_imagebuilder.operators.retry_policy import ImageBuilderRetryPolicy
from airflow_imagebuilder.operators.waiting import MAX_RESUMES
from airflow_imagebuilder.service.errors import (
    DeadlineExceededError,
    ForbiddenError,
    ImageBuilderError,
    ImageCancelledError,
    ImageFailedError,
    InvalidRequestError,
    MalformedAnswerError,
    NotFoundError,
    RefusedError,
    TestsFailedError,
    ThrottledError,
)
from airflow_imagebuilder.service.request.image_request import FIELDS, ImageRequest
from airflow_imagebuilder.service.request.test_choice import choose_tests
from airflow_imagebuilder.service.request.workflows import Workflow
from airflow_imagebuilder.triggers.image import ImageBuilderImageTrigger
from airflow_imagebuilder.triggers.workflow import ImageBuilderWorkflowTrigger
from airflow_imagebuilder.xcom import as_time

if TYPE_CHECKING:
    from collections.abc import Mapping

HERE = "arn:aws:imagebuilder:us-east-1:123456789012"
ARN = f"{HERE}:image/golden/1.0.0/1"
RECIPE = f"{HERE}:image-recipe/golden/1.0.0"
BASE: dict[str, Any] = {
    "image_recipe_arn": RECIPE,
    "infrastructure_configuration_arn": f"{HERE}:infrastructure-configuration/build",
}
BUILD, BOOT, USERS = (
    f"{HERE}:workflow/{name}/1.0.0/1" for name in ("build/golden-build", "test/boot", "test/users")
)


class Hook:
    """An Image Builder with one image."""

    def __init__(self, status: str = "BUILDING", **state: Any) -> None:
        self.image: dict[str, Any] = {
            "arn": ARN,
            "name": "golden",
            "version": "1.0.0/1",
            "type": "AMI",
            "state": {"status": status, **state},
        }
        self.executions: list[dict[str, Any]] = []
        self.requests: list[dict[str, Any]] = []
        self.cancelled: list[str] = []
        self.deleted: list[str] = []
        self.asked_steps: list[str] = []
        self.steps: list[dict[str, Any]] = []
        self.refusal: Exception | None = None
        self.ends_as = "CANCELLED"

    def create_image(self, request: ImageRequest, client_token: str) -> str:
        self.requests.append(request.to_api())
        return ARN

    def get_image(self, arn: str, **_: Any) -> dict[str, Any]:
        if arn != ARN:
            raise NotFoundError("GetImage", "ResourceNotFoundException", 404, arn)
        return self.image

    def cancel_image(self, arn: str, client_token: str) -> str:
        if self.refusal:
            raise self.refusal
        self.cancelled.append(arn)
        self.image["state"] = {"status": self.ends_as}
        return arn

    def delete_outputs(self, image: Mapping[str, Any]) -> list[str]:
        self.deleted.append(image["arn"])
        return []

    def list_workflow_executions(self, arn: str) -> list[dict[str, Any]]:
        return self.executions

    def list_workflow_step_executions(self, execution_id: str) -> list[dict[str, Any]]:
        self.asked_steps.append(execution_id)
        return self.steps


class Ti:
    """As much of a task instance as the operators touch."""

    dag_id, run_id, task_id, map_index, try_number, max_tries, id = "d", "r", "t", -1, 1, 0, "uuid"
    start_date = datetime(2026, 1, 1, tzinfo=timezone.utc)

    def __init__(self) -> None:
        self.xcoms: dict[str, Any] = {}
        self.state = "running"

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcoms[key] = value

    def get_task_states(self, **_: Any) -> dict[str, dict[str, str]]:
        return {"r": {"t": self.state}}


class StateStore(dict[str, Any]):
    """The task state store."""

    def set(self, key: str, value: Any) -> None:
        self[key] = value


def context(**more: Any) -> Any:
    events: Any = defaultdict(lambda: SimpleNamespace(extra=None))
    return {"ti": Ti(), "task_state_store": StateStore(), "outlet_events": events, **more}


def given(hook: Hook, operator: Any) -> Any:
    """Let an operator talk to this Image Builder."""
    operator.__dict__["hook"] = hook
    return operator


def create(hook: Hook | None = None, **options: Any) -> Any:
    return given(hook or Hook(), ImageBuilderCreateImageOperator(task_id="t", **{**BASE, **options}))


def guard(hook: Hook, **options: Any) -> Any:
    return given(
        hook, ImageBuilderAwaitImageOperator(task_id="t", **{"image_build_version_arn": ARN, **options})
    )


def monitor(hook: Hook, **options: Any) -> Any:
    wanted = {"image_build_version_arn": ARN, "workflow": "boot", "parallel_group": "f", **options}
    return given(hook, ImageBuilderMonitorWorkflowOperator(task_id="t", **wanted))


def execution(arn: str, status: str, number: str = "wf-1", **more: Any) -> dict[str, Any]:
    kind = arn.split(":workflow/")[1].split("/", maxsplit=1)[0].upper()
    return {
        "workflowBuildVersionArn": arn,
        "workflowExecutionId": number,
        "type": kind,
        "status": status,
        **more,
    }


def event(outcome: str = "ended", message: str = "") -> dict[str, Any]:
    return {"image_build_version_arn": ARN, "outcome": outcome, "status": None, "message": message}


# -- what is refused, and when -----------------------------------------------------------------------------

BAD: list[tuple[dict[str, Any], str]] = [
    ({"container_recipe_arn": f"{HERE}:container-recipe/golden/1.0.0"}, "container_recipe_arn"),
    ({"image_recipe_arn": None}, "image_recipe_arn"),
    ({"image_recipe_arn": f"{HERE}:container-recipe/golden/1.0.0"}, "image_recipe_arn"),
    ({"image_recipe_arn": f"{HERE}:image-recipe/Golden/1.0.0"}, "image_recipe_arn"),
    ({"workflows": [Workflow(BOOT)] * 11, "execution_role": "r"}, "workflows"),
    ({"workflows": [Workflow(BUILD, parallel_group="f")], "execution_role": "r"}, "parallel_group"),
    ({"workflows": [Workflow(BOOT, parallel_group="f" * 101)], "execution_role": "r"}, "parallel_group"),
    ({"workflows": [Workflow(BOOT, on_failure="IGNORE")], "execution_role": "r"}, "on_failure"),
    ({"workflows": [Workflow(BOOT)]}, "execution_role"),
    ({"tags": {}}, "tags"),
]


@pytest.mark.parametrize(("options", "field"), BAD, ids=lambda value: value if isinstance(value, str) else "")
def test_bad_input_is_refused_at_parse(options: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequestError) as error:
        create(**options)
    assert any(field in fault.field for fault in error.value.faults), error.value


def test_all_faults_are_told_together() -> None:
    with pytest.raises(InvalidRequestError) as error:
        create(tags={}, workflows=[Workflow(BUILD, parallel_group="f")])
    assert {fault.field for fault in error.value.faults} == {
        "tags",
        "workflows[0].parallel_group",
        "execution_role",
    }


def test_what_is_templated_is_refused_when_rendered_and_before_the_call() -> None:
    hook = Hook()
    operator = create(hook, image_recipe_arn="{{ params.recipe }}", tags="{{ params.tags | tojson }}")
    operator.render_template_fields({"params": {"recipe": "golden", "tags": {}}})
    with pytest.raises(InvalidRequestError) as error:
        operator.execute(context())
    assert {fault.field for fault in error.value.faults} == {"image_recipe_arn", "tags"}
    assert hook.requests == []


def test_the_rest_is_checked_at_parse_beside_a_template() -> None:
    with pytest.raises(InvalidRequestError, match="tags"):
        create(image_recipe_arn="{{ params.recipe }}", tags={})


def test_the_output_of_another_task_is_taken_and_waited_for() -> None:
    with DAG("d", schedule=None) as dag:
        first = ImageBuilderBaseOperator(task_id="first")
        create(image_recipe_arn=first.output, tags=first.output)
    assert dag.get_task("t").upstream_task_ids == {"first"}


@pytest.mark.parametrize(
    "request_", [ImageRequest(**BASE), ImageRequest(**BASE).to_api()], ids=["record", "api"]
)
def test_a_request_is_spread_over_the_members(request_: Any) -> None:
    operator = ImageBuilderCreateImageOperator(task_id="t", request=request_)
    assert {name: getattr(operator, name) for name in BASE} == BASE


def test_a_request_and_members_at_once_are_refused() -> None:
    with pytest.raises(InvalidRequestError, match="either request or single members") as error:
        ImageBuilderCreateImageOperator(task_id="t", request=ImageRequest(**BASE), image_recipe_arn=RECIPE)
    assert [fault.field for fault in error.value.faults] == ["image_recipe_arn"]


def test_a_request_that_is_known_only_later_is_refused_with_the_way_out() -> None:
    with DAG("d", schedule=None):
        first = ImageBuilderBaseOperator(task_id="first")
        with pytest.raises(InvalidRequestError, match="give single members instead"):
            ImageBuilderCreateImageOperator(task_id="t", request=first.output)  # type: ignore[arg-type]


def test_every_member_of_create_image_is_a_template() -> None:
    assert set(FIELDS) <= set(ImageBuilderCreateImageOperator.template_fields)


# -- templates ---------------------------------------------------------------------------------------------


def test_templates_are_rendered_inside_of_workflows() -> None:
    hook = Hook("AVAILABLE")
    arn = BOOT.replace(HERE, "{{ params.prefix }}")
    workflows = [Workflow(arn, parameters={"level": ["{{ params.level }}"]}, parallel_group="f")]
    operator = create(hook, workflows=workflows, execution_role="r")
    operator.render_template_fields({"params": {"prefix": HERE, "level": "1"}})
    operator.execute(context())
    assert hook.requests[0]["workflows"] == [
        {"workflowArn": BOOT, "parallelGroup": "f", "parameters": [{"name": "level", "value": ["1"]}]}
    ]


def test_a_template_may_render_json() -> None:
    hook = Hook("AVAILABLE")
    operator = create(
        hook,
        tags="{{ params.tags | tojson }}",
        workflows="{{ params.workflows | tojson }}",
        execution_role="r",
        enhanced_image_metadata_enabled="{{ params.metadata }}",
    )
    params = {"tags": {"team": "a"}, "workflows": [{"workflowArn": BOOT}], "metadata": False}
    operator.render_template_fields({"params": params})
    operator.execute(context())
    (sent,) = hook.requests
    assert sent["tags"] == {"team": "a"}
    assert sent["workflows"] == [{"workflowArn": BOOT}]
    assert sent["enhancedImageMetadataEnabled"] is False


def test_a_template_that_renders_no_json_is_refused_with_the_way_out() -> None:
    operator = create(tags="{{ params.tags }}")
    operator.render_template_fields({"params": {"tags": {"team": "a"}}})
    with pytest.raises(InvalidRequestError, match="tojson"):
        operator.execute(context())


# -- run_tests ---------------------------------------------------------------------------------------------

TESTS = ImageRequest(
    **BASE,
    execution_role="r",
    workflows=[
        Workflow(BUILD),
        Workflow(BOOT, parallel_group="functional"),
        Workflow(USERS, parallel_group="functional"),
        Workflow(f"{HERE}:workflow/test/performance/1.0.0/1"),
        Workflow(f"{HERE}:workflow/test/cis/1.0.0/1", parallel_group="security"),
    ],
)


@pytest.mark.parametrize(
    ("chosen", "kept"),
    [
        (None, ["golden-build", "boot", "users", "performance", "cis"]),
        (["security"], ["golden-build", "cis"]),
        (["security", "functional"], ["golden-build", "boot", "users", "cis"]),
        (["performance"], ["golden-build", "performance"]),
        ([], ["golden-build"]),
    ],
    ids=str,
)
def test_the_tests_that_are_chosen_are_kept_in_their_order(chosen: list[str] | None, kept: list[str]) -> None:
    assert [workflow.name for workflow in choose_tests(TESTS, chosen).workflows or ()] == kept


@pytest.mark.parametrize(
    "rendered",
    [["security"], "['security']", '["security"]', "security", " security ,", "'security'"],
    ids=repr,
)
def test_chosen_tests_may_be_rendered_to_text(rendered: Any) -> None:
    hook = Hook("AVAILABLE")
    operator = given(hook, ImageBuilderCreateImageOperator(task_id="t", request=TESTS, run_tests=rendered))
    operator.execute(context())
    arns = [workflow["workflowArn"] for workflow in hook.requests[0]["workflows"]]
    assert arns == [BUILD, f"{HERE}:workflow/test/cis/1.0.0/1"]


def test_a_test_that_there_is_not_is_refused_before_the_call() -> None:
    hook = Hook()
    run_tests = "{{ params.tests }}"
    operator = given(hook, ImageBuilderCreateImageOperator(task_id="t", request=TESTS, run_tests=run_tests))
    operator.render_template_fields({"params": {"tests": "smoke,security"}})
    with pytest.raises(InvalidRequestError, match=r"smoke.*functional, performance, security"):
        operator.execute(context())
    assert hook.requests == []


def test_tests_of_one_name_are_chosen_together() -> None:
    boot = Workflow(BOOT)
    request = ImageRequest(
        **BASE, execution_role="r", workflows=[Workflow(USERS, parallel_group="boot"), boot, boot]
    )
    assert choose_tests(request, ["boot"]) == request


# -- waiting -----------------------------------------------------------------------------------------------


def test_the_wait_is_deferred_with_everything_that_the_trigger_needs() -> None:
    operator = create(
        aws_conn_id="fleet",
        region_name="us-east-1",
        verify=False,
        botocore_config={"read_timeout": 7},
        poll_interval=timedelta(seconds=9),
        cancel_on_kill=False,
        delete_outputs_on_kill=True,
        timeout=timedelta(hours=1),
    )
    before = time.time()
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(context())
    trigger = deferred.value.trigger
    assert type(trigger) is ImageBuilderImageTrigger
    kwargs = trigger.serialize()[1]
    assert before + 3600 <= kwargs.pop("deadline") <= time.time() + 3600
    assert kwargs == {
        "image_build_version_arn": ARN,
        "stale_until": None,
        "poll_interval": 9.0,
        "aws_conn_id": "fleet",
        "region_name": "us-east-1",
        "verify": False,
        "botocore_config": {"read_timeout": 7},
        "cancel_on_kill": False,
        "delete_outputs_on_kill": True,
        "stale_failure": None,
        "submitter": None,
        "submitted_by": None,
        "resumes": 0,
    }
    assert deferred.value.method_name == "execute_complete"


def test_the_arn_and_the_links_are_pushed_before_the_wait() -> None:
    pushed = context()
    with pytest.raises(TaskDeferred):
        create().execute(pushed)
    xcoms = pushed["ti"].xcoms
    assert xcoms["image_build_version_arn"] == ARN
    assert {"imagebuilder_images_link", "imagebuilder_log_link"} <= set(xcoms)


def test_the_execution_timeout_counts_where_it_is_sooner() -> None:
    operator = create(execution_timeout=timedelta(minutes=5))
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(context())
    expected = (Ti.start_date + timedelta(minutes=5)).timestamp()
    assert deferred.value.trigger.serialize()[1]["deadline"] == expected


def test_an_image_that_is_there_already_is_not_waited_for() -> None:
    assert create(Hook("AVAILABLE")).execute(context())["status"] == "AVAILABLE"


def test_without_waiting_the_arn_is_returned_and_what_was_submitted_is_pushed() -> None:
    pushed, before = context(), time.time()
    assert create(wait_for_completion=False).execute(pushed) == ARN
    assert before <= pushed["ti"].xcoms["image_submission"].pop("submitted_at") <= time.time()
    assert pushed["ti"].xcoms["image_submission"] == {
        "arn": ARN,
        "origin": "created",
        "stale_until": None,
        "stale_failure": None,
        "submitted_by": "uuid",
    }


def test_on_the_worker_the_trigger_is_run_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    hook = Hook()

    async def wait(_: Any) -> dict[str, Any]:
        hook.image["state"]["status"] = "AVAILABLE"
        return event()

    monkeypatch.setattr(ImageBuilderImageTrigger, "wait", wait)
    assert create(hook, deferrable=False).execute(context())["status"] == "AVAILABLE"


# -- the end -----------------------------------------------------------------------------------------------


def test_the_end_is_judged_by_what_aws_says_now() -> None:
    assert create(Hook("AVAILABLE")).execute_complete(context(), event("error", "lost"))["arn"] == ARN


def test_an_image_that_goes_on_after_its_end_is_waited_for_again_until_the_same_deadline() -> None:
    with pytest.raises(TaskDeferred) as deferred:
        create(Hook("BUILDING")).execute_complete(context(), {**event(), "deadline": 4_000_000_000.0})
    assert deferred.value.trigger.deadline == 4_000_000_000.0


def test_the_end_tells_the_assets() -> None:
    hook, golden, told = Hook("AVAILABLE"), Asset("golden"), context()
    create(hook, outlets=[golden]).execute_complete(told, event())
    assert told["outlet_events"][golden].extra["image_arn"] == ARN


def test_a_failed_image_is_told_with_the_step_of_the_workflow_that_failed_it() -> None:
    hook = Hook("FAILED", reason="Workflow failed")
    hook.image["workflows"] = [
        {"workflowArn": BOOT},
        {"workflowArn": USERS, "onFailure": "CONTINUE"},
    ]
    hook.executions = [execution(BOOT, "FAILED", "wf-boot"), execution(USERS, "FAILED", "wf-users")]
    hook.steps = [{"stepExecutionId": "s", "name": "RunTests", "status": "FAILED", "message": "no route"}]
    with pytest.raises(ImageFailedError) as error:
        create(hook).execute_complete(context(), event())
    assert hook.asked_steps == ["wf-boot"]
    assert (error.value.failure.workflow.name, error.value.failure.step.name) == ("boot", "RunTests")
    assert "no route" in str(error.value)


def test_a_cancelled_image_is_an_error_of_its_own() -> None:
    with pytest.raises(ImageCancelledError, match="by hand"):
        create(Hook("CANCELLED", reason="by hand")).execute_complete(context(), event())


@pytest.mark.parametrize("status", ["FAILED", "ROLLBACK_COMPLETED", "CANCELLED"])
def test_failed_tests_stop_an_image_where_they_are_to(status: str) -> None:
    hook = Hook("AVAILABLE")
    hook.executions = [execution(BOOT, status), execution(USERS, "COMPLETED", "wf-2")]
    assert create(hook).execute_complete(context(), event())["status"] == "AVAILABLE"
    with pytest.raises(TestsFailedError) as error:
        create(hook, fail_on_test_failure=True).execute_complete(context(), event())
    assert error.value.tests == ("boot",)


def test_skipped_tests_do_not_stop_an_image() -> None:
    hook = Hook("AVAILABLE")
    hook.executions = [execution(BOOT, "SKIPPED")]
    assert create(hook, fail_on_test_failure=True).execute_complete(context(), event())["arn"] == ARN


def test_at_the_deadline_the_image_is_cancelled() -> None:
    hook = Hook()
    with pytest.raises(DeadlineExceededError, match="status after that: CANCELLED"):
        create(hook).execute_complete(context(), event("deadline"))
    assert hook.cancelled == [ARN]


def test_at_the_deadline_the_image_goes_on_where_it_is_to() -> None:
    hook = Hook()
    with pytest.raises(DeadlineExceededError, match="still BUILDING, and keeps building"):
        create(hook, cancel_on_kill=False).execute_complete(context(), event("deadline"))
    assert hook.cancelled == []


def test_an_image_that_is_there_at_the_deadline_is_taken() -> None:
    hook = Hook()
    hook.ends_as = "AVAILABLE"
    assert create(hook).execute_complete(context(), event("deadline"))["status"] == "AVAILABLE"


def test_a_resumption_without_an_event_tells_what_to_do() -> None:
    with pytest.raises(ImageBuilderError, match="clear this task"):
        create().execute_complete(context(), None)


# -- killing -----------------------------------------------------------------------------------------------


def killed(operator: Any, state: str) -> None:
    """Let the task submit and defer, and then be sent SIGTERM while Airflow shows it in this state."""
    around = context()
    with pytest.raises(TaskDeferred):
        operator.execute(around)
    around["ti"].state = state
    operator.on_kill()


@pytest.mark.parametrize("state", ["failed", "success", "skipped", "restarting", "removed"])
def test_a_killed_task_cancels_its_image(state: str) -> None:
    hook = Hook()
    killed(create(hook), state)
    assert hook.cancelled == [ARN]


@pytest.mark.parametrize("state", ["running", "up_for_retry", "scheduled", "queued", "deferred", "None"])
def test_a_worker_that_is_stopped_or_was_cut_off_cancels_nothing(state: str) -> None:
    hook = Hook()
    killed(create(hook), state)
    assert hook.cancelled == []


def test_a_task_that_may_not_cancel_does_not() -> None:
    hook = Hook()
    killed(create(hook, cancel_on_kill=False), "failed")
    assert hook.cancelled == []


def test_a_kill_before_anything_was_submitted_does_nothing() -> None:
    hook = Hook()
    create(hook).on_kill()
    assert hook.cancelled == []


def test_a_kill_during_the_submit_cancels_what_was_submitted() -> None:
    class Killing(Hook):
        def create_image(self, request: ImageRequest, client_token: str) -> str:
            around["ti"].state = "failed"
            operator.on_kill()
            return super().create_image(request, client_token)

    hook, around = Killing(), context()
    operator = create(hook)
    with pytest.raises(ImageBuilderError, match="killed while it submitted"):
        operator.execute(around)
    assert hook.cancelled == [ARN]


def test_a_refused_cancellation_is_no_error() -> None:
    hook = Hook("AVAILABLE")
    hook.refusal = RefusedError("CancelImageCreation", "InvalidRequestException", 400, "it has ended")
    assert create(hook).cancel(ARN)["state"]["status"] == "AVAILABLE"


def test_outputs_are_deleted_of_an_image_that_was_cancelled_only() -> None:
    hook = Hook()
    create(hook, delete_outputs_on_kill=True).cancel(ARN)
    assert hook.deleted == [ARN]
    ready = Hook("AVAILABLE")
    ready.ends_as = "AVAILABLE"
    create(ready, delete_outputs_on_kill=True).cancel(ARN)
    assert ready.deleted == []


# -- the guard ---------------------------------------------------------------------------------------------


def test_the_guard_attaches_and_never_submits() -> None:
    hook = Hook()
    with pytest.raises(TaskDeferred) as deferred:
        guard(hook, stale_until="1800000000.5").execute(context())
    assert deferred.value.trigger.serialize()[1]["stale_until"] == 1_800_000_000.5
    assert hook.requests == []


def test_the_guard_does_not_judge_by_an_end_that_may_be_older_than_a_repair() -> None:
    with pytest.raises(TaskDeferred):
        guard(Hook("FAILED"), stale_until=4_000_000_000.0).execute(context())
    with pytest.raises(ImageFailedError):
        guard(Hook("FAILED")).execute(context())


@pytest.mark.parametrize("rendered", [None, "", "None"])
def test_without_an_image_guard_and_monitor_are_skipped(rendered: Any) -> None:
    for operator in (guard, monitor):
        with pytest.raises(AirflowSkipException, match="No image was submitted"):
            operator(Hook(), image_build_version_arn=rendered).execute(context())


@pytest.mark.parametrize(
    ("rendered", "time"), [(None, None), ("", None), ("None", None), ("7.5", 7.5), (7.5, 7.5)]
)
def test_a_rendered_time_is_read(rendered: Any, time: float | None) -> None:
    assert as_time(rendered) == time


# -- monitors ----------------------------------------------------------------------------------------------


def test_a_monitor_leaves_the_watch_to_the_triggerer_without_a_call() -> None:
    class Silent(Hook):
        def get_image(self, arn: str, **_: Any) -> dict[str, Any]:
            raise AssertionError("a monitor asks nothing before it waits")

    with pytest.raises(TaskDeferred) as deferred:
        monitor(Silent(), ordinal=1, poll_interval=9, stale_until="7.5").execute(context())
    assert type(deferred.value.trigger) is ImageBuilderWorkflowTrigger
    kwargs = deferred.value.trigger.serialize()[1]
    assert {
        name: kwargs[name] for name in ("workflow_type", "workflow_name", "parallel_group", "ordinal")
    } == {
        "workflow_type": "TEST",
        "workflow_name": "boot",
        "parallel_group": "f",
        "ordinal": 1,
    }
    assert (kwargs["poll_interval"], kwargs["stale_until"]) == (9, 7.5)


def test_a_monitor_of_a_failed_test_names_the_step_and_is_not_tried_again() -> None:
    hook = Hook("TESTING")
    hook.executions = [execution(BOOT, "FAILED", parallelGroup="f")]
    hook.steps = [{"stepExecutionId": "s", "name": "RunTests", "status": "FAILED", "message": "no route"}]
    with pytest.raises(AirflowFailException) as error:
        monitor(hook).execute_complete(context(), {"outcome": "failed", "message": ""})
    for part in ("boot", "ended FAILED", "RunTests", "no route", "/aws/imagebuilder/golden"):
        assert part in str(error.value)


@pytest.mark.parametrize("of", ["monitor", "image"])
def test_a_failure_is_told_though_its_steps_may_not_be_read(of: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hook = Hook("FAILED", reason="Workflow failed")
    hook.image["workflows"] = [{"workflowArn": BOOT}]
    hook.executions = [execution(BOOT, "FAILED", parallelGroup="f", message="no route")]

    def forbidden(_: str) -> list[dict[str, Any]]:
        raise ForbiddenError("ListWorkflowStepExecutions", "AccessDeniedException", 403, "no")

    monkeypatch.setattr(hook, "list_workflow_step_executions", forbidden)
    operator = monitor(hook) if of == "monitor" else create(hook)
    with pytest.raises((AirflowFailException, ImageFailedError), match="boot"):
        operator.execute_complete(context(), event())


def test_a_monitor_of_a_test_that_the_images_end_cut_off_says_that() -> None:
    hook = Hook("FAILED", reason="out of quota")
    hook.executions = [execution(BOOT, "RUNNING", parallelGroup="f")]
    with pytest.raises(AirflowFailException, match="boot: the image ended FAILED: out of quota"):
        monitor(hook).execute_complete(context(), {"outcome": "failed", "message": ""})


def test_a_monitor_goes_on_watching_what_a_repair_has_brought_back() -> None:
    hook = Hook("TESTING")
    hook.executions = [execution(BOOT, "RUNNING", parallelGroup="f")]
    with pytest.raises(TaskDeferred):
        monitor(hook).execute_complete(context(), {"outcome": "failed", "message": "it failed"})


def test_a_monitor_of_a_test_that_went_well_after_all_is_green() -> None:
    hook = Hook("TESTING")
    hook.executions = [execution(BOOT, "COMPLETED", parallelGroup="f")]
    assert monitor(hook).execute_complete(context(), {"outcome": "failed", "message": ""}) is None


def test_a_monitor_of_a_test_that_never_began_is_skipped() -> None:
    with pytest.raises(AirflowSkipException, match="cancelled, because the image was cancelled"):
        monitor(Hook("CANCELLED")).execute_complete(context(), {"outcome": "failed", "message": ""})


def guarded_by(state: str | None) -> Any:
    """Return a context in which the task that guards the image is in this state."""
    asked = context()

    def states(**question: Any) -> dict[str, dict[str, str | None]]:
        assert (question["task_ids"], question["run_ids"]) == (["g.image"], ["r"])
        return {"r": {"g.image": state}}

    asked["ti"].get_task_states = states
    return asked


def failed_test() -> Hook:
    hook = Hook("FAILED", reason="Workflow failed", failureContext={"imageStatus": "TESTING"})
    hook.executions = [execution(BOOT, "FAILED", parallelGroup="f")]
    return hook


@pytest.mark.parametrize("state", ["running", "deferred", "up_for_retry", "queued", "scheduled", None])
def test_a_monitor_that_resumes_while_the_image_may_be_repaired_waits_again(state: str | None) -> None:
    known = {"outcome": "failed", "message": "", "deadline": 7.0, "resumes": 3}
    with pytest.raises(TaskDeferred) as deferred:
        monitor(failed_test(), guard="g.image").execute_complete(guarded_by(state), known)
    kwargs = deferred.value.trigger.serialize()[1]
    assert (kwargs["guard"], kwargs["deadline"], kwargs["resumes"]) == ("g.image", 7.0, 3)


@pytest.mark.parametrize("state", ["failed", "success", "skipped", "upstream_failed", "removed"])
def test_a_monitor_fails_once_no_task_may_repair_the_image(state: str) -> None:
    with pytest.raises(AirflowFailException, match="boot"):
        monitor(failed_test(), guard="g.image").execute_complete(guarded_by(state), {"outcome": "failed"})


def test_a_monitor_that_gets_no_answer_of_airflow_waits_again() -> None:
    def broken(**_: Any) -> Any:
        raise OSError("no API server")

    unanswered = context()
    unanswered["ti"].get_task_states = broken
    with pytest.raises(TaskDeferred):
        monitor(failed_test(), guard="g.image").execute_complete(unanswered, {"outcome": "failed"})


@pytest.mark.parametrize("alone", [{"outcome": "failed", "supervised": False}, "skipped", None])
def test_a_monitor_without_a_supervisor_does_not_wait_for_the_guard(alone: Any) -> None:
    with pytest.raises(AirflowFailException, match="boot"):
        monitor(failed_test(), guard="g.image").execute_complete(guarded_by(None), alone)


def test_a_monitor_does_not_believe_a_failure_that_may_be_older_than_a_repair() -> None:
    with pytest.raises(TaskDeferred):
        monitor(failed_test(), stale_until=4_000_000_000.0).execute_complete(context(), {"outcome": "error"})


TROUBLE = [
    ThrottledError("GetImage", "TooManyRequestsException", 429, "slow down"),
    ForbiddenError("GetImage", "AccessDeniedException", 403, "no"),
    NotFoundError("GetImage", "ResourceNotFoundException", 404, "gone"),
    MalformedAnswerError("GetImage", "MalformedAnswer", 200, "html"),
]


def troubled(error: Exception, monkeypatch: pytest.MonkeyPatch) -> Hook:
    def refuse(_: str) -> dict[str, Any]:
        raise error

    hook = failed_test()
    monkeypatch.setattr(hook, "get_image", refuse)
    return hook


@pytest.mark.parametrize("error", TROUBLE, ids=lambda error: type(error).__name__)
def test_trouble_of_a_call_turns_no_monitor_red(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"outcome": "failed", "message": "", "deadline": 7.0, "resumes": 1}
    with pytest.raises(TaskDeferred) as deferred:
        monitor(troubled(error, monkeypatch)).execute_complete(context(), known)
    kwargs = deferred.value.trigger.serialize()[1]
    assert (kwargs["deadline"], kwargs["resumes"]) == (7.0, 2)


def test_a_monitor_resumes_a_bounded_number_of_times(monkeypatch: pytest.MonkeyPatch) -> None:
    hook = troubled(TROUBLE[1], monkeypatch)
    known = {"outcome": "error", "message": "no", "resumes": MAX_RESUMES}
    with pytest.raises(
        ImageBuilderError, match=r"AWS could not be asked.*then clear this task.*AccessDenied"
    ):
        monitor(hook).execute_complete(context(), known)


def test_a_watch_that_ended_on_an_image_in_progress_is_begun_again() -> None:
    hook = Hook("TESTING")
    with pytest.raises(TaskDeferred) as deferred:
        monitor(hook).execute_complete(context(), {"outcome": "error", "message": "no", "resumes": 0})
    assert deferred.value.trigger.serialize()[1]["resumes"] == 1


def test_at_its_deadline_a_monitor_says_what_aws_shows_and_what_to_do() -> None:
    hook = Hook("TESTING")
    hook.executions = [execution(BOOT, "RUNNING", parallelGroup="f")]
    known = {"outcome": "deadline", "message": "", "deadline": 1_800_000_000.0}
    with pytest.raises(AirflowFailException) as error:
        monitor(hook, guard="g.image").execute_complete(guarded_by("success"), known)
    for part in (
        "boot",
        "2027-01-15T08:00:00",
        "the image TESTING",
        "the workflow RUNNING",
        "clear this task",
    ):
        assert part in str(error.value)
    with pytest.raises(TaskDeferred):
        monitor(hook, guard="g.image").execute_complete(guarded_by("deferred"), known)
    assert hook.cancelled == []


def test_a_workflow_that_ended_by_the_deadline_counts() -> None:
    hook = Hook("TESTING")
    hook.executions = [execution(BOOT, "COMPLETED", parallelGroup="f")]
    monitor(hook).execute_complete(context(), {"outcome": "deadline"})


def test_the_deadline_of_a_monitor_is_a_time_and_begins_with_its_try() -> None:
    begin = time.time()
    with pytest.raises(TaskDeferred) as deferred:
        monitor(Hook(), timeout=timedelta(hours=2)).execute(context())
    deadline = deferred.value.trigger.serialize()[1]["deadline"]
    assert begin + 7200 <= deadline <= time.time() + 7200
    with pytest.raises(TaskDeferred) as deferred:
        monitor(Hook()).execute(context())
    assert deferred.value.trigger.serialize()[1]["deadline"] >= begin + 24 * 3600


def test_a_killed_monitor_touches_nothing() -> None:
    hook = Hook()
    monitor(hook).on_kill()
    assert hook.cancelled == []


# -- retries -----------------------------------------------------------------------------------------------


def test_the_retry_policy_is_there_for_mapped_operators_too() -> None:
    with DAG("d", schedule=None):
        mapped = ImageBuilderCreateImageOperator.partial(task_id="t", **BASE).expand(tags=[{"a": "b"}])
    unmapped: Any = mapped.unmap({"tags": {"a": "b"}})
    assert isinstance(unmapped.retry_policy, ImageBuilderRetryPolicy)
    assert isinstance(create().retry_policy, ImageBuilderRetryPolicy)


def test_an_unknown_connection_is_not_tried_again() -> None:
    from airflow.sdk.exceptions import AirflowNotFoundException

    for hopeless in (
        AirflowNotFoundException("nowhere"),
        ForbiddenError("CreateImage"),
        InvalidRequestError([]),
    ):
        assert ImageBuilderRetryPolicy().evaluate(hopeless, 1, 3).action.value == "fail"


def test_a_failed_image_follows_the_retries_of_the_task() -> None:
    cancelled = ImageCancelledError(arn=ARN)
    assert ImageBuilderRetryPolicy().evaluate(cancelled, 1, 3).action.value == "default"
