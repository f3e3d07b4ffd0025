"""What the other services of AWS show of a build, as clients see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from airflow_imagebuilder.local.emulator.seed import INSTANCE_PROFILE, REPOSITORIES
from tests.support.bench import HEAD, image_request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.process import Process

pytestmark = pytest.mark.integration
OTHER = "111122223333"
PLAIN = {"workflows": None, "executionRole": None}
ORGANISATION = "arn:aws:organizations::111122223333:organization/o-abcdefghij"
UNIT = "arn:aws:organizations::111122223333:ou/o-abcdefghij/ou-abcd-12345678"


@pytest.fixture(autouse=True)
def _clean(server: Process) -> Iterator[None]:
    server.control(reset=True, speed=6000)
    yield
    server.control(clear_faults=True)


def _bake(server: Process, **over: Any) -> dict[str, Any]:
    arn = server.client().create_image(**image_request(**{**PLAIN, **over}))["imageBuildVersionArn"]
    return server.wait(arn)


def _distribution(server: Process, *items: dict[str, Any]) -> str:
    made = server.client().create_distribution_configuration(name="own", distributions=list(items))
    return str(made["distributionConfigurationArn"])


def _in_other_account(server: Process, service: str, region: str = "us-east-1") -> Any:
    keys = server.client("sts").assume_role(
        RoleArn=f"arn:aws:iam::{OTHER}:role/Reader", RoleSessionName="test"
    )["Credentials"]
    connect: Any = boto3.client
    return connect(
        service,
        region_name=region,
        endpoint_url=server.url,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )


def test_an_ami_has_the_disks_of_its_recipe(server: Process) -> None:
    disks = [
        {
            "deviceName": "/dev/xvda",
            "ebs": {
                "volumeSize": 40,
                "volumeType": "gp3",
                "iops": 4000,
                "throughput": 250,
                "encrypted": True,
                "kmsKeyId": "alias/images",
                "deleteOnTermination": False,
            },
        },
        {"deviceName": "/dev/sdf", "ebs": {"volumeSize": 100, "volumeType": "st1"}},
        {"deviceName": "/dev/sdb", "virtualName": "ephemeral0"},
        {"deviceName": "/dev/sdg", "noDevice": ""},
    ]
    recipe = server.client().create_image_recipe(
        name="disks",
        semanticVersion="1.0.0",
        parentImage="arn:aws:imagebuilder:us-east-1:aws:image/amazon-linux-2023-arm64/x.x.x",
        blockDeviceMappings=disks,
        components=[{"componentArn": f"{HEAD}component/golden-base/x.x.x"}],
    )["imageRecipeArn"]
    image = _bake(server, imageRecipeArn=recipe, distributionConfigurationArn=None)
    ec2 = server.client("ec2")
    shown = ec2.describe_images(ImageIds=[image["outputResources"]["amis"][0]["image"]])["Images"][0]
    assert shown["Architecture"] == "arm64"
    root, data, ephemeral = shown["BlockDeviceMappings"]
    assert shown["RootDeviceName"] == root["DeviceName"] == "/dev/xvda"
    snapshots = [root["Ebs"].pop("SnapshotId"), data["Ebs"].pop("SnapshotId")]
    assert root["Ebs"] == {
        "DeleteOnTermination": False,
        "Iops": 4000,
        "VolumeSize": 40,
        "VolumeType": "gp3",
        "KmsKeyId": "alias/images",
        "Throughput": 250,
        "Encrypted": True,
    }
    assert data["DeviceName"] == "/dev/sdf"
    assert (data["Ebs"]["VolumeSize"], data["Ebs"]["VolumeType"]) == (100, "st1")
    assert (data["Ebs"]["Encrypted"], data["Ebs"]["DeleteOnTermination"]) == (False, True)
    assert (ephemeral["DeviceName"], ephemeral["VirtualName"]) == ("/dev/sdb", "ephemeral0")
    found = ec2.describe_snapshots(SnapshotIds=snapshots)["Snapshots"]
    sizes = {each["SnapshotId"]: (each["VolumeSize"], each["Encrypted"]) for each in found}
    assert sizes == {snapshots[0]: (40, True), snapshots[1]: (100, False)}
    for each in found:
        tags = {tag["Key"]: tag["Value"] for tag in each["Tags"]}
        assert tags["CreatedBy"] == "EC2 Image Builder"
        assert tags["Ec2ImageBuilderArn"] == image["arn"]


def test_a_windows_ami_says_so(server: Process) -> None:
    image = _bake(
        server,
        imageRecipeArn=f"{HEAD}image-recipe/golden-windows-2022/1.0.0",
        distributionConfigurationArn=None,
    )
    ami = image["outputResources"]["amis"][0]["image"]
    shown = server.client("ec2").describe_images(ImageIds=[ami])["Images"][0]
    assert (shown["Platform"], shown["RootDeviceName"]) == ("windows", "/dev/sda1")
    assert shown["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"] == 30


def test_launch_permissions_name_accounts_groups_and_organisations(server: Process) -> None:
    permission = {
        "userIds": [OTHER],
        "userGroups": ["all"],
        "organizationArns": [ORGANISATION],
        "organizationalUnitArns": [UNIT],
    }
    distribution = _distribution(
        server,
        {"region": "us-east-1", "amiDistributionConfiguration": {"launchPermission": permission}},
        {"region": "eu-west-1", "amiDistributionConfiguration": {"launchPermission": {"userIds": [OTHER]}}},
    )
    image = _bake(server, distributionConfigurationArn=distribution)
    found = {
        ami["region"]: server.client("ec2", ami["region"]).describe_image_attribute(
            ImageId=ami["image"], Attribute="launchPermission"
        )["LaunchPermissions"]
        for ami in image["outputResources"]["amis"]
    }
    assert found == {
        "us-east-1": [
            {"UserId": OTHER},
            {"Group": "all"},
            {"OrganizationArn": ORGANISATION},
            {"OrganizationalUnitArn": UNIT},
        ],
        "eu-west-1": [{"UserId": OTHER}],
    }


def test_a_target_account_owns_its_copy_and_its_parameter(server: Process) -> None:
    item = {
        "region": "eu-west-1",
        "amiDistributionConfiguration": {
            "targetAccountIds": [OTHER],
            "name": "to {{imagebuilder:buildDate}}",
        },
        "ssmParameterConfigurations": [{"parameterName": "/imagebuilder/to", "amiAccountId": OTHER}],
    }
    image = _bake(server, distributionConfigurationArn=_distribution(server, item))
    copies = {ami["accountId"]: ami for ami in image["outputResources"]["amis"]}
    shown = _in_other_account(server, "ec2", "eu-west-1").describe_images(Owners=["self"])["Images"]
    assert [(each["ImageId"], each["Name"], each["OwnerId"]) for each in shown] == [
        (copies[OTHER]["image"], copies[OTHER]["name"], OTHER)
    ]
    parameter = _in_other_account(server, "ssm", "eu-west-1").get_parameter(Name="/imagebuilder/to")
    assert parameter["Parameter"]["Value"] == copies[OTHER]["image"]
    with pytest.raises(ClientError, match="ParameterNotFound"):
        server.client("ssm", "eu-west-1").get_parameter(Name="/imagebuilder/to")


def test_an_account_with_roles_needs_the_one_of_image_builder(server: Process) -> None:
    iam = _in_other_account(server, "iam")
    iam.create_role(RoleName="Reader", AssumeRolePolicyDocument="{}")
    item = {"region": "us-east-1", "amiDistributionConfiguration": {"targetAccountIds": [OTHER]}}
    distribution = _distribution(server, item)
    assert "sts:AssumeRole" in _bake(server, distributionConfigurationArn=distribution)["state"]["reason"]
    iam.create_role(RoleName="EC2ImageBuilderDistributionCrossAccountRole", AssumeRolePolicyDocument="{}")
    assert _bake(server, distributionConfigurationArn=distribution)["state"] == {"status": "AVAILABLE"}


def test_the_date_of_an_ami_is_the_one_of_the_virtual_clock(server: Process) -> None:
    image = _bake(server, distributionConfigurationArn=None)
    ami = image["outputResources"]["amis"][0]["image"]
    made = server.client("ec2").describe_images(ImageIds=[ami])["Images"][0]["CreationDate"]
    ended = server.records()["images"][0]["history"][-1]["virtual"]
    assert image["dateCreated"] < made < ended


def test_a_name_is_free_again_when_its_ami_is_deregistered(server: Process) -> None:
    name = "monthly {{imagebuilder:buildDate:yyyy}}"
    distribution = _distribution(
        server, {"region": "us-east-1", "amiDistributionConfiguration": {"name": name}}
    )
    first = _bake(server, distributionConfigurationArn=distribution)
    second = _bake(server, distributionConfigurationArn=distribution)
    assert second["state"]["status"] == "FAILED"
    ami = first["outputResources"]["amis"][0]["image"]
    assert f"is already in use by AMI {ami}" in second["state"]["reason"]
    server.client("ec2").deregister_image(ImageId=ami)
    third = _bake(server, distributionConfigurationArn=distribution)
    assert third["state"] == {"status": "AVAILABLE"}


def test_a_container_image_is_in_the_repository_and_takes_a_tag_over(server: Process) -> None:
    ecr = server.client("ecr")
    ecr.create_repository(repositoryName="fleet")
    target = {"service": "ECR", "repositoryName": "fleet"}
    tags = ["latest", "{{imagebuilder:buildVersion}}"]
    item = {
        "region": "us-east-1",
        "containerDistributionConfiguration": {"targetRepository": target, "containerTags": tags},
    }
    distribution = _distribution(server, item)
    request: dict[str, Any] = {
        "imageRecipeArn": None,
        "containerRecipeArn": f"{HEAD}container-recipe/golden-container/1.0.0",
        "distributionConfigurationArn": distribution,
    }
    first = _bake(server, **request)
    assert first["state"] == {"status": "AVAILABLE"}
    assert first["outputResources"]["containers"][0]["imageUris"][0].endswith("/fleet:latest")
    _bake(server, **request)
    listed = ecr.list_images(repositoryName="fleet")["imageIds"]
    digests = {each["imageTag"]: each["imageDigest"] for each in listed if "imageTag" in each}
    assert set(digests) == {"latest", "1", "2"}
    assert digests["latest"] == digests["2"] != digests["1"]


def test_an_infrastructure_configuration_names_what_there_is(server: Process) -> None:
    client, ec2 = server.client(), server.client("ec2")
    with pytest.raises(ClientError, match="The provided instance profile does not exist"):
        client.create_infrastructure_configuration(name="own", instanceProfileName="Missing")
    server.client("iam").create_instance_profile(InstanceProfileName="Own")
    subnet = ec2.describe_subnets()["Subnets"][0]
    group = ec2.create_security_group(GroupName="builds", Description="builds", VpcId=subnet["VpcId"])
    ec2.create_key_pair(KeyName="builds")
    topic = server.client("sns").create_topic(Name="builds")["TopicArn"]
    with pytest.raises(ClientError, match="snsTopicArn"):
        client.create_infrastructure_configuration(
            name="own", instanceProfileName="Own", snsTopicArn=f"{topic}-gone"
        )
    arn = client.create_infrastructure_configuration(
        name="own",
        instanceProfileName="Own",
        subnetId=subnet["SubnetId"],
        securityGroupIds=[group["GroupId"]],
        keyPair="builds",
        snsTopicArn=topic,
    )["infrastructureConfigurationArn"]
    assert _bake(server, infrastructureConfigurationArn=arn)["state"] == {"status": "AVAILABLE"}
    ec2.delete_key_pair(KeyName="builds")
    image = _bake(server, infrastructureConfigurationArn=arn)
    assert "InvalidKeyPair.NotFound" in image["state"]["reason"]


def test_a_reset_leaves_what_the_golden_resources_name(server: Process) -> None:
    profiles = server.client("iam").list_instance_profiles()["InstanceProfiles"]
    assert [profile["InstanceProfileName"] for profile in profiles] == [INSTANCE_PROFILE]
    repositories = server.client("ecr").describe_repositories()["repositories"]
    assert [repository["repositoryName"] for repository in repositories] == list(REPOSITORIES)
