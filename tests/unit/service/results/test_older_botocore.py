"""What a failure says where botocore is too old to show AWS's ``failureContext``, or to call RetryImage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_imagebuilder import aws_model
from airflow_imagebuilder.local.emulator.engine import Failure
from airflow_imagebuilder.service.errors import ImageCancelledError
from airflow_imagebuilder.service.results.cause import failed_execution
from airflow_imagebuilder.service.results.failure import ImageFailure
from tests.support import answers
from tests.support.aws_clients import as_older_clients_read
from tests.support.bench import Bench, workflow

if TYPE_CHECKING:
    from pathlib import Path

NO_ROUTE = Failure(workflow="network", message="no route")
DISK_FULL = Failure(component="golden-base", phase="build", component_step="Install", message="disk full")
NO_KEY = Failure(region="eu-west-1", message="key not shared")
MANAGED = "arn:aws:imagebuilder:us-east-1:aws:workflow/distribution/distribute-image/x.x.x"


@pytest.fixture(autouse=True)
def older_model(newest_model: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws_model, "has_retry_image", lambda: False)
    monkeypatch.setattr(aws_model, "has_failure_context", lambda: False)


def failures(directory: Path, bench: Bench, **request: Any) -> tuple[ImageFailure, ImageFailure]:
    """Bake an image that fails; return its failure as a newest and as an older botocore shows it."""
    arn = bench.bake(**request)
    assert bench.finish(arn) == "FAILED"
    image, executions = bench.image(arn), bench.executions(arn)
    shown = as_older_clients_read(directory / "image", "GetImage", {"image": image})["image"]
    listed: Any = as_older_clients_read(
        directory / "executions", "ListWorkflowExecutions", {"workflowExecutions": executions}
    )["workflowExecutions"]
    assert "failureContext" not in shown["state"]
    failed = failed_execution(shown, listed)
    steps: list[Any] = []
    if failed is not None:
        steps = bench.call("ListWorkflowStepExecutions", workflowExecutionId=failed["workflowExecutionId"])[
            "steps"
        ]
    return ImageFailure.from_api(image, executions, steps), ImageFailure.from_api(shown, listed, steps)


@pytest.mark.parametrize(
    ("failure", "stage", "request_"),
    [
        (NO_ROUTE, "TESTING", {}),
        (DISK_FULL, "BUILDING", {}),
        (
            NO_KEY,
            "DISTRIBUTING",
            {"workflows": [workflow("build", "golden-build"), {"workflowArn": MANAGED}]},
        ),
    ],
    ids=["a test", "a component of the build", "a distribution workflow"],
)
def test_stage_workflow_and_step_are_read_from_executions_and_steps(
    tmp_path: Path, failure: Failure, stage: str, request_: dict[str, Any]
) -> None:
    newest, older = failures(tmp_path, Bench(failure), **request_)
    assert older.stage == stage
    assert (older.stage, older.workflow, older.step) == (newest.stage, newest.workflow, newest.step)
    assert older.component.arn == newest.component.arn
    assert older.workflow.name
    assert older.step.name


def test_a_distribution_without_an_execution_is_not_taken_for_a_failure_before_the_build(
    tmp_path: Path,
) -> None:
    newest, older = failures(tmp_path, Bench(NO_KEY))
    assert (newest.stage, older.stage, older.workflow.name) == ("DISTRIBUTING", None, None)
    text = older.describe()
    assert "eu-west-1" in text
    assert "before one began" not in text
    assert "failureContext needs boto3 1.43.94 or newer" in text
    assert "check the distribution configuration" in " ".join(text.split())


def test_a_test_after_which_the_image_continued_is_not_blamed_for_the_distribution(tmp_path: Path) -> None:
    bench = Bench(NO_KEY, NO_ROUTE)
    lenient = workflow("test", "network", onFailure="CONTINUE")
    _, older = failures(tmp_path, bench, workflows=[workflow("build", "golden-build"), lenient])
    assert (older.stage, older.workflow.name, older.step.name) == (None, None, None)
    assert "network" not in older.describe()


@pytest.mark.parametrize("stage", ["TESTING", "DISTRIBUTING", None])
def test_without_retry_image_the_advice_promises_a_new_image(stage: str | None) -> None:
    text = ImageFailure(image_status="FAILED", stage=stage, image_type="AMI").describe()
    assert "that builds a new image" in text
    assert "RetryImage needs boto3 1.41.1 or newer" in text
    assert "without a new build" not in text
    assert "where AWS allows it" not in text


def test_without_retry_image_a_cancelled_image_is_built_again() -> None:
    text = str(ImageCancelledError(answers.ARN, "by me"))
    assert "that builds a new image" in text
    assert "RetryImage needs boto3 1.41.1 or newer" in text
