"""The resources of a new local service: what the example Dags need to run unchanged."""

from __future__ import annotations

from typing import Any

from airflow_imagebuilder.local.emulator.engine import Engine, arn_of

REGION = "us-east-1"
REGIONS = ("us-east-1", "eu-west-1")
EXECUTION_ROLE = "ImageBuilderExecution"
INSTANCE_PROFILE = "EC2InstanceProfileForImageBuilder"
#: The repositories of container images, with their regions.
REPOSITORIES = {"golden-container": REGION, "golden-web-container": REGION}
RECIPES = {
    "golden-al2023": "amazon-linux-2023-x86",
    "golden-ubuntu-2404": "ubuntu-server-24-lts-x86",
    "golden-windows-2022": "windows-server-2022-english-full-base-x86",
    "golden-web": "amazon-linux-2023-x86",
}
TESTS = {
    "boot": "The instance boots and reports to Systems Manager",
    "network": "Name resolution, routes and the metadata service",
    "services": "Enabled services run, disabled ones do not",
    "storage": "File systems, sizes and encryption",
    "time-sync": "The clock is synchronised",
    "users": "Accounts, groups and sudo rules",
    "performance": "Disk and processor reach what the instance type promises",
    "cis-level-1": "CIS benchmark, level 1",
    "package-audit": "No package with a known critical finding",
}
PIPELINE_TESTS = {
    "boot": "functional",
    "network": "functional",
    "services": "functional",
    "performance": None,
    "cis-level-1": "security",
    "package-audit": "security",
}
"""The tests of the pipeline golden-web, each with its parallel group."""
_COMPONENTS = ("golden-base", "golden-hardening", "golden-agent")
_INSTANCE = "{instanceId.$: $.stepOutputs.%s.instanceId}"
_BUILD_STEPS = """
  - {name: LaunchBuildInstance, action: LaunchInstance, inputs: {waitFor: ssmAgent}}
  - {name: ApplyBuildComponents, action: ExecuteComponents, inputs: INSTANCE}
  - name: InventoryCollection
    action: CollectImageMetadata
    if: {booleanEquals: true, value: $.imagebuilder.collectImageMetadata}
    inputs: INSTANCE
  - name: RunSanitizeScript
    action: SanitizeInstance
    if: {not: {stringEquals: Windows, value: $.imagebuilder.platform}}
    inputs: INSTANCE
  - name: RunSysPrepScript
    action: RunSysPrep
    if: {stringEquals: Windows, value: $.imagebuilder.platform}
    inputs: INSTANCE
  - {name: CreateOutputAMI, action: CreateImage, inputs: INSTANCE}
  - {name: TerminateBuildInstance, action: TerminateInstance, onFailure: Continue, inputs: INSTANCE}
outputs:
  - {name: ImageId, value: $.stepOutputs.CreateOutputAMI.imageId}
""".replace("INSTANCE", _INSTANCE % "LaunchBuildInstance")
_TEST_STEPS = """
  - {name: LaunchTestInstance, action: LaunchInstance, inputs: {waitFor: ssmAgent}}
  - {name: RunTests, action: ExecuteComponents, inputs: INSTANCE}
  - name: CollectResults
    action: RunCommand
    inputs:
      instanceId.$: $.stepOutputs.LaunchTestInstance.instanceId
      documentName: AWS-RunShellScript
      parameters: {commands: [cat /var/log/tests.log]}
  - {name: TerminateTestInstance, action: TerminateInstance, onFailure: Continue, inputs: INSTANCE}
""".replace("INSTANCE", _INSTANCE % "LaunchTestInstance")


def seed(engine: Engine) -> int:
    """Create recipes, configurations, workflows and components.

    :param engine: an engine without them.
    :return: the number of created resources, without Amazon's own.
    """
    # The first call to a region adds Amazon's own resources, which do not count.
    engine.call("ListComponents", region=REGION)
    before = len(engine.state.resources)
    _components(engine)
    _recipes(engine)
    _configurations(engine)
    _workflows(engine)
    _pipelines(engine)
    return len(engine.state.resources) - before


def _create(engine: Engine, noun: str, **params: Any) -> None:
    token = f"seed-{noun}-{params.get('type', '')}{params['name']}".lower()[:64]
    engine.call(f"Create{noun}", {**params, "clientToken": token}, region=REGION)


def _components(engine: Engine) -> None:
    for name in _COMPONENTS:
        for suffix, platform in (("", "Linux"), ("-windows", "Windows")):
            _create(
                engine,
                "Component",
                name=name + suffix,
                semanticVersion="1.0.0",
                platform=platform,
                data=_component(name + suffix),
            )


