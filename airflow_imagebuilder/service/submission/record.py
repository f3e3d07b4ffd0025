"""What a task keeps between its tries: which image is its own, and by which clear it came to it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self

    from airflow_imagebuilder.service.submission.ports import StateStore, Try

RECORD_KEY = "imagebuilder_submission"
"""Key of the task state store. Renaming it would orphan the runs in flight of the last release."""

GUARD_KEY = "imagebuilder_guard"
"""Key of the task state store under which a task that only awaits an image keeps which one."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """
    What every record holds.

    :param epoch: :attr:`Try.epoch` of the try that wrote it.
    :param clears: :attr:`Try.clears` of that try; ``None`` in records of a release that did not keep it.
    :param finished: whether a try has ended with a verdict on the image that Airflow does not retry.
    :param submitted_at: Unix time of the CreateImage or RetryImage that began the image's present life.
    """

    epoch: int
    clears: int | None = None
    finished: bool = False
    submitted_at: float | None = None

    def cleared_before(self, current: Try) -> bool:
        """
        Return whether a person cleared the task since this was written.

        A clear sets ``max_tries`` to the tries so far plus the ``retries`` of the Dag. Where ``retries`` was
        lowered, that can be the number of before. But a try that has finished is followed by a clear alone,
        unless its worker died before Airflow noted the end: then no clear of the run lies in between.
        """
        retried = self.clears is not None and self.clears == current.clears
        return self.epoch != current.epoch or (self.finished and not retried)

    def of(self, current: Try, **changes: Any) -> Self:
        """Return this record as one that the given try writes, with other changes."""
        return replace(self, epoch=current.epoch, clears=current.clears, **changes)

    @classmethod
    def load(cls, store: StateStore) -> Self | None:
        """Return what is kept; ``None`` where nothing is, or nothing that can be read."""
        value = store.get(cls.key())
        if not isinstance(value, Mapping):
            return None
        known = {name: value[name] for name in cls.__dataclass_fields__ if name in value}
        try:
            return cls(**known)
        except TypeError:
            return None  # a member that must be there is missing

    def save(self, store: StateStore) -> None:
        """Keep it. Tuples become lists, since they are no JSON."""
        store.set(self.key(), json.loads(json.dumps(asdict(self))))

    @staticmethod
    def key() -> str:
        """Return the key in the task state store."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class SubmissionRecord(Record):
    """
    The image of a task that submits.

    :param token: the client token of CreateImage.
    :param request: the request that went with it, as CreateImage takes it.
    :param count: how many images the task has asked for.
    :param arn: the image; ``None`` until CreateImage has answered.
    :param refused: whether AWS refused the request, so that no image can have this token.
    :param sent: every request that may have gone out with the token while the ARN was not known.
    """

    token: str
    request: Mapping[str, Any]
    count: int = 1
    arn: str | None = None
    refused: bool = False
    sent: Sequence[Mapping[str, Any]] = field(default=())

    @staticmethod
    def key() -> str:
        """Return the key in the task state store."""
        return RECORD_KEY


@dataclass(frozen=True, kw_only=True)
class GuardRecord(Record):
    """
    The image of a task that only awaits one.

    :param arn: the image.
    :param submitted_by: the try of the submitting task that had it, see :attr:`Try.seed`.
    """

    arn: str
    submitted_by: str | None = None

    @staticmethod
    def key() -> str:
        """Return the key in the task state store."""
        return GUARD_KEY
