"""Lists cost what is on their page, not what there is; and they are whole while things change."""

from __future__ import annotations

import random
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from airflow_imagebuilder.local.emulator.engine import Behaviour, Engine
from airflow_imagebuilder.local.emulator.engine.operations.pagination import MOST_READ
from airflow_imagebuilder.local.emulator.engine.shelf import Shelf
from airflow_imagebuilder.local.emulator.seed import seed
from tests.support.bench import HEAD, image_request, workflow
from tests.support.counted_calls import work

if TYPE_CHECKING:
    from collections.abc import Callable

FEW, MANY = 60, 600
BUILD_ONLY = {"workflows": [workflow("build", "golden-build")], "distributionConfigurationArn": None}
VERSION = f"{HEAD}image/golden-al2023/1.0.0"
PIPELINE = f"{HEAD}image-pipeline/daily"


@cache
def account(images: int) -> Engine:
    """Return an engine with so many scanned images of a pipeline, and as many that wait for an action."""
    engine = Engine(seed=1, behaviour=Behaviour(findings={"high": 2}))
    seed(engine)
    scan = {"imageScanningConfiguration": {"imageScanningEnabled": True}}
    engine.call("CreateImagePipeline", image_request(name="daily", **BUILD_ONLY, **scan))
    data = "schemaVersion: 1.0\nsteps:\n  - {name: Approve, action: WaitForAction}\n"
    arn = engine.call(
        "CreateWorkflow", {"name": "gate", "semanticVersion": "1.0.0", "type": "TEST", "data": data}
    )
    gate = {
        "workflows": [{"workflowArn": arn["workflowBuildVersionArn"]}],
        "distributionConfigurationArn": None,
    }
    for number in range(images):
        engine.call("StartImagePipelineExecution", {"imagePipelineArn": PIPELINE})
        recipe = {
            "name": f"recipe-{number}",
            "semanticVersion": "1.0.0",
            "parentImage": "ami-0123456789abcdef0",
        }
        made = engine.call("CreateImageRecipe", recipe)["imageRecipeArn"]
        engine.call("CreateImage", image_request(imageRecipeArn=made, **gate))
    engine.clock.advance(4_000)
    engine.run_due()
    one = {"executionRole": "Tidy", "includeResources": {"amis": True}, "state": {"status": "DEPRECATED"}}
    engine.call("StartResourceStateUpdate", {"resourceArn": f"{VERSION}/1", **one})
    engine.clock.advance(100)
    engine.run_due()
    return engine


def _filter(name: str, value: str) -> dict[str, Any]:
    return {"filters": [{"name": name, "values": [value]}]}


def _requests(engine: Engine) -> list[tuple[str, dict[str, Any]]]:
    arn = f"{VERSION}/1"
    run = engine.state.images[arn].executions[0].id
    update = next(iter(engine.state.lifecycle_executions))
    return [
        ("GetImage", {"imageBuildVersionArn": VERSION}),
        ("ListImages", {}),
        ("ListImages", {"byName": True}),
        ("ListImages", {"owner": "Amazon"}),
        ("ListImages", _filter("platform", "Linux")),
        ("ListImageBuildVersions", {}),
        ("ListImageBuildVersions", {"imageVersionArn": VERSION}),
        ("ListImageBuildVersions", _filter("platform", "Linux")),
        ("ListImagePipelineImages", {"imagePipelineArn": PIPELINE}),
        ("ListWorkflowExecutions", {"imageBuildVersionArn": arn}),
        ("ListWorkflowStepExecutions", {"workflowExecutionId": run}),
        ("ListWaitingWorkflowSteps", {}),
        ("ListImageScanFindings", {}),
        ("ListImageScanFindings", _filter("imagePipelineArn", PIPELINE)),
        ("ListImageScanFindings", _filter("severity", "HIGH")),
        ("ListImageScanFindingAggregations", {}),
        (
            "ListImageScanFindingAggregations",
            {"filter": {"name": "imagePipelineArn", "values": [PIPELINE]}},
        ),
        ("ListImagePackages", {"imageBuildVersionArn": arn}),
        ("ListLifecycleExecutions", {"resourceArn": arn}),
        ("ListLifecycleExecutionResources", {"lifecycleExecutionId": update}),
        ("ListImageRecipes", {}),
        ("ListComponents", {}),
        ("ListComponents", {"owner": "Amazon"}),
        ("ListWorkflows", {}),
        ("ListImagePipelines", {}),
    ]


