"""The hook: what it sends, how it reads the answers, and whose credentials it takes."""

from __future__ import annotations

import itertools
import json
import warnings
from contextlib import asynccontextmanager
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest.mock import MagicMock

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from botocore.stub import Stubber

from airflow_imagebuilder.compat import AirflowNotFoundException
from airflow_imagebuilder.hooks import ImageBuilderHook
from airflow_imagebuilder.hooks.findings import FINDING_PAGES
from airflow_imagebuilder.operators.waiting.submitting import region_of
from airflow_imagebuilder.service.errors import (
    ForbiddenError,
    MalformedAnswerError,
    NotFoundError,
    OutdatedBoto3Error,
    RefusedError,
)
from airflow_imagebuilder.service.request import ImageRequest, PipelineRequest
from tests.support.arns import IMAGE as ARN
from tests.support.arns import INFRASTRUCTURE, PIPELINE, PREFIX, RECIPE
from tests.support.aws_clients import EndlessPages, FakeAsyncClient, older_client
from tests.support.aws_model import lists_the_account, needs_member, needs_operation
from tests.support.clockwork import client_error
from tests.support.fault_plan import ALWAYS
from tests.support.stub import stub

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

REQUEST = ImageRequest(image_recipe_arn=RECIPE, infrastructure_configuration_arn=INFRASTRUCTURE)
TOKEN = "t" * 36
VERSION = f"{PREFIX}:image/golden/1.0.0"


@pytest.fixture
def hook() -> ImageBuilderHook:
    return ImageBuilderHook(aws_conn_id=None, region_name="us-east-1")


@pytest.fixture
def aws(hook: ImageBuilderHook) -> Iterator[Stubber]:
    """Image Builder as botocore's model describes it; an unexpected call is an error."""
    with Stubber(hook.conn) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def image(status: str) -> dict[str, Any]:
    return {"arn": ARN, "state": {"status": status}}


def execution(number: int, **more: Any) -> dict[str, Any]:
    return {"workflowExecutionId": f"wf-0000000{number}-0000-4000-8000-000000000000", **more}


# -- calls -------------------------------------------------------------------------------------------------


def test_create_image_sends_the_request_with_its_token(hook: ImageBuilderHook, aws: Stubber) -> None:
    answer = {"imageBuildVersionArn": ARN, "clientToken": TOKEN, "requestId": "r"}
    aws.add_response("create_image", answer, {**REQUEST.to_api(), "clientToken": TOKEN})
    assert hook.create_image(REQUEST, TOKEN) == ARN


@pytest.mark.parametrize(
    "tags",
    [
        None,
        pytest.param({"team": "platform"}, marks=needs_member("StartImagePipelineExecutionRequest", "tags")),
    ],
)
def test_a_pipeline_is_started_with_its_token(
    hook: ImageBuilderHook, aws: Stubber, tags: dict[str, str] | None
) -> None:
    request = PipelineRequest(pipeline_arn=PIPELINE, tags=tags)
    answer = {"imageBuildVersionArn": ARN, "clientToken": TOKEN, "requestId": "r"}
    sent = {"imagePipelineArn": PIPELINE, "clientToken": TOKEN, **({"tags": tags} if tags else {})}
    aws.add_response("start_image_pipeline_execution", answer, sent)
    assert hook.start_pipeline(request, TOKEN) == ARN


def test_a_pipeline_is_read(hook: ImageBuilderHook, aws: Stubber) -> None:
    pipeline = {"arn": PIPELINE, "name": "golden", "status": "DISABLED"}
    aws.add_response("get_image_pipeline", {"imagePipeline": pipeline}, {"imagePipelineArn": PIPELINE})
    assert hook.get_image_pipeline(PIPELINE) == pipeline


@pytest.mark.parametrize("pipeline", [{}, None])
def test_an_answer_without_a_pipeline_is_malformed(
    hook: ImageBuilderHook, aws: Stubber, pipeline: dict[str, Any] | None
) -> None:
    answer = {} if pipeline is None else {"imagePipeline": pipeline}
    aws.add_response("get_image_pipeline", answer, {"imagePipelineArn": PIPELINE})
    with pytest.raises(MalformedAnswerError, match="imagePipeline"):
        hook.get_image_pipeline(PIPELINE, patience=0)


