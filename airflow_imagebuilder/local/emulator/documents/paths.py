"""Paths and templates in workflow documents: ``$.stepOutputs.Launch.instanceId`` and ``{{ $.path }}``.

Source: User Guide, "Use dynamic variables in your workflow document".
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: A member of an input with this ending holds a path.
CHAIN = ".$"
#: The first node of a path, as documents may write it, and its name here.
NODES = {
    "parameters": "parameters",
    "stepOutputs": "stepOutputs",
    "workflowOutputs": "workflowOutputs",
    "imagebuilder": "imagebuilder",
    # The text of the guide writes it like this once.
    "imageBuilder": "imagebuilder",
}
_PATH = re.compile(r"\$(?:\.[A-Za-z0-9_-]+(?:\[[0-9]{1,4}\])*)+")
_PART = re.compile(r"[A-Za-z0-9_-]+|\[[0-9]+\]")
_TEMPLATE = re.compile(r"\{\{([^{}]*)\}\}")


class UnresolvedError(ValueError):
    """A path leads to nothing.

    :param path: the path.
    """

    def __init__(self, path: str) -> None:
        super().__init__(f"The path '{path}' has no value.")


def is_path(value: object) -> bool:
    """Whether a value is the text of a path."""
    return isinstance(value, str) and _PATH.fullmatch(value) is not None


def parts(path: str) -> list[str]:
    """Split a path into its nodes and names, without ``$``; an index keeps its brackets."""
    return _PART.findall(path)


def find(path: str, values: Mapping[str, Any]) -> Any:
    """Return the value at a path.

    :param values: a mapping for each of :data:`NODES`.
    :raises UnresolvedError: there is none.
    """
    node, *names = parts(path)
    found: Any = values.get(NODES.get(node, ""))
    for name in names:
        found = _member(found, name, ignore_case=NODES.get(node) == "imagebuilder")
    if found is None:
        raise UnresolvedError(path)
    return found


def _member(value: Any, name: str, *, ignore_case: bool) -> Any:
    if name.startswith("["):
        index = int(name[1:-1])
        return value[index] if isinstance(value, list) and index < len(value) else None
    if not isinstance(value, dict):
        return None
    if ignore_case:
        # The guide writes both $.imagebuilder.platform and $.imagebuilder.Platform.
        return next((value[key] for key in value if key.lower() == name.lower()), None)
    return value.get(name)


def resolve(value: Any, values: Mapping[str, Any]) -> Any:
    """Return an input of a step with every path and template in it replaced.

    :param values: a mapping for each of :data:`NODES`.
    :raises UnresolvedError: a path leads to nothing.
    """
    if isinstance(value, dict):
        return {
            key.removesuffix(CHAIN): _chained(given, values)
            if key.endswith(CHAIN)
            else resolve(given, values)
            for key, given in value.items()
        }
    if isinstance(value, list):
        return [resolve(item, values) for item in value]
    if isinstance(value, str) and "{{" in value:
        return _TEMPLATE.sub(lambda match: _text(match[1].strip(), match[0], values), value)
    return value


def _chained(value: Any, values: Mapping[str, Any]) -> Any:
    """Return the value of a member that ends in ``.$``: a path, a list of paths, or a text with templates.

    AWS's samples have all three: ``imageNamePrefix.$: [$.parameters.ImageNamePrefix]`` and
    ``input.$: '{"imageId": "{{ $.workflowOutputs.ImageId }}"}'``.
    """
    if isinstance(value, list):
        return [_chained(item, values) for item in value]
    return find(value, values) if is_path(value) else resolve(value, values)


def _text(path: str, template: str, values: Mapping[str, Any]) -> str:
    if not is_path(path):
        return template
    found = find(path, values)
    return found if isinstance(found, str) else json.dumps(found)


def references(value: Any) -> Iterator[str]:
    """Yield every path in an input: of members that end in ``.$``, and of templates.

    A member that ends in ``.$`` and refers to nothing is yielded as it is.
    """
    if isinstance(value, dict):
        for key, given in value.items():
            yield from _chained_references(given) if key.endswith(CHAIN) else references(given)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)
    elif isinstance(value, str) and "{{" in value:
        yield from (path for match in _TEMPLATE.finditer(value) if is_path(path := match[1].strip()))


def _chained_references(value: Any) -> Iterator[str]:
    if isinstance(value, list) and value:
        for item in value:
            yield from _chained_references(item)
        return
    found = [value] if is_path(value) else list(references(value))
    yield from found or [str(value)]
