"""What the shared poll tells Airflow's metrics system (StatsD, Datadog, OpenTelemetry)."""

from __future__ import annotations

from datetime import timedelta

from airflow.observability import stats

PREFIX = "imagebuilder."


class AirflowMetrics:
    """
    Numbers of one watcher, for :class:`airflow_imagebuilder.service.watcher.reporting.Metrics`.

    Counters ``imagebuilder.calls``, ``.calls_throttled``, ``.calls_failed``; gauges ``.images``, ``.waits``,
    ``.calls_per_second``; timing ``.lag``: from when a look was due to its answer.

    :param tags: tell watchers of different connections and regions apart.
    """

    def __init__(self, **tags: str | None) -> None:
        self._tags = {name: value for name, value in tags.items() if value}

    def incr(self, name: str, count: int) -> None:
        """Add to a counter."""
        stats.incr(PREFIX + name, count, tags=self._tags)

    def gauge(self, name: str, value: float) -> None:
        """Set a gauge."""
        stats.gauge(PREFIX + name, value, tags=self._tags)

    def timing(self, name: str, seconds: float) -> None:
        """Note a duration."""
        stats.timing(PREFIX + name, timedelta(seconds=seconds), tags=self._tags)
