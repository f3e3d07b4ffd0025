"""
Check dashboard, alerts and mapping against real servers: an Airflow that bakes, statsd_exporter, Prometheus.

``python docs/monitoring/check.py --statsd-exporter PATH`` needs the Python package ``statsd`` beside Airflow,
and ``prometheus`` in the PATH. It takes some minutes, runs each query of the dashboard and of the alerts,
prints how many series each returned, and exits with 1 if one of the dashboard returned none.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from airflow_imagebuilder.local.stack.airflow import AirflowStack  # noqa: TID251 (it starts real servers)
from airflow_imagebuilder.local.stack.environment import free_port  # noqa: TID251
from airflow_imagebuilder.local.stack.image_builder import LocalService  # noqa: TID251

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
DAG = "golden_image"
PATTERN = (ROOT / "docs/how-to/events/event-pattern.json").read_text("utf-8")
FOREIGN = '{"source": "another.service", "detail-type": "another event"}'
VARIABLES = {"$aws_conn_id": ".*", "$region": ".*", "$__rate_interval": "1m"}


def main() -> int:
    """Run everything; return the exit code."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--statsd-exporter", default="statsd_exporter", help="its program (%(default)s)")
    options.add_argument("--prometheus", default="prometheus", help="its program (%(default)s)")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        home = Path(folder)
        statsd, exported, port = free_port(), free_port(), free_port()
        _write_configuration(home, exported)
        command = [
            given.statsd_exporter,
            f"--statsd.listen-udp=127.0.0.1:{statsd}",
            "--statsd.listen-tcp=",
            f"--web.listen-address=127.0.0.1:{exported}",
            f"--statsd.mapping-config={FOLDER / 'statsd-mapping.yaml'}",
        ]
        stack.enter_context(_process(command, home / "statsd_exporter.log"))
        command = [
            given.prometheus,
            f"--config.file={home / 'prometheus.yml'}",
            f"--storage.tsdb.path={home / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        stack.enter_context(_process(command, home / "prometheus.log"))
        service = stack.enter_context(LocalService(speed=60, home=home / "imagebuilder"))
        queue = _queue(service)
        settings = {
            **service.env,
            "AIRFLOW__METRICS__STATSD_ON": "True",
            "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
            "AIRFLOW__METRICS__STATSD_PORT": str(statsd),
            "AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED": "True",
            "AIRFLOW__IMAGEBUILDER__POLL_INTERVAL": "1",
            "AIRFLOW__IMAGEBUILDER__QUEUE_URL": queue,
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        }
        airflow = stack.enter_context(AirflowStack(home / "airflow", ROOT / "dags", settings))
        _bake(airflow, service, queue)
        return _report(f"http://127.0.0.1:{port}")


def _bake(airflow: AirflowStack, service: LocalService, queue: str) -> None:
    """Bake three images: one that is announced, one that is not, and one that outlives its queue."""
    api, sqs = airflow.api, service.client("sqs")
    api.wait_for_dag(DAG)
    first = api.trigger(DAG, {})
    _say("first image, announced by the queue:", api.wait_for_run(DAG, first, 300)["state"])
    service.client("events").remove_targets(Rule="imagebuilder-ends", Ids=["queue"])
    faults = [
        {"operation": "GetImage", "code": "CallRateLimitExceededException", "rate": 0.1},
        {"operation": "GetImage", "status": 503, "code": "ServiceUnavailableException", "rate": 0.1},
    ]
    service.control(faults=faults)
    second = api.trigger(DAG, {})
    _until(lambda: [one["status"] for one in service.records()["images"]].count("BUILDING") == 1, 120)
    service.control(durations={"build": 12000})  # of the third image alone: the second one has begun to build
    third = api.trigger(DAG, {})
    _say("second image, not announced:", api.wait_for_run(DAG, second, 300)["state"])
    service.control(faults=[])
    for body in (FOREIGN, "{"):
        sqs.send_message(QueueUrl=queue, MessageBody=body)
    _until(lambda: False, 75, fails=False)  # an event may be a minute late before it counts as missing
    sqs.send_message(QueueUrl=queue, MessageBody=FOREIGN)
    _until(lambda: False, 15, fails=False)
    sqs.delete_queue(QueueUrl=queue)
    _say("third image, whose queue was deleted:", api.wait_for_run(DAG, third, 400)["state"])
    _until(lambda: False, 20, fails=False)  # the last numbers are scraped


def _queue(service: LocalService) -> str:
    sqs, events = service.client("sqs"), service.client("events")
    url: str = sqs.create_queue(QueueName="imagebuilder-monitoring")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="imagebuilder-ends", EventPattern=PATTERN)
    events.put_targets(Rule="imagebuilder-ends", Targets=[{"Id": "queue", "Arn": arn}])
    return url


def _report(prometheus: str) -> int:
    """Run each query over the time of the bakes, print what it returned, and return the exit code."""
    dashboard = json.loads((FOLDER / "grafana-dashboard.json").read_text("utf-8"))
    empty = 0
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            series = _series(prometheus, target["expr"])
            empty += not series
            _say(f"{len(series):3} series  {panel['title']} ({target['refId']})")
    for group in yaml.safe_load((FOLDER / "alerts.yaml").read_text("utf-8"))["groups"]:
        for rule in group["rules"]:
            _say(f"{len(_series(prometheus, rule['expr'])):3} series  alert {rule['alert']} (0: silent)")
    names = _get(prometheus, "label/__name__/values", {})
    _say("metrics:", *(name for name in names if name.startswith("airflow_imagebuilder_")))
    _say(len([name for name in names if name.startswith("airflow_")]), "metrics of Airflow in all")
    return 1 if empty else 0


def _series(prometheus: str, query: str) -> list[Any]:
    for name, value in VARIABLES.items():
        query = query.replace(name, value)
    now = time.time()
    found = _get(prometheus, "query_range", {"query": query, "start": now - 900, "end": now, "step": 5})
    return list(found["result"])


def _get(prometheus: str, path: str, parameters: dict[str, Any]) -> Any:
    address = f"{prometheus}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
    with urllib.request.urlopen(address, timeout=10) as answer:  # noqa: S310 (on this machine)
        return json.load(answer)["data"]


def _write_configuration(home: Path, exported: int) -> None:
    job = {"job_name": "airflow", "static_configs": [{"targets": [f"127.0.0.1:{exported}"]}]}
    configuration = {
        "global": {"scrape_interval": "2s", "evaluation_interval": "5s"},
        "rule_files": [str(FOLDER / "alerts.yaml")],
        "scrape_configs": [job],
    }
    (home / "prometheus.yml").write_text(yaml.safe_dump(configuration), "utf-8")


@contextlib.contextmanager
def _process(command: list[str], log: Path) -> Iterator[None]:
    program = shutil.which(command[0])
    if program is None:
        sys.exit(f"{command[0]} is missing")
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen([program, *command[1:]], stdout=output, stderr=output)  # noqa: S603
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


def _until(reached: Callable[[], bool], seconds: float, *, fails: bool = True) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > deadline:
            if fails:
                sys.exit(f"not reached within {seconds} s")
            return
        time.sleep(0.5)


def _say(*parts: object) -> None:
    sys.stdout.write(" ".join(map(str, parts)) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
