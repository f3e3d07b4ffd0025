"""Which image of a pipeline, or of a name, is the newest: the lists to read, and the choice among them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_imagebuilder.service.arns.arns import ImageBuildVersionArn
from airflow_imagebuilder.service.client.answers import has_status
from airflow_imagebuilder.service.errors import ForbiddenError, InvalidRequestError
from airflow_imagebuilder.service.results.states import IMAGE_IN_PROGRESS, ImageStatus
from airflow_imagebuilder.service.text import image_name

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

WITHDRAWN = frozenset({ImageStatus.DEPRECATED, ImageStatus.DISABLED, ImageStatus.DELETED})
"""Statuses of images that are not for use any longer: none of them is the newest image."""

MOST_VERSIONS = 20
"""Versions whose builds are read one by one, the highest first, where boto3 cannot list a name's builds."""

_MOMENT = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(\.\d+)?)? ?(Z|UTC|[+-]\d\d:\d\d)?", re.ASCII
)


def moment(text: str) -> datetime:
    """
    Return the time that a text names, in UTC; a text without a zone is UTC.

    :param text: ISO 8601, as AWS writes ``dateCreated`` and as Airflow renders a time: ``2026-01-31``,
        ``2026-01-31T06:00:00.123Z``, ``2026-01-31 06:00:00+02:00``.
    :raises ValueError: the text is not such a time.
    """
    found = _MOMENT.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"not a time: {text!r}")
    day, clock, fraction, zone = found.groups("")
    # Python 3.10 cannot read Z, and reads fractions of three or six digits only.
    offset = "+00:00" if zone in ("", "Z", "UTC") else zone
    whole = datetime.fromisoformat(f"{day}T{clock or '00:00'}{offset}")
    return as_utc(whole + timedelta(seconds=float(f"0{fraction}")))


