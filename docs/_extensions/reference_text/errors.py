"""The errors: the tree, and of each error its cause, the way out of it, and whether Airflow tries again."""

from __future__ import annotations

import re

from airflow_imagebuilder.compat import RetryDecision
from airflow_imagebuilder.operators.retry_policy import ImageBuilderRetryPolicy
from airflow_imagebuilder.service import errors
from airflow_imagebuilder.service.errors import ImageBuilderError
from airflow_imagebuilder.service.results.advice.advice import REASONS
from reference_text import docstring
from reference_text.docstring import indented, literal, plain, table

PACKAGE = "airflow_imagebuilder"
HOME = "airflow_imagebuilder.service.errors"


def classes(root: type[ImageBuilderError] = ImageBuilderError) -> list[type[ImageBuilderError]]:
    """Return every error class of the package, in the order of the tree."""
    below = [cls for cls in root.__subclasses__() if cls.__module__.startswith(HOME)]
    return [root, *(found for cls in below for found in classes(cls))]


def tree_text() -> str:
    """Return the tree of the errors, from the docstring of the package, as a block of text."""
    tree = re.search(r"^::\n\n((?: {4}.*\n|\n)+)", errors.__doc__ or "", re.MULTILINE)
    return f".. code-block:: text\n   :class: error-tree\n\n{tree[1]}" if tree else ""


def cause(cls: type[ImageBuilderError]) -> str:
    """Return what is wrong, from the docstring."""
    return _paragraph(cls, "Cause") or docstring.summary(cls)


def way_out(cls: type[ImageBuilderError]) -> str:
    """Return what to do, from the docstring; of an answer of AWS, what its message says too."""
    return _paragraph(cls, "Way out") or plain(getattr(cls, "remedy", ""))


def retries(cls: type[ImageBuilderError]) -> str:
    """Return what Airflow does with the error, as the default policy of the operators decides."""
    error = cls.__new__(cls)
    vars(error).setdefault("code", "")
    decision = ImageBuilderRetryPolicy().evaluate(error, 1, 3)
    if decision.action == RetryDecision.fail().action:
        return f"It fails the task at once, with tries left, too: {decision.reason}."
    if decision.action == RetryDecision.retry().action:
        delay = getattr(decision, "retry_delay", None)
        after = f" after {delay.total_seconds() / 60:g} minutes" if delay else ""
        return f"It tries again{after}, as often as ``retries`` allows: {decision.reason}.".replace(
            "1 minutes", "1 minute"
        )
    return "It tries again as ``retries`` and ``retry_delay`` say."


def error_text(cls: type[ImageBuilderError]) -> str:
    """Return the description of one error."""
    bases = [base for base in cls.__bases__ if base is not Exception]
    below = " and ".join(
        f":class:`{base.__name__}`"
        if issubclass(base, ImageBuilderError)
        else f"Python's ``{base.__name__}``"
        for base in bases
    )
    parts = [
        docstring.summary(cls),
        f"*Below:* {below}." if below else "",
        f"*Cause:* {cause(cls)}",
        f"*Way out:* {way_out(cls)}",
        f"*Airflow:* {retries(cls)}",
    ]
    # An error shows its attributes: they have the names of its parameters.
    if attributes := docstring.read(cls).params:
        rows = [("Attribute", "Meaning"), *((literal(name), text) for name, text in attributes.items())]
        parts.append(table((22, 78), rows))
    body = indented("\n\n".join(filter(None, parts)))
    return f".. py:exception:: {cls.__name__}\n   :module: {HOME}\n\n{body}\n"


def errors_text() -> str:
    """Return the descriptions of all errors."""
    return "\n".join(map(error_text, classes()))


def reasons_text() -> str:
    """Return the table of the known reasons of failed builds."""
    rows = [("Reason", "Cause", "What to do", "Known")]
    for reason in REASONS:
        address = re.match(r"https://[^\s,]+", reason.source)
        link = (
            f"`{reason.mark.value} <{address[0]}>`__"
            if address
            else plain(f"{reason.mark.value}: {reason.source}")
        )
        rows.append((literal(reason.name), plain(reason.cause), plain(reason.advice), link))
    return f"{len(REASONS)} reasons are known.\n\n{table((14, 34, 36, 16), rows, css='reference reasons')}"


def _paragraph(cls: type, head: str) -> str:
    for paragraph in docstring.read(cls).body.split("\n\n"):
        if paragraph.startswith(f"{head}: "):
            return " ".join(paragraph[len(head) + 2 :].split())
    return ""
