"""
Exactly one image, whichever process dies: what a try submits, decided from what earlier tries left.

A request is CreateImage, or StartImagePipelineExecution, which starts a pipeline. A try stores the client
token and the request before it sends it, and the ARN after it. It does not send what it could not store. A
new try reads them and reads the image from AWS. So wherever the earlier try died, the new one finds its image
and does not build a second one.

=====================  ==============================  ===================================================
what an earlier try    this try, if Airflow retries    this try, if a person cleared the task
left behind
=====================  ==============================  ===================================================
nothing                a request with a new token      the same
a token, no ARN        the request with the same       the same; then as below
                       token: AWS returns the first
                       image, if there is one
a request that AWS     a request with a new token      the same
refused
image in progress      attach                          wait until the kill has cancelled it, then as
                                                       below; attach with ``cancel=False``
image succeeded        take it: the worker died        a new image
                       before it could return it; a
                       new image if the request has
                       changed
FAILED or CANCELLED    :class:`OnRetry` decides:       the same; a new image where ``on_retry`` is FAIL
                       RetryImage where AWS and the
                       installed boto3 allow it, else
                       a new image
image not found        fail: it may exist all the      a new image
                       same
=====================  ==============================  ===================================================

A pipeline may change while its image builds. An image in progress is what the task asked for, so a try
attaches to it, and warns. RetryImage would repeat the old definition, so instead of a repair the changed
pipeline is started again. A pipeline that was deleted is not needed to wait for its image or to repair it.
"""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.client.tokens import token_for
from airflow_imagebuilder.service.errors import (
    AwsError,
    ForbiddenError,
    ImageNotFoundError,
    NotFoundError,
    OutdatedBoto3Error,
    ParametersChangedError,
    QuotaExceededError,
    RefusedError,
    RequestChangedError,
    StateStoreError,
    error_for_image,
)
from airflow_imagebuilder.service.request.image_request import ImageRequest
from airflow_imagebuilder.service.request.pipeline_request import ARN_MEMBER, PipelineRequest
from airflow_imagebuilder.service.results.states import is_image_terminal
from airflow_imagebuilder.service.submission.decision import Action
from airflow_imagebuilder.service.submission.pipeline import lost_pipeline
from airflow_imagebuilder.service.submission.ports import Blueprint, Origin, Request, Submitted, Try
from airflow_imagebuilder.service.submission.record import (
    Record,
    SubmissionRecord,
)
from airflow_imagebuilder.service.submission.recovery import Recovery

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

log = logging.getLogger(__name__)

_REFUSALS = (RefusedError, ForbiddenError, NotFoundError, QuotaExceededError)


