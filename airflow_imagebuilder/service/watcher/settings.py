"""How images are watched: intervals, rates and limits."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class WatchSettings:
    """
    How a watcher looks.

    :param poll_interval: seconds between two looks at an image; a wait ends at most so long after the truth.
    :param max_calls_per_second: how many calls all watchers of a process with this setting make together.
    :param first_look: seconds that a wait lasts at least: Airflow's scheduler can fail a task that resumes
        within its first seconds.
    :param call_timeout: seconds after which one call is given up.
    :param max_connections: calls in flight at once.
    :param grace: seconds for which "forbidden", "not found", missing credentials, an answer of a wrong shape
        or any other error that is not transient is tolerated before the waits get it.
    """

    poll_interval: float = 30.0
    max_calls_per_second: float = 10.0
    first_look: float = 5.0
    call_timeout: float = 20.0
    max_connections: int = 10
    grace: float = 30.0

    def __post_init__(self) -> None:
        for name in ("poll_interval", "max_calls_per_second", "call_timeout", "max_connections"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)!r}")
        for name in ("first_look", "grace"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must be at least 0, got {getattr(self, name)!r}")
