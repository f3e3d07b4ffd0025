"""What one client does to hurt another: refused, or bounded; the service answers the others."""

from __future__ import annotations

import resource
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any

import pytest

from airflow_imagebuilder.local.emulator import backend as backends
from airflow_imagebuilder.local.emulator.backend import Backend
from tests.hostile.connection import Connection, request
from tests.hostile.values import dumps
from tests.support.bench import HEAD, image_request
from tests.support.commands import completed

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.process import Process


pytestmark = pytest.mark.integration
IDLE = 5_000
YEAR = 31_536_000


@pytest.fixture
def still(server: Process) -> Iterator[Process]:
    """The service with a clock that moves by hand; another client's build finishes after the attack."""
    server.control(speed=0)
    yield server
    arn = server.client().create_image(**image_request())["imageBuildVersionArn"]
    server.control(advance=20_000)
    assert server.wait(arn)["state"]["status"] == "AVAILABLE"
    server.control(reset=True, speed=600)


def _workflow(server: Process, step: str) -> dict[str, Any]:
    """Create an image whose test has one step; the step is one mapping in YAML."""
    client = server.client()
    data = f"schemaVersion: 1.0\nsteps:\n  - {step}\n"
    made = client.create_workflow(name="attack", semanticVersion="1.0.0", type="TEST", data=data)
    build = {"workflowArn": f"{HEAD}workflow/build/golden-build/1.0.0/1"}
    return dict(
        client.create_image(
            **image_request(workflows=[build, {"workflowArn": made["workflowBuildVersionArn"]}])
        )
    )


def _is_refused(server: Process, step: str) -> bool:
    client = server.client()
    try:
        _workflow(server, step)
    except client.exceptions.InvalidParameterValueException:
        return True
    return False


def test_a_condition_on_a_number_that_is_missing_skips_the_step(still: Process) -> None:
    step = "{name: Run, action: WaitForAction, if: {numberGreaterThan: 5, value: $.imagebuilder.s3Logs}}"
    arn = _workflow(still, step)["imageBuildVersionArn"]
    still.control(advance=20_000)
    assert still.wait(arn)["state"]["status"] == "AVAILABLE"


HARMFUL = {
    "not a condition": "{name: Run, action: WaitForAction, if: 5}",
    "NaN": "{name: Run, action: WaitForAction, timeoutSeconds: .nan}",
    "infinite": "{name: Run, action: WaitForAction, timeoutSeconds: 1e400}",
    "deep": "{name: Run, action: WaitForAction, if: " + "{not: " * 600 + "1" + "}" * 601,
    "a cycle": "{name: Run, action: WaitForAction, description: &a [*a]}",
}


def test_a_document_that_would_do_harm_is_refused(still: Process) -> None:
    assert [name for name, step in HARMFUL.items() if not _is_refused(still, step)] == []


def test_a_workflow_that_only_waits_times_out(still: Process) -> None:
    arn = _workflow(still, "{name: Approve, action: WaitForAction}")["imageBuildVersionArn"]
    still.control(advance=4 * 86_400)
    assert still.wait(arn)["state"]["status"] == "FAILED"


NO_TIMES = (
    b'{"advance": 1e12}',
    b'{"advance": NaN}',
    b'{"advance": -1}',
    b'{"speed": Infinity}',
    b'{"durations": {"build": NaN}}',
    b'{"steps": {"a/b": 1e400}}',
    b'{"findings": {"high": 1e400}}',
    b"[" * 10_000,
    b"\xff",
    b"[]",
)


def test_the_control_plane_refuses_what_is_not_a_time(still: Process) -> None:
    before = still.control()
    with Connection(still.address) as link:
        asked = [link.ask(request(b"POST", b"/_imagebuilder/control", body)) for body in NO_TIMES]
    assert [reply.status for reply in asked] == [400] * len(NO_TIMES)
    assert still.control() == before


