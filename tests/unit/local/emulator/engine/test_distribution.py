"""What an image gives to other services: AMIs with their names, tags and disks, copies, and refusals."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_imagebuilder.local.emulator.engine import ApiError, Failure
from tests.support.bench import HEAD, Bench

OTHER = "111122223333"
DISKS = [
    {"deviceName": "/dev/xvda", "ebs": {"volumeSize": 40, "volumeType": "gp3", "encrypted": True}},
    {"deviceName": "/dev/sdf", "ebs": {"volumeSize": 100, "volumeType": "io2", "iops": 4000}},
]


def _recipe(bench: Bench, **more: Any) -> str:
    params = {
        "name": "Own Recipe",
        "semanticVersion": "1.0.0",
        "parentImage": "ami-0123456789abcdef0",
        **more,
    }
    return str(bench.call("CreateImageRecipe", **params)["imageRecipeArn"])


def _distribution(bench: Bench, *items: dict[str, Any]) -> str:
    answer = bench.call("CreateDistributionConfiguration", name="own", distributions=list(items))
    return str(answer["distributionConfigurationArn"])


def _ami(region: str = "us-east-1", **configuration: Any) -> dict[str, Any]:
    return {"region": region, "amiDistributionConfiguration": configuration}


def _made(bench: Bench) -> dict[str, dict[str, Any]]:
    return {f"{e.region}/{e.data['account']}": e.data for e in bench.world.of("ami")}


def test_an_image_shows_the_builds_that_its_recipe_meant(bench: Bench) -> None:
    arn = _recipe(
        bench,
        parentImage="arn:aws:imagebuilder:us-east-1:aws:image/amazon-linux-2023-x86/x.x.x",
        components=[{"componentArn": f"{HEAD}component/golden-base/x.x.x"}],
    )
    image = bench.image(bench.bake(imageRecipeArn=arn))
    parent = image["imageRecipe"]["parentImage"]
    assert ":image/amazon-linux-2023-x86/" in parent
    assert parent.endswith("/1")
    assert "x" not in parent.rpartition("x86/")[2]
    used = [each["componentArn"] for each in image["imageRecipe"]["components"]]
    assert used == [f"{HEAD}component/golden-base/1.0.0/1"]
    kept = bench.call("GetImageRecipe", imageRecipeArn=arn)["imageRecipe"]
    assert kept["parentImage"].endswith("/x.x.x")
    assert kept["components"][0]["componentArn"].endswith("/x.x.x")


def test_a_newer_component_is_used_by_the_next_image_alone(bench: Bench) -> None:
    arn = _recipe(bench, components=[{"componentArn": f"{HEAD}component/golden-base/x.x.x"}])
    first = bench.bake(imageRecipeArn=arn)
    document = bench.call("GetComponent", componentBuildVersionArn=f"{HEAD}component/golden-base/1.0.0/1")
    bench.call(
        "CreateComponent",
        name="golden-base",
        semanticVersion="1.1.0",
        platform="Linux",
        data=document["component"]["data"],
    )
    second = bench.bake(imageRecipeArn=arn)
    used = [bench.image(each)["imageRecipe"]["components"][0]["componentArn"] for each in (first, second)]
    assert [each.split("/")[-2] for each in used] == ["1.0.0", "1.1.0"]


def test_the_ami_of_the_build_has_the_tags_of_the_recipe_and_copies_those_of_their_region(
    bench: Bench,
) -> None:
    recipe = _recipe(bench, amiTags={"stage": "build {{ imagebuilder:buildVersion }}"})
    distribution = _distribution(
        bench,
        _ami(name="own {{ imagebuilder:buildDate }}", amiTags={"home": "{{imagebuilder:buildVersion}}"}),
        _ami("eu-west-1", amiTags={"abroad": "yes"}),
    )
    arn = bench.bake(imageRecipeArn=recipe, distributionConfigurationArn=distribution)
    bench.finish(arn)
    own = {"CreatedBy": "EC2 Image Builder", "Ec2ImageBuilderArn": arn}
    made = _made(bench)
    assert made["us-east-1/123456789012"]["tags"] == {"stage": "build 1", "home": "1", **own}
    assert made["eu-west-1/123456789012"]["tags"] == {"abroad": "yes", **own}


def test_the_description_of_the_recipe_is_only_for_the_ami_of_the_build(bench: Bench) -> None:
    recipe = _recipe(bench, description="of the recipe")
    distribution = _distribution(
        bench, _ami(amiTags={"a": "b"}), _ami("eu-west-1"), _ami("eu-central-1", description="given")
    )
    arn = bench.bake(imageRecipeArn=recipe, distributionConfigurationArn=distribution)
    bench.finish(arn)
    shown = {ami["region"]: ami.get("description") for ami in bench.image(arn)["outputResources"]["amis"]}
    assert shown == {"us-east-1": "of the recipe", "eu-west-1": None, "eu-central-1": "given"}


def test_images_of_one_moment_have_amis_of_different_names(bench: Bench) -> None:
    arns = [bench.bake() for _ in range(5)]
    for arn in arns:
        assert bench.finish(arn) == "AVAILABLE"
    names = [e.data["name"] for e in bench.world.of("ami") if e.region == "us-east-1"]
    assert len(set(names)) == 5


def test_an_ami_name_that_is_taken_fails_the_distribution(bench: Bench) -> None:
    distribution = _distribution(bench, _ami(name="monthly {{imagebuilder:buildDate:yyyyMM}}"))
    first, second = (bench.bake(distributionConfigurationArn=distribution) for _ in range(2))
    assert bench.finish(first) == "AVAILABLE"
    assert bench.finish(second) == "FAILED"
    assert bench.statuses(second)[-2:] == ["DISTRIBUTING", "FAILED"]
    taken = bench.image(first)["outputResources"]["amis"][0]
    state = bench.image(second)["state"]
    assert state["reason"] == (
        f"Not all distribution jobs are completed. 1) EC2 Client Error: 'AMI name {taken['name']} is already "
        f"in use by AMI {taken['image']}' when distributing the image from the source account "
        "(ID: 123456789012) to the destination account (ID: 123456789012) in Region us-east-1."
    )
    regions = state["failureContext"]["distributionFailure"]["regionFailures"]
    assert [(each["region"], each["targetAccountId"]) for each in regions] == [("us-east-1", "123456789012")]
    names = [e.data["name"] for e in bench.world.of("ami")]
    assert len(set(names)) == 2


def test_a_retry_gives_the_name_once_it_is_free_and_only_once() -> None:
    bench = Bench(Failure(region="eu-west-1", image="*/2", times=2))
    name = "monthly {{imagebuilder:buildDate:yyyyMM}}"
    distribution = _distribution(bench, _ami(name=name), _ami("eu-west-1", name=name))
    first, second = (bench.bake(distributionConfigurationArn=distribution) for _ in range(2))
    assert (bench.finish(first), bench.finish(second)) == ("AVAILABLE", "FAILED")
    taken = {ami["image"] for ami in bench.image(first)["outputResources"]["amis"]}
    bench.world.effects[:] = [e for e in bench.world.effects if e.data.get("id") not in taken]
    for status in ("FAILED", "AVAILABLE"):
        bench.call("RetryImage", imageBuildVersionArn=second)
        assert bench.finish(second) == status
    amis = bench.image(second)["outputResources"]["amis"]
    assert {ami["region"] for ami in amis} == {"us-east-1", "eu-west-1"}
    assert len({ami["name"] for ami in amis}) == 1
    assert amis[0]["name"].startswith("monthly ")


def test_a_name_may_be_taken_in_one_region_or_account_and_free_in_another(bench: Bench) -> None:
    name = "monthly {{imagebuilder:buildDate:yyyyMM}}"
    distribution = _distribution(
        bench, _ami(name=name, targetAccountIds=[OTHER]), _ami("eu-west-1", name=name)
    )
    arn = bench.bake(distributionConfigurationArn=distribution)
    assert bench.finish(arn) == "AVAILABLE"
    made = _made(bench)
    assert set(made) == {"us-east-1/123456789012", f"us-east-1/{OTHER}", "eu-west-1/123456789012"}
    assert len({data["name"] for data in made.values()}) == 1


def test_a_parameter_is_put_into_the_account_that_it_names(bench: Bench) -> None:
    item = _ami(targetAccountIds=[OTHER])
    item["ssmParameterConfigurations"] = [
        {"parameterName": "/imagebuilder/a", "amiAccountId": OTHER, "dataType": "text"},
        {"parameterName": "/imagebuilder/a"},
    ]
    arn = bench.bake(distributionConfigurationArn=_distribution(bench, item))
    bench.finish(arn)
    made = _made(bench)
    put = {e.data["account"]: (e.data["value"], e.data["type"]) for e in bench.world.of("parameter")}
    assert put == {
        OTHER: (made[f"us-east-1/{OTHER}"]["id"], "text"),
        "123456789012": (made["us-east-1/123456789012"]["id"], "aws:ec2:image"),
    }


@pytest.mark.parametrize(
    ("name", "role", "status"),
    [
        ("/imagebuilder/own", None, "AVAILABLE"),
        ("/golden/own", None, "FAILED"),
        ("/golden/own", "role", "AVAILABLE"),
    ],
)
def test_only_an_execution_role_puts_parameters_elsewhere(
    bench: Bench, name: str, role: str | None, status: str
) -> None:
    item = {"region": "us-east-1", "ssmParameterConfigurations": [{"parameterName": name}]}
    arn = bench.bake(
        distributionConfigurationArn=_distribution(bench, item), workflows=None, executionRole=role
    )
    assert bench.finish(arn) == status
    assert [e.data["name"] for e in bench.world.of("parameter")] == ([name] if status == "AVAILABLE" else [])
    assert len(bench.world.of("ami")) == 1
    if status == "FAILED":
        assert bench.statuses(arn)[-2:] == ["INTEGRATING", "FAILED"]
        assert "ssm:PutParameter" in bench.image(arn)["state"]["reason"]


def test_a_target_account_without_the_role_gets_no_copy(bench: Bench) -> None:
    bench.world.missing.add(("us-east-1", "role", "EC2ImageBuilderDistributionCrossAccountRole"))
    arn = bench.bake(distributionConfigurationArn=_distribution(bench, _ami(targetAccountIds=[OTHER])))
    assert bench.finish(arn) == "FAILED"
    reason = bench.image(arn)["state"]["reason"]
    assert "AccessDenied" in reason
    assert f"arn:aws:iam::{OTHER}:role/EC2ImageBuilderDistributionCrossAccountRole" in reason
    assert f"destination account (ID: {OTHER})" in reason


@pytest.mark.parametrize("more", [{"targetAccountIds": [OTHER]}, {"launchPermission": {"userIds": [OTHER]}}])
def test_a_disk_with_the_key_of_aws_cannot_be_given_to_another_account(
    bench: Bench, more: dict[str, Any]
) -> None:
    recipe = _recipe(bench, blockDeviceMappings=DISKS)
    arn = bench.bake(imageRecipeArn=recipe, distributionConfigurationArn=_distribution(bench, _ami(**more)))
    assert bench.finish(arn) == "FAILED"
    assert (
        "Snapshots encrypted with the AWS Managed CMK can't be shared" in bench.image(arn)["state"]["reason"]
    )


def test_a_disk_with_a_key_of_its_own_can_be_given(bench: Bench) -> None:
    disk = {
        "deviceName": "/dev/xvda",
        "ebs": {"encrypted": True, "kmsKeyId": "alias/shared", "volumeSize": 9},
    }
    recipe = _recipe(bench, blockDeviceMappings=[disk])
    distribution = _distribution(bench, _ami(targetAccountIds=[OTHER]))
    assert (
        bench.finish(bench.bake(imageRecipeArn=recipe, distributionConfigurationArn=distribution))
        == "AVAILABLE"
    )


@pytest.mark.parametrize("region", ["mars-north-1", "cn-north-1"])
def test_a_region_that_does_not_exist_in_the_partition_is_refused(bench: Bench, region: str) -> None:
    bench.world.regions = frozenset({"us-east-1", "cn-north-1"})
    with pytest.raises(ApiError, match=r"distributions\[0\]\.region' is not valid"):
        _distribution(bench, _ami(region))


def test_a_container_recipe_needs_its_repository(bench: Bench) -> None:
    bench.world.missing.add(("us-east-1", "repository", "absent"))
    with pytest.raises(ApiError, match="repository with name 'absent' does not exist") as refused:
        bench.call(
            "CreateContainerRecipe",
            name="container",
            semanticVersion="1.0.0",
            containerType="DOCKER",
            parentImage="amazonlinux:2023",
            dockerfileTemplateData="FROM {{{ imagebuilder:parentImage }}}\n",
            components=[{"componentArn": f"{HEAD}component/golden-base/1.0.0/1"}],
            targetRepository={"service": "ECR", "repositoryName": "absent"},
        )
    assert refused.value.code == "ResourceNotFoundException"


def test_a_region_without_the_repository_fails_the_distribution_of_a_container(bench: Bench) -> None:
    bench.world.missing.add(("eu-west-1", "repository", "fleet"))
    items = [
        {
            "region": region,
            "containerDistributionConfiguration": {
                "targetRepository": {"service": "ECR", "repositoryName": "fleet"},
                "containerTags": ["latest", "build-{{imagebuilder:buildVersion}}"],
            },
        }
        for region in ("us-east-1", "eu-west-1")
    ]
    arn = bench.bake(
        imageRecipeArn=None,
        containerRecipeArn=f"{HEAD}container-recipe/golden-container/1.0.0",
        distributionConfigurationArn=_distribution(bench, *items),
        workflows=None,
    )
    assert bench.finish(arn) == "FAILED"
    assert "'fleet' does not exist" in bench.image(arn)["state"]["reason"]
    pushed = [(e.region, e.data["tags"]) for e in bench.world.of("container")]
    assert pushed == [("us-east-1", ["latest", "build-1"])]


class TestInfrastructure:
    """What an infrastructure configuration names."""

    @staticmethod
    def _create(bench: Bench, **more: Any) -> str:
        params = {"name": "own", "instanceProfileName": "profile", **more}
        return str(
            bench.call("CreateInfrastructureConfiguration", **params)["infrastructureConfigurationArn"]
        )

    @pytest.mark.parametrize(
        ("more", "missing", "text"),
        [
            ({}, ("instance profile", "profile"), "The provided instance profile does not exist"),
            (
                {"snsTopicArn": f"arn:aws:sns:us-east-1:{OTHER}:images"},
                ("topic", f"arn:aws:sns:us-east-1:{OTHER}:images"),
                "'snsTopicArn' is not valid",
            ),
            ({"subnetId": "subnet-0123456789abcdef0"}, ("", ""), "securityGroupIds"),
            ({"resourceTags": {"CreatedBy": "me"}}, ("", ""), "reserved"),
            ({"placement": {"tenancy": "default", "hostId": "h-1"}}, ("", ""), "tenancy 'host'"),
        ],
    )
    def test_aws_refuses_it(
        self, bench: Bench, more: dict[str, Any], missing: tuple[str, str], text: str
    ) -> None:
        bench.world.missing.add(("us-east-1", *missing))
        with pytest.raises(ApiError, match=text):
            self._create(bench, **more)
        bench.world.missing.clear()
        assert self._create(bench)

    def test_an_update_is_checked_too(self, bench: Bench) -> None:
        arn = self._create(bench)
        bench.world.missing.add(("us-east-1", "instance profile", "gone"))
        with pytest.raises(ApiError, match="instance profile does not exist"):
            bench.call(
                "UpdateInfrastructureConfiguration",
                infrastructureConfigurationArn=arn,
                instanceProfileName="gone",
            )

    @pytest.mark.parametrize(
        ("kind", "more"),
        [
            ("key pair", {"keyPair": "x"}),
            ("subnet", {"subnetId": "x", "securityGroupIds": ["sg-1"]}),
            ("security group", {"securityGroupIds": ["sg-1", "x"]}),
        ],
    )
    def test_what_ec2_does_not_have_fails_the_launch(
        self, bench: Bench, kind: str, more: dict[str, Any]
    ) -> None:
        bench.world.missing.add(("us-east-1", kind, "x"))
        arn = bench.bake(infrastructureConfigurationArn=self._create(bench, **more))
        assert bench.finish(arn) == "FAILED"
        state = bench.image(arn)["state"]
        assert "'x' does not exist" in state["reason"]
        assert state["failureContext"]["failedStep"] == "LaunchBuildInstance"
