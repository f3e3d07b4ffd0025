"""Golden images as assets: their URIs, and the extra of their events, which a Dag on the asset receives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset

from airflow_imagebuilder.assets.uri import sanitize_uri
from airflow_imagebuilder.service.arns.arns import ImageBuildVersionArn

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow.sdk import Context

    from airflow_imagebuilder.service.results.image import ImageResult

__all__ = ["asset_extra", "image_in", "sanitize_uri", "update_asset_events"]


def update_asset_events(context: Context, outlets: Iterable[Any], result: ImageResult) -> None:
    """Attach the image to the event of each outlet asset.

    A Dag scheduled on the asset reads it from ``triggering_asset_events``:
    ``event.extra["amis"]["eu-west-1"]``.

    :param context: the task's context.
    :param outlets: the task's outlets; those that are not assets are ignored.
    :param result: the image that was built.
    """
    for asset in outlets:
        if isinstance(asset, Asset):
            context["outlet_events"][asset].extra = asset_extra(result)


def image_in(event: Any) -> dict[str, Any]:
    """Return the image that an event of a golden image reports, whether a task or a watcher has sent it.

    Airflow keeps what a watcher reports below ``payload`` in the extra of the event.

    :param event: an event of ``triggering_asset_events``, or its extra.
    :return: as :func:`asset_extra`; empty if the event reports no image, e.g. one that a person has created
        in the UI.
    """
    extra = getattr(event, "extra", event) or {}
    image = extra.get("payload") if extra.get("from_trigger") else extra
    return dict(image) if isinstance(image, Mapping) and "image_arn" in image else {}


def asset_extra(result: ImageResult) -> dict[str, Any]:
    """Return the extra of an asset event for an image.

    :param result: the image that was built.
    :return: ``image_arn``, ``name``, ``version``; ``amis``, the ids of the golden AMIs of the building
        account by region; ``shared_amis``, those of other accounts by account and region; ``containers``,
        URIs by region. An AMI that is not golden (:attr:`ImageResult.golden_amis`) is in neither.
    """
    account = ImageBuildVersionArn.parse(result.arn).account
    amis: dict[str, str | None] = {}
    shared: dict[str, dict[str, str | None]] = {}
    for ami in result.golden_amis:
        own = ami.account_id in (None, account)
        (amis if own else shared.setdefault(str(ami.account_id), {}))[ami.region] = ami.image
    return {
        "image_arn": result.arn,
        "name": result.name,
        "version": result.version,
        "amis": amis,
        "shared_amis": shared,
        "containers": {container.region: list(container.image_uris) for container in result.containers},
    }
