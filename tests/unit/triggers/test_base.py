"""The arguments of the triggers: what is stored in the database, and which triggers share a watcher."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any

import pytest
from airflow.triggers.base import BaseTrigger

from airflow_imagebuilder import triggers
from tests.support.arns import IMAGE
from tests.support.triggers import image_trigger, monitor

ALL = [
    kind
    for _, kind in inspect.getmembers(triggers, inspect.isclass)
    if issubclass(kind, BaseTrigger)
    and kind.__module__.startswith(triggers.__name__)
    and not inspect.isabstract(kind)
]
# A value unlike the default for every argument that a trigger takes.
VALUES: dict[str, Any] = {
    "image_build_version_arn": IMAGE,
    "deadline": 1_800_000_000.5,
    "stale_until": 1_790_000_000.5,
    "poll_interval": 7.0,
    "aws_conn_id": "aws_fleet",
    "region_name": "eu-west-1",
    "verify": "/etc/ssl/bundle.pem",
    "botocore_config": {"retries": {"max_attempts": 2}},
    "cancel_on_kill": False,
    "delete_outputs_on_kill": True,
    "stale_failure": "wf-1",
    "submitter": "golden.create_image",
    "submitted_by": "0190-uuid",
    "resumes": 3,
    "workflow_type": "TEST",
    "workflow_name": "boot",
    "parallel_group": "functional",
    "ordinal": 2,
    "guard": "golden.image",
    "since": "2026-01-31T06:00:00+00:00",
    "in_progress": True,
    "pipeline_arn": "arn:aws:imagebuilder:us-east-1:123456789012:image-pipeline/golden",
    "image_name": "golden",
    "version": "1.x.x",
    "scan_type": "ON_DEMAND_AMI_CVE",
    "queue_url": "https://sqs.eu-west-1.amazonaws.com/123456789012/golden-images",
    "statuses": ["AVAILABLE", "FAILED"],
    "skip_tags": {"baked-by": "airflow"},
}


def arguments(kind: type[BaseTrigger]) -> dict[str, Any]:
    """Return a value for each argument of a trigger's constructor and of its base classes'."""
    names = {
        name
        for cls in kind.__mro__
        if cls.__module__.startswith(triggers.__name__)
        for name, parameter in inspect.signature(cls).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    return {name: VALUES[name] for name in names}


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_a_trigger_survives_the_database(kind: type[BaseTrigger]) -> None:
    given = arguments(kind)
    path, kwargs = kind(**given).serialize()
    assert kwargs == given
    module, _, name = path.rpartition(".")
    found = getattr(import_module(module), name)
    assert found is kind
    assert found(**kwargs).serialize() == (path, kwargs)


def test_the_triggers_are_those_that_the_package_exports() -> None:
    import airflow_imagebuilder

    names = {kind.__name__ for kind in ALL}
    assert names == {name for name in airflow_imagebuilder.__all__ if name.endswith("Trigger")}


def test_the_hook_of_a_trigger_has_its_connection_region_and_configuration() -> None:
    hook = image_trigger(
        aws_conn_id="aws_fleet",
        region_name="eu-west-1",
        verify=False,
        botocore_config={"read_timeout": 7},
    ).hook
    assert (hook.aws_conn_id, hook._region_name, hook._verify) == ("aws_fleet", "eu-west-1", False)
    assert hook._config.read_timeout == 7


@pytest.mark.asyncio
async def test_equal_triggers_share_one_watcher_and_different_ones_do_not() -> None:
    same = [image_trigger(region_name="us-east-1"), monitor(region_name="us-east-1")]
    others = [
        image_trigger(region_name="eu-west-1"),
        image_trigger(region_name="us-east-1", poll_interval=1),
        image_trigger(region_name="us-east-1", aws_conn_id="aws_fleet"),
        image_trigger(region_name="us-east-1", verify=False),
        image_trigger(region_name="us-east-1", botocore_config={"read_timeout": 7}),
    ]
    async with same[0].watcher() as first, same[1].watcher() as second:
        assert first is second
        for trigger in others:
            async with trigger.watcher() as other:
                assert other is not first
