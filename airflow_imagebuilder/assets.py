"""What a Dag that is scheduled on an image learns about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset

from airflow_imagebuilder.service.arns.arns import ImageBuildVersionArn

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow.sdk import Context

    from airflow_imagebuilder.service.results.image import ImageResult


def tell_assets(context: Context, outlets: Iterable[Any], result: ImageResult) -> None:
    """
    Attach the image to the event of each outlet asset.

    A consumer finds it in ``triggering_asset_events``: ``event.extra["amis"]["eu-west-1"]``.

    :param outlets: the task's outlets.
    :param result: the image that was built.
    """
    for asset in outlets:
        if isinstance(asset, Asset):
            context["outlet_events"][asset].extra = asset_extra(result)


def asset_extra(result: ImageResult) -> dict[str, Any]:
    """
    Return what an asset event says of an image.

    :return: ``image_arn``, ``name``, ``version``; ``amis``, the building account's AMI of each region;
        ``shared_amis``, those of other accounts, by account and region; ``containers``, URIs by region.
    """
    account = ImageBuildVersionArn.parse(result.arn).account
    amis: dict[str, str | None] = {}
    shared: dict[str, dict[str, str | None]] = {}
    for ami in result.amis:
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
