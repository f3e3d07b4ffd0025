"""What a task stores between its tries: its image, and the clears that were counted by then."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self

    from airflow_imagebuilder.service.submission.ports import StateStore, Try

RECORD_KEY = "imagebuilder_submission"
"""Key of the task state store. Another key would lose the builds that the last release has in flight."""

GUARD_KEY = "imagebuilder_guard"
"""Key of the task state store for a task that only awaits an image."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """
    The members of every record.

    :param epoch: :attr:`Try.epoch` of the try that wrote it.
    :param clears: :attr:`Try.clears` of that try; ``None`` if Airflow did not count them.
    :param finished: whether a try has ended with a verdict on the image that Airflow does not retry.
    :param submitted_at: Unix time of the last submit or RetryImage of the image.
    """

    epoch: int
    clears: int | None = None
    finished: bool = False
    submitted_at: float | None = None

    def cleared_before(self, current: Try) -> bool:
        """
        Return whether a person has cleared the task since this record was written.

        A clear sets ``max_tries`` to the tries so far plus the ``retries`` of the Dag. If ``retries`` was
        lowered, the new number can equal the old one, and ``epoch`` does not show the clear. Then
        ``finished`` shows it, because Airflow does not retry a finished try. One exception: the worker died
        before Airflow stored that the try had finished. Then the run's count of clears has not changed.

        :param current: the try that asks.
        """
        retried = self.clears is not None and self.clears == current.clears
        return self.epoch != current.epoch or (self.finished and not retried)

    def of(self, current: Try, **changes: Any) -> Self:
        """Return a copy of this record as a try writes it, with further changes."""
        return replace(self, epoch=current.epoch, clears=current.clears, **changes)

    @classmethod
    def load(cls, store: StateStore) -> Self | None:
        """Return the stored record; ``None`` if there is none that can be read."""
        value = store.get(cls.key())
        if not isinstance(value, Mapping):
            return None
        known = {name: value[name] for name in cls.__dataclass_fields__ if name in value}
        try:
            return cls(**known)
        except TypeError:
            return None  # a required member is missing

    def save(self, store: StateStore) -> None:
        """Store the record. Tuples become lists, as JSON has them."""
        store.set(self.key(), json.loads(json.dumps(asdict(self))))

    @staticmethod
    def key() -> str:
        """Return the key in the task state store."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class SubmissionRecord(Record):
    """
    The image of a task that submits.

    :param token: the client token of the request.
    :param request: the request that was sent with it, as AWS takes it.
    :param count: how many client tokens the task has used: each new image takes another one.
    :param arn: the image; ``None`` until AWS has answered.
    :param refused: whether AWS refused the request, so that no image can have this token.
    :param sent: every request that may have been sent with the token while the ARN was not known.
    :param definition: what the request referred to when the token was made: of a pipeline, its recipe,
        configurations and workflows. ``None`` if the request is complete by itself, or this was not known.
    """

    token: str
    request: Mapping[str, Any]
    count: int = 1
    arn: str | None = None
    refused: bool = False
    sent: Sequence[Mapping[str, Any]] = field(default=())
    definition: Mapping[str, Any] | None = None

    @staticmethod
    def key() -> str:
        """Return the key in the task state store."""
        return RECORD_KEY


@dataclass(frozen=True, kw_only=True)
class GuardRecord(Record):
    """
    The image of a task that only awaits one.

    :param arn: the image.
    :param submitted_by: the :attr:`Try.seed` of the submitting task's try that had it.
    """

    arn: str
    submitted_by: str | None = None

    @staticmethod
    def key() -> str:
        """Return the key in the task state store."""
        return GUARD_KEY
