"""The kinds of value that an API takes: each checks one, tells its faults, and copies it clean.

botocore sends bad patterns, long texts and unknown enum values to AWS unchecked, so they are checked here.
None means unset everywhere, and so does the empty text that a form leaves of an optional member. A value that
is known only later, a template for instance, is let pass.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.arns.hints import fault_in_arn
from airflow_imagebuilder.service.errors import Fault
from airflow_imagebuilder.service.request.fields.suggestions import closest, unknown_member
from airflow_imagebuilder.service.request.fields.templates import RENDERED_NONE, is_blank, never
from airflow_imagebuilder.service.text import shortened

if TYPE_CHECKING:
    from airflow_imagebuilder.service.arns.grammar import ArnKind

Later = Callable[[object], bool]
"""Tells whether a value is not known yet."""

Hint = Callable[[str], "str | None"]
"""What to do about a text, where it is a known mistake."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A kind of value.

    :param allowed: what is allowed, in words.
    :param blank_is_unset: whether an empty text is as good as none, where the value is optional.
    """

    allowed: str = ""
    blank_is_unset: bool = True

    def is_unset(self, value: object) -> bool:
        """Return whether an optional value is as good as not given."""
        return value is None or (self.blank_is_unset and is_blank(value))

    def faults(self, path: str, value: object, later: Later) -> Iterator[Fault]:
        """Yield what is wrong with a value, unless it is unset or not known yet."""
        if value is not None and not later(value):
            yield from self._faults(path, value, later)

    def needed(self, path: str, value: object, later: Later) -> Iterator[Fault]:
        """Yield what is wrong with a value that must be there."""
        if value is None:
            yield Fault(path, None, self.allowed, "give it: AWS refuses the request without it")
        yield from self.faults(path, value, later)

    def clean(self, value: Any) -> Any:
        """Copy a checked value, without unset members, and in the type that AWS takes."""
        return self._clean(value)

    def _faults(self, path: str, value: object, later: Later) -> Iterator[Fault]:  # noqa: ARG002 (for lists)
        yield from self._wrong(path, value)

    def _wrong(self, path: str, value: object) -> Iterator[Fault]:
        raise NotImplementedError

    def _clean(self, value: Any) -> Any:
        return value


@dataclass(frozen=True, kw_only=True)
class Text(Shape):
    """A string.

    :param pattern: AWS's pattern.
    :param characters: the characters allowed, as a regular expression, to name the wrong ones.
    :param otherwise: what to do where the pattern does not fit, but no character is wrong.
    :param hint: finds known mistakes; what it finds is a fault even if pattern and length would do.
    """

    pattern: str | None = None
    minimum: int = 0
    maximum: int | None = None
    characters: str = ""
    hint: Hint | None = None
    otherwise: str = "write it in the form that is allowed"

    def _wrong(self, path: str, value: object) -> Iterator[Fault]:
        if not isinstance(value, str):
            yield Fault(path, value, self.allowed, f"write it as text{_as_text(value)}")
        elif way_out := self._hinted(value) or self._length(value) or self._matched(value):
            yield Fault(path, value, self.allowed, way_out)

    def _hinted(self, value: str) -> str | None:
        return self.hint(value) if self.hint else None

    def _length(self, value: str) -> str | None:
        if len(value) < self.minimum:
            return "it is empty: leave it out, or write something" if not value else "it is too short"
        if self.maximum is not None and len(value) > self.maximum:
            return f"it has {len(value)} characters, {len(value) - self.maximum} too many: shorten it"
        return None

    def _matched(self, value: str) -> str | None:
        if self.pattern is None or re.fullmatch(self.pattern, value, re.ASCII):
            return None
        wrong = sorted(set(re.sub(self.characters, "", value))) if self.characters else []
        return f"take out {', '.join(map(repr, wrong))}" if wrong else self.otherwise


@dataclass(frozen=True, kw_only=True)
class ArnText(Shape):
    """An ARN of one kind."""

    kind: ArnKind

    def _wrong(self, path: str, value: object) -> Iterator[Fault]:
        if fault := fault_in_arn(self.kind, value, path):
            yield replace(fault, way_out=RENDERED_NONE) if value == "None" else fault


@dataclass(frozen=True, kw_only=True)
class Choice(Shape):
    """One of AWS's words."""

    words: tuple[str, ...]

    def _wrong(self, path: str, value: object) -> Iterator[Fault]:
        if value not in self.words:
            # Words are short: half of the letters is near enough.
            close = closest(value, self.words, cutoff=0.5) if isinstance(value, str) else None
            way_out = f"did you mean {close!r}?" if close else "write one of these, or leave it out"
            yield Fault(path, value, self.allowed or " or ".join(self.words), way_out)