def test_a_pipeline_that_does_not_exist_is_not_found(hook: ImageBuilderHook, aws: Stubber) -> None:
    aws.add_client_error(
        "get_image_pipeline", "ResourceNotFoundException", "cannot be found", http_status_code=404
    )
    with pytest.raises(NotFoundError):
        hook.get_image_pipeline(PIPELINE)


@pytest.mark.parametrize(
    ("method", "operation"),
    [
        pytest.param("retry_image", "retry_image", marks=needs_operation("RetryImage")),
        ("cancel_image", "cancel_image_creation"),
    ],
)
def test_an_image_is_repaired_and_cancelled_by_its_arn(
    hook: ImageBuilderHook, aws: Stubber, method: str, operation: str
) -> None:
    aws.add_response(
        operation, {"imageBuildVersionArn": ARN}, {"imageBuildVersionArn": ARN, "clientToken": TOKEN}
    )
    assert getattr(hook, method)(ARN, TOKEN) == ARN


@pytest.mark.parametrize(
    ("call", "needs"),
    [
        (
            lambda hook: hook.create_image(
                ImageRequest.from_api(
                    {**REQUEST.to_api(), "loggingConfiguration": {"logGroupName": "/aws/imagebuilder/x"}}
                ),
                TOKEN,
            ),
            "logging_configuration: got .*1.40.41",
        ),
        (
            lambda hook: hook.start_pipeline(PipelineRequest(pipeline_arn=PIPELINE, tags={"a": "b"}), TOKEN),
            "tags: got .*1.40.41",
        ),
        (lambda hook: hook.retry_image(ARN, TOKEN), "RetryImage: got .*1.41.1"),
    ],
    ids=["CreateImage", "StartImagePipelineExecution", "RetryImage"],
)
def test_what_an_older_boto3_lacks_is_refused_before_a_call(
    hook: ImageBuilderHook, tmp_path: Path, call: Callable[[ImageBuilderHook], str], needs: str
) -> None:
    with stub({"imageBuildVersionArn": ARN}) as (aws, url):
        hook.__dict__["conn"] = older_client(tmp_path, endpoint_url=url)
        with pytest.raises(OutdatedBoto3Error, match=needs):
            call(hook)
        assert aws.requests == 0
        assert hook.create_image(REQUEST, TOKEN) == ARN


def test_an_older_boto3_drops_what_failed_and_which_executions_are_superseded(
    hook: ImageBuilderHook, tmp_path: Path
) -> None:
    state = {"status": "FAILED", "reason": "r", "failureContext": {"imageStatus": "TESTING"}}
    answers: list[dict[str, Any]] = [
        {"image": {"arn": ARN, "state": state}},
        {"workflowExecutions": [execution(1, retried=True)]},
    ]
    with stub(*answers) as (_, url):
        hook.__dict__["conn"] = older_client(tmp_path, endpoint_url=url)
        assert hook.get_image(ARN)["state"] == {"status": "FAILED", "reason": "r"}
        assert hook.list_workflow_executions(ARN) == [execution(1)]


