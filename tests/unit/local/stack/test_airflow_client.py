"""The REST client: which requests it retries, when it logs in, and what it reports when a wait times out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from airflow_imagebuilder.local.stack.airflow_client import AirflowApi, AirflowApiError

if TYPE_CHECKING:
    from collections.abc import Callable

    Answers = Callable[[httpx.Request], httpx.Response]


class Airflow:
    """An Airflow that gives prepared answers in order and records the requests."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self._answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def api(self, patience: float = 30) -> AirflowApi:
        return AirflowApi(
            "http://airflow", "admin", "secret", patience=patience, transport=httpx.MockTransport(self)
        )

    @property
    def paths(self) -> list[str]:
        return [f"{request.method} {request.url.path}" for request in self.requests]


def page(total: int, *tasks: dict[str, Any]) -> httpx.Response:
    return httpx.Response(200, json={"task_instances": tasks, "total_entries": total})


def test_after_the_first_refusal_the_client_logs_in_and_sends_the_same_request_again() -> None:
    airflow = Airflow(
        httpx.Response(401),
        httpx.Response(201, json={"access_token": "t1"}),
        httpx.Response(200, json={"state": "queued"}),
    )
    assert airflow.api().run("d", "r") == {"state": "queued"}
    assert airflow.paths == [
        "GET /api/v2/dags/d/dagRuns/r",
        "POST /auth/token",
        "GET /api/v2/dags/d/dagRuns/r",
    ]
    assert json.loads(airflow.requests[1].content) == {"username": "admin", "password": "secret"}
    assert airflow.requests[2].headers["Authorization"] == "Bearer t1"


def test_a_refusal_after_a_new_login_is_an_error() -> None:
    airflow = Airflow(
        httpx.Response(403), httpx.Response(201, json={"access_token": "t"}), httpx.Response(403, text="no")
    )
    with pytest.raises(AirflowApiError, match="403 no") as caught:
        airflow.api().unpause("d")
    assert caught.value.status == 403


@pytest.mark.parametrize(
    "failure", [httpx.Response(500), httpx.ConnectError("gone")], ids=["500", "no connection"]
)
def test_a_temporary_error_is_retried(failure: httpx.Response | Exception) -> None:
    airflow = Airflow(failure, httpx.Response(200, json={"state": "success"}))
    assert airflow.api().run("d", "r")["state"] == "success"
    assert len(airflow.requests) == 2


def test_an_error_that_persists_is_raised_when_the_patience_is_over() -> None:
    airflow = Airflow(httpx.Response(500, text="Database error"))
    with pytest.raises(AirflowApiError, match=r"GET /api/v2/dags/d/dagRuns/r: 500 Database error"):
        airflow.api(patience=0).run("d", "r")


def test_a_client_error_is_raised_at_once() -> None:
    airflow = Airflow(httpx.Response(404, text="no such run"))
    with pytest.raises(AirflowApiError, match="404 no such run"):
        airflow.api().run("d", "r")


def test_a_repeated_trigger_finds_the_run_that_the_first_one_made() -> None:
    airflow = Airflow(httpx.Response(500), httpx.Response(409))
    run_id = airflow.api().trigger("d", {"recipe": "x"})
    bodies = [json.loads(request.content) for request in airflow.requests]
    assert bodies == [{"dag_run_id": run_id, "logical_date": None, "conf": {"recipe": "x"}}] * 2


def test_a_run_id_of_the_caller_that_is_taken_is_an_error() -> None:
    with pytest.raises(AirflowApiError, match="409"):
        Airflow(httpx.Response(409)).api().trigger("d", run_id="mine")


def test_all_pages_of_a_list_are_read() -> None:
    first, second = (
        {"task_id": "a", "map_index": -1, "state": "success"},
        {"task_id": "b", "map_index": 3, "state": None},
    )
    airflow = Airflow(page(2, first), page(2, second))
    assert airflow.api().states("d", "r") == {"a": "success", "b[3]": None}
    assert [request.url.params["offset"] for request in airflow.requests] == ["0", "1"]


def test_a_list_that_shrinks_while_it_is_read_has_an_end() -> None:
    airflow = Airflow(page(2, {"task_id": "a", "map_index": -1, "state": None}), page(2))
    assert len(airflow.api().tasks("d", "r")) == 1


