"""The answer: whether a build is needed, why, and everything that was checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.gates.needs.statement import Verdict, strongest

if TYPE_CHECKING:
    from airflow_imagebuilder.service.gates.needs.statement import Statement


@dataclass(frozen=True)
class Answer:
    """
    Whether a build is needed.

    :param needed: whether it is.
    :param reasons: why; for a build that is not needed, why not.
    :param statements: everything that was checked, in order.
    :param last_image: the ARN of the newest AVAILABLE image; ``None`` if there is none, or it was not read.
    :param in_progress: the ARNs of images in progress.
    """

    needed: bool
    reasons: tuple[str, ...]
    statements: tuple[Statement, ...] = ()
    last_image: str | None = None
    in_progress: tuple[str, ...] = ()

    @property
    def unknown(self) -> tuple[Statement, ...]:
        """What could not be read."""
        return tuple(one for one in self.statements if one.verdict is Verdict.UNKNOWN)

    def to_xcom(self) -> dict[str, Any]:
        """Return the answer as a JSON-safe mapping."""
        by_check: dict[str, list[Statement]] = {}
        for one in self.statements:
            by_check.setdefault(one.check, []).append(one)
        checked = {
            check: {"verdict": str(strongest(found)), "text": "; ".join(one.text for one in found)}
            for check, found in by_check.items()
        }
        return {
            "needed": self.needed,
            "reasons": list(self.reasons),
            "checked": checked,
            "last_image": self.last_image,
            "in_progress": list(self.in_progress),
        }

    def __str__(self) -> str:
        head = "A build is needed:" if self.needed else "No build is needed:"
        lines = [head, *(f"  - {reason}" for reason in self.reasons)]
        if self.statements:
            lines += ["Checked:", *(f"  {one.verdict!s:<12}  {one}" for one in self.statements)]
        return "\n".join(lines)
