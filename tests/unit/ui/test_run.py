"""The run view's answer: which record counts, workflows, stages, estimate, cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from airflow.configuration import conf

from airflow_imagebuilder.pages import PREFIX
from airflow_imagebuilder.ui.run_view.cost import SECTION, _complain, prices_in
from airflow_imagebuilder.xcom import BUILD_KEY, FINDINGS_KEY, LIVE_BUILD_KEY, WORKFLOW_KEY
from tests.support.image_records import at, build, findings, monitored, steps, workflow
from tests.support.ui_server import counted_queries

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

    from tests.support.airflow_rows import Rows

RUN = f"{PREFIX}/api/v1/dags/bake/runs/run-1"
LIVE: dict[str, Any] = {"ended": False, "ended_at": None, "duration": None, "status": "TESTING"}


def images(admin: TestClient) -> list[dict[str, Any]]:
    answer = admin.get(RUN)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["images"]
    return found


def image(admin: TestClient) -> dict[str, Any]:
    (found,) = images(admin)
    return found


def test_a_run_that_does_not_exist_is_not_found(rows: Rows, admin: TestClient) -> None:
    rows.run("bake", "another")
    rows.flush()
    answer = admin.get(RUN)
    assert answer.status_code == 404
    assert "run-1" in answer.json()["detail"]


def test_a_run_without_images_is_empty(rows: Rows, admin: TestClient) -> None:
    rows.run("bake", state="queued")
    rows.flush()
    run = admin.get(RUN).json()
    assert (run["images"], run["state"]) == ([], "queued")


def test_a_late_live_record_does_not_hide_the_end(rows: Rows, admin: TestClient) -> None:
    # A triggerer that stalled writes what it saw, later and with a clock that is ahead.
    rows.xcom(BUILD_KEY, build(), age=60)
    rows.xcom(LIVE_BUILD_KEY, build(**LIVE, observed_at=at(99_999)))
    rows.flush()
    assert image(admin)["status"] == "AVAILABLE"
    assert image(admin)["stale"] is False


def test_a_record_of_an_earlier_try_does_not_hide_the_current_one(rows: Rows, admin: TestClient) -> None:
    task: dict[str, Any] = {"state": "deferred", "try_number": 2}
    rows.xcom(BUILD_KEY, build(status="FAILED", try_number=1), **task)
    rows.xcom(LIVE_BUILD_KEY, build(**LIVE, try_number=2), **task)
    rows.flush()
    assert image(admin)["status"] == "TESTING"


def test_a_task_that_failed_before_its_image_ended_leaves_a_stale_record(
    rows: Rows, admin: TestClient
) -> None:
    rows.xcom(LIVE_BUILD_KEY, build(**LIVE), state="failed")
    rows.flush()
    assert image(admin)["stale"] is True
    assert image(admin)["observed_at"] == build()["observed_at"]


def test_an_image_that_a_follower_still_watches_is_not_stale(rows: Rows, admin: TestClient) -> None:
    rows.xcom(LIVE_BUILD_KEY, build(**LIVE, observed_at=at(900)), state="failed")
    follower = build(**{**LIVE, "submitted": False, "observed_at": at(950), "status": "DISTRIBUTING"})
    rows.xcom(LIVE_BUILD_KEY, follower, task_id="follower", state="deferred")
    rows.flush()
    found = image(admin)
    assert (found["stale"], found["status"]) == (False, "DISTRIBUTING")
    assert (found["submitted"], found["task"]["task_id"]) == (True, "image")


def test_monitors_add_steps_and_newer_states(rows: Rows, admin: TestClient) -> None:
    running = workflow("boot", "TEST", 600, status="RUNNING", parallel_group="functional")
    record = build(
        **LIVE,
        observed_at=at(700),
        workflows=[workflow("golden-build", "BUILD", 0, 600), running],
        declared=[
            {"name": "golden-build", "type": "BUILD", "parallel_group": None},
            {"name": "boot", "type": "TEST", "parallel_group": "functional"},
            {"name": "users", "type": "TEST", "parallel_group": "functional"},
            {"name": "cis", "type": "TEST", "parallel_group": "security"},
        ],
    )
    rows.xcom(LIVE_BUILD_KEY, record, state="deferred")
    failed = {**running, "status": "FAILED", "end": at(660), "message": "no sshd"}
    task: dict[str, Any] = {"task_id": "functional.test", "state": "failed"}
    rows.xcom(WORKFLOW_KEY, monitored(failed, record["arn"], 710), **task, map_index=0)
    unseen = workflow("users", "TEST", 650, status="RUNNING", parallel_group="functional")
    rows.xcom(WORKFLOW_KEY, monitored(unseen, record["arn"], 720), **task, map_index=1)
    rows.xcom(WORKFLOW_KEY, monitored(unseen, "arn:of:another", 720), **task, map_index=2)
    rows.flush()
    found = {one["name"]: one for one in image(admin)["workflows"]}
    assert list(found) == ["golden-build", "boot", "users", "cis"]
    assert [one["outcome"] for one in found.values()] == ["passed", "failed", "running", "pending"]
    assert found["boot"]["message"] == "no sshd"
    assert [one["name"] for one in found["boot"]["steps"]] == ["Launch", "Run"]
    assert found["boot"]["task"]["map_index"] == 0
    assert (found["cis"]["execution_id"], found["cis"]["steps"]) == (None, None)


def test_tests_that_only_monitors_have_seen_end_are_counted(rows: Rows, admin: TestClient) -> None:
    boot, users = (workflow(name, "TEST", 600, status="RUNNING") for name in ("boot", "users"))
    superseded = workflow("cis", "TEST", 400, 500, status="FAILED", retried=True)
    counts: dict[str, Any] = {"tests_passed": 0, "tests_failed": 0, "tests_total": 3}
    record = build(**LIVE, **counts, observed_at=at(700), workflows=[boot, users, superseded])
    rows.xcom(LIVE_BUILD_KEY, record, state="deferred")
    ends: dict[str, Any] = {"boot": "COMPLETED", "users": "FAILED"}
    for number, one in enumerate((boot, users)):
        seen = {**one, "status": ends[one["name"]], "end": at(710)}
        monitor: dict[str, Any] = {"task_id": "test", "map_index": number, "state": "deferred"}
        rows.xcom(WORKFLOW_KEY, monitored(seen, record["arn"], 710), **monitor)
    rows.flush()
    found = image(admin)
    assert (found["tests_passed"], found["tests_failed"], found["tests_total"]) == (1, 1, 3)


def test_an_end_without_its_final_record_does_not_call_a_test_skipped(rows: Rows, admin: TestClient) -> None:
    ended: dict[str, Any] = {"status": "FAILED", "tests_passed": 0, "tests_failed": 0, "tests_total": 2}
    probe = workflow("probe", "TEST", 600, 700)
    declared = [{"name": name, "type": "TEST", "parallel_group": None} for name in ("probe", "boot")]
    record = build(**ended, observed_at=at(700), workflows=[], declared=declared)
    # The worker that reads how each test ended was killed before it wrote.
    rows.xcom(LIVE_BUILD_KEY, record, state="failed")
    rows.xcom(WORKFLOW_KEY, monitored(probe, record["arn"], 690), task_id="test", map_index=0)
    rows.flush()
    found = image(admin)
    assert [one["outcome"] for one in found["workflows"]] == ["passed", "pending"]
    assert (found["tests_passed"], found["tests_total"]) == (1, 2)


def test_a_monitor_that_saw_less_does_not_take_back_an_end(rows: Rows, admin: TestClient) -> None:
    record = build()
    seen = {**record["workflows"][1], "status": "RUNNING", "end": None}
    rows.xcom(BUILD_KEY, record)
    rows.xcom(WORKFLOW_KEY, monitored(seen, record["arn"], 9_999), task_id="test", state="deferred")
    rows.flush()
    assert image(admin)["workflows"][1]["outcome"] == "passed"
    assert image(admin)["workflows"][1]["steps"]


def test_a_repaired_image_shows_every_life(rows: Rows, admin: TestClient) -> None:
    changes = [("BUILDING", 0), ("TESTING", 600), ("FAILED", 700), ("TESTING", 800), ("AVAILABLE", 900)]
    record = build(
        stages=[{"status": status, "since": at(since)} for status, since in changes],
        workflows=[
            workflow("golden-build", "BUILD", 0, 600),
            workflow("boot", start=600, end=700, status="FAILED", retried=True, execution_id="wf-1"),
            workflow("boot", start=800, end=900, attempt=2, execution_id="wf-2"),
        ],
        declared=[{"name": "boot", "type": "TEST", "parallel_group": None}],
    )
    rows.xcom(BUILD_KEY, record)
    rows.flush()
    found = image(admin)
    assert [(one["name"], one["outcome"]) for one in found["stages"]] == [
        ("build", "passed"),
        ("test", "failed"),
        ("test", "passed"),
    ]
    lives = [(one["attempt"], one["attempts"], one["outcome"]) for one in found["workflows"][1:]]
    assert lives == [(1, 2, "failed"), (2, 2, "passed")]
    # Instances of the superseded life were paid for too.
    assert found["build_minutes"]["total"] == pytest.approx((600 + 100 + 100) / 60, abs=0.01)


def test_a_stage_that_a_repair_ran_again_has_passed(rows: Rows, admin: TestClient) -> None:
    record = build(
        # A cleared task has no records of the life before.
        stages=[{"status": "TESTING", "since": at(500)}, {"status": "AVAILABLE", "since": at(900)}],
        workflows=[
            workflow("boot", start=600, end=700, status="FAILED", retried=True, execution_id="wf-1"),
            workflow("boot", start=800, end=900, attempt=2, execution_id="wf-2"),
        ],
    )
    rows.xcom(BUILD_KEY, record)
    rows.flush()
    stages = [(one["name"], one["outcome"]) for one in image(admin)["stages"]]
    assert stages == [("test", "failed"), ("test", "passed")]


def test_a_change_that_was_seen_late_began_with_its_first_workflow(rows: Rows, admin: TestClient) -> None:
    changes = [("BUILDING", 0), ("TESTING", 900), ("DISTRIBUTING", 950), ("AVAILABLE", 1000)]
    record = build(stages=[{"status": status, "since": at(since)} for status, since in changes])
    rows.xcom(BUILD_KEY, record)
    rows.flush()
    found = [(one["name"], one["start"], one["end"]) for one in image(admin)["stages"]]
    assert found == [
        ("build", at(0), at(600)),
        ("test", at(600), at(902)),
        ("distribution", at(910), at(1000)),
    ]


def test_what_never_began_is_skipped_when_the_image_has_ended(rows: Rows, admin: TestClient) -> None:
    record = build(status="CANCELLED", workflows=[], stages=[{"status": "BUILDING", "since": at(0)}])
    rows.xcom(BUILD_KEY, record)
    rows.flush()
    found = image(admin)
    assert {one["outcome"] for one in found["workflows"]} == {"skipped"}
    assert (found["stages"][0]["outcome"], found["stages"][0]["end"]) == ("cancelled", at(1000))
    assert found["build_minutes"] is None


@pytest.mark.parametrize(
    ("elapsed", "remaining", "slower"),
    [(0, (1150, 1000, 1300), False), (1100, (150, 100, 200), False), (1350, (None, None, None), True)],
)
def test_the_estimate(
    elapsed: int, remaining: tuple[float, ...], slower: bool, rows: Rows, admin: TestClient
) -> None:
    for place, duration in enumerate((1000, 1100, 1200, 1300)):
        rows.xcom(BUILD_KEY, build(10 + place, duration=duration), run_id=f"earlier-{place}")
    rows.xcom(BUILD_KEY, build(20, duration=1, status="FAILED"), run_id="failed")
    rows.xcom(BUILD_KEY, build(21, duration=1, submitted=False), run_id="follower")
    rows.xcom(BUILD_KEY, build(22, duration=1, recipe="golden-2/1.0.0"), run_id="other-recipe")
    record = build(**LIVE, observed_at=at(elapsed), written_at=at(99_999_999))
    rows.xcom(LIVE_BUILD_KEY, record, state="deferred")
    rows.flush()
    found = image(admin)["estimate"]
    assert (found["based_on"], found["fastest"], found["slowest"]) == (4, 1000, 1300)
    assert found["elapsed"] == elapsed
    assert tuple(found[name] for name in ("remaining", "remaining_low", "remaining_high")) == remaining
    assert found["slower_than_all"] is slower


def test_no_more_than_ten_images_make_an_estimate(rows: Rows, admin: TestClient) -> None:
    for place in range(12):
        rows.xcom(
            BUILD_KEY, build(10 + place, duration=5000 if place < 2 else 1000), run_id=f"earlier-{place}"
        )
    rows.xcom(BUILD_KEY, build())
    rows.flush()
    found = image(admin)["estimate"]
    assert (found["based_on"], found["slowest"], found["remaining"]) == (10, 1000, None)


def test_an_image_that_a_kill_cancelled_counts_the_tests_that_monitors_saw(
    rows: Rows, admin: TestClient
) -> None:
    """The worker is killed while it waits, so no one lists the executions once more."""
    cancelled = build(status="CANCELLED", workflows=[], tests_passed=0, amis=[])
    rows.xcom(LIVE_BUILD_KEY, cancelled, state="failed")
    passed = build()["workflows"][1]
    rows.xcom(WORKFLOW_KEY, monitored(passed, cancelled["arn"], 900), task_id="test")
    rows.flush()
    found = image(admin)
    assert [one["outcome"] for one in found["workflows"] if one["type"] == "TEST"].count("passed") == 1
    assert (found["tests_passed"], found["tests_total"]) == (1, 3)


def test_a_recipe_that_is_built_often_does_not_take_the_estimate_of_another(
    rows: Rows, admin: TestClient
) -> None:
    rows.xcom(BUILD_KEY, build(1, "weekly"), run_id="last-week")
    for number in range(120):
        rows.xcom(BUILD_KEY, build(number, "hourly"), run_id=f"hour-{number}")
    for number, name in enumerate(("hourly", "weekly"), 500):
        rows.xcom(BUILD_KEY, build(number, name), task_id=name)
    rows.flush()
    found = {one["name"]: one["estimate"]["based_on"] for one in images(admin)}
    assert found == {"hourly": 10, "weekly": 1}


def test_an_image_that_several_tasks_waited_for_counts_once_in_an_estimate(
    rows: Rows, admin: TestClient
) -> None:
    for place in range(3):
        rows.xcom(BUILD_KEY, build(10), run_id=f"await-{place}")
    rows.xcom(BUILD_KEY, build())
    rows.flush()
    assert image(admin)["estimate"]["based_on"] == 1


def test_the_estimates_of_many_recipes_are_one_statement(rows: Rows, admin: TestClient) -> None:
    for number in range(300):
        rows.xcom(BUILD_KEY, build(1, f"name-{number}"), run_id="earlier", map_index=number)
        rows.xcom(BUILD_KEY, build(2, f"name-{number}"), map_index=number)
    rows.flush()
    with counted_queries() as queries:
        found = [one["estimate"] for one in images(admin)]
    assert {one["based_on"] for one in found if one} == {1}
    assert len([one for one in found if one]) >= 50
    assert len(queries) < 10


def test_an_image_counts_findings_of_a_scan_gate_and_links(rows: Rows, admin: TestClient) -> None:
    rows.xcom(BUILD_KEY, build())
    rows.xcom(FINDINGS_KEY, findings(build()["arn"], critical=1), task_id="gate")
    rows.flush()
    found = image(admin)
    assert found["scan"] == {"status": "COMPLETED", "counts": {"critical": 1, "high": 0, "medium": 0}}
    assert found["console_url"].startswith("https://console.aws.amazon.com/imagebuilder/")
    assert "$252Faws$252Fimagebuilder$252Fgolden" in found["log_url"]


def test_the_cost(rows: Rows, admin: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    rows.xcom(BUILD_KEY, build(instance_types=["m6i.large", "c6i.large"]))
    rows.flush()
    monkeypatch.setenv("AIRFLOW__IMAGEBUILDER__INSTANCE_PRICES", '{"m6i.large": 6, "c6i.large": 60}')
    monkeypatch.setenv("AIRFLOW__IMAGEBUILDER__PRICES_CURRENCY", "EUR")
    found = image(admin)["build_minutes"]
    assert found["currency"] == "EUR"
    assert found["cost_low"] == pytest.approx(found["total"] / 10, rel=0.01)
    assert found["cost_high"] == pytest.approx(found["total"], rel=0.01)
    monkeypatch.setenv("AIRFLOW__IMAGEBUILDER__INSTANCE_PRICES", '{"m6i.large": 6}')
    assert image(admin)["build_minutes"]["cost_low"] is None


@pytest.mark.parametrize("text", ["{", "[1]", '{"m6i.large": "six"}', '{"m6i.large": NaN}', '{"m": -1}', "7"])
def test_malformed_prices_are_logged_once_and_break_nothing(
    text: str, caplog: pytest.LogCaptureFixture
) -> None:
    prices_in.cache_clear()
    _complain.cache_clear()
    assert prices_in(text) == prices_in(text) == {}
    assert caplog.text.count("instance_prices") == 1


@pytest.mark.parametrize(
    "text", ['{"m6i.large": 1' + "0" * 400 + "}", '{"m6i.large": 1e308}', "[" * 20_000, '{"m6i.large": 5%}']
)
def test_prices_that_no_one_means_break_no_page(
    text: str, rows: Rows, admin: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    prices_in.cache_clear()
    if not conf.has_section(SECTION):
        conf.add_section(SECTION)
    monkeypatch.setitem(conf._sections[SECTION], "instance_prices", text)  # type: ignore[attr-defined]
    rows.xcom(BUILD_KEY, build())
    rows.flush()
    found = image(admin)["build_minutes"]
    assert (found["cost_low"], found["cost_high"], found["currency"]) == (None, None, None)


@pytest.mark.parametrize("number", [1, 12])
def test_the_number_of_queries_does_not_grow_with_the_images(
    number: int, rows: Rows, admin: TestClient
) -> None:
    for place in range(number):
        record = build(place, f"golden-{place}")
        rows.xcom(BUILD_KEY, record, map_index=place)
        rows.xcom(
            WORKFLOW_KEY, monitored(record["workflows"][1], record["arn"]), task_id="test", map_index=place
        )
        rows.xcom(FINDINGS_KEY, findings(record["arn"]), task_id="gate", map_index=place)
    rows.flush()
    with counted_queries() as queries:
        assert len(images(admin)) == number
    # Airflow asks three times for the Dag's team on some versions, once for the Dags of the user.
    ours = [one for one in queries if "xcom" in one or "task_instance" in one or "FROM dag_run" in one]
    assert len(ours) == 4
    assert len(queries) <= 8


def test_steps_that_are_many_are_kept(rows: Rows, admin: TestClient) -> None:
    record = build()
    names = [f"step-{number}" for number in range(50)]
    value = monitored(record["workflows"][0], record["arn"], steps=steps(*names, message="last"))
    rows.xcom(BUILD_KEY, record)
    rows.xcom(WORKFLOW_KEY, value, task_id="build")
    rows.flush()
    kept = image(admin)["workflows"][0]["steps"]
    assert [one["name"] for one in kept] == names
    assert kept[-1]["message"] == "last"


def spans(found: dict[str, Any]) -> list[tuple[str, str, str | None, str]]:
    return [(one["name"], one["start"], one["end"], one["outcome"]) for one in found["stages"]]


def test_stages_have_the_times_of_their_workflows(rows: Rows, admin: TestClient) -> None:
    # A task that began late saw TESTING first, when the build was long over.
    record = build(stages=[{"status": "TESTING", "since": at(0)}, {"status": "AVAILABLE", "since": at(1030)}])
    rows.xcom(BUILD_KEY, record)
    rows.flush()
    assert spans(image(admin)) == [
        ("build", at(0), at(600), "passed"),
        ("test", at(600), at(902), "passed"),
        ("distribution", at(910), at(1000), "passed"),
    ]


def test_each_life_of_a_repaired_image_has_its_stages(rows: Rows, admin: TestClient) -> None:
    boot: dict[str, Any] = {"parallel_group": "functional"}
    ran = [
        workflow("golden-build", "BUILD", 0, 600),
        workflow("boot", "TEST", 600, 700, "FAILED", retried=True, **boot),
        workflow("users", "TEST", None, None, "SKIPPED", retried=True, execution_id="wf-never"),
        workflow("boot", "TEST", 2000, 2100, attempt=2, execution_id="wf-again", **boot),
        workflow("users", "TEST", 2100, 2200),
    ]
    declared = [{key: one[key] for key in ("name", "type", "parallel_group")} for one in ran[:3]]
    rows.xcom(BUILD_KEY, build(workflows=ran, declared=declared, stages=[], status="AVAILABLE"))
    rows.flush()
    found = image(admin)
    assert spans(found)[1:] == [
        ("test", at(600), at(700), "failed"),
        ("test", at(2000), at(2200), "passed"),
    ]
    shown = [(one["name"], one["attempt"], one["outcome"]) for one in found["workflows"]]
    assert shown == [
        ("golden-build", 1, "passed"),
        ("boot", 1, "failed"),
        ("boot", 2, "passed"),
        ("users", 1, "passed"),
    ]


def test_what_monitors_saw_counts_before_the_image_has_ended(rows: Rows, admin: TestClient) -> None:
    tests = [workflow("boot", "TEST", 600, 700), workflow("soak", "TEST", 600, None, "RUNNING")]
    record = build(
        **LIVE,
        workflows=[workflow("golden-build", "BUILD", 0, 600)],
        stages=[],
        tests_passed=0,
        tests_total=2,
    )
    record["declared"] = [{key: one[key] for key in ("name", "type", "parallel_group")} for one in tests]
    rows.xcom(LIVE_BUILD_KEY, record, state="deferred")
    for one in tests:
        rows.xcom(WORKFLOW_KEY, monitored(one, record["arn"], 2000), task_id=one["name"], state="deferred")
    rows.flush()
    found = image(admin)
    assert (found["tests_passed"], found["tests_failed"], found["tests_total"]) == (1, 0, 2)
    assert spans(found) == [("build", at(0), at(600), "passed"), ("test", at(600), None, "running")]
