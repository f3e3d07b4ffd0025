"""What starts a real Airflow: what listens where, who may log in, and that nothing stays behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import httpx
import psutil
import pytest

from airflow_imagebuilder.local.stack.airflow import COMPONENTS, AirflowStack
from airflow_imagebuilder.local.stack.airflow_client import AirflowApi, AirflowApiError
from airflow_imagebuilder.local.stack.base import StackError
from airflow_imagebuilder.local.stack.environment import api_server_environment, clean_environment
from airflow_imagebuilder.local.stack.image_builder import LocalService
from airflow_imagebuilder.local.stack.processes import ServerProcess, session_members, stop_all
from tests.support.commands import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import RunDag

pytestmark = pytest.mark.integration

# A server that does not care for SIGTERM, with a child in a process group of its own, as a running task is.
STUBBORN = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setpgid(0, 0)
print("up", flush=True)
time.sleep(600)
"""


@pytest.fixture
def stubborn(tmp_path: Path) -> ServerProcess:
    process = ServerProcess(
        "stubborn", [sys.executable, "-c", STUBBORN], env=clean_environment(), log=tmp_path / "stubborn.log"
    )
    until(lambda: process.output.count("up") == 2)
    return process


def test_stopping_kills_a_server_that_ignores_sigterm_and_its_child_in_another_group(
    stubborn: ServerProcess,
) -> None:
    assert len(session_members(stubborn.pid)) == 2
    stop_all([stubborn], grace=0.2)
    assert session_members(stubborn.pid) == []
    assert stubborn.returncode == -signal.SIGKILL


def test_stopping_leaves_other_processes_alone(stubborn: ServerProcess, tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]
    other = ServerProcess("other", command, env=clean_environment(), log=tmp_path / "other.log")
    stop_all([stubborn], grace=0)
    assert other.returncode is None
    stop_all([other])
    assert other.returncode == -signal.SIGTERM


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP], ids=lambda s: s.name)
def test_servers_stop_when_their_owner_is_killed(sent: signal.Signals, tmp_path: Path) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert owner.stdout is not None
    service, guard = (int(pid) for pid in owner.stdout.readline().split())
    os.kill(owner.pid, sent)
    owner.communicate(timeout=20)
    until(lambda: not session_members(service) and not session_members(guard))


OWNER = textwrap.dedent(
    """
    import signal, sys, time
    from pathlib import Path
    from airflow_imagebuilder.local.stack.image_builder import LocalService
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the parent process may ignore it
    service = LocalService(home=Path(sys.argv[1])).start()
    print(service.pids["local service"], service._watchdog._popen.pid, flush=True)
    time.sleep(600)
    """
)


def test_a_stopped_set_up_can_be_stopped_again(tmp_path: Path) -> None:
    service = LocalService(home=tmp_path).start()
    service.stop()
    service.stop()
    assert service.pids == {}


def test_a_killed_local_service_comes_back_on_its_port(tmp_path: Path) -> None:
    with LocalService(home=tmp_path) as service:
        before, first = service.url, service.pids
        service.kill()
        with pytest.raises(httpx.ConnectError):
            service.records()
        service.restart()
        assert service.url == before
        assert service.pids != first
        assert service.client("imagebuilder").list_images()["imageVersionList"] == []


def test_the_error_of_a_server_that_does_not_start_has_its_log(tmp_path: Path) -> None:
    stack = AirflowStack(tmp_path, tmp_path, sql_alchemy_conn="nosuchdatabase://")
    with pytest.raises(StackError, match="nosuchdatabase"):
        stack.start()
    assert stack.pids == {}


def listening(pid: int) -> list[Any]:
    """Return the sockets on which a process listens; none if it has ended."""
    with suppress(psutil.NoSuchProcess):
        return [c for c in psutil.Process(pid).net_connections() if c.status == psutil.CONN_LISTEN]
    return []


def test_no_server_listens_to_other_machines(airflow: AirflowStack, local_service: LocalService) -> None:
    leaders = [*airflow.pids.values(), *local_service.pids.values()]
    sockets = [c for leader in leaders for pid in session_members(leader) for c in listening(pid)]
    assert {c.laddr.ip for c in sockets} == {"127.0.0.1"}
    assert {c.laddr.port for c in sockets} == {int(s.url.rsplit(":")[-1]) for s in (airflow, local_service)}


def test_the_api_wants_a_password(airflow: AirflowStack) -> None:
    assert httpx.get(f"{airflow.url}/api/v2/dags", trust_env=False).status_code == 401
    with pytest.raises(AirflowApiError, match="401"):
        AirflowApi(airflow.url, airflow.username, "wrong").import_errors()


def test_secrets_are_readable_by_their_user_only(airflow: AirflowStack) -> None:
    modes = {
        name: (airflow.home / name).stat().st_mode & 0o777 for name in ("secrets.json", "passwords.json")
    }
    assert modes == {"secrets.json": 0o600, "passwords.json": 0o600}


def test_no_setting_of_the_user_reaches_the_servers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", "aws://")
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    env = AirflowStack(tmp_path, tmp_path).env
    assert "AWS_PROFILE" not in env
    assert "AIRFLOW_CONN_AWS_DEFAULT" not in env
    assert env["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor"


def test_the_api_server_waits_for_a_lock_for_less_time_than_its_clients_wait_for_it(tmp_path: Path) -> None:
    name = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
    env = AirflowStack(tmp_path, tmp_path).env
    database, _, wait = env[name].rpartition("?timeout=")
    assert database
    its_database, _, its_wait = api_server_environment(env)[name].rpartition("?timeout=")
    assert its_database == database
    assert float(its_wait) < float(wait) / 2


def test_the_example_dags_are_read_without_an_error(api: AirflowApi) -> None:
    api.wait_for_dag("golden_image")
    assert api.import_errors() == []


def test_a_killed_component_is_reported_missing_and_can_be_restarted(
    airflow: AirflowStack, run_dag: RunDag
) -> None:
    airflow.kill("scheduler")
    assert set(airflow.pids) == set(COMPONENTS) - {"scheduler"}
    airflow.restart("scheduler")
    airflow.wait_ready()
    assert run_dag("stack_probe", {"say": "back"}).wait() == "success"


def test_the_api_shows_a_run(run_dag: RunDag) -> None:
    run = run_dag("stack_probe", {"say": "hello"})
    assert run.wait() == "success"
    assert run.states() == {"say": "success", "each[0]": "success", "each[1]": "success"}
    assert run.xcom("say") == ["hello", "hello"]
    assert run.xcom("each", map_index=1) == "HELLO"
    assert "said hello" in run.log("say")


def test_the_api_shows_the_error_of_a_failed_task(run_dag: RunDag) -> None:
    run = run_dag("stack_probe", {"say": ""})
    assert run.wait() == "failed"
    assert run.states()["each"] == "upstream_failed"
    assert "ValueError: nothing to say" in run.log("say")
