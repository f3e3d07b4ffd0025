from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from airflow_imagebuilder.local.emulator import scenario as scenarios
from airflow_imagebuilder.local.emulator.backend import Backend
from airflow_imagebuilder.local.emulator.faults import Fault, Faults
from airflow_imagebuilder.local.emulator.scenario import ScenarioError, load, parse
from tests.support.bench import Bench

if TYPE_CHECKING:
    from pathlib import Path


def _documented() -> dict[str, Any]:
    text = (scenarios.__doc__ or "").split(".. code-block:: yaml\n", 1)[1]
    return dict(yaml.safe_load(text))


def test_the_scenario_of_the_documentation_is_valid() -> None:
    read = parse(_documented())
    assert read.durations["test"] == (120, 300)
    assert [failure.workflow for failure in read.failures[:2]] == ["boot", "boot"]
    assert read.faults[0].code == "CallRateLimitExceededException"


def test_the_documentation_shows_every_key() -> None:
    shown = _documented()
    assert set(shown) == set(scenarios.Scenario.__dataclass_fields__)
    assert {key for item in shown["failures"] for key in item} == set(scenarios._FAILURE_KEYS)
    assert {key for item in shown["faults"] for key in item} == set(scenarios._FAULT_KEYS)


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ({"duration": {}}, "the scenario: unknown key 'duration'; allowed: seed, durations"),
        ({"durations": {"tests": 1}}, "durations: unknown key 'tests'; allowed: pending"),
        ({"durations": {"test": "long"}}, "durations.test: 'long' is not a number"),
        ({"durations": {"test": -1}}, "durations.test: -1 is not a number from 0 to 40,000,000"),
        ({"failures": [{"work": "boot"}]}, "failures[0]: unknown key 'work'"),
        ({"failures": [{"times": 1}]}, "failures[0]: nothing fails"),
        ({"failures": [{"region": "x", "status": "LOST"}]}, "failures[0].status: 'LOST'; allowed: FAILED"),
        ({"failures": {}}, "failures: {} is not a list"),
        ({"faults": [{"kind": "flood"}]}, "faults[0].kind: 'flood'; allowed: error, reset"),
        ({"faults": [{"rate": "often"}]}, "faults[0].rate: 'often' is not a number"),
        ([], "the scenario: [] is not a mapping"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_known_is_refused_with_what_is_allowed(document: Any, text: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse(document)
    assert text in str(caught.value)


def test_a_refused_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("speed: 3\n")
    with pytest.raises(ScenarioError, match=r"mine\.yaml: the scenario: unknown key 'speed'"):
        load(path)


def test_durations_of_a_scenario_are_those_of_a_bake() -> None:
    behaviour = parse(
        {"durations": {"pending": 1, "creating": 2, "build": 30, "gap": 4, "test": 10}}
    ).behaviour()
    bench = Bench(behaviour=behaviour)
    arn = bench.bake(distributionConfigurationArn=None)
    # 1 + 2 + 30 + 4, then five tests and one, one alone, and two: four times ten.
    assert bench.engine.settle() == pytest.approx(77)
    assert bench.status(arn) == "AVAILABLE"


class _Time:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def _hits(faults: Faults, calls: int, operation: str = "GetImage") -> list[bool]:
    return [faults.pick(operation) is not None for _ in range(calls)]


def test_a_fault_fires_a_number_of_times_after_it_has_spared_some_calls() -> None:
    faults = Faults()
    faults.install(Fault(skip=2, times=2))
    assert _hits(faults, 6) == [False, False, True, True, False, False]


def test_a_fault_hits_its_operation_only() -> None:
    faults = Faults()
    faults.install(Fault(operation="CreateImage"))
    assert _hits(faults, 2) == [False, False]
    assert _hits(faults, 2, "CreateImage") == [True, True]


def test_a_rate_hits_about_that_share_of_the_calls_and_the_same_ones_for_one_seed() -> None:
    runs = []
    for _ in range(2):
        faults = Faults(seed=3)
        faults.install(Fault(rate=0.2))
        runs.append(_hits(faults, 1000))
    assert runs[0] == runs[1]
    assert 150 < sum(runs[0]) < 250


def test_a_window_opens_and_closes() -> None:
    time = _Time()
    faults = Faults(now=time)
    faults.install(Fault(start=10, lasts=60))
    seen = []
    for moment in (100, 109, 110, 169, 170):
        time.now = moment
        seen.append(faults.pick("GetImage") is not None)
    assert seen == [False, False, True, True, False]


def test_the_first_open_fault_wins_and_each_is_counted() -> None:
    faults = Faults()
    faults.install(Fault(code="A", times=1), Fault(code="B"))
    assert [fault.code for fault in (faults.pick("GetImage") for _ in range(3)) if fault] == ["A", "B", "B"]
    assert [record["fired"] for record in faults.records()] == [1, 2]


@pytest.mark.parametrize(
    ("kind", "performed"),
    [
        ("error", False),
        ("reset", False),
        ("hang", False),
        ("delay", True),
        ("truncated", True),
        ("empty", True),
    ],
)
def test_whether_the_request_is_carried_out_depends_on_the_kind_and_can_be_chosen(
    kind: str, performed: bool
) -> None:
    assert Fault(kind=kind).is_performed is performed
    assert Fault(kind=kind, performed=not performed).is_performed is not performed


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ({"workflows": {"bout": 60}}, "workflows: 'bout': no such workflow; there are, e.g.: boot"),
        ({"steps": {"boot/RunTest": 60}}, "steps: 'boot/RunTest': no such step; there are, e.g.: RunTests"),
        ({"steps": {"bout/RunTests": 60}}, "steps: 'bout/RunTests': no such workflow"),
        ({"failures": [{"workflow": "cis-level"}]}, "failures[0].workflow: 'cis-level': no such workflow"),
        ({"failures": [{"workflow": "gold-*"}]}, "no such workflow"),
        ({"failures": [{"workflow": "boot", "step": "Run"}]}, "failures[0].step: 'Run': no such step"),
        ({"failures": [{"step": "RunTest"}]}, "failures[0].step: 'RunTest': no such step"),
        ({"failures": [{"component": "golden-bas"}]}, "no such component; there are, e.g.: golden-base"),
        ({"failures": [{"workflow": "boot"}, {"component": "*/golden-agents/*"}]}, "failures[1].component"),
        ({"faults": [{"operation": "GetImages"}]}, "'GetImages' is not an operation of Image Builder; e.g. "),
        ({"faults": [{"operation": "RunInstances"}]}, "faults[0].operation: 'RunInstances' is not"),
    ],
    ids=str,
)
def test_a_name_that_does_not_exist_is_refused_at_the_start_and_by_a_control_request(
    document: dict[str, Any], text: str
) -> None:
    with pytest.raises(ScenarioError) as caught:
        Backend(scenario=document)
    assert text in str(caught.value)
    backend = Backend()
    with pytest.raises(ScenarioError) as caught:
        backend.control(document)
    assert text in str(caught.value)
    assert backend.engine.behaviour.failures == []


