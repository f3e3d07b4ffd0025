"""Durations and failures of a scenario: which step takes how long, and which step fails."""

from __future__ import annotations

import pytest

from airflow_imagebuilder.local.emulator.engine import Behaviour, Failure
from tests.support.bench import HEAD, Bench, workflow

BASE = f"{HEAD}component/golden-base/1.0.0/1"


def seconds_of_build(bench: Bench) -> dict[str, float]:
    """Build the golden image and return the virtual seconds of each step of its build."""
    arn = bench.bake(workflows=[workflow("build", "golden-build")])
    assert bench.finish(arn) == "AVAILABLE"
    (execution,) = bench.engine.state.images[arn].executions
    return {
        step.planned.name: step.end - step.start
        for step in execution.steps
        if step.status != "SKIPPED" and step.start is not None and step.end is not None
    }


def test_the_steps_share_the_time_of_their_workflow_by_their_action() -> None:
    # 612 seconds in all, as they usually share it; RunSysPrep does not run on Linux.
    took = seconds_of_build(Bench(behaviour=Behaviour(workflows={"golden-build": 306.0})))
    assert list(took.values()) == pytest.approx([73.5, 106.0, 47.0, 5.0, 72.5, 2.0], abs=1e-3)


def test_without_a_scenario_builds_and_tests_take_as_long_as_those_that_were_seen() -> None:
    bench = Bench()
    create = bench.call(
        "CreateImageRecipe", name="bare", semanticVersion="1.0.0", parentImage="ami-0123456789"
    )
    bare = bench.bake(imageRecipeArn=create["imageRecipeArn"], workflows=None, executionRole=None)
    full = bench.bake(workflows=None, executionRole=None)
    seen = {}
    for arn in (bare, full):
        bench.finish(arn)
        build, test = bench.engine.state.images[arn].executions
        assert build.start is not None
        assert build.end is not None
        assert test.start is not None
        assert test.end is not None
        seen[arn] = (build.end - build.start, test.start - build.end, test.end - test.start)
        assert build.start - bench.engine.state.images[arn].created == pytest.approx(4.5)
    assert seen[bare] == pytest.approx((403.0, 5.6, 156.0), rel=0.06)
    assert seen[full] == pytest.approx((615.0, 5.5, 285.0), rel=0.15)


def test_a_step_with_a_time_of_its_own_takes_that_time() -> None:
    behaviour = Behaviour(workflows={"golden-build": 306.0}, steps={"golden-build/CreateOutputAMI": 7.0})
    took = seconds_of_build(Bench(behaviour=behaviour))
    assert took["CreateOutputAMI"] == pytest.approx(7.0, abs=1e-3)
    assert took["ApplyBuildComponents"] == pytest.approx(106.0, abs=1e-3)


def test_a_duration_range_gives_each_test_its_own_number_and_the_same_in_every_run() -> None:
    runs = []
    for _ in range(2):
        bench = Bench(behaviour=Behaviour(durations={"test": (100.0, 200.0)}))
        arn = bench.bake()
        bench.finish(arn)
        tests = [e for e in bench.engine.state.images[arn].executions if e.workflow.type == "TEST"]
        runs.append([round((e.end or 0) - (e.start or 0), 3) for e in tests])
    assert runs[0] == runs[1]
    assert len(set(runs[0])) == len(runs[0]) == 9
    assert all(100.0 <= seconds <= 200.0 for seconds in runs[0])


@pytest.mark.parametrize(
    ("failure", "step"),
    [
        (Failure(workflow="golden-build"), "ApplyBuildComponents"),
        (Failure(workflow="golden-*"), "ApplyBuildComponents"),
        (Failure(workflow=f"{HEAD}workflow/build/*"), "ApplyBuildComponents"),
        (Failure(step="CreateOutputAMI"), "CreateOutputAMI"),
        (Failure(workflow="golden-build", step="CreateOutputAMI"), "CreateOutputAMI"),
        (Failure(component="golden-base", phase="build"), "ApplyBuildComponents"),
        (Failure(component=BASE, phase="build"), "ApplyBuildComponents"),
        (Failure(component="*/golden-base/*", phase="build"), "ApplyBuildComponents"),
    ],
    ids=["workflow", "pattern", "ARN", "step", "step of a workflow", "component", "its ARN", "its pattern"],
)
def test_a_failure_hits_the_step_that_it_names(failure: Failure, step: str) -> None:
    bench = Bench(failure)
    arn = bench.bake()
    assert bench.finish(arn) == "FAILED"
    assert bench.image(arn)["state"]["failureContext"]["failedStep"] == step


@pytest.mark.parametrize(
    "failure",
    [
        Failure(workflow="golden-buil"),
        Failure(step="CreateOutput"),
        Failure(workflow="boot", step="CreateOutputAMI"),
        Failure(component="golden-other", phase="build"),
        Failure(component="golden-base", step="CreateOutputAMI"),
        Failure(workflow="golden-build", image="golden-ubuntu"),
        Failure(workflow="golden-build", times=0),
        Failure(region="ap-southeast-2"),
    ],
    ids=[
        "workflow",
        "step",
        "step elsewhere",
        "component",
        "step without components",
        "image",
        "times",
        "region",
    ],
)
def test_a_failure_spares_what_it_does_not_name(failure: Failure) -> None:
    bench = Bench(failure)
    assert bench.finish(bench.bake()) == "AVAILABLE"


def test_the_first_failure_that_fits_applies() -> None:
    failures = (
        Failure(workflow="golden-build", message="first"),
        Failure(workflow="golden-build", message="2"),
    )
    bench = Bench(*failures)
    arn = bench.bake()
    bench.finish(arn)
    assert "first" in bench.image(arn)["state"]["reason"]
    assert [sum(failure.used.values()) for failure in failures] == [1, 0]


def test_findings_are_multiplied_by_the_scans_and_summed() -> None:
    behaviour = Behaviour(findings={"critical": 1, "medium": 4})
    assert behaviour.finding_counts() == {"all": 5, "critical": 1, "high": 0, "medium": 4}
    assert behaviour.finding_counts(3) == {"all": 15, "critical": 3, "high": 0, "medium": 12}
