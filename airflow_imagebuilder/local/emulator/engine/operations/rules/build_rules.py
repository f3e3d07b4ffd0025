"""BuildRules: the checks of CreateImage and CreateImagePipeline that the service model does not express.

The wording about Amazon's workflows is from aws/aws-cdk#29910, the one about the role from AWS's skill.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_imagebuilder.local.emulator.documents import parameters
from airflow_imagebuilder.local.emulator.engine import guesses, identifiers
from airflow_imagebuilder.local.emulator.engine.errors import (
    ApiError,
    invalid_combination,
    invalid_value,
    unknown_arn,
)
from airflow_imagebuilder.local.emulator.engine.state import PlannedWorkflow, State

if TYPE_CHECKING:
    from airflow_imagebuilder.local.emulator.engine.operations.resources.resources import Resources
    from airflow_imagebuilder.local.emulator.engine.state import Doc

MAX_WORKFLOWS = 10
LOG_PREFIX = "/aws/imagebuilder/"
#: The type of scan whose findings can fail an image.
ON_DEMAND = "ON_DEMAND_AMI_CVE"


@dataclass(frozen=True)
class Build:
    """A checked request to build, with the resource of every ARN in it."""

    recipe: Doc
    is_ami: bool
    infrastructure: Doc
    distribution: Doc | None
    workflows: tuple[PlannedWorkflow, ...]


class BuildRules:
    """Checks requests to build and finds the resources that they name.

    :param state: holds the steps of the workflows.
    :param resources: holds recipes, configurations and workflows.
    """

    def __init__(self, state: State, resources: Resources) -> None:
        self._state = state
        self._resources = resources

    def check(self, params: Doc, region: str) -> Build:
        """Check a request.

        :param params: the request of CreateImage or CreateImagePipeline.
        :raises ApiError: the request breaks a rule; the error names the first one.
        """
        _check_combinations(params)
        is_ami = "imageRecipeArn" in params
        recipe = self._named(params.get("imageRecipeArn") or params["containerRecipeArn"], region)
        infrastructure = self._named(params["infrastructureConfigurationArn"], region)
        distribution = params.get("distributionConfigurationArn")
        found = self._named(distribution, region) if distribution else None
        for component in recipe.get("components", ()):
            self._resources.find(component["componentArn"], region)
        workflows = self._workflows(params, region, is_ami=is_ami)
        _check_counts(workflows)
        return Build(recipe, is_ami, infrastructure, found, workflows)

    def _named(self, arn: str, region: str) -> Doc:
        """Find what a request names.

        :raises ApiError: it does not exist, or another account does not share it.
        """
        try:
            return self._resources.find(arn, region)
        except ApiError as error:
            if error.code != unknown_arn(arn).code:
                raise
            raise ApiError(guesses.UNKNOWN_REFERENCE, error.message, error.status) from error

    def _workflows(self, params: Doc, region: str, *, is_ami: bool) -> tuple[PlannedWorkflow, ...]:
        given = params.get("workflows")
        if not given:
            output = "image" if is_ami else "container"
            given = [
                {"workflowArn": identifiers.arn_of(region, f"workflow/{stage}/{stage}-{output}/x.x.x", "aws")}
                for stage in ("build", "test")
            ]
        return tuple(self._workflow(index, item, region) for index, item in enumerate(given))

    def _workflow(self, index: int, item: Doc, region: str) -> PlannedWorkflow:
        arn = item["workflowArn"]
        parts = identifiers.parse(arn)
        if parts.owner == "aws" and parts.version != "x.x.x":
            raise invalid_value(
                "workflows", f"AWS managed workflows must have latest version 'x.x.x' for '{arn}'"
            )
        doc = self._resources.find(arn, region)
        if doc["type"] != "TEST" and (item.get("parallelGroup") or item.get("onFailure")):
            raise invalid_combination(
                f"parallelGroup and onFailure are only allowed for test workflows: '{arn}' is {doc['type']}."
            )
        given = {each["name"]: each["value"] for each in item.get("parameters", ())}
        declared = doc.get("parameters", [])
        if why := parameters.refused(declared, given):
            fault = invalid_value(f"workflows[{index}].parameters", why)
            raise ApiError(guesses.WORKFLOW_PARAMETERS, fault.message)
        return PlannedWorkflow(
            arn=doc["arn"],
            type=doc["type"],
            document=self._state.documents[doc["arn"]],
            group=item.get("parallelGroup"),
            on_failure=item.get("onFailure"),
            parameters=parameters.values(declared, given),
        )


def _check_combinations(params: Doc) -> None:
    if ("imageRecipeArn" in params) == ("containerRecipeArn" in params):
        raise ApiError(
            guesses.RECIPE_COUNT, "Exactly one of imageRecipeArn and containerRecipeArn must be specified."
        )
    role = params.get("executionRole")
    if params.get("workflows") and not role:
        raise ApiError(guesses.ROLE_MISSING, "An execution role is required to provide workflows.")
    group = params.get("loggingConfiguration", {}).get("logGroupName", LOG_PREFIX)
    if not group.startswith(LOG_PREFIX) and not role:
        raise ApiError(
            guesses.ROLE_MISSING, f"executionRole is required for a log group outside of {LOG_PREFIX}."
        )
    _check_scan(params)


def _check_scan(params: Doc) -> None:
    """Check the scan of a request (service model, ImageScanningConfiguration)."""
    scan = params.get("imageScanningConfiguration", {})
    tests = params.get("imageTestsConfiguration", {}).get("imageTestsEnabled", True)
    if scan.get("imageScanningEnabled") and not tests:
        raise invalid_combination("Image scanning needs image tests to be enabled.")
    on_demand = scan.get("imageScanningTypes") == [ON_DEMAND]
    if on_demand and "imageRecipeArn" not in params:
        raise invalid_combination(f"The image scanning type {ON_DEMAND} needs an image recipe.")
    if "scanResultCondition" in scan and not on_demand:
        raise invalid_combination(f"scanResultCondition needs the image scanning type {ON_DEMAND}.")


def _check_counts(workflows: tuple[PlannedWorkflow, ...]) -> None:
    if len(workflows) > MAX_WORKFLOWS:
        raise ApiError(
            guesses.WORKFLOW_COUNT,
            f"At most {MAX_WORKFLOWS} workflows are allowed, {len(workflows)} were given.",
        )
    for type_ in ("BUILD", "DISTRIBUTION"):
        count = sum(workflow.type == type_ for workflow in workflows)
        if count > 1:
            raise ApiError(
                guesses.WORKFLOW_COUNT, f"At most one {type_} workflow is allowed, {count} were given."
            )
