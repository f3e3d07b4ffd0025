"""``control`` against a running service: each command does what it prints, and refuses in one line."""

from __future__ import annotations

import http.server
import shlex
import socket
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from airflow_imagebuilder.local.control import command_line
from tests.support.commands import completed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.process import Process

pytestmark = pytest.mark.integration

COMMANDS = (
    "fail",
    "throttle",
    "fault",
    "speed",
    "advance",
    "findings",
    "apply",
    "clear",
    "reset",
    "expire-credentials",
    "health",
    "records",
)


class Terminal:
    """Runs commands against one service."""

    def __init__(self, server: Process, capsys: pytest.CaptureFixture[str]) -> None:
        self.server, self._capsys = server, capsys

    def __call__(self, line: str) -> str:
        """Run a command that succeeds, and return what it prints."""
        assert command_line.main([*shlex.split(line), "--url", self.server.url]) == 0
        return self._capsys.readouterr().out.strip()

    def refused(self, line: str) -> str:
        """Run a command that is refused, and return its one line."""
        assert command_line.main(["--url", self.server.url, *shlex.split(line)]) == 1
        printed = self._capsys.readouterr()
        assert printed.out == ""
        assert printed.err.count("\n") == 1
        return printed.err.strip()


@pytest.fixture
def control(server: Process, capsys: pytest.CaptureFixture[str]) -> Iterator[Terminal]:
    yield Terminal(server, capsys)
    server.control(clear_faults=True, clear_failures=True, speed=600)


def test_throttled_calls_are_answered_as_aws_does(control: Terminal) -> None:
    assert control("throttle GetImage ListImages --times 3").splitlines() == [
        "Added: GetImage: 3 calls: CallRateLimitExceededException",
        "Added: ListImages: 3 calls: CallRateLimitExceededException",
    ]
    client = control.server.client()
    with pytest.raises(client.exceptions.CallRateLimitExceededException, match="Rate exceeded"):
        client.list_images()
    assert "ListImages: 3 calls: CallRateLimitExceededException; has hit 1" in control("records")


def test_a_fault_has_every_option_of_a_scenario(control: Terminal) -> None:
    control(
        "fault GetImage --kind delay --seconds 2 --times 3 --skip 1 "
        "--rate 0.5 --start 1 --lasts 9 --performed"
    )
    (fault,) = control.server.records()["faults"]
    wanted = {"kind": "delay", "seconds": 2.0, "times": 3, "skip": 1, "rate": 0.5, "start": 1.0, "lasts": 9.0}
    assert {**fault, **wanted, "operation": "GetImage", "performed": True} == fault


def test_a_failure_is_added_and_a_clear_removes_it(control: Terminal) -> None:
    assert control('fail --workflow boot --times 1 --message "no capacity"') == (
        "Added: workflow boot fails once"
    )
    control("fail --component later-one --phase build --later --per image --times 2 --rollback")
    assert control("clear") == "Removed: all failures and faults"
    assert control("clear faults") == "Removed: all faults"


def test_the_clock_is_set_and_moved(control: Terminal) -> None:
    assert control("speed 0").endswith("the clock moves by hand: control advance")
    before = control("health").partition("virtual time ")[2][:20]
    control("advance 86400")
    assert control("health").partition("virtual time ")[2][:20] > before
    assert control.server.control()["speed"] == 0


def test_a_scenario_is_applied_by_its_name_and_by_its_path(control: Terminal, tmp_path: Path) -> None:
    assert control("apply throttled-afternoon") == "Added: throttled-afternoon.yaml (faults)"
    assert len(control.server.records()["faults"]) == 5
    mine = tmp_path / "mine.yaml"
    mine.write_text("seed: 7\nworkflows: {boot: 90}\n")
    assert control(f"apply {mine}") == (
        "Added: mine.yaml (workflows); its seed counts at the start of a service alone, so it is left out"
    )


def test_findings_and_credentials_are_set(control: Terminal) -> None:
    assert control("findings high=2 critical=1") == "A scan finds: 2 high, 1 critical"
    assert control("expire-credentials") == "The credentials of all sessions have expired"


