"""Members that a form left empty, and members that are another task's output."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_imagebuilder import (
    ImageBuilderCreateImageOperator,
    ImageBuilderTaskGroup,
    ImageRequest,
    TestGroup,
    Workflow,
)
from airflow_imagebuilder.service.errors import InvalidRequestError
from tests.support.arns import PREFIX
from tests.support.image_builder import FakeImageBuilder
from tests.support.inputs import (
    BASE,
    BOOT,
    OPTIONAL,
    ROLE,
    bake,
    create,
    monitor,
    refused,
    run,
    up,
    workflow,
)

# -- what a form left empty --------------------------------------------------------------------------------


TEXTS = ("container_recipe_arn", "distribution_configuration_arn", "execution_role")
EMPTY = [
    *product(OPTIONAL, ["", " "]),
    *product([name for name in OPTIONAL if name not in TEXTS], ["null", '""']),
]


@pytest.mark.parametrize(("name", "empty"), EMPTY)
def test_an_optional_member_that_a_form_left_empty_is_as_if_not_given(name: str, empty: str) -> None:
    aws = FakeImageBuilder("AVAILABLE")
    run(create(**{name: "{{ params.value }}"}), aws, value=empty)
    run(create(**{name: empty}) if not empty.strip() else create(), aws)
    run(create(), aws)
    first, second, third = aws.requests
    assert first == second == third


@pytest.mark.parametrize(
    "name", ["container_recipe_arn", "distribution_configuration_arn", "execution_role", "tags"]
)
def test_an_empty_member_of_a_group_is_as_if_not_given(dag: DAG, name: str) -> None:
    bare = ImageBuilderTaskGroup("g", **{**BASE, name: ""})
    assert bare.request == ImageRequest(**BASE)


def test_an_empty_recipe_leaves_the_other_as_the_one() -> None:
    aws = FakeImageBuilder("AVAILABLE")
    operator = create(image_recipe_arn="{{ params.image }}", container_recipe_arn="{{ params.container }}")
    container = f"{PREFIX}:container-recipe/golden/1.0.0"
    run(operator, aws, image="", container=container)
    assert aws.requests[0]["containerRecipeArn"] == container
    assert "imageRecipeArn" not in aws.requests[0]


def test_empty_members_beside_a_request_are_none() -> None:
    request = ImageRequest(**BASE)
    made: Any = ImageBuilderCreateImageOperator(task_id="t", request=request, tags="")
    assert made.tags == ""


# -- other tasks' outputs ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in [*BASE, *OPTIONAL] if name != "workflows"])
def test_another_task_s_output_is_a_member_of_a_group(dag: DAG, name: str) -> None:
    options = {**BASE, name: up()}
    if name == "container_recipe_arn":
        del options["image_recipe_arn"]
    ImageBuilderTaskGroup("g", **options)
    assert dag.get_task("g.create_image").upstream_task_ids == {"up"}


def test_another_task_s_output_inside_of_a_member_reaches_the_submit(dag: DAG) -> None:
    first = up()
    bake(
        tags={"commit": first},
        test_groups=[TestGroup("a", (workflow("boot", parameters={"p": [first]}),))],
        run_tests=first,
        on_retry=first,
    )
    assert dag.get_task("g.create_image").upstream_task_ids == {"up"}


def test_another_task_s_output_is_refused_where_the_graph_needs_it(dag: DAG) -> None:
    first: Any = up()
    for options in (
        {"build_workflow": first},
        {"build_workflow": Workflow(first)},
        {"test_groups": first},
        {"test_groups": [first]},
        {"test_groups": [Workflow(first)]},
        {"test_groups": [workflow("boot", parallel_group=first)]},
        {"request": first, "build_workflow": None, **dict.fromkeys([*BASE, *ROLE])},
    ):
        with pytest.raises(InvalidRequestError, match="of task group 'g"):
            ImageBuilderTaskGroup(f"g{len(dag.task_group.children)}", **{**BASE, **ROLE, **options})
    assert "write the tests out" in refused(TestGroup, "a", first)
    assert refused(TestGroup, first, (BOOT,)).startswith("name: ")


def test_options_that_are_not_rendered_take_no_output(dag: DAG) -> None:
    first = up()
    assert refused(bake, timeout=first).startswith("timeout: ")
    assert create(on_retry=first, region_name=first)
    with DAG("other", schedule=None):
        assert refused(monitor, poll_interval=first).startswith("poll_interval: ")
