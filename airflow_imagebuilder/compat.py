"""
What differs between the versions of Airflow that this package runs on. No other module asks for a version.

=========  ==============================================================================================
since 3.1  ``airflow.sdk.TriggerRule``; ``dag.test()`` takes only a Dag that is in the database; pages of
           plugins in Airflow's UI
since 3.2  exceptions of tasks in ``airflow.sdk.exceptions``; a task may ask Airflow from two threads; a
           trigger may be cancelled while it asks Airflow; ``airflow.dag_processing.dagbag``; tasks have a
           manager of listeners of their own, ``airflow.sdk.listener``
since 3.3  ``task_state_store``, ``BaseTrigger.on_kill``, ``retry_policy``, ``airflow.observability.stats``;
           ``airflow.sdk.SkipMixin`` (no later than that);
           the tasks of ``dag.test()`` share one API server
=========  ==============================================================================================

What a version lacks is probed, not derived from its number: a distribution of Airflow may have it earlier.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
import time
from contextlib import contextmanager, suppress
from functools import cache, lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_imagebuilder.variable_store import VariableStore

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator
    from datetime import timedelta
    from types import FrameType

    from airflow.sdk import DAG, Context, SkipMixin, TriggerRule
    from airflow.sdk.definitions.retry_policy import RetryDecision, RetryPolicy
    from airflow.sdk.exceptions import (
        AirflowFailException,
        AirflowNotFoundException,
        AirflowSensorTimeout,
        AirflowSkipException,
        AirflowTaskTimeout,
        DownstreamTasksSkipped,
    )

    HAS_RETRY_POLICY: bool
else:
    try:
        from airflow.sdk.exceptions import (
            AirflowFailException,
            AirflowNotFoundException,
            AirflowSensorTimeout,
            AirflowSkipException,
            AirflowTaskTimeout,
            DownstreamTasksSkipped,
        )
    except ImportError:  # before 3.2
        from airflow.exceptions import (
            AirflowFailException,
            AirflowNotFoundException,
            AirflowSensorTimeout,
            AirflowSkipException,
            AirflowTaskTimeout,
            DownstreamTasksSkipped,
        )
    try:
        from airflow.sdk import SkipMixin
    except ImportError:  # the one that Airflow itself asks for on such a version
        from airflow.providers.standard.utils.skipmixin import SkipMixin
    try:
        from airflow.sdk import TriggerRule
    except ImportError:  # before 3.1
        from airflow.utils.trigger_rule import TriggerRule
    try:
        from airflow.sdk.definitions.retry_policy import RetryDecision, RetryPolicy

        HAS_RETRY_POLICY = True
    except ImportError:  # before 3.3
        from dataclasses import dataclass
        from enum import Enum

        HAS_RETRY_POLICY = False

        class RetryAction(str, Enum):
            """What Airflow does with a task whose try has failed."""

            FAIL = "fail"
            RETRY = "retry"
            DEFAULT = "default"

        @dataclass(frozen=True)
        class RetryDecision:
            """Airflow 3.3's class of this name, as far as :func:`final_errors` needs it."""

            action: RetryAction = RetryAction.DEFAULT
            retry_delay: timedelta | None = None
            reason: str | None = None

            @classmethod
            def fail(cls, reason: str | None = None) -> RetryDecision:
                """Do not try again."""
                return cls(RetryAction.FAIL, None, reason)

            @classmethod
            def retry(cls, delay: timedelta | None = None, reason: str | None = None) -> RetryDecision:
                """Try again. The delay is ignored: the task's ``retry_delay`` applies."""
                return cls(RetryAction.RETRY, delay, reason)

            @classmethod
            def default(cls) -> RetryDecision:
                """Do what the task's ``retries`` allow."""
                return cls()

        class RetryPolicy:
            """Airflow 3.3's class of this name: its ``evaluate`` returns a decision."""


