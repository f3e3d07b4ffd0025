"""Shelf: items in the order in which they came, of which a page costs the same however many there are.

A list operation begins a page at a number, not at an offset: what is deleted or added between two pages makes
no gap and no repeat.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, MutableMapping
from typing import Any, TypeVar

Doc = dict[str, Any]
Item = TypeVar("Item")


class Shelf(MutableMapping[str, Item]):
    """A mapping that numbers its items; an item that is replaced keeps its number."""

    def __init__(self) -> None:
        self._items: dict[str, tuple[int, Item]] = {}
        self._numbers: list[int] = []
        self._keys: dict[int, str] = {}
        self._next = 1

    @classmethod
    def of(cls, items: dict[str, Item]) -> Shelf[Item]:
        """Put the items of a mapping on a shelf."""
        shelf = cls()
        shelf.update(items)
        return shelf

    def __getitem__(self, key: str) -> Item:
        return self._items[key][1]

    def __setitem__(self, key: str, item: Item) -> None:
        if key in self._items:
            self._items[key] = self._items[key][0], item
            return
        self._items[key] = self._next, item
        self._keys[self._next] = key
        self._numbers.append(self._next)
        self._next += 1

    def __delitem__(self, key: str) -> None:
        number, _ = self._items.pop(key)
        del self._keys[number]
        del self._numbers[bisect_left(self._numbers, number)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    @property
    def newest(self) -> Item:
        """The item that came last."""
        return self[self._keys[self._numbers[-1]]]

    def after(self, number: int) -> Iterator[tuple[int, Item]]:
        """Yield the items that came after a number, oldest first; the shelf must not change meanwhile."""
        for index in range(bisect_right(self._numbers, number), len(self._numbers)):
            yield self._items[self._keys[self._numbers[index]]]

    def before(self, number: int) -> Iterator[tuple[int, Item]]:
        """Yield the items that came before a number, newest first; 0 begins with the newest."""
        last = bisect_left(self._numbers, number) if number else len(self._numbers)
        for index in range(last - 1, -1, -1):
            yield self._items[self._keys[self._numbers[index]]]


class Catalogue(dict[str, Doc]):
    """Resources by ARN, which also has those of a type and of a version on shelves."""

    def __init__(self, given: dict[str, Doc] | None = None) -> None:
        super().__init__()
        self._types: dict[tuple[str, bool, str], Shelf[Doc]] = {}
        self._versions: dict[str, Shelf[Doc]] = {}
        for arn, doc in (given or {}).items():
            self[arn] = doc

    def __setitem__(self, arn: str, doc: Doc) -> None:
        super().__setitem__(arn, doc)
        for shelves, key in self._places(arn):
            shelves.setdefault(key, Shelf())[arn] = doc

    def __delitem__(self, arn: str) -> None:
        super().__delitem__(arn)
        for shelves, key in self._places(arn):
            del shelves[key][arn]
            if not shelves[key]:
                del shelves[key]

    def _places(self, arn: str) -> tuple[tuple[dict[Any, Shelf[Doc]], Any], ...]:
        return (self._types, _type(arn)), (self._versions, arn.rpartition("/")[0])

    def of_type(self, region: str, segment: str, *, amazon: bool = False) -> Shelf[Doc]:
        """Return the resources of a type in a region.

        :param segment: the first part of the resource in its ARN.
        :param amazon: those that Amazon manages, instead of the account's own.
        """
        return self._types.get((region, amazon, segment)) or Shelf()

    def builds(self, version_arn: str) -> Shelf[Doc]:
        """Return the builds of a version."""
        return self._versions.get(version_arn) or Shelf()


def _type(arn: str) -> tuple[str, bool, str]:
    _, _, _, region, owner, resource = arn.split(":", 5)
    return region, owner == "aws", resource.split("/", 1)[0]
