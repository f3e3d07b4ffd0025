"""Scenes: an account in which everything has happened that an answer can show."""

from __future__ import annotations

from itertools import count
from typing import Any

from airflow_imagebuilder.local.emulator.engine import Behaviour, Engine, Failure
from airflow_imagebuilder.local.emulator.http.codec import _known
from airflow_imagebuilder.local.emulator.seed import seed
from tests.support.aws_model import is_older, model
from tests.support.bench import CODEC, HEAD, image_request
from tests.unit.local.emulator.walk import outputs, whole

DAY = 86_400.0
#: The operations that read, and what each needs from what the account holds.
LISTS_OF_RESOURCES = {
    "Component": "componentBuildVersionArn",
    "Workflow": "workflowBuildVersionArn",
    "ImageRecipe": "imageRecipeArn",
    "ContainerRecipe": "containerRecipeArn",
    "InfrastructureConfiguration": "infrastructureConfigurationArn",
    "DistributionConfiguration": "distributionConfigurationArn",
    "ImagePipeline": "imagePipelineArn",
}
SEGMENTS = {
    "Component": "component",
    "Workflow": "workflow",
    "ImageRecipe": "image-recipe",
    "ContainerRecipe": "container-recipe",
    "InfrastructureConfiguration": "infrastructure-configuration",
    "DistributionConfiguration": "distribution-configuration",
    "ImagePipeline": "image-pipeline",
}


class Witness:
    """An engine that notes every member of every answer.

    :ivar requests: operation and parameters of every call.
    :ivar seen: the members, as paths of :mod:`.outputs`.
    """

    def __init__(self) -> None:
        self.behaviour = Behaviour(findings={"high": 1, "medium": 30})
        self.engine = Engine(seed=1, behaviour=self.behaviour)
        seed(self.engine)
        self.model = outputs.newest()
        self.seen: set[str] = set()
        self.called: set[str] = set()
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self._tokens = count(1)

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        """Call an operation, and note what it answers."""
        self.called.add(operation)
        if operation not in CODEC.operations or "clientToken" in CODEC.members(operation):
            params = {"clientToken": f"token-{next(self._tokens)}", **params}
        if operation in CODEC.operations and not is_older():
            shape = model().operation_model(operation).input_shape
            CODEC.validate(operation, _known(params, shape))
        self.requests.append((operation, params))
        answer = self.engine.call(operation, params)
        if "requestId" in self.model["shapes"][self.model["operations"][operation]]:
            # The codec adds it to every answer that has it.
            answer["requestId"] = "request"
        self.seen |= outputs.seen(self.model, operation, answer)
        return answer

    def create(self, operation: str, **params: Any) -> str:
        """Create something; return its ARN."""
        answer = self.call(operation, **params)
        return next(str(value) for key, value in answer.items() if key.endswith("Arn"))

    def pass_time(self, seconds: float) -> None:
        """Let virtual time pass."""
        self.engine.clock.advance(seconds)
        self.engine.run_due()

    def pages(self, operation: str, **params: Any) -> None:
        """Call a list operation, with a page of one if it has pages."""
        members = CODEC.members(operation)
        self.call(operation, **params)
        if "maxResults" in members:
            self.call(operation, **params, maxResults=1)

    def read(self) -> None:
        """Call everything that reads."""
        state = self.engine.state
        for noun, member in LISTS_OF_RESOURCES.items():
            for owner in ("Self", "Amazon"):
                more = {"owner": owner} if "owner" in CODEC.members(f"List{noun}s") else {}
                self.pages(f"List{noun}s", **more)
            for arn in [arn for arn in state.resources if f":{SEGMENTS[noun]}/" in arn]:
                self.call(f"Get{noun}", **{member: arn})
                if noun in ("Component", "Workflow"):
                    version = {f"{noun.lower()}VersionArn": arn.rpartition("/")[0]}
                    self.pages(f"List{noun}BuildVersions", **version)
            if noun in ("Component", "Workflow"):
                self.pages(f"List{noun}BuildVersions")
        self._read_images()
        self._read_policies()
        for name in ("imageBuildVersionArn", "imagePipelineArn", "vulnerabilityId"):
            values = self._values(name)[:10]
            if values:
                filtered = {"name": name, "values": values}
                self.call("ListImageScanFindingAggregations", filter=filtered)
                if name == "imagePipelineArn":
                    for value in values:
                        self.call("ListImageScanFindings", filters=[{"name": name, "values": [value]}])
        self.call("ListImageScanFindingAggregations")
        self.pages("ListImageScanFindings")
        self.pages("ListWaitingWorkflowSteps")

    def _values(self, name: str) -> list[str]:
        if name == "imageBuildVersionArn":
            return list(self.engine.state.images)
        if name == "imagePipelineArn":
            return [arn for arn in self.engine.state.resources if ":image-pipeline/" in arn]
        findings = self.engine.call("ListImageScanFindings")["findings"]
        return [finding["packageVulnerabilityDetails"]["vulnerabilityId"] for finding in findings]

    def _read_images(self) -> None:
        for owner in ("Self", "Amazon"):
            self.pages("ListImages", owner=owner)
        self.pages("ListImageBuildVersions")
        for arn in list(self.engine.state.images):
            self.call("GetImage", imageBuildVersionArn=arn)
            self.pages("ListImagePackages", imageBuildVersionArn=arn)
            self.pages("ListWorkflowExecutions", imageBuildVersionArn=arn)
        managed = f"{HEAD.replace('123456789012', 'aws')}image/amazon-linux-2023-x86/x.x.x"
        self.call("GetImage", imageBuildVersionArn=managed)
        for execution in list(self.engine.state.executions.values()):
            if execution.image_arn in self.engine.state.images:
                self.call("GetWorkflowExecution", workflowExecutionId=execution.id)
                self.pages("ListWorkflowStepExecutions", workflowExecutionId=execution.id)
        for identifier, (execution, _) in list(self.engine.state.steps.items()):
            if execution.image_arn in self.engine.state.images:
                self.call("GetWorkflowStepExecution", stepExecutionId=identifier)
        for arn in [arn for arn in self.engine.state.resources if ":image-pipeline/" in arn]:
            self.pages("ListImagePipelineImages", imagePipelineArn=arn)

    def _read_policies(self) -> None:
        self.pages("ListLifecyclePolicies")
        state = self.engine.state
        for arn in [arn for arn in state.resources if ":lifecycle-policy/" in arn]:
            self.call("GetLifecyclePolicy", lifecyclePolicyArn=arn)
            self.pages("ListLifecycleExecutions", resourceArn=arn)
        for arn in list(state.images):
            self.pages("ListLifecycleExecutions", resourceArn=arn)
        for identifier, execution in list(state.lifecycle_executions.items()):
            self.call("GetLifecycleExecution", lifecycleExecutionId=identifier)
            self.pages("ListLifecycleExecutionResources", lifecycleExecutionId=identifier)
            for row in list(execution.resources):
                self.call(
                    "ListLifecycleExecutionResources",
                    lifecycleExecutionId=identifier,
                    parentResourceId=row["resourceId"],
                )


