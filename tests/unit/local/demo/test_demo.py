"""The demo on a platform of stubs: what it prints, how it fails, and that it always stops the platform."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

import pytest
from botocore.exceptions import ClientError
from rich.console import Console

from airflow_imagebuilder.local.demo.command_line import only_one, run
from airflow_imagebuilder.local.demo.compose import Docker
from airflow_imagebuilder.local.demo.demo import PLUGIN, Demo, DemoError
from airflow_imagebuilder.local.demo.display import Stages
from airflow_imagebuilder.local.scenarios import find
from airflow_imagebuilder.local.stack.base import StackError
from airflow_imagebuilder.ui.plugin import ImageBuilderPlugin

if TYPE_CHECKING:
    from airflow_imagebuilder.local.demo.demo import Platform

ARN = "arn:aws:imagebuilder:us-east-1:123456789012:image/golden/1.0.0/1"


class Api:
    """An Airflow whose only run is in one state, with one failed task."""

    def __init__(self, state: str, arns: list[str]) -> None:
        self._state = state
        self._arns = arns
        self.failed = "image"
        self.plugins: dict[str, dict[str, Any]] = {PLUGIN: {"react_apps": [{"name": "Image build"}]}}

    def plugin(self, name: str) -> dict[str, Any] | None:
        return self.plugins.get(name)

    def wait_for_dag(self, _: str) -> None: ...

    def unpause(self, _: str) -> None: ...

    def trigger(self, _: str) -> str:
        return "run-1"

    def run(self, *_: str) -> dict[str, str]:
        return {"state": self._state}

    def xcoms(self, _dag_id: str, _run_id: str, key: str) -> list[str]:
        assert key == "image_build_version_arn"
        return self._arns

    def states(self, *_: str) -> dict[str, str | None]:
        return {"image": self._state}

    def tasks(self, *_: str) -> list[dict[str, Any]]:
        return [
            {"task_id": self.failed, "state": "failed", "try_number": 2, "map_index": -1},
            {"task_id": "report", "state": "success", "try_number": 1, "map_index": -1},
        ]

    def task_log(self, _dag_id: str, _run_id: str, task_id: str, try_number: int, _map_index: int) -> str:
        return f"log of {task_id} {try_number}"


class Aws:
    """Image Builder with one finished image, and an EC2 that has the AMIs given to it."""

    def __init__(self, *amis: str, failed: str | None = None, status: str = "AVAILABLE") -> None:
        self._amis, self._failed, self._status = amis, failed, status
        self.throttled = 0

    def get_image(self, imageBuildVersionArn: str) -> dict[str, Any]:  # noqa: N803 - AWS's name
        if self.throttled:
            self.throttled -= 1
            raise ClientError({"Error": {"Code": "CallRateLimitExceededException"}}, "GetImage")
        ami = {"region": "us-east-1", "image": "ami-1", "name": "golden"}
        return {
            "image": {
                "arn": imageBuildVersionArn,
                "state": {"status": self._status},
                "outputResources": {"amis": [ami]},
            }
        }

    def get_paginator(self, _: str) -> Aws:
        return self

    def paginate(self, **_: str) -> list[dict[str, Any]]:
        execution = {
            "workflowBuildVersionArn": f"{ARN.partition(':image/')[0]}:workflow/test/{self._failed}/1.0.0/1",
            "workflowExecutionId": "wf-1",
            "type": "TEST",
            "status": "FAILED",
            "message": "PASS_MAX_DAYS is 99999",
        }
        return [{"workflowExecutions": [execution] if self._failed else []}]

    def describe_images(self, **_: Any) -> dict[str, Any]:
        return {"Images": [{"State": "available"} for _ in self._amis]}


class Servers:
    """A platform without servers; it keeps what the demo did to it."""

    url, username, password, logs = "http://servers", "admin", "secret", "the folder"

    def __init__(
        self, state: str = "success", arns: tuple[str, ...] = (ARN,), aws: Aws | None = None
    ) -> None:
        self.api = Api(state, list(arns))
        self.calls: list[str] = []
        self.death: str | None = None
        self.start_error: Exception | None = None
        self._aws = aws or Aws("ami-1")

    @property
    def airflow(self) -> Any:
        return self

    @property
    def service(self) -> Any:
        return self

    def client(self, *_: str) -> Aws:
        return self._aws

    def start(self, stages: Stages) -> None:
        self.calls.append("start")
        with stages("servers"):
            if self.start_error:
                raise self.start_error

    def dead(self) -> str | None:
        return self.death

    def stop(self) -> None:
        self.calls.append("stop")


def ran(servers: Servers, *, stay: bool = False) -> str:
    console = Console(file=io.StringIO(), width=120)
    try:
        Demo(console, cast("Platform", servers), dags=Path("dags")).run(stay=stay)
    finally:
        assert servers.calls == ["start", "stop"]
    return str(console.file.getvalue())  # type: ignore[attr-defined]


def test_a_bake_ends_with_the_image_and_its_amis_as_ec2_has_them() -> None:
    printed = ran(Servers())
    assert "Airflow on http://servers, Image Builder on http://servers" in printed
    assert "Image golden 1.0.0/1 AVAILABLE" in printed
    assert "us-east-1  ami-1  golden  available" in printed


def test_the_addresses_of_the_pages_are_printed_as_soon_as_there_is_a_run() -> None:
    printed = ran(Servers())
    assert "Image build:   http://servers/dags/golden_image/runs/run-1/plugin/image-build\n" in printed
    assert "Golden images: http://servers/plugin/golden-images\n" in printed
    assert printed.index("Image build:") < printed.index("Image golden 1.0.0/1")


@pytest.mark.parametrize("plugin", [{}, {"react_apps": []}], ids=["Airflow 3.0", "no pages in the frame"])
def test_where_airflow_has_no_pages_of_plugins_the_addresses_are_those_without_its_frame(
    plugin: dict[str, Any],
) -> None:
    servers = Servers()
    servers.api.plugins = {PLUGIN: plugin}
    printed = ran(servers)
    assert "Image build:   http://servers/imagebuilder/runs/golden_image/run-1\n" in printed
    assert "Golden images: http://servers/imagebuilder/\n" in printed


def test_without_the_plugin_no_address_is_printed() -> None:
    servers = Servers()
    servers.api.plugins = {}
    assert "Golden images" not in ran(servers)


def test_the_plugin_has_the_name_by_which_the_demo_finds_it() -> None:
    assert ImageBuilderPlugin.name == PLUGIN


def test_a_failed_run_is_reported_with_the_logs_of_its_failed_tasks_alone() -> None:
    with pytest.raises(DemoError) as caught:
        ran(Servers(state="failed"))
    assert str(caught.value) == "Dag run run-1 ended failed\n\nLog of task image, try 2:\nlog of image 2"


@pytest.mark.parametrize(
    ("status", "line", "then"),
    [
        (
            "AVAILABLE",
            "Test cis failed: PASS_MAX_DAYS is 99999",
            "AWS calls this image AVAILABLE all the same, so the new try builds another.",
        ),
        (
            "FAILED",
            "Image golden 1.0.0/1 failed in TESTING: workflow cis: PASS_MAX_DAYS is 99999",
            "The new try repairs this image from TESTING on; its build is not repeated.",
        ),
    ],
)
def test_with_stay_a_failed_image_is_shown_with_its_reason_its_page_and_its_repair(
    monkeypatch: pytest.MonkeyPatch, status: str, line: str, then: str
) -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("airflow_imagebuilder.local.demo.demo.time.sleep", interrupt)
    servers = Servers(state="failed", aws=Aws(failed="cis", status=status))
    servers.api.failed = "golden.image"
    printed = ran(servers, stay=True)
    assert f"\n{line}\n" in printed
    assert "To see why:    http://servers/dags/golden_image/runs/run-1/plugin/image-build\n" in printed
    assert f"To repair it:  clear the task group golden in Airflow, with its downstream tasks. {then}\n" in (
        printed
    )
    assert "Everything keeps running." in printed
    assert "Log of task" not in printed


def test_a_call_that_a_scenario_refuses_does_not_end_the_demo() -> None:
    aws = Aws("ami-1")
    servers = Servers(aws=aws)
    states = iter(["running", "success"])
    servers.api.run = lambda *_: {"state": next(states)}  # type: ignore[method-assign]
    aws.throttled = 1
    assert "Image golden 1.0.0/1 AVAILABLE" in ran(servers)
    assert aws.throttled == 0


def test_a_successful_run_without_an_image_is_a_failure_of_the_demo() -> None:
    with pytest.raises(DemoError, match="succeeded without an image"):
        ran(Servers(arns=()))


def test_an_ami_that_ec2_does_not_have_is_a_failure_of_the_demo() -> None:
    with pytest.raises(DemoError, match="EC2 does not have every AMI"):
        ran(Servers(aws=Aws()))


def test_a_server_that_stops_during_the_bake_is_reported() -> None:
    servers = Servers(state="running")
    servers.death = "scheduler ended with 1"
    with pytest.raises(StackError, match="scheduler ended with 1"):
        ran(servers)


def test_a_bake_that_takes_too_long_is_reported_with_the_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_imagebuilder.local.demo.demo._BAKE_SECONDS", -1)
    with pytest.raises(DemoError, match=r"still running after -1 s\n\nLog of task image"):
        ran(Servers(state="running"))


def test_a_server_that_does_not_start_stops_the_others() -> None:
    servers = Servers()
    servers.start_error = StackError("no port is free")
    with pytest.raises(StackError, match="no port is free"):
        ran(servers)


def test_with_stay_a_failed_bake_leaves_the_servers_running_until_one_stops(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    servers = Servers(state="failed")
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        servers.death = "triggerer ended with 1"

    monkeypatch.setattr("airflow_imagebuilder.local.demo.demo.time.sleep", wait)
    with pytest.raises(StackError, match="triggerer ended with 1"):
        ran(servers, stay=True)
    assert len(waits) == 1


def test_with_stay_an_interruption_ends_the_demo_well(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("airflow_imagebuilder.local.demo.demo.time.sleep", interrupt)
    printed = ran(Servers(), stay=True)
    assert "user admin, password secret" in printed
    assert "export AWS_ENDPOINT_URL=http://servers" in printed
    assert "-m airflow_imagebuilder.local control --url http://servers --help\n" in printed
    # Once when the run begins, and again with everything else that is still there at the end.
    assert printed.count("http://servers/plugin/golden-images") == 2
    assert "Everything is stopped. Logs: the folder" in printed


@pytest.mark.parametrize(("state", "code"), [("success", 0), ("failed", 1)])
def test_the_exit_code_is_0_with_an_image_and_1_without(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], state: str, code: int
) -> None:
    made: list[tuple[Path, Path, float, Path | None]] = []

    def make(*arguments: Any) -> Platform:
        made.append(arguments)
        return cast("Platform", Servers(state=state))

    given = ["--state", str(tmp_path / "here"), "--dags", str(tmp_path), "--speed", "7"]
    assert run(make, given, module="m", description=None, state=tmp_path) == code
    assert made == [(tmp_path / "here", tmp_path, 7.0, None)]
    assert ("The demo failed: Dag run run-1 ended failed" in capsys.readouterr().out) is (code == 1)


def test_a_wrong_scenario_is_refused_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def make(*_: Any) -> Platform:
        pytest.fail("something was started")

    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("failures: [{workflow: bot}]")
    assert run(make, ["--scenario", str(wrong)], module="m", description=None, state=tmp_path / "s") == 2
    (line,) = capsys.readouterr().out.splitlines()
    assert line == (
        f"m: {wrong}: failures[0].workflow: 'bot': no such workflow; there are, e.g.: boot. "
        "A workflow that a client creates later is named in 'later'."
    )
    assert not (tmp_path / "s").exists()


def test_a_scenario_that_fails_the_image_does_not_read_like_a_broken_demo(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made: list[Any] = []

    def make(*arguments: Any) -> Platform:
        made.append(arguments[-1])
        return cast("Platform", Servers(state="failed", aws=Aws(failed="cis")))

    given = ["--scenario", "failing-test", "--state", str(tmp_path)]
    assert run(make, given, module="m", description=None, state=tmp_path) == 1
    assert made == [find("failing-test")]
    *_, failed, next_step = capsys.readouterr().out.splitlines()
    assert failed == "Failed, with --scenario failing-test: Test cis failed: PASS_MAX_DAYS is 99999"
    assert next_step == "To see it in Airflow, and to repair it: make up, or --stay"


def test_an_interrupted_demo_has_the_exit_code_130(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def make(*_: Any) -> Platform:
        raise KeyboardInterrupt

    assert run(make, [], module="m", description=None, state=tmp_path) == 130
    assert "interrupted; everything is stopped" in capsys.readouterr().out


def test_a_folder_that_another_demo_uses_is_refused(tmp_path: Path) -> None:
    with (
        only_one(tmp_path / "state"),
        pytest.raises(DemoError, match=r"another demo runs in .*state; stop it"),
        only_one(tmp_path / "state"),
    ):
        pass
    with only_one(tmp_path / "state"):
        pass


def test_on_compose_the_service_gets_the_scenario_once_it_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls: list[Any] = []

    class Stack:
        """Containers that are ready at once."""

        stand_ins: ClassVar[dict[str, str]] = {}

        def __init__(self, *_: Any) -> None:
            self.service = self

        def build(self) -> None: ...

        def up(self) -> None:
            calls.append("up")

        def wait_ready(self) -> None:
            calls.append("ready")

        def containers(self) -> list[Any]:
            return []

        def control(self, **settings: Any) -> None:
            calls.append(settings)

    monkeypatch.setattr("airflow_imagebuilder.local.demo.compose.ComposeStack", Stack)
    mine = tmp_path / "mine.yaml"
    mine.write_text("seed: 7\nworkflows: {boot: 90}\n")
    stages = Stages(Console(file=io.StringIO()))
    Docker(tmp_path, tmp_path, 60, mine).start(stages)
    assert calls == ["up", "ready", {"workflows": {"boot": 90}}]
    Docker(tmp_path, tmp_path, 60).start(stages)
    assert calls[3:] == ["up", "ready"]
