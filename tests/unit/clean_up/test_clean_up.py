"""The clean-up of Variables: which it removes, which it keeps, and what it does without an answer."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from airflow_imagebuilder.clean_up import AirflowServer, ApiError, MwaaEnvironment, clean_up
from airflow_imagebuilder.variable_store import VariableStore
from tests.support.airflow_rest import USER, FakeAirflow, mwaa

if TYPE_CHECKING:
    from airflow_imagebuilder.clean_up.apis import Api

NOW = datetime.now(timezone.utc)
OLD, RECENT = NOW - timedelta(days=31), NOW - timedelta(days=29)


def stored(airflow: FakeAirflow, dag_id: str, run_id: str, task_id: str = "bake") -> str:
    """Store what a task keeps, with the key and the description that :class:`VariableStore` gives it."""
    ti = SimpleNamespace(dag_id=dag_id, run_id=run_id, task_id=task_id, map_index=-1)
    store = VariableStore(ti)
    key = store.variable("image")
    airflow.variables[key] = json.dumps(store._owner)
    return key


def server(airflow: FakeAirflow, **access: Any) -> AirflowServer:
    return AirflowServer("http://airflow/", transport=httpx.MockTransport(airflow), **(access or USER))


@pytest.fixture
def airflow() -> FakeAirflow:
    return FakeAirflow()


@pytest.fixture(params=["server", "mwaa"])
def api(request: pytest.FixtureRequest, airflow: FakeAirflow) -> Api:
    if request.param == "mwaa":
        return MwaaEnvironment("my-environment", client=mwaa(airflow))
    return server(airflow)


# -- which ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["success", "failed"])
def test_what_a_run_left_that_ended_long_ago_is_removed(api: Api, airflow: FakeAirflow, state: str) -> None:
    airflow.run("bake", "r1", state, OLD)
    key = stored(airflow, "bake", "r1")
    assert clean_up(api, delete=True).removed == {key: "its run has ended"}
    assert not airflow.variables


def test_what_a_deleted_run_left_is_removed(api: Api, airflow: FakeAirflow) -> None:
    airflow.dags.add("bake")
    key = stored(airflow, "bake", "r1")
    assert clean_up(api, delete=True).removed == {key: "its run is gone"}
    assert not airflow.variables


def test_what_the_runs_of_a_deleted_dag_left_is_removed(api: Api, airflow: FakeAirflow) -> None:
    key = stored(airflow, "bake", "r1")
    assert clean_up(api, delete=True).removed == {key: "its run is gone"}


@pytest.mark.parametrize(
    ("state", "end"),
    [
        ("queued", None),
        ("running", None),
        ("running", OLD),
        ("success", RECENT),
        ("failed", RECENT),
        ("failed", None),
    ],
)
def test_a_run_in_progress_and_one_that_ended_recently_keep_theirs(
    api: Api, airflow: FakeAirflow, state: str, end: datetime | None
) -> None:
    airflow.run("bake", "r1", state, end)
    key = stored(airflow, "bake", "r1")
    report = clean_up(api, delete=True)
    assert report.kept == [key]
    assert not report.removed
    assert set(airflow.variables) == {key}


def test_each_variable_is_judged_by_its_own_run(api: Api, airflow: FakeAirflow) -> None:
    airflow.run("bake", "old", "failed", OLD)
    airflow.run("bake", "now", "running")
    airflow.run("other", "old", "running")
    gone = [stored(airflow, "bake", "old", task) for task in ("bake", "image")]
    kept = [stored(airflow, "bake", "now"), stored(airflow, "other", "old")]
    report = clean_up(api, delete=True)
    assert set(report.removed) == set(gone)
    assert set(report.kept) == set(airflow.variables) == set(kept)
    assert {report.runs[key] for key in gone} == {("bake", "old")}
    assert [report.runs[key] for key in kept] == [("bake", "now"), ("other", "old")]


@pytest.mark.parametrize(
    "run_id", ["scheduled__2026-01-01T00:00:00+00:00", "a/b", "50 % ü?#&", "r" * 250, "~", "|"]
)
def test_any_id_of_a_run_is_found(api: Api, airflow: FakeAirflow, run_id: str) -> None:
    airflow.run("bake", run_id, "failed", RECENT)
    key = stored(airflow, "bake", run_id)
    assert clean_up(api, delete=True).kept == [key]


def test_other_variables_are_left_alone(api: Api, airflow: FakeAirflow) -> None:
    owner = {"dag_id": "bake", "run_id": "r1", "task_id": "bake", "map_index": -1}
    ours = hashlib.sha256(b"").hexdigest()[:32]
    foreign: dict[str, str | None] = {
        "imagebuilder-region": json.dumps(owner),
        f"imagebuilder-{ours[:-1]}a": None,
        f"imagebuilder-{ours[:-1]}b": "the region",
        f"imagebuilder-{ours[:-1]}c": "[]",
        f"imagebuilder-{ours[:-1]}d": json.dumps({**owner, "more": 1}),
        f"imagebuilder-{ours[:-1]}e": json.dumps({"dag_id": "bake"}),
    }
    unlisted = {"golden_image_arn_prefix": None, f"my-imagebuilder-{ours}": json.dumps(owner)}
    airflow.variables = {**foreign, **unlisted}
    report = clean_up(api, delete=True)
    assert report.foreign == list(foreign)
    assert not report.runs
    assert not report.removed
    assert airflow.variables == {**foreign, **unlisted}


def test_without_delete_nothing_is_removed(api: Api, airflow: FakeAirflow) -> None:
    airflow.run("bake", "r1", "failed", OLD)
    key = stored(airflow, "bake", "r1")
    assert list(clean_up(api).removed) == [key]
    assert set(airflow.variables) == {key}
    assert not [call for call in airflow.calls if call.startswith("DELETE")]


def test_the_age_can_be_chosen(api: Api, airflow: FakeAirflow) -> None:
    airflow.run("bake", "r1", "failed", NOW - timedelta(days=2))
    key = stored(airflow, "bake", "r1")
    assert clean_up(api, older_than=timedelta(days=3)).kept == [key]
    assert list(clean_up(api, older_than=timedelta(days=1)).removed) == [key]
    with pytest.raises(ValueError, match="negative"):
        clean_up(api, older_than=timedelta(days=-1))


def test_all_pages_are_read(api: Api, airflow: FakeAirflow) -> None:
    airflow.page = 2
    for number in range(7):
        airflow.run("bake", f"old{number}", "failed", OLD)
        airflow.run("bake", f"new{number}", "failed", RECENT)
    old = [stored(airflow, "bake", f"old{number}") for number in range(7)]
    new = [stored(airflow, "bake", f"new{number}") for number in range(7)]
    report = clean_up(api, delete=True)
    assert set(report.removed) == set(old)
    assert set(report.kept) == set(airflow.variables) == set(new)


def test_a_filter_that_airflow_ignores_removes_nothing(api: Api, airflow: FakeAirflow) -> None:
    airflow.run("bake", "r1", "running")
    key = stored(airflow, "bake", "r1")
    everything = [
        {"dag_id": "bake", "dag_run_id": "r1", "state": "running", "end_date": OLD.isoformat()},
        {"dag_id": "bake", "dag_run_id": "r1", "state": "failed", "end_date": RECENT.isoformat()},
        {"dag_id": "bake", "dag_run_id": "r1", "state": "failed", "end_date": "soon"},
        {"dag_id": "other", "dag_run_id": "r1", "state": "failed", "end_date": OLD.isoformat()},
    ]
    answer = httpx.Response(200, json={"dag_runs": everything, "total_entries": len(everything)})
    airflow.faults["POST /dags/~/dagRuns/list"] = [answer]
    assert clean_up(api, delete=True).kept == [key]


# -- errors --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["POST /dags/~/dagRuns/list", "POST /dags/~/dagRuns/~/", "GET /dags/bake"])
@pytest.mark.parametrize("status", [401, 403, 404, 422, 500, 503])
def test_a_question_without_an_answer_keeps_the_variable(
    api: Api, airflow: FakeAirflow, call: str, status: int
) -> None:
    airflow.dags.add("bake")
    key = stored(airflow, "bake", "r1")
    airflow.faults[call] = [httpx.Response(status, json={"detail": "no"}) for _ in range(2)]
    report = clean_up(api, delete=True)
    assert list(report.unreadable) == [key]
    assert str(status) in report.unreadable[key]
    assert set(airflow.variables) == {key}


def test_a_dag_that_the_user_may_not_read_keeps_its_variables(api: Api, airflow: FakeAirflow) -> None:
    airflow.run("bake", "r1", "running")
    airflow.hidden.add("bake")
    key = stored(airflow, "bake", "r1")
    report = clean_up(api, delete=True)
    assert list(report.unreadable) == [key]
    assert set(airflow.variables) == {key}


def test_an_error_about_one_dag_does_not_end_the_clean_up(api: Api, airflow: FakeAirflow) -> None:
    airflow.run("a", "r1", "failed", OLD)
    airflow.run("b", "r1", "failed", OLD)
    first, second = stored(airflow, "a", "r1"), stored(airflow, "b", "r1")
    airflow.faults["POST /dags/~/dagRuns/list"] = [httpx.Response(500)]
    report = clean_up(api, delete=True)
    assert list(report.unreadable) == [first]
    assert list(report.removed) == [second]
    assert set(airflow.variables) == {first}


def test_a_lost_connection_keeps_the_variable(airflow: FakeAirflow) -> None:
    airflow.run("bake", "r1", "failed", OLD)
    key = stored(airflow, "bake", "r1")
    airflow.faults["POST /dags/~/dagRuns/list"] = [httpx.ReadTimeout("")]
    report = clean_up(server(airflow), delete=True)
    assert "ReadTimeout" in report.unreadable[key]


@pytest.mark.parametrize("answer", [{}, [], {"variables": []}, {"total_entries": 1}, {"total_entries": "1"}])
def test_an_answer_of_something_else_removes_nothing(airflow: FakeAirflow, answer: Any) -> None:
    airflow.faults["GET /variables"] = [httpx.Response(200, json=answer)]
    with pytest.raises(ApiError, match="the answer has no"):
        clean_up(server(airflow), delete=True)


def test_a_page_of_html_is_reported_as_such(airflow: FakeAirflow) -> None:
    airflow.faults["GET /variables"] = [httpx.Response(200, text="<html>")]
    with pytest.raises(ApiError, match="is this the address of an Airflow"):
        clean_up(server(airflow))


def test_a_second_page_that_fails_removes_nothing(api: Api, airflow: FakeAirflow) -> None:
    airflow.page = 1
    airflow.run("bake", "r1", "failed", OLD)
    stored(airflow, "bake", "r1")
    stored(airflow, "bake", "r2")
    real = airflow._variables

    def failing(params: httpx.QueryParams) -> httpx.Response:
        return real(params) if params["offset"] == "0" else httpx.Response(503, json={})

    airflow._variables = failing  # type: ignore[method-assign]
    with pytest.raises(ApiError, match="503"):
        clean_up(api, delete=True)
    assert len(airflow.variables) == 2


def test_a_list_without_an_end_is_left(airflow: FakeAirflow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_imagebuilder.clean_up.MOST_PAGES", 3)
    answer = {"variables": [{"key": "x"}], "total_entries": 10**9}
    airflow.faults["GET /variables"] = [httpx.Response(200, json=answer) for _ in range(9)]
    with pytest.raises(ApiError, match="no end"):
        clean_up(server(airflow))


def test_a_variable_that_another_clean_up_removed_meanwhile_counts_as_removed(
    api: Api, airflow: FakeAirflow
) -> None:
    airflow.run("bake", "r1", "failed", OLD)
    key = stored(airflow, "bake", "r1")
    gone = httpx.Response(404, json={"detail": f"The Variable with key: `{key}` was not found"})
    airflow.faults["DELETE"] = [gone]
    assert list(clean_up(api, delete=True).removed) == [key]


def test_a_removal_that_fails_is_reported(api: Api, airflow: FakeAirflow) -> None:
    airflow.run("bake", "r1", "failed", OLD)
    key = stored(airflow, "bake", "r1")
    airflow.faults["DELETE"] = [httpx.Response(403, json={"detail": "Forbidden"}) for _ in range(2)]
    report = clean_up(api, delete=True)
    assert "403" in report.unreadable[key]
    assert not report.removed


# -- access --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 403])
def test_a_user_logs_in_once_and_again_when_the_token_has_expired(airflow: FakeAirflow, status: int) -> None:
    airflow.run("bake", "r1", "failed", OLD)
    key = stored(airflow, "bake", "r1")
    airflow.faults["POST /dags/~/dagRuns/list"] = [httpx.Response(status)]
    assert list(clean_up(server(airflow), delete=True).removed) == [key]
    assert airflow.calls.count("POST /auth/token") == 2


def test_a_wrong_password_and_an_old_token_are_errors(airflow: FakeAirflow) -> None:
    with pytest.raises(ApiError, match=r"POST http://airflow/auth/token: 401 .*Invalid credentials"):
        clean_up(server(airflow, username="maintenance", password="wrong"))
    with pytest.raises(ApiError, match=r"GET http://airflow/api/v2/variables\S*: 401"):
        clean_up(server(airflow, token="old"))
    assert clean_up(server(airflow, token="t1")).removed == {}


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1", "http://127.0.0.1:1/", "airflow", "http://[", "ftp://airflow"]
)
def test_an_address_without_an_airflow_is_an_error_that_names_it(url: str) -> None:
    with pytest.raises(ApiError) as error:
        clean_up(AirflowServer(url, token="t1"))
    assert str(error.value).startswith(f"GET {url.rstrip('/')}/api/v2/variables: ")


def test_a_login_without_a_token_is_an_error(airflow: FakeAirflow) -> None:
    airflow.faults["POST /auth/token"] = [httpx.Response(200, json={})]
    with pytest.raises(ApiError, match="no access_token"):
        clean_up(server(airflow))


def test_every_path_fits_what_mwaa_accepts(airflow: FakeAirflow) -> None:
    from botocore.loaders import Loader

    shapes = Loader().load_service_model("mwaa", "service-2")["shapes"]
    longest = shapes["RestApiPath"]["max"]
    airflow.run("d" * 58, "r" * 250, "failed", OLD)
    stored(airflow, "d" * 58, "r" * 250)
    stored(airflow, "d" * 58, "s" * 250)
    assert len(clean_up(MwaaEnvironment("m", client=mwaa(airflow)), delete=True).removed) == 2
    assert max(len(call.split(" ")[1]) for call in airflow.calls) == longest


def test_a_dag_with_a_longer_name_keeps_what_its_deleted_runs_left_on_mwaa(airflow: FakeAirflow) -> None:
    airflow.dags.add("d" * 59)
    key = stored(airflow, "d" * 59, "gone")
    report = clean_up(MwaaEnvironment("m", client=mwaa(airflow)), delete=True)
    assert "at most 64 characters" in report.unreadable[key]


def test_errors_of_aws_keep_the_variable_and_are_shown(airflow: FakeAirflow) -> None:
    from botocore.stub import Stubber

    client = mwaa(airflow)
    with Stubber(client) as stub:
        stub.add_client_error("invoke_rest_api", "AccessDeniedException", "Airflow role", 403)
        with pytest.raises(
            ApiError, match=r"GET /variables on my-environment: .*AccessDeniedException"
        ) as error:
            clean_up(MwaaEnvironment("my-environment", client=client))
    assert str(error.value).endswith(". The caller needs airflow:InvokeRestApi (docs/mwaa.md, Clean-up).")


def test_another_error_of_aws_asks_for_no_permission(airflow: FakeAirflow) -> None:
    from botocore.stub import Stubber

    client = mwaa(airflow)
    with Stubber(client) as stub:
        stub.add_client_error("invoke_rest_api", "ResourceNotFoundException", "no such environment", 404)
        with pytest.raises(ApiError, match="ResourceNotFoundException") as error:
            clean_up(MwaaEnvironment("my-environment", client=client))
    assert "InvokeRestApi (docs" not in str(error.value)


def test_mwaa_without_a_region_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    with pytest.raises(ApiError, match="region"):
        clean_up(MwaaEnvironment("my-environment"))
