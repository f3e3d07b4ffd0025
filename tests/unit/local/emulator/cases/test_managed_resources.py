"""What Amazon manages is there, so that public templates can be created as they are.

Sources: names and versions in aws-samples/amazon-ec2-image-builder-samples and other public templates and
issues; names of images in the AWS CDK; ListImages in the API reference; steps in the examples of the AWS CLI.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from airflow_imagebuilder.local.emulator.engine import ApiError

if TYPE_CHECKING:
    from tests.support.bench import Bench

AWS = "arn:aws:imagebuilder:us-east-1:aws"
COMPONENTS = (
    *("amazon-cloudwatch-agent-linux/1.0.1/1", "amazon-cloudwatch-agent-windows/1.0.1/1"),
    *(
        "amazon-cloudwatch-agent-linux/1.0.0",
        "aws-cli-version-2-linux/1.0.4/1",
        "aws-cli-version-2-linux/1.0.3/1",
    ),
    *("aws-cli-version-2-windows/1.0.0/1", "amazon-corretto-11/1.0.0/1", "amazon-corretto-17-jre/1.0.0/1"),
    *("apache-tomcat-9-linux/x.x.x", "aws-codedeploy-agent-linux/x.x.x", "docker-ce-linux/1.0.0/1"),
    *("docker-ce-ubuntu/x.x.x", "dotnet-core-runtime-windows/3.1.0/1", "dotnet-runtime-linux/5.x.x"),
    *("dotnet-sdk-linux/6.x.x", "hello-world-linux/x.x.x", "hello-world-windows/x.x.x"),
    *("inspector-test-linux/x.x.x", "inspector-test-windows/x.x.x", "powershell-windows/x.x.x"),
    *("python-3-linux/1.0.2/1", "python-3-windows/x.x.x", "reboot-linux/1.0.1/1", "reboot-windows/x.x.x"),
    *("reboot-test-linux/1.0.0/1", "reboot-test-windows/x.x.x", "san-sift-linux/1.0.0"),
    *("scap-compliance-checker-linux/x.x.x", "simple-boot-test-linux/1.0.0/1", "stig-build-linux/x.x.x"),
    *("stig-build-linux-high/2.6.0/1", "stig-build-linux-high/2022.4.0", "stig-build-linux-medium/x.x.x"),
    *("stig-build-windows/x.x.x", "update-linux/1.0.2", "update-linux/1.0.2/1", "update-linux/x.x.x"),
    *("update-windows/x.x.x", "windows-activation-test/x.x.x"),
)
#: Platform and operating system of images by name.
IMAGES = {
    "amazon-linux-2-x86": ("Linux", "Amazon Linux 2"),
    "amazon-linux-2-arm64": ("Linux", "Amazon Linux 2"),
    "amazon-linux-2023-x86": ("Linux", "Amazon Linux 2023"),
    "amazon-linux-2023-arm64": ("Linux", "Amazon Linux 2023"),
    "ubuntu-server-18-lts-x86": ("Linux", "Ubuntu 18"),
    "ubuntu-server-20-lts-x86": ("Linux", "Ubuntu 20"),
    "ubuntu-server-22-lts-x86": ("Linux", "Ubuntu 22"),
    "ubuntu-server-22-lts-arm64": ("Linux", "Ubuntu 22"),
    "ubuntu-server-24-lts-x86": ("Linux", "Ubuntu 24"),
    "ubuntu-server-24-lts-arm64": ("Linux", "Ubuntu 24"),
    "red-hat-enterprise-linux-9-x86": ("Linux", "Red Hat Enterprise Linux 9"),
    "red-hat-enterprise-linux-10-x86": ("Linux", "Red Hat Enterprise Linux 10"),
    "red-hat-enterprise-linux-10-arm64": ("Linux", "Red Hat Enterprise Linux 10"),
    "suse-linux-enterprise-server-15-x86": ("Linux", "SUSE 15"),
    "suse-linux-enterprise-server-15-arm64": ("Linux", "SUSE 15"),
    **{
        f"windows-server-{year}-english-{edition}-base-x86": ("Windows", f"Microsoft Windows Server {year}")
        for year in ("2016", "2019", "2022", "2025")
        for edition in ("full", "core")
    },
    "macos-sonoma-x86": ("macOS", "macOS 14"),
    "macos-sequoia-arm64": ("macOS", "macOS 15"),
    "amazon-linux-x86-2": ("Linux", "Amazon Linux 2"),
    "amazon-linux-x86-latest": ("Linux", "Amazon Linux 2"),
    "amazon-linux-2023-x86-2023": ("Linux", "Amazon Linux 2023"),
    "amazon-linux-2023-x86-latest": ("Linux", "Amazon Linux 2023"),
    "ubuntu-18-x86-18-04": ("Linux", "Ubuntu 18"),
    "ubuntu-22-x86-22-04": ("Linux", "Ubuntu 22"),
    "ubuntu-24-x86-24-04": ("Linux", "Ubuntu 24"),
    "windows-server-2016-x86-core-ltsc2016-amd64": ("Windows", "Microsoft Windows Server 2016"),
    "windows-server-2019-x86-core-ltsc2019-amd64": ("Windows", "Microsoft Windows Server 2019"),
}
#: The steps of the workflows, with the actions that are seldom skipped.
BUILD_IMAGE = {
    "LaunchBuildInstance": "LaunchInstance",
    "ApplyBuildComponents": "ExecuteComponents",
    "InventoryCollection": "CollectImageMetadata",
    "RunSanitizeScript": "SanitizeInstance",
    "RunSysPrepScript": "RunSysPrep",
    "CreateOutputAMI": "CreateImage",
    "TerminateBuildInstance": "TerminateInstance",
}
TEST_IMAGE = {
    "LaunchTestInstance": "LaunchInstance",
    "CollectImageScanFindings": "CollectImageScanFindings",
    "ApplyTestComponents": "ExecuteComponents",
    "TerminateTestInstance": "TerminateInstance",
}
WORKFLOWS: dict[str, dict[str, str]] = {
    "build/build-image": BUILD_IMAGE,
    "test/test-image": TEST_IMAGE,
    "build/build-container": {
        "LaunchBuildInstance": "LaunchInstance",
        "BootstrapBuildInstance": "BootstrapInstanceForContainer",
        "ApplyBuildComponents": "ExecuteComponents",
    },
    "distribution/distribute-image": {
        name: name for name in ("DistributeImage", "ModifyImageAttributes", "ApplyImageConfigurations")
    },
    "build/express-build-image": {k: v for k, v in BUILD_IMAGE.items() if v != "CollectImageMetadata"},
    "test/express-test-image": {k: v for k, v in TEST_IMAGE.items() if v != "CollectImageScanFindings"},
    "build/build-image-with-update-ssm-agent": {
        "LaunchBuildInstance": "LaunchInstance",
        "UpdateSSMAgent": "RunCommand",
        **{k: v for k, v in BUILD_IMAGE.items() if v != "LaunchInstance"},
    },
}


def recipe(bench: Bench, name: str, **more: Any) -> str:
    params = {"semanticVersion": "1.0.0", "parentImage": "ami-0123456789abcdef0", **more}
    return str(bench.call("CreateImageRecipe", name=name, **params)["imageRecipeArn"])


def get_image(bench: Bench, arn: str) -> dict[str, Any]:
    return dict(bench.call("GetImage", imageBuildVersionArn=arn)["image"])


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_recipe_can_name_a_component_that_public_templates_name(bench: Bench, component: str) -> None:
    arn = f"{AWS}:component/{component}"
    assert recipe(bench, "own", components=[{"componentArn": arn}])
    # Not through the bench: the pattern of a parameter's type in the model does not fit AWS's own examples.
    found = bench.engine.call("GetComponent", {"componentBuildVersionArn": arn}, region="us-east-1")[
        "component"
    ]
    assert found["owner"] == "Amazon"
    assert found["type"] == ("TEST" if "-test" in component else "BUILD")
    assert found["platform"] == ("Windows" if "windows" in component else "Linux")


@pytest.mark.parametrize("component", ["update-linus/x.x.x", "update-linux/7.x.x", "update-linux/1.0.2/2"])
def test_a_component_that_amazon_does_not_have_is_refused(bench: Bench, component: str) -> None:
    with pytest.raises(ApiError, match="does not exist"):
        recipe(bench, "own", components=[{"componentArn": f"{AWS}:component/{component}"}])


def test_the_components_of_amazon_are_listed(bench: Bench) -> None:
    names: set[str] = set()
    token: dict[str, str] = {}
    while True:
        page = bench.call("ListComponents", owner="Amazon", **token)
        names |= {item["name"] for item in page["componentVersionList"]}
        if "nextToken" not in page:
            break
        token = {"nextToken": page["nextToken"]}
    assert {component.split("/")[0] for component in COMPONENTS} <= names


def test_stig_takes_its_level_as_a_parameter(bench: Bench) -> None:
    given = {"componentArn": f"{AWS}:component/stig-build-linux/x.x.x"}
    assert recipe(bench, "own", components=[{**given, "parameters": [{"name": "Level", "value": ["Low"]}]}])
    with pytest.raises(ApiError, match="not defined in the provided component: S3BucketName"):
        recipe(bench, "two", components=[{**given, "parameters": [{"name": "S3BucketName", "value": ["b"]}]}])


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_of_amazon_has_its_platform_and_its_system(bench: Bench, name: str) -> None:
    arn = f"{AWS}:image/{name}/x.x.x"
    image = get_image(bench, arn)
    assert (image["platform"], image["osVersion"]) == IMAGES[name]
    assert image["imageSource"] == "AMAZON_MANAGED"
    assert image["arn"].startswith(f"{AWS}:image/{name}/2")
    if image["type"] == "AMI":
        built = get_image(bench, bench.bake(imageRecipeArn=recipe(bench, "own", parentImage=arn)))
        assert (built["platform"], built["osVersion"]) == IMAGES[name]


@pytest.mark.parametrize(
    "version",
    ["2021.3.4/1", "2022.6.14/1", "2022.6.14", "2022.x.x", "2024.6.11", "2025.12.12/1", "x.x.x"],
)
def test_an_image_can_be_pinned_to_a_day(bench: Bench, version: str) -> None:
    found = get_image(bench, f"{AWS}:image/amazon-linux-2-x86/{version}")["arn"]
    day = version.split("/", maxsplit=1)[0]
    assert "x" in day or found == f"{AWS}:image/amazon-linux-2-x86/{day}/1"
    assert recipe(bench, "pinned", parentImage=f"{AWS}:image/amazon-linux-2-x86/{version}")


@pytest.mark.parametrize(
    "name",
    [
        *("amazon-linux-2-x86/2022.13.1", "amazon-linux-2-x86/2022.6.31", "amazon-linux-2-x86/1.0.0"),
        *("amazon-linux-2-x86/2031.1.1", "amazon-linux-2-x86/2022.6.14/2", "amazon-linux-3-x86/x.x.x"),
    ],
)
def test_an_image_that_amazon_does_not_have_is_refused(bench: Bench, name: str) -> None:
    with pytest.raises(ApiError, match="does not exist"):
        get_image(bench, f"{AWS}:image/{name}")
    with pytest.raises(ApiError, match="does not exist"):
        recipe(bench, "own", parentImage=f"{AWS}:image/{name}")


def test_the_images_of_amazon_are_listed_and_can_be_filtered(bench: Bench) -> None:
    filters = [{"name": "platform", "values": ["Windows"]}]
    page = bench.call("ListImages", owner="Amazon", filters=filters, byName=True)["imageVersionList"]
    assert {item["owner"] for item in page} == {"Amazon"}
    assert "Microsoft Windows Server 2022" in {item["osVersion"] for item in page}
    assert bench.call("ListImages")["imageVersionList"] == []


@pytest.mark.parametrize(
    ("components", "system"),
    [("update-windows", "Windows"), ("update-linux", "Linux"), ("python-3-windows", "Windows")],
)
def test_an_ami_has_the_platform_of_its_components(bench: Bench, components: str, system: str) -> None:
    given = [{"componentArn": f"{AWS}:component/{components}/x.x.x"}]
    arn = bench.bake(
        imageRecipeArn=recipe(bench, "own", components=given), workflows=None, executionRole=None
    )
    bench.finish(arn)
    assert get_image(bench, arn)["platform"] == system
    ran = {step["name"]: step["status"] for step in bench.steps(arn, "build-image")}
    assert ran["RunSysPrepScript"] == ("COMPLETED" if system == "Windows" else "SKIPPED")


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_of_amazon_has_its_document(bench: Bench, name: str) -> None:
    answer = bench.call("GetWorkflow", workflowBuildVersionArn=f"{AWS}:workflow/{name}/x.x.x")
    steps = yaml.safe_load(answer["workflow"]["data"])["steps"]
    assert {step["name"]: step["action"] for step in steps} == WORKFLOWS[name]
    assert list(WORKFLOWS[name]) == [step["name"] for step in steps]
    assert answer["workflow"]["owner"] == "Amazon"
    # Of these only the latest version can be named.
    assert answer["latestVersionReferences"] == {"latestVersionArn": f"{AWS}:workflow/{name}/x.x.x"}


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_document_of_amazon_can_begin_a_workflow_of_ones_own(bench: Bench, name: str) -> None:
    kind, title = name.split("/")
    data = bench.call("GetWorkflow", workflowBuildVersionArn=f"{AWS}:workflow/{name}/x.x.x")["workflow"][
        "data"
    ]
    made = bench.call("CreateWorkflow", name=title, semanticVersion="1.0.0", type=kind.upper(), data=data)
    assert made["workflowBuildVersionArn"].endswith(f":123456789012:workflow/{name}/1.0.0/1")
    assert len(made["latestVersionReferences"]) == 4


@pytest.mark.parametrize("version", ["1.0.3", "1.0.3/1", "1.x.x"])
def test_a_workflow_of_amazon_is_named_by_its_latest_version_alone(bench: Bench, version: str) -> None:
    with pytest.raises(ApiError) as refusal:
        bench.bake(workflows=[{"workflowArn": f"{AWS}:workflow/build/build-image/{version}"}])
    assert refusal.value.code == "InvalidParameterValueException"
    assert "AWS managed workflows must have latest version 'x.x.x'" in refusal.value.message


def test_the_steps_of_a_linux_image_show_what_the_examples_of_aws_show(bench: Bench) -> None:
    bare = recipe(bench, "bare", parentImage=f"{AWS}:image/amazon-linux-2023-x86/x.x.x")
    arn = bench.bake(imageRecipeArn=bare, workflows=None, executionRole=None)
    bench.finish(arn)
    steps = {step["name"]: step for step in bench.steps(arn, "build-image")}
    skipped = steps["ApplyBuildComponents"]
    assert (skipped["status"], skipped["startTime"]) == ("SKIPPED", skipped["endTime"])
    assert json.loads(skipped["inputs"]) == {"instanceId.$": "$.stepOutputs.LaunchBuildInstance.instanceId"}
    assert "outputs" not in skipped
    assert json.loads(steps["LaunchBuildInstance"]["inputs"]) == {"waitFor": "ssmAgent"}
    instance = json.loads(steps["LaunchBuildInstance"]["outputs"])["instanceId"]
    assert json.loads(steps["InventoryCollection"]["inputs"]) == {"instanceId": instance}
    assert set(json.loads(steps["InventoryCollection"]["outputs"])) == {"osVersion", "associationId"}
    assert set(json.loads(steps["RunSanitizeScript"]["outputs"])) == {"status", "output", "runCommandId"}
    counts = [
        (run["totalStepCount"], run["totalStepsSucceeded"], run["totalStepsSkipped"])
        for run in bench.executions(arn)
    ]
    assert counts == [(7, 5, 2), (4, 2, 2)]
