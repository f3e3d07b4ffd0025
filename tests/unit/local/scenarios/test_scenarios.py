"""The shipped scenarios: found by name, accepted by the service, and each does what its first lines say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_imagebuilder.local.emulator.scenario import ScenarioError, load
from airflow_imagebuilder.local.scenarios import FOLDER, SHIPPED, checked, find
from tests.support.aws_model import needs_member, needs_operation
from tests.support.bench import HEAD
from tests.support.process import Process

if TYPE_CHECKING:
    from pathlib import Path

SPEED = "6000"
TESTS = ("boot", "cis-level-1")


def test_there_are_three_each_with_what_it_does_in_its_first_lines() -> None:
    assert SHIPPED == ("failing-region", "failing-test", "throttled-afternoon")
    for name in SHIPPED:
        assert (FOLDER / f"{name}.yaml").read_text("utf-8").startswith("# ")
        assert "seed" not in load(checked(name)), "control could not apply it"


def test_a_name_and_a_path_are_found(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text("workflows: {boot: 90}\n")
    assert find("failing-test") == FOLDER / "failing-test.yaml"
    assert checked(str(mine)) == mine


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "No such file. Give a YAML file, or a name: failing-region, failing-test"),
        (
            "failures: [{workflow: bot}]",
            "failures[0].workflow: 'bot': no such workflow; there are, e.g.: boot",
        ),
        ("speed: 3", "unknown key 'speed'; allowed: seed, durations"),
        ("a: [", "not YAML: while parsing a flow node"),
        ("\udcff", "not YAML: 'utf-8' codec can't decode byte 0xff"),
    ],
    ids=["missing", "unknown workflow", "unknown key", "not YAML", "not text"],
)
def test_a_wrong_file_is_refused_in_one_line_that_names_it(
    tmp_path: Path, text: str | None, why: str
) -> None:
    path = tmp_path / "wrong.yaml"
    if text is not None:
        path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ScenarioError) as caught:
        checked(str(path))
    assert str(path) in str(caught.value)
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)


def create(process: Process, *, on_failure: str = "ABORT") -> str:
    """Start an image with two tests and two regions."""
    tests = [
        {"workflowArn": f"{HEAD}workflow/test/{name}/1.0.0/1", "onFailure": on_failure} for name in TESTS
    ]
    made = process.client().create_image(
        imageRecipeArn=f"{HEAD}image-recipe/golden-al2023/1.0.0",
        infrastructureConfigurationArn=f"{HEAD}infrastructure-configuration/golden-build",
        distributionConfigurationArn=f"{HEAD}distribution-configuration/golden-two-regions",
        executionRole="ImageBuilderExecution",
        workflows=[{"workflowArn": f"{HEAD}workflow/build/golden-build/1.0.0/1"}, *tests],
    )
    return str(made["imageBuildVersionArn"])


def executions(process: Process, arn: str) -> list[tuple[str, str]]:
    """Return workflow and status of each execution that no repair has superseded."""
    (image,) = [image for image in process.records()["images"] if image["arn"] == arn]
    return [(run["workflow"], run["status"]) for run in image["executions"] if not run["retried"]]


@needs_operation("RetryImage")
@pytest.mark.integration
def test_failing_test_fails_one_test_once_and_a_repair_does_not_repeat_the_build() -> None:
    with Process("--speed", SPEED, "--scenario", "failing-test") as process:
        arn = create(process)
        image = process.wait(arn)
        assert image["state"]["status"] == "FAILED"
        failed = next(
            run
            for run in process.client().list_workflow_executions(imageBuildVersionArn=arn)[
                "workflowExecutions"
            ]
            if run["status"] == "FAILED"
        )
        assert "/cis-level-1/" in failed["workflowBuildVersionArn"]
        assert "PASS_MAX_DAYS is 99999" in failed["message"]
        process.client().retry_image(imageBuildVersionArn=arn)
        assert process.wait(arn, "AVAILABLE")["state"]["status"] == "AVAILABLE"
        assert [name for name, _ in executions(process, arn)].count("golden-build") == 1
        assert dict(executions(process, arn))["cis-level-1"] == "COMPLETED"


@pytest.mark.integration
def test_failing_test_leaves_an_image_available_whose_tests_continue_and_the_next_one_passes() -> None:
    with Process("--speed", SPEED, "--scenario", "failing-test") as process:
        first = create(process, on_failure="CONTINUE")
        assert process.wait(first)["state"]["status"] == "AVAILABLE"
        assert dict(executions(process, first))["cis-level-1"] == "FAILED"
        second = create(process, on_failure="CONTINUE")
        assert process.wait(second)["state"]["status"] == "AVAILABLE"
        assert {status for _, status in executions(process, second)} == {"COMPLETED"}


@needs_member("ImageState", "failureContext")
@pytest.mark.integration
def test_failing_region_fails_one_copy_once_after_all_tests_passed() -> None:
    with Process("--speed", SPEED, "--scenario", "failing-region") as process:
        arn = create(process)
        image = process.wait(arn)
        context: dict[str, Any] = image["state"]["failureContext"]
        assert context["imageStatus"] == "DISTRIBUTING"
        assert {status for _, status in executions(process, arn)} == {"COMPLETED"}
        assert "eu-west-1" in image["state"]["reason"]
        process.client().retry_image(imageBuildVersionArn=arn)
        regions = {ami["region"] for ami in process.wait(arn, "AVAILABLE")["outputResources"]["amis"]}
        assert regions == {"us-east-1", "eu-west-1"}


@pytest.mark.integration
def test_throttled_afternoon_refuses_calls_and_makes_one_image() -> None:
    with Process("--speed", SPEED, "--scenario", "throttled-afternoon") as process:
        client, outcomes = process.client(), []
        throttled = client.exceptions.CallRateLimitExceededException
        for _ in range(2):
            with pytest.raises(throttled, match="Rate exceeded"):
                create(process)
        arn = create(process)
        for _ in range(20):
            try:
                client.get_image(imageBuildVersionArn=arn)
                outcomes.append("answered")
            except throttled:
                outcomes.append("refused")
        assert "refused" * 12 in "".join(outcomes)
        assert process.records()["calls"]["CreateImage"]["429"] == 2
        assert [image["arn"] for image in process.records()["images"]] == [arn]
