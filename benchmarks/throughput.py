"""Requests per second of the local service and of a plain moto server: one connection, one by one."""

# ruff: noqa: TID251  # the benchmarks measure against the local service

from __future__ import annotations

import http.client
import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from airflow_imagebuilder.local.stack.environment import free_port
from benchmarks.service import bench

if TYPE_CHECKING:
    from collections.abc import Iterator

HEADS = ["server", "call", "requests per second", "server CPU ms per request"]
REQUESTS = 2000
MANY = 10_000
Call = tuple[str, str, bytes]
REGIONS: Call = ("POST", "/", b"Action=DescribeRegions&Version=2016-11-15")


def rows(home: Path) -> list[list[Any]]:
    """Return the rows of a table."""
    return [*_ours(home), *_pages(home), *_moto()]


def _ours(home: Path) -> Iterator[list[Any]]:
    with bench(home) as served:
        arns = served.fill(100, life=3600)
        url, [pid] = served.service.url, served.service.pids.values()
        pages = b'{"imageVersionArn": "%s", "maxResults": 25}' % arns[0].rpartition("/")[0].encode()
        executions = b'{"imageBuildVersionArn": "%s"}' % arns[0].encode()
        calls: dict[str, Call] = {
            "GetImage": ("GET", f"/GetImage?imageBuildVersionArn={quote(arns[0], safe='')}", b""),
            "ListWorkflowExecutions": ("POST", "/ListWorkflowExecutions", executions),
            "ListImageBuildVersions, 25 builds": ("POST", "/ListImageBuildVersions", pages),
        }
        for name, call in calls.items():
            yield ["local service", name, *_hammer(url, pid, "imagebuilder", call)]
        yield ["local service, by its moto", "ec2 DescribeRegions", *_hammer(url, pid, "ec2", REGIONS)]


def _pages(home: Path) -> Iterator[list[Any]]:
    """Yield the calls that a watcher makes, with many images in the service."""
    with bench(home) as served:
        arn = served.fill(MANY, life=3600)[-1]
        url, [pid] = served.service.url, served.service.pids.values()
        version = arn.rpartition("/")[0].encode()
        calls: dict[str, Call] = {
            "GetImage": ("GET", f"/GetImage?imageBuildVersionArn={quote(arn, safe='')}", b""),
            "ListImages": ("POST", "/ListImages", b"{}"),
            "ListImageBuildVersions": ("POST", "/ListImageBuildVersions", b"{}"),
            "ListImageBuildVersions of a version": (
                "POST",
                "/ListImageBuildVersions",
                b'{"imageVersionArn": "%s"}' % version,
            ),
            "ListImagePipelines": ("POST", "/ListImagePipelines", b"{}"),
        }
        for name, call in calls.items():
            yield ["local service", f"{name}, {MANY:,} images", *_hammer(url, pid, "imagebuilder", call)]


def _moto() -> Iterator[list[Any]]:
    with _moto_server() as (url, pid):
        yield ["moto server", "ec2 DescribeRegions", *_hammer(url, pid, "ec2", REGIONS)]


@contextmanager
def _moto_server() -> Iterator[tuple[str, int]]:
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        try:
            while not re.search("Running on", line := server.stderr.readline()):
                if not line:
                    raise RuntimeError("moto did not start")
            with subprocess.Popen(["cat"], stdin=server.stderr, stdout=subprocess.DEVNULL):
                yield f"http://127.0.0.1:{port}", server.pid
                server.terminate()
        finally:
            server.terminate()


def _hammer(url: str, pid: int, service: str, call: Call) -> list[float]:
    """Return requests per second, and CPU milliseconds of the server per request."""
    method, path, body = call
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port or 0, timeout=30)
    scope = f"local/20261124/us-east-1/{service}/aws4_request"
    headers = {
        "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
        "X-Amz-Date": "20261124T000000Z",
        "Content-Type": "application/json"
        if service == "imagebuilder"
        else "application/x-www-form-urlencoded",
    }

    def request() -> None:
        connection.request(method, path, body=body, headers=headers)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200, answer.status

    for _ in range(50):
        request()
    began, spent = time.perf_counter(), _cpu(pid)
    for _ in range(REQUESTS):
        request()
    return [REQUESTS / (time.perf_counter() - began), (_cpu(pid) - spent) / REQUESTS * 1000]


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
