"""A gate on the output of a task that builds without a scan is refused when the Dag is parsed."""

from __future__ import annotations

import itertools
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG

from airflow_imagebuilder import (
    ImageBuilderCreateImageOperator,
    ImageBuilderScanGateOperator,
    ImageBuilderTaskGroup,
    ImageRequest,
)
from airflow_imagebuilder.service.errors import InvalidRequestError
from tests.support.operators import MEMBERS

if TYPE_CHECKING:
    from collections.abc import Iterator

ON: dict[str, Any] = {"image_scanning_configuration": {"imageScanningEnabled": True}}
OFF: list[dict[str, Any]] = [
    {},
    {"image_scanning_configuration": {}},
    {"image_scanning_configuration": {"imageScanningEnabled": False}},
    {"image_scanning_configuration": {"imageScanningEnabled": "false"}},
    {"image_tests_configuration": {"imageTestsEnabled": False}},
]
MAYBE: list[dict[str, Any]] = [
    ON,
    {"image_scanning_configuration": {"imageScanningEnabled": "{{ params.scan }}"}},
    {"image_scanning_configuration": "{{ params.scanning | tojson }}"},
    {**ON, "image_tests_configuration": "{{ params.tests | tojson }}"},
    {**ON, "image_tests_configuration": {"timeoutMinutes": 90}},
]


@pytest.fixture(autouse=True)
def _dag() -> Iterator[None]:
    with DAG("d", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc)):
        yield


_numbers = itertools.count()


def create(**members: Any) -> ImageBuilderCreateImageOperator:
    return ImageBuilderCreateImageOperator(task_id="bake", **MEMBERS, **members)


def gate(image: Any) -> ImageBuilderScanGateOperator:
    return ImageBuilderScanGateOperator(task_id=f"gate{next(_numbers)}", image_build_version_arn=image)


@pytest.mark.parametrize("members", OFF)
def test_a_scan_that_is_off_is_refused(members: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequestError, match=r"task 'gate\d+'(.|\n)*on task 'bake'"):
        gate(create(**members).output)


@pytest.mark.parametrize("members", MAYBE)
def test_a_scan_that_may_be_on_is_not_refused(members: dict[str, Any]) -> None:
    gate(create(**members).output)


def test_each_way_to_name_the_image_is_checked() -> None:
    output: Any = create().output
    with pytest.raises(InvalidRequestError, match="bake"):
        gate(output["image_build_version_arn"])
    with pytest.raises(InvalidRequestError, match="other"):
        ImageBuilderScanGateOperator.partial(
            task_id="gate",
            image_build_version_arn=ImageBuilderCreateImageOperator(task_id="other", **MEMBERS).output,
        )


@pytest.mark.parametrize("members", [{}, ON])
def test_the_output_of_a_task_group_is_checked_by_its_request(members: dict[str, Any]) -> None:
    group = ImageBuilderTaskGroup(group_id="golden", **MEMBERS, **members)
    if members:
        gate(group.result)
        return
    with pytest.raises(InvalidRequestError, match=r"golden\.create_image"):
        gate(group.result)


def test_a_request_is_checked_too() -> None:
    made = ImageBuilderCreateImageOperator(task_id="bake", request=ImageRequest(**MEMBERS))
    with pytest.raises(InvalidRequestError):
        gate(made.output)
    made = ImageBuilderCreateImageOperator(task_id="good", request=ImageRequest(**MEMBERS, **ON))
    gate(made.output)


def test_mapped_tasks_are_checked_where_they_do_not_map_over_the_scan() -> None:
    recipes = [MEMBERS["image_recipe_arn"]]
    shared = {name: value for name, value in MEMBERS.items() if name != "image_recipe_arn"}

    def mapped(task_id: str, **members: Any) -> Any:
        kind = ImageBuilderCreateImageOperator
        return kind.partial(task_id=task_id, **shared, **members).expand(image_recipe_arn=recipes)

    partial = ImageBuilderScanGateOperator.partial(task_id="gate")
    partial.expand(image_build_version_arn=mapped("on", **ON).output)
    over = ImageBuilderCreateImageOperator.partial(task_id="over", **MEMBERS).expand(
        image_scanning_configuration=[{"imageScanningEnabled": True}]
    )
    ImageBuilderScanGateOperator.partial(task_id="gates").expand(image_build_version_arn=over.output)
    whole = ImageBuilderCreateImageOperator.partial(task_id="whole").expand_kwargs([{**MEMBERS, **ON}])
    ImageBuilderScanGateOperator.partial(task_id="gates_too").expand(image_build_version_arn=whole.output)
    # Airflow's expand cannot be checked; the task says at once that the scan is off.
    with pytest.raises(InvalidRequestError, match="'off'"):
        gate(mapped("off").output)


def test_what_is_known_only_when_the_task_runs_is_not_refused() -> None:
    gate("{{ ti.xcom_pull('bake')['arn'] }}")
    gate({"arn": "{{ ti.xcom_pull('bake')['arn'] }}"})
