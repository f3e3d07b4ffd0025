"""Rules for several arguments together: tests without a build, and regions."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from airflow.sdk import DAG

from airflow_imagebuilder import (
    TestGroup,
    Workflow,
)
from tests.support.image_builder import FakeImageBuilder
from tests.support.inputs import (
    BASE,
    BOOT,
    BUILD,
    ROLE,
    bake,
    create,
    refused,
    run,
)

if TYPE_CHECKING:
    from collections.abc import Callable

# -- tests without a build ---------------------------------------------------------------------------------


def test_tests_without_a_build_are_warned_of_at_parse_and_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with pytest.warns(UserWarning, match="Task 't': workflows has no build workflow, so AWS skips the build"):
        operator = create(workflows=[BOOT], **ROLE)
    with structlog.testing.capture_logs() as logged:
        run(operator, FakeImageBuilder("AVAILABLE"))
    warned = [line["event"] for line in logged if line["log_level"] == "warning"]
    # Airflow 3.0 logs through Python's logging.
    warned += [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert any("makes no new image" in event for event in warned)


def test_the_group_warns_once_of_tests_without_a_build(dag: DAG) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        bake(build_workflow=None, test_groups=[TestGroup("a", (BOOT,))])
    warned = [str(one.message) for one in caught if "no build workflow" in str(one.message)]
    assert [message.split(": ")[0] for message in warned] == ["Task 'g.create_image'"]


@pytest.mark.parametrize(
    "workflows", [None, [], [BUILD], [BUILD, BOOT], [Workflow("{{ x }}"), BOOT]], ids=str
)
def test_nothing_is_warned_of_where_aws_builds(workflows: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        create(workflows=workflows, **ROLE)


# -- regions -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [create, bake])
def test_another_region_than_that_of_the_arns_is_refused_at_parse(dag: DAG, make: Callable[..., Any]) -> None:
    with DAG("other", schedule=None):
        line = refused(make, region_name="eu-west-1")
    assert line.startswith(
        "region_name: got 'eu-west-1'; allowed: us-east-1, the region of infrastructure_conf"
    )
    assert make(region_name="us-east-1")


@pytest.mark.parametrize("make", [create, bake])
def test_two_regions_in_one_request_are_refused_at_parse(dag: DAG, make: Callable[..., Any]) -> None:
    other = BASE["infrastructure_configuration_arn"].replace("us-east-1", "eu-west-1")
    line = refused(make, infrastructure_configuration_arn=other)
    assert line.startswith("infrastructure_configuration_arn and image_recipe_arn: got {")
    assert "'image_recipe_arn': 'us-east-1'" in line
    assert "allowed: ARNs of one region" in line


def test_the_region_of_the_connection_is_compared_before_the_call() -> None:
    aws = FakeImageBuilder("AVAILABLE")
    aws.region = "eu-west-1"
    line = refused(run, create(), aws)
    assert line.startswith("region of the connection 'aws_default': got 'eu-west-1'; allowed: us-east-1")
    assert aws.requests == []


def test_a_templated_region_is_compared_when_it_is_rendered() -> None:
    operator = create(
        image_recipe_arn="{{ params.arn }}", infrastructure_configuration_arn="{{ params.arn2 }}"
    )
    other = BASE["infrastructure_configuration_arn"].replace("us-east-1", "eu-west-1")
    assert "ARNs of one region" in refused(
        run, operator, FakeImageBuilder("AVAILABLE"), arn=BASE["image_recipe_arn"], arn2=other
    )


@pytest.mark.parametrize("region", ["{{ params.region }}", None, ""])
def test_a_region_that_is_not_known_passes(region: str | None) -> None:
    aws = FakeImageBuilder("AVAILABLE")
    aws.region = None
    operator = create(region_name=region)
    run(operator, aws, region="")
    assert len(aws.requests) == 1
    assert operator.aws["region_name"] is None
