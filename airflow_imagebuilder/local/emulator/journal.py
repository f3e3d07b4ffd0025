"""The journal behind ``--state``: every call that changes something, in order, replayed on the next start.

The engine is deterministic: its seed, the scenario, the calls and their real moments give the same state,
with the same ids. So nothing but those is kept, and a line is written before the call is answered: what a
client was told is there after a ``kill -9``. Virtual time goes on while the service is down, as on AWS.

Faults and call counts are not kept; they belong to a process.
"""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FORMAT = 1


class JournalError(RuntimeError):
    """A state file that this version cannot go on from."""


class Moments:
    """Real time that can be held still, so that a call sees one moment, and sees it again in a replay."""

    def __init__(self) -> None:
        self._held: float | None = None
        self._last = 0.0

    def __call__(self) -> float:
        """Real seconds since the epoch; never less than before, not even in an earlier process."""
        if self._held is not None:
            return self._held
        self._last = max(self._last, time.time())
        return self._last

    def hold(self, moment: float | None = None) -> float:
        """Hold time still, at a moment of the journal or now."""
        self._held = None if moment is None else moment
        self._held = self()
        self._last = max(self._last, self._held)
        return self._held

    def release(self) -> None:
        """Let time go on."""
        self._held = None


class Journal:
    """A file of JSON lines; the first tells what the service was started with.

    :param path: the file; made if it is not there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def read(self) -> Iterator[dict[str, Any]]:
        """The lines of an earlier life.

        :raises JournalError: for a file that is none of ours.
        """
        if not self._path.exists():
            return
        # A line that the machine's crash cut short was never answered.
        lines = [line for line in self._path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
        for index, line in enumerate(lines):
            try:
                entry = json.loads(line)
            except ValueError as error:
                raise JournalError(f"{self._path}:{index + 1}: not a line of a journal: {error}") from error
            if index == 0 and entry.get("journal") != FORMAT:
                raise JournalError(
                    f"{self._path}: not a journal of format {FORMAT}; remove the file to start afresh"
                )
            yield entry

    def open(self, header: dict[str, Any] | None = None) -> None:
        """Begin to write.

        :param header: what a new journal begins with; an old one is gone. None goes on with the old one.
        """
        self.close()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if header is None:
            self._trim()
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | (os.O_TRUNC if header is not None else 0)
        self._file = os.open(self._path, flags, 0o600)
        if header is not None:
            self.write({"journal": FORMAT, **header})

    def _trim(self) -> None:
        content = self._path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            os.truncate(self._path, whole)

    def write(self, entry: dict[str, Any]) -> None:
        """Add a line; it survives this process from here on."""
        if self._file is not None:
            os.write(self._file, json.dumps(entry, separators=(",", ":")).encode() + b"\n")

    def close(self) -> None:
        """Stop to write."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