__all__ = [
    "HAS_RETRY_POLICY",
    "AirflowFailException",
    "AirflowNotFoundException",
    "AirflowSensorTimeout",
    "AirflowSkipException",
    "AirflowTaskTimeout",
    "DownstreamTasksSkipped",
    "RetryDecision",
    "RetryPolicy",
    "SkipMixin",
    "TriggerRule",
    "calls_have_a_lock",
    "can_ask_airflow",
    "connection_read",
    "failures_of_tasks",
    "final_errors",
    "is_asking",
    "keeps_plain_xcoms",
    "metrics",
    "older_store",
    "only_question",
    "redact",
    "register_dag",
    "secrets_masker",
    "share_execution_api",
    "shows_plugin_pages",
    "stores_in_variables",
    "trigger_has_on_kill",
    "uninterrupted",
]

log = logging.getLogger(__name__)
T = TypeVar("T")

_question = threading.Lock()
"""Held while a thread of a task asks Airflow."""

_connections = 0
"""How many reads of a connection are under way, each in a thread of its own."""

_unfinished: set[asyncio.Future[Any]] = set()
"""What continues after a cancel of its caller. Python may collect an asyncio task that nothing refers to."""


# -- the task's store --------------------------------------------------------------------------------------


def stores_in_variables() -> bool:
    """Return whether Airflow lacks a task state store, so that Variables keep what outlives a try."""
    from airflow.sdk.definitions.context import Context

    return "task_state_store" not in Context.__annotations__


def older_store(context: Context, task_id: str | None = None) -> VariableStore | None:
    """
    Return the Variables that keep a task's values before Airflow 3.3; ``None`` outside of a running task.

    On 3.3 they are read for a task that an older version has run before.

    :param context: the task's context.
    :param task_id: another task of its run, unmapped; ``None`` (default) means its own.
    """
    from airflow.sdk.execution_time import task_runner

    if getattr(task_runner, "SUPERVISOR_COMMS", None) is None:
        return None
    return VariableStore(context["ti"], task_id, run=context.get("dag_run"))


# -- kills -------------------------------------------------------------------------------------------------


def trigger_has_on_kill() -> bool:
    """Return whether Airflow calls ``on_kill`` of a trigger. If not, it only cancels the trigger."""
    from airflow.triggers.base import BaseTrigger

    return hasattr(BaseTrigger, "on_kill")


def can_ask_airflow() -> bool:
    """
    Return whether a signal handler may ask Airflow a question.

    Before 3.2 it may not, if the signal has interrupted a call to Airflow: each of the two calls would read
    the other one's answer. Later versions have a lock for that.
    """
    return calls_have_a_lock() or not _is_in_a_call(sys._getframe())  # noqa: SLF001 (the way to walk the stack)


def is_asking() -> bool:
    """
    Return whether this thread is in the middle of a call to Airflow, or another one may be where two may not.

    A signal handler that called Airflow then would wait for its own thread, or read another call's answer.
    """
    return _is_in_a_call(sys._getframe()) or (_connections > 0 and not calls_have_a_lock())  # noqa: SLF001


def calls_have_a_lock() -> bool:
    """Return whether two threads of a task may ask Airflow at the same time: since 3.2."""
    from airflow.sdk.execution_time import task_runner

    return hasattr(getattr(task_runner, "SUPERVISOR_COMMS", None), "_thread_lock")


@contextmanager
def connection_read() -> Iterator[None]:
    """Mark that a thread may be reading a connection from Airflow, for :func:`only_question`."""
    global _connections  # noqa: PLW0603
    _connections += 1
    try:
        yield
    finally:
        _connections -= 1


@contextmanager
def only_question(patience: float = 60.0) -> Iterator[None]:
    """
    Let a thread of a task ask Airflow while no other thread does, where two threads may not.

    A wait on a worker reads its connection in a thread. And a second signal may come before the answer to the
    question of the first one.

    :param patience: the most seconds to wait for the others.
    :raises TimeoutError: another thread still waits for its answer.
    """
    if calls_have_a_lock():
        yield
        return
    end = time.monotonic() + patience
    with _question:
        while _connections:
            if time.monotonic() > end:
                raise TimeoutError("another call to Airflow has no answer yet")
            time.sleep(0.01)
        yield


def _is_in_a_call(frame: FrameType | None) -> bool:
    from airflow.sdk.execution_time.comms import CommsDecoder

    while frame is not None and frame.f_code is not CommsDecoder.send.__code__:
        frame = frame.f_back
    return frame is not None


