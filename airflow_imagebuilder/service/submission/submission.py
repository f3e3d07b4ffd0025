"""
Exactly one image, whatever dies: what a try submits, decided from what earlier tries left behind.

Before CreateImage the client token and the request are stored, after it the ARN. What cannot be stored is not
sent. A new try reads them and asks AWS how the image is. So wherever the earlier one died, the new one finds
that image and never builds a second.

=====================  ==============================  ===================================================
what an earlier try    this try, if Airflow retries    this try, if a person cleared the task
left behind
=====================  ==============================  ===================================================
nothing                CreateImage with a new token    the same
a token, no ARN        CreateImage with the same       the same; then as below
                       token: AWS returns the first
                       image, if there is one
a request that AWS     CreateImage with a new token    the same
refused
image in progress      attach                          let the kill cancel it first, then as below;
                                                       attach with ``cancel=False``
image succeeded        take it: the worker died        a new image
                       before it could return it
FAILED or CANCELLED    :class:`OnRetry` decides:       the same; a new image where ``on_retry`` is FAIL
                       RetryImage where AWS allows
                       it, else a new image
no such image          fail: it may be there all the   a new image
                       same
=====================  ==============================  ===================================================
"""

from __future__ import annotations

import json
import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.client.tokens import random_token, token_for
from airflow_imagebuilder.service.errors import (
    AwsError,
    ForbiddenError,
    ImageBuilderError,
    ImageNotFoundError,
    NotFoundError,
    NotRepairableError,
    ParametersChangedError,
    QuotaExceededError,
    RefusedError,
    RequestChangedError,
    StateStoreError,
    WaitInterruptedError,
    ended_badly,
)
from airflow_imagebuilder.service.request.image_request import ImageRequest
from airflow_imagebuilder.service.states import IMAGE_FAILED, IMAGE_SUCCEEDED
from airflow_imagebuilder.service.submission.decision import Action, OnRetry, decide
from airflow_imagebuilder.service.submission.ports import ImageBuilder, Origin, StateStore, Submitted, Try
from airflow_imagebuilder.service.submission.record import (
    GUARD_KEY,
    RECORD_KEY,
    GuardRecord,
    Record,
    SubmissionRecord,
)
from airflow_imagebuilder.service.submission.repair import may_be_stale, repair

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["GUARD_KEY", "KILL_GRACE", "RECORD_KEY", "OnRetry", "RequestChangedError", "Submission"]

log = logging.getLogger(__name__)

KILL_GRACE = 20.0
"""Seconds that a cleared task gives the kill of its former self to cancel the image, before it does so."""

CANCEL_PATIENCE = 600.0
"""Seconds that AWS may take from CancelImageCreation to CANCELLED: it terminates instances in between."""

FIND_PATIENCE = 60.0
"""Seconds for which GetImage may answer "not found" for the image of an earlier try."""

_FIND_INTERVAL = 5.0
_REFUSALS = (RefusedError, ForbiddenError, NotFoundError, QuotaExceededError)


