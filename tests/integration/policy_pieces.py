"""The pieces of the package that call AWS, each with the policies that docs/security.md gives for it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from airflow.sdk import DAG

from airflow_imagebuilder import (
    ImageBuilderCreateImageOperator,
    ImageBuilderImageEventTrigger,
    ImageBuilderImageSensor,
    ImageBuilderImageTrigger,
    ImageBuilderNeedsBuildOperator,
    ImageBuilderScanGateOperator,
    ImageBuilderStartPipelineOperator,
    ImageBuilderTaskGroup,
    ImageBuilderVerifyOutputsOperator,
    TestGroup,
    Workflow,
)
from airflow_imagebuilder.testing import run_dag
from tests.support.arns import PREFIX
from tests.support.supervisor import TI

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_imagebuilder.testing import ImageBuilder

RECIPE = f"{PREFIX}:image-recipe/golden-al2023/1.0.0"
CONTAINER = f"{PREFIX}:container-recipe/golden-container/1.0.0"
INFRASTRUCTURE = f"{PREFIX}:infrastructure-configuration/golden-build"
TWO_REGIONS = f"{PREFIX}:distribution-configuration/golden-two-regions"
PIPELINE = f"{PREFIX}:image-pipeline/golden-web"
AMAZONS = Workflow("arn:aws:imagebuilder:us-east-1:aws:workflow/build/build-image/x.x.x")
TESTS = [
    TestGroup("all", tuple(Workflow(f"{PREFIX}:workflow/test/{name}/1.0.0/1") for name in ("boot", "users")))
]
SCANNED = {"imageScanningEnabled": True}
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
BASE: dict[str, Any] = {"infrastructure_configuration_arn": INFRASTRUCTURE}
AMI: dict[str, Any] = {"image_recipe_arn": RECIPE, **BASE}


@dataclass(frozen=True)
class Piece:
    """
    A piece of the package.

    :param policies: files of ``docs/security``, without their ends.
    :param run: runs it; this happens under the policies.
    :param prepare: makes what was there before.
    :param new_account: whether Image Builder's service-linked role does not exist yet.
    """

    policies: tuple[str, ...]
    run: Callable[[ImageBuilder], None]
    prepare: Callable[[ImageBuilder], object] = lambda _: None
    new_account: bool = False


def a_dag(kind: Callable[..., Any], /, *, expect: str = "success", **arguments: Any) -> Any:
    """Return what runs a Dag of one operator or one task group."""
    name = {} if kind is ImageBuilderTaskGroup else {"task_id": "piece"}
    group = ("piece",) if kind is ImageBuilderTaskGroup else ()

    def run(_: ImageBuilder) -> None:
        with DAG("under_policies", schedule=None) as dag:
            kind(*group, **name, **arguments)
        run_dag(dag, expect=expect)

    return run


def build(service: ImageBuilder, name: str = "golden-al2023", **members: Any) -> str:
    """Build an image by hand, and wait for it."""
    client = service.client("imagebuilder")
    source = (
        {} if "containerRecipeArn" in members else {"imageRecipeArn": f"{PREFIX}:image-recipe/{name}/1.0.0"}
    )
    made = client.create_image(infrastructureConfigurationArn=INFRASTRUCTURE, **source, **members)
    service.advance(6 * 3600)
    arn: str = made["imageBuildVersionArn"]
    assert client.get_image(imageBuildVersionArn=arn)["image"]["state"]["status"] == "AVAILABLE"
    return arn


def build_scanned(service: ImageBuilder) -> None:
    service.findings(high=1)
    build(service, imageScanningConfiguration=SCANNED)


def slow(service: ImageBuilder) -> None:
    """Let tests take hours, so that a deadline comes first."""
    service.durations(test=500 * 3600.0)


def slow_copies(service: ImageBuilder) -> None:
    """Let the distribution take hours; the AMI of the build is an output by then."""
    service.durations(build=60.0, test=60.0, distribution=500 * 3600.0)


def one_failure(service: ImageBuilder) -> None:
    service.fail(workflow="boot", times=1)


def parents(service: ImageBuilder) -> None:
    """Make recipes whose parents are a parameter, an AMI and a private container image; build from each."""
    client, ssm, ecr = (service.client(name) for name in ("imagebuilder", "ssm", "ecr"))
    ami = service.client("ec2").describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    ssm.put_parameter(Name="/golden/parent", Type="String", Value=ami)
    for name, parent in (("by-parameter", "ssm:/golden/parent"), ("by-ami", ami)):
        client.create_image_recipe(
            name=name,
            semanticVersion="1.0.0",
            parentImage=parent,
            components=[{"componentArn": f"{PREFIX}:component/golden-base/1.0.x"}],
        )
        build(service, name)
    ecr.create_repository(repositoryName="parent")
    manifest = {"schemaVersion": 2, "config": {}, "layers": []}
    ecr.put_image(
        repositoryName="parent",
        imageManifest=json.dumps(manifest),
        imageTag="1",
        imageManifestMediaType=MANIFEST,
    )
    recipe = client.get_container_recipe(containerRecipeArn=CONTAINER)["containerRecipe"]
    kept = ("containerType", "dockerfileTemplateData", "components", "targetRepository")
    client.create_container_recipe(
        name="by-container",
        semanticVersion="1.0.0",
        parentImage="123456789012.dkr.ecr.us-east-1.amazonaws.com/parent:1",
        **{key: recipe[key] for key in kept},
    )
    build(service, containerRecipeArn=f"{PREFIX}:container-recipe/by-container/1.0.0")
    pipeline = client.create_image_pipeline(
        name="open",
        imageRecipeArn=RECIPE,
        infrastructureConfigurationArn=INFRASTRUCTURE,
        distributionConfigurationArn=TWO_REGIONS,
        executionRole="ImageBuilderExecution",
        workflows=[{"workflowArn": AMAZONS.arn}, {"workflowArn": f"{PREFIX}:workflow/test/boot/x.x.x"}],
    )["imagePipelineArn"]
    run_pipeline(service, pipeline)


def run_pipeline(service: ImageBuilder, arn: str = PIPELINE) -> None:
    service.client("imagebuilder").start_image_pipeline_execution(imagePipelineArn=arn)
    service.advance(12 * 3600)


def distributed(service: ImageBuilder) -> None:
    """Build an AMI with everything that a configuration can ask for, and a container image."""
    kms = service.client("kms", "eu-west-1")
    kms.create_alias(AliasName="alias/golden", TargetKeyId=kms.create_key()["KeyMetadata"]["KeyId"])
    template = service.client("ec2").create_launch_template(
        LaunchTemplateName="web", LaunchTemplateData={"InstanceType": "t3.micro"}
    )["LaunchTemplate"]["LaunchTemplateId"]
    here = {
        "region": "us-east-1",
        "amiDistributionConfiguration": {"launchPermission": {"userIds": ["210987654321"]}},
        "ssmParameterConfigurations": [{"parameterName": "/imagebuilder/web", "dataType": "aws:ec2:image"}],
        "launchTemplateConfigurations": [{"launchTemplateId": template, "setDefaultVersion": True}],
    }
    copy = {"region": "eu-west-1", "amiDistributionConfiguration": {"kmsKeyId": "alias/golden"}}
    made = service.client("imagebuilder").create_distribution_configuration(
        name="everything", distributions=[here, copy]
    )
    build(service, distributionConfigurationArn=made["distributionConfigurationArn"])
    build(service, containerRecipeArn=CONTAINER)


def each_image(kind: Callable[..., Any], **arguments: Any) -> Any:
    """Return what runs an operator for each image that is there."""

    def run(service: ImageBuilder) -> None:
        for image in service.images():
            a_dag(kind, image_build_version_arn=image["arn"], **arguments)(service)

    return run


def ask_needs(_: ImageBuilder) -> None:
    targets: list[dict[str, Any]] = [
        {"image_recipe_arn": RECIPE},
        {"image_recipe_arn": f"{PREFIX}:image-recipe/by-parameter/1.0.0"},
        {"image_recipe_arn": f"{PREFIX}:image-recipe/by-ami/1.0.0"},
        {"container_recipe_arn": f"{PREFIX}:container-recipe/by-container/1.0.0"},
        {
            "pipeline_arn": f"{PREFIX}:image-pipeline/open",
            "checks": ("workflows", "infrastructure", "distribution"),
        },
    ]
    for target in targets:
        a_dag(ImageBuilderNeedsBuildOperator, **target)(_)


def many_builds(service: ImageBuilder) -> None:
    """Begin builds of one version, which end after some polls."""
    service.durations(build=6 * 3600.0, test=60.0)
    for _ in range(6):
        service.client("imagebuilder").create_image(
            imageRecipeArn=RECIPE, infrastructureConfigurationArn=INFRASTRUCTURE
        )


def many_waits(service: ImageBuilder) -> None:
    """Wait for all images at once, as a triggerer does."""

    async def end_of(arn: str) -> Any:
        trigger = ImageBuilderImageTrigger(image_build_version_arn=arn)
        trigger.task_instance = TI  # type: ignore[assignment]
        return [event async for event in trigger.run()]

    async def ends() -> Any:
        return await asyncio.gather(*(end_of(image["arn"]) for image in service.images()))

    assert len(asyncio.run(asyncio.wait_for(ends(), 60))) == len(service.images())


def watch_assets(service: ImageBuilder) -> None:
    """Run an asset watcher until it has an event, and let it delete the message."""
    url = f"{service.url}/123456789012/golden-images"
    trigger = ImageBuilderImageEventTrigger(queue_url=url, image_name="golden-al2023")

    async def first() -> Any:
        return await trigger.run().__anext__()

    assert asyncio.run(asyncio.wait_for(first(), 60))


def announced(service: ImageBuilder, queue: str) -> None:
    """Make a queue and a rule that announces images there."""
    sqs, events = service.client("sqs"), service.client("events")
    url = sqs.create_queue(QueueName=queue)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name=queue, EventPattern='{"source": ["aws.imagebuilder"]}')
    events.put_targets(Rule=queue, Targets=[{"Id": "queue", "Arn": arn}])


def announced_and_built(service: ImageBuilder) -> None:
    announced(service, "golden-images")
    service.client("sqs").send_message(
        QueueUrl=f"{service.url}/123456789012/golden-images", MessageBody="not an event"
    )
    build(service)


def builds_and_a_queue(service: ImageBuilder) -> None:
    announced(service, "imagebuilder-1")
    many_builds(service)


def wait_with_a_queue(service: ImageBuilder) -> None:
    url = f"{service.url}/123456789012/imagebuilder-1"
    with patch.dict("os.environ", {"AIRFLOW__IMAGEBUILDER__QUEUE_URL": url}):
        many_waits(service)


CREATE, GROUP = ImageBuilderCreateImageOperator, ImageBuilderTaskGroup
DEADLINE: dict[str, Any] = {"timeout": timedelta(seconds=4), "expect": "failed"}
WAIT, BUILD, PIPE = "caller/wait", "caller/build", "caller/pipeline"
CANCEL, OUTPUTS = "caller/cancel", "caller/delete-outputs"
WITH_WORKFLOWS: dict[str, Any] = {
    "build_workflow": AMAZONS,
    "test_groups": TESTS,
    "execution_role": "ImageBuilderExecution",
}

PIECES = {
    "build": Piece((WAIT, BUILD), a_dag(CREATE, distribution_configuration_arn=TWO_REGIONS, **AMI)),
    "build on a worker": Piece((WAIT, BUILD), a_dag(CREATE, deferrable=False, **AMI)),
    "build of a container": Piece((WAIT, BUILD), a_dag(CREATE, container_recipe_arn=CONTAINER, **BASE)),
    "first build of an account": Piece(
        (WAIT, BUILD, "caller/first-build"), a_dag(CREATE, **AMI), new_account=True
    ),
    "tags": Piece((WAIT, BUILD, "caller/tags"), a_dag(CREATE, tags={"team": "web"}, **AMI)),
    "scan of an AMI": Piece(
        (WAIT, BUILD, "caller/scanning"), a_dag(CREATE, image_scanning_configuration=SCANNED, **AMI)
    ),
    "scan of a container": Piece(
        (WAIT, BUILD, "caller/scanning"),
        a_dag(
            CREATE,
            container_recipe_arn=CONTAINER,
            image_scanning_configuration={
                **SCANNED,
                "ecrConfiguration": {"repositoryName": "golden-container"},
            },
            **BASE,
        ),
    ),
    "many waits at once": Piece((WAIT,), many_waits, many_builds),
    "task group": Piece((WAIT, BUILD, "caller/workflows"), a_dag(GROUP, **WITH_WORKFLOWS, **AMI)),
    "repair": Piece(
        (WAIT, BUILD, "caller/workflows", "caller/repair"),
        a_dag(GROUP, default_args={"retries": 1}, **WITH_WORKFLOWS, **AMI),
        one_failure,
    ),
    "cancel": Piece((WAIT, BUILD, CANCEL), a_dag(CREATE, **DEADLINE, **AMI), slow),
    "cancel on a worker": Piece(
        (WAIT, BUILD, CANCEL), a_dag(CREATE, deferrable=False, **DEADLINE, **AMI), slow
    ),
    "delete outputs": Piece(
        (WAIT, BUILD, CANCEL, OUTPUTS),
        a_dag(
            CREATE,
            delete_outputs_on_kill=True,
            distribution_configuration_arn=TWO_REGIONS,
            **DEADLINE,
            **AMI,
        ),
        slow_copies,
    ),
    "pipeline": Piece((WAIT, PIPE), a_dag(ImageBuilderStartPipelineOperator, pipeline_arn=PIPELINE)),
    "pipeline with tags": Piece(
        (WAIT, PIPE, "caller/tags"),
        a_dag(ImageBuilderStartPipelineOperator, pipeline_arn=PIPELINE, tags={"team": "web"}),
    ),
    "image sensor by pipeline": Piece(
        (WAIT, "caller/image-sensor"),
        a_dag(ImageBuilderImageSensor, pipeline_arn=PIPELINE),
        run_pipeline,
    ),
    "image sensor of a pipeline without images": Piece(
        (WAIT, "caller/image-sensor"),
        a_dag(ImageBuilderImageSensor, pipeline_arn=PIPELINE, **DEADLINE),
    ),
    "image sensor by name": Piece(
        (WAIT, "caller/image-sensor"),
        a_dag(ImageBuilderImageSensor, image_name="golden-al2023"),
        build,
    ),
    "needs build": Piece(
        ("caller/needs-build",),
        ask_needs,
        parents,
    ),
    "needs build because of findings": Piece(
        ("caller/needs-build", "caller/scan-gate"),
        a_dag(ImageBuilderNeedsBuildOperator, image_recipe_arn=RECIPE, max_findings={"HIGH": 0}),
        build_scanned,
    ),
    "scan gate": Piece(
        (WAIT, "caller/scan-gate"),
        each_image(ImageBuilderScanGateOperator, max_findings={"HIGH": 5}),
        build_scanned,
    ),
    "verify outputs": Piece(
        ("caller/verify-outputs",), each_image(ImageBuilderVerifyOutputsOperator), distributed
    ),
    "asset watcher": Piece(("caller/asset-watcher",), watch_assets, announced_and_built),
    "queue": Piece((WAIT, "queue"), wait_with_a_queue, builds_and_a_queue),
}
