"""The triggers without a triggerer: what they carry, what they fire, and what a kill does."""

from __future__ import annotations

import asyncio
import inspect
import logging
from contextlib import asynccontextmanager
from importlib import import_module
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.jobs.triggerer_job_runner import _USER_ACTION_CANCEL_MSG, TriggerRunner
from airflow.triggers.base import BaseTrigger, TaskSkippedEvent, TaskSuccessEvent

from airflow_imagebuilder import triggers
from airflow_imagebuilder.service.errors import (
    DeadlineExceededError,
    ForbiddenError,
    NotFoundError,
    RefusedError,
    ThrottledError,
)
from airflow_imagebuilder.service.results.snapshot import ImageSnapshot
from airflow_imagebuilder.triggers import ImageBuilderImageTrigger, ImageBuilderWorkflowTrigger, workflow
from tests.support.supervisor import TI, Supervisor, eventually, install

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

HERE = "arn:aws:imagebuilder:us-east-1:123456789012"
ARN = f"{HERE}:image/golden/1.0.0/1"
ALL = [
    kind
    for _, kind in inspect.getmembers(triggers, inspect.isclass)
    if issubclass(kind, BaseTrigger)
    and kind.__module__.startswith(triggers.__name__)
    and not inspect.isabstract(kind)
]
# A value unlike the default for every argument that a trigger takes.
VALUES: dict[str, Any] = {
    "image_build_version_arn": ARN,
    "deadline": 1_800_000_000.5,
    "stale_until": 1_790_000_000.5,
    "poll_interval": 7.0,
    "aws_conn_id": "aws_fleet",
    "region_name": "eu-west-1",
    "verify": "/etc/ssl/bundle.pem",
    "botocore_config": {"retries": {"max_attempts": 2}},
    "cancel_on_kill": False,
    "delete_outputs_on_kill": True,
    "stale_failure": "wf-1",
    "submitter": "golden.create_image",
    "submitted_by": "0190-uuid",
    "resumes": 3,
    "workflow_type": "TEST",
    "workflow_name": "boot",
    "parallel_group": "functional",
    "ordinal": 2,
    "guard": "golden.image",
}


