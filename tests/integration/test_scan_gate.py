"""The scan gate in real runs: what passes, what does not, what it waits for, and what it leaves alone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from airflow_imagebuilder.local.stack.image_builder import LocalService
from tests.integration.bakes import Run, add_recipes, add_workflow, held, let_go, until
from tests.integration.dags.scan_gate import ACCEPTED, CASES, CONNECTION, EXPIRED
from tests.support.arns import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_imagebuilder.local.stack.airflow import AirflowStack

pytestmark = pytest.mark.integration

FINDINGS = {"critical": 1, "high": 60, "medium": 3}
SCANNED = {"imageScanningConfiguration": {"imageScanningEnabled": True}}
HOLD: dict[str, Any] = {
    "executionRole": "ImageBuilderExecution",
    "workflows": [
        {"workflowArn": f"{PREFIX}:workflow/build/golden-build/1.0.0/1"},
        {"workflowArn": f"{PREFIX}:workflow/test/scan-held/1.0.0/1"},
    ],
}
PASS = {"passes", "accepted", "container", "waits", "waits_on_worker"}


@dataclass
class Stage:
    """The service that the gates ask, and the runs, which have ended."""

    service: LocalService
    run: Run
    page: Run
    calls_before: dict[str, Any]
    deferred: bool


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalService]:
    """A local Image Builder whose clock is turned by hand, so a scan in progress stays in progress."""
    with LocalService(speed=0, home=tmp_path_factory.mktemp("scans")) as service:
        yield service


@pytest.fixture(scope="module")
def stage(airflow: AirflowStack, service: LocalService) -> Stage:
    """Build what the gates find, start all runs at once, and end one scan while gates wait for it."""
    bake_all(service)
    accept(airflow, service)
    extra = json.dumps({"region_name": "us-east-1", "endpoint_url": service.url})
    connection = {"conn_type": "aws", "login": "local", "password": "local", "extra": extra}
    airflow.api.call("POST", "connections", json={"connection_id": CONNECTION, **connection})
    before = service.records()["calls"]
    page, run = (Run.start(airflow.api, dag_id) for dag_id in ("scan_gate", "scan_cases"))
    waiting = until(
        lambda: run.in_state("waits", "deferred") and run.in_state("waits_on_worker", "running"), seconds=240
    )
    calls = service.records()["calls"]
    let_go(service, "scan-late")
    service.control(advance=3 * 3600)
    run.wait(240)
    page.wait(240)
    return Stage(service, run, page, {**before, "held": calls}, bool(waiting))


def bake_all(service: LocalService) -> None:
    """Build one image of each kind; two of them are held in their tests, while they are scanned."""
    add_workflow(service, "HELD", "scan-held", 1, 1)
    names = ["scan-done", "scan-off", "scan-hangs", "scan-late"]
    add_recipes(service, names)
    service.control(findings=FINDINGS)
    for name in names:
        hold = HOLD if name in ("scan-hangs", "scan-late") else {}
        bake(service, name, **hold, **({} if name == "scan-off" else SCANNED))
    recipe = f"{PREFIX}:container-recipe/golden-container/1.0.0"
    bake(service, "golden-container", containerRecipeArn=recipe, **SCANNED)
    service.control(advance=3 * 3600)
    assert held(service, "scan-late")


def bake(service: LocalService, name: str, **members: Any) -> None:
    source = (
        {} if "containerRecipeArn" in members else {"imageRecipeArn": f"{PREFIX}:image-recipe/{name}/1.0.0"}
    )
    service.client("imagebuilder").create_image(
        infrastructureConfigurationArn=f"{PREFIX}:infrastructure-configuration/golden-build",
        clientToken=f"{name}-scan-gate",
        **source,
        **members,
    )


def accept(airflow: AirflowStack, service: LocalService) -> None:
    """Write two allow-lists of all findings into Variables: one holds for long, one has expired."""
    pages = service.client("imagebuilder").get_paginator("list_image_scan_findings").paginate()
    found = [record for page in pages for record in page["findings"]]
    ids = {record["packageVulnerabilityDetails"]["vulnerabilityId"] for record in found}
    for key, until_ in ((ACCEPTED, "2999-12-31"), (EXPIRED, "2020-01-01")):
        value = json.dumps([{"id": id_, "until": until_, "reason": "a test"} for id_ in sorted(ids)])
        airflow.api.call("POST", "variables", json={"key": key, "value": value})


@pytest.mark.parametrize("case", CASES)
def test_a_gate_passes_or_fails_in_its_first_try(stage: Stage, case: str) -> None:
    assert stage.run.states()[case] == ("success" if case in PASS else "failed")
    assert stage.run.task(case)["try_number"] == 1


def test_what_a_gate_that_passes_returns(stage: Stage) -> None:
    value = stage.run.xcom("passes")
    counts = {severity.lower(): count for severity, count in value["counts"].items() if count}
    assert (value["passed"], value["complete"], counts) == (True, True, FINDINGS)
    assert value["aws_counts"] == {"all": 64, **FINDINGS}
    assert (len(value["worst"]), value["truncated"]) == (20, True)
    assert len(json.dumps(value)) <= 16_384


def test_a_gate_that_fails_shows_a_table_and_leaves_an_xcom(stage: Stage) -> None:
    log, value = stage.run.log("above"), stage.run.xcom("above", "scan_findings")
    worst = value["worst"][0]
    assert worst["severity"] == "CRITICAL"
    row = next(line for line in log.splitlines() if "CRITICAL  " in line and worst["link"] in line)
    for part in (worst["id"], worst["package"], "1.0.0", "1.0.1"):
        assert part in row
    assert "... and 14 more" in log
    assert "1 CRITICAL (none accepted), 60 HIGH (1 accepted)" in log
    assert not value["passed"]


def test_findings_on_the_allow_list_do_not_count_until_they_expire(stage: Stage) -> None:
    assert stage.run.xcom("accepted")["allowed_count"] == 64
    expired = stage.run.xcom("expired", "scan_findings")
    assert (expired["allowed_count"], expired["counts"]["HIGH"]) == (0, 60)
    log = stage.run.log("expired")
    assert "Expired entries of the allow-list" in log
    assert "(until 2020-01-01)" in log


@pytest.mark.parametrize("case", ["hangs", "hangs_on_worker"])
def test_a_scan_that_never_ends_fails_at_the_deadline_with_what_is_known(stage: Stage, case: str) -> None:
    log = stage.run.log(case)
    assert "had not ended when the time of this task was over" in log
    assert "the image is TESTING, its scan is SCANNING. Known so far: no findings." in log
    assert not stage.run.xcom(case, "scan_findings")["complete"]
    assert held(stage.service, "scan-hangs")


@pytest.mark.parametrize("case", ["waits", "waits_on_worker"])
def test_a_scan_in_progress_is_waited_for(stage: Stage, case: str) -> None:
    assert stage.deferred
    assert stage.run.xcom(case)["counts"]["HIGH"] == 60
    assert "its scan is SCANNING" in stage.run.log(case)


def test_a_scan_that_is_off_is_said_at_once(stage: Stage) -> None:
    assert "is not scanned" in stage.run.log("off")


def test_the_image_may_be_the_output_of_another_task_or_a_template_of_it(stage: Stage) -> None:
    for task_id in ("of_output", "of_template"):
        assert stage.run.xcom(task_id)["passed"]


def test_mapped_gates_judge_each_image_alone(stage: Stage) -> None:
    states = stage.run.states()
    assert (states["mapped[0]"], states["mapped[1]"]) == ("success", "failed")
    assert (states["mapped_outputs[0]"], states["mapped_outputs[1]"]) == ("success", "success")
    assert (
        ":image/golden-container/" in stage.run.xcom("mapped_outputs", map_index=1)["image_build_version_arn"]
    )


def test_a_gate_links_to_the_consoles(stage: Stage) -> None:
    links = stage.run.links("above")
    assert "console.aws.amazon.com/inspector/v2/home?region=us-east-1" in str(links["Amazon Inspector"])
    assert "#/images" in str(links["Image Builder images"])


def test_the_gates_only_read(stage: Stage) -> None:
    before, after = dict(stage.calls_before), stage.calls_before["held"]
    called = {name for name, count in after.items() if count != before.get(name)}
    assert {"GetImage", "ListImageScanFindings", "ListImageScanFindingAggregations"} <= called
    assert {name for name in called if not name.startswith(("Get", "List"))} == set()


def test_the_dag_of_the_page_runs(stage: Stage) -> None:
    assert stage.page.state == "success"
    assert stage.page.xcom("scan_gate")["passed"]
    assert "match no finding: CVE-2024-0001" in stage.page.log("scan_gate")