def play() -> Witness:
    """Play every scene, and read everything again and again in between."""
    witness = Witness()
    stage = _resources(witness)
    _bakes(witness, stage)
    _pipelines(witness, stage)
    _imports(witness, stage)
    _lifecycle(witness, stage)
    _end(witness, stage)
    return witness


def _resources(witness: Witness) -> dict[str, str]:
    component = witness.create("CreateComponent", **whole.component("whole"))
    stage = {
        "component": component,
        "recipe": witness.create("CreateImageRecipe", **whole.image_recipe(component)),
        "container": witness.create("CreateContainerRecipe", **whole.container_recipe(component)),
        "infrastructure": witness.create(
            "CreateInfrastructureConfiguration", name="whole", tags=whole.TAGS, **whole.INFRASTRUCTURE
        ),
    }
    stage["hosts"] = witness.create("CreateInfrastructureConfiguration", name="hosts", **whole.HOST_GROUP)
    witness.call("GetInfrastructureConfiguration", infrastructureConfigurationArn=stage["hosts"])
    for name, item in (("amis", whole.AMIS), ("containers", whole.CONTAINERS)):
        stage[name] = witness.create(
            "CreateDistributionConfiguration",
            name=name,
            description="Everything",
            tags=whole.TAGS,
            distributions=[item, {**whole.AMIS, "region": "eu-west-1"}] if name == "amis" else [item],
        )
        witness.call(
            "UpdateDistributionConfiguration",
            distributionConfigurationArn=stage[name],
            description="Everything",
            distributions=[item],
        )
    witness.call(
        "UpdateInfrastructureConfiguration",
        infrastructureConfigurationArn=stage["infrastructure"],
        **whole.INFRASTRUCTURE,
    )
    for kind, data in (
        ("BUILD", whole.BUILD),
        ("TEST", whole.TEST),
        ("DISTRIBUTION", whole.DISTRIBUTION),
    ):
        stage[kind] = witness.create("CreateWorkflow", **whole.workflow(kind, data))
    for noun, member, arn in (
        ("Component", "componentArn", component),
        ("ImageRecipe", "imageRecipeArn", stage["recipe"]),
        ("ContainerRecipe", "containerRecipeArn", stage["container"]),
    ):
        witness.call(f"Put{noun}Policy", **{member: arn}, policy=whole.POLICY)
        witness.call(f"Get{noun}Policy", **{member: arn})
    witness.read()
    return stage