def test_a_reset_makes_a_new_service(control: Terminal) -> None:
    control("throttle GetImage")
    assert control("reset").startswith("A new service. virtual time ")
    assert control.server.records()["faults"] == []
    assert '"faults": []' in control("records --json")


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("fail --workflow bot", "failures[0].workflow: 'bot': no such workflow; there are, e.g.: boot"),
        ("fail", "failures[0]: nothing fails; give workflow, step, component or region"),
        ("throttle GetImag", "'GetImag' is not an operation of Image Builder; e.g. GetImage"),
        ("fault GetImage --kind flood", "faults[0].kind: 'flood'; allowed: error, reset"),
        ("advance -5", "advance: -5.0 is not a number from 0"),
        ("findings worst=1", "findings: unknown key 'worst'; allowed: critical, high"),
        ("apply nothing", "nothing: No such file. Give a YAML file, or a name: failing-region, failing-test"),
        ("clear all", "clear all: there are failures, faults"),
    ],
)
def test_a_refusal_is_one_line_with_what_is_allowed(control: Terminal, line: str, text: str) -> None:
    refusal = control.refused(line)
    assert refusal.startswith("airflow_imagebuilder.local control: ")
    assert text in refusal


def test_where_nothing_answers_one_line_says_what_to_start(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert command_line.main(["health"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "no local Image Builder answers on http://127.0.0.1:1" in line
    assert "python -m airflow_imagebuilder.local;" in line
    assert command_line.main(["--url", "localhost", "health"]) == 1
    assert "--url localhost: not an address; e.g. http://127.0.0.1:5005" in capsys.readouterr().err


@pytest.mark.parametrize(
    "url",
    ["http://[::1", "http://127.0.0.1:port", "http://127.0.0.1:99999", "http://", "http://127.0.0.1/a b"],
)
def test_what_has_no_host_or_port_is_refused_in_one_line(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command_line.main(["--url", url, "health"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(": not an address; e.g. http://127.0.0.1:5005")


@pytest.mark.parametrize(
    "answer",
    [b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", b"HTTP/1.1 200 OK\r\n\r\n{}"],
    ids=["another protocol", "half an answer", "another JSON"],
)
def test_another_protocol_is_recognised(answer: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    def serve() -> None:
        with other.accept()[0] as connection:
            connection.recv(4096)
            connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as other:
        threading.Thread(target=serve, daemon=True).start()
        assert command_line.main(["health", "--url", f"http://127.0.0.1:{other.getsockname()[1]}"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("is not a local Image Builder")


class _Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>")

    def log_message(self, *_: object) -> None: ...


def test_another_server_is_recognised(capsys: pytest.CaptureFixture[str]) -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), _Page) as other:
        threading.Thread(target=other.handle_request, daemon=True).start()
        assert command_line.main(["health", "--url", f"http://127.0.0.1:{other.server_port}"]) == 1
    assert "is not a local Image Builder" in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_each_command_has_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command_line.main([command, "--help"])
    assert ended.value.code == 0
    assert f"example:\n  {command_line.PROGRAM} {command}" in capsys.readouterr().out


def test_the_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command_line.main(["--help"])
    listed = capsys.readouterr().out
    assert all(f"\n    {command}" in listed for command in COMMANDS)


def test_a_reader_that_has_enough_ends_the_command_without_a_traceback(server: Process) -> None:
    code = (
        "import os, sys; from airflow_imagebuilder.local.__main__ import main\n"
        "reader, writer = os.pipe(); os.close(reader); os.dup2(writer, 1)\n"
        f"code = main(['control', 'health', '--url', '{server.url}'])\n"
        "sys.stdout.flush(); sys.exit(code)"
    )
    done = completed([sys.executable, "-c", code], seconds=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_command_needs_nothing_heavy(server: Process) -> None:
    code = (
        "import sys; from airflow_imagebuilder.local.__main__ import main\n"
        f"code = main(['control', 'health', '--url', '{server.url}'])\n"
        "heavy = {'moto', 'botocore', 'uvicorn', 'yaml', 'httpx', 'rich', 'airflow'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else code)"
    )
    done = completed([sys.executable, "-c", code], seconds=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert "virtual time" in done.stdout
