"""The trigger of an asset watcher: images that were built outside of Airflow become asset events."""

from __future__ import annotations

import contextlib
import json
import re
from collections import defaultdict
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from airflow_imagebuilder.assets import asset_extra
from airflow_imagebuilder.service.arns.arns import ImageBuildVersionArn
from airflow_imagebuilder.service.errors import Fault, InvalidRequestError
from airflow_imagebuilder.service.results.image import ImageResult
from airflow_imagebuilder.service.results.states import ImageStatus
from airflow_imagebuilder.triggers.base import class_path

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Hashable, Iterator, Sequence

    from airflow_imagebuilder.service.events.arrivals import Arrival, Arrivals
    from airflow_imagebuilder.service.events.messages import ImageStateChange
    from airflow_imagebuilder.triggers.event_streams import Producer

ENDS = (str(ImageStatus.AVAILABLE), str(ImageStatus.FAILED), str(ImageStatus.CANCELLED))
"""The statuses that a watcher can wait for."""

_QUEUE_URL = re.compile(r"https?://[^/\s{}]+/[0-9]{12}/[A-Za-z0-9_-]{1,80}")
_PATTERN = re.compile(r"[A-Za-z0-9_*?-]+")

_watching: defaultdict[Hashable, set[ImageBuilderImageEventTrigger]] = defaultdict(set)
"""The triggers that run in this process, by the queue and the connection that they share."""


