"""The stock pattern: the amazon provider's waiter trigger, one aiobotocore client per trigger."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook
from airflow.providers.amazon.aws.triggers.base import AwsBaseWaiterTrigger


class StockHook(AwsGenericHook[Any]):
    """The hook that a provider would write: a generic hook, and a waiter in JSON."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["client_type"] = "imagebuilder"
        super().__init__(*args, **kwargs)

    @property
    def waiter_path(self) -> Path:
        return Path(__file__).with_name("imagebuilder.json")


class StockTrigger(AwsBaseWaiterTrigger):
    """Wait for the end of one image."""

    aws_hook_class = StockHook

    def __init__(self, arn: str, interval: float = 5, attempts: int = 10_000, **kwargs: Any) -> None:
        super().__init__(
            serialized_fields={"arn": arn, "interval": interval, "attempts": attempts},
            waiter_name="image_ended",
            waiter_args={"imageBuildVersionArn": arn},
            failure_message="Image build failed",
            status_message="Image is",
            status_queries=["image.state.status"],
            return_value=arn,
            waiter_delay=interval,  # type: ignore[arg-type]  # botocore takes any number
            waiter_max_attempts=attempts,
            **kwargs,
        )

    def serialize(self) -> tuple[str, dict[str, Any]]:
        path, kwargs = super().serialize()
        kwargs.pop("waiter_delay")
        kwargs.pop("waiter_max_attempts")
        return path, kwargs
