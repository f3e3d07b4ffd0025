"""Coverage: what the local service models of each operation, and what it does not do.

``make coverage-page`` writes it into ``docs/coverage.md``, with the guesses of :mod:`..guesses`.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Coverage(NamedTuple):
    """One operation.

    :param modelled: what it does, in sentences.
    :param missing: what AWS does and it does not, in sentences; empty if nothing is known to be missing.
    """

    modelled: str
    missing: str = ""


EVERYWHERE: Final = (
    "Permissions of the caller (IAM) are not checked; of roles only what the table says.",
    "There are no quotas and rates but those of the service model; a scenario injects throttling.",
    "KMS keys are kept and shown; nothing is encrypted.",
    "No instance does any work: steps take time and succeed, unless the scenario lets them fail.",
)
"""What is missing in every operation."""

_LIST: Final = "Pages, filters and order as the API reference has them"
_DELETE: Final = "Refused while another resource needs it or a policy shares it."
_BUILD_CHECKS: Final = (
    "Checks recipes, number and kind of workflows, their parameters and groups, role, log group, scan and "
    "tests."
)
_POLICY_CHECKS: Final = "the form of the policy is checked; the resource is then shared with its accounts"

COVERAGE: Final[dict[str, Coverage]] = {
    # --- images
    "CreateImage": Coverage(
        f"{_BUILD_CHECKS} Then the whole life of the image on the virtual clock: build, tests in groups, "
        "scan, distribution, AMIs and container images, events and messages.",
        "Components are not executed.",
    ),
    "GetImage": Coverage(
        "Own, shared and Amazon's images; a version or wildcard means the newest AVAILABLE build."
    ),
    "DeleteImage": Coverage("Refused while the image is being built; AMIs stay, as in AWS."),
    "ListImages": Coverage(
        f"{_LIST}; owners Self, Amazon and Shared, by version or by name.", "ThirdParty is empty."
    ),
    "ListImageBuildVersions": Coverage(f"{_LIST}; of a version or of the account, newest first."),
    "ListImagePipelineImages": Coverage(f"{_LIST}; empty for an unknown pipeline."),
    "CancelImageCreation": Coverage("Ends what runs, after the duration `cancellation` of the scenario."),
    "RetryImage": Coverage("Continues a failed or cancelled AMI in its test or distribution phase."),
    "DistributeImage": Coverage(
        "An image of its own that copies an image or an AMI as a configuration says."
    ),
    "ImportComponent": Coverage("A script becomes a component with one step."),
    "ImportVmImage": Coverage("An image with an AMI.", "The import task of EC2 is not looked up."),
    "ImportDiskImage": Coverage("An image with an AMI, of an ISO file by its name.", "The file is not read."),
    "ListImagePackages": Coverage(
        "Of images whose build collected metadata.", "The packages are a fixed list per operating system."
    ),
    "ListImageScanFindings": Coverage(
        f"{_LIST}; as many findings as the scenario says.", "Findings are invented, nothing is scanned."
    ),
    "ListImageScanFindingAggregations": Coverage(
        "Counts by account, image, pipeline and vulnerability.", "As of ListImageScanFindings."
    ),
    "StartResourceStateUpdate": Coverage(
        "Deprecates, disables, deletes and restores images, at once or as an execution, with their AMIs."
    ),
    # --- workflow executions
    "ListWorkflowExecutions": Coverage("Every run of a workflow, also those that RetryImage replaced."),
    "GetWorkflowExecution": Coverage("One run, with its counts of steps."),
    "ListWorkflowStepExecutions": Coverage(
        "Steps in the order of the document, with resolved inputs and outputs."
    ),
    "GetWorkflowStepExecution": Coverage("One step, with time limit and behaviour on failure."),
    "ListWaitingWorkflowSteps": Coverage("The WaitForAction steps that wait, of all images."),
    "SendWorkflowStepAction": Coverage(
        "RESUME and STOP, with their reason in outputs and in the image's state."
    ),
    # --- components, workflows, recipes
    "CreateComponent": Coverage(
        "Reads the document (inline or from S3) and refuses faults with line and reason; counts builds; "
        "refuses an identical one; dry run.",
        "A document is parsed, never executed.",
    ),
    "GetComponent": Coverage("Own, shared and Amazon's; a version or wildcard means the newest build."),
    "DeleteComponent": Coverage(_DELETE),
    "ListComponents": Coverage(
        f"{_LIST}; owners Self, Amazon and Shared.", "ThirdParty and AWSMarketplace are empty."
    ),
    "ListComponentBuildVersions": Coverage(_LIST + "."),
    "CreateWorkflow": Coverage(
        "Reads the document and checks steps, actions, inputs, conditions and parameters against its type; "
        "counts builds; dry run.",
    ),
    "GetWorkflow": Coverage("Own and Amazon's; Amazon's documents are written for the local service."),
    "DeleteWorkflow": Coverage(_DELETE),
    "ListWorkflows": Coverage(f"{_LIST}; owners Self and Amazon."),
    "ListWorkflowBuildVersions": Coverage(f"{_LIST}; of a version or of the account."),
    "CreateImageRecipe": Coverage(
        "Counts wildcards up; checks parent, components, their parameters and operating system; platform, "
        "architecture and disks follow from the parent.",
    ),
    "GetImageRecipe": Coverage("Own and shared; wildcards of parent and components stay as given."),
    "DeleteImageRecipe": Coverage(_DELETE),
    "ListImageRecipes": Coverage(_LIST + "."),
    "CreateContainerRecipe": Coverage(
        "As CreateImageRecipe, with a Dockerfile (inline or from S3) and a repository of ECR.",
        "The Dockerfile is not built.",
    ),
    "GetContainerRecipe": Coverage("Own and shared."),
    "DeleteContainerRecipe": Coverage(_DELETE),
    "ListContainerRecipes": Coverage(_LIST + "."),
    # --- configurations
    "CreateInfrastructureConfiguration": Coverage(
        "Checks profile, topic, placement, tags, and a subnet without security groups."
    ),
    "UpdateInfrastructureConfiguration": Coverage("Replaces every member, as AWS does."),
    "GetInfrastructureConfiguration": Coverage("All members."),
    "DeleteInfrastructureConfiguration": Coverage(_DELETE),
    "ListInfrastructureConfigurations": Coverage(_LIST + "."),
    "CreateDistributionConfiguration": Coverage(
        "Checks regions, outputs and names; launch permissions, parameters and launch templates have effect.",
        "Licences, fast launch and export to S3 have no effect; they fail on demand of the scenario.",
    ),
    "UpdateDistributionConfiguration": Coverage("Replaces every member; the checks of Create."),
    "GetDistributionConfiguration": Coverage("All members."),
    "DeleteDistributionConfiguration": Coverage(_DELETE),
    "ListDistributionConfigurations": Coverage(_LIST + "."),
    # --- pipelines
    "CreateImagePipeline": Coverage(
        f"{_BUILD_CHECKS} Runs by its schedule (cron, rate, time zone, start condition) on the virtual clock "
        "and is disabled after failures.",
    ),
    "UpdateImagePipeline": Coverage(
        "Replaces every member; the checks of Create; resets the count of failures."
    ),
    "GetImagePipeline": Coverage("With last run, next run and failures in a row."),
    "DeleteImagePipeline": Coverage("Its images stay and its running build continues."),
    "ListImagePipelines": Coverage(_LIST + "."),
    "StartImagePipelineExecution": Coverage("Builds now, also of a disabled pipeline."),
    # --- life cycle
    "CreateLifecyclePolicy": Coverage(
        "Checks rules, filters and selection; runs once a day of the virtual clock.",
        "The exclusion rule lastLaunched keeps nothing, because no AMI is launched.",
    ),
    "UpdateLifecyclePolicy": Coverage("The checks of Create; the type of resource stays."),
    "GetLifecyclePolicy": Coverage("All members."),
    "DeleteLifecyclePolicy": Coverage("Cancels its running execution."),
    "ListLifecyclePolicies": Coverage(_LIST + "."),
    "GetLifecycleExecution": Coverage("A run of a policy, or an update of an image."),
    "ListLifecycleExecutions": Coverage("Of a policy or of an image, newest first."),
    "ListLifecycleExecutionResources": Coverage("Images, and the AMIs of one, with what became of them."),
    "CancelLifecycleExecution": Coverage("Ends a run or an update that has not finished."),
    # --- sharing, tags, marketplace
    **{
        f"Put{noun}Policy": Coverage(
            f"For own resources; {_POLICY_CHECKS}.", "Statements with conditions share nothing."
        )
        for noun in ("Component", "ContainerRecipe", "Image", "ImageRecipe")
    },
    **{
        f"Get{noun}Policy": Coverage("The policy as it was put.")
        for noun in ("Component", "ContainerRecipe", "Image", "ImageRecipe")
    },
    "TagResource": Coverage("Of images and all other resources."),
    "UntagResource": Coverage("Of images and all other resources."),
    "ListTagsForResource": Coverage("Of images and all other resources."),
    "GetMarketplaceResource": Coverage(
        "Answers that the resource is not found.", "Nothing of AWS Marketplace is there."
    ),
}