def test_a_dag_that_does_not_appear_is_reported_with_the_import_errors() -> None:
    errors = {"import_errors": [{"filename": "golden.py", "stack_trace": "SyntaxError"}], "total_entries": 1}
    airflow = Airflow(httpx.Response(200, json=errors))
    with pytest.raises(AirflowApiError, match=r"no Dag golden after 0 s\ngolden\.py:\nSyntaxError"):
        airflow.api().wait_for_dag("golden", seconds=0)


def test_a_wait_that_times_out_reports_the_states_of_the_tasks() -> None:
    airflow = Airflow(
        httpx.Response(200, json={"state": "running"}),
        page(1, {"task_id": "image", "map_index": -1, "state": "deferred"}),
    )
    with pytest.raises(AirflowApiError, match=r"not reached within -1 s; now: \{'image': 'deferred'\}"):
        airflow.api().wait_for_run("d", "r", seconds=-1)


@pytest.mark.parametrize(
    ("answer", "healthy"),
    [
        (
            httpx.Response(
                200, json={"scheduler": {"status": "healthy"}, "triggerer": {"status": "healthy"}}
            ),
            True,
        ),
        (
            httpx.Response(
                200, json={"scheduler": {"status": "healthy"}, "triggerer": {"status": "unhealthy"}}
            ),
            False,
        ),
        (
            httpx.Response(200, json={"scheduler": {"status": "healthy"}, "dag_processor": {"status": None}}),
            False,
        ),
        (httpx.Response(500), False),
        (httpx.ConnectError("not yet"), False),
    ],
    ids=["all healthy", "one unhealthy", "one never seen", "error", "not listening"],
)
def test_airflow_is_healthy_when_every_component_is(
    answer: httpx.Response | Exception, healthy: bool
) -> None:
    assert Airflow(answer).api().healthy() is healthy


def test_a_log_has_one_line_per_event_with_its_errors() -> None:
    events = [
        {"event": "::group::Log message source details"},
        {
            "timestamp": "2026-01-01T00:00:00Z",
            "level": "error",
            "event": "Task failed with exception",
            "error_detail": [{"exc_type": "ImageFailedError", "exc_value": "step X failed"}],
        },
    ]
    airflow = Airflow(httpx.Response(200, json={"content": events}))
    assert airflow.api().task_log("d", "r", "t").splitlines() == [
        "::group::Log message source details",
        "2026-01-01T00:00:00Z ERROR Task failed with exception ImageFailedError: step X failed",
    ]


def disabled() -> httpx.Response:
    """Return what Airflow 3.0 answers without ``[api] enable_xcom_deserialize_support``."""
    return httpx.Response(400, json={"detail": "XCom deserialization is disabled in configuration."})


def test_an_airflow_that_does_not_deserialize_xcoms_is_asked_for_the_plain_value_from_then_on() -> None:
    values: list[Any] = ["arn", {"amis": []}]
    plain = [httpx.Response(200, json={"value": value}) for value in values]
    airflow = Airflow(disabled(), *plain)
    api = airflow.api()
    assert [api.xcom("d", "r", "t"), api.xcom("d", "r", "t")] == values
    assert [r.url.params.get("deserialize") for r in airflow.requests] == ["true", None, None]


def test_an_airflow_that_deserializes_xcoms_is_asked_once() -> None:
    airflow = Airflow(httpx.Response(200, json={"value": ["a", "b"]}))
    assert airflow.api().xcom("d", "r", "t", map_index=1) == ["a", "b"]
    assert [dict(r.url.params) for r in airflow.requests] == [{"map_index": "1", "deserialize": "true"}]


def test_an_xcom_that_does_not_exist_is_an_error_whether_or_not_airflow_deserializes() -> None:
    missing = [httpx.Response(404, json={"detail": "XCom entry not found"}) for _ in range(2)]
    airflow = Airflow(missing[0], disabled(), missing[1])
    api = airflow.api()
    for _ in range(2):
        with pytest.raises(AirflowApiError) as error:
            api.xcom("d", "r", "t")
        assert error.value.status == 404
    assert airflow.paths == ["GET /api/v2/dags/d/dagRuns/r/taskInstances/t/xcomEntries/return_value"] * 3


def test_a_plugin_is_found_by_its_name_or_is_none() -> None:
    listed = {"plugins": [{"name": "other"}, {"name": "imagebuilder", "react_apps": []}], "total_entries": 2}
    airflow = Airflow(httpx.Response(200, json=listed), httpx.Response(200, json=listed))
    api = airflow.api()
    assert api.plugin("imagebuilder") == {"name": "imagebuilder", "react_apps": []}
    assert api.plugin("nowhere") is None
    assert airflow.paths == ["GET /api/v2/plugins"] * 2
