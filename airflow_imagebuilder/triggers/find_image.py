"""The trigger that waits for an image to appear, which another one builds."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import TriggerEvent

from airflow_imagebuilder.service.errors import ImageBuilderError, NotFoundError, SearchDeadlineError
from airflow_imagebuilder.service.gates.newest_image import Source, Wanted, moment
from airflow_imagebuilder.service.gates.search import find
from airflow_imagebuilder.triggers.base import ImageBuilderTrigger
from airflow_imagebuilder.xcom import ARN_KEY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class ImageBuilderFindImageTrigger(ImageBuilderTrigger):
    """
    Wait until a pipeline, or a name, has an image that was created at or after a time.

    Fires once, with ``outcome``, ``image_build_version_arn``, ``message``, ``missing``, ``deadline``,
    ``resumes`` and ``try_number`` (of the task that waits). The outcome is ``found``, ``deadline`` or
    ``error``. The task then waits for that image with :class:`ImageBuilderImageTrigger`.

    A kill changes nothing on AWS: the task only observes.

    :param since: ISO text with a zone: the image was created at or after this time.
    :param in_progress: whether an older image that is still in progress counts too (default: no).
    :param pipeline_arn: the pipeline. Exactly one of this and ``image_name`` is given.
    :param image_name: the name of the images.
    :param version: the version of the images, with wildcards (``1.x.x``); ``None`` (default) for all.
    :param resumes: how many times a worker has begun this wait again after trouble (default: 0).
    """

    def __init__(
        self,
        *,
        since: str,
        in_progress: bool = False,
        pipeline_arn: str | None = None,
        image_name: str | None = None,
        version: str | None = None,
        resumes: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"image_build_version_arn": "", **kwargs})
        self.since = since
        self.in_progress = in_progress
        self.pipeline_arn = pipeline_arn
        self.image_name = image_name
        self.version = version
        self.resumes = resumes

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and all arguments of the constructor."""
        path, kwargs = super().serialize()
        names = ("since", "in_progress", "pipeline_arn", "image_name", "version", "resumes")
        return path, {**kwargs, **{name: getattr(self, name) for name in names}}

    @property
    def wanted(self) -> Wanted:
        """The image that this trigger waits for."""
        source = Source(pipeline_arn=self.pipeline_arn, image_name=self.image_name, version=self.version)
        return Wanted(source=source, since=moment(self.since), in_progress=self.in_progress)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Fire when there is an image."""
        yield TriggerEvent(await self.wait())

    async def wait(self) -> dict[str, Any]:
        """Wait until there is an image, and return the payload that :meth:`run` fires."""
        began = time.monotonic()
        outcome = await self._outcome()
        # The scheduler can fail a task that resumes in its first seconds.
        await asyncio.sleep(max(0.0, self._first_look - (time.monotonic() - began)))
        known = {"deadline": self.deadline, "resumes": self.resumes, "try_number": self.try_number}
        return {**known, ARN_KEY: None, "message": "", "missing": False, **outcome}

    async def _outcome(self) -> dict[str, Any]:
        try:
            async with self.watcher() as watcher:
                arn = await find(watcher, self.wanted, deadline=self.deadline)
        except SearchDeadlineError as error:
            return {"outcome": "deadline", "message": str(error)}
        except ImageBuilderError as error:
            missing = isinstance(error, NotFoundError)
            return {"outcome": "error", "message": str(error), "missing": missing}
        return {"outcome": "found", ARN_KEY: arn}

    @property
    def _first_look(self) -> float:
        from airflow_imagebuilder.triggers.watch.settings import watch_settings

        return watch_settings(self.poll_interval).first_look
