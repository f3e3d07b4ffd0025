"""What the checks call. Each method reads; none of them changes anything on AWS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from airflow_imagebuilder.service.gates.scans.reading import FindingLists

if TYPE_CHECKING:
    from collections.abc import Sequence


class Reads(FindingLists, Protocol):
    """Reading calls of Image Builder, Systems Manager, EC2 and ECR. The hook has these methods."""

    def get_image_pipeline(self, arn: str) -> dict[str, Any]:
        """Return GetImagePipeline's ``imagePipeline``."""

    def get_image_recipe(self, arn: str) -> dict[str, Any]:
        """Return GetImageRecipe's ``imageRecipe``."""

    def get_container_recipe(self, arn: str) -> dict[str, Any]:
        """Return GetContainerRecipe's ``containerRecipe``."""

    def get_component(self, arn: str) -> dict[str, Any]:
        """Return GetComponent's ``component``."""

    def get_workflow(self, arn: str) -> dict[str, Any]:
        """Return GetWorkflow's ``workflow``."""

    def get_infrastructure_configuration(self, arn: str) -> dict[str, Any]:
        """Return GetInfrastructureConfiguration's ``infrastructureConfiguration``."""

    def get_distribution_configuration(self, arn: str) -> dict[str, Any]:
        """Return GetDistributionConfiguration's ``distributionConfiguration``."""

    def get_image(self, arn: str) -> dict[str, Any]:
        """Return GetImage's ``image``."""

    def list_image_pipeline_images(self, pipeline_arn: str) -> list[dict[str, Any]]:
        """Return the images of a pipeline."""

    def list_images(self, names: Sequence[str] = ()) -> list[dict[str, Any]]:
        """Return image versions by name."""

    def list_image_build_versions(
        self, version_arn: str | None = None, *, names: Sequence[str] = ()
    ) -> list[dict[str, Any]]:
        """Return image builds of a version, or by name."""

    def list_workflow_executions(self, arn: str) -> list[dict[str, Any]]:
        """Return the workflow executions of an image."""

    def get_parameter(self, name: str) -> str:
        """Return the value of a Systems Manager parameter, by name or ARN."""

    def describe_ami(self, ami: str) -> dict[str, Any] | None:
        """Return an AMI as EC2's DescribeImages has it; ``None`` if EC2 shows none."""

    def describe_ecr_image(self, region: str, account: str, repository: str, tag: str) -> dict[str, Any]:
        """Return an image of a private ECR repository, as DescribeImages has it."""
