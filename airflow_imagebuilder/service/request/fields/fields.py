"""The kinds of value that an API takes. Each kind checks a value, returns its faults, and cleans it.

botocore does not check patterns, lengths and enum values before it sends them to AWS, so they are checked
here. ``None`` is unset, and so is the empty text that a form leaves for an optional member. A value that is
not known yet, such as a template, is not checked.
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
"""Returns whether a value is not known yet."""

Hint = Callable[[str], "str | None"]
"""Returns what to do about a text that is a known mistake; ``None`` for any other text."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A kind of value.

    :param allowed: what is allowed, in words.
    :param blank_is_unset: whether empty text leaves an optional value unset (default ``True``).
    """

    allowed: str = ""
    blank_is_unset: bool = True

    def is_unset(self, value: object) -> bool:
        """Return whether an optional value is unset: ``None``, or empty text."""
        return value is None or (self.blank_is_unset and is_blank(value))

    def faults(self, path: str, value: object, later: Later) -> Iterator[Fault]:
        """Yield what is wrong with a value; nothing if it is ``None`` or not known yet.

        :param path: where the value is, e.g. ``workflows[2].arn``; the faults name it.
        :param later: returns whether a value is not known yet.
        """
        if value is not None and not later(value):
            yield from self._faults(path, value, later)

    def needed(self, path: str, value: object, later: Later) -> Iterator[Fault]:
        """Yield what is wrong with a required value."""
        if value is None:
            yield Fault(path, None, self.allowed, "give it: AWS refuses the request without it")
        yield from self.faults(path, value, later)

    def clean(self, value: Any) -> Any:
        """Return a copy of a checked value without unset members, in the type that AWS takes."""
        return value

    def _faults(self, path: str, value: object, later: Later) -> Iterator[Fault]:  # noqa: ARG002 (for lists)
        yield from self._wrong(path, value)

    def _wrong(self, path: str, value: object) -> Iterator[Fault]:
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Text(Shape):
    """A string.

    :param pattern: AWS's pattern; ``None`` (default) allows every text.
    :param minimum: the least number of characters (default 0).
    :param maximum: the largest number of characters; ``None`` (default) for no limit.
    :param characters: the allowed characters, as a regular expression, to name the wrong ones.
    :param hint: finds known mistakes. Each is a fault even if pattern and length fit.
    :param otherwise: what to do where the pattern does not fit although no character is wrong.
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
        elif remedy := self._hinted(value) or self._length(value) or self._matched(value):
            yield Fault(path, value, self.allowed, remedy)

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
    """An ARN of one kind.

    :param kind: the kind.
    """

    kind: ArnKind

    def _wrong(self, path: str, value: object) -> Iterator[Fault]:
        if fault := fault_in_arn(self.kind, value, path):
            yield replace(fault, remedy=RENDERED_NONE) if value == "None" else fault


@dataclass(frozen=True, kw_only=True)
class Choice(Shape):
    """One value of an enum.

    :param words: the values.
    """

    words: tuple[str, ...]

    def _wrong(self, path: str, value: object) -> Iterator[Fault]:
        if value not in self.words:
            # The values are short, so that half of the letters is alike enough.
            close = closest(value, self.words, cutoff=0.5) if isinstance(value, str) else None
            remedy = f"did you mean {close!r}?" if close else "write one of these, or leave it out"
            yield Fault(path, value, self.allowed or " or ".join(self.words), remedy)


@dataclass(frozen=True, kw_only=True)
class Flag(Shape):
    """``True`` or ``False``, or the text of one, which a template renders."""

    allowed: str = "True or False"

    def _wrong(self, path: str, value: object) -> Iterator[Fault]:
        if not isinstance(self.clean(value), bool):
            yield Fault(path, value, self.allowed, "write one of these, or leave it out for AWS's default")

    def clean(self, value: Any) -> Any:
        """Return the flag, where it is given as text."""
        return {"true": True, "false": False}.get(value.lower(), value) if isinstance(value, str) else value


@dataclass(frozen=True, kw_only=True)
class Number(Shape):
    """A whole number, or the text of one, which a template renders.

    :param minimum: the smallest number.
    :param maximum: the largest number.
    """

    minimum: int
    maximum: int

    def _wrong(self, path: str, value: object) -> Iterator[Fault]:
        number = self.clean(value)
        if isinstance(number, bool) or not isinstance(number, int):
            yield Fault(path, value, self.allowed, "write a whole number")
        elif not self.minimum <= number <= self.maximum:
            yield Fault(path, value, self.allowed, "write a number in this range")

    def clean(self, value: Any) -> Any:
        """Return the number, where it is given as text."""
        return int(value) if isinstance(value, str) and re.fullmatch(r"\s*[0-9]{1,9}\s*", value) else value


@dataclass(frozen=True, kw_only=True)
class ListOf(Shape):
    """A list.

    :param member: the kind of its members.
    :param minimum: the least number of members (default 0).
    :param maximum: the largest number of members; ``None`` (default) for no limit.
    """

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

    def clean(self, value: Any) -> Any:
        """Return a list of clean members."""
        return [self.member.clean(item) for item in value] if isinstance(value, (list, tuple)) else value


@dataclass(frozen=True, kw_only=True)
class MapOf(Shape):
    """A mapping whose keys the user chooses.

    :param key: the kind of its keys.
    :param value: the kind of its values.
    :param minimum: the least number of entries (default 0).
    :param maximum: the largest number of entries; ``None`` (default) for no limit.
    """

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
            remedy = f"take out {len(value) - self.maximum}"
            yield Fault(path, f"{len(value)} entries", self.allowed, remedy)
        for key, item in value.items():
            yield from self.key.needed(f"{path}[{key!r}]", key, never)  # Airflow renders values, not keys
            yield from self.value.needed(f"{path}[{key!r}]", item, later)

    def clean(self, value: Any) -> Any:
        """Return a copy of the mapping."""
        return dict(value) if isinstance(value, Mapping) else value


@dataclass(frozen=True, kw_only=True)
class Structure(Shape):
    """A mapping whose members AWS names.

    :param members: the kind of each member.
    :param required: the names of the required members (default: none).
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
            check = shape.needed if needed else shape.faults
            if needed or not shape.is_unset(item):
                yield from check(f"{path}.{name}", item, later)

    def clean(self, value: Any) -> Any:
        """Return a mapping of the members that are set, each of them clean."""
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
