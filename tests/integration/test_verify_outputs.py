"""Outputs are verified on a real Airflow: as the local service distributed them, and changed by hand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.bakes import Run, add_recipes, until
from tests.support.arns import PREFIX

if TYPE_CHECKING:
    from airflow_imagebuilder.local.stack.airflow import AirflowStack
    from airflow_imagebuilder.local.stack.image_builder import LocalService

pytestmark = pytest.mark.integration

TARGET = "210987654321"
HERE, THERE = "us-east-1", "eu-west-1"
NAMES = ("good", "changed", "deregistered", "moved", "shared", "tests-only")
CASES = (*NAMES, "container", "container-untagged")
TAGS = {"team": "web", "built": "{{ imagebuilder:buildDate }}"}


class Cases:
    """Images in the local service, changed by hand, and the run that verifies them."""

    def __init__(self, airflow: AirflowStack, service: LocalService) -> None:
        self.service = service
        self.imagebuilder = service.client("imagebuilder")
        self.arns = self._images()
        self.amis = {name: self._ended(arn) for name, arn in self.arns.items()}
        self._change()
        connect_target(airflow, service)
        conf = {
            "images": [self.arns[name] for name in CASES],
            "shared": self.arns["shared"],
            "tags": {"team": "web"},
        }
        self.shown = Run.start(airflow.api, "verify_outputs")
        self.run = Run.start(airflow.api, "verify_cases", conf)
        self.run.wait()
        self.shown.wait()

    def _images(self) -> dict[str, str]:
        add_recipes(self.service, [f"verify-{name}" for name in NAMES])
        role = {
            "RoleName": "EC2ImageBuilderDistributionCrossAccountRole",
            "AssumeRolePolicyDocument": "{}",
        }
        self.service.client("iam", account=TARGET).create_role(**role)
        arns = {name: self._image(name) for name in NAMES}
        for name in ("container", "container-untagged"):
            repository = {"service": "ECR", "repositoryName": "golden-container"}
            tagged = {"containerTags": [name], "targetRepository": repository}
            items = [{"region": HERE, "containerDistributionConfiguration": tagged}]
            configuration = self._configuration(name, items)
            arns[name] = self._create(
                containerRecipeArn=f"{PREFIX}:container-recipe/golden-container/1.0.0",
                distributionConfigurationArn=configuration,
            )
        return arns

    def _image(self, name: str) -> str:
        recipe = {"imageRecipeArn": f"{PREFIX}:image-recipe/verify-{name}/1.0.0"}
        if name == "tests-only":
            workflows = [{"workflowArn": f"{PREFIX}:workflow/test/boot/1.0.0/1"}]
            return self._create(**recipe, workflows=workflows, executionRole="ImageBuilderExecution")
        ami = {
            "name": f"verify {name} {{{{ imagebuilder:buildDate }}}}",
            "amiTags": TAGS,
            "launchPermission": {"userIds": [TARGET]},
        }
        parameter = [{"parameterName": f"/imagebuilder/verify-{name}", "dataType": "aws:ec2:image"}]
        items: list[dict[str, Any]] = [
            {"region": region, "amiDistributionConfiguration": ami, "ssmParameterConfigurations": parameter}
            for region in (HERE, THERE)
        ]
        if name == "shared":
            items[0]["amiDistributionConfiguration"] = {**ami, "targetAccountIds": [TARGET]}
        return self._create(**recipe, distributionConfigurationArn=self._configuration(name, items))

    def _configuration(self, name: str, items: list[dict[str, Any]]) -> str:
        made = self.imagebuilder.create_distribution_configuration(name=f"verify-{name}", distributions=items)
        return str(made["distributionConfigurationArn"])

    def _create(self, **members: Any) -> str:
        infrastructure = f"{PREFIX}:infrastructure-configuration/golden-build"
        made = self.imagebuilder.create_image(infrastructureConfigurationArn=infrastructure, **members)
        return str(made["imageBuildVersionArn"])

    def _ended(self, arn: str) -> dict[tuple[str, str], str]:
        """Wait until an image is AVAILABLE; return its AMIs by region and account."""

        def image() -> Any:
            found = self.imagebuilder.get_image(imageBuildVersionArn=arn)["image"]
            assert found["state"]["status"] != "FAILED", found["state"]
            return found if found["state"]["status"] == "AVAILABLE" else None

        amis = until(image)["outputResources"].get("amis", ())
        return {(ami["region"], ami.get("accountId", "")): ami["image"] for ami in amis}

    def _change(self) -> None:
        owner = PREFIX.split(":")[4]
        ec2 = self.service.client("ec2")
        changed = self.amis["changed"][HERE, owner]
        ec2.delete_tags(Resources=[changed], Tags=[{"Key": "team"}])
        ec2.modify_image_attribute(ImageId=changed, LaunchPermission={"Remove": [{"UserId": TARGET}]})
        gone = self.amis["deregistered"][THERE, owner]
        self.service.client("ec2", THERE).deregister_image(ImageId=gone)
        self.service.client("ssm").put_parameter(
            Name="/imagebuilder/verify-moved", Value=changed, Type="String", Overwrite=True
        )
        tag = [{"imageTag": "container-untagged"}]
        self.service.client("ecr").batch_delete_image(repositoryName="golden-container", imageIds=tag)

    def state(self, name: str) -> str | None:
        return self.run.states()[f"verify[{CASES.index(name)}]"]

    def rows(self, name: str) -> list[tuple[str, str, str, str]]:
        """Return region, account, kind and found of each difference of an image."""
        found = self.run.xcom("verify", "output_differences", CASES.index(name))
        return [(row["region"], row["account"], row["kind"], row["found"]) for row in found]

    def log(self, name: str) -> str:
        return self.run.log("verify", CASES.index(name))


def connect_target(airflow: AirflowStack, service: LocalService) -> None:
    """Make an AWS connection that assumes a role in the target account."""
    extra = {
        "region_name": HERE,
        "endpoint_url": service.url,
        "role_arn": f"arn:aws:iam::{TARGET}:role/verify",
    }
    body = {
        "connection_id": "aws_target",
        "conn_type": "aws",
        "login": "local",
        "password": "local",
        "extra": json.dumps(extra),
    }
    airflow.api.call("POST", "connections", json=body)


@pytest.fixture(scope="module")
def cases(airflow: AirflowStack, local_service: LocalService) -> Cases:
    return Cases(airflow, local_service)


OWN = PREFIX.split(":")[4]


@pytest.mark.parametrize("name", ["good", "shared", "container"])
def test_outputs_that_are_as_asked_for_pass(cases: Cases, name: str) -> None:
    assert cases.state(name) == "success", cases.log(name)
    assert cases.rows(name) == []


def test_the_ami_of_another_account_is_read_with_its_connection(cases: Cases) -> None:
    verified = cases.run.xcom("verify", map_index=CASES.index("shared"))
    found = {(ami["region"], ami["account_id"]): ami["image"] for ami in verified["amis"]}
    assert found == cases.amis["shared"]
    assert (HERE, TARGET) in found


def test_a_tag_and_a_launch_permission_that_are_gone_fail_with_a_table(cases: Cases) -> None:
    assert cases.state("changed") == "failed"
    assert cases.rows("changed") == [
        (HERE, OWN, "tag", "no such tag"),
        (HERE, OWN, "launch permission", "not granted"),
    ]
    log = cases.log("changed")
    ami = cases.amis["changed"][HERE, OWN]
    assert f"{HERE}  {OWN}  tag                {ami}  team=web" in log
    assert "OutputsDifferError" in log
    assert "CloudTrail shows who removed" in log


def test_an_ami_that_is_gone_in_one_region_fails(cases: Cases) -> None:
    assert cases.state("deregistered") == "failed"
    assert cases.rows("deregistered") == [(THERE, OWN, "missing", "EC2 does not find it")]


def test_a_parameter_that_holds_another_ami_fails(cases: Cases) -> None:
    assert cases.state("moved") == "failed"
    assert cases.rows("moved") == [(HERE, OWN, "SSM parameter", cases.amis["changed"][HERE, OWN])]


def test_a_container_tag_that_is_gone_fails(cases: Cases) -> None:
    assert cases.state("container-untagged") == "failed"
    assert cases.rows("container-untagged") == [(HERE, OWN, "container tag", "ECR does not find it")]


def test_an_image_of_tests_only_is_refused(cases: Cases) -> None:
    assert cases.state("tests-only") == "failed"
    ((_, _, kind, found),) = cases.rows("tests-only")
    assert kind == "not built"
    assert found.startswith("the parent AMI (ami-")


def test_an_account_without_credentials_fails_unless_that_is_accepted(cases: Cases) -> None:
    states = cases.run.states()
    assert states["without_credentials"] == "failed"
    assert "no connection for account" in cases.run.log("without_credentials")
    assert states["unverified_accepted"] == "success"
    assert cases.run.xcom("unverified_accepted")["not_verified_count"] == 1


def test_mapped_tasks_are_named_by_their_image(cases: Cases) -> None:
    assert cases.run.names("verify")[:2] == ["verify-good", "verify-changed"]


def test_the_link_is_to_the_golden_ami(cases: Cases) -> None:
    ami = cases.amis["shared"][HERE, OWN]
    url = cases.run.links("unverified_accepted")["Golden AMI"]
    assert url == f"https://console.aws.amazon.com/ec2/home?region={HERE}#ImageDetails:imageId={ami}"


def test_the_dag_of_the_how_to_page_publishes_what_it_has_verified(cases: Cases) -> None:
    assert cases.shown.states() == {"bake": "success", "verify": "success"}, cases.shown.log("verify")
    verified = cases.shown.xcom("verify")
    assert [ami["region"] for ami in verified["amis"]] == [HERE, THERE]
    params = {"source_run_id": cases.shown.run_id}
    (event,) = cases.run.api.call("GET", "assets/events", params=params)["asset_events"]
    assert event["extra"]["amis"] == {ami["region"]: ami["image"] for ami in verified["amis"]}
