"""What docs/monitoring holds: the dashboard, the alerts and the mapping name only metrics that exist."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from airflow_imagebuilder.triggers.watch.metrics import LABELS, METRICS
from tests.support.commands import completed

DOCS = Path(__file__).parents[2] / "docs"
FOLDER = DOCS / "monitoring"
DASHBOARD: dict[str, Any] = json.loads((FOLDER / "grafana-dashboard.json").read_text("utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
ALERTS = [
    rule
    for group in yaml.safe_load((FOLDER / "alerts.yaml").read_text("utf-8"))["groups"]
    for rule in group["rules"]
]
MAPPING: dict[str, Any] = yaml.safe_load((FOLDER / "statsd-mapping.yaml").read_text("utf-8"))
PAGE = (DOCS / "monitoring.md").read_text("utf-8")

KINDS = {"counter": "counter", "gauge": "gauge", "timing": "observer"}
"""The kinds of StatsD, as the mapping calls them."""

OF_AIRFLOW = {
    "airflow_triggerer_heartbeat_total",
    "airflow_scheduler_heartbeat_total",
    "airflow_triggers_running",
    "airflow_triggers_blocked_main_thread_total",
    "airflow_triggerer_capacity_left",
    "airflow_task_duration_seconds",
    "airflow_pool_starving_tasks",
    "airflow_dag_processing_import_errors",
}
"""The metrics of Airflow that are used, by their names in Prometheus: docs/monitoring/check.py sees them."""


def mapped(name: str, kind: str) -> str:
    """Return Prometheus' name of a metric of this package, as the mapping makes it."""
    rules = [
        rule
        for rule in MAPPING["mappings"]
        if rule.get("match_type", "glob") == "glob"
        and re.fullmatch(
            rule["match"].replace(".", r"\.").replace("*", r"[^.]*"), f"airflow.imagebuilder.{name}"
        )
        and rule.get("match_metric_type", KINDS[kind]) == KINDS[kind]
    ]
    return str(rules[0]["name"]).replace("${1}", name)


OWN = {mapped(metric.name, metric.kind) for metric in METRICS}


def metrics_in(query: str) -> set[str]:
    """Return the metrics that a query of Prometheus names, without the suffixes of a summary."""
    found = re.findall(r"\bairflow_\w+", re.sub(r'"[^"]*"', "", query))
    return {re.sub(r"(_seconds)_(sum|count)$", r"\1", name) for name in found}


QUERIES = {
    **{
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in PANELS
        for target in panel["targets"]
    },
    **{rule["alert"]: rule["expr"] for rule in ALERTS},
}


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_a_query_names_only_metrics_that_exist(query: str) -> None:
    assert metrics_in(query)
    assert metrics_in(query) <= OWN | OF_AIRFLOW


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_a_query_names_only_labels_that_exist(query: str) -> None:
    labels = set(re.findall(r"(\w+)=~?\"", query))
    labels |= {name for group in re.findall(r"by \(([\w, ]+)\)", query) for name in group.split(", ")}
    assert labels <= {*LABELS, "quantile", "hostname", "dag_id", "task_id", "pool_name"}


def test_the_dashboard_shows_each_metric_of_this_package() -> None:
    shown = {name for panel in PANELS for target in panel["targets"] for name in metrics_in(target["expr"])}
    assert shown >= OWN


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_has_a_title_a_description_and_a_unit(panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


def test_no_two_panels_overlap() -> None:
    taken = set[tuple[int, int]]()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_says_what_to_do_and_is_on_the_page(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    assert rule["annotations"]["summary"].endswith(".")
    assert rule["annotations"]["description"].endswith(".")
    assert f"`{rule['alert']}`" in PAGE


def test_a_gauge_of_a_blocked_triggerer_stays_until_the_alert_for_it_has_fired() -> None:
    def minutes_of(text: str) -> int:
        return int(text.removesuffix("m"))

    (rule,) = (rule for rule in ALERTS if rule["alert"] == "ImageBuilderPollsStopped")
    (window,) = re.findall(r"\[(\w+)\]", rule["expr"])
    (kept,) = (one["ttl"] for one in MAPPING["mappings"] if one.get("match_metric_type") == "gauge")
    # No call is seen from the end of the window on.
    assert minutes_of(kept) > minutes_of(window) + minutes_of(rule["for"])


def test_each_alert_is_tested_while_all_is_well_and_for_its_reason() -> None:
    tests = yaml.safe_load((FOLDER / "alerts-test.yaml").read_text("utf-8"))["tests"]
    expected = [
        (one["alertname"], bool(one["exp_alerts"])) for test in tests for one in test["alert_rule_test"]
    ]
    names = {rule["alert"] for rule in ALERTS}
    assert {name for name, fires in expected if fires} == names
    assert {name for name, fires in expected if not fires} == names


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is in Debian's package prometheus")
@pytest.mark.parametrize(
    "arguments", [("check", "rules", "alerts.yaml"), ("test", "rules", "alerts-test.yaml")], ids=" ".join
)
def test_promtool_accepts_the_alerts_and_their_tests(arguments: tuple[str, ...]) -> None:
    done = completed(["promtool", *arguments[:2], str(FOLDER / arguments[2])], seconds=60)
    assert done.returncode == 0, done.stdout + done.stderr