def arguments(kind: type[BaseTrigger]) -> dict[str, Any]:
    """Return a value for each argument of a trigger's constructor and of those that it hands over to."""
    names = {
        name
        for cls in kind.__mro__
        if cls.__module__.startswith(triggers.__name__)
        for name, parameter in inspect.signature(cls).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    return {name: VALUES[name] for name in names}


class Watcher:
    """Shows what it is told to show, and then raises what it is told to raise."""

    def __init__(self, snapshots: Iterable[ImageSnapshot] = (), error: Exception | None = None) -> None:
        self.snapshots, self.error = list(snapshots), error
        self.steps_error: Exception | None = None
        self.asked: dict[str, Any] = {}
        self.asked_steps: list[str] = []
        self.endless = False

    async def watch(self, arn: str, **options: Any) -> AsyncIterator[ImageSnapshot]:
        self.asked = {"arn": arn, **options}
        for snapshot in self.snapshots:
            yield snapshot
        if self.error:
            raise self.error
        if self.endless:
            await asyncio.sleep(3600)

    async def steps(self, execution_id: str) -> list[dict[str, Any]]:
        self.asked_steps.append(execution_id)
        if self.steps_error:
            raise self.steps_error
        return [{"stepExecutionId": "s", "name": "RunTests", "action": "RunCommand", "status": "RUNNING"}]


def image(status: str, *executions: dict[str, Any], **state: Any) -> ImageSnapshot:
    workflows = [{"workflowArn": f"{HERE}:workflow/test/boot/x.x.x", "parallelGroup": "functional"}]
    found = {"arn": ARN, "state": {"status": status, **state}, "workflows": workflows}
    return ImageSnapshot.of(ARN, found, executions)


def boot(status: str) -> dict[str, Any]:
    return {
        "workflowBuildVersionArn": f"{HERE}:workflow/test/boot/1.0.0/1",
        "workflowExecutionId": "wf-1",
        "parallelGroup": "functional",
        "status": status,
    }


def use(monkeypatch: pytest.MonkeyPatch, watcher: Watcher) -> Watcher:
    @asynccontextmanager
    async def watching(_: Any) -> AsyncIterator[Watcher]:
        yield watcher

    monkeypatch.setattr(triggers.ImageBuilderTrigger, "watcher", watching)
    monkeypatch.setattr(workflow, "RESUME_NOT_BEFORE", 0.0)
    return watcher


def image_trigger(**options: Any) -> ImageBuilderImageTrigger:
    return ImageBuilderImageTrigger(image_build_version_arn=ARN, **options)


def monitor(**options: Any) -> ImageBuilderWorkflowTrigger:
    return ImageBuilderWorkflowTrigger(
        image_build_version_arn=ARN,
        workflow_type="TEST",
        workflow_name="boot",
        parallel_group="functional",
        **options,
    )


async def events(trigger: BaseTrigger) -> list[Any]:
    return [event async for event in trigger.run()]


# -- what they carry ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_a_trigger_survives_the_database(kind: type[BaseTrigger]) -> None:
    given = arguments(kind)
    path, kwargs = kind(**given).serialize()
    assert kwargs == given
    module, _, name = path.rpartition(".")
    found = getattr(import_module(module), name)
    assert found is kind
    assert found(**kwargs).serialize() == (path, kwargs)


def test_the_triggers_are_those_that_the_package_exports() -> None:
    import airflow_imagebuilder

    names = {kind.__name__ for kind in ALL}
    assert names == {name for name in airflow_imagebuilder.__all__ if name.endswith("Trigger")}


def test_the_hook_of_a_trigger_has_its_connection_region_and_configuration() -> None:
    hook = image_trigger(
        aws_conn_id="aws_fleet",
        region_name="eu-west-1",
        verify=False,
        botocore_config={"read_timeout": 7},
    ).hook
    assert (hook.aws_conn_id, hook._region_name, hook._verify) == ("aws_fleet", "eu-west-1", False)
    assert hook._config.read_timeout == 7


@pytest.mark.asyncio
async def test_equal_triggers_share_one_watcher_and_others_do_not() -> None:
    same = [image_trigger(region_name="us-east-1"), monitor(region_name="us-east-1")]
    others = [
        image_trigger(region_name="eu-west-1"),
        image_trigger(region_name="us-east-1", poll_interval=1),
        image_trigger(region_name="us-east-1", aws_conn_id="aws_fleet"),
        image_trigger(region_name="us-east-1", verify=False),
        image_trigger(region_name="us-east-1", botocore_config={"read_timeout": 7}),
    ]
    async with same[0].watcher() as first, same[1].watcher() as second:
        assert first is second
        for trigger in others:
            async with trigger.watcher() as other:
                assert other is not first


# -- waiting for an image ----------------------------------------------------------------------------------


@pytest.mark.asyncio
@pytest.mark.parametrize("status", ["AVAILABLE", "FAILED", "CANCELLED"])
async def test_an_image_that_ends_fires_once(status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, Watcher([image("BUILDING"), image("TESTING"), image(status)]))
    (event,) = await events(image_trigger())
    assert event.payload == {
        "image_build_version_arn": ARN,
        "deadline": None,
        "stale_until": None,
        "stale_failure": None,
        "resumes": 0,
        "outcome": "ended",
        "status": status,
        "message": "",
    }


@pytest.mark.asyncio
async def test_each_state_is_told_once_with_its_reason(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    shown = [image("BUILDING"), image("BUILDING"), image("FAILED", reason="disk full")]
    use(monkeypatch, Watcher(shown))
    trigger = image_trigger()
    monkeypatch.setattr(type(trigger), "log", logging.getLogger("task"), raising=False)
    await events(trigger)
    assert caplog.messages == [
        "image/golden/1.0.0/1 is BUILDING",
        "image/golden/1.0.0/1 is FAILED: disk full",
    ]


@pytest.mark.asyncio
async def test_deadline_and_repair_are_handed_to_the_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    watcher = use(monkeypatch, Watcher([image("AVAILABLE")]))
    await events(image_trigger(deadline=7.0, stale_until=5.0))
    assert watcher.asked == {
        "arn": ARN,
        "deadline": 7.0,
        "ignore_terminal_until": 5.0,
        "stale_failure": None,
        "first_look": None,
    }


@pytest.mark.asyncio
@pytest.mark.parametrize(("resumes", "pause"), [(1, 10.0), (2, 20.0), (5, 160.0), (6, 300.0), (10, 300.0)])
async def test_a_wait_that_is_begun_again_after_trouble_pauses_ever_longer(
    resumes: int, pause: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    watcher = use(monkeypatch, Watcher([image("AVAILABLE")]))
    await events(image_trigger(resumes=resumes))
    assert watcher.asked["first_look"] == pause


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (DeadlineExceededError(ARN, 0.0, "BUILDING"), "deadline"),
        (ForbiddenError("GetImage", "AccessDeniedException", 403, "no"), "error"),
        (NotFoundError("GetImage", "ResourceNotFoundException", 404, "gone"), "error"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
async def test_a_watch_that_ends_in_an_error_fires_it(
    error: Exception, outcome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, Watcher([image("BUILDING")], error))
    (event,) = await events(image_trigger())
    assert event.payload["outcome"] == outcome
    assert event.payload["message"] == str(error)
    assert event.payload.get("missing", False) is isinstance(error, NotFoundError)


# -- watching a workflow -----------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_test_that_goes_well_ends_the_task_in_the_trigger(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = [image("BUILDING"), image("TESTING", boot("RUNNING")), image("TESTING", boot("COMPLETED"))]
    watcher = use(monkeypatch, Watcher(shown))
    (event,) = await events(monitor())
    assert isinstance(event, TaskSuccessEvent)
    assert watcher.asked["workflows"] is True


@pytest.mark.asyncio
async def test_a_test_that_was_skipped_skips_the_task_in_the_trigger(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, Watcher([image("FAILED")]))
    (event,) = await events(monitor())
    assert isinstance(event, TaskSkippedEvent)


@pytest.mark.asyncio
async def test_a_test_that_failed_resumes_on_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, Watcher([image("TESTING", {**boot("FAILED"), "message": "no route"})]))
    (event,) = await events(monitor())
    assert event.payload == {
        "outcome": "failed",
        "message": "ended FAILED: no route",
        "deadline": None,
        "resumes": 0,
        "supervised": False,
    }


@pytest.mark.asyncio
async def test_a_failure_resumes_no_earlier_than_the_scheduler_can_bear(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use(monkeypatch, Watcher([image("TESTING", boot("FAILED"))]))
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(workflow, "RESUME_NOT_BEFORE", 5.0)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    await events(monitor())
    assert slept == [pytest.approx(5.0, abs=1.0)]


@pytest.mark.asyncio
async def test_steps_are_asked_for_only_when_their_workflow_has_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    running = boot("RUNNING")
    shown = [image("TESTING"), image("TESTING", boot("PENDING")), image("TESTING", running)]
    shown += [image("TESTING", running, boot("PENDING"))]
    watcher = use(monkeypatch, Watcher([*shown, image("TESTING", boot("COMPLETED"))]))
    await events(monitor())
    assert watcher.asked_steps == ["wf-1", "wf-1"]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "error",
    [
        ForbiddenError("ListWorkflowStepExecutions", "AccessDeniedException", 403, "no"),
        ThrottledError("ListWorkflowStepExecutions", "TooManyRequestsException", 429, "slow down"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_steps_that_cannot_be_read_do_not_end_the_watch(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    watcher = use(
        monkeypatch, Watcher([image("TESTING", boot("RUNNING")), image("TESTING", boot("COMPLETED"))])
    )
    watcher.steps_error = error
    (event,) = await events(monitor())
    assert isinstance(event, TaskSuccessEvent)


@pytest.mark.asyncio
async def test_a_failure_of_before_a_repair_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, Watcher([image("TESTING", boot("FAILED")), image("TESTING", boot("COMPLETED"))]))
    (event,) = await events(monitor(stale_until=4_000_000_000.0))
    assert isinstance(event, TaskSuccessEvent)


@pytest.mark.asyncio
async def test_a_watch_that_may_not_look_hands_over_to_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    error = ForbiddenError("GetImage", "AccessDeniedException", 403, "no")
    use(monkeypatch, Watcher([], error))
    (event,) = await events(monitor())
    assert (event.payload["outcome"], event.payload["message"]) == ("error", str(error))


# -- while the image may still be repaired -----------------------------------------------------------------

GUARD = "golden.image"


class Lives(Watcher):
    """An image with several lives: each watch shows the next, the last one again and again."""

    def __init__(self, *lives: list[ImageSnapshot]) -> None:
        super().__init__()
        self.lives = list(lives)
        self.looks = 0

    async def watch(self, arn: str, **options: Any) -> AsyncIterator[ImageSnapshot]:
        self.looks += 1
        life = self.lives.pop(0) if len(self.lives) > 1 else self.lives[0]
        for snapshot in life:
            yield snapshot
        if not life:
            raise DeadlineExceededError(arn, 0.0, "TESTING")


class Guard:
    """What Airflow says of the guard, one answer a question, the last one again and again."""

    def __init__(self, *answers: str | Exception | None) -> None:
        self.answers = list(answers)
        self.asked: list[str | None] = []

    async def states(self, ti: Any, task_id: str | None = None) -> set[str]:
        self.asked.append(task_id)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return {answer} if answer else set()


def guarded(
    monkeypatch: pytest.MonkeyPatch, guard: Guard, **options: Any
) -> triggers.ImageBuilderWorkflowTrigger:
    monkeypatch.setattr(workflow, "task_states", guard.states)
    trigger = monitor(guard=GUARD, **options)
    trigger._task_instance = SimpleNamespace(dag_id="d", run_id="r")
    return trigger


CIS = {**boot("FAILED"), "workflowBuildVersionArn": f"{HERE}:workflow/test/cis/1.0.0/1"}
FIRST_LIFE = [
    image("TESTING", boot("RUNNING")),
    image("TESTING", boot("FAILED")),
    image("FAILED", boot("FAILED")),
]


@pytest.mark.asyncio
async def test_a_failure_that_a_repair_undoes_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    second = [image("TESTING", boot("RUNNING")), image("TESTING", boot("COMPLETED"))]
    watcher = Lives(FIRST_LIFE, [image("FAILED", boot("FAILED"))], second)
    use(monkeypatch, watcher)
    guard = Guard("up_for_retry", "running")
    (event,) = await events(guarded(monkeypatch, guard))
    assert isinstance(event, TaskSuccessEvent)
    assert guard.asked == [GUARD, GUARD]


@pytest.mark.asyncio
@pytest.mark.parametrize("ended", ["failed", "success", "skipped", "upstream_failed", "removed", None])
async def test_a_failure_counts_once_the_guard_has_ended(
    ended: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    watcher = Lives(FIRST_LIFE, [image("FAILED", boot("FAILED"))])
    use(monkeypatch, watcher)
    guard = Guard("running", "up_for_retry", "deferred", ended)
    (event,) = await events(guarded(monkeypatch, guard))
    assert event.payload["outcome"] == "failed"
    assert len(guard.asked) == 4
    assert watcher.looks == 5, "the last look comes after the end of the guard"


@pytest.mark.asyncio
async def test_a_repair_between_the_look_and_the_end_of_the_guard_is_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use(monkeypatch, Lives(FIRST_LIFE, [image("AVAILABLE", boot("COMPLETED"))]))
    (event,) = await events(guarded(monkeypatch, Guard("success")))
    assert isinstance(event, TaskSuccessEvent)


@pytest.mark.asyncio
async def test_another_repair_after_the_end_of_the_guard_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    again = [image("TESTING", boot("RUNNING")), image("FAILED", boot("FAILED"))]
    watcher = Lives(FIRST_LIFE, again, [image("AVAILABLE", boot("COMPLETED"))])
    use(monkeypatch, watcher)
    guard = Guard("failed", "running")
    (event,) = await events(guarded(monkeypatch, guard))
    assert isinstance(event, TaskSuccessEvent)
    assert len(guard.asked) == 2


@pytest.mark.asyncio
async def test_without_an_answer_of_airflow_the_monitor_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    watcher = Lives(FIRST_LIFE, [image("FAILED", boot("FAILED"))])
    use(monkeypatch, watcher)
    guard = Guard(TimeoutError(), RuntimeError("no API server"), "failed")
    (event,) = await events(guarded(monkeypatch, guard))
    assert event.payload["outcome"] == "failed"
    assert len(guard.asked) == 3


@pytest.mark.asyncio
async def test_where_there_is_no_supervisor_to_ask_nothing_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use(monkeypatch, Lives(FIRST_LIFE, [image("FAILED", boot("FAILED"))]))
    guard = Guard("running")
    trigger = guarded(monkeypatch, guard)
    trigger._task_instance = None
    (event,) = await events(trigger)
    assert (event.payload["outcome"], event.payload["supervised"]) == ("failed", False)
    assert guard.asked == []


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("snapshot", "shown"),
    [
        (image("TESTING", boot("COMPLETED")), "success"),
        (image("AVAILABLE", boot("FAILED")), "failed"),
        (image("FAILED", failureContext={"imageStatus": "BUILDING"}), "skipped"),
    ],
)
async def test_what_no_repair_changes_is_shown_at_once(
    snapshot: ImageSnapshot, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, Lives([snapshot]))
    guard = Guard("running")
    (event,) = await events(guarded(monkeypatch, guard))
    kinds = {TaskSuccessEvent: "success", TaskSkippedEvent: "skipped"}
    assert kinds.get(type(event), "failed") == shown
    assert guard.asked == []


@pytest.mark.asyncio
async def test_a_failure_that_the_image_lets_pass_is_shown_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = image("TESTING", boot("FAILED"))
    snapshot.image["workflows"][0]["onFailure"] = "CONTINUE"
    use(monkeypatch, Lives([snapshot]))
    (event,) = await events(guarded(monkeypatch, Guard("running")))
    assert event.payload["outcome"] == "failed"


@pytest.mark.asyncio
async def test_while_a_monitor_waits_its_log_says_for_what_and_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    use(monkeypatch, Lives(FIRST_LIFE, [image("FAILED", boot("FAILED"))]))
    trigger = guarded(monkeypatch, Guard("running", "running", "running", "failed"))
    monkeypatch.setattr(type(trigger), "log", logging.getLogger("task"), raising=False)
    await events(trigger)
    waiting = [line for line in caplog.messages if "Waiting" in line]
    assert waiting == [f"boot ended FAILED. Waiting: {GUARD} has not ended, and may still repair the image."]


@pytest.mark.asyncio
async def test_while_a_monitor_waits_it_asks_for_the_steps_once(monkeypatch: pytest.MonkeyPatch) -> None:
    watcher = Lives(FIRST_LIFE, [image("FAILED", boot("FAILED"))])
    use(monkeypatch, watcher)
    await events(guarded(monkeypatch, Guard("running", "running", "running", "failed")))
    assert watcher.asked_steps == ["wf-1", "wf-1"]


@pytest.mark.asyncio
async def test_a_cancelled_test_is_skipped_with_its_cause_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    use(monkeypatch, Lives([image("FAILED", CIS, boot("CANCELLED"))]))
    trigger = guarded(monkeypatch, Guard("failed"))
    monkeypatch.setattr(type(trigger), "log", logging.getLogger("task"), raising=False)
    (event,) = await events(trigger)
    assert isinstance(event, TaskSkippedEvent)
    assert "boot cancelled, because the test workflow cis failed" in caplog.text


@pytest.mark.asyncio
async def test_a_trigger_of_before_the_guard_was_known_shows_a_failure_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use(monkeypatch, Watcher([image("TESTING", boot("FAILED"))]))
    known = {k: v for k, v in monitor().serialize()[1].items() if k not in ("guard", "resumes")}
    trigger = ImageBuilderWorkflowTrigger(**known)
    trigger._task_instance = SimpleNamespace(dag_id="d", run_id="r")
    (event,) = await events(trigger)
    assert event.payload["outcome"] == "failed"


@pytest.mark.asyncio
async def test_the_deadline_is_the_watchs_and_ends_a_monitor_without_a_guard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watcher = use(monkeypatch, Watcher([], DeadlineExceededError(ARN, 7.0, "TESTING")))
    (event,) = await events(monitor(deadline=7.0, resumes=2))
    assert watcher.asked["deadline"] == 7.0
    assert (event.payload["outcome"], event.payload["deadline"], event.payload["resumes"]) == (
        "deadline",
        7.0,
        2,
    )


@pytest.mark.asyncio
async def test_the_deadline_does_not_count_while_the_guard_has_not_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use(monkeypatch, Lives([], [], [image("TESTING", boot("COMPLETED"))]))
    guard = Guard("deferred")
    (event,) = await events(guarded(monkeypatch, guard, deadline=7.0))
    assert isinstance(event, TaskSuccessEvent)
    assert len(guard.asked) == 2


@pytest.mark.asyncio
async def test_the_deadline_counts_once_the_guard_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, Lives([]))
    (event,) = await events(guarded(monkeypatch, Guard("deferred", "failed"), deadline=7.0))
    assert event.payload["outcome"] == "deadline"


# -- killing -----------------------------------------------------------------------------------------------


def use_endless(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, Watcher()).endless = True


class Hook:
    """Cancels, as it is told to, at the attempt at which it is told to."""

    def __init__(self, status: str = "CANCELLED", error: Exception | None = None, attempts: int = 1) -> None:
        self.status, self.error, self.attempts = status, error, attempts
        self.reason: str | None = None
        self.throttled = 0
        self.cancelled: list[str] = []
        self.deleted: list[str] = []
        self.tokens: list[str] = []

    async def acancel_image(
        self, arn: str, token: str, *, before_each: Callable[[], Awaitable[None]], **_: float
    ) -> dict[str, Any]:
        self.tokens.append(token)
        for _attempt in range(self.attempts):
            await before_each()
            self.throttled += 1
        if self.error:
            raise self.error
        self.cancelled.append(arn)
        return {"arn": arn, "state": {"status": self.status, "reason": self.reason}}

    def delete_outputs(self, image: dict[str, Any]) -> list[str]:
        self.deleted.append(image["arn"])
        return []


def give(monkeypatch: pytest.MonkeyPatch, hook: Hook) -> Hook:
    monkeypatch.setattr(triggers.ImageBuilderTrigger, "hook", hook)
    return hook


@pytest.fixture
def airflow(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Supervisor:
    """An Airflow in which the task was marked failed, as the triggers see it; and their log."""
    answers = Supervisor("failed")
    install(monkeypatch, answers)
    monkeypatch.setattr(ImageBuilderImageTrigger, "log", logging.getLogger("task"), raising=False)
    caplog.set_level(logging.INFO)
    return answers


def deferred(**options: Any) -> ImageBuilderImageTrigger:
    """Return a trigger of a deferred task, as a triggerer has it."""
    trigger = image_trigger(**options)
    trigger.task_instance = TI  # type: ignore[assignment]
    return trigger


BY_HAND = f"aws imagebuilder cancel-image-creation --image-build-version-arn {ARN} --region us-east-1"


@pytest.mark.asyncio
async def test_a_killed_wait_cancels_the_image(
    airflow: Supervisor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hook = give(monkeypatch, Hook())
    await deferred().on_kill()
    await deferred().on_kill()
    assert hook.cancelled == [ARN, ARN]
    assert len(set(hook.tokens)) == 2  # a second kill is not to be taken for the first
    assert hook.deleted == []
    first, last = caplog.messages[:2]
    assert first == (
        f"Airflow has ended this task (its state is failed now): cancelling image {ARN}, if it still builds. "
        "If a person did it, Airflow's audit log names them."
    )
    assert last.startswith("The image is CANCELLED. For a new try, clear")


@pytest.mark.asyncio
async def test_a_wait_that_another_triggerer_has_now_cancels_nothing(
    airflow: Supervisor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hook = give(monkeypatch, Hook())
    airflow.state, airflow.xcoms["bake", "image_build_version_arn"] = "deferred", ARN
    await deferred().on_kill()
    assert hook.cancelled == []
    (record,) = caplog.records
    assert record.levelname == "INFO"
    assert "another triggerer watches it now" in record.message
    assert "killed" not in record.message


@pytest.mark.asyncio
async def test_a_wait_is_left_alone_where_airflow_does_not_answer(
    airflow: Supervisor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hook = give(monkeypatch, Hook())
    airflow.error, airflow.errors = RuntimeError("API_SERVER_ERROR"), 100
    await deferred().on_kill()
    assert hook.cancelled == []
    (record,) = caplog.records
    assert record.levelname == "ERROR"
    assert "Airflow does not answer: API_SERVER_ERROR" in record.message
    assert record.message.endswith(f"If the task was killed, cancel it by hand: {BY_HAND}")


@pytest.mark.asyncio
async def test_a_wait_without_a_task_is_left_alone(
    airflow: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = give(monkeypatch, Hook())
    await image_trigger().on_kill()
    assert hook.cancelled == []


@pytest.mark.asyncio
async def test_a_guard_whose_group_was_cleared_leaves_the_repaired_image_alone(
    airflow: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = give(monkeypatch, Hook())
    airflow.state = "scheduled"
    airflow.xcoms["bake.create_image", "image_submission"] = {"arn": ARN, "submitted_by": "try-2"}
    guard = {"submitter": "bake.create_image", "submitted_by": "try-1"}
    await deferred(**guard).on_kill()
    assert hook.cancelled == []
    airflow.state = "failed"
    await deferred(submitter="bake.create_image", submitted_by="try-2").on_kill()
    assert hook.cancelled == [ARN]


@pytest.mark.asyncio
async def test_a_cancel_belongs_to_one_life_of_the_image(
    airflow: Supervisor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Throttling(Hook):
        async def acancel_image(self, arn: str, token: str, **options: Any) -> dict[str, Any]:
            ask = options.pop("before_each")

            async def before_each() -> None:
                if self.throttled == 3:  # a new try has cancelled the image, announced and repaired it
                    airflow.state = "running"
                    airflow.xcoms["bake", "image_build_version_arn"] = ARN
                await ask()

            return await super().acancel_image(arn, token, before_each=before_each, **options)

    hook = give(monkeypatch, Throttling(attempts=9))
    airflow.state = "queued"
    await deferred().on_kill()
    assert (hook.cancelled, hook.throttled) == ([], 3)
    assert caplog.messages[-1].startswith(
        f"This task was killed, but AWS has not accepted the cancel of image {ARN} before a new try took"
    )
    assert "given up after 3 attempts" in caplog.messages[-1]
    assert caplog.text.count("Airflow has ended this task (") == 1


@pytest.mark.asyncio
async def test_a_killed_wait_leaves_the_image_alone_where_it_is_told_to(
    airflow: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = give(monkeypatch, Hook())
    await deferred(cancel_on_kill=False).on_kill()
    assert (hook.cancelled, airflow.asked) == ([], [])


@pytest.mark.asyncio
@pytest.mark.parametrize(("status", "deleted"), [("CANCELLED", [ARN]), ("AVAILABLE", []), ("CANCELLING", [])])
async def test_outputs_are_removed_only_from_an_image_that_ended_badly(
    status: str, deleted: list[str], airflow: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = give(monkeypatch, Hook(status))
    await deferred(delete_outputs_on_kill=True).on_kill()
    assert hook.deleted == deleted


@pytest.mark.asyncio
async def test_outputs_of_an_image_that_was_repaired_meanwhile_are_kept(
    airflow: Supervisor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Settling(Hook):
        async def acancel_image(self, arn: str, token: str, **options: Any) -> dict[str, Any]:
            found = await super().acancel_image(arn, token, **options)
            airflow.state, airflow.xcoms["bake", "image_build_version_arn"] = "running", ARN
            return found

    hook = give(monkeypatch, Settling())
    await deferred(delete_outputs_on_kill=True).on_kill()
    assert (hook.cancelled, hook.deleted) == ([ARN], [])
    assert f"The outputs of image {ARN} are kept" in caplog.messages[-1]


@pytest.mark.asyncio
@pytest.mark.parametrize("state", [None, "scheduled", "queued", "restarting", "running"])
async def test_outputs_are_kept_for_the_new_try_of_a_task_that_was_cleared(
    state: str | None, airflow: Supervisor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    airflow.state = state
    hook = give(monkeypatch, Hook())
    await deferred(delete_outputs_on_kill=True).on_kill()
    assert (hook.cancelled, hook.deleted) == ([ARN], [])
    assert f"The outputs of image {ARN} are kept for a repair" in caplog.messages[-1]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("state", "said"),
    [
        (("FAILED", "no disk"), "The image is not CANCELLED: it FAILED by itself (no disk). "),
        (("FAILED", None), "The image is not CANCELLED: it FAILED by itself (AWS gives no reason). "),
        (("AVAILABLE", None), "The image is not CANCELLED: it was AVAILABLE before the cancel came. "),
        (("BUILDING", None), "The image is being cancelled: AWS accepted CancelImageCreation while it was "),
    ],
)
async def test_what_became_of_the_image_is_said_as_it_is(
    state: tuple[str, str | None],
    said: str,
    airflow: Supervisor,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    hook = give(monkeypatch, Hook())
    hook.status, hook.reason = state
    await deferred().on_kill()
    assert said in caplog.messages[-1]


@pytest.mark.asyncio
async def test_an_image_that_cannot_be_cancelled_is_told_with_the_way_out(
    airflow: Supervisor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    give(monkeypatch, Hook(error=RefusedError("CancelImageCreation", "InvalidRequestException", 400, "no")))
    await deferred().on_kill()
    assert "This task was killed, but whether image" in caplog.messages[-1]
    assert caplog.messages[-1].endswith(f"To end it, cancel it by hand: {BY_HAND}")


async def killed(
    trigger: ImageBuilderImageTrigger, *, times: int, then: Callable[[], None] = lambda: None
) -> None:
    """Run a trigger as Airflow's triggerer does, and kill it as often as that does, or stop it (0 times)."""
    runner = TriggerRunner()
    runner.triggers[1] = {"task": None, "is_watcher": False, "name": "wait", "events": 0}  # type: ignore[typeddict-item]
    task = asyncio.create_task(runner.run_trigger(1, trigger))
    await asyncio.sleep(0.01)
    for _ in range(times):
        task.cancel(_USER_ACTION_CANCEL_MSG)
        await asyncio.sleep(0.01)
    then()
    if not times:
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.asyncio
async def test_a_cancellation_outlives_that_airflow_kills_again_and_again(
    airflow: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(Hook):
        async def acancel_image(self, arn: str, token: str, **more: Any) -> dict[str, Any]:
            await often.wait()
            return await super().acancel_image(arn, token, **more)

    often = asyncio.Event()
    hook = give(monkeypatch, Slow())
    use_endless(monkeypatch)
    await killed(deferred(), times=5, then=often.set)
    assert hook.cancelled == [ARN]


@pytest.mark.asyncio
async def test_a_question_outlives_that_airflow_kills_again_and_again(
    airflow: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = give(monkeypatch, Hook())
    use_endless(monkeypatch)
    airflow.open.clear()  # the first question of a process takes seconds
    await killed(deferred(), times=5, then=airflow.open.set)
    assert hook.cancelled == [ARN]
    assert airflow.answered == 2  # the first question of the process, and the kill's


@pytest.mark.asyncio
async def test_a_stop_of_the_triggerer_cancels_nothing(
    airflow: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = give(monkeypatch, Hook())
    use_endless(monkeypatch)
    await killed(deferred(), times=0)
    assert hook.cancelled == []


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        (True, "This task was killed, but whether image"),
        (False, "Airflow did not say whether this task was killed"),
    ],
    ids=["killed", "not known"],
)
def test_a_stop_of_the_triggerer_in_the_middle_of_a_cancellation_is_told(
    answers: bool,
    said: str,
    airflow: Supervisor,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    stuck = []

    class Stuck(Hook):
        async def acancel_image(self, *_: Any, **options: Any) -> dict[str, Any]:
            await options["before_each"]()
            stuck.append("in the call")
            await asyncio.sleep(3600)
            raise AssertionError

    async def triggerer() -> None:
        kill = asyncio.create_task(killed(deferred(), times=3))
        await eventually(lambda: bool(stuck if answers else airflow.asked[1:]))
        # The first question is asked ahead of a kill, the second by it.
        assert not kill.done()  # and now it ends, and its loop with it

    give(monkeypatch, Stuck())
    use_endless(monkeypatch)
    if not answers:
        airflow.open.clear()
    asyncio.run(triggerer())
    assert said in caplog.messages[-1]
    assert "the triggerer is being stopped" in caplog.messages[-1]


@pytest.mark.asyncio
async def test_the_first_wait_of_a_process_asks_the_first_question_and_does_not_wait_for_it(
    airflow: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    airflow.open.clear()
    use(monkeypatch, Watcher([image("AVAILABLE")]))
    for _ in range(3):
        (event,) = await events(deferred())
        assert event.payload["status"] == "AVAILABLE"
    await eventually(lambda: airflow.asked == ["GetTaskStates"])


@pytest.mark.asyncio
async def test_a_wait_on_a_worker_asks_nothing(airflow: Supervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, Watcher([image("AVAILABLE")]))
    await deferred().wait()
    await asyncio.sleep(0)
    assert airflow.asked == []


@pytest.mark.asyncio
async def test_a_killed_monitor_touches_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    hook = give(monkeypatch, Hook())
    await monitor().on_kill()
    await monitor().cleanup()
    await image_trigger().cleanup()
    assert hook.cancelled == []
