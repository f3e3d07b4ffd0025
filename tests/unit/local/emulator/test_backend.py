"""The backend without HTTP: control, records, and a restart from the journal."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from airflow_imagebuilder.local.emulator.backend import Backend
from airflow_imagebuilder.local.emulator.engine import ApiError, Recorder
from airflow_imagebuilder.local.emulator.journal import JournalError
from airflow_imagebuilder.local.emulator.scenario import ScenarioError
from tests.support.bench import HEAD, image_request
from tests.support.documents import WORKFLOW

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENTS = {"real", "operation", "region", "params"}


def _create(backend: Backend, token: str = "one", **over: Any) -> str:
    request = image_request(**over) | {"clientToken": token}
    return str(backend.call("CreateImage", request, "us-east-1")["imageBuildVersionArn"])


def _killed(backend: Backend) -> Backend:
    """End a service as a kill does: its lines are in the file, its lock is gone."""
    backend.close()
    return backend


def _image(backend: Backend, arn: str) -> dict[str, Any]:
    return dict(backend.call("GetImage", {"imageBuildVersionArn": arn}, "us-east-1")["image"])


def _everything(backend: Backend) -> str:
    """Everything that a client can read of the images, as text."""
    found = []
    for arn in backend.engine.state.images:
        runs = backend.call("ListWorkflowExecutions", {"imageBuildVersionArn": arn}, "us-east-1")
        ids = [run["workflowExecutionId"] for run in runs["workflowExecutions"]]
        steps = [
            backend.call("ListWorkflowStepExecutions", {"workflowExecutionId": i}, "us-east-1") for i in ids
        ]
        found.append([_image(backend, arn), runs, steps])
    return json.dumps(found, sort_keys=True)


def test_a_journal_restores_the_same_images_executions_and_steps(tmp_path: Path) -> None:
    state = tmp_path / "state.jsonl"
    first = Backend(state=state, scenario={"failures": [{"workflow": "boot", "times": 1, "per": "image"}]})
    arn = _create(first)
    first.control({"advance": 3000})
    assert _image(first, arn)["state"]["status"] == "FAILED"
    first.call("RetryImage", {"imageBuildVersionArn": arn, "clientToken": "again"}, "us-east-1")
    first.control({"advance": 100})
    before = _everything(first)
    scenario = {"failures": [{"workflow": "boot", "times": 1, "per": "image"}]}
    _killed(first)
    second = Backend(state=state, scenario=scenario)
    assert _everything(second) == before
    second.control({"advance": 100_000})
    assert _image(second, arn)["state"]["status"] == "AVAILABLE"


def test_amis_and_parameters_are_made_again_and_events_are_not_sent_twice(tmp_path: Path) -> None:
    state = tmp_path / "state.jsonl"
    worlds = [Recorder(), Recorder()]
    first = Backend(worlds[0], state=state)
    _create(first)
    first.control({"advance": 100_000})
    _killed(first)
    Backend(worlds[1], state=state)
    for kind in ("ami", "parameter"):
        assert [e.data for e in worlds[1].of(kind)] == [e.data for e in worlds[0].of(kind)]
    assert len(worlds[0].of("ami")) == 2
    assert worlds[0].of("event")
    assert not worlds[1].of("event")


def test_a_replay_calls_no_function_and_publishes_nothing_again(tmp_path: Path) -> None:
    state = tmp_path / "state.jsonl"
    worlds = [Recorder(), Recorder()]
    first = Backend(worlds[0], state=state)
    inputs = "{lambdaFunctionName: approve, snsTopicArn: 'arn:aws:sns:us-east-1:123456789012:approvals'}"
    data = f"schemaVersion: 1.0\nsteps: [{{name: Ask, action: WaitForAction, inputs: {inputs}}}]\n"
    asks = {"name": "asks", "semanticVersion": "1.0.0", "type": "TEST", "data": data, "clientToken": "asks"}
    made = first.call("CreateWorkflow", asks, "us-east-1")
    build = {"workflowArn": f"{HEAD}workflow/build/golden-build/1.0.0/1"}
    arn = _create(first, workflows=[build, {"workflowArn": made["workflowBuildVersionArn"]}])
    first.control({"advance": 10_000})
    (step,) = first.call("ListWaitingWorkflowSteps", {}, "us-east-1")["steps"]
    assert [effect.data["name"] for effect in worlds[0].of("function")] == ["approve"]
    assert len(worlds[0].of("notification")) == 1
    _killed(first)
    second = Backend(worlds[1], state=state)
    assert second.call("ListWaitingWorkflowSteps", {}, "us-east-1")["steps"] == [step]
    assert worlds[1].of("function") + worlds[1].of("notification") == []
    # What happens after the restart is published.
    answer = {"stepExecutionId": step["stepExecutionId"], "imageBuildVersionArn": arn, "action": "STOP"}
    second.call("SendWorkflowStepAction", {**answer, "clientToken": "stop"}, "us-east-1")
    assert worlds[1].of("event")


def test_a_token_is_remembered_across_a_restart(tmp_path: Path) -> None:
    state = tmp_path / "state.jsonl"
    first = Backend(state=state)
    arn = _create(first)
    _killed(first)
    second = Backend(state=state)
    assert _create(second) == arn
    with pytest.raises(ApiError, match="other parameters"):
        _create(second, tags={"a": "b"})


def test_virtual_time_does_not_go_back_across_a_restart(tmp_path: Path) -> None:
    state = tmp_path / "state.jsonl"
    first = Backend(state=state, speed=1000)
    first.control({"advance": 5000})
    before = first.engine.clock.now()
    _killed(first)
    assert Backend(state=state, speed=1000).engine.clock.now() >= before


def test_a_service_that_did_nothing_starts_again(tmp_path: Path) -> None:
    state = tmp_path / "state.jsonl"
    _killed(Backend(state=state))
    assert Backend(state=state).seeded > 0


def test_an_incomplete_last_line_is_ignored_and_overwritten(tmp_path: Path) -> None:
    state = tmp_path / "state.jsonl"
    first = Backend(state=state)
    arn = _create(first)
    _killed(first)
    with state.open("ab") as file:
        file.write(b'{"real": 17')
    second = Backend(state=state)
    assert _image(second, arn)["state"]["status"] == "PENDING"
    other = _create(second, "two")
    _killed(second)
    assert _image(Backend(state=state), other)["state"]["status"] == "PENDING"


def test_a_file_that_is_not_a_journal_is_refused_and_not_changed(tmp_path: Path) -> None:
    state = tmp_path / "notes.txt"
    state.write_text('{"my": "notes"}\n')
    with pytest.raises(JournalError, match=r"notes\.txt"):
        Backend(state=state)
    assert state.read_text() == '{"my": "notes"}\n'


def test_a_journal_that_does_not_replay_is_refused(tmp_path: Path) -> None:
    state = tmp_path / "state.jsonl"
    first = Backend(state=state)
    _create(first)
    _killed(first)
    lines = state.read_text().splitlines()
    entry = json.loads(lines[1])
    assert set(entry) == DOCUMENTS
    lines[2] = json.dumps({"outcome": "something else"})
    state.write_text("\n".join(lines) + "\n")
    with pytest.raises(JournalError, match="does not replay"):
        Backend(state=state)


def test_reads_and_time_write_nothing(tmp_path: Path) -> None:
    state = tmp_path / "state.jsonl"
    backend = Backend(state=state)
    arn = _create(backend)
    size = state.stat().st_size
    _image(backend, arn)
    backend.snapshot()
    assert state.stat().st_size == size


def test_a_new_scenario_applies_from_the_restart_on(tmp_path: Path) -> None:
    state = tmp_path / "state.jsonl"
    first = Backend(state=state)
    arn = _create(first)
    _killed(first)
    second = Backend(state=state, scenario={"failures": [{"workflow": "golden-build"}]})
    second.control({"advance": 100_000})
    assert _image(second, arn)["state"]["status"] == "FAILED"


def test_control_changes_durations_and_failures_of_builds_in_flight() -> None:
    backend = Backend()
    arn = _create(backend)
    backend.control({"failures": [{"workflow": "golden-build"}], "workflows": {"golden-build": 1}})
    backend.control({"advance": 30})
    assert _image(backend, arn)["state"]["status"] == "FAILED"


def test_control_refuses_what_it_does_not_know_and_changes_nothing() -> None:
    backend = Backend()
    before = backend.engine.clock.now()
    with pytest.raises(ScenarioError, match="control: unknown key 'fast'; allowed: speed, advance"):
        backend.control({"fast": 1, "advance": 10})
    with pytest.raises(ValueError, match="advance"):
        backend.control({"advance": -1})
    with pytest.raises(ValueError, match="speed"):
        backend.control({"speed": "quick"})
    assert backend.engine.clock.now() == pytest.approx(before, abs=1)


def test_reset_forgets_images_records_and_faults(tmp_path: Path) -> None:
    backend = Backend(state=tmp_path / "state.jsonl")
    arn = _create(backend)
    backend.control({"faults": [{"code": "X"}]})
    backend.control({"reset": True})
    with pytest.raises(ApiError, match="does not exist"):
        _image(backend, arn)
    snapshot = backend.snapshot()
    assert (snapshot["images"], snapshot["changes"], snapshot["faults"]) == ([], [], [])
    assert _create(backend).endswith("/1")


def test_records_hold_images_executions_tokens_and_changes() -> None:
    backend = Backend()
    arn = _create(backend)
    assert _create(backend) == arn
    backend.control({"advance": 100_000})
    records = backend.snapshot()
    image = records["images"][0]
    assert [entry["status"] for entry in image["history"]][-1] == "AVAILABLE"
    assert {run["workflow"]: run["group"] for run in image["executions"]}["boot"] == "functional"
    assert all(run["start"] <= run["end"] for run in image["executions"])
    assert records["tokens"] == [{"operation": "CreateImage", "token": "one", "count": 2, "arn": arn}]
    assert [change["operation"] for change in records["changes"]] == ["CreateImage", "CreateImage"]


def test_a_refused_call_is_among_the_changes_with_its_error() -> None:
    backend = Backend()
    missing = f"{HEAD}image/nothing/1.0.0/1"
    with pytest.raises(ApiError):
        backend.call(
            "CancelImageCreation", {"imageBuildVersionArn": missing, "clientToken": "c"}, "us-east-1"
        )
    change = backend.snapshot()["changes"][0]
    assert (change["arn"], change["error"]) == (missing, "ResourceNotFoundException")


class _Wall:
    """Real time that the test moves."""

    now = 1_800_000_000.0
    back = 0.0

    def time(self) -> float:
        return self.now - self.back

    def monotonic(self) -> float:
        return self.now


def test_at_speed_a_replay_has_every_moment_of_the_first_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wall = _Wall()
    monkeypatch.setattr("airflow_imagebuilder.local.emulator.journal.time", wall)
    state = tmp_path / "state.jsonl"
    first = Backend(state=state, speed=600)
    arns = []
    for number in range(4):
        arns.append(_create(first, f"t{number}"))
        wall.now += 0.7
    first.control({"speed": 60})
    wall.now += 1.0
    first.call("CancelImageCreation", {"imageBuildVersionArn": arns[3], "clientToken": "c"}, "us-east-1")
    wall.now += 1.0
    before, images = _everything(first), first.snapshot()["images"]
    _killed(first)
    second = Backend(state=state, speed=60)
    assert _everything(second) == before
    assert second.snapshot()["images"] == images
    assert len({_image(second, arn)["dateCreated"] for arn in arns}) == 4
    wall.now += 3600
    assert _image(second, arns[0])["state"]["status"] == "AVAILABLE"


def test_a_machine_clock_that_was_set_back_does_not_set_virtual_time_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wall = _Wall()
    monkeypatch.setattr("airflow_imagebuilder.local.emulator.journal.time", wall)
    state = tmp_path / "state.jsonl"
    first = Backend(state=state, speed=600)
    wall.now += 5
    _create(first)
    before = first.engine.clock.now()
    wall.back = 3600
    _killed(first)
    assert Backend(state=state, speed=600).engine.clock.now() >= before


@pytest.mark.parametrize(
    ("module", "kept_out"),
    [
        ("airflow_imagebuilder.local.emulator.engine", {"airflow", "moto", "botocore", "boto3", "uvicorn"}),
        ("airflow_imagebuilder.local.emulator.backend", {"airflow", "moto", "uvicorn"}),
        ("airflow_imagebuilder.local.emulator.http.app", {"airflow", "uvicorn"}),
    ],
)
def test_a_layer_loads_nothing_of_the_ones_above(module: str, kept_out: set[str]) -> None:
    code = f"import sys, {module}; print(sorted({kept_out!r} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_call_that_cannot_be_kept_is_refused_and_not_carried_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = Backend(state=tmp_path / "state.jsonl")

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("airflow_imagebuilder.local.emulator.journal.os.write", full)
        with pytest.raises(ApiError, match="cannot be written: No space left") as caught:
            _create(backend)
        with pytest.raises(ApiError, match="cannot be written"):
            backend.control({"advance": 10})
    assert caught.value.code == "ServiceUnavailableException"
    assert not backend.engine.state.images
    arn = _create(backend)
    _killed(backend)
    assert _image(Backend(state=tmp_path / "state.jsonl"), arn)["state"]["status"] == "PENDING"


def test_a_restart_does_not_ask_the_world_again(tmp_path: Path) -> None:
    state = tmp_path / "state.jsonl"

    class Bucket(Recorder):
        def text(self, region: str, uri: str) -> str | None:
            return WORKFLOW

    first = Backend(Bucket(), state=state)
    params = {
        "name": "own",
        "semanticVersion": "1.0.0",
        "type": "TEST",
        "uri": "s3://b/k",
        "clientToken": "t",
    }
    arn = first.call("CreateWorkflow", params, "us-east-1")["workflowBuildVersionArn"]
    _killed(first)
    second = Backend(Recorder(), state=state)
    found = second.call("GetWorkflow", {"workflowBuildVersionArn": arn}, "us-east-1")
    assert found["workflow"]["data"] == WORKFLOW
