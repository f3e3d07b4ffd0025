"""An image that exists already: find it, cancel it after a clear, repair it, attach to it."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.client.tokens import random_token, token_for
from airflow_imagebuilder.service.errors import (
    AwsError,
    ForbiddenError,
    ImageBuilderError,
    ImageNotFoundError,
    NotFoundError,
    NotRepairableError,
    OutdatedBoto3Error,
    RefusedError,
    WaitInterruptedError,
    error_for_image,
)
from airflow_imagebuilder.service.results.states import IMAGE_SUCCEEDED, is_image_terminal
from airflow_imagebuilder.service.submission.decision import Action, OnRetry, decide
from airflow_imagebuilder.service.submission.ports import ImageBuilder, Origin, StateStore, Submitted, Try
from airflow_imagebuilder.service.submission.record import GuardRecord, Record, SubmissionRecord
from airflow_imagebuilder.service.submission.repair import may_be_stale, repair

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

log = logging.getLogger(__name__)

KILL_GRACE = 20.0
"""Seconds that a cleared task leaves to the kill of its earlier try, before it cancels the image itself."""

CANCEL_PATIENCE = 600.0
"""Seconds that AWS may take from CancelImageCreation to CANCELLED: it terminates instances meanwhile."""

FIND_PATIENCE = 60.0
"""Seconds for which GetImage may answer "not found" for the image of an earlier try."""

_FIND_INTERVAL = 5.0
_SETTLE_INTERVAL = 2.0


class Recovery:
    """
    Handle the image that an earlier try, or another task, left.

    :param images: makes the calls.
    :param store: keeps the record between tries.
    :param on_retry: what to do about an image that an earlier try left FAILED or CANCELLED (default: REPAIR).
    :param cancel: whether a clear cancels a build that is in progress (default); if not, it attaches to it.
    :param announce: called with the ARN before RetryImage, so that a late cancel of an earlier try can see
        that a new try has the image.
    :param clock: returns the Unix time.
    :param sleep: waits for some seconds.
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
        self.arn: str | None = None
        """The image that this try is about, as soon as it is known."""

    def rejoin(
        self,
        arn: str,
        current: Try,
        *,
        stale_until: float | None = None,
        stale_failure: str | None = None,
        submitted_by: str | None = None,
        submitted_at: float | None = None,
    ) -> Submitted:
        """
        Attach to an image that another task submitted; repair it if an earlier try of this task saw it fail.

        :param arn: image build version ARN.
        :param current: the try that attaches.
        :param stale_until: Unix time until which AWS may still show the FAILED before that task's repair.
        :param stale_failure: the workflow execution that had failed before that, see :class:`Submitted`.
        :param submitted_by: the try of that task which submitted, found or repaired it (:attr:`Try.seed`).
        :param submitted_at: Unix time of that task's submit or RetryImage.
        :raises StateStoreError: the task's record could not be read or written.
        :raises NotRepairableError: it ended badly, and this task cannot put it back in progress.
        :raises ImageNotFoundError: AWS does not find it.
        :raises WaitInterruptedError: AWS does not show it.
        :raises ImageFailedError: (or ImageCancelledError) it ended badly, and ``on_retry`` is FAIL.
        """
        self.arn = arn
        earlier = GuardRecord.load(self.store)
        record = GuardRecord(
            arn=arn,
            epoch=current.epoch,
            clears=current.clears,
            submitted_by=submitted_by,
            submitted_at=submitted_at,
        )
        if earlier is None or earlier.arn != arn or submitted_by not in (None, earlier.submitted_by):
            # The image is new to this task, or both tasks were cleared. Then the submitting task has handled
            # what it found: a build in progress is its repair, which this task must not cancel.
            record.save(self.store)
            return Submitted(arn, Origin.ATTACHED, stale_until, submitted_at, stale_failure)
        if earlier.submitted_at is not None:  # this task's own repair may be later
            record = replace(record, submitted_at=max(earlier.submitted_at, submitted_at or 0.0))
        attached = Submitted(arn, Origin.ATTACHED, stale_until, record.submitted_at, stale_failure)
        return self._rejoin(earlier, record, current, attached)

    def _rejoin(
        self, earlier: GuardRecord, record: GuardRecord, current: Try, attached: Submitted
    ) -> Submitted:
        arn, image = record.arn, self.find(record.arn)
        stale = may_be_stale(image, attached.stale_until, attached.stale_failure, self.clock())
        # Not cleared_before: a try that has finished left no image in progress. The epoch alone counts.
        cleared = earlier.epoch != current.epoch
        action, now = self.next_action(earlier, image, current, cleared=cleared, changed=False)
        if action is Action.ATTACH or now["state"]["status"] in IMAGE_SUCCEEDED or stale:
            record.save(self.store)
            return attached
        if action is Action.FAIL:
            raise error_for_image(arn, now)
        if action is Action.BUILD:
            raise NotRepairableError(arn, error_for_image(arn, now), f"on_retry is {self.on_retry.value}")
        try:
            repaired = self.repair(record, now, current)
        except OutdatedBoto3Error as missing:
            raise NotRepairableError(arn, error_for_image(arn, now), missing.why) from missing
        if repaired is None:
            raise NotRepairableError(arn, error_for_image(arn, now))
        return repaired

    def finished(self, current: Try, kind: type[Record] = SubmissionRecord) -> None:
        """
        Note that this try ends with a verdict on its image, so that only a clear can follow it.

        Does not raise: without this note a clear is still recognised, unless ``retries`` was lowered.

        :param current: the try.
        :param kind: which record the task has (default: that of a task that submits).
        """
        try:
            if record := kind.load(self.store):
                record.of(current, finished=True).save(self.store)
        except ImageBuilderError as error:
            log.warning("The end of this try could not be noted: %s", error)

    def next_action(
        self,
        record: SubmissionRecord | GuardRecord,
        image: Mapping[str, Any],
        current: Try,
        *,
        cleared: bool,
        changed: bool,
    ) -> tuple[Action, Mapping[str, Any]]:
        """
        Cancel a build that a clear calls off; then return what to do about the image.

        :param record: the record of the earlier try. The other parameters are those of :func:`decide`.
        :return: an action other than SETTLE, and the image after the cancel.
        """
        choose = partial(decide, cleared=cleared, changed=changed, on_retry=self.on_retry)
        action = choose(image["state"]["status"])
        if action is not Action.SETTLE:
            return action, image
        if not self.cancel or record.epoch == current.epoch:
            # With the same epoch, another task of the run was cleared, or this one after its retries were
            # lowered. In doubt no build is cancelled.
            return Action.ATTACH, image
        image = self.settle(str(record.arn))
        return choose(image["state"]["status"]), image

    def repair(
        self, record: SubmissionRecord | GuardRecord, image: Mapping[str, Any], current: Try
    ) -> Submitted | None:
        """
        Note this try's repair, then submit RetryImage.

        :return: the image, back in progress; ``None`` if AWS does not allow the repair.
        :raises OutdatedBoto3Error: the installed boto3 lacks RetryImage.
        :raises ImageNotFoundError: AWS does not find the image.
        :raises WaitInterruptedError: AWS refuses our credentials.
        """
        # Noted before the call. If the try dies after the call, the next one must not take the repair for a
        # build that a clear has to cancel.
        record.of(current, finished=False, submitted_at=self.clock()).save(self.store)
        arn = str(record.arn)
        token = token_for("RetryImage", arn, current.seed)
        tools: dict[str, Any] = {"announce": self.announce, "clock": self.clock, "sleep": self.sleep}
        try:
            return repair(self.images, image, token, **tools)
        except NotFoundError as error:
            raise ImageNotFoundError(arn, error) from error
        except ForbiddenError as error:
            raise WaitInterruptedError(arn, error) from error

    def find(self, arn: str) -> dict[str, Any]:
        """
        Return the image of an earlier try. A "not found" counts only if it lasts.

        :raises ImageNotFoundError: AWS did not find it for :data:`FIND_PATIENCE` seconds.
        :raises WaitInterruptedError: AWS does not show it.
        """
        begin = self.clock()
        while True:
            try:
                return self.images.get_image(arn)
            except NotFoundError as error:
                if self.clock() - begin >= FIND_PATIENCE:
                    raise ImageNotFoundError(arn, error) from error
                log.info("AWS does not find image %s. Retrying for %.0f s in all.", arn, FIND_PATIENCE)
            except AwsError as error:
                raise WaitInterruptedError(arn, error) from error
            self.sleep(_FIND_INTERVAL)

    def settle(self, arn: str) -> dict[str, Any]:
        """
        Wait until an image that was building when its task was cleared is cancelled, and return it.

        The kill of the earlier try cancels the image. If that does not happen, this try cancels it.

        :raises ImageBuilderError: AWS has not cancelled it within :data:`CANCEL_PATIENCE` seconds.
        """
        log.info("This task was cleared while image %s was building: waiting for its cancellation.", arn)
        begin, cancelled = self.clock(), False
        while self.clock() - begin < CANCEL_PATIENCE:
            image = self.find(arn)
            if is_image_terminal(image["state"]["status"]):
                return image
            if not cancelled and self.clock() - begin >= KILL_GRACE:
                cancelled = True
                self._cancel(arn)
            self.sleep(_SETTLE_INTERVAL)
        raise ImageBuilderError(
            f"Image {arn} was cancelled, but after {CANCEL_PATIENCE:.0f} s AWS still shows it in progress. "
            "Check it in the Image Builder console, then clear this task again."
        )

    def _cancel(self, arn: str) -> None:
        log.warning(
            "The earlier try did not cancel image %s. This try cancels it, because the task was cleared.", arn
        )
        try:
            self.images.cancel_image(arn, random_token())
        except RefusedError as refusal:
            # The image has ended, or another cancel came first. The next poll shows which.
            log.info("CancelImageCreation was refused: %s", refusal)
