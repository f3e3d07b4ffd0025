"""The roots of the tree of errors, and what is refused before anything is sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.text import (
    cut_and_clean,
    one_line,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

MESSAGE, NAME = 1000, 120
"""Characters that are shown of a message, and of a code or an id."""


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a request, with what the user can do about it.

    :param field: the field as the user wrote it, e.g. ``workflows[2].parallel_group``.
    :param value: the value that the user gave; ``None`` if none was given.
    :param allowed: what is allowed there.
    :param remedy: what to do.
    """

    field: str
    value: object
    allowed: str
    remedy: str

    def __str__(self) -> str:
        # Repeated spaces may be the fault, so they stay.
        value = cut_and_clean(repr(self.value)).replace("\n", " ")
        got = "not given" if self.value is None else f"got {value}"
        field, allowed, remedy = (one_line(part, MESSAGE) for part in (self.field, self.allowed, self.remedy))
        return f"{field}: {got}; allowed: {allowed}; {remedy}"


class ImageBuilderError(Exception):
    """The root of every error that this package raises about Image Builder.

    Cause: One of the errors below it.

    Way out: Catch it to handle every error of this package in one place; the error itself says what to do.
    """

    def without_next_step(self) -> str:
        """Return the message without advice on how to continue the image."""
        return str(self)

    def __reduce__(self) -> tuple[Any, ...]:
        # Exception.__reduce__ calls the class with the message alone, which no subclass here accepts.
        return rebuild, (type(self), self.args, dict(self.__dict__))


class InvalidRequestError(ImageBuilderError, ValueError):
    """A request was refused before anything was sent to AWS.

    Cause: A parameter, or two that depend on each other, are not what AWS allows; or a template rendered text
    that is not. The message lists every fault.

    Way out: Correct each field as its line says, then parse the Dag again, or clear the task where a template
    was wrong.

    :param faults: all faults at once, each with its field, value, what is allowed and the remedy.
    :param of: whose request it is, e.g. ``task 'bake'``: Airflow's import errors do not show the Dag's line.
    """

    def __init__(self, faults: Sequence[Fault], of: str | None = None) -> None:
        self.faults = tuple(faults)
        count = "1 fault" if len(self.faults) == 1 else f"{len(self.faults)} faults"
        head = f"Nothing was sent to AWS, the request{f' of {of}' if of else ''} has {count}:"
        super().__init__("\n".join([head, *(f"  - {fault}" for fault in self.faults)]))


class NoSuchTestsError(InvalidRequestError, KeyError):
    """A task group has no test group of the name that was asked for.

    Cause: ``group.tests[name]`` names a test group, or a test, that the group does not draw.

    Way out: Use one of the names that the message lists.
    """

    __str__ = Exception.__str__  # KeyError.__str__ shows the message in quotes, on one line


class OutdatedBoto3Error(InvalidRequestError):
    """The installed boto3 is older than an operation of AWS, or than a member of the request.

    Cause: AWS added the operation, or the member, after the installed version of boto3.

    Way out: Upgrade boto3 to the version that the message names, or leave the member out.
    """

    @property
    def why(self) -> str:
        """The faults as one clause, each with what it needs and what to do."""
        return "; ".join(f"{fault.field} needs {fault.allowed}: {fault.remedy}" for fault in self.faults)


class StateStoreError(ImageBuilderError):
    """What a task keeps between its tries could not be read or written, so this try started no build.

    Cause: Airflow's API server, or before Airflow 3.3 its Variables, did not answer the worker.

    Way out: Nothing, while tries are left: the next one reads the store again. Otherwise check that the API
    server answers, then clear the task.

    :param reason: the error of the store, or of the connection to it.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(
            "This try started no build: Airflow did not read or store what this task keeps between its tries "
            f"(before Airflow 3.3, a Variable imagebuilder-...): {one_line(reason)}\n"
            "Without that record a later try could not find the image, and would build a second one. An "
            "image of an earlier try, or of the task that submits, may still be building.\n"
            "The next try of this task reads the store again. If no try is left, check that Airflow's API "
            "server answers its workers, then clear this task, with its downstream tasks. The clear cancels "
            "an image of this task that is still building, unless cancel_on_kill is False."
        )


def cause_line(cause: BaseException | str) -> str:
    """Return a cause as one line, with the class of an error that is not ours."""
    if isinstance(cause, str):
        return cause
    line = str(cause).partition("\n")[0]
    if isinstance(cause, ImageBuilderError):
        return line
    return f"{type(cause).__name__}: {line}" if line else type(cause).__name__


def rebuild(kind: type[ImageBuilderError], args: tuple[Any, ...], state: dict[str, Any]) -> ImageBuilderError:
    """Return an error as pickle and copy keep it: without a second call of its constructor."""
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error
