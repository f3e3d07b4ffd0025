"""How images are watched: intervals, rates and limits."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class WatchSettings:
    """
    How a watcher polls.

    :param poll_interval: seconds between two polls of an image, above 0 (default 30). A wait ends at most one
        interval after its image.
    :param max_calls_per_second: calls per second that all watchers of a process with this value make
        together, above 0 (default 10).
    :param first_look: minimum seconds that a wait lasts, and before the image's first poll (default 5).
        Airflow's scheduler can fail a task that resumes within its first seconds.
    :param call_timeout: seconds after which one call is given up, above 0 (default 20).
    :param max_connections: calls in flight at once, above 0 (default 10).
    :param grace: seconds for which a wait tolerates an error that is not transient (default 30): forbidden,
        not found, missing credentials, an answer of the wrong shape and others. 0 tolerates none.
    :raises ValueError: a value is out of its range.
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
