"""Workflow, and the plan against AWS's rules as they are written down."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_imagebuilder.service.errors import InvalidRequestError
from airflow_imagebuilder.service.request.test_plan import WIDTH, plan
from airflow_imagebuilder.service.request.workflows import OnFailure, TestGroup, Workflow, WorkflowType
from tests.support.arns import PREFIX

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = f"{PREFIX}:workflow"


def workflow(name: str, group: str | None = None, kind: str = "test") -> Workflow:
    return Workflow(f"{HERE}/{kind}/{name}/1.0.0/1", parallel_group=group)


def names(groups: Sequence[TestGroup]) -> list[tuple[str | None, list[str]]]:
    return [(group.name, [member.name for member in group.workflows]) for group in groups]


groups = st.sampled_from([None, "a", "b", "c", "B", "10", "9"])
kinds = st.sampled_from(["build", "test", "test", "test", "test", "distribution"])
lists = st.lists(st.tuples(kinds, groups), max_size=14).map(
    lambda rows: [
        workflow(f"w{n}", group if kind == "test" else None, kind) for n, (kind, group) in enumerate(rows)
    ]
)


def test_the_documented_example() -> None:
    listed = [
        workflow("a"),
        workflow("b", "tests-1"),
        workflow("c"),
        workflow("d", "tests-1"),
        workflow("e", "tests-2"),
    ]
    assert names(plan(listed)) == [
        (None, ["a"]),
        ("tests-1", ["b", "d"]),
        (None, ["c"]),
        ("tests-2", ["e"]),
    ]


def test_group_names_are_not_sorted() -> None:
    assert names(plan([workflow("x", "zebra"), workflow("y", "ape")])) == [("zebra", ["x"]), ("ape", ["y"])]


def test_one_group_holds_more_tests_than_run_at_once() -> None:
    eight = [workflow(f"t{n}", "all") for n in range(8)]
    (group,) = plan(eight)
    assert group.workflows == tuple(eight)
    assert WIDTH == 5


def test_nothing_but_a_build_leaves_nothing_to_test() -> None:
    assert plan([workflow("b", kind="build"), workflow("d", kind="distribution")]) == ()


# AWS's rules, stated one by one and without the way in which plan() follows them.


def place(listed: Sequence[Workflow], one: Workflow) -> int:
    """Return the position at which a test runs: its own, or the first of its group."""
    return next(
        n
        for n, other in enumerate(listed)
        if other is one
        or (one.parallel_group and other.type == "TEST" and other.parallel_group == one.parallel_group)
    )


@given(lists)
def test_every_test_runs_exactly_once_and_nothing_else_does(listed: list[Workflow]) -> None:
    planned = [member.name for group in plan(listed) for member in group.workflows]
    assert sorted(planned) == sorted(one.name for one in listed if one.type == "TEST")


@given(lists)
def test_two_tests_run_together_exactly_if_they_share_a_group_name(listed: list[Workflow]) -> None:
    turn = {member.name: n for n, group in enumerate(plan(listed)) for member in group.workflows}
    tests = [one for one in listed if one.type == "TEST"]
    for one in tests:
        for other in tests:
            share = one is other or (one.parallel_group or one) == other.parallel_group
            assert (turn[one.name] == turn[other.name]) == share


@given(lists)
def test_turns_follow_the_place_in_the_list_or_the_first_of_the_group(listed: list[Workflow]) -> None:
    turns = [place(listed, group.workflows[0]) for group in plan(listed)]
    assert turns == sorted(turns)
    assert len(set(turns)) == len(turns)


@given(lists)
def test_members_of_a_group_keep_the_order_of_the_list(listed: list[Workflow]) -> None:
    at = {one.name: n for n, one in enumerate(listed)}
    for group in plan(listed):
        positions = [at[member.name] for member in group.workflows]
        assert positions == sorted(positions)


@given(lists)
def test_an_ungrouped_test_is_alone_and_nameless(listed: list[Workflow]) -> None:
    for group in plan(listed):
        assert all(member.parallel_group == group.name for member in group.workflows)
        assert group.name is not None or len(group.workflows) == 1


@given(lists, st.data())
def test_build_and_distribution_may_be_anywhere(listed: list[Workflow], data: st.DataObject) -> None:
    tests = [one for one in listed if one.type == "TEST"]
    moved = list(tests)
    for one in listed:
        if one.type != "TEST":
            moved.insert(data.draw(st.integers(0, len(moved))), one)
    assert plan(moved) == plan(tests)


def test_name_and_type_are_read_from_the_arn() -> None:
    managed = Workflow("arn:aws-cn:imagebuilder:cn-north-1:aws:workflow/distribution/distribute-image/x.x.x")
    assert managed.name == "distribute-image"
    assert managed.type is WorkflowType.DISTRIBUTION


def test_name_and_type_are_read_around_a_templated_account() -> None:
    late = Workflow(
        "arn:aws:imagebuilder:{{ params.region }}:{{ var.value.account }}:workflow/test/boot/x.x.x"
    )
    assert (late.name, late.type) == ("boot", "TEST")


def test_name_and_type_are_read_behind_a_templated_beginning() -> None:
    assert Workflow("{{ var.value.workflows }}:workflow/build/golden/1.0.0/1").type is WorkflowType.BUILD


CHOICE = f"{{% if params.x %}}{HERE}/build/a/1.0.0/1{{% else %}}{HERE}/test/b/1.0.0/1{{% endif %}}"
INSIDE = f"{{{{ params.arn or '{HERE}/build/a/1.0.0/1' }}}}"


@pytest.mark.parametrize(
    "arn", [CHOICE, INSIDE, "{{ var.value.test }}", f"{HERE}/test/{{{{ params.test }}}}/1.0.0/1", "nonsense"]
)
def test_a_name_that_is_not_known_yet_is_an_error_that_says_so(arn: str) -> None:
    with pytest.raises(InvalidRequestError, match="without a template"):
        _ = Workflow(arn).name


def test_to_api_leaves_out_what_is_unset() -> None:
    assert Workflow(f"{HERE}/build/b/1.0.0/1").to_api() == {"workflowArn": f"{HERE}/build/b/1.0.0/1"}


def test_writing_and_reading_gives_the_same() -> None:
    full = Workflow(
        f"{HERE}/test/boot/1.0.0/1",
        parameters={"kernels": ["6.1", "6.12"], "empty": [""], "none": []},
        parallel_group="functional",
        on_failure="CONTINUE",
    )
    assert full.to_api() == {
        "workflowArn": f"{HERE}/test/boot/1.0.0/1",
        "parameters": [
            {"name": "kernels", "value": ["6.1", "6.12"]},
            {"name": "empty", "value": [""]},
            {"name": "none", "value": []},
        ],
        "parallelGroup": "functional",
        "onFailure": "CONTINUE",
    }
    assert Workflow.from_api(full.to_api()) == full
    assert pickle.loads(pickle.dumps(full)) == full
    assert full.on_failure is OnFailure.CONTINUE
    assert len({full, Workflow.from_api(full.to_api())}) == 1


def test_members_that_aws_adds_later_are_left_out_when_reading() -> None:
    arn = f"{HERE}/test/boot/1.0.0/1"
    assert Workflow.from_api({"workflowArn": arn, "priority": 3}) == Workflow(arn)


def test_what_was_given_can_change_afterwards_without_harm() -> None:
    kernels = ["6.1"]
    one = Workflow(f"{HERE}/test/boot/1.0.0/1", parameters={"kernels": kernels})
    kernels.append("5.10")
    assert one.parameters == {"kernels": ("6.1",)}


def test_parameters_that_a_template_will_render_are_kept_as_they_are() -> None:
    listed = {"workflowArn": f"{HERE}/test/boot/1.0.0/1", "parameters": "{{ params.boot }}"}
    assert Workflow.from_api(listed).to_api() == listed
    some = {"workflowArn": f"{HERE}/test/boot/1.0.0/1", "parameters": ["{{ params.first }}"]}
    assert Workflow.from_api(some).to_api() == some