def _request(stage: dict[str, str], *kinds: str) -> dict[str, Any]:
    return whole.build(
        "imageRecipeArn",
        stage["recipe"],
        stage["infrastructure"],
        stage["amis"],
        {kind: stage[kind] for kind in kinds},
    )


def _container(stage: dict[str, str]) -> dict[str, Any]:
    request = whole.build(
        "containerRecipeArn", stage["container"], stage["infrastructure"], stage["containers"], {}
    )
    scanning = {key: whole.SCANNING[key] for key in ("imageScanningEnabled", "ecrConfiguration")}
    return {**request, "workflows": [], "imageScanningConfiguration": scanning}


def _bakes(witness: Witness, stage: dict[str, str]) -> None:
    more = {"loggingConfiguration": {"logGroupName": "/aws/imagebuilder/whole"}}
    request = {**_request(stage, "BUILD", "TEST", "DISTRIBUTION"), **more}
    first = witness.create("CreateImage", **request)
    # Time passes in steps, so that every status and every waiting step is seen.
    for _ in range(10):
        witness.pass_time(400)
        witness.read()
    for image in [first]:
        _act(witness, image, "RESUME")
    witness.pass_time(DAY)
    witness.create("CreateImage", **{**_request(stage, "BUILD", "TEST"), **more})
    witness.pass_time(4_000)
    _act(witness, None, "STOP")
    witness.pass_time(DAY)
    stage["image"] = first
    witness.call("PutImagePolicy", imageArn=first, policy=whole.POLICY)
    witness.call("GetImagePolicy", imageArn=first)
    stage["docker"] = witness.create("CreateImage", **{**_container(stage), **more})
    witness.pass_time(DAY)
    _failures(witness, stage)
    copy = witness.create(
        "DistributeImage",
        sourceImage=first,
        distributionConfigurationArn=stage["amis"],
        executionRole=whole.ROLE,
        tags=whole.TAGS,
        **more,
    )
    witness.pass_time(DAY)
    assert copy
    witness.read()


def _act(witness: Witness, image: str | None, action: str) -> None:
    steps = witness.call("ListWaitingWorkflowSteps")["steps"]
    for step in steps:
        if image in (None, step["imageBuildVersionArn"]):
            witness.call(
                "SendWorkflowStepAction",
                stepExecutionId=step["stepExecutionId"],
                imageBuildVersionArn=step["imageBuildVersionArn"],
                action=action,
                reason="seen",
            )


def _failures(witness: Witness, stage: dict[str, str]) -> None:
    failures = (
        Failure(component="whole", phase="build"),
        Failure(workflow="whole", step="Make", rollback=True),
        Failure(region="us-east-1"),
        Failure(region="us-east-1", configuration_step="PUT_SSM_PARAMETERS"),
    )
    for failure in failures:
        failure.times = 1
        witness.behaviour.failures.append(failure)
        kinds = ("BUILD",) if failure.region else ("BUILD", "TEST")
        failed = witness.create("CreateImage", **_request(stage, *kinds))
        witness.pass_time(DAY)
        witness.read()
        if failure.region and not failure.configuration_step:
            witness.call("RetryImage", imageBuildVersionArn=failed, clientToken="retry-regions")
            witness.pass_time(DAY)
    for seconds in (100, 4_000):
        cancelled = witness.create("CreateImage", **_request(stage, "BUILD", "TEST"))
        witness.pass_time(seconds)
        witness.call("CancelImageCreation", imageBuildVersionArn=cancelled)
    witness.pass_time(DAY)
    request = {**_request(stage, "BUILD"), "infrastructureConfigurationArn": stage["hosts"]}
    witness.create("CreateImage", **request)
    witness.pass_time(DAY)
    # A test that fails, and is run again.
    witness.behaviour.failures.append(Failure(workflow="boot", times=1))
    failed = witness.create("CreateImage", **image_request())
    witness.pass_time(DAY)
    witness.call("RetryImage", imageBuildVersionArn=failed, clientToken="retry-tests")
    witness.pass_time(DAY)
    witness.read()


