"""The resources of a new service: what the example Dags name exists, and every recipe can be built."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from airflow_imagebuilder.local.emulator.engine import Engine
from airflow_imagebuilder.local.emulator.seed import RECIPES, TESTS, seed
from tests.support.bench import HEAD, Bench

DAGS = Path(__file__).parents[4] / "dags"
NAMED = re.compile(r"((?:infrastructure|distribution)-configuration/[a-z0-9-]+|workflow/build/[a-z0-9./-]+)")


def test_the_count_is_that_of_the_resources_without_amazons_own() -> None:
    engine = Engine(seed=1)
    count = seed(engine)
    assert count == sum(arn.split(":")[4] != "aws" for arn in engine.state.resources)
    assert engine.state.images == {}


def test_every_resource_that_an_example_dag_names_exists(bench: Bench) -> None:
    named = {name for path in DAGS.glob("*.py") for name in NAMED.findall(path.read_text(encoding="utf-8"))}
    assert named
    assert {f"{HEAD}{name}" for name in named} <= set(bench.engine.state.resources)


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_is_built_with_a_parameter_of_its_own(bench: Bench, recipe: str) -> None:
    suffix = "golden-two-regions" if recipe == "golden-al2023" else f"{recipe}-two-regions"
    arn = bench.bake(
        imageRecipeArn=f"{HEAD}image-recipe/{recipe}/1.0.0",
        distributionConfigurationArn=f"{HEAD}distribution-configuration/{suffix}",
    )
    assert bench.finish(arn) == "AVAILABLE"
    assert {effect.data["name"] for effect in bench.world.of("parameter")} == {
        f"/imagebuilder/golden/{recipe}"
    }


def test_every_test_workflow_says_what_it_checks(bench: Bench) -> None:
    listed = bench.call("ListWorkflows", filters=[{"name": "type", "values": ["TEST"]}])[
        "workflowVersionList"
    ]
    assert {summary["name"]: summary["description"] for summary in listed} == TESTS