def test_a_client_of_another_service_has_the_connection_s_settings_and_its_own_region(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    hook = ImageBuilderHook(aws_conn_id=None, region_name="us-east-1", config={"read_timeout": 7})
    client = hook.client_of("ec2", "eu-west-1")
    assert (client.meta.service_model.service_name, client.meta.region_name) == ("ec2", "eu-west-1")
    assert client.meta.config.read_timeout == 7


def test_clients_of_other_services_share_a_session_until_its_credentials_expire(
    hook: ImageBuilderHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = MagicMock(side_effect=hook.get_session)
    monkeypatch.setattr(hook, "get_session", session)
    for region in ("us-east-1", "eu-west-1"):
        hook.client_of("ec2", region)
    assert session.call_count == 1
    hook.client_of("ec2", "us-east-1", renew=True)
    assert session.call_count == 2


def test_a_client_of_another_service_that_cannot_be_made_fails_as_its_call_would(
    hook: ImageBuilderHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: Any) -> Any:
        answer: Any = {"Error": {"Code": "AccessDenied", "Message": "no"}}
        raise ClientError(answer, "AssumeRole")

    monkeypatch.setattr(hook, "get_session", refuse)
    with pytest.raises(ForbiddenError, match="AssumeRole"):
        hook.client_of("ec2", "eu-west-1")


def test_get_image_returns_the_image(hook: ImageBuilderHook, aws: Stubber) -> None:
    aws.add_response(
        "get_image", {"requestId": "r", "image": image("TESTING")}, {"imageBuildVersionArn": ARN}
    )
    assert hook.get_image(ARN) == image("TESTING")


def test_an_answer_without_an_image_is_malformed(hook: ImageBuilderHook, aws: Stubber) -> None:
    aws.add_response("get_image", {"requestId": "r"})
    with pytest.raises(MalformedAnswerError, match="lacks 'image'"):
        hook.get_image(ARN, patience=0)


@pytest.mark.parametrize("state", [None, {}, {"reason": "no status"}])
def test_an_image_without_a_status_is_malformed(
    hook: ImageBuilderHook, aws: Stubber, state: dict[str, Any] | None
) -> None:
    shown: dict[str, Any] = {"arn": ARN} if state is None else {"arn": ARN, "state": state}
    aws.add_response("get_image", {"requestId": "r", "image": shown})
    with pytest.raises(MalformedAnswerError, match=r"image\.state\.status"):
        hook.get_image(ARN, patience=0)


@needs_member("WorkflowExecutionMetadata", "retried")
def test_every_page_of_executions_is_read_and_superseded_executions_are_left_out(
    hook: ImageBuilderHook, aws: Stubber
) -> None:
    pages: list[dict[str, Any]] = [
        {"workflowExecutions": [execution(1), execution(2, retried=True)], "nextToken": "more"},
        {"workflowExecutions": [], "nextToken": "and more"},
        {"workflowExecutions": [execution(3, retried=False)]},
    ]
    for _ in range(2):
        token: dict[str, str] = {}
        for page in pages:
            aws.add_response("list_workflow_executions", page, {"imageBuildVersionArn": ARN, **token})
            token = {"nextToken": page.get("nextToken", "")}
    assert hook.list_workflow_executions(ARN) == [execution(1), execution(3, retried=False)]
    assert len(hook.list_workflow_executions(ARN, include_retried=True)) == 3


def test_every_page_of_steps_is_read(hook: ImageBuilderHook, aws: Stubber) -> None:
    wanted = execution(1)
    for name, token in (("a", "more"), ("b", None)):
        page = {"steps": [{"name": name}], **({"nextToken": token} if token else {})}
        aws.add_response("list_workflow_step_executions", page)
    assert hook.list_workflow_step_executions(wanted["workflowExecutionId"]) == [{"name": "a"}, {"name": "b"}]


needs_account_list = pytest.mark.skipif(
    not lists_the_account(), reason="botocore cannot list the builds of the account"
)
NAMED = {"filters": [{"name": "name", "values": ["golden"]}]}


@pytest.mark.parametrize(
    ("operation", "arguments", "sent"),
    [
        ("list_image_pipeline_images", {"pipeline_arn": PIPELINE}, {"imagePipelineArn": PIPELINE}),
        ("list_images", {}, {"owner": "Self"}),
        ("list_images", {"names": ["golden"], "owner": "Shared"}, {"owner": "Shared", **NAMED}),
        ("list_image_build_versions", {"version_arn": VERSION}, {"imageVersionArn": VERSION}),
        pytest.param("list_image_build_versions", {"names": ["golden"]}, NAMED, marks=needs_account_list),
    ],
)
def test_every_page_of_a_list_of_images_is_read(
    hook: ImageBuilderHook, aws: Stubber, operation: str, arguments: dict[str, Any], sent: dict[str, Any]
) -> None:
    member = "imageVersionList" if operation == "list_images" else "imageSummaryList"
    aws.add_response(operation, {member: [{"arn": "1"}], "nextToken": "more"}, {"maxResults": 25, **sent})
    aws.add_response(operation, {member: [{"arn": "2"}]}, {"maxResults": 25, "nextToken": "more", **sent})
    assert [image["arn"] for image in getattr(hook, operation)(**arguments)] == ["1", "2"]


def test_an_older_boto3_lists_the_builds_of_a_version_but_not_of_the_account(
    hook: ImageBuilderHook, tmp_path: Path
) -> None:
    with stub({"imageSummaryList": [{"arn": ARN}]}) as (aws, url):
        hook.__dict__["conn"] = older_client(tmp_path, endpoint_url=url)
        with pytest.raises(OutdatedBoto3Error, match=r"without imageVersionArn.*1\.40\.36"):
            hook.list_image_build_versions()
        assert aws.requests == 0
        assert hook.list_image_build_versions(VERSION) == [{"arn": ARN}]


def test_a_list_of_images_without_end_is_an_error(hook: ImageBuilderHook) -> None:
    client = EndlessPages(map(str, itertools.count()), {"arn": ARN})
    hook.__dict__["conn"] = client
    with pytest.raises(MalformedAnswerError, match=r"ListImagePipelineImages.*nextToken"):
        hook.list_image_pipeline_images(PIPELINE)
    assert client.calls == 400


@pytest.mark.parametrize(
    ("tokens", "most"),
    [
        (lambda: itertools.repeat("same"), 2),
        (lambda: itertools.cycle("abc"), 4),
        (lambda: map(str, itertools.count()), 100),
    ],
    ids=["the same token", "a cycle", "always another"],
)
@pytest.mark.parametrize(
    ("method", "operation"),
    [
        ("list_workflow_executions", "ListWorkflowExecutions"),
        ("list_workflow_step_executions", "ListWorkflowStepExecutions"),
    ],
)
def test_pages_without_end_are_an_error_that_names_the_operation_and_the_token(
    hook: ImageBuilderHook, tokens: Callable[[], Iterator[str]], most: int, method: str, operation: str
) -> None:
    client = EndlessPages(tokens(), execution(1))
    hook.__dict__["conn"] = client
    with pytest.raises(MalformedAnswerError, match=rf"{operation}.*nextToken"):
        getattr(hook, method)(ARN)
    assert client.calls <= most


@pytest.mark.parametrize("tokens", [lambda: itertools.repeat("same"), lambda: map(str, itertools.count())])
def test_findings_without_end_are_an_error_too(
    hook: ImageBuilderHook, tokens: Callable[[], Iterator[str]]
) -> None:
    client = EndlessPages(tokens(), {})
    hook.__dict__["conn"] = client
    with pytest.raises(MalformedAnswerError, match=r"ListImageScanFindings.*nextToken"):
        list(hook.list_image_scan_findings(ARN))
    assert client.calls <= FINDING_PAGES


def test_findings_are_read_page_by_page_and_only_as_far_as_they_are_wanted(
    hook: ImageBuilderHook, aws: Stubber
) -> None:
    wanted = {"filters": [{"name": "imageBuildVersionArn", "values": [ARN]}], "maxResults": 100}
    aws.add_response(
        "list_image_scan_findings",
        {"findings": [{"title": "a"}, {"title": "b"}], "nextToken": "more"},
        wanted,
    )
    found = hook.list_image_scan_findings(ARN)
    assert [next(found), next(found)] == [{"title": "a"}, {"title": "b"}]
    aws.assert_no_pending_responses()
    aws.add_response(
        "list_image_scan_findings", {"findings": [{"title": "c"}]}, {**wanted, "nextToken": "more"}
    )
    assert list(found) == [{"title": "c"}]


def test_the_counts_of_the_image_are_found_among_other_answers(hook: ImageBuilderHook, aws: Stubber) -> None:
    counts = {"all": 3, "critical": 1, "high": 2, "medium": 0}
    responses = [
        {"accountAggregation": {"accountId": "123456789012", "severityCounts": {"all": 9}}},
        {"imageAggregation": {"imageBuildVersionArn": ARN, "severityCounts": counts}},
    ]
    wanted = {"filter": {"name": "imageBuildVersionArn", "values": [ARN]}}
    aws.add_response("list_image_scan_finding_aggregations", {"responses": responses}, wanted)
    assert hook.count_image_scan_findings(ARN) == counts
    aws.add_response("list_image_scan_finding_aggregations", {"responses": []}, wanted)
    assert hook.count_image_scan_findings(ARN) is None


class Ec2:
    """A client of EC2 whose botocore knows GetImageFindings."""

    def __init__(self, *pages: dict[str, Any]) -> None:
        self.pages, self.asked = list(pages), list[dict[str, Any]]()

    def get_image_findings(self, **call: Any) -> dict[str, Any]:
        self.asked.append(call)
        return self.pages.pop(0)


def test_findings_of_an_ami_are_read_page_by_page(
    hook: ImageBuilderHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    ec2 = Ec2({"ImageFindings": [{"Title": "a"}], "NextToken": "t"}, {"ImageFindings": [{"Title": "b"}]})
    monkeypatch.setattr(
        hook, "client_of", lambda service, region: {("ec2", "eu-west-1"): ec2}[service, region]
    )
    assert list(hook.get_image_findings("ami-1", "eu-west-1")) == [{"Title": "a"}, {"Title": "b"}]
    asked = {"ImageId": "ami-1", "MaxResults": 1000}
    assert ec2.asked == [asked, {**asked, "NextToken": "t"}]


def test_an_older_boto3_has_no_findings_of_amis_and_the_error_names_the_version(
    hook: ImageBuilderHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hook, "client_of", lambda *_: object())
    with pytest.raises(OutdatedBoto3Error, match=r"GetImageFindings.*boto3 1\.43\.120 or newer"):
        list(hook.get_image_findings("ami-1", "eu-west-1"))


@pytest.mark.parametrize("page", [{"a": 1}, "executions", [None], ["x"]])
def test_a_page_that_is_not_a_list_of_records_is_malformed(hook: ImageBuilderHook, page: Any) -> None:
    class Odd:
        def list_workflow_executions(self, **_: Any) -> dict[str, Any]:
            return {"workflowExecutions": page}

    hook.__dict__["conn"] = Odd()
    with pytest.raises(MalformedAnswerError, match="ListWorkflowExecutions"):
        hook.list_workflow_executions(ARN)


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("ResourceNotFoundException", 404, NotFoundError),
        ("ForbiddenException", 403, ForbiddenError),
        ("InvalidRequestException", 400, RefusedError),
    ],
)
def test_a_refusal_is_an_error_of_the_package_after_one_call(
    hook: ImageBuilderHook, aws: Stubber, code: str, status: int, expected: type[Exception]
) -> None:
    aws.add_client_error("get_image", code, "no", http_status_code=status)
    with pytest.raises(expected, match="GetImage"):
        hook.get_image(ARN)


# -- async -------------------------------------------------------------------------------------------------


def throttled(times: int) -> FakeAsyncClient:
    """Return a client that throttles its first cancellations."""
    client = FakeAsyncClient("BUILDING")
    error = client_error("CallRateLimitExceededException", 429, "CancelImageCreation")
    client.before("cancel_image_creation", error, times=times)
    return client


def refusing(status: str) -> FakeAsyncClient:
    """Return a client that refuses to cancel its image, which has this status."""
    client = FakeAsyncClient(status)
    error = client_error("InvalidRequestException", 400, "CancelImageCreation")
    client.before("cancel_image_creation", error, times=ALWAYS)
    return client


def connected(
    hook: ImageBuilderHook, client: FakeAsyncClient, monkeypatch: pytest.MonkeyPatch
) -> ImageBuilderHook:
    async def connect() -> Any:
        @asynccontextmanager
        async def context() -> AsyncIterator[FakeAsyncClient]:
            yield client

        return context()

    async def no_sleep(_: float) -> None: ...

    monkeypatch.setattr(hook, "connect", connect)
    monkeypatch.setattr("airflow_imagebuilder.hooks.asyncio.sleep", no_sleep)
    return hook


@pytest.mark.asyncio
async def test_a_cancellation_returns_the_image_as_it_is_afterwards(
    hook: ImageBuilderHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = FakeAsyncClient("BUILDING")
    found = await connected(hook, client, monkeypatch).acancel_image(ARN, TOKEN)
    assert found == image("BUILDING")
    assert client.calls == ["cancel", "get"]


@pytest.mark.asyncio
async def test_a_cancellation_with_settle_waits_until_the_image_has_finished(
    hook: ImageBuilderHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = FakeAsyncClient("BUILDING", "BUILDING", "CANCELLED")
    found = await connected(hook, client, monkeypatch).acancel_image(ARN, TOKEN, settle=60)
    assert found == image("CANCELLED")
    assert client.calls == ["cancel", "get", "get", "get"]


@pytest.mark.asyncio
async def test_a_refused_cancellation_of_a_finished_image_does_not_raise(
    hook: ImageBuilderHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = refusing("AVAILABLE")
    assert await connected(hook, client, monkeypatch).acancel_image(ARN, TOKEN) == image("AVAILABLE")


@pytest.mark.asyncio
async def test_a_refused_cancellation_of_an_image_in_progress_is_an_error(
    hook: ImageBuilderHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = refusing("BUILDING")
    with pytest.raises(RefusedError, match="CancelImageCreation"):
        await connected(hook, client, monkeypatch).acancel_image(ARN, TOKEN)


@pytest.mark.asyncio
async def test_before_each_runs_before_each_attempt_of_a_cancellation(
    hook: ImageBuilderHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = throttled(3)

    async def ask() -> None:
        client.calls.append("ask")

    await connected(hook, client, monkeypatch).acancel_image(ARN, TOKEN, patience=1e6, before_each=ask)
    assert client.calls == ["ask", "cancel"] * 4 + ["get"]
    assert set(client.tokens) == {TOKEN}


@pytest.mark.asyncio
async def test_a_cancellation_that_before_each_refuses_is_not_sent_again(
    hook: ImageBuilderHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = throttled(100)

    async def ask() -> None:
        if len(client.tokens) == 2:
            raise LookupError("the image has a new life")

    with pytest.raises(LookupError):
        await connected(hook, client, monkeypatch).acancel_image(ARN, TOKEN, patience=1e6, before_each=ask)
    assert client.calls == ["cancel", "cancel"]


@pytest.mark.asyncio
async def test_a_cancellation_outlives_missing_and_expired_credentials(
    hook: ImageBuilderHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusals = [EndpointConnectionError(endpoint_url="https://sts")] * 2
    made: list[Any] = []
    client = FakeAsyncClient("BUILDING", "CANCELLED")
    client.after("get_image", client_error("ExpiredTokenException", 403))
    give = connected(hook, client, monkeypatch).connect

    async def connect() -> Any:
        if refusals:
            raise refusals.pop()
        made.append(await give())
        return made[-1]

    monkeypatch.setattr(hook, "connect", connect)
    monkeypatch.setattr("airflow_imagebuilder.service.client.aio_client._CONNECT_AGAIN", 0)
    assert await hook.acancel_image(ARN, TOKEN, settle=60) == image("CANCELLED")
    assert client.calls == ["cancel", "get", "get"]
    assert len(made) == 2


# -- connections -------------------------------------------------------------------------------------------


def connection(conn_type: str = "aws", **extra: Any) -> str:
    return json.dumps({"conn_type": conn_type, "login": "key", "password": "secret", "extra": extra})


def test_the_region_of_its_calls_is_known_to_who_checks_arns_against_it() -> None:
    assert region_of(ImageBuilderHook(aws_conn_id=None, region_name="eu-west-1")) == "eu-west-1"
    assert region_of(ImageBuilderHook(aws_conn_id="nowhere", region_name="eu-west-1")) is None


def test_the_region_and_the_endpoint_of_the_connection_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    extra = {"region_name": "eu-west-1", "endpoint_url": "http://127.0.0.1:9"}
    monkeypatch.setenv("AIRFLOW_CONN_FLEET", connection(**extra))
    client = ImageBuilderHook(aws_conn_id="fleet").conn
    assert client.meta.region_name == "eu-west-1"
    assert client.meta.endpoint_url == "http://127.0.0.1:9"


def test_a_connection_of_type_aws_is_used_without_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_FLEET", connection(region_name="eu-west-1"))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        assert ImageBuilderHook(aws_conn_id="fleet").conn.meta.region_name == "eu-west-1"


def test_a_connection_of_the_type_that_this_package_had_is_still_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_FLEET", connection("imagebuilder", region_name="eu-west-1"))
    hook = ImageBuilderHook(aws_conn_id="fleet")
    with pytest.warns(UserWarning, match="Please use Amazon Web Services Connection type"):
        assert hook.conn.meta.region_name == "eu-west-1"


def test_the_region_of_the_task_comes_before_that_of_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_FLEET", connection(region_name="eu-west-1"))
    client = ImageBuilderHook(aws_conn_id="fleet", region_name="cn-north-1").conn
    assert client.meta.endpoint_url == "https://imagebuilder.cn-north-1.amazonaws.com.cn"


@pytest.mark.parametrize(
    ("environment", "region", "message"),
    [
        ({"AWS_DEFAULT_REGION": None}, None, "You must specify a region"),
        ({}, "us east", "doesn't match a supported format"),
        (
            {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None},
            "us-east-1",
            "Unable to locate credentials",
        ),
        ({"AWS_SECRET_ACCESS_KEY": None}, "us-east-1", "Partial credentials"),
    ],
    ids=["no region", "no such region", "no credentials", "half of them"],
)
def test_a_client_that_cannot_be_made_is_an_error_with_the_remedy(
    environment: dict[str, str | None], region: str | None, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in environment:
        monkeypatch.delenv(name)
    monkeypatch.delenv("AWS_REGION", raising=False)
    with pytest.raises(ForbiddenError, match=message) as error:
        ImageBuilderHook(aws_conn_id=None, region_name=region).get_image(ARN)
    assert "Check the Airflow connection" in str(error.value)


def test_a_connection_that_is_not_defined_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_connection(_: type, conn_id: str) -> Any:
        raise AirflowNotFoundException(f"The conn_id `{conn_id}` isn't defined")

    monkeypatch.setattr(ImageBuilderHook, "get_connection", classmethod(no_connection))
    # The provider would continue with the credentials that boto3 finds: another account's, perhaps.
    with pytest.raises(AirflowNotFoundException, match="flete"):
        _ = ImageBuilderHook(aws_conn_id="flete").conn


def test_the_client_type_is_always_imagebuilder() -> None:
    assert ImageBuilderHook(client_type="ec2", aws_conn_id=None).client_type == "imagebuilder"


# -- what a build is made of -------------------------------------------------------------------------------


class Resource(NamedTuple):
    method: str
    operation: str
    parameter: str
    member: str
    resource: str

    def arn(self) -> str:
        return f"{PREFIX}:{self.resource}"


RESOURCES = (
    Resource(
        "get_image_pipeline", "get_image_pipeline", "imagePipelineArn", "imagePipeline", "image-pipeline/a"
    ),
    Resource("get_image_recipe", "get_image_recipe", "imageRecipeArn", "imageRecipe", "image-recipe/a/x.x.x"),
    Resource(
        "get_container_recipe",
        "get_container_recipe",
        "containerRecipeArn",
        "containerRecipe",
        "container-recipe/a/1.0.0",
    ),
    Resource("get_component", "get_component", "componentBuildVersionArn", "component", "component/a/1.x.x"),
    Resource("get_workflow", "get_workflow", "workflowBuildVersionArn", "workflow", "workflow/test/a/1.x.x"),
    Resource(
        "get_infrastructure_configuration",
        "get_infrastructure_configuration",
        "infrastructureConfigurationArn",
        "infrastructureConfiguration",
        "infrastructure-configuration/a",
    ),
    Resource(
        "get_distribution_configuration",
        "get_distribution_configuration",
        "distributionConfigurationArn",
        "distributionConfiguration",
        "distribution-configuration/a",
    ),
)


@pytest.mark.parametrize("one", RESOURCES, ids=lambda one: one.method)
def test_a_resource_is_read_by_its_arn(hook: ImageBuilderHook, aws: Stubber, one: Resource) -> None:
    body: dict[str, Any] = {"arn": one.arn()}
    if one.member == "distributionConfiguration":
        body["timeoutMinutes"] = 60  # the model demands it
    aws.add_response(one.operation, {one.member: body}, {one.parameter: one.arn()})
    assert getattr(hook, one.method)(one.arn()) == body
    aws.add_client_error(one.operation, "ResourceNotFoundException", http_status_code=404)
    with pytest.raises(NotFoundError):
        getattr(hook, one.method)(one.arn())


def test_a_resource_without_an_arn_is_malformed(hook: ImageBuilderHook, aws: Stubber) -> None:
    arn = f"{PREFIX}:component/a/1.x.x"
    aws.add_response("get_component", {"component": {"name": "golden"}}, {"componentBuildVersionArn": arn})
    with pytest.raises(MalformedAnswerError, match=r"component\.arn"):
        hook.get_component(arn)


@pytest.fixture
def other(hook: ImageBuilderHook, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Stubber]]:
    """Stubs of other services of AWS, by the service's name."""
    assert hook.conn  # made while the session is real
    session = hook.get_session(region_name="us-east-1")
    clients: dict[str, Any] = {}
    stubs: dict[str, Stubber] = {}

    def stubbed(service: str) -> Stubber:
        clients[service] = session.client(
            service, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
        )
        stubs[service] = Stubber(clients[service])
        stubs[service].activate()
        return stubs[service]

    class Session:
        def client(self, service: str, **_: Any) -> Any:
            return clients[service]

    monkeypatch.setattr(hook, "get_session", lambda **_: Session())
    yield stubbed
    for one in stubs.values():
        one.assert_no_pending_responses()


def test_a_parameter_has_a_value(hook: ImageBuilderHook, other: Callable[[str], Stubber]) -> None:
    ssm = other("ssm")
    ssm.add_response("get_parameter", {"Parameter": {"Value": "ami-1"}}, {"Name": "/golden"})
    assert hook.get_parameter("/golden") == "ami-1"
    ssm.add_client_error("get_parameter", "ParameterNotFound", http_status_code=400)
    with pytest.raises(RefusedError, match="ParameterNotFound"):
        hook.get_parameter("/golden")


def test_an_ami_that_is_gone_is_none(hook: ImageBuilderHook, other: Callable[[str], Stubber]) -> None:
    ec2 = other("ec2")
    asked = {"Filters": [{"Name": "image-id", "Values": ["ami-1"]}], "IncludeDeprecated": True}
    ec2.add_response("describe_images", {"Images": [{"ImageId": "ami-1", "DeprecationTime": "2027"}]}, asked)
    ec2.add_response("describe_images", {"Images": []}, asked)
    assert (hook.describe_ami("ami-1") or {})["DeprecationTime"] == "2027"
    assert hook.describe_ami("ami-1") is None


def test_the_time_of_a_push_is_text(hook: ImageBuilderHook, other: Callable[[str], Stubber]) -> None:
    ecr = other("ecr")
    asked = {
        "registryId": "123456789012",
        "repositoryName": "base",
        "imageIds": [{"imageTag": "stable"}],
    }
    pushed = datetime(2026, 10, 1, tzinfo=timezone.utc)
    ecr.add_response("describe_images", {"imageDetails": [{"imagePushedAt": pushed}]}, asked)
    found = hook.describe_ecr_image("us-east-1", "123456789012", "base", "stable")
    assert found["imagePushedAt"] == "2026-10-01T00:00:00+00:00"
    ecr.add_client_error("describe_images", "AccessDeniedException", http_status_code=403)
    with pytest.raises(ForbiddenError):
        hook.describe_ecr_image("us-east-1", "123456789012", "base", "stable")
