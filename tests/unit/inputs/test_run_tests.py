"""``run_tests``: the names of the tests that run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_imagebuilder import (
    ImageBuilderCreateImageOperator,
    ImageBuilderTaskGroup,
    ImageRequest,
    Workflow,
)
from airflow_imagebuilder.service.errors import InvalidRequestError
from airflow_imagebuilder.service.request.test_choice import choose_tests, read_names
from tests.support.image_builder import FakeImageBuilder
from tests.support.inputs import (
    BASE,
    BOOT,
    BUILD,
    ROLE,
    WORKFLOWS,
    create,
    refused,
    run,
)

if TYPE_CHECKING:
    from airflow.sdk import DAG

READ: list[tuple[Any, list[str] | None]] = [
    (None, None),
    ("", None),
    (" ", None),
    (",", None),
    ("None", None),
    ("null", None),
    ('""', None),
    ([], []),
    ("[]", []),
    ("()", []),
    ("a", ["a"]),
    ("1", ["1"]),
    ("1, a", ["1", "a"]),
    ("1, 2", ["1", "2"]),
    ("true", ["true"]),
    ("1e5", ["1e5"]),
    ("'a', 'b'", ["a", "b"]),
    ('["a", "b"]', ["a", "b"]),
    (("a", "b"), ["a", "b"]),
]


@pytest.mark.parametrize(("value", "names"), READ, ids=repr)
def test_names_of_tests_are_read_from_what_a_template_renders(value: Any, names: list[str] | None) -> None:
    assert read_names(value) == names


@pytest.mark.parametrize(
    "value",
    [
        1,
        True,
        1.5,
        {"a": 1},
        "{'a': 1}",
        '{"a": 1}',
        [1],
        "[1]",
        [["a"]],
        "[['a']]",
        '["a", null]',
        ...,
        b"a",
        "(1)",
    ],
    ids=repr,
)
def test_values_that_are_not_names_of_tests_are_refused(value: Any) -> None:
    assert refused(read_names, value).startswith("run_tests")
    line = refused(create, workflows=WORKFLOWS, **ROLE, run_tests=value)
    assert "names of parallel groups" in line


@pytest.mark.parametrize(
    "value", ["(" * 5000, "[" * 100_000, "{[]: 1}", "\x00", "boot; cis", '["boot"'], ids=lambda v: v[:8]
)
def test_names_that_cannot_be_read_are_unknown_names(value: str) -> None:
    assert "allowed: functional, performance, security" in refused(
        create, workflows=WORKFLOWS, **ROLE, run_tests=value
    )


@pytest.mark.parametrize("value", ["securty", ["securty"], "['securty']"], ids=str)
@pytest.mark.parametrize("make", ["operator", "group"])
def test_an_unknown_test_is_refused_when_the_dag_is_parsed(dag: DAG, make: str, value: Any) -> None:
    request = ImageRequest(**BASE, **ROLE, workflows=WORKFLOWS)
    line = (
        refused(ImageBuilderCreateImageOperator, task_id="t", request=request, run_tests=value)
        if make == "operator"
        else refused(ImageBuilderTaskGroup, "g", request=request, run_tests=value)
    )
    assert "got ['securty']; allowed: functional, performance, security; did you mean 'security'?" in line


def test_an_unknown_number_is_an_unknown_test_when_it_is_rendered() -> None:
    aws = FakeImageBuilder("AVAILABLE")
    operator = create(workflows=WORKFLOWS, **ROLE, run_tests="{{ params.tests }}")
    with pytest.raises(InvalidRequestError, match=r"run_tests: got \['1'\]; allowed: functional"):
        run(operator, aws, tests="1")
    assert aws.requests == []


def test_run_tests_that_a_form_left_empty_runs_all() -> None:
    aws = FakeImageBuilder("AVAILABLE")
    run(create(workflows=WORKFLOWS, **ROLE, run_tests="{{ params.tests }}"), aws, tests="")
    assert len(aws.requests[0]["workflows"]) == 4


@pytest.mark.parametrize("run_tests", ["{{ params.x }}", ["{{ params.x }}"]], ids=str)
def test_templated_names_of_tests_wait_for_the_run(run_tests: Any) -> None:
    assert create(workflows=WORKFLOWS, **ROLE, run_tests=run_tests).run_tests == run_tests


@pytest.mark.parametrize(
    "workflows", ["{{ params.w }}", [BUILD, "{{ params.w }}"], [Workflow("{{ params.w }}")]], ids=str
)
def test_names_wait_for_the_run_where_the_workflows_are_templated(workflows: Any) -> None:
    assert create(workflows=workflows, **ROLE, run_tests=["a"]).run_tests == ["a"]


def test_no_tests_of_a_request_of_tests_only_is_refused_because_aws_would_run_its_own() -> None:
    only = ImageRequest(**BASE, **ROLE, workflows=[BOOT])
    with pytest.warns(UserWarning, match="no build workflow"):
        operator = create(workflows=[BOOT], **ROLE, run_tests="{{ params.tests }}")
    aws = FakeImageBuilder("AVAILABLE")
    for line in (
        refused(choose_tests, only, []),
        refused(create, workflows=[BOOT], **ROLE, run_tests=[]),
        refused(run, operator, aws, tests=[]),
    ):
        assert "at least one of boot: without any workflow AWS runs its default ones" in line
    assert aws.requests == []


def test_an_empty_choice_is_taken_where_a_workflow_is_left_or_tests_are_off() -> None:
    assert create(workflows=[BUILD, BOOT], **ROLE, run_tests=[]).run_tests == []
    assert create(image_tests_configuration={"imageTestsEnabled": False}, run_tests=[]).run_tests == []
    assert "AWS runs its default ones" in refused(create, run_tests=[])
    assert "workflows has no test" in refused(create, run_tests=["boot"])
