"""The state file of a service as a process: a full disk, a second service, a restart."""

from __future__ import annotations

import resource
import sys
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from tests.support.bench import image_request
from tests.support.commands import completed
from tests.support.process import Process

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration


def test_a_full_disk_refuses_the_call_and_loses_nothing(tmp_path: Path) -> None:
    state = tmp_path / "state.jsonl"
    process = Process("--speed", "0", "--state", str(state))
    with process:
        client = process.client()
        kept = client.create_image(**image_request(), clientToken="kept")["imageBuildVersionArn"]
        # The file must not grow any more, as on a disk without room.
        size = state.stat().st_size
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size + 50, resource.RLIM_INFINITY))
        for number in range(3):
            with pytest.raises(ClientError, match="ServiceUnavailableException"):
                client.create_image(**image_request(), clientToken=f"full-{number}")
        assert "error" in process.control(advance=1)
        assert [image["arn"] for image in process.records()["images"]] == [kept]
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        later = client.create_image(**image_request(), clientToken="later")["imageBuildVersionArn"]
        process.kill()
    with process:
        assert [image["arn"] for image in process.records()["images"]] == [kept, later]


def test_a_second_service_on_one_file_ends_with_a_message(tmp_path: Path) -> None:
    state = tmp_path / "state.jsonl"
    with Process("--state", str(state)) as process:
        command = [sys.executable, "-m", "airflow_imagebuilder.local", "--port", "0", "--state", str(state)]
        done = completed(command, seconds=60)
        assert (done.returncode, done.stdout) == (2, "")
        assert "in use by another service" in done.stderr
        process.client().create_image(**image_request())


def test_a_restart_says_what_it_did_not_keep(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = Process("--state", str(tmp_path / "state.jsonl"), log=log)
    with process:
        process.client().create_image(**image_request())
        assert "Resumed" not in log.read_text()
    with process:
        process.records()
        (line,) = [line for line in log.read_text().splitlines() if line.startswith("Resumed 1 images from ")]
    for word in ("buckets", "topics", "queues", "roles", "launch templates"):
        assert word in line
