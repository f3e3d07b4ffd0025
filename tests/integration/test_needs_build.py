"""The gate in real runs: what it skips, what it lets through, and what it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from airflow_imagebuilder.local.stack.image_builder import LocalService
from tests.integration.bakes import Run, add_recipes
from tests.integration.dags.needs_build import CASES, CONNECTION
from tests.support.arns import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_imagebuilder.local.stack.airflow import AirflowStack

pytestmark = pytest.mark.integration

PARAMETER = "/needs/parent"
NEEDED = {"old", "inputs", "forced"}
DAGS = ("needs_cases", "needs_group_true", "needs_group_false", "needs_mapped")
HOW_TO = ("build_if_needed", "build_needed_ones")
FORCED = ("needs_cases", "build_if_needed")


@dataclass
class Stage:
    """The service that the gates ask, and their runs, which have ended."""

    service: LocalService
    runs: dict[str, Run]
    calls_before: dict[str, Any]
    arns: dict[str, str]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalService]:
    """A local Image Builder whose clock is turned by hand, so an image in progress stays in progress."""
    with LocalService(speed=0, home=tmp_path_factory.mktemp("needs")) as service:
        yield service


@pytest.fixture(scope="module")
def stage(airflow: AirflowStack, service: LocalService) -> Stage:
    """Build what the gates find, then start all runs at once and wait for their ends."""
    arns = build(service)
    extra = f'{{"region_name": "us-east-1", "endpoint_url": "{service.url}"}}'
    connection = {"conn_type": "aws", "login": "local", "password": "local", "extra": extra}
    airflow.api.call("POST", "connections", json={"connection_id": CONNECTION, **connection})
    before = service.records()["calls"]
    runs = {
        dag_id: Run.start(airflow.api, dag_id, {"force": True} if dag_id in FORCED else None)
        for dag_id in (*HOW_TO, *DAGS)
    }
    for run in runs.values():
        run.wait()
    return Stage(service, runs, before, arns)


def build(service: LocalService) -> dict[str, str]:
    """Build images, change what one of them was built from, and start a pipeline. Return the ARNs."""
    client, ssm = service.client("imagebuilder"), service.client("ssm")
    document = "name: part\nschemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n      - name: Run\n"
    document += "        action: ExecuteBash\n        inputs: {commands: ['true']}\n"
    part = {"name": "needs-part", "platform": "Linux", "data": document}
    client.create_component(semanticVersion="1.0.9", **part)
    parents = [one["ImageId"] for one in service.client("ec2").describe_images(Owners=["amazon"])["Images"]]
    ssm.put_parameter(Name=PARAMETER, Type="String", Value=parents[0])
    add_recipes(service, ["needs-built", "needs-none"])
    client.create_image_recipe(
        name="needs-inputs",
        semanticVersion="1.0.0",
        parentImage=f"ssm:{PARAMETER}",
        components=[{"componentArn": f"{PREFIX}:component/needs-part/1.x.x"}],
    )
    arns = {name: bake(client, name) for name in ("needs-built", "needs-inputs")}
    service.control(advance=3 * 3600)
    # By their numbers 1.0.10 is newer than 1.0.9; as texts it is the other way round.
    client.create_component(semanticVersion="1.0.10", **part)
    ssm.put_parameter(Name=PARAMETER, Type="String", Value=parents[1], Overwrite=True)
    started = client.start_image_pipeline_execution(
        imagePipelineArn=f"{PREFIX}:image-pipeline/golden-web", clientToken="needs-build-in-progress"
    )
    return {**arns, "golden-web": started["imageBuildVersionArn"]}


def bake(client: Any, name: str) -> str:
    answer = client.create_image(
        imageRecipeArn=f"{PREFIX}:image-recipe/{name}/1.0.0",
        infrastructureConfigurationArn=f"{PREFIX}:infrastructure-configuration/golden-build",
        clientToken=f"{name}-needs-build",
    )
    return str(answer["imageBuildVersionArn"])


@pytest.mark.parametrize("case", CASES)
def test_what_follows_starts_if_and_only_if_a_build_is_needed(stage: Stage, case: str) -> None:
    run = stage.runs["needs_cases"]
    states = run.states()
    assert states[case] == "success"
    assert states[f"after_{case}"] == ("success" if case in NEEDED else "skipped")
    answer = run.xcom(case)
    assert answer["needed"] is (case in NEEDED)
    assert answer["reasons"]
    assert answer["reasons"][0] in run.log(case)


def test_the_reasons_say_what_was_found(stage: Stage) -> None:
    run = stage.runs["needs_cases"]
    reasons = {case: " ".join(run.xcom(case)["reasons"]) for case in CASES}
    assert stage.arns["needs-built"] in reasons["same"]
    assert "max_age" in reasons["old"]
    assert "needs-part 1.0.10/1 is newer than 1.0.9/1" in reasons["inputs"]
    assert f"parameter {PARAMETER} now holds ami-" in reasons["inputs"]
    assert "force" in reasons["forced"]
    assert stage.arns["golden-web"] in reasons["in_progress"]


def test_reasons_against_a_build_are_in_the_xcom_too(stage: Stage) -> None:
    checked = stage.runs["needs_cases"].xcom("same")["checked"]
    assert checked["base_image"]["verdict"] == "no"
    assert checked["base_image"]["text"].startswith("amazon-linux-2023-x86 ")
    assert checked["base_image"]["text"].endswith(" is the newest")


def test_the_gates_only_read(stage: Stage) -> None:
    before, after = stage.calls_before, stage.service.records()["calls"]
    called = {name for name, count in after.items() if count != before.get(name)}
    assert "GetImageRecipe" in called
    assert {name for name in called if not name.startswith(("Get", "List", "Describe"))} == set()


def test_a_skipped_group_is_skipped_whole_and_the_run_is_green(stage: Stage) -> None:
    run = stage.runs["needs_group_true"]
    assert run.state == "success"
    states = run.states()
    assert states.pop("gate") == "success"
    assert set(states.values()) == {"skipped"}
    assert {"bake.functional.test[0]", "bake.functional.test[1]", "bake.performance.test[0]"} <= set(states)
    assert {"bake.monitored", "bake.ready", "roll_out", "report"} <= set(states)
    monitors = [one for one in run.api.tasks(run.dag_id, run.run_id) if one["task_id"].endswith(".test")]
    assert [one["try_number"] for one in monitors] == [0] * len(monitors), "a monitor needed a worker"


def test_with_trigger_rules_respected_the_group_ends_too_and_the_run_is_green(stage: Stage) -> None:
    run = stage.runs["needs_group_false"]
    assert run.state == "success"
    states = run.states()
    assert states.pop("gate") == "success"
    # These two accept whatever comes before them.
    assert {states.pop("bake.monitored"), states.pop("report")} == {"success"}
    assert set(states.values()) == {"skipped"}


def test_a_mapped_gate_skips_the_instance_with_its_index(stage: Stage) -> None:
    run = stage.runs["needs_mapped"]
    assert run.state == "success"
    states = run.states()
    assert (states["build[0]"], states["build[1]"]) == ("skipped", "success")
    answers = [run.xcom("gate", map_index=index) for index in (0, 1)]
    assert [answer["needed"] for answer in answers] == [False, True]
    assert "no AVAILABLE image" in answers[1]["reasons"][0]
    # No instance of these has the map index of a gate.
    assert states["after_gates"] == "success"
    assert states["after_builds"] == "skipped"


def test_the_links_lead_to_the_console_of_the_region(stage: Stage) -> None:
    run = stage.runs["needs_cases"]
    links = run.links("in_progress")
    assert str(links["Image Builder pipelines"]).endswith("region=us-east-1#/viewPipelines")
    assert str(links["Image Builder images"]).endswith("region=us-east-1#/images")
    assert not run.links("same")["Image Builder pipelines"]


def test_the_dag_of_the_how_to_page_builds_if_it_is_forced(stage: Stage) -> None:
    run = stage.runs["build_if_needed"]
    assert run.state == "success"
    assert ":image/golden-web/1.0.0/" in run.xcom("announce")
    assert "force" in run.xcom("announce")


def test_the_mapped_dag_of_the_how_to_page_builds_what_is_needed_and_no_more(stage: Stage) -> None:
    run = stage.runs["build_needed_ones"]
    assert run.state == "success"
    states = run.states()
    for index in (0, 1):
        needed = run.xcom("gate", map_index=index)["needed"]
        assert states[f"build[{index}]"] == ("success" if needed else "skipped")
