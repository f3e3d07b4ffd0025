"""What the local Image Builder does minute by minute: the clock moves when the test says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from web_base import ARN

if TYPE_CHECKING:
    from airflow_imagebuilder.testing import ImageBuilder


def test_an_image_is_built_and_then_tested(image_builder: ImageBuilder) -> None:
    image_builder.stop_clock()
    image_builder.durations(pending=5, creating=15, build=600, test=120)
    imagebuilder = image_builder.client("imagebuilder")

    def status() -> str:
        state: str = imagebuilder.get_image(imageBuildVersionArn=arn)["image"]["state"]["status"]
        return state

    arn = imagebuilder.create_image(
        imageRecipeArn=f"{ARN}:image-recipe/web-base/1.0.0",
        infrastructureConfigurationArn=f"{ARN}:infrastructure-configuration/web-base",
    )["imageBuildVersionArn"]
    assert status() == "PENDING"
    image_builder.advance(60)
    assert status() == "BUILDING"
    image_builder.advance(600)
    assert status() == "TESTING"
    image_builder.advance(3600)
    assert status() == "AVAILABLE"
