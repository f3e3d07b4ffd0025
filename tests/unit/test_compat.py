"""The versions of Airflow: what an older one lacks, and what happens there instead."""

from __future__ import annotations

import asyncio
import re
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import CommsDecoder

from airflow_imagebuilder import compat
from airflow_imagebuilder.compat import (
    AirflowFailException,
    AirflowSkipException,
    RetryDecision,
    final_errors,
    uninterrupted,
)
from airflow_imagebuilder.operators.retry_policy import ImageBuilderRetryPolicy
from airflow_imagebuilder.service.errors import ForbiddenError, ImageBuilderError, ThrottledError
from tests.support.supervisor import eventually
from tests.support.task import FakeTask

if TYPE_CHECKING:
    from collections.abc import Callable

REPOSITORY = Path(__file__).parents[2]
CONTEXT = FakeTask().context
FORBIDDEN = ForbiddenError("CreateImage", "AccessDeniedException", 403, "no")
POLICY = ImageBuilderRetryPolicy()


# -- one module asks ---------------------------------------------------------------------------------------


def test_no_other_module_asks_for_a_version_of_airflow() -> None:
    asks = re.compile(
        r"try:\n +(?:from|import) airflow\b|airflow\.__version__|from airflow import version"
        r"|airflow\.version|packaging\.version|AIRFLOW_V_|hasattr\(BaseTrigger|version\(\"apache"
    )
    paths = [*(REPOSITORY / "airflow_imagebuilder").rglob("*.py"), *(REPOSITORY / "dags").rglob("*.py")]
    found = {
        path.relative_to(REPOSITORY).as_posix(): match[0]
        for path in paths
        if path.name != "compat.py" and (match := asks.search(path.read_text("utf-8")))
    }
    assert len(paths) > 100
    assert found == {}


# -- the retry policy --------------------------------------------------------------------------------------


