"""What tasks record of their images, in a real Airflow: while they build, after a failure, after a repair."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_imagebuilder.xcom import BUILD_KEY, LIVE_BUILD_KEY, WORKFLOW_KEY
from tests.integration.bakes import the_image
from tests.integration.records import waiting

if TYPE_CHECKING:
    from concurrent.futures import Future

    from airflow_imagebuilder.local.stack.image_builder import LocalService

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def seen(records: Future[dict[str, Any]]) -> dict[str, Any]:
    """The run, and the records that tasks had written while the repaired image was tested again."""
    return records.result()


def test_an_image_is_recorded_while_it_is_tested(seen: dict[str, Any], local_service: LocalService) -> None:
    live = seen["live"]
    assert live["arn"] == the_image(local_service, "records-repaired")["arn"]
    assert "FAILED" in {item["status"] for item in live["workflows"] if item["retried"]}
    assert (live["ended"], live["submitted"], live["recipe"]) == (False, True, "records-repaired/1.0.0")
    assert [item["name"] for item in live["declared"]] == ["records-build", "records-held", "records-probe"]


def test_a_monitor_records_its_steps_while_they_run(seen: dict[str, Any]) -> None:
    held = seen["held"]
    assert (held["status"], held["name"], held["parallel_group"]) == ("RUNNING", "records-held", "pair")
    assert waiting(held)


def test_a_repaired_image_has_both_lives(seen: dict[str, Any]) -> None:
    record = seen["run"].xcom("bake.image", BUILD_KEY)
    probes = [item for item in record["workflows"] if item["name"] == "records-probe"]
    assert [(item["attempt"], item["status"]) for item in probes] == [(1, "FAILED"), (2, "COMPLETED")]
    assert probes[0]["message"] == "no route to host"
    assert (record["status"], record["ended"], record["failure"]) == ("AVAILABLE", True, None)
    assert (record["tests_passed"], record["tests_failed"], record["tests_total"]) == (2, 0, 2)
    assert record["duration"] > 0
    assert record["amis"]
    assert record["truncated"] == []


def test_the_record_knows_the_stages_that_the_trigger_saw(seen: dict[str, Any]) -> None:
    record = seen["run"].xcom("bake.image", BUILD_KEY)
    assert [stage["status"] for stage in record["stages"]][-1] == "AVAILABLE"
    assert "TESTING" in {stage["status"] for stage in record["stages"]}


def test_each_monitor_records_how_its_workflow_ended(seen: dict[str, Any]) -> None:
    run = seen["run"]
    for index, (name, attempt) in enumerate((("records-held", 2), ("records-probe", 2))):
        record = run.xcom("bake.pair.test", WORKFLOW_KEY, index)
        assert (record["name"], record["status"], record["attempt"]) == (name, "COMPLETED", attempt)
        assert record["steps"]
        assert {step["status"] for step in record["steps"]} == {"COMPLETED"}
    assert run.xcom("bake.build", WORKFLOW_KEY)["status"] == "COMPLETED"


def test_a_group_records_its_image_once(seen: dict[str, Any]) -> None:
    run = seen["run"]
    arns = [record["arn"] for record in run.api.xcoms(run.dag_id, run.run_id, BUILD_KEY)]
    assert len(arns) == len(set(arns)) == 3


def test_a_failed_image_has_its_failure_and_the_advice(seen: dict[str, Any]) -> None:
    record = seen["run"].xcom("failed", BUILD_KEY)
    assert (record["status"], record["tests_failed"]) == ("FAILED", 1)
    assert record["failure"]["workflow"] == "records-probe"
    assert record["failure"]["message"] == "no route to host"
    assert record["failure"]["text"] in seen["run"].log("failed")


def test_a_wait_on_a_worker_records_its_image(seen: dict[str, Any]) -> None:
    record = seen["run"].xcom("on_worker", BUILD_KEY)
    assert (record["status"], record["submitted"]) == ("AVAILABLE", True)


def test_the_record_of_an_image_in_progress_is_removed_with_its_end(seen: dict[str, Any]) -> None:
    run = seen["run"]
    assert run.api.xcoms(run.dag_id, run.run_id, BUILD_KEY)
    assert run.api.xcoms(run.dag_id, run.run_id, LIVE_BUILD_KEY) == []
