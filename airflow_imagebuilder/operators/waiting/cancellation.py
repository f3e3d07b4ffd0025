"""The cancel of the image of a try that runs on a worker."""

from __future__ import annotations

import time
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

from airflow_imagebuilder.operators.waiting.task_state import was_killed
from airflow_imagebuilder.service.client.tokens import random_token
from airflow_imagebuilder.service.errors import (
    AwsError,
    DeadlineExceededError,
    ImageBuilderError,
    RefusedError,
)
from airflow_imagebuilder.service.results.states import ImageStatus, is_image_terminal
from airflow_imagebuilder.service.submission.cancel_text import cancel_by_hand, cancel_result, outputs_left

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import Context

    from airflow_imagebuilder.hooks import ImageBuilderHook


class Stop(Enum):
    """Why a try has to stop."""

    NONE = "nothing stops it"
    UNKNOWN = "SIGTERM came, and Airflow shows no kill of the task, or was not asked yet"
    KILLED = "a person killed the task"
    TIMED_OUT = "execution_timeout is over"


class CancellingOperator(Protocol):
    """What a cancellation needs of its operator."""

    @property
    def hook(self) -> ImageBuilderHook:
        """The hook that makes the calls."""

    @property
    def log(self) -> Any:
        """The task's logger."""

    def cancel(self, arn: str) -> dict[str, Any]:
        """Submit CancelImageCreation, and return GetImage's ``image`` after it."""

    def learn_arn(self) -> str | None:
        """Return the image before it is announced; ``None`` where there is none yet."""


class Cancellation:
    """
    The cancel of one try's image: when to submit it, and what became of it.

    Airflow's signal handler calls :meth:`on_kill` between any two instructions of the main thread. It cancels
    the image that is known by then. An image that is submitted at that moment is cancelled by the main thread
    in :meth:`raise_if_killed`.

    :param operator: the operator, which a user's class may have changed.
    :param allowed: whether a kill may cancel the image (``cancel_on_kill``).
    :param delete_outputs: whether to remove the AMIs and snapshots of a cancelled image.
    """

    def __init__(
        self,
        operator: CancellingOperator,
        *,
        allowed: bool,
        delete_outputs: bool,
    ) -> None:
        self.operator = operator
        self.allowed = allowed
        self.delete_outputs = delete_outputs
        self.context: Context | None = None
        """The try's context, once it has begun."""
        self.arn: str | None = None
        """The image that the try is about, once it is announced."""
        self.stop = Stop.NONE
        self.accepted: str | None = None
        """The image whose cancel AWS has accepted."""

    @property
    def log(self) -> Any:
        """The task's logger."""
        return self.operator.log

    def begin(self, context: Context) -> None:
        """Begin the try. A signal that came before is handled now."""
        self.context = context
        if self.stop is Stop.UNKNOWN:
            self.on_kill()

    def on_kill(self) -> None:
        """Cancel the image if a person killed the running task, not if its worker is being stopped."""
        # Airflow also calls this after execution_timeout. Then at_deadline deals with the image.
        if not self.allowed or self.stop in (Stop.KILLED, Stop.TIMED_OUT):
            return
        # Set before the question. Where Airflow cannot be asked or cannot answer yet, begin and
        # raise_if_killed ask again.
        self.stop = Stop.UNKNOWN
        if self.context is None:
            return
        killed = was_killed(self.context)
        if not killed:
            self._log_left_alone(known=killed is False)
            return
        # Set before the calls: a second signal must not cancel a second time.
        self.stop = Stop.KILLED
        # Airflow ends the process in five seconds: the answer of a CreateImage on its way may come too late.
        if arn := self.arn or self.operator.learn_arn():
            self.operator.cancel(arn)

    def raise_if_killed(self, arn: str) -> None:
        """
        Cancel an image that was submitted while the task was killed.

        :param arn: the image, which :meth:`on_kill` may not have known.
        :raises ImageBuilderError: the task was killed.
        """
        if self.stop is Stop.UNKNOWN:
            self.on_kill()  # the signal came in the middle of a call to Airflow: no answer was possible
        if self.stop is not Stop.KILLED:
            return
        if self.accepted != arn:
            self.operator.cancel(arn)
        answer = "accepted the cancel" if self.accepted == arn else "refused the cancel, see above"
        raise ImageBuilderError(
            f"The task was killed while it submitted {arn}. AWS {answer}. For a new try, clear the task that "
            "submitted it, with its downstream tasks."
        )

    def at_deadline(self, arn: str, deadline: float | None = None) -> dict[str, Any]:
        """
        Cancel an image whose time is over, and return it if it had finished before.

        :param deadline: Unix time; ``None`` means now.
        :return: GetImage's ``image`` of an image that finished by itself, well or not.
        :raises DeadlineExceededError: the image was in progress.
        :raises AwsError: AWS did not accept the cancel, or did not show the image.
        """
        when = deadline or time.time()
        try:
            image = self.operator.cancel(arn) if self.allowed else self.operator.hook.get_image(arn)
        except AwsError as trouble:
            if self.accepted != arn:
                raise
            # A later try would find the image CANCELLED, and not know who cancelled it.
            shown = "unknown, AWS did not answer"
            raise DeadlineExceededError(arn, when, shown, cancelled=True) from trouble
        status, accepted = image["state"]["status"], self.accepted == arn
        by_us = accepted and status in (ImageStatus.CANCELLED, ImageStatus.DELETED)
        if is_image_terminal(status) and not by_us:
            return image
        raise DeadlineExceededError(arn, when, status, cancelled=accepted)

    def submit(self, arn: str) -> dict[str, Any]:
        """
        Submit CancelImageCreation. A refusal means that the image has finished, or is being cancelled.

        :return: GetImage's ``image`` after it.
        :raises AwsError: AWS did not answer.
        """
        hook, self.accepted = self.operator.hook, None
        try:
            hook.cancel_image(arn, random_token())
            self.accepted = arn
        except RefusedError as refusal:
            self.log.info("CancelImageCreation was refused: %s", refusal)
        image = hook.get_image(arn)
        self.log.info("%s. Image: %s", cancel_result(image, accepted=self.accepted == arn), arn)
        if self.delete_outputs:
            self._delete_outputs(image)
        return image

    def _delete_outputs(self, image: Mapping[str, Any]) -> None:
        if image["state"]["status"] == ImageStatus.CANCELLED:
            self.operator.hook.delete_outputs(image)
        else:
            self.log.warning("%s", outputs_left(image))

    def _log_left_alone(self, *, known: bool) -> None:
        image = f"Image {self.arn}" if self.arn else "Any image that this task has submitted"
        if known:
            self.log.info(
                "This process is being stopped, and Airflow shows no kill of its task. %s keeps building. "
                "Airflow's next try finds it, if a try is left.",
                image,
            )
            return
        self.log.error(
            "Airflow did not say whether this task was killed. %s is left alone and may still be building. "
            "If you killed the task, %s",
            image,
            cancel_by_hand(self.arn),
        )