class ImageBuilderImageEventTrigger(BaseEventTrigger):
    """
    Fire an event for each image that has ended, as EventBridge reports it through an SQS queue.

    ``Asset("golden-al2023", uri="imagebuilder://golden-al2023", watchers=[AssetWatcher(name="images",
    trigger=ImageBuilderImageEventTrigger(queue_url="https://...", image_name="golden-al2023"))])``

    The payload of an event is that of :func:`airflow_imagebuilder.assets.asset_extra`, from GetImage's
    answer. If ``statuses`` has others than AVAILABLE, it has the image's ``status`` too. Each image is
    reported at least once. All triggers of a triggerer that share queue and connection share one reader.

    :param queue_url: the URL of the queue, a standard one: a message that returns would block a FIFO queue.
    :param image_name: the image's name as its ARN has it, or a pattern with ``*`` and ``?``; ``None``
        (default) means every image that the queue reports.
    :param statuses: the ends that are reported (default: AVAILABLE): AVAILABLE, FAILED, CANCELLED.
    :param skip_tags: images with all of these tags are not reported: those that tasks of Airflow build and
        report themselves, if the tasks tag them. ``None`` (default) reports them, too.
    :param aws_conn_id: the AWS connection (default: ``aws_default``); ``None`` takes boto3's own chain of
        credentials.
    :param region_name: the region of a queue whose URL names none; ``None`` (default) takes the connection's.
        An image is read in the region of its ARN.
    :param verify: whether to verify TLS certificates, or the path of a bundle to verify them against;
        ``None`` (default) takes the connection's.
    :param botocore_config: arguments of ``botocore.config.Config``; ``None`` (default) takes the
        connection's.
    :raises InvalidRequestError: (a ValueError) an argument is not of its form; with all faults.
    """

    def __init__(
        self,
        *,
        queue_url: str,
        image_name: str | None = None,
        statuses: Sequence[str] = ("AVAILABLE",),
        skip_tags: Mapping[str, str] | None = None,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.queue_url = queue_url
        self.image_name = image_name
        self.statuses = [statuses] if isinstance(statuses, str) else [str(one) for one in statuses or ()]
        self.skip_tags = dict(skip_tags) if isinstance(skip_tags, Mapping) else skip_tags or None
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config
        if faults := list(self._faults()):
            raise InvalidRequestError(faults, of=type(self).__name__)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and all arguments of the constructor."""
        # Airflow compares them with those in its database, so they are what JSON returns: lists, no tuples.
        names = (
            "queue_url",
            "image_name",
            "statuses",
            "skip_tags",
            "aws_conn_id",
            "region_name",
            "verify",
            "botocore_config",
        )
        return class_path(type(self)), {name: getattr(self, name) for name in names}

    def _faults(self) -> Iterator[Fault]:
        if not isinstance(self.queue_url, str) or not _QUEUE_URL.fullmatch(self.queue_url):
            yield Fault(
                "queue_url",
                self.queue_url,
                "the URL of a standard SQS queue, https://sqs.REGION.amazonaws.com/ACCOUNT/NAME",
                "copy it from the queue's page; Airflow renders no templates in watchers",
            )
        name = self.image_name
        if name is not None and not (isinstance(name, str) and _PATTERN.fullmatch(name)):
            yield Fault(
                "image_name",
                name,
                "letters, digits, hyphens and underscores, with * and ? for any others",
                "write the name as the image's ARN has it, e.g. golden-al2023",
            )
        if not self.statuses or not set(self.statuses) <= set(ENDS):
            yield Fault(
                "statuses",
                self.statuses,
                ", ".join(ENDS),
                "remove the others: only the end of an image fires",
            )
        tags = self.skip_tags
        if tags and not (
            isinstance(tags, dict) and all(isinstance(one, str) for pair in tags.items() for one in pair)
        ):
            yield Fault(
                "skip_tags",
                tags,
                "a mapping of text to text",
                "write each value as the tag of the image has it: AWS keeps all of them as text",
            )

    # -- what is reported ----------------------------------------------------------------------------------

    def wants(self, change: ImageStateChange) -> bool:
        """Return whether this trigger reports the image of a message, as far as the message shows."""
        name = ImageBuildVersionArn.parse(change.arn).name
        pattern = (self.image_name or "*").lower()
        # A recipe's underscores may be hyphens in the ARN.
        return change.status in self.statuses and fnmatchcase(_hyphened(name), _hyphened(pattern))

    def event(self, arrival: Arrival) -> TriggerEvent | None:
        """Return the event for an image; ``None`` if this trigger does not report it."""
        if not self.wants(arrival.change):
            return None
        tags = arrival.image.get("tags") or {}
        if self.skip_tags and self.skip_tags.items() <= tags.items():
            self.log.info("Image %s is not reported: it has the tags %s", arrival.change.arn, self.skip_tags)
            return None
        return TriggerEvent(_payload(arrival.image))

    # -- the reader that equal triggers share --------------------------------------------------------------

    def shared_stream_key(self) -> Hashable:
        """Return what the triggers of one reader have in common. Airflow calls this since 3.3."""
        config = json.dumps(self.botocore_config, sort_keys=True, default=str)
        return type(self).__name__, self.queue_url, self.aws_conn_id, self.region_name, self.verify, config

    @classmethod
    def create_shared_stream_producer(cls, kwargs: dict[str, Any]) -> Producer:  # type: ignore[override]
        """Return the reader of the queue. Airflow 3.3 reports to it which events its database has."""
        from airflow_imagebuilder.triggers.event_streams import Producer

        return Producer(cls(**kwargs).arrivals())

    async def filter_shared_stream(
        self, shared_stream: AsyncIterator[Arrival]
    ) -> AsyncGenerator[TriggerEvent, None]:
        """Yield the events of this trigger, of the arrivals of the reader that Airflow 3.3 shares."""
        with self._listed():
            async for arrival in shared_stream:
                event = self.event(arrival)
                if event is not None:
                    yield event

    async def run(self) -> AsyncGenerator[TriggerEvent, None]:
        """Yield the events of this trigger. Before Airflow 3.3, this package shares the reader."""
        from airflow_imagebuilder.triggers.event_streams import shared

        with self._listed():
            async with shared(self) as fan_out, fan_out.joined(self) as deliveries:
                async for delivery in deliveries:
                    with delivery:
                        event = self.event(delivery.arrival)
                        if event is not None:
                            yield event

    def arrivals(self) -> Arrivals:
        """Return a reader of the queue for all triggers with this one's key."""
        from airflow_imagebuilder.service.events.arrivals import Arrivals
        from airflow_imagebuilder.service.events.listener import region_of
        from airflow_imagebuilder.triggers.watch.queue import QueueHook

        hook = QueueHook(
            aws_conn_id=self.aws_conn_id,
            region_name=region_of(self.queue_url) or self.region_name,
            verify=self.verify,
            config=self.botocore_config,
        )
        key = self.shared_stream_key()

        def wants(change: ImageStateChange) -> bool:
            return any(trigger.wants(change) for trigger in _watching.get(key, ()))

        return Arrivals(hook.connect, self.queue_url, self._read, wants)

    async def _read(self, arn: str) -> dict[str, Any]:
        """Return GetImage's ``image``, from the client that the waits for images share."""
        from airflow_imagebuilder.triggers.image import ImageBuilderImageTrigger

        wait = ImageBuilderImageTrigger(
            image_build_version_arn=arn,
            aws_conn_id=self.aws_conn_id,
            region_name=ImageBuildVersionArn.parse(arn).region,
            verify=self.verify,
            botocore_config=self.botocore_config,
        )
        async with wait.watcher() as watcher:
            image = await watcher.image(arn)
        _payload(image)  # an image that cannot be reported is an error here, where the message is kept
        return image

    @contextlib.contextmanager
    def _listed(self) -> Iterator[None]:
        key = self.shared_stream_key()
        _watching[key].add(self)
        try:
            yield
        finally:
            _watching[key].discard(self)
            if not _watching[key]:
                del _watching[key]


def _payload(image: Mapping[str, Any]) -> dict[str, Any]:
    result = ImageResult.from_api(image)
    extra = asset_extra(result)
    return extra if result.status == ImageStatus.AVAILABLE else {**extra, "status": result.status}


def _hyphened(name: str) -> str:
    return name.replace("_", "-")
