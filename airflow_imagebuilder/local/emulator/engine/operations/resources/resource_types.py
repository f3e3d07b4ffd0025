"""RESOURCE_TYPES: the resources that are only stored, read and listed, and the operations on each."""

from __future__ import annotations

from dataclasses import dataclass, field

_COMMON = ("arn", "name", "description", "dateCreated", "tags")
_VERSIONED = ("arn", "name", "version", "description", "type", "platform", "owner", "dateCreated")


@dataclass(frozen=True)
class Listing:
    """A list operation.

    :param operation: its name.
    :param key: the member of its answer that holds the list.
    :param members: the members of each element.
    :param filters: the filters that it has.
    """

    operation: str
    key: str
    members: tuple[str, ...]
    filters: tuple[str, ...] = ("name",)


@dataclass(frozen=True)
class ResourceType:
    """One type of resource.

    :param noun: the noun in the names of its operations: Create<noun>, Get<noun>, Delete<noun>, List<noun>s.
    :param segment: the first part of the resource in its ARN.
    :param arn_member: the member of a request that holds its ARN.
    :param body: the member of Get's answer that holds the resource.
    :param listing: the list operation.
    :param builds: the list operation of its build versions; None if it has no build versions.
    :param versioned: whether it has a version; True by default.
    :param updatable: whether Update<noun> exists; False by default.
    :param defaults: the values of members that a request leaves out.
    :param hidden: members that are stored for lists or builds, and that Get does not show.
    """

    noun: str
    segment: str
    arn_member: str
    body: str
    listing: Listing
    builds: Listing | None = None
    versioned: bool = True
    updatable: bool = False
    defaults: dict[str, object] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()


RESOURCE_TYPES: tuple[ResourceType, ...] = (
    ResourceType(
        noun="Component",
        segment="component",
        arn_member="componentBuildVersionArn",
        body="component",
        listing=Listing(
            "ListComponents",
            "componentVersionList",
            (*_VERSIONED, "supportedOsVersions", "status"),
            ("description", "name", "platform", "supportedOsVersion", "type", "version"),
        ),
        builds=Listing(
            "ListComponentBuildVersions",
            "componentSummaryList",
            (*_VERSIONED, "supportedOsVersions", "state", "changeDescription", "tags"),
            (),
        ),
        defaults={"type": "BUILD", "encrypted": True},
        hidden=frozenset({"status"}),
    ),
    ResourceType(
        noun="Workflow",
        segment="workflow",
        arn_member="workflowBuildVersionArn",
        body="workflow",
        listing=Listing(
            "ListWorkflows",
            "workflowVersionList",
            ("arn", "name", "version", "description", "type", "owner", "dateCreated"),
            ("description", "name", "type", "version"),
        ),
        builds=Listing(
            "ListWorkflowBuildVersions",
            "workflowSummaryList",
            (
                *("arn", "name", "version", "description", "changeDescription"),
                *("type", "owner", "state", "dateCreated", "tags"),
            ),
            (),
        ),
    ),
    ResourceType(
        noun="ImageRecipe",
        segment="image-recipe",
        arn_member="imageRecipeArn",
        body="imageRecipe",
        listing=Listing(
            "ListImageRecipes",
            "imageRecipeSummaryList",
            ("arn", "name", "platform", "owner", "parentImage", "dateCreated", "tags"),
            ("name", "parentImage", "platform"),
        ),
        defaults={"type": "AMI"},
    ),
    ResourceType(
        noun="ContainerRecipe",
        segment="container-recipe",
        arn_member="containerRecipeArn",
        body="containerRecipe",
        listing=Listing(
            "ListContainerRecipes",
            "containerRecipeSummaryList",
            (
                *("arn", "containerType", "name", "platform", "owner", "parentImage"),
                *("dateCreated", "instanceImage", "tags"),
            ),
            ("containerType", "name", "parentImage", "platform"),
        ),
        defaults={"encrypted": True},
        hidden=frozenset({"platformOverride", "imageOsVersionOverride", "instanceImage"}),
    ),
    ResourceType(
        noun="InfrastructureConfiguration",
        segment="infrastructure-configuration",
        arn_member="infrastructureConfigurationArn",
        body="infrastructureConfiguration",
        listing=Listing(
            "ListInfrastructureConfigurations",
            "infrastructureConfigurationSummaryList",
            (*_COMMON, "dateUpdated", "resourceTags", "instanceTypes", "instanceProfileName", "placement"),
        ),
        versioned=False,
        updatable=True,
        defaults={"terminateInstanceOnFailure": True, "terminateInstanceOnCompletion": True},
    ),
    ResourceType(
        noun="DistributionConfiguration",
        segment="distribution-configuration",
        arn_member="distributionConfigurationArn",
        body="distributionConfiguration",
        listing=Listing(
            "ListDistributionConfigurations",
            "distributionConfigurationSummaryList",
            (*_COMMON, "dateUpdated", "regions"),
        ),
        versioned=False,
        updatable=True,
        defaults={"timeoutMinutes": 720},
        hidden=frozenset({"regions"}),
    ),
    ResourceType(
        noun="ImagePipeline",
        segment="image-pipeline",
        arn_member="imagePipelineArn",
        body="imagePipeline",
        listing=Listing(
            "ListImagePipelines",
            "imagePipelineList",
            (
                *_COMMON,
                *("platform", "enhancedImageMetadataEnabled", "imageRecipeArn", "containerRecipeArn"),
                *(
                    "infrastructureConfigurationArn",
                    "distributionConfigurationArn",
                    "imageTestsConfiguration",
                ),
                *("schedule", "status", "dateUpdated", "dateLastRun", "lastRunStatus", "dateNextRun"),
                *("imageScanningConfiguration", "imageTags", "executionRole", "workflows"),
                *("loggingConfiguration", "consecutiveFailures"),
            ),
            (
                *("description", "distributionConfigurationArn", "imageRecipeArn"),
                *("infrastructureConfigurationArn", "name", "status"),
            ),
        ),
        versioned=False,
        updatable=True,
        defaults={"status": "ENABLED", "enhancedImageMetadataEnabled": True, "consecutiveFailures": 0},
        hidden=frozenset({"revision", "dependencies"}),
    ),
)
