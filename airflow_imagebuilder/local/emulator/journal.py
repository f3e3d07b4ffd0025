"""Journal: the file behind ``--state``, with every call that changes something.

The service replays it at the next start. The engine is deterministic: the same seed, scenario, calls and
real moments give the same state with the same ids, so the journal keeps only those. Each line is written
before the call is answered, so an answered call survives a ``kill -9``. Virtual time passes while the service
is down, as on AWS.

Faults and call counts are not kept; they belong to one process.
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
    """The state file is not a journal, or this version cannot replay it."""


class PausableClock:
    """Real time that can be stopped, so that a call has one moment, and the same moment in a replay."""

    def __init__(self) -> None:
        self._held: float | None = None
        self._last = 0.0

    def __call__(self) -> float:
        """Return real seconds since the epoch, never less than before, not even after a restart."""
        if self._held is not None:
            return self._held
        self._last = max(self._last, time.time())
        return self._last

    def hold(self, moment: float | None = None) -> float:
        """Stop the time and return its moment.

        :param moment: a moment of the journal; now by default.
        """
        self._held = None if moment is None else moment
        self._held = self()
        self._last = max(self._last, self._held)
        return self._held

    def release(self) -> None:
        """Let the time run again."""
        self._held = None


class Journal:
    """A file of JSON lines; the first line holds the settings that the service was started with.

    :param path: the file; :meth:`open` creates it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def read(self) -> Iterator[dict[str, Any]]:
        """Return the lines of an earlier process; none if there is no file.

        :raises JournalError: the file is not a journal.
        """
        if not self._path.exists():
            return
        # The call of a line that a crash cut short was never answered.
        lines = [line for line in self._path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
        for index, line in enumerate(lines):
            try:
                entry = json.loads(line)
            except ValueError as error:
                raise JournalError(f"{self._path}:{index + 1}: not a line of a journal: {error}") from error
            if index == 0 and entry.get("journal") != FORMAT:
                raise JournalError(
                    f"{self._path}: not a journal of format {FORMAT}; remove it to start without state"
                )
            yield entry

    def open(self, header: dict[str, Any] | None = None) -> None:
        """Open the file for writing.

        :param header: the first line of a new journal, which replaces an old one; None continues the old one.
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
        """Append a line; afterwards it survives the end of this process."""
        if self._file is not None:
            os.write(self._file, json.dumps(entry, separators=(",", ":")).encode() + b"\n")

    def close(self) -> None:
        """Close the journal."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
