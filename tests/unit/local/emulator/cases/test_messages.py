"""The message on the topic of an infrastructure configuration (User Guide, "Amazon SNS integration")."""

from __future__ import annotations

import re
from typing import Any

import pytest

from airflow_imagebuilder.local.emulator.engine import Failure
from tests.support.bench import HEAD, Bench

TOPIC = "arn:aws:sns:us-east-1:123456789012:images"
DATE = r"[A-Z][a-z]{2} [0-9]{1,2}, [0-9]{4} [0-9]{1,2}:[0-9]{2}:[0-9]{2} [AP]M"
UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
ACCOUNT = "[0-9]{12}"
TAGS = {"internalId": UUID, "resourceArn": r"arn:aws:imagebuilder:.+"}
#: Each member: a pattern of its text, a type, or the members below it.
MEMBERS: dict[str, Any] = {
    "versionlessArn": rf"{HEAD}image/golden-al2023",
    "semver": int,
    "arn": rf"{HEAD}image/golden-al2023/1\.0\.0/1",
    "name": "golden-al2023",
    "version": r"1\.0\.0",
    "type": "AMI",
    "buildVersion": int,
    "state": {"status": "AVAILABLE|FAILED"},
    "platform": "Linux",
    "imageRecipe": {
        "arn": rf"{HEAD}image-recipe/.+",
        "name": ".+",
        "version": ".+",
        "components": list,
        "platform": "Linux",
        "parentImage": ".+",
        "dateCreated": DATE,
        "tags": TAGS,
        "accountId": ACCOUNT,
    },
    "infrastructureConfiguration": {
        "arn": rf"{HEAD}infrastructure-configuration/.+",
        "name": ".+",
        "instanceProfileName": ".+",
        "tags": TAGS,
        "terminateInstanceOnFailure": bool,
        "snsTopicArn": TOPIC,
        "dateCreated": DATE,
        "accountId": ACCOUNT,
    },
    "imageTestsConfigurationDocument": {"imageTestsEnabled": bool, "timeoutMinutes": int},
    "distributionConfiguration": {
        "arn": rf"{HEAD}distribution-configuration/.+",
        "name": ".+",
        "dateCreated": DATE,
        "distributions": list,
        "tags": TAGS,
        "accountId": ACCOUNT,
    },
    "dateCreated": DATE,
    "outputResources": {"amis": list},
    "accountId": ACCOUNT,
    "enhancedImageMetadataEnabled": bool,
    "buildType": "USER_INITIATED|SCHEDULED",
    "tags": TAGS,
}
#: Members that the guide's message of a failed image lacks.
MADE: dict[str, Any] = {
    **dict.fromkeys(("buildExecutionId", "testExecutionId", "distributionJobId", "integrationJobId"), UUID),
    "osVersion": "Amazon Linux 2023",
}


def faults(value: Any, wanted: Any, where: str) -> list[str]:
    if isinstance(wanted, type):
        return [] if type(value) is wanted else [f"{where}: {value!r}"]
    if isinstance(wanted, str):
        return [] if isinstance(value, str) and re.fullmatch(wanted, value) else [f"{where}: {value!r}"]
    missing = [f"{where}.{name}: missing" for name in wanted if name not in value]
    return missing + [
        fault
        for name in wanted
        if name in value
        for fault in faults(value[name], wanted[name], f"{where}.{name}")
    ]


@pytest.mark.parametrize("fails", [False, True], ids=["AVAILABLE", "FAILED"])
def test_the_message_of_an_image_has_every_member_of_the_guides(fails: bool) -> None:
    bench = Bench(*([Failure(workflow="golden-build", message="disk full")] if fails else []))
    made = bench.call(
        "CreateInfrastructureConfiguration",
        name="told",
        instanceProfileName="profile",
        snsTopicArn=TOPIC,
        terminateInstanceOnFailure=True,
    )
    arn = bench.bake(infrastructureConfigurationArn=made["infrastructureConfigurationArn"])
    bench.finish(arn)
    (sent,) = bench.world.of("notification")
    message = sent.data["message"]
    assert faults(message, MEMBERS if fails else {**MEMBERS, **MADE}, "message") == []
    assert sent.data["topic"] == TOPIC
    assert message["state"] == (bench.image(arn)["state"] if not fails else message["state"])
    if fails:
        assert "disk full" in message["state"]["reason"]
        assert set(MADE) & set(message) == set()
        assert message["outputResources"] == {"amis": []}
    else:
        assert {"region", "image", "name", "accountId"} <= set(message["outputResources"]["amis"][0])


def test_a_topic_gets_one_message_at_the_end(bench: Bench) -> None:
    made = bench.call(
        "CreateInfrastructureConfiguration", name="told", instanceProfileName="profile", snsTopicArn=TOPIC
    )
    arn = bench.bake(infrastructureConfigurationArn=made["infrastructureConfigurationArn"])
    bench.run_to(arn, "TESTING")
    assert bench.world.of("notification") == []
    bench.finish(arn)
    assert len(bench.world.of("notification")) == 1