def _component(name: str) -> str:
    phases = "".join(
        f"\n  - name: {phase}\n    steps:\n      - name: Run\n        action: ExecuteBash\n"
        f"        inputs: {{commands: ['/opt/{name}/{phase}.sh']}}"
        for phase in ("build", "validate", "test")
    )
    return f"name: {name}\nschemaVersion: 1.0\nphases:{phases}\n"


def _recipes(engine: Engine) -> None:
    for name, parent in RECIPES.items():
        suffix = "-windows" if "windows" in name else ""
        components = [
            {"componentArn": arn_of(REGION, f"component/{component}{suffix}/1.0.0/1", engine.state.account)}
            for component in _COMPONENTS
        ]
        _create(
            engine,
            "ImageRecipe",
            name=name,
            semanticVersion="1.0.0",
            parentImage=arn_of(REGION, f"image/{parent}/x.x.x", "aws"),
            components=components,
        )
    for name in REPOSITORIES:
        _create(
            engine,
            "ContainerRecipe",
            name=name,
            semanticVersion="1.0.0",
            containerType="DOCKER",
            parentImage="public.ecr.aws/amazonlinux/amazonlinux:2023",
            dockerfileTemplateData="FROM {{{ imagebuilder:parentImage }}}\n{{{ imagebuilder:components }}}\n",
            components=[
                {"componentArn": arn_of(REGION, "component/golden-base/1.0.0/1", engine.state.account)}
            ],
            targetRepository={"service": "ECR", "repositoryName": name},
        )


def _configurations(engine: Engine) -> None:
    _create(
        engine,
        "InfrastructureConfiguration",
        name="golden-build",
        instanceProfileName=INSTANCE_PROFILE,
        instanceTypes=["t3.large"],
    )
    _distribution(engine, "golden-two-regions", "golden-al2023")
    # The name of an SSM parameter cannot hold placeholders, so each recipe needs a configuration of its own.
    for recipe in list(RECIPES)[1:]:
        _distribution(engine, f"{recipe}-two-regions", recipe)


def _distribution(engine: Engine, name: str, recipe: str) -> None:
    distributions = [
        {
            "region": region,
            "amiDistributionConfiguration": {"name": f"{recipe} {{{{ imagebuilder:buildDate }}}}"},
            "ssmParameterConfigurations": [
                {"parameterName": f"/imagebuilder/golden/{recipe}", "dataType": "aws:ec2:image"}
            ],
        }
        for region in REGIONS
    ]
    _create(engine, "DistributionConfiguration", name=name, distributions=distributions)


def _workflows(engine: Engine) -> None:
    _workflow(engine, "BUILD", "golden-build", "Build a golden image", _BUILD_STEPS)
    for name, description in TESTS.items():
        _workflow(engine, "TEST", name, description, _TEST_STEPS)


def _workflow(engine: Engine, workflow_type: str, name: str, description: str, steps: str) -> None:
    data = f"name: {name}\nschemaVersion: 1.0\nsteps:{steps}"
    _create(
        engine,
        "Workflow",
        name=name,
        type=workflow_type,
        semanticVersion="1.0.0",
        description=description,
        data=data,
    )


def _pipelines(engine: Engine) -> None:
    """
    Create pipelines without a schedule: each run of theirs is started.

    What a pipeline names cannot be deleted, so they have recipes of their own.
    """

    def own(tail: str) -> str:
        return arn_of(REGION, tail, engine.state.account)

    tests = [
        {
            "workflowArn": own(f"workflow/test/{name}/1.0.0/1"),
            "onFailure": "CONTINUE",
            **({"parallelGroup": group} if group else {}),
        }
        for name, group in PIPELINE_TESTS.items()
    ]
    infrastructure = own("infrastructure-configuration/golden-build")
    _create(
        engine,
        "ImagePipeline",
        name="golden-web",
        imageRecipeArn=own("image-recipe/golden-web/1.0.0"),
        infrastructureConfigurationArn=infrastructure,
        distributionConfigurationArn=own("distribution-configuration/golden-web-two-regions"),
        executionRole=EXECUTION_ROLE,
        workflows=[{"workflowArn": own("workflow/build/golden-build/1.0.0/1")}, *tests],
        imageScanningConfiguration={"imageScanningEnabled": True},
    )
    _create(
        engine,
        "ImagePipeline",
        name="golden-web-container",
        containerRecipeArn=own("container-recipe/golden-web-container/1.0.0"),
        infrastructureConfigurationArn=infrastructure,
        imageScanningConfiguration={
            "imageScanningEnabled": True,
            "ecrConfiguration": {"repositoryName": "golden-web-container"},
        },
    )