@pytest.fixture
def asks_no_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Airflow know no retry policies, as before 3.3."""
    monkeypatch.setattr(compat, "HAS_RETRY_POLICY", False)


def raised_by(error: BaseException, policy: Any = POLICY) -> BaseException:
    with pytest.raises(type(error)) as raised, final_errors(policy, CONTEXT):
        raise error
    return raised.value


@pytest.mark.usefixtures("asks_no_policy")
def test_an_error_that_the_policy_does_not_retry_is_final_and_stays_what_it_was() -> None:
    error = ForbiddenError("CreateImage", "AccessDeniedException", 403, "no")
    message = str(error)
    final = raised_by(error)
    assert isinstance(final, AirflowFailException)
    assert id(final) == id(error)
    assert str(final) == message
    assert type(final).__name__ == "ForbiddenError"
    assert final.code == "AccessDeniedException"  # type: ignore[attr-defined]


@pytest.mark.usefixtures("asks_no_policy")
@pytest.mark.parametrize(
    "error",
    [
        ThrottledError("CreateImage", "CallRateLimitExceededException", 429),
        ImageBuilderError("a test failed"),
        ValueError("a defect"),
        AirflowSkipException("no image"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_other_errors_follow_the_retries_of_the_task(error: Exception) -> None:
    assert not isinstance(raised_by(error), AirflowFailException)


@pytest.mark.usefixtures("asks_no_policy")
def test_the_policy_of_the_dag_decides() -> None:
    seen: list[Any] = []

    def evaluate(
        *, exception: BaseException, try_number: int, max_tries: int, context: Any
    ) -> RetryDecision:  # by name, as Airflow 3.3 calls it
        seen.append((type(exception), try_number, max_tries, context is CONTEXT))
        return RetryDecision.fail("the Dag does not want it")

    policy = SimpleNamespace(evaluate=evaluate)
    assert isinstance(raised_by(ImageBuilderError("a test failed"), policy), AirflowFailException)
    assert seen == [(ImageBuilderError, 1, 0, True)]
    with pytest.raises(AirflowFailException, match="a defect"), final_errors(policy, CONTEXT):
        raise OSError("a defect")  # a class of Python's own cannot get a second base


@pytest.mark.usefixtures("asks_no_policy")
def test_a_policy_that_fails_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    for evaluate in (lambda **_: 1 / 0, lambda **_: None):
        policy = SimpleNamespace(evaluate=evaluate)
        assert not isinstance(raised_by(ForbiddenError("CreateImage"), policy), AirflowFailException)
    assert "The retry policy raised an error" in caplog.text


def test_where_airflow_asks_the_policy_the_error_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compat, "HAS_RETRY_POLICY", True)
    assert not isinstance(raised_by(ForbiddenError("CreateImage")), AirflowFailException)
    monkeypatch.setattr(compat, "HAS_RETRY_POLICY", False)
    assert not isinstance(raised_by(ForbiddenError("CreateImage"), None), AirflowFailException)


# -- questions ---------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_cancelled_caller_does_not_cancel_its_question() -> None:
    answered, open_ = [], asyncio.Event()

    async def question() -> str:
        await open_.wait()
        answered.append(True)
        return "deferred"

    caller = asyncio.create_task(uninterrupted(question()))
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    open_.set()
    await eventually(lambda: not compat._unfinished)
    assert answered == [True]


@pytest.mark.asyncio
async def test_an_error_of_a_question_reaches_its_caller_and_is_not_logged_without_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def question() -> None:
        await asyncio.sleep(0)
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        await uninterrupted(question())
    caller = asyncio.create_task(uninterrupted(question()))
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    await eventually(lambda: not compat._unfinished)
    assert caplog.records == []


class Socket:
    """Answers nothing, and runs a signal handler in the middle of a call."""

    def __init__(self, at_send: Callable[[], None]) -> None:
        self.at_send = at_send

    def sendall(self, frame: bytes) -> None:
        self.at_send()
        raise OSError("gone")


@pytest.mark.parametrize("lock", [True, False], ids=["with a lock", "without a lock (before 3.2)"])
def test_a_signal_handler_asks_nothing_in_the_middle_of_a_call_that_has_no_lock(
    lock: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.sdk.execution_time.comms import GetVariable

    comms = SimpleNamespace(**({"_thread_lock": None} if lock else {}))
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", comms, raising=False)
    may: list[bool] = []
    socket: Any = Socket(lambda: may.append(compat.can_ask_airflow()))
    comms_of_a_task: Any = CommsDecoder(socket=socket)
    with pytest.raises(OSError, match="gone"):
        comms_of_a_task.send(GetVariable(key="k"))
    may.append(compat.can_ask_airflow())
    assert may == [lock, True]


@pytest.mark.parametrize("lock", [True, False], ids=["with a lock", "without a lock (before 3.2)"])
def test_a_question_waits_for_the_other_threads_where_calls_have_no_lock(
    lock: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    comms = SimpleNamespace(**({"_thread_lock": None} if lock else {}))
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", comms, raising=False)
    asked = []
    with compat.connection_read():  # in a wait on a worker
        if lock:
            with compat.only_question():
                asked.append(1)
        else:
            with pytest.raises(TimeoutError, match="no answer yet"), compat.only_question(patience=0.0):
                asked.append(1)
    with compat.only_question():
        asked.append(2)
    assert asked == ([1, 2] if lock else [2])


def test_two_questions_are_asked_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", SimpleNamespace(), raising=False)
    order, first_asks, answer = [], threading.Event(), threading.Event()

    def first() -> None:
        with compat.only_question():
            first_asks.set()
            answer.wait(10)
            order.append("first")

    def second() -> None:
        with compat.only_question():
            order.append("second")

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    assert first_asks.wait(10)
    threads[1].start()
    answer.set()
    for thread in threads:
        thread.join(10)
    assert order == ["first", "second"]


def test_metrics_have_what_the_poller_reports() -> None:
    found = compat.metrics()
    assert all(callable(getattr(found, name)) for name in ("incr", "gauge", "timing"))


def backend(module: str, **members: Any) -> type:
    from airflow.sdk.bases.xcom import BaseXCom

    return type("Backend", (BaseXCom,), {"__module__": module, **members})


@pytest.mark.parametrize(
    ("module", "members", "keeps"),
    [
        ("my_company.xcom", {}, True),
        ("my_company.xcom", {"purge": staticmethod(lambda xcom: xcom.value.split("/"))}, False),
        ("my_company.xcom", {"purge": classmethod(lambda cls, xcom: xcom.value.split("/"))}, False),
        ("airflow.providers.common.io.xcom.backend", {"purge": staticmethod(lambda xcom: None)}, True),
    ],
)
def test_a_backend_that_removes_what_it_stored_may_fail_on_a_plain_value(
    module: str, members: dict[str, Any], keeps: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow.sdk.execution_time.xcom.XCom", backend(module, **members))
    assert compat.keeps_plain_xcoms() is keeps
