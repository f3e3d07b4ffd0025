"""What the hook reads of the things that a build is made of."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow_imagebuilder.hooks.calls import PATIENCE, ImageBuilderCalls, Patience
from airflow_imagebuilder.service.client.answers import malformed


class ResourceReader(ImageBuilderCalls):
    """Reads pipelines, recipes, configurations, components and workflows, and the base images of recipes."""

    def get_image_pipeline(self, arn: str, *, patience: Patience = PATIENCE) -> dict[str, Any]:
        """
        Return GetImagePipeline's ``imagePipeline``.

        :param arn: the ARN of the pipeline.
        :param patience: seconds (or a timedelta) for which the call is retried (default: 2 minutes).
        :raises NotFoundError: there is no such pipeline in this account and region.
        :raises MalformedAnswerError: the answer has no pipeline.
        """
        operation, member = "get_image_pipeline", "imagePipeline"
        return self._resource(operation, member, patience=patience, imagePipelineArn=arn)

    def get_image_recipe(self, arn: str) -> dict[str, Any]:
        """Return GetImageRecipe's ``imageRecipe``; ``x`` means the newest version."""
        return self._resource("get_image_recipe", "imageRecipe", imageRecipeArn=arn)

    def get_container_recipe(self, arn: str) -> dict[str, Any]:
        """Return GetContainerRecipe's ``containerRecipe``; ``x`` means the newest version."""
        return self._resource("get_container_recipe", "containerRecipe", containerRecipeArn=arn)

    def get_component(self, arn: str) -> dict[str, Any]:
        """Return GetComponent's ``component``; ``x``, or no build number, means the newest one."""
        return self._resource("get_component", "component", componentBuildVersionArn=arn)

    def get_workflow(self, arn: str) -> dict[str, Any]:
        """Return GetWorkflow's ``workflow``; ``x``, or no build number, means the newest one."""
        return self._resource("get_workflow", "workflow", workflowBuildVersionArn=arn)

    def get_infrastructure_configuration(self, arn: str) -> dict[str, Any]:
        """Return GetInfrastructureConfiguration's ``infrastructureConfiguration``."""
        operation, member = "get_infrastructure_configuration", "infrastructureConfiguration"
        return self._resource(operation, member, infrastructureConfigurationArn=arn)

    def get_distribution_configuration(self, arn: str) -> dict[str, Any]:
        """Return GetDistributionConfiguration's ``distributionConfiguration``."""
        operation, member = "get_distribution_configuration", "distributionConfiguration"
        return self._resource(operation, member, distributionConfigurationArn=arn)

    def get_parameter(self, name: str) -> str:
        """Return the value of a parameter of Systems Manager (GetParameter), by its name or ARN."""
        answer = self._of("ssm", "get_parameter", "Parameter", Name=name)
        return str(answer["Parameter"].get("Value") or "")

    def describe_ami(self, ami: str) -> dict[str, Any] | None:
        """Return an AMI of this region as EC2's DescribeImages has it; ``None`` if EC2 shows none."""
        wanted = [{"Name": "image-id", "Values": [ami]}]  # ImageIds= is refused for an AMI that is gone
        answer = self._of("ec2", "describe_images", "Images", Filters=wanted, IncludeDeprecated=True)
        return next((dict(one) for one in answer["Images"]), None)

    def describe_ecr_image(self, region: str, account: str, repository: str, tag: str) -> dict[str, Any]:
        """
        Return an image of a private repository as ECR's DescribeImages has it.

        :param region: the repository's region.
        :param account: the account that owns the registry.
        :param repository: the repository's name.
        :param tag: the image's tag.
        :return: ``imagePushedAt`` (ISO text), ``imageDigest`` and others.
        :raises RefusedError: there is no such image.
        """
        wanted = {"registryId": account, "repositoryName": repository, "imageIds": [{"imageTag": tag}]}
        answer = self._of("ecr", "describe_images", "imageDetails", region=region, **wanted)
        found: dict[str, Any] = dict(next(iter(answer["imageDetails"]), {}))
        pushed = found.get("imagePushedAt")
        return {**found, "imagePushedAt": pushed.isoformat()} if isinstance(pushed, datetime) else found

    def _resource(self, operation: str, member: str, **params: Any) -> dict[str, Any]:
        answer = self._call(operation, expect=member, **params)
        found = answer[member]
        if not isinstance(found, dict) or not isinstance(found.get("arn"), str):
            raise malformed(answer, operation, f"{member}.arn")
        return found
