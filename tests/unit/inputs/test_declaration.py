"""The declaration of a task group: test groups and workflows, in the words that the user wrote."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_imagebuilder import (
    ImageRequest,
    TestGroup,
    Workflow,
)
from airflow_imagebuilder.service.errors import InvalidRequestError
from tests.support.inputs import (
    ARNS,
    BASE,
    BOOT,
    BUILD,
    CIS,
    ROLE,
    SEND,
    bake,
    refused,
    workflow,
)

BAD_GROUPS: dict[str, tuple[Any, Any, str]] = {
    "ARNs": ("functional", [ARNS], rf"workflows\[0\]: got '{ARNS}'.*write Workflow\('{ARNS}'\)"),
    "an ARN": ("functional", ARNS, "workflows: got 'arn:.*a tuple of Workflow"),
    "one workflow": ("a", BOOT, r"workflows: got Workflow\(.*\(Workflow\('arn:.*'\),\)"),
    "dots": ("a", (BOOT, ...), r"workflows\[1\]: got Ellipsis.*the dots are not a workflow"),
    "dots alone": ("a", ..., "workflows: got Ellipsis.*a tuple of Workflow"),
    "nothing": ("a", None, "workflows: not given"),
    "none": ("a", (), r"workflows: got \(\).*leave an empty group out"),
    "None in it": ("a", (None,), r"workflows\[0\]: not given; allowed: a Workflow; write Workflow"),
    "a mapping": ("a", ({"workflowArn": ARNS},), rf"workflows\[0\]: .*write Workflow\('{ARNS}'\)"),
    "a mapping alone": ("a", {"workflowArn": ARNS}, "workflows: .*a tuple"),
    "a group": ("a", (TestGroup("b", (BOOT,)),), r"workflows\[0\]: .*parallel_group='b'"),
    "a template": ("a", "{{ params.tests }}", "write the tests out.*run_tests"),
    "a set": ("a", {BOOT}, "a tuple of Workflow"),
    "a number": ("a", 5, "a tuple of Workflow"),
    "a name that is not text": (5, (BOOT,), "name: got 5; allowed: 1 to 100.*write it as text: '5'"),
    "a name with a space": ("a b", (BOOT,), "name: got 'a b'.*take out ' '"),
    "a name that is too long": ("a" * 101, (BOOT,), "1 too many"),
    "an empty name": ("", (BOOT,), "it is empty"),
    "no name for two": (None, (BOOT, CIS), "name: not given.*name the group"),
}


@pytest.mark.parametrize(("name", "tests", "message"), BAD_GROUPS.values(), ids=BAD_GROUPS)
def test_a_wrong_test_group_is_refused(name: Any, tests: Any, message: str) -> None:
    import re

    assert re.search(message, refused(TestGroup, name, tests))


@pytest.mark.parametrize(
    "tests", [[BOOT, CIS], iter([BOOT, CIS]), map(workflow, ["boot", "cis"])], ids=["list", "iter", "map"]
)
def test_a_test_group_takes_a_list_or_an_iterator_of_workflows(tests: Any) -> None:
    assert TestGroup("a", tests).workflows == (BOOT, CIS)


BAD_TESTS: dict[str, tuple[dict[str, Any], str, str]] = {
    "a group alone": ({"test_groups": TestGroup("a", (BOOT,))}, "test_groups", "put it into a list"),
    "an ARN": ({"test_groups": [ARNS]}, "test_groups[0]", f"write Workflow('{ARNS}')"),
    "dots": ({"test_groups": [TestGroup("a", (BOOT,)), ...]}, "test_groups[1]", "take the dots out"),
    "a template": ({"test_groups": "{{ params.x }}"}, "test_groups", "run_tests"),
    "a number": ({"test_groups": 5}, "test_groups", "a list of TestGroup"),
    "a build workflow among the tests": (
        {"test_groups": [BUILD]},
        "test_groups[0].arn",
        "give it as build_workflow",
    ),
    "a build workflow in a group": (
        {"test_groups": [TestGroup("a", (BOOT, BUILD))]},
        "test_groups[0].workflows[1].arn",
        "this is a build workflow: give it as build_workflow",
    ),
    "a distribution workflow in a group": (
        {"test_groups": [TestGroup("a", (SEND,))]},
        "test_groups[0].workflows[0].arn",
        "give it as distribution_workflow",
    ),
    "a test as build": ({"build_workflow": BOOT}, "build_workflow.arn", "list it in test_groups"),
    "a test as distribution": (
        {"distribution_workflow": BOOT},
        "distribution_workflow.arn",
        "list it in test_groups",
    ),
    "an ARN as build": ({"build_workflow": BUILD.arn}, "build_workflow", f"write Workflow('{BUILD.arn}')"),
    "dots as build": ({"build_workflow": ...}, "build_workflow", "take the dots out"),
    "a template as build": (
        {"build_workflow": Workflow("{{ x }}")},
        "build_workflow.arn",
        "without a template",
    ),
    "another group's name": (
        {"test_groups": [TestGroup("a", (workflow("boot", parallel_group="b"),))]},
        "test_groups[0].workflows[0].parallel_group",
        "leave it out",
    ),
    "a member of a test": (
        {"test_groups": [TestGroup("a", (BOOT, workflow("cis", on_failure="STOP")))]},
        "test_groups[0].workflows[1].on_failure",
        "CONTINUE or ABORT",
    ),
    "a value that is not a request": (
        {"request": "x", "build_workflow": None, **dict.fromkeys([*BASE, *ROLE])},
        "request",
        "an ImageRequest",
    ),
}


@pytest.mark.parametrize(("options", "field", "message"), BAD_TESTS.values(), ids=BAD_TESTS)
def test_a_declaration_is_refused_in_the_words_that_it_was_written_in(
    dag: DAG, options: dict[str, Any], field: str, message: str
) -> None:
    with pytest.raises(InvalidRequestError, match="of task group 'g'") as caught:
        bake(**options)
    (fault,) = caught.value.faults
    assert fault.field == field
    assert message in str(fault)


def test_a_group_whose_workflows_are_known_only_later_is_refused(dag: DAG) -> None:
    bare = {**dict.fromkeys(BASE), **dict.fromkeys(ROLE), "build_workflow": None}
    whole = ImageRequest(**BASE, **ROLE, workflows="{{ params.workflows }}")
    assert "write them out, for the graph to show" in refused(bake, request=whole, **bare)
    one = ImageRequest(**BASE, **ROLE, workflows=[BUILD, Workflow("{{ params.w }}")])
    with DAG("other", schedule=None):
        assert refused(bake, request=one, **bare).startswith("workflows[1].arn")


# -- names of the drawn groups -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "remedy"),
    [("securty", "did you mean 'security'?"), ("colour", "take one of these"), (0, "take one")],
)
def test_a_test_group_that_is_not_drawn_is_an_error_that_lists_the_others(
    dag: DAG, name: Any, remedy: str
) -> None:
    golden = bake(test_groups=[TestGroup("functional", (BOOT,)), TestGroup("security", (CIS,))])
    with pytest.raises(KeyError) as caught:
        golden.tests[name]
    assert f"tests[{name!r}]: got {name!r}; allowed: functional, security; {remedy}" in str(caught.value)
    assert isinstance(caught.value, InvalidRequestError)
    assert golden.tests.get(name) is None
    assert name not in golden.tests
