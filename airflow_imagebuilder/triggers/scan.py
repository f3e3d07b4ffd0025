"""The trigger that waits for the scan of an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.triggers.base import TriggerEvent

from airflow_imagebuilder.service.errors import DeadlineExceededError, ImageBuilderError
from airflow_imagebuilder.service.gates.scans.wait import follow_scan
from airflow_imagebuilder.triggers.base import ImageBuilderTrigger
from airflow_imagebuilder.triggers.image import RESUME_LONGEST_PAUSE, RESUME_PAUSE
from airflow_imagebuilder.xcom import ARN_KEY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class ImageBuilderScanTrigger(ImageBuilderTrigger):
    """
    Wait until the scan of an image has ended. A kill changes nothing on AWS.

    Fires once, with ``image_build_version_arn``, ``outcome``, ``message``, ``deadline``, ``resumes`` and
    ``try_number`` (of the task that waits). The outcome is ``ended``, ``deadline`` or ``error``. The worker
    that resumes reads the image again and judges from that answer.

    :param scan_type: ``TEST_INSTANCE_CVE`` or ``ON_DEMAND_AMI_CVE``; ``None`` (default) takes the image's.
    :param resumes: how many times a worker has begun this wait again after trouble (default: 0).
    """

    def __init__(self, *, scan_type: str | None = None, resumes: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scan_type = scan_type
        self.resumes = resumes

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and all arguments of the constructor."""
        path, kwargs = super().serialize()
        return path, {**kwargs, "scan_type": self.scan_type, "resumes": self.resumes}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Watch the scan, log each change of its state, and fire when it has ended."""
        yield TriggerEvent(await self.wait())

    async def wait(self) -> dict[str, Any]:
        """Wait until the scan has ended, and return the payload that :meth:`run` fires."""
        outcome, message = await self._outcome()
        return {
            ARN_KEY: self.image_build_version_arn,
            "outcome": outcome,
            "message": message,
            "deadline": self.deadline,
            "resumes": self.resumes,
            "try_number": self.try_number,
        }

    async def _outcome(self) -> tuple[str, str]:
        from airflow_imagebuilder.triggers.watch.settings import watch_settings

        pause = min(RESUME_PAUSE * 2 ** (self.resumes - 1), RESUME_LONGEST_PAUSE) if self.resumes else None
        try:
            async with self.watcher() as watcher:
                scan = await follow_scan(
                    watcher,
                    self.image_build_version_arn,
                    self.log,
                    settings=watch_settings(self.poll_interval),
                    scan_type=self.scan_type,
                    deadline=self.deadline,
                    first_look=pause,
                )
        except DeadlineExceededError as error:
            cause = error.__cause__
            return "deadline", str(cause) if cause else ""
        except ImageBuilderError as error:
            return "error", str(error)
        return "ended", scan.summary
