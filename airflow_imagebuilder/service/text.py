"""Texts of others in a message: cut, without what moves a terminal."""

from __future__ import annotations

import re
import unicodedata
from html import unescape

_SHOWN = 240
_READ = 20  # times the limit: what is read of a text that may be mostly escape sequences
_TITLE = 120

_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours, cursor
    r"|(?:\x1b\]|\x9d)[^\x07\x1b\x9c]{0,2000}(?:\x07|\x1b\\|\x9c)"  # window titles, links
    r"|\x1b[ -/]*[0-~]"
)
_LINE_ENDS = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_PAGE = re.compile(r"<!doctype html|<html\b", re.IGNORECASE)
_HEADINGS = re.compile(r"<(title|h1)\b[^>]*>(.*?)</\1\s*>", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^>]*>")

CLEAR = "clear the task group (without one: the task that submitted the image, with what follows it)"
"""What a person does in Airflow to continue, or to build again."""
MAY_CONTINUE = "RetryImage continues this image where AWS allows it, otherwise a new one is built."


def clean(text: str) -> str:
    """Take out of a text what moves a terminal or hides text: escape sequences, control, bidi, zero width."""
    if text.isprintable():
        return text
    plain = _LINE_ENDS.sub("\n", _ESCAPES.sub("", text))
    return "".join(c if c.isprintable() or c in "\n\t" else _stand_in(c) for c in plain)


def shortened(text: str, limit: int = _SHOWN) -> str:
    """Cut a text for a message, and say how long it was."""
    return _cut(text, limit, len(text))


def cut_and_clean(text: str, limit: int = _SHOWN, note: str = "") -> str:
    """Clean a text that may be of any size, and cut it.

    :param limit: characters that are shown.
    :param note: what to say beside the length, such as where the rest is.
    """
    text = text.strip()
    return _cut(clean(text[: limit * _READ]), limit, len(text), note)


def one_line(text: object, limit: int = _SHOWN) -> str:
    """Put a text that may be of any size on one clean line, and cut it."""
    whole = str(text).strip()
    return _cut(" ".join(clean(whole[: limit * _READ]).split()), limit, len(whole))


def answer_line(text: object, limit: int) -> str:
    """Put what AWS, or a proxy in its place, answered on one line: of an HTML page, only its title.

    :param limit: characters that are shown.
    """
    whole = str(text)
    page = _PAGE.search(whole[:5000])
    if page is None:
        return one_line(whole, limit)
    found = _HEADINGS.search(whole[page.start() : page.start() + 20_000])
    title = one_line(unescape(_TAG.sub(" ", found[2])), _TITLE) if found else ""
    return f'an HTML page in place of an answer: "{title}"' if title else "an HTML page in place of an answer"


def image_name(arn: str) -> str:
    """Return how a message names an image, ``golden-al2023 1.0.0/3``; another text is returned as it is."""
    _, image, tail = arn.partition(":image/")
    return one_line(tail.replace("/", " ", 1) if image and tail else arn)


def aws_command(operation: str, arn: str) -> str:
    """Return the AWS CLI's command for an image, with the region of its ARN.

    :param operation: of the CLI, e.g. ``cancel-image-creation``.
    """
    region = arn.split(":")[3:4]
    where = f" --region {region[0]}" if region and region[0] else ""
    return f"aws imagebuilder {operation} --image-build-version-arn {arn}{where}"


def _cut(text: str, limit: int, length: int, note: str = "") -> str:
    if len(text) <= limit:
        return text
    end = f"... ({length} characters{note})"
    return f"{text[: max(limit - len(end), 1)]}{end}"


def _stand_in(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cf":
        return ""
    return " " if category == "Zs" else "?"