async def uninterrupted(work: Awaitable[T]) -> T:
    """
    Await something that a cancel of the caller must not interrupt: it then ends in the background.

    On Airflow 3.0 and 3.1 a trigger's question to its supervisor that is cancelled half way loses its place
    in the queue of answers: the next question gets the wrong answer, and the triggerer process ends.

    :param work: a question, or what may contain one, such as reading a connection.
    """
    task = asyncio.ensure_future(work)
    _unfinished.add(task)
    task.add_done_callback(_forget)
    return await asyncio.shield(task)


def _forget(task: asyncio.Future[Any]) -> None:
    _unfinished.discard(task)
    if not task.cancelled():
        task.exception()  # read it: asyncio complains of an error that nothing has read


# -- the retry policy --------------------------------------------------------------------------------------


@contextmanager
def final_errors(policy: Any, context: Context) -> Iterator[None]:
    """
    Before Airflow 3.3, which asks a retry policy itself, make an error final where the policy says so.

    The error keeps its class and message, and is an ``AirflowFailException`` too: Airflow fails such a task
    without another try. A delay of the policy cannot be kept: the task's ``retry_delay`` applies.

    :param policy: the operator's retry policy; ``None`` means that all errors are retried.
    :param context: the task's context.
    """
    try:
        yield
    except (AirflowFailException, AirflowSkipException):
        raise
    except Exception as error:
        if HAS_RETRY_POLICY or policy is None or not _is_final(error, policy, context):
            raise
        _make_final(error)
        raise


def _is_final(error: Exception, policy: Any, context: Context) -> bool:
    ti = context["ti"]
    try:
        decision = policy.evaluate(
            exception=error, try_number=ti.try_number, max_tries=ti.max_tries, context=context
        )
        final = bool(decision.action.value == "fail")
    except Exception:
        log.exception("The retry policy raised an error. Airflow retries this task as its retries say.")
        return False
    if final:
        log.info("Airflow does not try this task again: %s.", decision.reason)
    return final


def _make_final(error: Exception) -> None:
    kind = type(error)
    try:
        error.__class__ = type(kind.__name__, (kind, AirflowFailException), {"__module__": kind.__module__})
    except TypeError:  # a class of Python's own, written in C
        raise AirflowFailException(str(error)) from error


# -- pages in Airflow's UI ---------------------------------------------------------------------------------


def cookie_logins() -> dict[Any, Any]:
    """
    Return what a FastAPI application overrides so that the cookie of Airflow's login counts as a login.

    Before Airflow 3.1 ``get_user`` reads the header ``Authorization`` alone, which a browser does not send
    when it opens a page.

    :return: dependencies by those of Airflow that they replace; none, if Airflow reads the cookie.
    """
    from inspect import signature

    from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN
    from airflow.api_fastapi.core_api import security
    from fastapi import HTTPException, Request

    if "request" in signature(security.get_user).parameters:
        return {}

    async def from_header_or_cookie(request: Request) -> Any:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer" or not token:
            token = request.cookies.get(COOKIE_NAME_JWT_TOKEN, "")
        if not token:
            raise HTTPException(401, "Not authenticated")
        read_user: Any = security.get_user
        return await read_user(token)

    # FastAPI reads the annotation, which is text here and not in reach of this module.
    from_header_or_cookie.__annotations__["request"] = Request
    return {security.get_user: from_header_or_cookie}


# -- runs in the process of a test ------------------------------------------------------------------------


@contextmanager
def failures_of_tasks(found: dict[str, str]) -> Iterator[None]:
    """
    Collect the errors of the tasks that fail in this process, e.g. in ``dag.test()``.

    :param found: receives the last error of each task instance by task id, of a mapped one as
        ``task_id[map_index]``.
    """
    from airflow.listeners import hookimpl

    class Listener:
        @hookimpl
        def on_task_instance_failed(self, task_instance: Any, error: Any) -> None:
            index = task_instance.map_index
            mapped = "" if index in (None, -1) else f"[{index}]"
            kind = f"{type(error).__name__}: " if isinstance(error, BaseException) else ""
            found[f"{task_instance.task_id}{mapped}"] = f"{kind}{error}"

    listener = Listener()
    try:  # tasks have a manager of their own since 3.2
        module = import_module("airflow.sdk.listener")
    except ImportError:
        module = import_module("airflow.listeners.listener")
    manager = module.get_listener_manager()
    manager.add_listener(listener)
    try:
        yield
    finally:
        manager.pm.unregister(listener)


