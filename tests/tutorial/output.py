"""What the page shows of an output, compared with the real one: what differs in each run is learnt."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_LEARNT = (
    r"http://127\.0\.0\.1:\d+",
    r"(?<=password )\S+",
    r"manual__[0-9a-f]{12}",
    r"ami-[0-9a-f]{17}",
)
"""What a reader takes from their own output. The page has one text for one thing."""
_FREE = (r"\d{4}-\d\d-\d\dT\d\d[\d:.-]*Z?", r"\[ *\d+\.\d s\]", r"\.\.\.", r"\s+")
"""What differs and is used nowhere else: times. The reader takes three dots for anything."""
_TOKEN = re.compile("|".join(f"({pattern})" for pattern in (*_LEARNT, *_FREE)))


class DiffersError(AssertionError):
    """The output is another than the page shows."""


class Words:
    """What the texts of the page are in this run."""

    def __init__(self) -> None:
        self._here: dict[str, str] = {}

    def here(self, text: str) -> str:
        """Return a text of the page with what the reader's own output has instead."""
        for shown in sorted(self._here, key=len, reverse=True):
            text = text.replace(shown, self._here[shown])
        return text

    def of(self, shown: str) -> str:
        """Return what a text of the page is here.

        :raises DiffersError: no output has shown it yet.
        """
        if shown not in self._here:
            raise DiffersError(f"no output has shown {shown!r} yet")
        return self._here[shown]

    def missing(self, shown: Sequence[str], output: str) -> str | None:
        """Return the first line of the page that the output does not have, in this order; None if it has all.

        What is learnt from the output is kept only if all lines are there.
        """
        learnt: dict[str, str] = {}
        lines = iter(output.splitlines())
        for row in shown:
            if not any(self._fits(row, line, learnt) for line in lines):
                return row
        self._here |= learnt
        return None

    def _fits(self, row: str, line: str, learnt: dict[str, str]) -> bool:
        known = {**self._here, **learnt}
        pattern, names = "", []
        end = 0
        for token in _TOKEN.finditer(row.strip()):
            pattern += re.escape(row.strip()[end : token.start()])
            end = token.end()
            kind = (token.lastindex or 1) - 1
            if kind < len(_LEARNT) and token[0] in known:
                pattern += re.escape(known[token[0]])
            elif kind < len(_LEARNT):
                # The kind without what is before it, which the pattern has already.
                names.append(token[0])
                pattern += "(" + re.sub(r"^\(\?<=.*?\)", "", _LEARNT[kind]) + ")"
            else:
                pattern += ".*" if token[0] == "..." else _FREE[kind - len(_LEARNT)]
        found = re.fullmatch(pattern + re.escape(row.strip()[end:]), line.strip())
        if found:
            learnt.update(zip(names, found.groups(), strict=True))
        return found is not None
