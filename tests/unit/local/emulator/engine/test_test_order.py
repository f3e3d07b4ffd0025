"""The rule of the User Guide on test groups, stated independently of the engine."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.bench import NAMES_OF_TESTS as NAMES
from tests.support.bench import Bench, workflow

tests = st.lists(
    st.tuples(st.sampled_from(["a", "b", None]), st.integers(1, 500), st.sampled_from([None, "CONTINUE"])),
    min_size=1,
    max_size=9,
)


def _bake(chosen: list[tuple[str | None, int, str | None]], build_at: int) -> tuple[Bench, str]:
    bench = Bench()
    listed: list[dict[str, Any]] = []
    for name, (group, seconds, on_failure) in zip(NAMES, chosen, strict=False):
        bench.behaviour.workflows[name] = float(seconds)
        more = {"parallelGroup": group, "onFailure": on_failure}
        listed.append(workflow("test", name, **{k: v for k, v in more.items() if v}))
    listed.insert(min(build_at, len(listed)), workflow("build", "golden-build"))
    arn = bench.bake(workflows=listed)
    return bench, arn


def _rank(chosen: list[tuple[str | None, int, str | None]], index: int) -> int:
    """Where a test comes: the place of the first one of its group, or its own."""
    group = chosen[index][0]
    return index if group is None else [other for other, _, _ in chosen].index(group)


@settings(max_examples=60, deadline=None)
@given(chosen=tests, build_at=st.integers(0, 9))
def test_never_more_than_five_tests_run_and_no_two_places_overlap(
    chosen: list[tuple[str | None, int, str | None]], build_at: int
) -> None:
    bench, arn = _bake(chosen, build_at)
    ranks = {name: _rank(chosen, index) for index, name in enumerate(NAMES[: len(chosen)])}
    while bench.turn():
        running = [
            name for name, status in bench.outcome(arn).items() if status == "RUNNING" and name in ranks
        ]
        assert len(running) <= 5
        assert len({ranks[name] for name in running}) <= 1
    assert bench.status(arn) == "AVAILABLE"


@settings(max_examples=60, deadline=None)
@given(chosen=tests, build_at=st.integers(0, 9))
def test_places_follow_one_another_in_order_of_first_appearance(
    chosen: list[tuple[str | None, int, str | None]], build_at: int
) -> None:
    bench, arn = _bake(chosen, build_at)
    bench.engine.settle()
    runs = {run["workflowBuildVersionArn"].split("/")[2]: run for run in bench.executions(arn)}
    for i, first in enumerate(NAMES[: len(chosen)]):
        for j, second in enumerate(NAMES[: len(chosen)]):
            if _rank(chosen, i) < _rank(chosen, j):
                assert runs[first]["endTime"] <= runs[second]["startTime"]
        assert runs["golden-build"]["endTime"] <= runs[first]["startTime"]


@settings(max_examples=30, deadline=None)
@given(seconds=st.lists(st.integers(1, 500), min_size=6, max_size=9))
def test_no_place_of_the_five_stays_empty_while_a_test_of_the_group_waits(seconds: list[int]) -> None:
    bench, arn = _bake([("a", second, None) for second in seconds], 0)
    bench.run_to(arn, "TESTING")
    while bench.status(arn) == "TESTING":
        tests_now = [status for name, status in bench.outcome(arn).items() if name != "golden-build"]
        if "PENDING" in tests_now:
            assert tests_now.count("RUNNING") == 5
        bench.turn()


def test_the_example_of_the_user_guide_runs_a_then_b_with_d_then_c_then_e() -> None:
    groups = (None, "tests-1", None, "tests-1", "tests-2")
    bench, arn = _bake([(group, 60, None) for group in groups], 0)
    bench.engine.settle()
    starts: dict[str, set[int]] = {}
    for run in bench.executions(arn)[1:]:
        index = NAMES.index(run["workflowBuildVersionArn"].split("/")[2])
        starts.setdefault(run["startTime"], set()).add(index)
    assert [starts[moment] for moment in sorted(starts)] == [{0}, {1, 3}, {2}, {4}]
