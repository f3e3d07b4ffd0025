"""
Exactly one image, whatever dies: what a try submits, decided from what earlier tries left behind.

Before CreateImage the client token and the request are stored, after it the ARN. A new try reads them and
asks AWS how the image is; so wherever the earlier one died, it finds that image and never builds a second.

=====================  =================================================================================
what an earlier try     what this try does
left behind
=====================  =================================================================================
nothing                 CreateImage with a new token
a token, no ARN         CreateImage with the same token: AWS returns the first image, if there is one
image in progress       attach; after a user's clear: let the kill cancel it first, then as below
image succeeded         take it (the worker died before it could say so); after a user's clear: a new image
FAILED or CANCELLED     RetryImage where AWS allows it, else a new image (:class:`OnRetry` decides)
image deleted           a new image
=====================  =================================================================================
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import Enum
from typing import Any

from airflow_imagebuilder.service.errors import (
    ImageBuilderError,
    NotFoundError,
    NotRepairableError,
    ParametersChangedError,
    RefusedError,
)
from airflow_imagebuilder.service.repair import ended_badly, repair
from airflow_imagebuilder.service.request import ImageRequest
from airflow_imagebuilder.service.states import IMAGE_FAILED, IMAGE_SUCCEEDED
from airflow_imagebuilder.service.submitted import How, Images, Store, Submitted, Try
from airflow_imagebuilder.service.tokens import random_token, token_for

log = logging.getLogger(__name__)

RECORD_KEY = "imagebuilder_submission"
"""Key of the task state store. Renaming it would orphan the runs in flight of the last release."""

GUARD_KEY = "imagebuilder_guard"
"""Key of the task state store under which a task that only awaits an image keeps which one."""

KILL_GRACE = 20.0
"""Seconds that a cleared task gives the kill of its former self to cancel the image, before it does so."""

CANCEL_PATIENCE = 600.0
"""Seconds that AWS may take from CancelImageCreation to CANCELLED: it terminates instances in between."""


class RequestChangedError(ImageBuilderError):
    """
    The image of an earlier try is still building, with other parameters than this try has.

    :param arn: that image.
    :param changed: the members of CreateImage that differ.
    """

    def __init__(self, arn: str, changed: Sequence[str]) -> None:
        self.arn, self.changed = arn, tuple(changed)
        super().__init__(
            f"Image {arn} of an earlier try is still building with other parameters (now different: "
            f"{', '.join(changed)}). It is not given up silently. To build with the new parameters: aws "
            f"imagebuilder cancel-image-creation --image-build-version-arn {arn}, then clear this task. "
            "To go on with it: put the parameters back, then clear this task."
        )


class OnRetry(str, Enum):
    """What a new try does about an image that an earlier try left FAILED or CANCELLED."""

    REPAIR = "repair"
    """RetryImage where AWS allows it (an AMI; test or distribution phase), otherwise a new image."""
    REBUILD = "rebuild"
    """Always a new image."""
    FAIL = "fail"
    """Fail again and touch nothing."""


@dataclass(frozen=True)
class _Record:
    token: str
    request: Mapping[str, Any]
    epoch: int
    count: int
    arn: str | None = None
    sent: Sequence[Mapping[str, Any]] = ()
    """Every request that may have gone out with the token while the ARN was not known."""

    @classmethod
    def load(cls, store: Store) -> _Record | None:
        value = store.get(RECORD_KEY)
        if not isinstance(value, Mapping) or not value.get("token"):
            return None
        known = cls.__dataclass_fields__
        return cls(**{name: member for name, member in value.items() if name in known})


class Submission:
    """
    Submit, or find again, the one image of a task.

    :param images: the calls, see :class:`Images`.
    :param store: what outlives a try, see :class:`Store`.
    :param on_retry: what to do about an image that an earlier try left FAILED or CANCELLED.
    """

    def __init__(
        self,
        images: Images,
        store: Store,
        *,
        on_retry: OnRetry = OnRetry.REPAIR,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.images, self.store, self.on_retry = images, store, on_retry
        self.clock, self.sleep = clock, sleep
        self.sent: tuple[ImageRequest, str] | None = None
        """The CreateImage that went out last, with its token: sent again, it gives the same image."""

    def submit(self, request: ImageRequest, this: Try) -> Submitted:
        """
        Return the one image of this task; see the table at the head of this module.

        :raises RequestChangedError: the image of an earlier try is still building with other parameters.
        :raises ImageFailedError: (or ImageCancelledError) it had ended badly, and ``on_retry`` is FAIL.
        """
        record = _Record.load(self.store)
        if record is None:
            return self._create(request, this, count=1)
        if record.arn is None:
            record = self._recover(record, request, this)
        image = self._image(record)
        if image is None:
            log.info("Image %s is gone from AWS: building a new one.", record.arn)
            return self._create(request, this, count=record.count + 1)
        return self._continue(record, image, request, this)

    def rejoin(
        self, arn: str, this: Try, *, stale_until: float | None = None, submitted_by: str | None = None
    ) -> Submitted:
        """
        Attach to an image that another task submitted; repair it if an earlier try of this task saw it end.

        :param stale_until: Unix time until which a FAILED may be the one before a repair by that task.
        :param submitted_by: the try of that task which submitted, found or repaired it (:attr:`Try.seed`).
        :raises NotRepairableError: it ended badly, and AWS cannot run it on.
        :raises ImageFailedError: (or ImageCancelledError) it ended badly, and ``on_retry`` is FAIL.
        """
        seen = self.store.get(GUARD_KEY)
        seen = seen if isinstance(seen, Mapping) and seen.get("arn") == arn else None
        self.store.set(GUARD_KEY, {"arn": arn, "epoch": this.epoch, "submitted_by": submitted_by})
        if seen is None or seen.get("submitted_by", submitted_by) != submitted_by:
            # New to this task, or cleared together with that task, which has dealt with what it found: what
            # is in progress now is its repair, no longer the build that a clear of this task alone cancels.
            return Submitted(arn, How.ATTACHED, stale_until)
        image = self.images.get_image(arn)
        if image["state"]["status"] not in IMAGE_SUCCEEDED | IMAGE_FAILED and seen["epoch"] != this.epoch:
            image = self.settle(arn)
        if image["state"]["status"] not in IMAGE_FAILED or (stale_until and self.clock() < stale_until):
            return Submitted(arn, How.ATTACHED, stale_until)
        if self.on_retry is not OnRetry.REPAIR:
            raise ended_badly(arn, image)
        repaired = repair(self.images, arn, image, clock=self.clock)
        if repaired is None:
            raise NotRepairableError(arn, ended_badly(arn, image))
        return repaired

    # -- what the image's state asks for -------------------------------------------------------------------

    def _continue(
        self, record: _Record, image: Mapping[str, Any], request: ImageRequest, this: Try
    ) -> Submitted:
        arn, cleared = str(record.arn), record.epoch != this.epoch
        status = image["state"]["status"]
        if status not in IMAGE_SUCCEEDED | IMAGE_FAILED:
            if not cleared:
                return self._attach(record, request, this)
            image = self.settle(arn)
            status = image["state"]["status"]
        changed = _changed(record.request, request.to_api())
        if status in IMAGE_SUCCEEDED and not cleared and not changed:
            return self._attach(record, request, this)
        if status in IMAGE_SUCCEEDED or changed or self.on_retry is OnRetry.REBUILD:
            log.info("Image %s of an earlier try ended %s: building a new one.", arn, status)
            return self._create(request, this, count=record.count + 1)
        if self.on_retry is OnRetry.FAIL:
            raise ended_badly(arn, image)
        return self._repair(record, image, request, this)

    def _attach(self, record: _Record, request: ImageRequest, this: Try) -> Submitted:
        if changed := _changed(record.request, request.to_api()):
            raise RequestChangedError(str(record.arn), changed)
        self._save(replace(record, epoch=this.epoch))
        return Submitted(str(record.arn), How.ATTACHED)

    def _repair(
        self, record: _Record, image: Mapping[str, Any], request: ImageRequest, this: Try
    ) -> Submitted:
        arn = str(record.arn)
        if repaired := repair(self.images, arn, image, clock=self.clock):
            self._save(replace(record, epoch=this.epoch))
            return repaired
        return self._create(request, this, count=record.count + 1)

    # -- the calls that cost money -------------------------------------------------------------------------

    def _create(self, request: ImageRequest, this: Try, *, count: int) -> Submitted:
        record = _Record(
            token=token_for(this.seed, str(count)), request=request.to_api(), epoch=this.epoch, count=count
        )
        self._save(record)
        arn = self._send(request, record.token)
        self._save(replace(record, arn=arn))
        return Submitted(arn, How.CREATED)

    def _send(self, request: ImageRequest, token: str) -> str:
        self.sent = request, token
        return self.images.create_image(request, token)

    def _recover(self, record: _Record, request: ImageRequest, this: Try) -> _Record:
        """
        Learn the ARN that an earlier try could not store any more.

        With parameters that changed since, AWS tells: either no call of before arrived, and this one builds
        with the new parameters; or it refuses the mismatch, and one of the old requests finds its image.
        """
        now = request.to_api()
        others = [sent for sent in (record.request, *(record.sent or ())) if _changed(sent, now)]
        record = replace(record, sent=[*others, now])
        self._save(record)
        for candidate in [now, *others]:
            try:
                arn = self._send(ImageRequest.from_api(candidate), record.token)
            except ParametersChangedError as error:
                mismatch = error
            else:
                epoch = record.epoch if candidate in others else this.epoch
                record = replace(record, request=candidate, epoch=epoch, arn=arn, sent=())
                self._save(record)
                return record
        raise mismatch

    def settle(self, arn: str) -> dict[str, Any]:
        """
        Return the image once it has ended, after the task was cleared while it was building.

        The kill of the task's former self cancels the image; where that does not come, this try does it.

        :raises ImageBuilderError: AWS has not cancelled it within :data:`CANCEL_PATIENCE` seconds.
        """
        log.info("This task was cleared while image %s was building: waiting for its cancellation.", arn)
        begin, cancelled = self.clock(), False
        while self.clock() - begin < CANCEL_PATIENCE:
            image = self.images.get_image(arn)
            if image["state"]["status"] in IMAGE_SUCCEEDED | IMAGE_FAILED:
                return image
            if not cancelled and self.clock() - begin >= KILL_GRACE:
                cancelled = True
                self._cancel(arn)
            self.sleep(2)
        raise ImageBuilderError(
            f"Image {arn} was cancelled, but after {CANCEL_PATIENCE:.0f} s AWS still shows it in progress. "
            "Look at it in the Image Builder console, then clear this task again."
        )

    def _cancel(self, arn: str) -> None:
        log.warning("Nobody cancelled image %s: cancelling it now, for the clear of this task.", arn)
        try:
            self.images.cancel_image(arn, random_token())
        except RefusedError as refusal:
            # It ended, or is being cancelled already, in the moment between: the next look tells.
            log.info("CancelImageCreation was refused: %s", refusal)

    # -- what is kept --------------------------------------------------------------------------------------

    def _image(self, record: _Record) -> dict[str, Any] | None:
        try:
            return self.images.get_image(str(record.arn))
        except NotFoundError:
            return None

    def _save(self, record: _Record) -> None:
        self.store.set(RECORD_KEY, json.loads(json.dumps(asdict(record))))  # tuples are no JSON


def _changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Name the members of CreateImage that differ. Compared as JSON, since that is how they are kept."""
    return [
        name
        for name in sorted({*before, *now})
        if json.dumps(before.get(name), sort_keys=True) != json.dumps(now.get(name), sort_keys=True)
    ]
