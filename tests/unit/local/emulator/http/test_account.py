"""Accounts over HTTP: the keys of an assumed role work in the account of the role, in every service."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from airflow_imagebuilder.local.emulator.seed import INSTANCE_PROFILE as PROFILE
from airflow_imagebuilder.local.server import arguments
from tests.support.bench import HEAD
from tests.support.documents import COMPONENT
from tests.support.process import Process

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration
HOME, OTHER = "444455556666", "111122223333"


@pytest.fixture(scope="module")
def home() -> Iterator[Process]:
    with Process("--speed", "6000", "--account", HOME) as process:
        yield process


def _assumed(server: Process, account: str = OTHER) -> dict[str, str]:
    role = f"arn:aws:iam::{account}:role/Builder"
    made = server.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    return {
        "aws_access_key_id": made["AccessKeyId"],
        "aws_secret_access_key": made["SecretAccessKey"],
        "aws_session_token": made["SessionToken"],
    }


def _prepare(server: Process, keys: dict[str, str]) -> None:
    _client(server, keys, "iam").create_instance_profile(InstanceProfileName=PROFILE)


def _client(server: Process, keys: dict[str, str], service: str = "imagebuilder") -> Any:
    connect: Any = boto3.client
    return connect(service, region_name="us-east-1", endpoint_url=server.url, **keys)


def _build(client: Any, **infrastructure: Any) -> str:
    recipe = client.create_image_recipe(
        name="plain",
        semanticVersion="1.0.0",
        parentImage=f"{HEAD_AWS}image/amazon-linux-2023-x86/x.x.x",
        components=[{"componentArn": f"{HEAD_AWS}component/update-linux/x.x.x"}],
    )["imageRecipeArn"]
    configuration = client.create_infrastructure_configuration(
        name="plain", instanceProfileName=PROFILE, **infrastructure
    )["infrastructureConfigurationArn"]
    distribution = client.create_distribution_configuration(
        name="plain",
        distributions=[
            {"region": "us-east-1", "ssmParameterConfigurations": [{"parameterName": "/imagebuilder/plain"}]}
        ],
    )["distributionConfigurationArn"]
    made = client.create_image(
        imageRecipeArn=recipe,
        infrastructureConfigurationArn=configuration,
        distributionConfigurationArn=distribution,
    )
    return str(made["imageBuildVersionArn"])


HEAD_AWS = HEAD.replace("123456789012", "aws")


def test_ordinary_keys_work_in_the_account_of_the_service(home: Process) -> None:
    assert home.client("sts").get_caller_identity()["Account"] == HOME
    recipes = home.client().list_image_recipes()["imageRecipeSummaryList"]
    assert {recipe["arn"].split(":")[4] for recipe in recipes} == {HOME}
    topic = home.client("sns").create_topic(Name="any")["TopicArn"]
    assert topic.split(":")[4] == HOME
    assert home.client("iam").get_role(RoleName="ImageBuilderExecution")["Role"]["Arn"].split(":")[4] == HOME


def test_an_assumed_role_builds_in_its_account_whose_topic_and_bus_get_the_end(home: Process) -> None:
    keys = _assumed(home)
    _prepare(home, keys)
    client = _client(home, keys)
    assert client.list_image_recipes()["imageRecipeSummaryList"] == []
    sns, sqs, events = (_client(home, keys, name) for name in ("sns", "sqs", "events"))
    topic = sns.create_topic(Name="images")["TopicArn"]
    assert topic.split(":")[4] == OTHER
    queues = {}
    for name in ("topic", "bus"):
        url = sqs.create_queue(QueueName=name)["QueueUrl"]
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
        queues[name] = (url, attributes["QueueArn"])
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queues["topic"][1])
    pattern = {"source": ["aws.imagebuilder"], "detail": {"state": {"status": ["AVAILABLE", "FAILED"]}}}
    events.put_rule(Name="ends", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="ends", Targets=[{"Id": "1", "Arn": queues["bus"][1]}])

    arn = _build(client, snsTopicArn=topic)
    bodies = {
        name: json.loads(sqs.receive_message(QueueUrl=url, WaitTimeSeconds=15)["Messages"][0]["Body"])
        for name, (url, _) in queues.items()
    }
    message, event = json.loads(bodies["topic"]["Message"]), bodies["bus"]
    assert (message["arn"], message["state"]["status"], message["accountId"]) == (arn, "AVAILABLE", OTHER)
    assert message["outputResources"]["amis"][0]["accountId"] == OTHER
    assert (event["resources"], event["account"]) == ([arn], OTHER)

    image = client.get_image(imageBuildVersionArn=arn)["image"]
    ami = image["outputResources"]["amis"][0]["image"]
    shown = _client(home, keys, "ec2").describe_images(Owners=["self"])["Images"]
    assert [(each["ImageId"], each["OwnerId"]) for each in shown] == [(ami, OTHER)]
    parameter = _client(home, keys, "ssm").get_parameter(Name="/imagebuilder/plain")["Parameter"]
    assert parameter["Value"] == ami
    assert home.client("ec2").describe_images(Owners=["self"])["Images"] == []
    with pytest.raises(ClientError) as refused:
        home.client().get_image(imageBuildVersionArn=arn)
    assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
    assert [image["account"] for image in home.records()["images"]] == [OTHER]


def test_the_header_of_moto_chooses_an_account(home: Process) -> None:
    client = _client(home, {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"})

    def add(request: Any, **_: Any) -> None:
        request.headers["x-moto-account-id"] = "777788889999"

    client.meta.events.register("before-sign", add)
    made = client.create_component(
        name="by-header", semanticVersion="1.0.0", platform="Linux", data=COMPONENT
    )
    assert made["componentBuildVersionArn"].split(":")[4] == "777788889999"


def test_a_session_keeps_its_account_when_the_service_is_killed(tmp_path: Path) -> None:
    process = Process("--speed", "0", "--state", str(tmp_path / "state.jsonl"))
    with process:
        keys = _assumed(process)
        _prepare(process, keys)
        arn = _build(_client(process, keys))
        process.control(advance=100_000)
        before = _client(process, keys).get_image(imageBuildVersionArn=arn)["image"]
        assert before["state"] == {"status": "AVAILABLE"}
        process.kill()
    with process:
        assert _client(process, keys).get_image(imageBuildVersionArn=arn)["image"] == before
        shown = _client(process, keys, "ec2").describe_images(Owners=["self"])["Images"]
        assert [each["ImageId"] for each in shown] == [before["outputResources"]["amis"][0]["image"]]
        identity = _client(process, keys, "ec2").create_security_group(GroupName="own", Description="own")
        owner = _client(process, keys, "ec2").describe_security_groups(GroupIds=[identity["GroupId"]])
        assert owner["SecurityGroups"][0]["OwnerId"] == OTHER


@pytest.mark.parametrize("account", ["12345", "12345678901x", ""])
def test_an_account_has_twelve_digits(account: str) -> None:
    with pytest.raises(SystemExit):
        arguments(["--account", account])


def test_the_variable_of_moto_sets_the_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOTO_ACCOUNT_ID", OTHER)
    assert arguments([]).account == OTHER
    assert arguments(["--account", HOME]).account == HOME
    monkeypatch.delenv("MOTO_ACCOUNT_ID")
    assert arguments([]).account is None
