"""The watcher's numbers, for Airflow's metrics system (StatsD, Datadog, OpenTelemetry)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from airflow_imagebuilder.compat import metrics

PREFIX = "imagebuilder."


@dataclass(frozen=True)
class Metric:
    """
    One metric.

    :param name: its name behind :data:`PREFIX`.
    :param kind: ``counter``, ``gauge`` or ``timing``, as StatsD calls them.
    :param unit: what one is.
    :param meaning: what it says, and when it is sent.
    :param normal: what it is while all is well.
    """

    name: str
    kind: str
    unit: str
    meaning: str
    normal: str


LABELS = {
    "aws_conn_id": "the Airflow connection; left out where a task uses boto3's own credentials",
    "region": "the region that the task names; left out where the region is that of the connection",
}
"""The labels (tags) of each metric, and when one is left out."""

METRICS = (
    Metric(
        "calls",
        "counter",
        "calls",
        "Calls to Image Builder, every attempt, of all waits together.",
        "one call per image and interval; at most the limit",
    ),
    Metric(
        "calls_throttled",
        "counter",
        "calls",
        "Calls that AWS answered with a throttling error. They are repeated, and all polls slow down.",
        "0; some while many builds start",
    ),
    Metric(
        "calls_failed",
        "counter",
        "calls",
        "Calls without an answer, or with an error of AWS that may pass (5xx, expired credentials). "
        "They are repeated.",
        "0",
    ),
    Metric("images", "gauge", "images", "Images that this triggerer polls.", "the builds in progress"),
    Metric(
        "waits",
        "gauge",
        "waits",
        "Waits for these images: operators, sensors, monitors.",
        "1 per operator, at most 1 + 5 per task group",
    ),
    Metric(
        "calls_per_second",
        "gauge",
        "calls per second",
        "The rate at which AWS accepts calls at present. It falls when AWS throttles, and rises again.",
        "the limit of the configuration",
    ),
    Metric(
        "lag",
        "timing",
        "seconds",
        "The longest time from the moment when a poll was due to its answer, since the last report.",
        "below 1 s; the time of one call",
    ),
    Metric(
        "messages",
        "counter",
        "messages",
        "Messages read from the queue of queue_url.",
        "1 per end of an image",
    ),
    Metric(
        "messages_foreign",
        "counter",
        "messages",
        "Messages of the queue that are not about images. They are deleted.",
        "0",
    ),
    Metric(
        "messages_malformed",
        "counter",
        "messages",
        "Messages of the queue that cannot be read. They are left to its redrive policy.",
        "0",
    ),
    Metric(
        "hints",
        "counter",
        "events",
        "Events of the queue about the end of an image that a task waits for. AWS is asked at once.",
        "1 per image that ends",
    ),
    Metric(
        "ends_unheard",
        "counter",
        "images",
        "Images whose end a poll found, and no event of the queue announced.",
        "0",
    ),
    Metric(
        "queue_errors",
        "counter",
        "errors",
        "Failed attempts to read the queue. Images are polled meanwhile.",
        "0",
    ),
)
"""Every metric of this package. Those from ``messages`` on exist only with ``[imagebuilder] queue_url``."""


class AirflowMetrics:
    """
    The metrics of one watcher: :class:`airflow_imagebuilder.service.watcher.reporting.Metrics` on Airflow.

    :data:`METRICS` lists them. A triggerer with a wait sends them every ten seconds; a wait on a worker does,
    too.

    :param tags: tags of each metric, :data:`LABELS`; a tag without a value is left out.
    """

    def __init__(self, **tags: str | None) -> None:
        self._tags = {name: value for name, value in tags.items() if value}

    def incr(self, name: str, count: int) -> None:
        """Add to a counter."""
        metrics().incr(PREFIX + name, count, tags=self._tags)

    def gauge(self, name: str, value: float) -> None:
        """Set a gauge."""
        metrics().gauge(PREFIX + name, value, tags=self._tags)

    def timing(self, name: str, seconds: float) -> None:
        """Record a duration in seconds."""
        metrics().timing(PREFIX + name, timedelta(seconds=seconds), tags=self._tags)
