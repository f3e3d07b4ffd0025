"""AirflowApi: a small client of Airflow's REST API, with the calls that the demo and the tests need."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

TERMINAL = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})
"""Final states of runs and task instances."""

_PAGE = 100


class AirflowApiError(RuntimeError):
    """Airflow answered with an error, or a wait timed out.

    :param status: HTTP status; None for a wait.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


def _may_pass(error: BaseException) -> bool:
    """Whether another try may succeed: a busy SQLite causes 500, a restarting server does not answer."""
    server_error = 500
    return isinstance(error, httpx.TransportError) or (
        isinstance(error, AirflowApiError) and (error.status or 0) >= server_error
    )


def _last_error(state: RetryCallState) -> Any:
    return state.outcome.result() if state.outcome else None


class AirflowApi:
    """Airflow's public REST API (``/api/v2``), with a token for a user and password.

    :param url: e.g. ``http://127.0.0.1:8080``.
    :param patience: seconds for which a request is retried after a 5xx or a lost connection; 30 by default.
    :param transport: carries the requests; the network by default.
    """

    def __init__(
        self,
        url: str,
        username: str,
        password: str,
        *,
        patience: float = 30,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.url = url
        self._login = {"username": username, "password": password}
        self._deserializes = True
        # Two processes of one machine must not talk through a proxy of the user's environment.
        self._http = httpx.Client(base_url=url, timeout=30, trust_env=False, transport=transport)
        self._retrying = Retrying(
            retry=retry_if_exception(_may_pass),
            wait=wait_random_exponential(multiplier=0.2, max=2),
            stop=stop_after_delay(patience),
            retry_error_callback=_last_error,
        )

    def close(self) -> None:
        """Close the connections, because a server that stops waits for open ones."""
        self._http.close()

    def healthy(self) -> bool:
        """Whether database, scheduler, triggerer and Dag processor are all healthy."""
        found = self.health()
        return bool(found) and all(found.values())

    def health(self) -> dict[str, bool]:
        """Return whether each component is healthy, by its name; nothing if no api-server answers."""
        try:
            answer = self._http.get("/api/v2/monitor/health")
        except httpx.TransportError:
            return {}
        parts = answer.json() if answer.is_success else {}
        # The status of a component is None until its first heartbeat.
        return {name.replace("_", "-"): part["status"] == "healthy" for name, part in parts.items()}

    def call(self, method: str, path: str, **options: Any) -> Any:
        """Send one request below ``/api/v2`` and return the JSON of the answer, None for an empty one.

        :raises AirflowApiError: Airflow answered 4xx, or 5xx until the patience was over.
        """
        return self._retrying(self._once, method, f"/api/v2/{path}", **options)

    def _once(self, method: str, path: str, **options: Any) -> Any:
        forbidden = {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}
        answer = self._http.request(method, path, **options)
        if answer.status_code in forbidden and self._log_in():
            answer = self._http.request(method, path, **options)
        if answer.is_error:
            raise AirflowApiError(f"{method} {path}: {answer.status_code} {answer.text}", answer.status_code)
        return answer.json() if answer.content else None

    def _log_in(self) -> bool:
        answer = self._http.post("/auth/token", json=self._login)
        if answer.is_error:
            raise AirflowApiError(f"POST /auth/token: {answer.status_code} {answer.text}", answer.status_code)
        self._http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return True

    def _all(self, path: str, key: str, **params: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            page = self.call("GET", path, params={**params, "limit": _PAGE, "offset": len(found)})
            found += page[key]
            if not page[key] or len(found) >= page["total_entries"]:
                return found

    # Dags

    def wait_for_dag(self, dag_id: str, seconds: float = 60) -> dict[str, Any]:
        """Wait until the Dag processor has read a Dag, and return it.

        :raises AirflowApiError: the time is up; the message holds the import errors.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                dag: dict[str, Any] = self.call("GET", f"dags/{dag_id}")
            except AirflowApiError as error:
                if error.status != httpx.codes.NOT_FOUND:
                    raise
            else:
                return dag
            time.sleep(0.25)
        broken = [f"{e['filename']}:\n{e['stack_trace']}" for e in self.import_errors()]
        raise AirflowApiError("\n".join([f"no Dag {dag_id} after {seconds:.0f} s", *broken]))

    def import_errors(self) -> list[dict[str, Any]]:
        """Return the Dag files that could not be read: ``filename``, ``stack_trace``."""
        return self._all("importErrors", "import_errors")

    def plugin(self, name: str) -> dict[str, Any] | None:
        """Return a plugin as Airflow's API lists it, from 3.1 with ``react_apps``; None if it lists none."""
        return next((plugin for plugin in self._all("plugins", "plugins") if plugin["name"] == name), None)

    def unpause(self, dag_id: str) -> None:
        """Unpause a Dag, so that its runs start."""
        self.call("PATCH", f"dags/{dag_id}", json={"is_paused": False})

    # Runs

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None, run_id: str | None = None) -> str:
        """Start a run and return its id.

        :param run_id: by default a new one; then a retried request finds the run that the first one made.
        """
        new_id = run_id or f"manual__{uuid.uuid4().hex[:12]}"
        body = {"dag_run_id": new_id, "logical_date": None, "conf": dict(conf or {})}
        try:
            self.call("POST", f"dags/{dag_id}/dagRuns", json=body)
        except AirflowApiError as error:
            if run_id is not None or error.status != httpx.codes.CONFLICT:
                raise
        return new_id

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """Return a run; its ``state`` is queued, running, success or failed."""
        run: dict[str, Any] = self.call("GET", f"dags/{dag_id}/dagRuns/{run_id}")
        return run

    def set_run_state(self, dag_id: str, run_id: str, state: str) -> None:
        """Mark a run ``success``, ``failed`` or ``queued``."""
        self.call("PATCH", f"dags/{dag_id}/dagRuns/{run_id}", json={"state": state})

    def clear_run(self, dag_id: str, run_id: str, *, only_failed: bool = False) -> None:
        """Clear a whole run, so that its tasks run again."""
        body = {"dry_run": False, "only_failed": only_failed}
        self.call("POST", f"dags/{dag_id}/dagRuns/{run_id}/clear", json=body)

    # Task instances

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return the task instances of a run, one per map index."""
        return self._all(f"dags/{dag_id}/dagRuns/{run_id}/taskInstances", "task_instances")

    def task(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> dict[str, Any]:
        """Return one task instance; its ``state`` is None until the scheduler handles it."""
        at = "" if map_index < 0 else f"/{map_index}"
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}{at}"
        task: dict[str, Any] = self.call("GET", path)
        return task

    def states(self, dag_id: str, run_id: str) -> dict[str, str | None]:
        """Return the state of each task instance by task id, a mapped one as ``task_id[map_index]``."""
        return {_name(task): task["state"] for task in self.tasks(dag_id, run_id)}

    def set_task_state(self, dag_id: str, run_id: str, task_id: str, state: str, map_index: int = -1) -> None:
        """Mark a task instance ``success``, ``failed`` or ``skipped``, as the UI does."""
        at = "" if map_index < 0 else f"/{map_index}"
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}{at}"
        self.call("PATCH", path, json={"new_state": state})

    def clear(self, dag_id: str, run_id: str, task_ids: Sequence[str], *, only_failed: bool = False) -> None:
        """Clear task instances of a run, so that they run again."""
        body = {
            "dry_run": False,
            "dag_run_id": run_id,
            "task_ids": list(task_ids),
            "only_failed": only_failed,
            "reset_dag_runs": True,
        }
        self.call("POST", f"dags/{dag_id}/clearTaskInstances", json=body)

    def xcom(
        self, dag_id: str, run_id: str, task_id: str, key: str = "return_value", map_index: int = -1
    ) -> Any:
        """Return the value of an XCom.

        :raises AirflowApiError: the XCom does not exist (status 404).
        """
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}"
        params: dict[str, Any] = {"map_index": map_index}
        if self._deserializes:
            try:
                return self.call("GET", path, params={**params, "deserialize": True})["value"]
            except AirflowApiError as error:
                if error.status != httpx.codes.BAD_REQUEST:
                    raise
                # Airflow 3.0 needs a setting for it; there a value that is JSON is the same without it.
                self._deserializes = False
        return self.call("GET", path, params=params)["value"]

    def xcoms(self, dag_id: str, run_id: str, key: str) -> list[Any]:
        """Return the values that the tasks of a run have pushed under ``key``."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/~/xcomEntries"
        entries = self._all(path, "xcom_entries", xcom_key=key)
        found = [(e["task_id"], e["map_index"]) for e in entries]
        return [self.xcom(dag_id, run_id, task_id, key, map_index) for task_id, map_index in found]

    def task_log(
        self, dag_id: str, run_id: str, task_id: str, try_number: int = 1, map_index: int = -1
    ) -> str:
        """Return the log of one try, one line per event."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{try_number}"
        content = self.call("GET", path, params={"map_index": map_index, "full_content": True})["content"]
        return "\n".join(line if isinstance(line, str) else _log_line(line) for line in content)

    # Waits

    def wait_for_run(self, dag_id: str, run_id: str, seconds: float = 120) -> dict[str, Any]:
        """Wait until a run has finished and return it.

        :raises AirflowApiError: the time is up; the message holds the states of its tasks.
        """
        return self.wait(lambda: self._ended(dag_id, run_id), seconds, lambda: self.states(dag_id, run_id))

    def wait_for_task(
        self,
        dag_id: str,
        run_id: str,
        task_id: str,
        states: Sequence[str],
        *,
        seconds: float = 60,
        map_index: int = -1,
    ) -> dict[str, Any]:
        """Wait until a task instance is in one of ``states`` and return it."""

        def reached() -> dict[str, Any] | None:
            task = self.task(dag_id, run_id, task_id, map_index)
            return task if task["state"] in states else None

        return self.wait(reached, seconds, lambda: self.states(dag_id, run_id))

    def _ended(self, dag_id: str, run_id: str) -> dict[str, Any] | None:
        run = self.run(dag_id, run_id)
        return run if run["state"] in TERMINAL else None

    def wait(
        self, condition: Callable[[], dict[str, Any] | None], seconds: float, situation: Callable[[], Any]
    ) -> dict[str, Any]:
        """Poll until ``condition`` returns a value, and return that.

        :param situation: returns what the message shows when the time is up.
        :raises AirflowApiError: the time is up.
        """
        deadline = time.monotonic() + seconds
        while (found := condition()) is None:
            if time.monotonic() > deadline:
                raise AirflowApiError(f"not reached within {seconds:.0f} s; now: {situation()}")
            time.sleep(0.25)
        return found


def _name(task: Mapping[str, Any]) -> str:
    return task["task_id"] if task["map_index"] < 0 else f"{task['task_id']}[{task['map_index']}]"


def _log_line(event: Mapping[str, Any]) -> str:
    when, level = event.get("timestamp") or "", event.get("level") or ""
    trouble = [
        f"{error.get('exc_type')}: {error.get('exc_value')}" for error in event.get("error_detail") or ()
    ]
    return " ".join(filter(None, (str(when), str(level).upper(), str(event.get("event", "")), *trouble)))
