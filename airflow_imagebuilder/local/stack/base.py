"""What every local set-up shares: servers in one folder, ended together on leaving the ``with`` block."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

from airflow_imagebuilder.local.stack.processes import GRACE, ServerProcess, stop_all, uninterrupted
from airflow_imagebuilder.local.stack.watchdog import Watchdog

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from typing_extensions import Self


class StackError(RuntimeError):
    """A server did not start, or ended on its own; the message holds the end of its log."""


class Stack:
    """What both kinds of set-up share: servers under one guard, ended on leaving the ``with`` block."""

    def __init__(self, home: Path, start_seconds: float) -> None:
        self.home = home.resolve()
        self.home.mkdir(parents=True, exist_ok=True)
        self._start_seconds = start_seconds
        self._processes: dict[str, ServerProcess] = {}
        self._guard: Watchdog | None = None

    def start(self, *, wait: bool = True) -> Self:
        """Start the servers.

        :param wait: wait until they are ready; else ``wait_ready`` is left to the caller.
        :raises StackError: one ended at once, or was not ready in time.
        """
        try:
            self._launch_all()
            if wait:
                self.wait_ready()
        except BaseException:  # whatever ends the start, Ctrl-C too, nothing may be left running
            self.stop()
            raise
        return self

    def _launch_all(self) -> None:
        raise NotImplementedError

    def wait_ready(self) -> None:
        """Wait until everything started here is at work.

        :raises StackError: a process ended, or the time is up.
        """
        raise NotImplementedError

    def dead(self) -> str | None:
        """Tell, with the end of its log, which process ended without being asked to; None where all run."""
        process = next((p for p in self._processes.values() if p.returncode is not None), None)
        if process is None:
            return None
        return f"{process.name} ended with {process.returncode}; {process.log} ends:\n{process.tail()}"

    def stop(self, grace: float = GRACE) -> None:
        """End everything that was started here, in bounded time; nothing to do where nothing runs.

        :param grace: seconds between SIGTERM and SIGKILL.
        """
        try:
            self._end(*self._processes, grace=grace)
        finally:
            if self._guard is not None:
                self._guard.close()
                self._guard = None

    def suspend(self, component: str) -> None:
        """Let a process, and all that it forked, stand still (SIGSTOP) until :meth:`resume`."""
        self._processes[component].signal(signal.SIGSTOP)

    def resume(self, component: str) -> None:
        """Let a suspended process run again (SIGCONT)."""
        self._processes[component].signal(signal.SIGCONT)

    @property
    def pids(self) -> dict[str, int]:
        """The process ids by component."""
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
            self._guard = self._guard or Watchdog()
            process = self._processes[component] = ServerProcess(component, command, env=env, log=log)
            self._guard.watch(process)
        return process

    def _end(self, *components: str, grace: float = GRACE) -> None:
        """End components; those that do not run are passed over."""
        chosen = [self._processes.pop(name) for name in components if name in self._processes]
        try:
            stop_all(chosen, grace)
        finally:
            if self._guard is not None:
                for process in chosen:
                    self._guard.release(process)

    def _await(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + self._start_seconds
        while not condition():
            if (dead := self.dead()) is not None:
                raise StackError(dead)
            if time.monotonic() > deadline:
                raise StackError(
                    f"{what} after {self._start_seconds:.0f} s; see the logs in {self.home}/logs"
                )
            time.sleep(0.1)

    def __enter__(self) -> Self:
        return self if self.pids else self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
