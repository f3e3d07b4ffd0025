"""Finds every address of the plugin's application by itself, so that a new route cannot be forgotten."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


def paths_of(routes: Sequence[Any], below: str = "") -> Iterator[str]:
    """
    Yield the path of each route, with its parameters in braces, and each file of a static folder.

    :param routes: ``app.routes``.
    :param below: the path at which the application is mounted.
    :raises AssertionError: a kind of route that this crawler does not know.
    """
    for route in routes:
        if isinstance(route, Mount) and isinstance(route.app, StaticFiles):
            folder = route.app.directory
            assert folder is not None
            for file in sorted(path for path in Path(folder).rglob("*") if path.is_file()):
                yield f"{below}{route.path}/{file.relative_to(folder).as_posix()}"
        elif isinstance(route, Mount):
            yield from paths_of(route.routes, below + route.path)
        elif isinstance(route, Route):
            yield below + route.path
        else:
            # FastAPI keeps an included router as one entry in some versions.
            inner = getattr(route, "effective_candidates", None) or getattr(route, "routes", None)
            assert inner is not None, f"{route!r}: this crawler does not know such a route"
            yield from paths_of(inner() if callable(inner) else inner, below)


def filled(path: str, values: Mapping[str, Sequence[str]]) -> list[str]:
    """
    Return the addresses that a path has with each combination of its parameters.

    :param values: values by the name of the parameter.
    :raises KeyError: a parameter without values: give it some, so that the new route is tried.
    """
    names = re.findall(r"{(\w+)(?::\w+)?}", path)
    found = []
    for choice in product(*(values[name] for name in names)):
        address = path
        for name, value in zip(names, choice, strict=True):
            before, after = re.split(rf"{{{name}(?::\w+)?}}", address, maxsplit=1)
            address = before + quote(value, safe="") + after
        found.append(address)
    return found
