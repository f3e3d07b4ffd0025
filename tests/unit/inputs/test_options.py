"""The parameters that AWS does not have."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG, Asset

from airflow_imagebuilder import (
    OnRetry,
)
from airflow_imagebuilder.service.errors import InvalidRequestError
from tests.support.image_builder import FakeImageBuilder
from tests.support.inputs import (
    ARNS,
    BASE,
    bake,
    create,
    guard,
    monitor,
    refused,
    run,
)

if TYPE_CHECKING:
    from collections.abc import Callable

BAD_OPTIONS: list[tuple[str, Any, str]] = [
    ("on_retry", "retry", "allowed: repair or rebuild or fail; did you mean 'repair'?"),
    ("on_retry", "Rebuild", "did you mean 'rebuild'?"),
    ("on_retry", 5, "write one of these"),
    ("poll_interval", "30s", "got '30s'; allowed: seconds above 0"),
    ("poll_interval", "", "seconds above 0"),
    ("poll_interval", 0, "write a number above 0"),
    ("poll_interval", -1.5, "write a number above 0"),
    ("poll_interval", math.nan, "write a number above 0"),
    ("poll_interval", math.inf, "write a number above 0"),
    ("poll_interval", True, "seconds above 0"),
    ("poll_interval", timedelta(0), "write a number above 0"),
    ("timeout", 3600, "a timedelta above 0, a year at most; write timedelta(seconds=3600)"),
    ("timeout", "1h", "write a timedelta"),
    ("timeout", timedelta(seconds=-1), "a timedelta above 0"),
    ("timeout", timedelta.max, "a year at most"),
    (
        "timeout",
        None,
        "not given; allowed: a timedelta above 0, a year at most; leave it out for the default",
    ),
    ("cancel_on_kill", "no", "True or False; write one of these, without quotes"),
    ("cancel_on_kill", None, "leave it out for the default"),
    ("delete_outputs_on_kill", 1, "True or False"),
    ("fail_on_test_failure", "True", "True or False"),
    ("aws_conn_id", 5, "the id of an AWS connection"),
    ("region_name", ["eu-west-1"], "a region"),
    ("verify", 5, "the path of a bundle"),
    ("botocore_config", "retries", "a mapping"),
]


@pytest.mark.parametrize("make", [create, guard, bake])
@pytest.mark.parametrize(("name", "value", "message"), BAD_OPTIONS, ids=str)
def test_an_option_is_checked_when_the_dag_is_parsed(
    dag: DAG, make: Callable[..., Any], name: str, value: Any, message: str
) -> None:
    line = refused(make, **{name: value})
    assert line.startswith(f"{name}: ")
    assert message in line


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("poll_interval", "30s"),
        ("workflow_type", "tests"),
        ("workflow_type", None),
        ("ordinal", -1),
        ("workflow", 5),
        ("image_build_version_arn", BASE["image_recipe_arn"]),
        ("image_build_version_arn", 5),
        ("stale_until", "soon"),
    ],
)
def test_an_option_of_a_monitor_is_checked(name: str, value: Any) -> None:
    assert refused(monitor, **{name: value}).startswith(f"{name}: ")


@pytest.mark.parametrize("make", [create, guard, bake])
def test_options_are_taken_in_all_their_forms(dag: DAG, make: Callable[..., Any]) -> None:
    made = make(
        poll_interval=timedelta(seconds=9), timeout=timedelta(hours=1), on_retry=OnRetry.FAIL, region_name=""
    )
    guarded = getattr(made, "image", made)
    assert (guarded.on_retry, guarded.timeout) == ("fail", timedelta(hours=1))
    assert guarded.aws["region_name"] is None


def test_monitors_get_seconds_whatever_was_written(dag: DAG) -> None:
    assert bake(poll_interval=timedelta(seconds=9)).build.poll_interval == 9
    assert monitor(poll_interval=timedelta(seconds=9)).poll_interval == 9


@pytest.mark.parametrize("make", [create, guard])
def test_on_retry_may_be_rendered(make: Callable[..., Any]) -> None:
    operator = make(on_retry="{{ params.on_retry }}")
    with pytest.raises(InvalidRequestError, match="did you mean 'repair'"):
        run(operator, FakeImageBuilder("AVAILABLE"), on_retry="retry")


def test_on_retry_that_a_form_left_empty_is_as_if_not_given() -> None:
    aws = FakeImageBuilder("AVAILABLE")
    run(create(on_retry="{{ params.on_retry }}"), aws, on_retry="")
    assert len(aws.requests) == 1


def test_all_faults_of_a_group_are_reported_together(dag: DAG) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        bake(timeout=3600, tags={}, test_groups=[ARNS], outlets=["golden"])
    assert {fault.field for fault in caught.value.faults} == {"timeout", "tags", "test_groups[0]", "outlets"}


def test_an_unknown_botocore_argument_is_refused() -> None:
    operator = create(botocore_config={"read_timeot": 7})
    assert refused(lambda: operator.hook).startswith("botocore_config: got {'read_timeot': 7}")


def test_one_asset_is_as_good_as_a_list_of_one(dag: DAG) -> None:
    golden = Asset("golden")
    assert bake(outlets=golden).image.outlets == [golden]
