"""Which image a task that only observes waits for, and what it keeps between two polls."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.operators.waiting.task_state import TaskStore
from airflow_imagebuilder.service.errors import (
    AwsError,
    ImageBuilderError,
    SearchInterruptedError,
    StateStoreError,
    TransientError,
)
from airflow_imagebuilder.service.text import image_name

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_imagebuilder.hooks import ImageBuilderHook
    from airflow_imagebuilder.service.gates.newest_image import Wanted

CHOICE_KEY = "imagebuilder_choice"
"""Key of the task state store for a sensor that Airflow reschedules."""


class ChoiceRecord:
    """Names the record of a sensor, for :func:`~airflow_imagebuilder.operators.waiting.task_state.forget`."""

    @staticmethod
    def key() -> str:
        """Return the key in the task state store."""
        return CHOICE_KEY


class Choice:
    """
    The image that a task waits for: one that it knows, or the newest of a pipeline or a name.

    :param hook: makes the calls.
    :param arn: the image, if it is known.
    :param wanted: which image, if it is not.
    :param log: the task's log.
    """

    def __init__(
        self, hook: ImageBuilderHook, *, arn: str | None = None, wanted: Wanted | None = None, log: Any
    ) -> None:
        self._hook, self._arn, self._wanted, self._log = hook, arn, wanted, log
        self.shown = ""
        """The newest images that the last lists showed, as text."""

    def __str__(self) -> str:
        """Return it as a message names it."""
        return (
            f"The images of {self._wanted.source}" if self._wanted else f"Image {image_name(str(self._arn))}"
        )

    @property
    def searched(self) -> Wanted:
        """Which image is searched."""
        if self._wanted is None:
            raise ImageBuilderError(f"{self} is known, so no other one is searched.")
        return self._wanted

    @property
    def advice(self) -> str:
        """What to do about an image that ended badly."""
        then = (
            "A new try takes a newer image, or this one if it was repaired."
            if self._wanted
            else "Repair the image (RetryImage), or name another one, then clear this task."
        )
        return f"This task only observes: it builds nothing, and cancels nothing. {then}"

    def now(self, *, patience: float) -> str | None:
        """
        Return the image that is there now; ``None`` if there is none.

        :param patience: seconds for which each call is retried.
        :raises AwsError: the lists cannot be read.
        """
        if self._wanted is None:
            return self._arn
        images = self._read(self._wanted, patience)
        return self._wanted.newest(images)

    def after(self, image: Mapping[str, Any]) -> str | None:
        """Return an image that was created after this one; ``None`` if none is known."""
        from airflow_imagebuilder.service.gates.newest_image import created_at

        created = created_at(image)
        if self._wanted is None or created is None:
            return None
        try:
            return self._wanted.newest(self._read(self._wanted, 10.0), after=created)
        except AwsError as error:
            self._log.warning("Could not find out whether there is a newer image: %s", error)
            return None

    def _read(self, wanted: Wanted, patience: float) -> list[Any]:
        from airflow_imagebuilder.service.gates.newest_image import described
        from airflow_imagebuilder.service.gates.search import read_now

        images = read_now(self._hook, wanted.source, patience=patience)
        self.shown = described(images)
        return images


class Kept:
    """
    What a sensor that Airflow reschedules keeps from poll to poll: Airflow removes its XComs each time.

    A store that does not answer costs the choice of the last poll, never the task.

    :param context: the task's context.
    :param log: the task's log.
    """

    def __init__(self, context: Context, log: Any) -> None:
        self._store, self._log = TaskStore(context, written=True), log
        self._try = context["ti"].try_number
        self._record: dict[str, Any] = {}
        try:
            found = self._store.get(CHOICE_KEY)
        except StateStoreError as error:
            log.warning("%s", error.__cause__ or error)
            return
        if isinstance(found, Mapping) and found.get("try_number") == self._try:
            self._record = dict(found)

    @property
    def arn(self) -> str | None:
        """The image that an earlier poll of this try has chosen."""
        return self._record.get("arn")

    def keep(self, arn: str | None) -> None:
        """Keep the choice. The calls work, so earlier trouble is over."""
        if self._record.get("arn") != arn or "failing_since" in self._record:
            self._save({"arn": arn})

    def tolerate(self, trouble: AwsError, what: str) -> None:
        """
        Accept trouble of a call that may pass: throttling always, other errors for ``grace``.

        :param what: what was read, for the message.
        :raises SearchInterruptedError: it has lasted too long.
        """
        from airflow_imagebuilder.triggers.watch.settings import watch_settings

        self._log.warning("%s cannot be read now: %s", what, trouble)
        if isinstance(trouble, TransientError):
            return
        since = float(self._record.get("failing_since") or time.time())
        if self._record.get("failing_since") and time.time() - since >= watch_settings().grace:
            raise SearchInterruptedError(what, trouble) from trouble
        self._save({"arn": self.arn, "failing_since": since})

    def _save(self, record: dict[str, Any]) -> None:
        self._record = {"try_number": self._try, **record}
        try:
            self._store.set(CHOICE_KEY, self._record)
        except StateStoreError as error:
            self._log.warning("%s", error.__cause__ or error)
