"""Report: what a run has seen, for each guess, in a form that can be sent to anybody."""

from __future__ import annotations

import getpass
import json
import re
import socket
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import botocore

from airflow_imagebuilder import __version__
from airflow_imagebuilder.local.emulator.engine import guesses

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HELD, NOT_TRIED = "held", "not tried"
MARKDOWN, JSON = "verify-aws-report.md", "verify-aws-report.json"

_RULES: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    (r"\b(?:AKIA|ASIA|AROA|AIDA|ABIA|ACCA)[A-Z0-9]{12,}", "<key>"),
    # An ARN with an account in it; those of Amazon's own resources have none, and say something.
    (r"\barn:aws[a-z-]*:[a-z0-9-]*:[a-z0-9-]*:[0-9]{12}:[^\s'\",;)\]}]*", "<arn>"),
    (r"https?://[^\s'\"|]+", "<address>"),
    (r"\b[A-Za-z0-9.-]+\.(?:amazonaws\.com(?:\.cn)?|internal|local|lan)\b", "<host>"),
    (r"(?<![0-9.])[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![0-9.])", "<address>"),
    (r"\b[\w.+-]+@[\w-]+\.[\w.]+", "<mail>"),
    (r"(?:/home|/Users|/root)(?:/[^\s'\":]*)?", "<path>"),
    (r"\b(?:i|ami|snap|vol|subnet|vpc|sg|eni)-[0-9a-f]{8,17}\b", "<id>"),
    (r"(?<![0-9])[0-9]{12}(?![0-9])", "<account>"),
    # What is left of secrets and session tokens. A name in this project has no 40 letters without a hyphen.
    (r"[A-Za-z0-9/+=_]{40,}", lambda match: match[0] if match[0].isupper() else "<secret>"),
)


def redact(text: str, *more: str) -> str:
    """
    Remove what belongs to an account or a person from a text.

    :param more: further words to remove, e.g. the account and the names of roles.
    """
    names = {socket.gethostname(), socket.getfqdn(), _user(), *more}
    for name in sorted((name for name in names if len(name) > 1), key=len, reverse=True):
        text = re.sub(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", "<name>", text)
    for pattern, replacement in _RULES:
        text = re.sub(pattern, replacement, text)
    return text


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


@dataclass
class Row:
    """
    What a run has seen of one guess.

    :param same: whether AWS does what the local service does; None if it was not tried.
    """

    guess: str
    says: str
    here: str
    aws: str
    same: bool | None
    why: str = ""


@dataclass
class Report:
    """
    What a run has seen.

    :param hidden: words that must not be in it.
    """

    part: str
    region: str
    hidden: tuple[str, ...] = ()
    rows: dict[str, Row] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)

    def seen(self, id_: str, value: Any) -> None:
        """Keep what was observed for a guess."""
        guess = guesses.REGISTRY[id_]
        same = value == guess.here
        aws = redact(guesses.as_text(value), *self.hidden)
        self.rows[id_] = Row(id_, guess.says, guesses.as_text(guess.here), aws, same)

    def not_tried(self, id_: str, why: str) -> None:
        """Keep why nothing was observed for a guess; what was observed before stays."""
        guess = guesses.REGISTRY[id_]
        why = redact(" ".join(why.split()), *self.hidden)[:300]
        self.rows.setdefault(id_, Row(id_, guess.says, guesses.as_text(guess.here), NOT_TRIED, None, why))

    def fact(self, name: str, fault: str | None, *, tried: bool = True) -> None:
        """
        Keep whether a fact held.

        :param name: that of its test.
        :param fault: why it did not hold, or was not tried; None if it held.
        """
        text = redact(" ".join(fault.split()), *self.hidden)[:300] if fault else HELD
        self.facts[name] = text if tried else f"{NOT_TRIED}: {text}"

    def complete(self) -> None:
        """Add the guesses that no test has reached."""
        for id_ in guesses.REGISTRY:
            self.not_tried(
                id_, "The run did not reach it." if self.part == "full" else "Only with PART=full."
            )

    @property
    def different(self) -> list[str]:
        """The guesses that AWS does not confirm."""
        return sorted(row.guess for row in self.rows.values() if row.same is False)

    @property
    def faults(self) -> list[str]:
        """The facts that did not hold, by the names of their tests."""
        return sorted(name for name, text in self.facts.items() if not text.startswith((HELD, NOT_TRIED)))

    def markdown(self) -> str:
        """Return the report as a page."""
        counts = {same: sum(row.same is same for row in self.rows.values()) for same in (True, False, None)}
        lines = [
            "# What AWS does where the local Image Builder guesses",
            "",
            (
                f"airflow-imagebuilder {__version__}, boto3 {botocore.__version__}, region {self.region}, "
                f"part {self.part}. {counts[True]} guesses are right, {counts[False]} are wrong, "
                f"{counts[None]} were not tried."
            ),
            "",
            "| Guess | Here | AWS | Same |",
            "| --- | --- | --- | --- |",
        ]
        order = {False: 0, True: 1, None: 2}
        for row in sorted(self.rows.values(), key=lambda row: (order[row.same], row.guess)):
            same = {True: "yes", False: "**no**", None: NOT_TRIED}[row.same]
            aws = row.why if row.same is None else row.aws
            lines.append(f"| `{row.guess}`: {row.says} | {row.here} | {_cell(aws)} | {same} |")
        held = list(self.facts.values()).count(HELD)
        lines += ["", f"Of {len(self.facts)} facts, {held} held and {len(self.faults)} did not.", ""]
        lines += [f"- {name.replace('_', ' ')}: {_cell(self.facts[name])}" for name in self.faults]
        return "\n".join(lines).rstrip() + "\n"

    def document(self) -> dict[str, Any]:
        """Return the report for programs."""
        return {
            "package": __version__,
            "boto3": botocore.__version__,
            "region": self.region,
            "part": self.part,
            "guesses": [asdict(row) for _, row in sorted(self.rows.items())],
            "facts": self.facts,
        }

    def write(self, folder: Path) -> list[Path]:
        """Write both forms, and return their paths."""
        self.complete()
        texts = {MARKDOWN: self.markdown(), JSON: json.dumps(self.document(), indent=2) + "\n"}
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
        return [folder / name for name in texts]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
