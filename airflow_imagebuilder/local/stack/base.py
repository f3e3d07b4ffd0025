"""Stack: servers of one folder that start together, and stop together at the end of a ``with`` block."""

from __future__ import annotations

import signal
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from airflow_imagebuilder.local.stack.processes import GRACE, ServerProcess, stop_all, uninterrupted
from airflow_imagebuilder.local.stack.watchdog import Watchdog

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from typing_extensions import Self


class StackError(RuntimeError):
    """A server did not start, or stopped by itself; the message holds the end of its log."""


class Stack:
    """Servers under one watchdog; a context manager that starts and stops them.

    :param home: folder for their logs.
    :param start_seconds: how long they may take to start.
    """

    def __init__(self, home: Path, start_seconds: float) -> None:
        self.home = home.resolve()
        self.home.mkdir(parents=True, exist_ok=True)
        self._start_seconds = start_seconds
        self.waits_for = ""
        """What the start waits for at this moment, in words for a person; empty at its end."""
        self._processes: dict[str, ServerProcess] = {}
        self._watchdog: Watchdog | None = None

    def start(self, *, wait: bool = True) -> Self:
        """Start the servers.

        :param wait: wait until they are ready; without it, the caller calls :meth:`wait_ready`.
        :raises StackError: a server stopped at once, or was not ready in time.
        """
        # Whatever interrupts the start, Ctrl-C included, no server stays behind.
        with ExitStack() as cleanup:
            cleanup.callback(self.stop)
            self._launch_all()
            if wait:
                self.wait_ready()
            cleanup.pop_all()
        return self

    def _launch_all(self) -> None:
        raise NotImplementedError

    def wait_ready(self) -> None:
        """Wait until every server is ready.

        :raises StackError: a server stopped, or the time is up.
        """
        raise NotImplementedError

    def dead(self) -> str | None:
        """Return which process stopped by itself, with the end of its log; None if all run."""
        process = next((p for p in self._processes.values() if p.returncode is not None), None)
        if process is None:
            return None
        return f"{process.name} ended with {process.returncode}; {process.log} ends:\n{process.tail()}"

    def stop(self, grace: float = GRACE) -> None:
        """Stop everything that was started here, in bounded time; do nothing if nothing runs.

        :param grace: seconds between SIGTERM and SIGKILL.
        """
        try:
            self._end(*self._processes, grace=grace)
        finally:
            if self._watchdog is not None:
                self._watchdog.close()
                self._watchdog = None

    def suspend(self, component: str) -> None:
        """Freeze a process and everything that it forked (SIGSTOP) until :meth:`resume`."""
        self._processes[component].signal(signal.SIGSTOP)

    def resume(self, component: str) -> None:
        """Continue a suspended process (SIGCONT)."""
        self._processes[component].signal(signal.SIGCONT)

    @property
    def pids(self) -> dict[str, int]:
        """The ids of the running processes by component."""
        return {name: process.pid for name, process in self._processes.items()}

    def log(self, component: str) -> Path:
        """Return the file with a component's output."""
        return self.home / "logs" / f"{component.replace(' ', '-')}.log"

    def _launch(self, component: str, command: Sequence[str], env: Mapping[str, str]) -> ServerProcess:
        if component in self._processes:
            raise ValueError(f"{component} runs already, as process {self._processes[component].pid}")
        log = self.log(component)
        log.parent.mkdir(exist_ok=True)
        with uninterrupted():
            self._watchdog = self._watchdog or Watchdog()
            process = self._processes[component] = ServerProcess(component, command, env=env, log=log)
            self._watchdog.watch(process)
        return process

    def _end(self, *components: str, grace: float = GRACE) -> None:
        """Stop components; those that do not run are ignored."""
        running = [self._processes.pop(name) for name in components if name in self._processes]
        try:
            stop_all(running, grace)
        finally:
            if self._watchdog is not None:
                for process in running:
                    self._watchdog.release(process)

    def _await(self, condition: Callable[[], bool], problem: str) -> None:
        deadline = time.monotonic() + self._start_seconds
        while not condition():
            if (dead := self.dead()) is not None:
                raise StackError(dead)
            if time.monotonic() > deadline:
                raise StackError(
                    f"{problem} after {self._start_seconds:.0f} s; see the logs in {self.home}/logs"
                )
            time.sleep(0.1)
        self.waits_for = ""

    def __enter__(self) -> Self:
        return self if self.pids else self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