@pytest.mark.parametrize("place", range(25))
def test_a_page_of_ten_times_as_many_costs_the_same(place: int) -> None:
    spent, requests = [], _requests(account(FEW))
    assert len(requests) == 25
    for number in (FEW, MANY):
        engine = account(number)
        operation, params = _requests(engine)[place]
        engine.handle(operation, params, "us-east-1")
        spent.append(work(lambda: engine.handle(operation, params, "us-east-1")))  # noqa: B023
    assert spent[1] <= spent[0] * 1.1 + 20, requests[place]


def test_a_page_whose_filter_fits_nothing_reads_a_bounded_number_of_images() -> None:
    engine = account(MANY)
    params = _filter("name", "nothing")
    reads = 0
    token: dict[str, str] = {}
    for _ in range(2 * MANY):
        answer = engine.call("ListImageBuildVersions", {**params, **token})
        assert answer["imageSummaryList"] == []
        reads += 1
        if "nextToken" not in answer:
            break
        token = {"nextToken": answer["nextToken"]}
    assert reads == -(-2 * MANY // MOST_READ)


def _pages(engine: Engine, operation: str, key: str, between: Callable[[], None], **params: Any) -> list[Any]:
    found: list[Any] = []
    token: dict[str, str] = {}
    for _ in range(10_000):
        answer = engine.call(operation, {**params, "maxResults": 3, **token})
        found += answer[key]
        between()
        if "nextToken" not in answer:
            return found
        token = {"nextToken": answer["nextToken"]}
    raise AssertionError("the pages do not end")


@pytest.mark.parametrize("of_a_version", [True, False])
def test_pages_have_no_gap_and_no_repeat_while_images_come_and_go(of_a_version: bool) -> None:
    engine = Engine(seed=1)
    seed(engine)
    chooser = random.Random(1)
    for _ in range(40):
        engine.call("CreateImage", image_request(**BUILD_ONLY))
    engine.settle()
    whole = set(engine.state.images)
    gone: set[str] = set()

    def change() -> None:
        engine.call("CreateImage", image_request(**BUILD_ONLY))
        victim = chooser.choice(sorted(whole - gone))
        gone.add(victim)
        engine.call("DeleteImage", {"imageBuildVersionArn": victim})

    params = {"imageVersionArn": VERSION} if of_a_version else {}
    rows = _pages(engine, "ListImageBuildVersions", "imageSummaryList", change, **params)
    arns = [row["arn"] for row in rows]
    assert len(arns) == len(set(arns))
    assert whole - gone <= set(arns)


def test_findings_have_no_gap_and_no_repeat_while_images_go() -> None:
    engine = Engine(seed=1, behaviour=Behaviour(findings={"high": 2, "medium": 2}))
    seed(engine)
    scan = {"imageScanningConfiguration": {"imageScanningEnabled": True}}
    for _ in range(8):
        engine.call("CreateImage", image_request(**BUILD_ONLY, **scan))
    engine.settle()
    images = list(engine.state.images)
    victims = iter(images[::3])

    def change() -> None:
        if victim := next(victims, None):
            engine.call("DeleteImage", {"imageBuildVersionArn": victim})

    rows = _pages(engine, "ListImageScanFindings", "findings", change)
    keys = [(row["imageBuildVersionArn"], row["title"]) for row in rows]
    assert len(keys) == len(set(keys))
    left = [arn for arn in images if arn not in images[::3]]
    assert {(arn, title) for arn, title in keys if arn in left} == {
        (arn, title) for arn in left for title in {row["title"] for row in rows}
    }


def test_a_shelf_keeps_its_order_and_its_numbers() -> None:
    shelf = Shelf.of({"a": 1, "b": 2, "c": 3, "d": 4})
    shelf["b"] = 20
    del shelf["c"]
    shelf["c"] = 30
    assert list(shelf.items()) == [("a", 1), ("b", 20), ("d", 4), ("c", 30)]
    assert list(shelf.after(2)) == [(4, 4), (5, 30)]
    assert list(shelf.before(4)) == [(2, 20), (1, 1)]
    assert (shelf.newest, next(shelf.before(0))) == (30, (5, 30))