@pytest.mark.parametrize("schedule", ["rate(1 minute)", "cron(* * * * ? *)"])
def test_a_year_of_a_pipeline_that_runs_each_minute_is_bounded(
    schedule: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A quarter of the work that one request may make.
    monkeypatch.setattr(backends, "MOST_TIMERS_BY_HAND", 5_000)
    state = tmp_path / "state.jsonl"
    backend = Backend(state=state)
    began = backend.clock()["epoch"]
    build = {"workflowArn": f"{HEAD}workflow/build/golden-build/1.0.0/1"}
    when = {"scheduleExpression": schedule, "pipelineExecutionStartCondition": "EXPRESSION_MATCH_ONLY"}
    request = image_request(workflows=[build], distributionConfigurationArn=None, name="m", schedule=when)
    backend.call("CreateImagePipeline", request, "us-east-1")
    # The answer says how far time has come, and what is left.
    answer = backend.control({"advance": YEAR})
    assert answer["epoch"] - began + answer["left"] == pytest.approx(YEAR)
    assert answer["epoch"] - began > 86_400 / 5
    # Whatever the machine does in a second of real time, virtual time waits for what is due in it.
    backend.control({"speed": 1e7})
    seen = [backend.clock()["epoch"] for _ in range(3)]
    assert seen == sorted(seen)
    backend.control({"speed": 0})
    images = _histories(backend)
    backend.close()
    again = Backend(state=state)
    assert _histories(again) == images
    again.close()


def _histories(backend: Backend) -> dict[str, list[tuple[str, float]]]:
    images = backend.engine.state.images.items()
    return {arn: [(each["status"], each["virtual"]) for each in image.history] for arn, image in images}


def test_thousands_of_pipelines_do_not_stop_the_service(still: Process) -> None:
    body = {
        **image_request(workflows=None, executionRole=None, distributionConfigurationArn=None),
        "schedule": {"scheduleExpression": "rate(1 hour)"},
    }
    with Connection(still.address) as link:
        for number in range(1_000):
            one = {**body, "name": f"p-{number}", "clientToken": f"pipeline-{number}"}
            assert link.ask(request(b"PUT", b"/CreateImagePipeline", dumps(one))).status == 200
    listed = still.client().list_image_pipelines(maxResults=25)
    assert len(listed["imagePipelineList"]) == 25
    still.control(advance=3_600)


def _patterns(seconds: int, *given: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.hostile.patterns", str(seconds), *given]
    return completed(command, seconds=250)


def test_no_expression_is_slow_for_any_text_of_64_kilobytes() -> None:
    # All of them need less than two seconds of CPU time; one that is quadratic needs more than the rest.
    ran = _patterns(6)
    assert ran.returncode == 0, f"the last one is slow: {ran.stdout[-1_000:]}"
    assert ran.stdout.count("\n") > 80


def test_a_slow_expression_would_be_found() -> None:
    assert _patterns(1, r"windows\D*server\D*(2012|2022)").returncode == -signal.SIGKILL


def test_a_body_of_sixty_megabytes_is_refused_and_not_kept(still: Process) -> None:
    before = _memory(still)
    chunk = b" " * 1_000_000
    for _ in range(3):
        with socket.create_connection(still.address, 20) as raw:
            raw.sendall(request(b"PUT", b"/CreateImage", content_length=b"60000000"))
            answer = b""
            try:
                for _ in range(60):
                    raw.sendall(chunk)
            except OSError:
                pass  # the service has closed the connection
            try:
                answer = raw.recv(65_536)
            except OSError:
                continue
            assert b" 413 " in answer.split(b"\r\n")[0]
            assert b"RequestEntityTooLargeException" in answer
    assert _memory(still) < before + 40_000_000


def _memory(server: Process) -> int:
    with open(f"/proc/{server.pid}/statm") as file:  # noqa: PTH123
        return int(file.read().split()[1]) * resource.getpagesize()


def test_thousands_of_connections_that_say_nothing_leave_room_for_others(still: Process) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = min(IDLE, hard // 2 - 200)
    idle: list[socket.socket] = []
    try:
        for _ in range(count):
            idle.append(socket.create_connection(still.address, 20))  # noqa: PERF401
        with Connection(still.address) as link:
            assert link.ask(request(b"POST", b"/ListImages", b"{}")).status == 200
    finally:
        for one in idle:
            one.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize(
    "headers",
    [
        {"host": b"evil.example"},
        {"host": b"evil.example:5005"},
        {"origin": b"https://evil.example"},
        {"origin": b"null"},
        {"sec_fetch_site": b"cross-site"},
    ],
    ids=[
        "DNS rebinding",
        "DNS rebinding with a port",
        "another origin",
        "a sandboxed page",
        "a form or a picture",
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        (b"POST", b"/moto-api/reset"),
        (b"GET", b"/moto-api/data.json"),
        (b"POST", b"/_imagebuilder/control"),
        (b"GET", b"/_imagebuilder/records"),
        (b"POST", b"/ListImages"),
        (b"OPTIONS", b"/ListImages"),
    ],
)
def test_a_web_page_gets_nothing(
    server: Process, method: bytes, path: bytes, headers: dict[str, Any]
) -> None:
    with Connection(server.address) as link:
        reply = link.ask(request(method, path, b'{"reset": true}', **headers), fresh=True)
    assert (reply.status, reply.document["__type"]) == (403, "AccessDenied")
    assert not [name for name in reply.headers if name.startswith("access-control")]


def test_a_form_of_a_page_cannot_reach_the_control_plane(server: Process) -> None:
    kinds = (b"application/x-www-form-urlencoded", b"text/plain", b"multipart/form-data")
    with Connection(server.address) as link:
        for kind in kinds:
            form = request(b"POST", b"/_imagebuilder/control", b'{"reset": true}', content_type=kind)
            assert link.ask(form).status == 415


def test_motos_permission_for_every_page_is_off(server: Process) -> None:
    with Connection(server.address) as link:
        reply = link.ask(request(b"GET", b"/moto-api/", authorization=b"", content_length=b""))
    assert reply.status == 200
    assert not [name for name in reply.headers if name.startswith("access-control")]
