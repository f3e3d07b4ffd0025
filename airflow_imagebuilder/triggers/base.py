"""The base of the triggers: the connection, and the watcher that equal triggers share."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from airflow_imagebuilder.hooks import ImageBuilderHook
    from airflow_imagebuilder.service.watcher.watcher import ImageWatcher

PUBLIC_MODULE = "airflow_imagebuilder.triggers"
"""The module that Airflow loads the triggers of this package from, in every release."""


def class_path(cls: type) -> str:
    """Return the path of a trigger that databases hold: the public one, whichever file has the class."""
    module = PUBLIC_MODULE if cls.__module__.startswith(f"{PUBLIC_MODULE}.") else cls.__module__
    return f"{module}.{cls.__qualname__}"


class ImageBuilderTrigger(BaseTrigger):
    """
    The base of all triggers. Equal connections, regions and configurations share one watcher.

    :param image_build_version_arn: the image to watch.
    :param deadline: Unix time at which the wait stops; ``None`` (default) waits without a limit.
    :param stale_until: Unix time until which AWS may still show the FAILED or CANCELLED from before a repair;
        ``None`` (default) if the image was not repaired.
    :param poll_interval: seconds between two polls; ``None`` (default) takes ``[imagebuilder]
        poll_interval``.
    :param aws_conn_id: the AWS connection (default: ``aws_default``); ``None`` takes boto3's own chain of
        credentials.
    :param region_name: the region of the image; ``None`` (default) takes the connection's.
    :param verify: whether to verify TLS certificates, or the path of a bundle to verify them against;
        ``None`` (default) takes the connection's.
    :param botocore_config: arguments of ``botocore.config.Config``; ``None`` (default) takes the
        connection's.
    """

    def __init__(
        self,
        *,
        image_build_version_arn: str,
        deadline: float | None = None,
        stale_until: float | None = None,
        poll_interval: float | None = None,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.image_build_version_arn = image_build_version_arn
        self.deadline = deadline
        self.stale_until = stale_until
        self.poll_interval = poll_interval
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and all arguments of the constructor."""
        names = (
            "image_build_version_arn",
            "deadline",
            "stale_until",
            "poll_interval",
            "aws_conn_id",
            "region_name",
            "verify",
            "botocore_config",
        )
        return class_path(type(self)), {name: getattr(self, name) for name in names}

    @property
    def try_number(self) -> int | None:
        """The try of the task that waits; ``None`` where no triggerer runs this."""
        return getattr(self.task_instance, "try_number", None)

    @property
    def hook(self) -> ImageBuilderHook:
        """The hook of this trigger's connection."""
        from airflow_imagebuilder.hooks import ImageBuilderHook

        return ImageBuilderHook(
            aws_conn_id=self.aws_conn_id,
            region_name=self.region_name,
            verify=self.verify,
            config=self.botocore_config,
        )

    def watcher(self) -> AbstractAsyncContextManager[ImageWatcher]:
        """Return the process's watcher for this trigger's connection. The first trigger creates it."""
        from airflow_imagebuilder.service.watcher.watcher import shared
        from airflow_imagebuilder.triggers.watch.metrics import AirflowMetrics
        from airflow_imagebuilder.triggers.watch.settings import queue_url, watch_settings

        settings = watch_settings(self.poll_interval)
        # A wait on a worker must not take the messages of a triggerer.
        url, channel = queue_url() if self.task_instance is not None else "", None
        if url:
            from airflow_imagebuilder.triggers.watch.queue import channel_of

            channel = channel_of(
                url,
                aws_conn_id=self.aws_conn_id,
                region_name=self.region_name,
                verify=self.verify,
                botocore_config=self.botocore_config,
            )
        key = (
            self.aws_conn_id,
            self.region_name,
            self.verify,
            json.dumps(self.botocore_config, sort_keys=True, default=str),
            settings,
            channel and channel.url,
        )
        metrics = AirflowMetrics(aws_conn_id=self.aws_conn_id, region=self.region_name)
        return shared(key, self.hook.connect, settings, metrics, channel)
