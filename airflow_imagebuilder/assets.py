"""The extra of asset events: the image that a Dag scheduled on an asset receives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset

from airflow_imagebuilder.service.arns.arns import ImageBuildVersionArn

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow.sdk import Context

    from airflow_imagebuilder.service.results.image import ImageResult


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
