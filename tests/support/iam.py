"""IAM: policies as documents, and whether they allow a request, as far as the docs need it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

REPOSITORY = Path(__file__).parents[2]
POLICIES = REPOSITORY / "docs" / "security"
QUEUE = REPOSITORY / "docs" / "how-to" / "events" / "triggerer-policy.json"
PLACEHOLDERS = {"eu-west-1": "us-east-1", "111122223333": "123456789012"}
"""Region and account of the policies in the docs, and those of the local Image Builder."""

_REFERENCE = json.loads(Path(__file__).with_name("service_authorization.json").read_text("utf-8"))
ACTIONS: dict[str, dict[str, list[str]]] = _REFERENCE["actions"]
"""What AWS says of each action that a policy names: types of resources, condition keys, further actions."""

TYPES: dict[str, str] = _REFERENCE["types"]
"""The form of an ARN of each type of resource."""


@dataclass(frozen=True)
class Request:
    """What AWS asks the policies for.

    :param resource: the ARN; ``*`` where AWS names none.
    """

    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.action} on {self.resource}" + (f" {dict(self.context)}" if self.context else "")


@dataclass(frozen=True)
class Statement:
    """One statement, with its lists as lists."""

    effect: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Statement:
        return cls(
            document["Effect"],
            listed(document["Action"]),
            listed(document.get("Resource", ())),
            document.get("Condition", {}),
        )

    def fits(self, request: Request) -> bool:
        """Return whether it is about the request."""
        return (
            any(_matches(pattern.lower(), request.action.lower()) for pattern in self.actions)
            and any(_matches(pattern, request.resource) for pattern in self.resources)
            and all(
                _holds(operator, request.context.get(key), listed(wanted))
                for operator, keys in self.conditions.items()
                for key, wanted in keys.items()
            )
        )


@dataclass(frozen=True)
class Policy:
    """The statements of one or more policy documents."""

    statements: tuple[Statement, ...]

    @classmethod
    def of(cls, documents: Iterable[Mapping[str, Any]]) -> Policy:
        return cls(tuple(Statement.of(one) for document in documents for one in document["Statement"]))

    @property
    def actions(self) -> set[str]:
        return {action for statement in self.statements for action in statement.actions}

    def allows(self, request: Request) -> bool:
        """Return whether a statement allows the request and none denies it."""
        effects = {statement.effect for statement in self.statements if statement.fits(request)}
        return "Allow" in effects and "Deny" not in effects


def listed(value: Any) -> tuple[str, ...]:
    """Return a value that a policy may write as text or as a list, as a tuple."""
    return (value,) if isinstance(value, str) else tuple(value)


def document(name: str) -> dict[str, Any]:
    """Return a policy of the docs, e.g. ``caller/build``, or ``queue`` of the how-to page."""
    return _read(QUEUE if name == "queue" else POLICIES / f"{name}.json")


def policy_here(names: Iterable[str]) -> Policy:
    """Return policies of the docs, edited as a user edits them: for the local Image Builder."""
    texts = [json.dumps(document(name)) for name in names]
    for placeholder, ours in PLACEHOLDERS.items():
        texts = [text.replace(placeholder, ours) for text in texts]
    return Policy.of(json.loads(text) for text in texts)


@cache
def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def _matches(pattern: str, text: str) -> bool:
    """Return whether a text fits a pattern in which ``*`` is any text and ``?`` one character."""
    return re.fullmatch(_expression(pattern), text, re.DOTALL) is not None


@cache
def _expression(pattern: str) -> str:
    return "".join({"*": ".*", "?": "."}.get(part, re.escape(part)) for part in re.split(r"([*?])", pattern))


def _holds(operator: str, found: str | None, wanted: tuple[str, ...]) -> bool:
    if operator == "StringEquals":
        return found in wanted
    raise NotImplementedError(f"the condition {operator}: add it here")