class Submission(Recovery):
    """
    Submit the one image of a task, or find it again.

    The parameters are those of :class:`Recovery`, which handles an image that exists already.
    """

    sent: tuple[Request, str] | None = None
    """The last request, with its token: sent again, it returns the same image."""

    blueprint: Blueprint | None = None
    """What the request refers to on AWS; ``None`` (default) if it is complete by itself."""

    def submit(self, request: Request, current: Try) -> Submitted:
        """
        Return the one image of this task; see the table at the head of this module.

        :param request: what to build.
        :param current: the try that submits.
        :raises StateStoreError: the token could not be stored, so nothing was sent.
        :raises PipelineNotStartedError: the pipeline of the request cannot be started; nothing was sent.
        :raises RequestChangedError: the image of an earlier try is still building with other parameters.
        :raises ImageNotFoundError: AWS does not know the image of an earlier try, which was not cleared.
        :raises WaitInterruptedError: AWS does not show that image.
        :raises ImageFailedError: (or ImageCancelledError) it ended badly, and ``on_retry`` is FAIL.
        """
        earlier = SubmissionRecord.load(self.store)
        if earlier is None:
            return self._create(request, current, count=1)
        if earlier.arn is None and earlier.refused:
            return self._create(request, current, count=earlier.count + 1)
        record = earlier if earlier.arn else self._recover(earlier, request, current)
        self.arn = record.arn
        try:
            image = self.find(str(record.arn))
        except ImageNotFoundError as missing:
            if not record.cleared_before(current):
                raise
            log.warning("A person cleared this task, so a new image is built. %s", missing)
            return self._create(request, current, count=record.count + 1)
        # A recovered image in progress may be this try's own. A finished one is an earlier try's.
        ended = is_image_terminal(image["state"]["status"])
        cleared = (earlier if ended else record).cleared_before(current)
        return self._continue(record, image, request, current, cleared=cleared)

    def _continue(
        self,
        record: SubmissionRecord,
        image: Mapping[str, Any],
        request: Request,
        current: Try,
        *,
        cleared: bool,
    ) -> Submitted:
        arn, changed = str(record.arn), _changed(record.request, request.to_api())
        action, image = self.next_action(record, image, current, cleared=cleared, changed=bool(changed))
        if action is Action.ATTACH:
            if not changed and not is_image_terminal(image["state"]["status"]):
                self._is_redefined(record, image)
            return self._attach(record, changed, current)
        if action is Action.FAIL:
            raise error_for_image(arn, image)
        if action is Action.REPAIR and (repaired := self._repaired(record, image, current)):
            return repaired
        log.info("Image %s of an earlier try is %s: building a new one.", arn, image["state"]["status"])
        return self._create(request, current, count=record.count + 1)

    def _repaired(self, record: SubmissionRecord, image: Mapping[str, Any], current: Try) -> Submitted | None:
        if self._is_redefined(record, image):
            return None
        try:
            return self.repair(record, image, current)
        except OutdatedBoto3Error as missing:
            log.warning("Image %s is not repaired, a new one is built instead: %s.", record.arn, missing.why)
            return None

    def _attach(self, record: SubmissionRecord, changed: Sequence[str], current: Try) -> Submitted:
        if changed:
            raise RequestChangedError(str(record.arn), changed)
        noted = record.of(current, finished=False)
        if noted != record:
            noted.save(self.store)
        return Submitted(str(record.arn), Origin.ATTACHED, submitted_at=record.submitted_at)

    def _is_redefined(self, record: SubmissionRecord, image: Mapping[str, Any]) -> bool:
        """Return whether what the request refers to has changed since, and log what that means."""
        if record.definition is None or self.blueprint is None or (now := self.blueprint.current()) is None:
            return False
        changed = _changed(record.definition, now)
        if changed:
            ended = is_image_terminal(image["state"]["status"])
            then = (_NOT_REPAIRED if ended else _BUILDS_AS_IT_WAS).format(record.arn)
            names = ", ".join(changed)
            log.warning("The pipeline was changed since an earlier try read it (%s). %s", names, then)
        return bool(changed)

    # -- the request ---------------------------------------------------------------------------------------

    def _create(self, request: Request, current: Try, *, count: int) -> Submitted:
        definition = self.blueprint.checked() if self.blueprint else None
        record = SubmissionRecord(
            token=token_for(current.seed, str(count)),
            request=request.to_api(),
            epoch=current.epoch,
            clears=current.clears,
            count=count,
            submitted_at=self.clock(),
            definition=definition,
        )
        record.save(self.store)
        try:
            arn = self._send(request, record.token)
        except _REFUSALS as refusal:
            if _is_first_answer(refusal):
                self._save_answer(replace(record, refused=True))
            raise
        except OutdatedBoto3Error:  # nothing was sent
            self._save_answer(replace(record, refused=True))
            raise
        self._save_answer(replace(record, arn=arn))
        return Submitted(arn, Origin.CREATED, submitted_at=record.submitted_at)

    def _send(self, request: Request, token: str) -> str:
        self.sent, self.arn = (request, token), None
        self.arn = request.send(self.images, token)
        return self.arn

    def _recover(self, record: SubmissionRecord, request: Request, current: Try) -> SubmissionRecord:
        """
        Learn the ARN that an earlier try could not store.

        The stored token is sent again. If the parameters have changed since, AWS shows which case it is:
        no earlier call arrived, and this one builds with the new parameters; or AWS refuses the mismatch, and
        one of the earlier requests finds its image.

        A token belongs to one operation. With the token of a CreateImage, a pipeline would build a second
        image, so a request of the other operation is not sent before the image of the earlier one is known.
        """
        new = request.to_api()
        others = [sent for sent in (record.request, *(record.sent or ())) if _changed(sent, new)]
        foreign = [sent for sent in others if (ARN_MEMBER in sent) is not (ARN_MEMBER in new)]
        candidates = foreign or [new, *others]
        record = replace(record, sent=[*others, *(() if foreign else [new])])
        record.save(self.store)
        for candidate in candidates:
            try:
                arn = self._send(request_from_api(candidate), record.token)
            except ParametersChangedError as error:
                mismatch = error
            except NotFoundError as missing:
                if ARN_MEMBER not in candidate:
                    raise
                raise lost_pipeline(str(candidate[ARN_MEMBER])) from missing
            else:
                if candidate is new:
                    record = record.of(current)
                record = replace(record, request=candidate, arn=arn, sent=())
                self._save_answer(record)
                return record
        raise mismatch

    def _save_answer(self, record: Record) -> None:
        """Save what AWS answered. Where that fails, the stored token finds the same image again."""
        try:
            record.save(self.store)
        except StateStoreError as error:
            log.warning(
                "Could not store AWS's answer: %s. A later try sends the same token again.", error.reason
            )


def request_from_api(mapping: Mapping[str, Any]) -> Request:
    """Return a stored request, whichever operation it is of."""
    kind: type[PipelineRequest | ImageRequest] = PipelineRequest if ARN_MEMBER in mapping else ImageRequest
    return kind.from_api(mapping)


def _is_first_answer(refusal: AwsError) -> bool:
    """Return whether no earlier attempt, ours or botocore's, can have built an image."""
    answer = getattr(refusal.__cause__, "response", None) or {}
    retried = (answer.get("ResponseMetadata") or {}).get("RetryAttempts", 0)
    return refusal.attempts <= 1 and not retried


def _changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return the members that differ, by AWS's names. Compared as JSON, since the store keeps JSON."""
    return [
        name
        for name in sorted({*before, *now})
        if json.dumps(before.get(name), sort_keys=True) != json.dumps(now.get(name), sort_keys=True)
    ]


_NOT_REPAIRED = (
    "RetryImage would repeat the definition of image {} as it was, so this try starts the pipeline again."
)
_BUILDS_AS_IT_WAS = (
    "Image {} is building what the pipeline was when it was started, and this try waits for it. To build "
    "what the pipeline is now, clear this task once the image has ended, or clear it now: that cancels the "
    "image."
)