@dataclass(frozen=True, kw_only=True)
class Flag(Shape):
    """True or False, or the text of it, which is what a template renders."""

    allowed: str = "True or False"

    def _wrong(self, path: str, value: object) -> Iterator[Fault]:
        if not isinstance(self.clean(value), bool):
            yield Fault(path, value, self.allowed, "write one of these, or leave it out for AWS's default")

    def _clean(self, value: Any) -> Any:
        return {"true": True, "false": False}.get(value.lower(), value) if isinstance(value, str) else value


@dataclass(frozen=True, kw_only=True)
class Number(Shape):
    """A whole number, or the text of it, which is what a template renders."""

    minimum: int
    maximum: int

    def _wrong(self, path: str, value: object) -> Iterator[Fault]:
        number = self.clean(value)
        if isinstance(number, bool) or not isinstance(number, int):
            yield Fault(path, value, self.allowed, "write a whole number")
        elif not self.minimum <= number <= self.maximum:
            yield Fault(path, value, self.allowed, "write a number in this range")

    def _clean(self, value: Any) -> Any:
        return int(value) if isinstance(value, str) and re.fullmatch(r"\s*[0-9]{1,9}\s*", value) else value


@dataclass(frozen=True, kw_only=True)
class ListOf(Shape):
    """A list."""

    member: Shape
    minimum: int = 0
    maximum: int | None = None

    def _faults(self, path: str, value: object, later: Later) -> Iterator[Fault]:
        if not isinstance(value, (list, tuple)):
            several = isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping))
            example = "list(...)" if several else f"[{shortened(repr(value))}]"
            yield Fault(path, value, self.allowed, f"make it a list: {example}")
        elif len(value) < self.minimum:
            yield Fault(path, value, self.allowed, "the list is empty: leave it out")
        elif self.maximum is not None and len(value) > self.maximum:
            yield Fault(path, value, self.allowed, f"take out {len(value) - self.maximum}")
        else:
            for number, item in enumerate(value):
                yield from self.member.needed(f"{path}[{number}]", item, later)

    def _clean(self, value: Any) -> Any:
        return [self.member.clean(item) for item in value] if isinstance(value, (list, tuple)) else value


@dataclass(frozen=True, kw_only=True)
class MapOf(Shape):
    """A mapping with keys of the user's own."""

    key: Shape
    value: Shape
    minimum: int = 0
    maximum: int | None = None

    def _faults(self, path: str, value: object, later: Later) -> Iterator[Fault]:
        if not isinstance(value, Mapping):
            yield Fault(path, value, self.allowed, "make it a mapping of names to values")
            return
        if len(value) < self.minimum:
            yield Fault(path, value, self.allowed, "the mapping is empty: leave it out")
        if self.maximum is not None and len(value) > self.maximum:
            way_out = f"take out {len(value) - self.maximum}"
            yield Fault(path, f"{len(value)} entries", self.allowed, way_out)
        for key, item in value.items():
            yield from self.key.needed(f"{path}[{key!r}]", key, never)  # Airflow renders values, not keys
            yield from self.value.needed(f"{path}[{key!r}]", item, later)

    def _clean(self, value: Any) -> Any:
        return dict(value) if isinstance(value, Mapping) else value


@dataclass(frozen=True, kw_only=True)
class Structure(Shape):
    """A mapping with members that AWS names.

    :param members: the shape of each member.
    :param required: the members that must be there.
    """

    members: Mapping[str, Shape]
    required: Sequence[str] = ()

    def _faults(self, path: str, value: object, later: Later) -> Iterator[Fault]:
        if not isinstance(value, Mapping):
            yield Fault(path, value, self.allowed, "make it a mapping of these members")
            return
        for name in value:
            if name not in self.members:
                yield unknown_member(path, name, value[name], self.members)
        for name, shape in self.members.items():
            item, needed = value.get(name), name in self.required
            look = shape.needed if needed else shape.faults
            if needed or not shape.is_unset(item):
                yield from look(f"{path}.{name}", item, later)

    def _clean(self, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        shapes = {name: self.members[name] for name in value}
        return {
            name: shapes[name].clean(item)
            for name, item in value.items()
            if (item is not None if name in self.required else not shapes[name].is_unset(item))
        }


def _as_text(value: object) -> str:
    if isinstance(value, bytes):
        return f": {value.decode(errors='replace')!r}"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f": {text!r}" if isinstance(value, (int, float)) else ""