def _pipelines(witness: Witness, stage: dict[str, str]) -> None:
    logs = {
        "imageLogGroupName": "/aws/imagebuilder/images",
        "pipelineLogGroupName": "/aws/imagebuilder/pipelines",
    }
    common = {
        "description": "Daily",
        "schedule": whole.SCHEDULE,
        "status": "ENABLED",
        "imageTags": whole.TAGS,
        "loggingConfiguration": logs,
    }
    pipelines = [
        witness.create("CreateImagePipeline", name="amis", **common, **_request(stage, "BUILD", "TEST")),
        witness.create("CreateImagePipeline", name="containers", **common, **_container(stage)),
    ]
    for pipeline, request in zip(
        pipelines, (_request(stage, "BUILD", "TEST"), _container(stage)), strict=True
    ):
        request.pop("tags")
        witness.call("UpdateImagePipeline", imagePipelineArn=pipeline, **common, **request)
        witness.create("StartImagePipelineExecution", imagePipelineArn=pipeline, tags=whole.TAGS)
    for _ in range(3):
        witness.pass_time(DAY / 2)
        witness.read()
    _images_of_a_pipeline(witness, stage, pipelines[0])
    for pipeline in pipelines:
        witness.call("GetImagePipeline", imagePipelineArn=pipeline)
    witness.call("TagResource", resourceArn=pipelines[0], tags=whole.TAGS)
    witness.call("ListTagsForResource", resourceArn=pipelines[0])
    witness.call("UntagResource", resourceArn=pipelines[0], tagKeys=["team"])
    witness.pass_time(4 * DAY)
    witness.read()
    for pipeline in pipelines:
        witness.call("DeleteImagePipeline", imagePipelineArn=pipeline)


def _images_of_a_pipeline(witness: Witness, stage: dict[str, str], pipeline: str) -> None:
    """Let a pipeline make images that fail in every way, one that is scanned, and one that is deprecated."""
    failures = (
        Failure(component="whole", phase="build", times=1),
        Failure(region="us-east-1", times=1),
        Failure(region="us-east-1", configuration_step="PUT_SSM_PARAMETERS", times=1),
    )
    request = _request(stage, "BUILD")
    request.pop("tags")
    request["imageScanningConfiguration"] = {"imageScanningEnabled": True}
    witness.call("UpdateImagePipeline", imagePipelineArn=pipeline, **request)
    for failure in failures:
        witness.behaviour.failures.append(failure)
        witness.create("StartImagePipelineExecution", imagePipelineArn=pipeline)
        witness.pass_time(DAY / 4)
        witness.read()
    image = witness.create("StartImagePipelineExecution", imagePipelineArn=pipeline)
    witness.pass_time(DAY / 4)
    witness.call(
        "StartResourceStateUpdate",
        resourceArn=image,
        executionRole="Tidy",
        includeResources={"amis": True},
        state={"status": "DEPRECATED"},
        updateAt=witness.engine.clock.now() + DAY,
    )
    witness.read()


def _imports(witness: Witness, stage: dict[str, str]) -> None:
    common = {
        "semanticVersion": "1.0.0",
        "description": "Imported",
        "tags": whole.TAGS,
    }
    logs = {"loggingConfiguration": {"logGroupName": "/aws/imagebuilder/imports"}}
    witness.create(
        "ImportComponent",
        **common,
        name="script",
        type="BUILD",
        format="SHELL",
        platform="Linux",
        changeDescription="First",
        kmsKeyId=whole.KEY,
        data="#!/bin/sh\n",
    )
    witness.create(
        "ImportVmImage",
        **common,
        **logs,
        name="vm",
        platform="Linux",
        osVersion="Ubuntu 22",
        vmImportTaskId="import-ami-0123456789abcdef0",
    )
    witness.create(
        "ImportDiskImage",
        **common,
        **logs,
        name="disk",
        platform="Windows",
        osVersion="Microsoft Windows 11",
        executionRole=whole.ROLE,
        infrastructureConfigurationArn=stage["infrastructure"],
        uri="s3://isos/windows.iso",
        registerImageOptions={"secureBootEnabled": True, "uefiData": "AAAA"},
        windowsConfiguration={"imageIndex": 1},
    )
    witness.pass_time(DAY)
    witness.read()


