"""The workflows of a pipeline against the declared ones: each difference is a line with both sides."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_imagebuilder.service.request import Workflow
from airflow_imagebuilder.service.request.pipeline_workflows import differences
from tests.support.arns import BOOT, BUILD, CIS, RECIPE, USERS, workflow_arn

SEND = workflow_arn("send", "distribution")
MANAGED = "arn:aws:imagebuilder:us-east-1:aws:workflow"
CONTAINER = RECIPE.replace("image-recipe", "container-recipe")


def grouped(arn: str, group: str | None = "functional", **more: Any) -> Workflow:
    return Workflow(arn, parallel_group=group, **more)


RUNS = [Workflow(BUILD), grouped(BOOT), grouped(USERS), Workflow(CIS)]


def found(declared: list[Workflow], runs: list[Workflow], **members: Any) -> list[str]:
    workflows = [workflow.to_api() for workflow in runs]
    return differences({"imageRecipeArn": RECIPE, "workflows": workflows, **members}, declared)


@pytest.mark.parametrize(
    "declared",
    [
        RUNS,
        RUNS[1:],  # a build workflow that is not declared is not compared
        [grouped(USERS), grouped(BOOT), Workflow(CIS)],  # inside a group the order does not matter
        [Workflow(CIS.replace("1.0.0/1", "x.x.x")) if w.arn == CIS else w for w in RUNS],
        [grouped(w.arn.replace("123456789012", "{{ account }}"), w.parallel_group) for w in RUNS],
    ],
)
def test_what_fits(declared: list[Workflow]) -> None:
    assert found(declared, RUNS) == []


@pytest.mark.parametrize(
    ("declared", "line"),
    [
        ([grouped(BOOT), Workflow(CIS)], "declared: functional (boot), then cis alone"),
        (
            [Workflow(CIS), grouped(BOOT), grouped(USERS)],
            "declared: cis alone, then functional (boot, users)",
        ),
        ([grouped(BOOT, "f"), grouped(USERS, "f"), Workflow(CIS)], "declared: f (boot, users), then cis"),
        ([grouped(BOOT), grouped(USERS), grouped(CIS)], "declared: functional (boot, users, cis)"),
        ([*RUNS[1:], Workflow(CIS)], "then cis alone, then cis alone"),
        ([Workflow(BUILD)], "declared: no test"),
        ([], "declared: no workflow, which means test-image alone"),
    ],
)
def test_tests_that_differ(declared: list[Workflow], line: str) -> None:
    (difference,) = found(declared, RUNS)
    assert difference.startswith(
        "test_groups: the pipeline runs functional (boot, users), then cis alone; declared: "
    )
    assert line in difference


def test_a_build_and_a_distribution_workflow_are_compared_if_they_are_declared() -> None:
    declared = [Workflow(workflow_arn("other", "build")), *RUNS[1:], Workflow(SEND)]
    assert found(declared, RUNS) == [
        "build_workflow: the pipeline runs golden-build; declared: other",
        "distribution_workflow: the pipeline runs none; declared: send",
    ]
    assert found([*RUNS, Workflow(SEND)], [*RUNS, Workflow(SEND)]) == []


@pytest.mark.parametrize(
    ("recipe", "kind"), [("imageRecipeArn", "image"), ("containerRecipeArn", "container")]
)
def test_a_pipeline_without_workflows_runs_awss_default_ones(recipe: str, kind: str) -> None:
    pipeline = {recipe: RECIPE}
    default = [Workflow(f"{MANAGED}/{stage}/{stage}-{kind}/x.x.x") for stage in ("build", "test")]
    assert differences(pipeline, []) == differences(pipeline, default) == []
    (line,) = differences(pipeline, [grouped(BOOT)])
    assert line == f"test_groups: the pipeline runs test-{kind} alone; declared: functional (boot)"


def test_tests_that_are_turned_off_are_not_run() -> None:
    off = {"imageTestsConfiguration": {"imageTestsEnabled": False}}
    assert found([Workflow(BUILD)], RUNS, **off) == []
    assert found([], [], **off) == []
    (line,) = found(RUNS, RUNS, **off)
    assert line.startswith("test_groups: the pipeline runs no test; declared: functional")


def test_options_are_compared_if_they_are_declared() -> None:
    runs = [grouped(BOOT, on_failure="CONTINUE", parameters={"level": ["1"]}), Workflow(CIS)]
    assert found([grouped(BOOT), Workflow(CIS)], runs) == []
    assert found(runs, runs) == []
    assert found([grouped(BOOT, on_failure="ABORT"), Workflow(CIS, on_failure="ABORT")], runs) == [
        "boot: on_failure is CONTINUE; declared: ABORT"
    ]
    assert found([grouped(BOOT, parameters={"level": ["2"]}), Workflow(CIS)], runs) == [
        "boot: parameters are {'level': ['1']}; declared: {'level': ['2']}"
    ]


def test_equal_workflows_with_other_options_are_compared_one_by_one() -> None:
    runs = [Workflow(BOOT, parameters={"level": [level]}) for level in "12"]
    assert found(list(reversed(runs)), runs) == []
    assert len(found([runs[0], runs[0]], runs)) == 1


def test_a_container_pipeline_is_known_by_its_recipe() -> None:
    assert differences({"containerRecipeArn": CONTAINER, "workflows": []}, []) == []


@pytest.mark.parametrize(
    "item",
    [{"workflowArn": workflow_arn("new", "validation")}, {}, {"workflowArn": BOOT, "parallelGroup": "a b"}],
)
def test_a_workflow_of_a_kind_that_is_not_known_is_said_of_the_pipeline(item: dict[str, Any]) -> None:
    (line,) = differences({"imageRecipeArn": RECIPE, "workflows": [item]}, RUNS)
    assert line.startswith("workflows: the pipeline has one that cannot be compared (")


def test_members_that_aws_shows_empty_are_unset() -> None:
    item = {"workflowArn": CIS, "parallelGroup": "", "onFailure": None}
    assert differences({"imageRecipeArn": RECIPE, "workflows": [item]}, [Workflow(CIS)]) == []
