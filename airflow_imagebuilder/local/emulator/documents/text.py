"""YAML and JSON texts: read without harm, with the line of every mapping."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

Doc = dict[str, Any]
#: The most nodes of a document, every alias counted as often as it is used.
MAX_NODES = 20_000
#: The deepest nesting of brackets; the reader of YAML takes seconds for thousands of them.
MAX_DEPTH = 500
_PLAIN = frozenset(
    f"tag:yaml.org,2002:{kind}" for kind in ("map", "seq", "str", "int", "float", "bool", "null")
)


class Mapping(dict[str, Any]):
    """A mapping of a document.

    :ivar line: the line on which it begins, from 1; 0 if the document has no lines, as JSON.
    """

    line = 0


class DocumentError(ValueError):
    """A document cannot be read, or says what it must not.

    :param why: the reason, as a sentence.
    :param at: the mapping in which the fault is; None if it is the document itself.
    """

    def __init__(self, why: str, at: object = None) -> None:
        line = getattr(at, "line", 0)
        super().__init__(f"Line {line}: {why}" if line else why)


class _Loader(yaml.SafeLoader):
    """Reads dates as text, because the values of a document are those of JSON."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _mapping(loader: _Loader, node: yaml.MappingNode) -> Iterator[Mapping]:
    found = Mapping()
    found.line = node.start_mark.line + 1
    yield found
    found.update({str(key): value for key, value in loader.construct_mapping(node).items()})


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def load(text: str) -> Mapping:
    """Read a document.

    :param text: YAML or JSON.
    :raises DocumentError: it is neither, is not a mapping, or is too large or too deep.
    """
    try:
        document = _yaml(text)
    except DocumentError:
        document = _json(text)
        if document is None:
            raise
    if not isinstance(document, Mapping):
        raise DocumentError("The document is not a mapping.")
    return document


def _yaml(text: str) -> Any:
    if _depth(text) > MAX_DEPTH:
        raise DocumentError("The document is nested too deeply.")
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                raise DocumentError("The document is empty.")
            _check(node)
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise DocumentError(f"The document is not YAML: line {line}: {error.problem}") from error
    except RecursionError as error:
        raise DocumentError("The document is nested too deeply.") from error
    except (yaml.YAMLError, ValueError) as error:
        if isinstance(error, DocumentError):
            raise
        raise DocumentError(f"The document is not YAML: {error}") from error


def _depth(text: str) -> int:
    """Return the most brackets that are open at one place, those in texts included."""
    deepest = depth = 0
    for character in text:
        if character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}" and depth:
            depth -= 1
    return deepest


def _json(text: str) -> Any:
    """Read JSON that is not YAML, e.g. because of its tabs; None if it is not JSON either."""

    def refuse(constant: str) -> Any:
        raise ValueError(constant)

    try:
        return json.loads(text, object_hook=Mapping, parse_constant=refuse)
    except (ValueError, RecursionError):
        return None


def _check(root: yaml.Node) -> None:
    """Check that a document has the types of JSON, has no cycle and is not too large.

    :raises DocumentError: it is not so.
    """
    sizes: dict[int, int] = {}
    open_nodes: set[int] = set()

    def size(node: yaml.Node) -> int:
        if id(node) in sizes:
            return sizes[id(node)]
        if id(node) in open_nodes:
            raise DocumentError("The document contains itself.", _at(node))
        if node.tag not in _PLAIN and not node.tag.endswith(":merge"):
            raise DocumentError(f"The document has a value of type {node.tag}.", _at(node))
        open_nodes.add(id(node))
        total = 1 + sum(size(child) for child in _children(node))
        open_nodes.discard(id(node))
        if total > MAX_NODES:
            raise DocumentError(f"The document has more than {MAX_NODES} values.", _at(node))
        sizes[id(node)] = total
        return total

    size(root)


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise DocumentError("A key is not a text.", _at(key))
            yield key
            yield value
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value
    elif node.tag.endswith(":float") and not _is_finite(node.value):
        raise DocumentError(f"{node.value} is not a number.", _at(node))


def _is_finite(text: str) -> bool:
    try:
        return math.isfinite(float(text.replace("_", "")))
    except ValueError:
        return ":" in text  # YAML's numbers to the base of 60


def _at(node: yaml.Node) -> Mapping:
    place = Mapping()
    place.line = node.start_mark.line + 1
    return place
