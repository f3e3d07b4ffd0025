"""AWS clients as the hook uses them: an aiobotocore client, endless lists, an older botocore."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import TYPE_CHECKING, Any, TypeVar

import botocore.session
from botocore.parsers import create_parser

from tests.support.arns import IMAGE
from tests.support.fault_plan import FaultPlan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

T = TypeVar("T")


class FakeAsyncClient(FaultPlan):
    """
    An aiobotocore client of one image.

    :param statuses: what GetImage shows, one per call; the last one stays.
    """

    def __init__(self, *statuses: str) -> None:
        super().__init__()
        self.statuses = list(statuses)
        self.calls: list[str] = []
        self.tokens: list[str] = []

    async def cancel_image_creation(self, **call: Any) -> dict[str, Any]:
        self.calls.append("cancel")
        self.tokens.append(call["clientToken"])
        await self._ameet("before", "cancel_image_creation")
        return {"imageBuildVersionArn": IMAGE}

    async def get_image(self, **_: Any) -> dict[str, Any]:
        self.calls.append("get")
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        await self._ameet("after", "get_image")
        return {"image": {"arn": IMAGE, "state": {"status": status}}}


class EndlessPages:
    """A boto3 client whose lists always name a next page."""

    def __init__(self, tokens: Iterator[str], *records: Any) -> None:
        self.tokens, self.records, self.calls = tokens, list(records), 0

    def _page(self, member: str) -> dict[str, Any]:
        self.calls += 1
        if self.calls >= 1000:
            raise AssertionError("more than 1000 pages were read")
        return {member: self.records, "nextToken": next(self.tokens)}

    def list_workflow_executions(self, **_: Any) -> dict[str, Any]:
        return self._page("workflowExecutions")

    def list_image_scan_findings(self, **_: Any) -> dict[str, Any]:
        return self._page("findings")

    def list_workflow_step_executions(self, **_: Any) -> dict[str, Any]:
        return self._page("steps")

    def list_image_pipeline_images(self, **_: Any) -> dict[str, Any]:
        return self._page("imageSummaryList")


LATER_MEMBERS = (
    ("CreateImageRequest", "loggingConfiguration"),
    ("StartImagePipelineExecutionRequest", "tags"),
    ("ImageScanningConfiguration", "imageScanningTypes"),
    ("ImageScanningConfiguration", "scanResultCondition"),
    ("ImageState", "failureContext"),
    ("WorkflowExecutionMetadata", "retried"),
)
"""What this package sends or reads and botocore 1.39.11 lacks: a shape, and its member."""


def older(session: T, directory: Path, *lacking: tuple[str, str]) -> T:
    """
    Return a session of botocore or aiobotocore whose model of Image Builder is as old as botocore 1.39.11's.

    :param directory: an empty directory for the model.
    :param lacking: further members that the model lacks, each with its shape.
    """
    newest = botocore.session.get_session().get_component("data_loader")
    model = deepcopy(newest.load_service_model("imagebuilder", "service-2"))
    model["operations"].pop("RetryImage", None)
    model["shapes"]["ListImageBuildVersionsRequest"]["required"] = ["imageVersionArn"]
    for shape, member in (*LATER_MEMBERS, *lacking):
        model["shapes"][shape]["members"].pop(member, None)
    path = directory / "imagebuilder" / model["metadata"]["apiVersion"]
    path.mkdir(parents=True)
    (path / "service-2.json").write_text(json.dumps(model), "utf-8")
    any_session: Any = session
    any_session.get_component("data_loader").search_paths.insert(0, str(directory))
    return session


KEYS: dict[str, str] = {
    "region_name": "us-east-1",
    "aws_access_key_id": "a",
    "aws_secret_access_key": "b",
}


def older_client(directory: Path, *lacking: tuple[str, str], **options: Any) -> Any:
    """Return a boto3 client of Image Builder as :func:`older` describes it."""
    return older(botocore.session.Session(), directory, *lacking).create_client(
        "imagebuilder", **{**KEYS, **options}
    )


def as_older_clients_read(directory: Path, operation: str, answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return an answer without what a client of :func:`older` drops from it."""
    model = older(botocore.session.Session(), directory).get_service_model("imagebuilder")
    response = {"status_code": 200, "headers": {}, "body": json.dumps(answer).encode()}
    shape: Any = model.operation_model(operation).output_shape
    parsed: dict[str, Any] = create_parser("rest-json").parse(response, shape)
    del parsed["ResponseMetadata"]
    return parsed
