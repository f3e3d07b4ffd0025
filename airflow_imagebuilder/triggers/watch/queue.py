"""The queue that announces the ends of images, read with the connection of the waits."""

from __future__ import annotations

import functools
import json
import logging
import socket
from typing import Any

from airflow_imagebuilder.hooks import ImageBuilderHook
from airflow_imagebuilder.service.events.listener import Channel, region_of
from airflow_imagebuilder.service.text import one_line

log = logging.getLogger(__name__)

HOSTNAME = "{hostname}"
"""What a URL may hold in place of the host's name, so that one configuration gives each triggerer a queue."""


class QueueHook(ImageBuilderHook):
    """
    Call SQS with the credentials and configuration of an AWS connection.

    :param aws_conn_id: as for :class:`airflow_imagebuilder.hooks.ImageBuilderHook`, like the other arguments.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.client_type = "sqs"


def channel_of(
    url: str,
    *,
    aws_conn_id: str | None,
    region_name: str | None,
    verify: bool | str | None,
    botocore_config: dict[str, Any] | None,
) -> Channel | None:
    """
    Return a queue, to be read with a connection.

    :param url: ``[imagebuilder] queue_url``. The region is the one that it names.
    :param aws_conn_id: the connection, as for
        :class:`airflow_imagebuilder.triggers.base.ImageBuilderTrigger`, like the other arguments.
    :param region_name: the region where the URL names none.
    :return: the channel; None without a queue, or if the URL is wrong (which is logged once).
    """
    url = url.strip().replace(HOSTNAME, socket.gethostname().partition(".")[0])
    if not url or not _is_url(url):
        return None
    region = region_of(url) or region_name
    hook = QueueHook(aws_conn_id=aws_conn_id, region_name=region, verify=verify, config=botocore_config)
    config = json.dumps(botocore_config, sort_keys=True, default=str)
    return Channel(url, hook.connect, (aws_conn_id, region, verify, config))


@functools.cache
def _is_url(url: str) -> bool:
    """Return whether this may be the URL of a queue. A wait must not fail because of a wrong one."""
    if url.startswith(("https://", "http://")) and "{" not in url:
        return True
    log.warning(
        "[imagebuilder] queue_url is %s, which is not the URL of an SQS queue. Images are polled, and no "
        "events are heard. Write https://sqs.REGION.amazonaws.com/ACCOUNT/NAME; %s becomes the name of "
        "the triggerer's host.",
        one_line(url), HOSTNAME,
    )  # fmt: skip
    return False
