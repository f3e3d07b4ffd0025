"""Text from other systems, made safe and short for a message or a log line."""

from __future__ import annotations

import re
import unicodedata
from html import unescape

from airflow_imagebuilder import aws_model
from airflow_imagebuilder.service.arns.grammar import name_and_version, region_in

_SHOWN = 240
_READ = 20  # characters read per character shown: a text may consist mostly of escape sequences
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

NEW_IMAGE = "that builds a new image."
CLEAR = "clear the task group (without one: the task that submitted the image) with its downstream tasks"
"""The step in Airflow that continues the image or builds another one."""
MAY_CONTINUE = "RetryImage continues this image where AWS allows it, otherwise a new one is built."


def what_continues() -> str:
    """Return what a new try does about an image whose stage is not known: :data:`MAY_CONTINUE`, if it can."""
    return MAY_CONTINUE if aws_model.has_retry_image() else f"{NEW_IMAGE}\n{no_repair()}"


def no_repair() -> str:
    """Return why no try repairs an image, where the installed boto3 lacks RetryImage."""
    return f"(A new try cannot continue this one: {aws_model.lack(aws_model.RETRY_IMAGE)}.)"


def clean(text: str) -> str:
    """Return a text that cannot move a terminal or hide other text.

    Escape sequences, control, bidirectional and zero-width characters are removed or replaced.
    """
    if text.isprintable():
        return text
    plain = _LINE_ENDS.sub("\n", _ESCAPES.sub("", text))
    return "".join(c if c.isprintable() or c in "\n\t" else _substitute(c) for c in plain)


def shortened(text: str, limit: int = _SHOWN) -> str:
    """Return a text cut for a message, with its full length.

    :param limit: the number of characters shown; 240 by default.
    """
    return _cut(text, limit, len(text))


def cut_and_clean(text: str, limit: int = _SHOWN, note: str = "") -> str:
    """Return a text of any size, cleaned and cut.

    :param limit: the number of characters shown; 240 by default.
    :param note: text to add after the length, such as where the rest is; none by default.
    """
    text = text.strip()
    return _cut(clean(text[: limit * _READ]), limit, len(text), note)


def one_line(text: object, limit: int = _SHOWN) -> str:
    """Return a text of any size on one line, cleaned and cut.

    :param limit: the number of characters shown; 240 by default.
    """
    whole = str(text).strip()
    return _cut(" ".join(clean(whole[: limit * _READ]).split()), limit, len(whole))


def answer_line(text: object, limit: int) -> str:
    """Return the answer of AWS, or of a proxy in its place, on one line; of an HTML page only the title.

    :param limit: the number of characters shown.
    """
    whole = str(text)
    page = _PAGE.search(whole[:5000])
    if page is None:
        return one_line(whole, limit)
    found = _HEADINGS.search(whole[page.start() : page.start() + 20_000])
    title = one_line(unescape(_TAG.sub(" ", found[2])), _TITLE) if found else ""
    return f'an HTML page in place of an answer: "{title}"' if title else "an HTML page in place of an answer"


def image_name(arn: str) -> str:
    """Return the short name of an image, e.g. ``golden-al2023 1.0.0/3``; any other text as it is."""
    return one_line(name_and_version(arn, "image"))


def aws_command(operation: str, arn: str) -> str:
    """Return the AWS CLI's command for an image, with the region of its ARN.

    :param operation: the operation of the CLI, e.g. ``cancel-image-creation``.
    :param arn: the image build version ARN.
    """
    region = region_in(arn)
    where = f" --region {region}" if region else ""
    return f"aws imagebuilder {operation} --image-build-version-arn {arn}{where}"


def _cut(text: str, limit: int, length: int, note: str = "") -> str:
    if len(text) <= limit:
        return text
    end = f"... ({length} characters{note})"
    return f"{text[: max(limit - len(end), 1)]}{end}"


def _substitute(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cf":
        return ""
    return " " if category == "Zs" else "?"