class Submission:
    """
    Submit, or find again, the one image of a task.

    :param images: the calls, see :class:`ImageBuilder`.
    :param store: what outlives a try, see :class:`StateStore`.
    :param on_retry: what to do about an image that an earlier try left FAILED or CANCELLED.
    :param cancel: whether a clear may cancel a build that is in progress; with ``False`` it attaches.
    :param announce: called with the ARN before RetryImage: who still wants to cancel the image for an earlier
        try finds in what it publishes that the image has a new life.
    """

    def __init__(
        self,
        images: ImageBuilder,
        store: StateStore,
        *,
        on_retry: OnRetry = OnRetry.REPAIR,
        cancel: bool = True,
        announce: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.images, self.store, self.on_retry = images, store, on_retry
        self.cancel, self.announce = cancel, announce
        self.clock, self.sleep = clock, sleep
        self.sent: tuple[ImageRequest, str] | None = None
        """The CreateImage that went out last, with its token: sent again, it gives the same image."""
        self.arn: str | None = None
        """The image that this try is about, as soon as it is known."""

    def submit(self, request: ImageRequest, this: Try) -> Submitted:
        """
        Return the one image of this task; see the table at the head of this module.

        :raises StateStoreError: the token could not be stored, so nothing was sent.
        :raises RequestChangedError: the image of an earlier try is still building with other parameters.
        :raises ImageNotFoundError: AWS does not know the image of an earlier try, and this is no clear.
        :raises WaitInterruptedError: AWS does not say how that image is.
        :raises ImageFailedError: (or ImageCancelledError) it ended badly, and ``on_retry`` is FAIL.
        """
        record = SubmissionRecord.load(self.store)
        if record is None:
            return self._create(request, this, count=1)
        if record.arn is None and record.refused:
            return self._create(request, this, count=record.count + 1)
        left = record
        if record.arn is None:
            record = self._recover(record, request, this)
        self.arn = record.arn
        try:
            image = self._find(str(record.arn))
        except ImageNotFoundError as missing:
            if not record.cleared_before(this):
                raise
            log.warning("A person cleared this task, so a new image is built. %s", missing)
            return self._create(request, this, count=record.count + 1)
        # An image without an ARN may be one that has begun just now, but not where it has ended already.
        ended = image["state"]["status"] in IMAGE_SUCCEEDED | IMAGE_FAILED
        cleared = (left if ended else record).cleared_before(this)
        return self._continue(record, image, request, this, cleared=cleared)

    def rejoin(
        self,
        arn: str,
        this: Try,
        *,
        stale_until: float | None = None,
        stale_failure: str | None = None,
        submitted_by: str | None = None,
        submitted_at: float | None = None,
    ) -> Submitted:
        """
        Attach to an image that another task submitted; repair it if an earlier try of this task saw it end.

        :param stale_until: Unix time until which a FAILED may be the one before a repair by that task.
        :param stale_failure: the workflow execution that had failed before it, see :class:`Submitted`.
        :param submitted_by: the try of that task which submitted, found or repaired it (:attr:`Try.seed`).
        :param submitted_at: Unix time of that task's CreateImage or RetryImage.
        :raises StateStoreError: the task's record could not be read or written.
        :raises NotRepairableError: it ended badly, and this task cannot put it back in progress.
        :raises ImageNotFoundError: AWS does not know it.
        :raises WaitInterruptedError: AWS does not say how it is.
        :raises ImageFailedError: (or ImageCancelledError) it ended badly, and ``on_retry`` is FAIL.
        """
        self.arn = arn
        seen = GuardRecord.load(self.store)
        now = GuardRecord(
            arn=arn,
            epoch=this.epoch,
            clears=this.clears,
            submitted_by=submitted_by,
            submitted_at=submitted_at,
        )
        if seen is None or seen.arn != arn or submitted_by not in (None, seen.submitted_by):
            # New to this task, or cleared together with that task, which has dealt with what it found: what
            # is in progress now is its repair, no longer the build that a clear of this task alone cancels.
            now.save(self.store)
            return Submitted(arn, Origin.ATTACHED, stale_until, submitted_at, stale_failure)
        if seen.submitted_at is not None:  # this task's own repair may be later
            now = replace(now, submitted_at=max(seen.submitted_at, submitted_at or 0.0))
        joined = Submitted(arn, Origin.ATTACHED, stale_until, now.submitted_at, stale_failure)
        return self._rejoin(seen, now, this, joined)

    def finished(self, this: Try) -> None:
        """
        Note that this try ends with a verdict on its image, so that what follows it can only be a clear.

        Never fails: where it cannot be noted, a clear is still recognised unless ``retries`` was lowered.
        """
        try:
            # A task submits or awaits: it has one of the two.
            record = SubmissionRecord.load(self.store) or GuardRecord.load(self.store)
            if record:
                replace(record, epoch=this.epoch, clears=this.clears, finished=True).save(self.store)
        except ImageBuilderError as error:
            log.warning("The end of this try could not be noted: %s", error)

    # -- what the image's state asks for -------------------------------------------------------------------

    def _continue(
        self,
        record: SubmissionRecord,
        image: Mapping[str, Any],
        request: ImageRequest,
        this: Try,
        *,
        cleared: bool,
    ) -> Submitted:
        arn = str(record.arn)
        changed = _changed(record.request, request.to_api())
        action = self._decide(image, cleared=cleared, changed=bool(changed))
        if action is Action.SETTLE and record.epoch == this.epoch:
            # Cleared was another task of the run, or this one after its retries were lowered: nothing that
            # builds is cancelled in doubt.
            action = Action.ATTACH
        if action is Action.SETTLE:
            image = self.settle(arn)
            action = self._decide(image, cleared=cleared, changed=bool(changed))
        if action is Action.ATTACH:
            return self._attach(record, changed, this)
        if action is Action.FAIL:
            raise ended_badly(arn, image)
        if action is Action.REPAIR and (repaired := self._repair(record, image, this)):
            return repaired
        log.info("Image %s of an earlier try is %s: building a new one.", arn, image["state"]["status"])
        return self._create(request, this, count=record.count + 1)

    def _rejoin(self, seen: GuardRecord, now: GuardRecord, this: Try, joined: Submitted) -> Submitted:
        image = self._find(now.arn)
        # Its own end is no doubt here, unlike a submitter's: an image that builds has not been finished with.
        action = self._decide(image, cleared=seen.epoch != this.epoch, changed=False)
        stale = may_be_stale(image, joined.stale_until, joined.stale_failure, self.clock())
        if action is Action.SETTLE:
            image = self.settle(now.arn)
            action = self._decide(image, cleared=True, changed=False)
        if action is Action.ATTACH or image["state"]["status"] in IMAGE_SUCCEEDED or stale:
            now.save(self.store)
            return joined
        if action is Action.FAIL:
            raise ended_badly(now.arn, image)
        if action is Action.BUILD:
            raise NotRepairableError(
                now.arn, ended_badly(now.arn, image), f"on_retry is {self.on_retry.value}"
            )
        repaired = self._repair(now, image, this)
        if repaired is None:
            raise NotRepairableError(now.arn, ended_badly(now.arn, image))
        return repaired

    def _decide(self, image: Mapping[str, Any], *, cleared: bool, changed: bool) -> Action:
        status = image["state"]["status"]
        action = decide(status, cleared=cleared, changed=changed, on_retry=self.on_retry)
        return Action.ATTACH if action is Action.SETTLE and not self.cancel else action

    def _attach(self, record: SubmissionRecord, changed: Sequence[str], this: Try) -> Submitted:
        if changed:
            raise RequestChangedError(str(record.arn), changed)
        noted = replace(record, epoch=this.epoch, clears=this.clears, finished=False)
        if noted != record:
            noted.save(self.store)
        return Submitted(str(record.arn), Origin.ATTACHED, submitted_at=record.submitted_at)

    def _repair(
        self, record: SubmissionRecord | GuardRecord, image: Mapping[str, Any], this: Try
    ) -> Submitted | None:
        arn = str(record.arn)
        # Before the call: a try that dies after it must not leave its repair to be taken for a build that a
        # clear has to cancel.
        noted = replace(record, epoch=this.epoch, clears=this.clears, finished=False)
        noted = replace(noted, submitted_at=self.clock())
        noted.save(self.store)
        token = token_for("RetryImage", arn, this.seed)
        again: dict[str, Any] = {"announce": self.announce, "clock": self.clock, "sleep": self.sleep}
        try:
            return repair(self.images, image, token, **again)
        except NotFoundError as error:
            raise ImageNotFoundError(arn, error) from error
        except ForbiddenError as error:
            raise WaitInterruptedError(arn, error) from error

    # -- the calls that cost money -------------------------------------------------------------------------

    def _create(self, request: ImageRequest, this: Try, *, count: int) -> Submitted:
        record = SubmissionRecord(
            token=token_for(this.seed, str(count)),
            request=request.to_api(),
            epoch=this.epoch,
            clears=this.clears,
            count=count,
            submitted_at=self.clock(),
        )
        record.save(self.store)
        try:
            arn = self._send(request, record.token)
        except _REFUSALS as refusal:
            if _is_first_answer(refusal):
                self._keep(replace(record, refused=True))
            raise
        self._keep(replace(record, arn=arn))
        return Submitted(arn, Origin.CREATED, submitted_at=record.submitted_at)

    def _send(self, request: ImageRequest, token: str) -> str:
        self.sent, self.arn = (request, token), None
        self.arn = self.images.create_image(request, token)
        return self.arn

    def _recover(self, record: SubmissionRecord, request: ImageRequest, this: Try) -> SubmissionRecord:
        """
        Learn the ARN that an earlier try could not store any more.

        With parameters that changed since, AWS tells: either no call of before arrived, and this one builds
        with the new parameters; or it refuses the mismatch, and one of the old requests finds its image.
        """
        now = request.to_api()
        others = [sent for sent in (record.request, *(record.sent or ())) if _changed(sent, now)]
        record = replace(record, sent=[*others, now])
        record.save(self.store)
        for candidate in [now, *others]:
            try:
                arn = self._send(ImageRequest.from_api(candidate), record.token)
            except ParametersChangedError as error:
                mismatch = error
            else:
                if candidate not in others:
                    record = replace(record, epoch=this.epoch, clears=this.clears)
                record = replace(record, request=candidate, arn=arn, sent=())
                self._keep(record)
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
            image = self._find(arn)
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

    # -- what earlier tries left ---------------------------------------------------------------------------

    def _find(self, arn: str) -> dict[str, Any]:
        """Return the image of an earlier try. A "not found" counts only if it lasts."""
        begin = self.clock()
        while True:
            try:
                return self.images.get_image(arn)
            except NotFoundError as error:
                if self.clock() - begin >= FIND_PATIENCE:
                    raise ImageNotFoundError(arn, error) from error
                log.info("AWS does not find image %s. Asking again for %.0f s.", arn, FIND_PATIENCE)
            except AwsError as error:
                raise WaitInterruptedError(arn, error) from error
            self.sleep(_FIND_INTERVAL)

    def _keep(self, record: Record) -> None:
        """Keep what AWS answered. Where that fails, the token that is kept finds the same image again."""
        try:
            record.save(self.store)
        except StateStoreError as error:
            log.warning("The answer of AWS could not be stored; the client token was: %s", error.reason)


def _is_first_answer(refusal: AwsError) -> bool:
    """Whether no attempt before it, ours or botocore's, can have built an image without our knowing."""
    answer = getattr(refusal.__cause__, "response", None) or {}
    retried = (answer.get("ResponseMetadata") or {}).get("RetryAttempts", 0)
    return refusal.attempts <= 1 and not retried


def _changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Name the members of CreateImage that differ. Compared as JSON, since that is how they are kept."""
    return [
        name
        for name in sorted({*before, *now})
        if json.dumps(before.get(name), sort_keys=True) != json.dumps(now.get(name), sort_keys=True)
    ]