@pytest.mark.parametrize(
    "document",
    [
        {"workflows": {"boot": 60, "build-image": 300, "express-test-image": 5}},
        {"steps": {"boot/RunTests": 60, "build-image/CreateOutputAMI": 60}},
        {
            "failures": [
                {"workflow": "golden-*"},
                {"workflow": "*:workflow/test/boot/*"},
                {"step": "RunTests"},
            ]
        },
        {"failures": [{"component": "golden-base"}, {"component": "update-linux", "phase": "build"}]},
        {"failures": [{"component": "*/golden-base/*"}, {"region": "eu-west-1"}]},
        {"faults": [{"operation": "RetryImage"}, {"operation": "*"}, {}]},
        {"later": ["own", "site-*"], "workflows": {"own": 5}, "steps": {"site-a/Check": 5}},
        {"later": ["own"], "failures": [{"workflow": "own", "step": "Check"}, {"component": "own"}]},
    ],
    ids=str,
)
def test_a_name_that_exists_or_will_exist_is_taken(document: dict[str, Any]) -> None:
    Backend(scenario=document)
    assert Backend().control(document)["speed"] == 0


def test_a_workflow_that_a_client_has_created_can_be_named() -> None:
    backend = Backend()
    with pytest.raises(ScenarioError, match="A workflow that a client creates later is named in 'later'"):
        backend.control({"workflows": {"own": 60}})
    step = "{name: Check, action: WaitForAction}"
    request = {"name": "own", "semanticVersion": "1.0.0", "type": "TEST", "clientToken": "token"}
    backend.call("CreateWorkflow", {**request, "data": f"schemaVersion: 1.0\nsteps: [{step}]"}, "us-east-1")
    backend.control({"workflows": {"own": 60}, "steps": {"own/Check": 5}})
    assert backend.engine.behaviour.steps == {"own/Check": 5}


def test_what_was_named_as_later_is_remembered() -> None:
    backend = Backend(scenario={"later": ["own"]})
    backend.control({"workflows": {"own": 60}})
    backend.control({"later": ["other"]})
    backend.control({"failures": [{"workflow": "other"}]})
    with pytest.raises(ScenarioError, match="no such workflow"):
        backend.control({"failures": [{"workflow": "third"}]})


def test_a_refused_scenario_leaves_no_state_file(tmp_path: Path) -> None:
    state = tmp_path / "state.jsonl"
    with pytest.raises(ScenarioError):
        Backend(scenario={"workflows": {"bout": 60}}, state=state)
    assert not state.exists()
    Backend(scenario={"workflows": {"boot": 60}}, state=state).close()