def share_execution_api() -> None:
    """
    Let the tasks of ``dag.test()`` in this process share one API server in memory, as they do since 3.3.

    Before, each task made one of its own, which takes seconds.
    """
    from airflow.sdk.execution_time import supervisor

    if not hasattr(supervisor.in_process_api_server, "cache_info"):
        supervisor.in_process_api_server = lru_cache(maxsize=1)(supervisor.in_process_api_server)


def register_dag(dag: DAG) -> None:
    """
    Write a Dag into the database, as the Dag processor does.

    Since 3.1 ``dag.test()`` needs the Dag there; in each version a task needs its assets to be active.
    """
    from airflow.dag_processing.bundles.manager import DagBundlesManager

    dagbag: Any
    try:
        dagbag = import_module("airflow.dag_processing.dagbag")
    except ImportError:  # before 3.2
        dagbag = import_module("airflow.models.dagbag")
    bundles = DagBundlesManager()
    bundles.sync_bundles_to_db()
    if not hasattr(dagbag, "sync_bag_to_db"):  # before 3.1
        core: Any = import_module("airflow.models.dag").DAG
        serialized: Any = import_module("airflow.serialization.serialized_objects").SerializedDAG
        name = next(iter(bundles.get_all_dag_bundles())).name
        core.bulk_write_to_db(name, None, [serialized.deserialize_dag(serialized.serialize_dag(dag))])
        return
    bag = dagbag.DagBag(os.devnull, collect_dags=False)
    bag.bag_dag(dag)
    # Any bundle will do, because the Dag is not read from it.
    dagbag.sync_bag_to_db(bag, next(iter(bundles.get_all_dag_bundles())).name, None)


# -- secrets -----------------------------------------------------------------------------------------------


def redact(value: T) -> T:
    """
    Return a value in which each secret that Airflow knows is replaced by ``***``.

    :param value: text, or mappings and lists of it.
    """
    redacted: T = secrets_masker().redact(value, max_depth=_DEEPEST)
    return redacted


def secrets_masker() -> Any:
    """Return Airflow's module of this name, with ``redact`` and ``mask_secret``, as tasks use it."""
    try:
        return import_module("airflow.sdk._shared.secrets_masker")
    except ImportError:  # before 3.1
        return import_module("airflow.sdk.execution_time.secrets_masker")


_DEEPEST = 20
"""Levels of an answer of AWS that are searched for secrets; Airflow's default is five."""


# -- XComs -------------------------------------------------------------------------------------------------


def keeps_plain_xcoms() -> bool:
    """
    Return whether the XCom backend leaves a value alone that it has not stored itself.

    When a new try begins, Airflow lets the backend remove what the task had stored. One that removes it from
    another store may fail on a value that is not a reference, and the try with it.
    """
    from airflow.sdk.bases.xcom import BaseXCom
    from airflow.sdk.execution_time.xcom import XCom

    own = getattr(XCom.purge, "__func__", XCom.purge) is not getattr(BaseXCom.purge, "__func__", None)
    # Airflow's own backend for object stores ignores such values.
    return not own or XCom.__module__.startswith("airflow.providers.")


# -- the UI ------------------------------------------------------------------------------------------------


def shows_plugin_pages() -> bool:
    """Return whether Airflow's UI shows pages of plugins in its frame (``react_apps``)."""
    from airflow.plugins_manager import AirflowPlugin

    return hasattr(AirflowPlugin, "react_apps")


# -- metrics -----------------------------------------------------------------------------------------------


@cache
def metrics() -> Any:
    """Return Airflow's metrics: an object with ``incr``, ``gauge`` and ``timing``."""
    with suppress(ImportError):
        stats = import_module("airflow.observability.stats")
        if hasattr(stats, "gauge"):  # 3.2 has the module, without the functions
            return stats
    with suppress(ImportError):
        return import_module("airflow.sdk.observability.stats").Stats
    return import_module("airflow.stats").Stats
