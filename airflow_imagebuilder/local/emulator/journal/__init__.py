"""Journal: the file behind ``--state``, with every call that changes something.

The service replays it at the next start. The engine is deterministic: the same seed, scenario, calls and
real moments give the same state with the same ids, so the journal keeps only those, and what the engine has
asked of other services. The line of a call is written before the call is carried out: what cannot be kept is
refused. So an answered call survives a ``kill -9``. Virtual time passes while the service is down, as on AWS.

Faults and call counts are not kept; they belong to one process.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FORMAT = 2
_BEGIN = b'{"journal":'


class JournalError(RuntimeError):
    """The state file is not a journal, or this version cannot replay it."""


class PausableClock:
    """Real time that can be stopped, so that a call has one moment, and the same moment in a replay.

    It follows a clock that only goes forward, so that a machine whose time is set back does not stop it.
    """

    def __init__(self) -> None:
        self._held: float | None = None
        self._ahead = time.time() - time.monotonic()

    def __call__(self) -> float:
        """Return real seconds since the epoch, never less than before, not even after a restart."""
        return time.monotonic() + self._ahead if self._held is None else self._held

    def hold(self, moment: float | None = None) -> float:
        """Stop the time and return its moment.

        :param moment: a moment of the journal; now by default.
        """
        self._held = None
        now = self()
        if moment is not None:
            # The clock of the earlier process may have been ahead of the one of this machine.
            self._ahead += max(0.0, moment - now)
        self._held = now if moment is None else moment
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
        self._check_ours()
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

    def _check_ours(self) -> None:
        """Check that the file may be written to.

        :raises JournalError: something else wrote it.
        """
        with self._path.open("rb") as file:
            begin = file.read(len(_BEGIN))
        if begin and not _BEGIN.startswith(begin):
            raise JournalError(f"{self._path} is not a state file of this service; give another name")

    def open(self, header: dict[str, Any] | None = None) -> None:
        """Open the file for writing.

        :param header: the first line of a new journal, which replaces an old one; None continues the old one.
        """
        self.close()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.close()
            raise JournalError(f"{self._path} is in use by another service") from error
        if header is None:
            self._trim()
        else:
            self._check_ours()
            os.ftruncate(self._file, 0)
            self.write({"journal": FORMAT, **header})

    def _trim(self) -> None:
        content = self._path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            os.truncate(self._path, whole)

    def write(self, entry: dict[str, Any]) -> None:
        """Append a line; afterwards it survives the end of this process.

        :raises JournalError: it could not be written, e.g. to a full disk; the file is as before.
        """
        if self._file is None:
            return
        line, size = json.dumps(entry, separators=(",", ":")).encode() + b"\n", os.fstat(self._file).st_size
        try:
            while line:
                line = line[os.write(self._file, line) :]
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._file, size)
            raise JournalError(f"{self._path} cannot be written: {error.strerror}") from error

    def close(self) -> None:
        """Close the journal."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