def _lifecycle(witness: Witness, stage: dict[str, str]) -> None:
    updates: tuple[dict[str, Any], ...] = (
        {"state": {"status": "DEPRECATED"}, "updateAt": witness.engine.clock.now() + 5 * DAY},
        # The AMI is public and therefore skipped; the image is not.
        {
            "state": {"status": "DISABLED"},
            "exclusionRules": {"amis": whole.EXCLUSIONS},
        },
        {"state": {"status": "AVAILABLE"}},
        {"state": {"status": "DELETED"}, "includeResources": {"amis": True, "snapshots": True}},
    )
    image = witness.create("CreateImage", **_request(stage, "BUILD"))
    witness.pass_time(DAY)
    for update in updates:
        witness.call(
            "StartResourceStateUpdate",
            **{"resourceArn": image, "executionRole": "Tidy", "includeResources": {"amis": True}, **update},
        )
        witness.read()
        witness.pass_time(6 * DAY)
        witness.read()
    amis = whole.policy(
        "amis",
        "whole",
        whole.rule("DEPRECATE", amis=True),
        whole.rule("DISABLE", amis=True),
        whole.rule("DELETE", amis=True, snapshots=True),
    )
    containers = whole.policy(
        "containers",
        "whole",
        {**whole.rule("DELETE", containers=True), "exclusionRules": {}},
        kind="CONTAINER_IMAGE",
    )
    containers["policyDetails"][0]["filter"].pop("retainAtLeast")
    arns = [witness.create("CreateLifecyclePolicy", **request) for request in (amis, containers)]
    for arn, request in zip(arns, (amis, containers), strict=True):
        changed = {key: value for key, value in request.items() if key != "tags"}
        witness.call("UpdateLifecyclePolicy", lifecyclePolicyArn=arn, **changed)
    for _ in range(3):
        witness.pass_time(DAY)
        witness.read()
    # A run of a policy takes a minute; some seconds after a whole day one has just begun.
    running = [e for e in witness.engine.state.lifecycle_executions.values() if not e.ended]
    assert running
    for execution in running:
        witness.call("CancelLifecycleExecution", lifecycleExecutionId=execution.id)
    tagged = whole.policy("tagged", "whole", whole.rule("DEPRECATE", amis=True))
    arns.append(
        witness.create("CreateLifecyclePolicy", **tagged | {"resourceSelection": {"tagMap": whole.TAGS}})
    )
    witness.read()
    for arn in arns:
        witness.call("DeleteLifecyclePolicy", lifecyclePolicyArn=arn)


def _end(witness: Witness, stage: dict[str, str]) -> None:
    for arn in list(witness.engine.state.images):
        if witness.engine.state.images[arn].ended:
            witness.call("DeleteImage", imageBuildVersionArn=arn)
    # A shared resource cannot be deleted, so others are created.
    component = witness.create("CreateComponent", **whole.component("short"))
    recipe = witness.create("CreateImageRecipe", **{**whole.image_recipe(component), "name": "short"})
    container = witness.create(
        "CreateContainerRecipe", **{**whole.container_recipe(component), "name": "short"}
    )
    for operation, member, arn in (
        ("DeleteContainerRecipe", "containerRecipeArn", container),
        ("DeleteImageRecipe", "imageRecipeArn", recipe),
        ("DeleteComponent", "componentBuildVersionArn", component),
        ("DeleteWorkflow", "workflowBuildVersionArn", stage["TEST"]),
        ("DeleteInfrastructureConfiguration", "infrastructureConfigurationArn", stage["infrastructure"]),
        ("DeleteDistributionConfiguration", "distributionConfigurationArn", stage["amis"]),
    ):
        witness.call(operation, **{member: arn})
