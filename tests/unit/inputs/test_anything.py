"""Any value in any place: it is taken or refused with faults, and never crashes."""

from __future__ import annotations

import math
from datetime import timedelta
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG

from airflow_imagebuilder import (
    ImageBuilderAwaitImageOperator,
    ImageBuilderCreateImageOperator,
    ImageBuilderMonitorWorkflowOperator,
    ImageBuilderTaskGroup,
    ImageRequest,
    OnRetry,
    TestGroup,
    Workflow,
)
from airflow_imagebuilder.service.errors import Fault, InvalidRequestError
from tests.support.image_builder import FakeImageBuilder
from tests.support.inputs import (
    ARNS,
    BASE,
    BOOT,
    BUILD,
    OPTIONAL,
    ROLE,
    bake,
    create,
    execute,
    guard,
    monitor,
)

if TYPE_CHECKING:
    from collections.abc import Callable

ODD: list[Any] = [
    *[
        None,
        "",
        " ",
        "x",
        "None",
        "{{ x }}",
        "[",
        "1",
        "a" * 5000,
        "\x00",
        b"x",
        0,
        1,
        -1,
        1.5,
        math.nan,
        True,
        False,
    ],
    *[
        [],
        (),
        {},
        set(),
        [None],
        ["x"],
        [1],
        [[]],
        [{}],
        {"x": 1},
        {1: "x"},
        {None: None},
        range(3),
        iter("ab"),
    ],
    *[
        ...,
        [...],
        object(),
        object,
        timedelta(1),
        timedelta.max,
        ImageRequest(**BASE),
        ImageRequest,
        OnRetry,
        print,
    ],
    *[BOOT, [BOOT], [BUILD], TestGroup("a", (BOOT,)), [TestGroup("a", (BOOT,))]],
    *[{"workflowArn": ARNS}, [{"workflowArn": ARNS}]],
]


def parameters(cls: Any) -> list[str]:
    import inspect

    from airflow.sdk import BaseOperator

    found = []
    for one in cls.__mro__:
        if one is not BaseOperator and one.__module__.startswith("airflow_imagebuilder"):
            found += list(inspect.signature(one.__init__).parameters)
    if cls is ImageBuilderTaskGroup:
        found += [name for name in ImageRequest.__dataclass_fields__ if name != "workflows"]
    airflows = {"self", "kwargs", "arguments", "group_id", "task_id", "trigger_rule", "args", "_"}
    return [name for name in dict.fromkeys(found) if name not in airflows]


PLACES: list[tuple[Callable[..., Any], str]] = [
    *product([create], parameters(ImageBuilderCreateImageOperator)),
    *product([guard], parameters(ImageBuilderAwaitImageOperator)),
    *product([monitor], parameters(ImageBuilderMonitorWorkflowOperator)),
    *product([bake], parameters(ImageBuilderTaskGroup)),
    *product([ImageRequest], parameters(ImageRequest)),
    *product([TestGroup], parameters(TestGroup)),
    *product([Workflow], parameters(Workflow)),
]


def needed(make: Callable[..., Any]) -> dict[str, Any]:
    if make is ImageRequest:
        return {**BASE}
    if make is TestGroup:
        return {"name": "a", "workflows": (BOOT,)}
    return {"arn": BOOT.arn} if make is Workflow else {}


@pytest.mark.filterwarnings("ignore:Task 't'", "ignore:Task 'g")
@pytest.mark.parametrize(("make", "name"), PLACES, ids=lambda v: v if isinstance(v, str) else v.__name__)
def test_any_argument_is_taken_or_refused_with_faults(make: Callable[..., Any], name: str) -> None:
    bare = {**dict.fromkeys([*BASE, *ROLE]), "build_workflow": None} if make is bake else dict.fromkeys(BASE)
    for value in ODD:
        # A request replaces the members that the helpers set.
        beside = bare if name == "request" and make in (create, bake) else {}
        with DAG("d", schedule=None):
            faults = faults_of(make, **{**needed(make), **beside, name: value})
        assert all(str(fault) and fault.field and fault.remedy for fault in faults), value


TEMPLATED = [*BASE, *OPTIONAL, "run_tests", "on_retry"]


@pytest.mark.parametrize("name", TEMPLATED)
def test_any_rendered_value_is_taken_or_refused_with_faults(name: str) -> None:
    for value in ODD:
        operator = create()
        setattr(operator, name, value)  # what a template renders to a native object
        aws = FakeImageBuilder("AVAILABLE")
        faults = faults_of(execute, operator=operator, aws=aws)
        assert bool(aws.requests) is not bool(faults), value


@pytest.mark.parametrize("name", ["region_name", "verify", "botocore_config", "aws_conn_id"])
def test_a_wrong_rendered_value_for_the_connection_is_refused(name: str) -> None:
    for value in [5, [], ["x"], ..., object(), b"x", 1.5]:
        operator = create()
        setattr(operator, name, value)
        assert [fault.field for fault in faults_of(lambda one: one.hook, one=operator)] == [name], value


def faults_of(make: Callable[..., Any], **options: Any) -> tuple[Fault, ...]:
    """Return the faults for which an object cannot be made; other errors fail the test."""
    try:
        make(**options)
    except InvalidRequestError as error:
        return error.faults
    return ()
