"""
Directives of the reference: they show what :mod:`reference_text` makes of the live objects.

``.. described-class:: ImageBuilderCreateImageOperator`` and ``.. generated:: options``; both are written
inside of an ``{eval-rst}`` block. A short name, such as ``ImageResult``, leads to where it is described.
"""

from __future__ import annotations

import builtins
import functools
import importlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import exceptions
from docutils import nodes
from docutils.statemachine import StringList
from reference_text import classes, commands, errors, tables
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

import airflow_imagebuilder

if TYPE_CHECKING:
    from collections.abc import Callable

    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

log = logging.getLogger(__name__)

GENERATED: dict[str, Callable[[], str]] = {
    "command lines": commands.commands_text,
    "error tree": errors.tree_text,
    "errors": errors.errors_text,
    "hook": classes.hook_text,
    "known reasons": errors.reasons_text,
    "links": tables.links_text,
    "metrics": tables.metrics_text,
    "options": tables.options_text,
    "scenario": tables.scenario_text,
    "xcoms": tables.xcoms_text,
}


class _Text(SphinxDirective):
    """Parse text as if it were written in place of the directive."""

    required_arguments = 1
    final_argument_whitespace = True

    def text(self) -> str:
        """Return the text."""
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        """Parse it."""
        self.env.note_reread()  # the code may have changed, where the page has not
        container = nodes.Element()
        lines = StringList(self.text().splitlines(), source=f"<{self.name} {self.arguments[0]}>")
        self.state.nested_parse(lines, self.content_offset, container)
        return container.children


class DescribedClass(_Text):
    """A class with all of its parameters."""

    def text(self) -> str:
        """Return its description."""
        return classes.class_text(self.arguments[0])


class Generated(_Text):
    """A table or a list of :data:`GENERATED`."""

    option_spec: ClassVar[dict[str, Any]] = {}

    def text(self) -> str:
        """Return it."""
        return GENERATED[self.arguments[0]]()


def resolve_short_name(
    app: Sphinx, env: BuildEnvironment, node: Any, content: nodes.TextElement
) -> nodes.Node | None:
    """Lead a reference to the one object whose name ends with the one that is written."""
    if node.get("refdomain") != "py":
        return None
    target = node["reftarget"].lstrip(".~")
    objects = env.get_domain("py").objects
    for tail in (target, target.rpartition(".")[2] if target.startswith("airflow_imagebuilder.") else target):
        found = [name for name in objects if name == tail or name.endswith(f".{tail}")]
        if found:
            name = min(found, key=len)
            described = objects[name]
            builder = app.builder
            reference = nodes.reference("", "", internal=True)
            reference["refuri"] = (
                builder.get_relative_uri(node["refdoc"], described.docname) + f"#{described.node_id}"
            )
            reference += content.deepcopy()
            return reference
    _warn_about_own(target, node)
    return None


def _warn_about_own(target: str, node: Any) -> None:
    """Warn of a name of this package that is gone, or that is public and not described."""
    if target in airflow_imagebuilder.__all__ or hasattr(airflow_imagebuilder.service.errors, target):
        log.warning("%s is public, and the reference does not describe it", target, location=node)
    elif not _exists(target) and (
        target.startswith("airflow_imagebuilder.") or ("." not in target and node["reftype"] != "meth")
    ):
        log.warning("%s does not exist", target, location=node)


@functools.cache
def _own_names() -> frozenset[str]:
    """Return the names that the modules of this package define."""
    defined = re.compile(r"^(?:class |def |async def )?([A-Za-z_]\w*)(?:\(|:| =)", re.MULTILINE)
    files = Path(airflow_imagebuilder.__file__).parent.rglob("*.py")
    return frozenset(name for path in files for name in defined.findall(path.read_text("utf-8")))


def _exists(target: str) -> bool:
    if "." not in target:
        return target in _own_names() or any(hasattr(module, target) for module in (builtins, exceptions))
    parts = target.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:length]))
        except ImportError:
            continue
        for part in parts[length:]:
            found = getattr(found, part, None)
        return found is not None
    return False


class Note(SphinxRole):
    """A note below the meaning of a parameter, as it is written."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Return it."""
        return [nodes.inline(self.text, self.text, classes=[self.name])], []


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect it."""
    app.add_directive("described-class", DescribedClass)
    app.add_directive("generated", Generated)
    app.add_role("ref-note", Note())
    app.connect("missing-reference", resolve_short_name)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
