"""The example Dags as they are, and the operators alone, on a real scheduler, triggerer and local service."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from airflow_imagebuilder.local.stack.airflow_client import AirflowApiError
from airflow_imagebuilder.local.stack.image_builder import LocalService
from tests.integration.bakes import Run, add_recipes, add_workflow, changes, held, images, the_image, until
from tests.integration.lacks import (
    has_failure_context,
    named,
    refusal,
    takes_wildcards_in_recipes,
    unnamed,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_imagebuilder.local.stack.airflow import AirflowStack
    from airflow_imagebuilder.local.stack.airflow_client import AirflowApi

pytestmark = pytest.mark.integration

SPEED = 600
RECIPES = ("worker", "submitted", "one", "two", "fails", "cancelled")
FUNCTIONAL = ["boot", "network", "services", "storage", "time-sync", "users"]
DENIED = "is not authorized to perform: imagebuilder:CreateImage"


@dataclass
class Bakes:
    """The runs, and the services that they talk to."""

    service: LocalService
    forbidding: LocalService
    golden: Run
    manual: Run
    rolled: Run
    matrix: Run
    single: Run


@pytest.fixture(scope="module")
def forbidding(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalService]:
    """An account without permission to create images."""
    home = tmp_path_factory.mktemp("forbidding")
    fault = {
        "operation": "CreateImage",
        "code": "AccessDeniedException",
        "status": 403,
        "message": f"User: arn:aws:iam::123456789012:user/ci {DENIED}",
    }
    with LocalService(speed=SPEED, home=home) as service:
        service.control(faults=[fault])
        yield service


@pytest.fixture(scope="module")
def bakes(airflow: AirflowStack, local_service: LocalService, forbidding: LocalService) -> Bakes:
    """Start all Dags at once, cancel one image, and wait until all runs have finished."""
    api = airflow.api
    add_recipes(local_service, [f"single-{name}" for name in RECIPES])
    add_workflow(local_service, "HELD", "held", 1, SPEED)
    failure = {"component": "golden-agent", "image": "single-fails", "message": "exit status 1"}
    local_service.control(failures=[failure])
    connect(api, "forbidden", forbidding.url)
    conf = {
        "platform": "Ubuntu 24.04",
        "recipe_version": "x.x.x" if takes_wildcards_in_recipes() else "1.0.0",
        "test_groups": ["security"],
        "tags": {"by": "hand"},
        "regions": ["eu-west-1"],
    }
    bakes = Bakes(
        local_service,
        forbidding,
        golden=Run.start(api, "golden_image"),
        manual=Run.start(api, "golden_image_manual", conf),
        rolled=Run.start(api, "bake_and_roll_out", {"launch_template": "fleet"}),
        matrix=Run.start(api, "image_matrix"),
        single=Run.start(api, "single_operator"),
    )
    step = until(lambda: held(local_service, "single-cancelled"))
    arn = {"imageBuildVersionArn": step["imageBuildVersionArn"]}
    local_service.client("imagebuilder").cancel_image_creation(**arn, clientToken="by-hand-too")
    for run in (bakes.golden, bakes.manual, bakes.rolled, bakes.matrix, bakes.single):
        run.wait(200)
    return bakes


def connect(api: AirflowApi, conn_id: str, url: str) -> None:
    """Make an AWS connection whose endpoint is a local service."""
    body = {
        "connection_id": conn_id,
        "conn_type": "aws",
        "login": "local",
        "password": "local",
        "extra": json.dumps({"region_name": "us-east-1", "endpoint_url": url}),
    }
    api.call("POST", "connections", json=body)


# -- golden_image ------------------------------------------------------------------------------------------


def test_every_task_of_golden_image_succeeds(bakes: Bakes) -> None:
    tasks = ["create_image", "image", "build", "performance.test[0]", "distribute", "monitored", "ready"]
    tasks += [f"functional.test[{n}]" for n in range(6)] + [f"security.test[{n}]" for n in range(2)]
    assert bakes.golden.states() == {f"golden_image.{task}": "success" for task in tasks}
    assert bakes.golden.state == "success"


def test_golden_image_returns_its_tests(bakes: Bakes) -> None:
    result = bakes.golden.xcom("golden_image.image")
    assert result["status"] == "AVAILABLE"
    tests = {w["name"]: w["status"] for w in result["workflows"] if w["type"] == "TEST"}
    names = [*FUNCTIONAL, "performance", "cis-level-1", "package-audit"]
    assert tests == dict.fromkeys(names, "COMPLETED")
    groups = {w["name"]: w["parallel_group"] for w in result["workflows"]}
    assert groups["boot"] == "functional"
    assert groups["performance"] is None


def test_golden_image_has_an_ami_in_both_regions(bakes: Bakes) -> None:
    amis = {ami["region"]: ami["image"] for ami in bakes.golden.xcom("golden_image.image")["amis"]}
    assert set(amis) == {"us-east-1", "eu-west-1"}
    for region, ami in amis.items():
        (image,) = bakes.service.client("ec2", region).describe_images(ImageIds=[ami])["Images"]
        assert image["State"] == "available"


def test_the_asset_event_of_golden_image_has_the_amis_by_region(bakes: Bakes) -> None:
    run = bakes.golden
    events = run.api.call("GET", f"dags/golden_image/dagRuns/{run.run_id}/upstreamAssetEvents")
    assert events["asset_events"] == []
    (event,) = run.api.call("GET", "assets/events", params={"source_run_id": run.run_id})["asset_events"]
    result = run.xcom("golden_image.image")
    assert event["name"] == "golden-al2023"
    assert event["extra"]["image_arn"] == result["arn"]
    assert event["extra"]["amis"] == {ami["region"]: ami["image"] for ami in result["amis"]}


@named
def test_the_map_indexes_of_golden_image_are_named_by_their_workflows(bakes: Bakes) -> None:
    assert bakes.golden.names("golden_image.functional.test") == FUNCTIONAL
    assert bakes.golden.names("golden_image.security.test") == ["cis-level-1", "package-audit"]


@unnamed
def test_where_airflow_numbers_the_map_indexes_the_log_of_each_names_its_workflow(bakes: Bakes) -> None:
    assert bakes.golden.names("golden_image.functional.test") == [str(n) for n in range(6)]
    for number, name in enumerate(FUNCTIONAL):
        assert f"{name} ended COMPLETED" in bakes.golden.log("golden_image.functional.test", number)


def test_the_arn_is_an_xcom_of_its_own(bakes: Bakes) -> None:
    arn = bakes.golden.xcom("golden_image.image")["arn"]
    for task in ("create_image", "image"):
        assert bakes.golden.xcom(f"golden_image.{task}", "image_build_version_arn") == arn
    assert bakes.golden.xcom("golden_image.create_image") == arn


def test_the_log_has_the_status_the_tests_and_the_amis(bakes: Bakes) -> None:
    log = bakes.golden.log("golden_image.image")
    assert "is AVAILABLE" in log
    assert "Test cis-level-1: COMPLETED" in log
    for ami in bakes.golden.xcom("golden_image.image")["amis"]:
        assert f"AMI {ami['image']} in {ami['region']}" in log


# -- golden_image_manual -----------------------------------------------------------------------------------


def test_groups_left_out_of_the_form_are_skipped(bakes: Bakes) -> None:
    states = bakes.manual.states()
    assert {states[f"golden_image.functional.test[{n}]"] for n in range(3)} == {"skipped"}
    assert {states[f"golden_image.security.test[{n}]"] for n in range(2)} == {"success"}
    assert states["golden_image.image"] == states["verify_regions"] == "success"
    assert bakes.manual.state == "success"
    assert "was left out of this image" in bakes.manual.log("golden_image.functional.test", 0)


def test_the_image_is_built_as_the_form_says(bakes: Bakes) -> None:
    result = bakes.manual.xcom("golden_image.image")
    assert result["name"] == "golden-ubuntu-2404"
    assert result["tags"]["by"] == "hand"
    tests = {w["name"] for w in result["workflows"] if w["type"] == "TEST"}
    assert tests == {"cis-level-1", "package-audit"}
    assert set(bakes.manual.xcom("verify_regions")) == {"eu-west-1"}


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ({"platform": "Windows 95"}, "Windows 95"),
        ({"test_groups": ["functional", "smoke"]}, "smoke"),
        ({"tags": {}}, "tags"),
        ({"tags": {"team": 7}}, "tags"),
        ({"regions": ["Frankfurt"]}, "Frankfurt"),
    ],
    ids=["platform", "test group", "no tags", "tag that is a number", "region"],
)
def test_the_form_refuses_a_wrong_value(api: AirflowApi, conf: dict[str, Any], message: str) -> None:
    api.wait_for_dag("golden_image_manual")
    with pytest.raises(AirflowApiError, match=message) as error:
        api.trigger("golden_image_manual", conf)
    assert error.value.status == 400


# -- custom_dag --------------------------------------------------------------------------------------------


def test_the_baked_ami_is_rolled_out_to_the_launch_template(bakes: Bakes) -> None:
    assert bakes.rolled.states() == {"bake": "success", "roll_out": "success"}
    (ami,) = bakes.rolled.xcom("bake")["amis"]
    ec2 = bakes.service.client("ec2", ami["region"])
    (version,) = ec2.describe_launch_template_versions(LaunchTemplateName="fleet", Versions=["$Default"])[
        "LaunchTemplateVersions"
    ]
    assert version["LaunchTemplateData"]["ImageId"] == ami["image"]


def test_a_matrix_of_images_has_readable_names(bakes: Bakes) -> None:
    names = ["golden-al2023", "golden-ubuntu-2404", "golden-windows-2022"]
    assert bakes.matrix.states() == {f"bake[{n}]": "success" for n in range(3)}
    assert bakes.matrix.names("bake") == names
    assert [bakes.matrix.xcom("bake", map_index=n)["name"] for n in range(3)] == names


# -- the operators alone -----------------------------------------------------------------------------------


def test_the_operator_with_deferrable_off_waits_on_the_worker(bakes: Bakes) -> None:
    assert bakes.single.task("on_worker")["state"] == "success"
    assert bakes.single.xcom("on_worker")["status"] == "AVAILABLE"
    assert "Pausing task as DEFERRED" not in bakes.single.log("on_worker")


def test_the_operator_returns_the_arn_if_it_does_not_wait(bakes: Bakes) -> None:
    assert bakes.single.task("submitted")["state"] == "success"
    assert bakes.single.xcom("submitted") == the_image(bakes.service, "single-submitted")["arn"]


def test_a_mapped_operator_bakes_one_image_per_index(bakes: Bakes) -> None:
    arns = [bakes.single.xcom("expanded", map_index=n)["arn"] for n in range(2)]
    assert arns == [the_image(bakes.service, f"single-{name}")["arn"] for name in ("one", "two")]


def test_a_failed_image_fails_the_task_and_names_what_failed(bakes: Bakes) -> None:
    assert bakes.single.task("fails")["state"] == "failed"
    log = bakes.single.log("fails")
    for part in (
        "failed in BUILDING: ",
        "golden-agent",
        "exit status 1" if has_failure_context() else "its log says why",
        "/aws/imagebuilder/single-fails",
    ):
        assert part in log


def test_a_cancelled_image_fails_the_task(bakes: Bakes) -> None:
    assert bakes.single.task("cancelled")["state"] == "failed"
    log = bakes.single.log("cancelled")
    assert "ended CANCELLED in TESTING: cancelled by a person, or by a task that was killed" in log
    arn = the_image(bakes.service, "single-cancelled")["arn"]
    assert changes(bakes.service, arn) == ["CreateImage", "CancelImageCreation"]


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("no_such_recipe", "single-nowhere"),
        ("no_such_connection", "nowhere"),
        ("forbidden", DENIED),
        ("bad_input", "Nothing was sent to AWS, the request has"),
    ],
)
def test_a_task_that_cannot_succeed_says_why_and_fails_at_once(bakes: Bakes, task: str, message: str) -> None:
    found = bakes.single.task(task)
    assert found["state"] == "failed"
    assert found["try_number"] == 1
    log = bakes.single.log(task)
    assert message in log
    assert refusal(log, bakes.single.reasons(task)) == "another try would be refused in the same way"


def test_an_image_that_does_not_exist_is_polled_for_a_while_and_then_named(bakes: Bakes) -> None:
    assert bakes.single.task("no_such_image")["state"] == "failed"
    assert "Check name, version, account and region of the ARN" in bakes.single.log("no_such_image")


def test_a_forbidden_call_is_made_once(bakes: Bakes) -> None:
    assert bakes.forbidding.records()["calls"] == {"CreateImage": {"total": 1, "403": 1}}


def test_all_faults_of_bad_input_are_reported_and_nothing_is_sent(bakes: Bakes) -> None:
    log = bakes.single.log("bad_input")
    for part in ("tags", "workflows[0]", "execution_role"):
        assert part in log
    assert images(bakes.service, "single-bad") == []


def test_a_monitor_without_an_image_is_skipped(bakes: Bakes) -> None:
    assert bakes.single.task("nothing_submitted")["state"] == "skipped"
    (reason,) = bakes.single.reasons("nothing_submitted")
    assert reason == "No image was submitted in this run, so there is nothing to watch."


def test_the_provider_is_registered_with_airflow(airflow: AirflowStack) -> None:
    assert "airflow-imagebuilder" in airflow.airflow("providers", "list", "--output", "json")
    hooks = json.loads(airflow.airflow("providers", "hooks", "--output", "json"))
    assert [hook["class"] for hook in hooks if hook["connection_type"] in ("aws", "imagebuilder")] == [
        "airflow.providers.amazon.aws.hooks.base_aws.AwsGenericHook"
    ]
