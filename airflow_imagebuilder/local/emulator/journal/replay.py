"""Replay: what the lines of a state file say, in the order in which a new process needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.local.emulator.engine import ACCOUNT
from airflow_imagebuilder.local.emulator.journal import JournalError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_imagebuilder.local.emulator.engine import ApiError, Doc


class Replay:
    """The lines of an earlier process.

    :param lines: all of them; the first has its settings.
    """

    def __init__(self, lines: list[dict[str, Any]]) -> None:
        self.header, *self._entries = lines

    def account(self, wanted: str | None) -> str:
        """Return the account of the earlier process.

        :param wanted: the account that this process was started with; None if it was given none.
        :raises JournalError: it is another one.
        """
        wrote: str = self.header.get("account", ACCOUNT)
        if wanted not in (None, wrote):
            raise JournalError(
                f"The state file belongs to the account {wrote}, not to {wanted}: start the service "
                f"with --account {wrote}, or with another file"
            )
        return wrote

    @property
    def answers(self) -> list[Doc]:
        """The answers of other services.

        A timer asks before the call whose line follows, so all answers must be known first.
        """
        return [entry for entry in self._entries if "asked" in entry]

    @property
    def key_accounts(self) -> dict[str, str]:
        """The accounts of access keys."""
        return {entry["key"]: entry["account"] for entry in self._entries if "key" in entry}

    @property
    def events(self) -> Iterator[tuple[Doc, str | None]]:
        """Calls, control requests and waits of the clock, each with the outcome of the call.

        The outcome is None if the service was killed before it could be kept.
        """
        entries = [entry for entry in self._entries if "asked" not in entry and "key" not in entry]
        for entry, following in zip(entries, [*entries[1:], {}], strict=False):
            if "real" in entry:
                yield entry, following.get("outcome")


def outcome_of(answer: Doc, error: ApiError | None) -> str:
    """Return what the journal keeps of an answer: an ARN, or the code of the refusal."""
    if error:
        return error.code
    return next((value for key, value in answer.items() if key.endswith("Arn")), "")


def compare(operation: str, kept: str | None, now: str) -> None:
    """Compare the outcome of a call with that of its replay.

    :param kept: None if it was not kept.
    :raises JournalError: they differ.
    """
    if kept not in (None, now):
        raise JournalError(
            f"The state file does not replay: {operation} gave {kept} and now gives {now}. Another version "
            "wrote it; remove it to start without state."
        )
