"""The versions of new resources: automatic ones, builds, and what AWS does not take.

Source: User Guide, "Semantic versioning in Image Builder" and "Create a component".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_imagebuilder.local.emulator.engine import guesses
from airflow_imagebuilder.local.emulator.engine.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Each number of a version is smaller.
LIMIT = 2**30
WILDCARD = "x"


def check(version: str) -> None:
    """Check the version of a request.

    :param version: it fits the pattern of the service model.
    :raises ApiError: a number is too large, or a number follows a wildcard.
    """
    nodes = version.split(".")
    for node in nodes:
        if node != WILDCARD and (len(node) > len(str(LIMIT)) or int(node) >= LIMIT):
            raise _invalid(version, f"Each number is at most {LIMIT - 1}.")
    first = nodes.index(WILDCARD) if WILDCARD in nodes else len(nodes)
    if any(node != WILDCARD for node in nodes[first:]):
        raise _invalid(version, "Only the last numbers can be wildcards, as in 1.0.x and 1.x.x.")


def _invalid(version: str, why: str) -> ApiError:
    return ApiError(guesses.BAD_VERSION, f"The version '{version}' is not valid. {why}")


def resolve(version: str, existing: Iterable[str]) -> str:
    """Return the version that a new recipe gets: every ``x`` counts up, or becomes 0.

    :param version: a version that :func:`check` has accepted, with or without wildcards.
    :param existing: the versions of the recipes of the same name.
    """
    nodes = version.split(".")
    if WILDCARD not in nodes:
        return ".".join(str(int(node)) for node in nodes)
    place = nodes.index(WILDCARD)
    if not guesses.FIRST_WILDCARD_COUNTS:
        fitting = [numbers for v in existing if _fits(nodes, numbers := _numbers(v))]
        if fitting:
            *head, last = max(fitting)
            return ".".join(str(number) for number in (*head, last + 1))
    prefix = [int(node) for node in nodes[:place]]
    taken = [numbers[place] for v in existing if (numbers := _numbers(v))[:place] == prefix]
    counted = max(taken) + 1 if taken else _first(place)
    return ".".join(str(number) for number in (*prefix, counted, *[0] * (2 - place)))


def _first(place: int) -> int:
    """Return the number that a wildcard gets when there is no version yet: 1.0.0 of x.x.x."""
    return (1, 0, guesses.FIRST_PATCH)[place]


def _fits(nodes: list[str], numbers: list[int]) -> bool:
    return all(node in (WILDCARD, str(number)) for node, number in zip(nodes, numbers, strict=True))


def _numbers(version: str) -> list[int]:
    return [int(node) for node in version.split(".")]
