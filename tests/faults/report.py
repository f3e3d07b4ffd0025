"""The table at the end of the fault suite: what was injected, and what came out."""

from __future__ import annotations

from dataclasses import dataclass, field
from textwrap import wrap

HEAD = ("injected", "what came out")
WIDTHS = (62, 74)


@dataclass
class Report:
    """Rows in the order in which they were added, under the headings of their tests."""

    rows: list[tuple[str, str, str]] = field(default_factory=list)
    figures: dict[str, str] = field(default_factory=dict)
    """What ``make matrix`` shows of a version of Airflow: what was done, and what came of it."""

    def add(self, heading: str, injected: str, outcome: str) -> None:
        """Add one fault and its outcome; the test asserts afterwards, so the table shows failures, too."""
        self.rows.append((heading, injected, outcome))

    def lines(self) -> list[str]:
        """Return the table as text."""
        rule = "+".join("-" * (width + 2) for width in WIDTHS)
        lines = [*_row(HEAD), rule]
        heading = None
        for row in self.rows:
            if row[0] != heading:
                heading = row[0]
                lines += [f" {heading}"]
            lines += _row((f"  {row[1]}", row[2]))
        return [*lines, rule]


def _row(cells: tuple[str, str]) -> list[str]:
    columns = [
        wrap(cell, width, subsequent_indent="    ", drop_whitespace=True)
        for cell, width in zip(cells, WIDTHS, strict=True)
    ]
    height = max(len(column) for column in columns)
    padded = [column + [""] * (height - len(column)) for column in columns]
    return [
        " | ".join(f" {cell:<{width}}" for cell, width in zip(line, WIDTHS, strict=True)).rstrip()
        for line in zip(*padded, strict=True)
    ]
