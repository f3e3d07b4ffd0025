"""The service over HTTP, as boto3 and aiobotocore see it."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from aiobotocore.session import get_session
from botocore.exceptions import ClientError, ConnectionClosedError, HTTPClientError, ReadTimeoutError

from airflow_imagebuilder.local.emulator.seed import INSTANCE_PROFILE as PROFILE
from tests.support.aws_model import lists_the_account
from tests.support.bench import HEAD, image_request
from tests.support.process import KEYS, Process

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def _clean(server: Process) -> Iterator[None]:
    server.control(reset=True, speed=600)
    yield
    server.control(clear_faults=True)


def _bake(server: Process, **over: Any) -> str:
    return str(server.client().create_image(**image_request(**over))["imageBuildVersionArn"])


def test_a_bake_ends_with_amis_that_ec2_shows_in_both_regions(server: Process) -> None:
    arn = _bake(server)
    image = server.wait(arn)
    assert image["state"] == {"status": "AVAILABLE"}
    listed = {ami["region"]: ami["image"] for ami in image["outputResources"]["amis"]}
    assert set(listed) == {"us-east-1", "eu-west-1"}
    for region, ami in listed.items():
        found = server.client("ec2", region).describe_images(
            Owners=["self"], Filters=[{"Name": "tag:Ec2ImageBuilderArn", "Values": [arn]}]
        )["Images"]
        assert [(each["ImageId"], each["State"]) for each in found] == [(ami, "available")]
        parameter = server.client("ssm", region).get_parameter(Name="/imagebuilder/golden/golden-al2023")
        assert parameter["Parameter"]["Value"] == ami


def test_amis_and_snapshots_of_a_build_can_be_removed_from_ec2(server: Process) -> None:
    image = server.wait(_bake(server))
    for ami in image["outputResources"]["amis"]:
        ec2 = server.client("ec2", ami["region"])
        found = ec2.describe_images(ImageIds=[ami["image"]])["Images"][0]
        snapshot = found["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
        ec2.deregister_image(ImageId=ami["image"])
        ec2.delete_snapshot(SnapshotId=snapshot)
        left = ec2.describe_images(Owners=["self"])["Images"]
        assert ami["image"] not in [each["ImageId"] for each in left]
        with pytest.raises(ClientError, match="InvalidSnapshot"):
            ec2.describe_snapshots(SnapshotIds=[snapshot])


def test_the_log_of_a_failed_component_is_in_cloudwatch(server: Process) -> None:
    server.control(failures=[{"component": "golden-hardening", "phase": "build", "message": "umask is 000"}])
    image = server.wait(_bake(server))
    assert image["state"]["status"] == "FAILED"
    events = server.client("logs").get_log_events(
        logGroupName="/aws/imagebuilder/golden-al2023", logStreamName=image["version"]
    )["events"]
    assert "Stderr: umask is 000" in [event["message"] for event in events]
    server.control(clear_failures=True)


def test_a_rule_delivers_the_end_of_a_build_to_a_queue_that_already_waits(server: Process) -> None:
    sqs, events = server.client("sqs"), server.client("events")
    queue = sqs.create_queue(QueueName="builds")["QueueUrl"]
    target = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {"source": ["aws.imagebuilder"], "detail": {"state": {"status": ["AVAILABLE", "FAILED"]}}}
    events.put_rule(Name="ends", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="ends", Targets=[{"Id": "1", "Arn": target}])
    arn = _bake(server)
    # From here on this long poll is the only call to the service.
    messages = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=15)["Messages"]
    event = json.loads(messages[0]["Body"])
    assert (len(messages), event["resources"]) == (1, [arn])
    assert event["detail-type"] == "EC2 Image Builder Image State Change"
    assert event["detail"]["state"] == {"status": "AVAILABLE"}
    ended = server.records()["images"][0]["history"][-1]["virtual"]
    assert event["time"][:19] == ended[:19]


def test_a_topic_of_the_infrastructure_configuration_gets_the_final_status(server: Process) -> None:
    sns, sqs, client = server.client("sns"), server.client("sqs"), server.client()
    topic = sns.create_topic(Name="images")["TopicArn"]
    queue = sqs.create_queue(QueueName="images")["QueueUrl"]
    target = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=target)
    infrastructure = client.create_infrastructure_configuration(
        name="with-topic", instanceProfileName=PROFILE, snsTopicArn=topic
    )["infrastructureConfigurationArn"]
    arn = _bake(server, infrastructureConfigurationArn=infrastructure)
    messages = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=15)["Messages"]
    message = json.loads(json.loads(messages[0]["Body"])["Message"])
    assert (message["arn"], message["state"]["status"]) == (arn, "AVAILABLE")


def test_a_launch_template_gets_a_version_with_the_ami(server: Process) -> None:
    ec2 = server.client("ec2")
    made = ec2.create_launch_template(
        LaunchTemplateName="fleet", LaunchTemplateData={"InstanceType": "t3.micro"}
    )
    template = made["LaunchTemplate"]["LaunchTemplateId"]
    distribution = server.client().create_distribution_configuration(
        name="templates",
        distributions=[
            {
                "region": "us-east-1",
                "launchTemplateConfigurations": [{"launchTemplateId": template, "setDefaultVersion": True}],
            }
        ],
    )["distributionConfigurationArn"]
    image = server.wait(_bake(server, distributionConfigurationArn=distribution))
    found = ec2.describe_launch_template_versions(LaunchTemplateId=template, Versions=["$Default"])
    data = found["LaunchTemplateVersions"][0]["LaunchTemplateData"]
    assert data["ImageId"] == image["outputResources"]["amis"][0]["image"]
    assert data["InstanceType"] == "t3.micro"


def test_the_execution_role_is_in_iam(server: Process) -> None:
    role = server.client("iam").get_role(RoleName="ImageBuilderExecution")["Role"]
    assert role["Arn"] == "arn:aws:iam::123456789012:role/ImageBuilderExecution"


def test_the_region_is_the_one_that_the_request_is_signed_for(server: Process) -> None:
    listed = server.client(region="eu-west-1").list_image_recipes()["imageRecipeSummaryList"]
    assert listed == []


def test_errors_arrive_as_the_exceptions_of_the_client(server: Process) -> None:
    client = server.client()
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_image(imageBuildVersionArn=f"{HEAD}image/nothing/1.0.0/1")
    with pytest.raises(client.exceptions.InvalidParameterCombinationException):
        client.create_image(**image_request(executionRole=None))
    with pytest.raises(ClientError) as caught:
        client.get_image(imageBuildVersionArn="nonsense")
    assert caught.value.response["Error"]["Code"] == "InvalidParameterValueException"
    assert caught.value.response["ResponseMetadata"]["RequestId"]


def test_tags_are_read_and_written_under_an_arn_with_slashes(server: Process) -> None:
    client, arn = server.client(), _bake(server, tags={"team": "platform"})
    client.tag_resource(resourceArn=arn, tags={"stage": "test"})
    client.untag_resource(resourceArn=arn, tagKeys=["team"])
    assert client.list_tags_for_resource(resourceArn=arn)["tags"] == {"stage": "test"}


@pytest.mark.skipif(not lists_the_account(), reason="botocore's ListImageBuildVersions demands an ARN")
def test_a_paginator_goes_through_every_page(server: Process) -> None:
    client = server.client()
    arns = {_bake(server) for _ in range(7)}
    pages = client.get_paginator("list_image_build_versions").paginate(PaginationConfig={"PageSize": 3})
    found = [summary["arn"] for page in pages for summary in page["imageSummaryList"]]
    assert (len(found), set(found)) == (7, arns)


def test_a_paginator_goes_through_every_page_of_an_image_version(server: Process) -> None:
    client = server.client()
    arns = {_bake(server) for _ in range(4)}
    (version,) = {arn.rpartition("/")[0] for arn in arns}
    pages = client.get_paginator("list_image_build_versions").paginate(
        imageVersionArn=version, PaginationConfig={"PageSize": 3}
    )
    assert {summary["arn"] for page in pages for summary in page["imageSummaryList"]} == arns


@pytest.mark.asyncio
async def test_aiobotocore_bakes_and_cancels(server: Process) -> None:
    async with get_session().create_client(
        "imagebuilder", region_name="us-east-1", endpoint_url=server.url, **KEYS
    ) as client:
        answers = await asyncio.gather(
            *(client.create_image(**image_request(), clientToken=f"t{i % 2}") for i in range(6))
        )
        arns = {answer["imageBuildVersionArn"] for answer in answers}
        assert len(arns) == 2
        arn = arns.pop()
        await client.cancel_image_creation(imageBuildVersionArn=arn, clientToken="c")
    assert server.wait(arn)["state"]["status"] == "CANCELLED"


def test_an_unsigned_call_is_refused_as_unsigned(server: Process) -> None:
    connection = http.client.HTTPConnection(str(urlsplit(server.url).hostname), urlsplit(server.url).port)
    connection.request("GET", f"/GetImage?imageBuildVersionArn={HEAD}image/x/1.0.0/1")
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("x-amzn-errortype")) == (
        403,
        "MissingAuthenticationTokenException",
    )
    connection.close()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/ListImages"),
        ("POST", "/CreateComponent"),
        ("POST", "/GetImage?imageBuildVersionArn=%ff%fe"),
    ],
)
def test_an_address_of_image_builder_with_another_method_is_refused(
    server: Process, method: str, path: str
) -> None:
    connection = http.client.HTTPConnection(str(urlsplit(server.url).hostname), urlsplit(server.url).port)
    connection.request(method, path)
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("x-amzn-errortype")) == (404, "UnknownOperationException")
    connection.close()


@pytest.mark.parametrize("path", ["/tags/%00", "/tags/arn%3Aaws%3Aimagebuilder"])
def test_what_moto_cannot_do_is_refused_in_the_form_of_aws(server: Process, path: str) -> None:
    connection = http.client.HTTPConnection(str(urlsplit(server.url).hostname), urlsplit(server.url).port)
    connection.request("POST", path)
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("x-amzn-errortype")) == (501, "NotImplemented")
    assert json.loads(answer.read())["__type"] == "NotImplemented"
    connection.close()


def _get(server: Process, **config: Any) -> dict[str, Any]:
    arn = f"{HEAD}image/golden-al2023/1.0.0/1"
    return dict(server.client(**config).get_image(imageBuildVersionArn=arn))


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("CallRateLimitExceededException", 429),
        ("ThrottlingException", 429),
        ("ServiceException", 500),
        ("ServiceUnavailableException", 503),
        ("ExpiredTokenException", 403),
    ],
)
def test_an_error_on_demand_arrives_so_many_times(server: Process, code: str, status: int) -> None:
    _bake(server)
    server.control(faults=[{"operation": "GetImage", "code": code, "times": 2}])
    for _ in range(2):
        with pytest.raises(ClientError) as caught:
            _get(server)
        assert caught.value.response["Error"]["Code"] == code
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert _get(server)["image"]["name"] == "golden-al2023"
    assert server.records()["calls"]["GetImage"] == {"total": 3, str(status): 2, "200": 1}


def test_a_reset_reaches_the_client_as_a_broken_connection(server: Process) -> None:
    server.control(faults=[{"operation": "GetImage", "kind": "reset", "times": 1}])
    with pytest.raises((ConnectionClosedError, HTTPClientError)):
        _get(server)
    connection = socket.create_connection(
        (str(urlsplit(server.url).hostname), urlsplit(server.url).port or 0)
    )
    server.control(faults=[{"operation": "GetImage", "kind": "reset", "times": 1}])
    scope = "Credential=x/20260101/us-east-1/imagebuilder/aws4_request"
    connection.sendall(
        f"GET /GetImage HTTP/1.1\r\nHost: localhost\r\nAuthorization: AWS4 {scope}\r\n\r\n".encode()
    )
    with pytest.raises(ConnectionResetError):
        connection.recv(100)
    connection.close()


def test_an_answer_that_is_lost_after_the_work_leaves_the_image(server: Process) -> None:
    server.control(faults=[{"operation": "CreateImage", "kind": "reset", "times": 1, "performed": True}])
    request = {**image_request(), "clientToken": "once"}
    with pytest.raises((ConnectionClosedError, HTTPClientError)):
        server.client().create_image(**request)
    arn = server.client().create_image(**request)["imageBuildVersionArn"]
    records = server.records()
    assert [image["arn"] for image in records["images"]] == [arn]
    assert records["tokens"][0]["count"] == 2


def test_a_hang_lasts_until_the_client_gives_up(server: Process) -> None:
    server.control(faults=[{"operation": "GetImage", "kind": "hang", "times": 1}])
    with pytest.raises(ReadTimeoutError):
        _get(server, read_timeout=0.5)
    assert server.records()["calls"]["GetImage"] == {"total": 1, "hang": 1}


def test_a_delay_holds_the_answer_back(server: Process) -> None:
    _bake(server)
    server.control(faults=[{"operation": "GetImage", "kind": "delay", "seconds": 0.6, "times": 1}])
    began = time.monotonic()
    assert _get(server)["image"]
    assert time.monotonic() - began >= 0.6


@pytest.mark.parametrize("kind", ["truncated", "empty", "malformed"])
def test_a_damaged_answer_is_not_an_image(server: Process, kind: str) -> None:
    _bake(server)
    server.control(faults=[{"operation": "GetImage", "kind": kind, "times": 1}])
    try:
        answer = _get(server)
    except Exception as error:  # noqa: BLE001  (what botocore makes of it differs from version to version)
        answer = {"error": error}
    assert "image" not in answer
    assert _get(server)["image"]["name"] == "golden-al2023"


def test_sessions_expire_at_the_word_of_the_control_plane_and_new_ones_work(server: Process) -> None:
    def session() -> Any:
        assumed = server.client("sts").assume_role(
            RoleArn="arn:aws:iam::123456789012:role/ImageBuilderExecution", RoleSessionName="session"
        )["Credentials"]
        return get_image_client(server, assumed)

    _bake(server)
    old = session()
    old.list_images()
    server.control(expire_credentials=True)
    with pytest.raises(ClientError) as caught:
        old.list_images()
    assert caught.value.response["Error"]["Code"] == "ExpiredTokenException"
    assert len(session().list_images()["imageVersionList"]) == 1
    assert len(server.client().list_images()["imageVersionList"]) == 1


def get_image_client(server: Process, credentials: dict[str, Any]) -> Any:
    import boto3

    return boto3.client(
        "imagebuilder",
        region_name="us-east-1",
        endpoint_url=server.url,
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
    )


def test_a_clock_at_speed_0_only_moves_by_hand(server: Process) -> None:
    server.control(speed=0)
    arn = _bake(server)
    assert server.client().get_image(imageBuildVersionArn=arn)["image"]["state"]["status"] == "PENDING"
    server.control(advance=20)
    assert server.client().get_image(imageBuildVersionArn=arn)["image"]["state"]["status"] == "BUILDING"


def test_the_control_plane_names_what_it_does_not_know(server: Process) -> None:
    assert "unknown key 'spede'" in server.control(spede=3)["error"]
    assert "faults[0].kind: 'x'" in server.control(faults=[{"kind": "x"}])["error"]


def test_the_service_ends_well_though_a_call_hangs_and_a_queue_waits_for_twenty_seconds() -> None:
    with Process("--speed", "0", "--no-seed") as process:
        assert "0 resources seeded" in process.line
        queue = process.client("sqs").create_queue(QueueName="x")["QueueUrl"]
        address = (str(urlsplit(process.url).hostname), urlsplit(process.url).port or 0)
        process.control(faults=[{"kind": "hang"}])
        waiting = [socket.create_connection(address) for _ in range(2)]
        scopes = ("imagebuilder", "sqs")
        bodies = ("", f"Action=ReceiveMessage&QueueUrl={queue}&WaitTimeSeconds=20")
        for connection, scope, body in zip(waiting, scopes, bodies, strict=True):
            connection.sendall(
                f"POST /ListImages HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
                "Content-Type: application/x-www-form-urlencoded\r\n"
                f"Authorization: AWS4 Credential=x/20260101/us-east-1/{scope}/aws4_request\r\n\r\n"
                f"{body}".encode()
            )
        process.control(clear_faults=True)
        code, seconds = process.stop()
        for connection in waiting:
            connection.close()
    assert code == 0
    assert seconds < 15, "it waited for the queue"


def test_an_invalid_scenario_and_a_taken_port_are_reported(
    server: Process, tmp_path: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    from airflow_imagebuilder.local.server import main

    path = tmp_path / "bad.yaml"
    path.write_text("speed: 3\n")
    assert main(["--port", "0", "--scenario", str(path)]) == 2
    assert "unknown key 'speed'; allowed: seed, durations" in capfd.readouterr().err
    assert main(["--port", str(urlsplit(server.url).port)]) == 2
    assert "is in use: another service runs there; --port 0" in capfd.readouterr().err
    assert main(["--port", "0", "--scenario", str(tmp_path / "none.yaml")]) == 2
    assert "none.yaml: No such file" in capfd.readouterr().err