def as_utc(time: datetime) -> datetime:
    """
    Return a time in UTC; one without a zone is taken for UTC.

    :raises ValueError: in UTC it is before the year 1 or after the year 9999.
    """
    try:
        return (time if time.tzinfo else time.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
    except OverflowError as error:
        raise ValueError(f"not a time in UTC: {time}") from error


def names_of(name: str) -> list[str]:
    """Return the names by which lists may show an image: as it was given, and as ARNs have it (the last)."""
    return list(dict.fromkeys((name, name.lower().replace(" ", "-").replace("_", "-"))))


class Call(NamedTuple):
    """One call of a reading: the hook's method, its argument, and the same as the API has it."""

    operation: str
    member: str
    argument: Mapping[str, Any]
    params: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Source:
    """
    Where an image is searched: a pipeline, or the images of a name. One of the two is given.

    :param pipeline_arn: the pipeline's ARN.
    :param image_name: the images' name, as AWS shows it or as ARNs have it.
    :param version: ``1.2.3``, or with wildcards on the right (``1.x.x``); ``None`` (default) for all.
    """

    pipeline_arn: str | None = None
    image_name: str | None = None
    version: str | None = None

    def __str__(self) -> str:
        """Return it as a message names it, e.g. ``image 'golden' in version 1.x.x``."""
        if self.pipeline_arn:
            return f"pipeline {self.pipeline_arn}"
        return f"image {self.image_name!r}" + (f" in version {self.version}" if self.version else "")

    def reading(self, *, check: bool = True) -> Generator[Call, Any, list[Any]]:
        """
        Read the images: yields calls, takes the records (or the error) of each, and returns the images.

        ListImagePipelineImages answers for an unknown pipeline with an empty list.

        :param check: whether to ask for the pipeline, where it has no images (default: yes).
        :raises NotFoundError: the caller puts it in: there is no such pipeline.
        """
        if self.pipeline_arn is None:
            return (yield from self._named())
        images = yield Call(
            "list_image_pipeline_images",
            "imageSummaryList",
            {"pipeline_arn": self.pipeline_arn},
            {"imagePipelineArn": self.pipeline_arn},
        )
        if check and not images:
            try:
                one = {"imagePipelineArn": self.pipeline_arn}
                yield Call("get_image_pipeline", "imagePipeline", {"arn": self.pipeline_arn}, one)
            except ForbiddenError:
                pass  # without this permission, a misspelt pipeline is found at the timeout
        return list(images)

    def _named(self) -> Generator[Call, Any, list[Any]]:
        # The first that is read shows builds of all versions. An older boto3 demands a version.
        names = names_of(str(self.image_name))
        named = {"filters": [{"name": "name", "values": names}]}
        try:
            builds = yield Call("list_image_build_versions", "imageSummaryList", {"names": names}, named)
        except InvalidRequestError:
            versions = yield Call("list_images", "imageVersionList", {"names": names}, named)
            builds = []
            for arn in self._highest(versions):
                version = {"version_arn": arn}, {"imageVersionArn": arn}
                builds += yield Call("list_image_build_versions", "imageSummaryList", *version)
        return list(builds)

    @property
    def _slug(self) -> str:
        """The name as ARNs have it (API reference, ``CreateImageRecipe.name``)."""
        return names_of(str(self.image_name))[-1]

    def _highest(self, versions: Iterable[Any]) -> list[str]:
        arns = {str(one.get("arn")) for one in versions if isinstance(one, Mapping)}
        numbered = [(_numbers(arn), arn) for arn in arns if self.fits(f"{arn}/1")]
        return [arn for _, arn in sorted(numbered, reverse=True)[:MOST_VERSIONS]]

    def fits(self, arn: str) -> bool:
        """Return whether a build version ARN has the name and the version."""
        if not ImageBuildVersionArn.accepts(arn):
            return False
        if self.image_name is None:
            return True
        parsed = ImageBuildVersionArn.parse(arn)
        wanted = (self.version or "x.x.x").split(".")
        nodes = zip(wanted, parsed.version.split("."), strict=True)
        same = parsed.name.replace("_", "-") == self._slug
        return same and all(want in ("x", have) for want, have in nodes)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """
    The newest image of a source: by ``dateCreated``, whatever the order of AWS's lists.

    Images that are DEPRECATED, DISABLED or DELETED do not count. A FAILED or CANCELLED one does: an older
    image is not what the pipeline makes now.

    :param source: where it is searched.
    :param since: the time at or after which it was created.
    :param in_progress: whether an image that was created before, and has not ended, counts too.
    """

    source: Source
    since: datetime
    in_progress: bool = False

    def __str__(self) -> str:
        """Return it as a message names it."""
        late = ", or still in progress" if self.in_progress else ""
        return f"{self.source}, created since {self.since.isoformat(timespec='seconds')}{late}"

    def newest(self, images: Iterable[Any], *, after: datetime | None = None) -> str | None:
        """
        Return the ARN of the newest image; ``None`` if there is none.

        :param images: AWS's ``ImageSummary`` of each. A record that cannot be read counts as not there.
        :param after: only images created after this time; ``None`` (default) for all.
        """
        found = [
            (created, _numbers(image["arn"]), image["arn"])
            for image in images
            if (created := self._created(image)) and (after is None or created > after)
        ]
        return str(max(found)[2]) if found else None

    def _created(self, image: Any) -> datetime | None:
        """Return when an image was created; ``None`` if it does not count."""
        if not isinstance(image, Mapping) or not has_status(image):
            return None
        created, status = created_at(image), image["state"]["status"]
        if created is None or status in WITHDRAWN or not self.source.fits(str(image.get("arn"))):
            return None
        late = created >= self.since or (self.in_progress and status in IMAGE_IN_PROGRESS)
        return created if late else None


def created_at(image: Mapping[str, Any]) -> datetime | None:
    """Return when an image was created; ``None`` if it does not say so."""
    try:
        return moment(str(image.get("dateCreated")))
    except ValueError:
        return None


def described(images: Iterable[Any]) -> str:
    """Return the newest three of some images for a log line, e.g. ``golden 1.0.0/3 (AVAILABLE)``."""
    shown = [image for image in images if isinstance(image, Mapping) and has_status(image)]
    shown.sort(key=lambda image: str(image.get("dateCreated")), reverse=True)
    parts = [
        f"{image_name(str(image.get('arn')))} ({image['state']['status']}, {image.get('dateCreated')})"
        for image in shown[:3]
    ]
    return ", ".join(parts) or "none"


def _numbers(arn: str) -> tuple[int, ...]:
    """Return version and build of an ARN as numbers, which text cannot be sorted by."""
    return tuple(int(node) for part in arn.split("/")[2:] for node in part.split(".") if node.isdigit())
