"""The ``[imagebuilder]`` section of Airflow's configuration, read when it is needed."""

from __future__ import annotations

from datetime import timedelta

from airflow.configuration import conf

from airflow_imagebuilder.service.watcher.settings import WatchSettings

SECTION = "imagebuilder"


def watch_settings(poll_interval: timedelta | float | None = None) -> WatchSettings:
    """
    Return the settings of a watcher.

    :param poll_interval: seconds (or a timedelta) between two polls of an image; ``None`` (default) takes
        ``[imagebuilder] poll_interval``.
    :raises ValueError: a setting is out of its range.
    """
    default = WatchSettings()
    if isinstance(poll_interval, timedelta):
        poll_interval = poll_interval.total_seconds()

    def number(option: str, fallback: float) -> float:
        return float(conf.getfloat(SECTION, option, fallback=fallback))

    return WatchSettings(
        poll_interval=poll_interval or number("poll_interval", default.poll_interval),
        max_calls_per_second=number("max_calls_per_second", default.max_calls_per_second),
        first_look=number("first_look", default.first_look),
        call_timeout=number("call_timeout", default.call_timeout),
        max_connections=int(number("max_connections", default.max_connections)),
        grace=number("grace", default.grace),
    )


def queue_url() -> str:
    """Return ``[imagebuilder] queue_url``: the queue that announces the ends of images; empty by default."""
    return str(conf.get(SECTION, "queue_url", fallback=""))
