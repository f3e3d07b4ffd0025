"""The watcher's numbers, for Airflow's metrics system (StatsD, Datadog, OpenTelemetry)."""

from __future__ import annotations

from datetime import timedelta

from airflow_imagebuilder.compat import metrics

PREFIX = "imagebuilder."


class AirflowMetrics:
    """
    The metrics of one watcher: :class:`airflow_imagebuilder.service.watcher.reporting.Metrics` on Airflow.

    Counters ``imagebuilder.calls``, ``.calls_throttled``, ``.calls_failed``; gauges ``.images``, ``.waits``,
    ``.calls_per_second``; timing ``.lag``: from the time at which a poll was due to its answer.
    With ``[imagebuilder] queue_url`` also counters ``.messages``, ``.messages_foreign``,
    ``.messages_malformed``, ``.hints``, ``.ends_unheard``, ``.queue_errors``: see
    :class:`airflow_imagebuilder.service.events.listener.Listener`.

    :param tags: tags of each metric, such as connection and region; a tag without a value is left out.
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
