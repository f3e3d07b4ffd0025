"""The pipeline behind a request to start it: what its image will consist of, read from AWS."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.errors import (
    AwsError,
    ForbiddenError,
    NotFoundError,
    PipelineNotStartedError,
)
from airflow_imagebuilder.service.request.pipeline_workflows import differences

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_imagebuilder.service.request.workflows import Workflow
    from airflow_imagebuilder.service.submission.ports import ImageBuilder

log = logging.getLogger(__name__)

DEFINITION = (
    "imageRecipeArn",
    "containerRecipeArn",
    "infrastructureConfigurationArn",
    "distributionConfigurationArn",
    "workflows",
    "executionRole",
    "imageTestsConfiguration",
    "imageScanningConfiguration",
    "enhancedImageMetadataEnabled",
)
"""The members of a pipeline that decide what its image is. Schedule, status and tags do not."""

_RECIPES = DEFINITION[:2]


class Pipeline:
    """
    The pipeline that a task starts.

    :param images: makes the calls.
    :param arn: the pipeline.
    :param declared: the workflows that the pipeline has to run; none means AWS's default ones; ``None``
        (default) accepts all.
    """

    def __init__(self, images: ImageBuilder, arn: str, *, declared: Sequence[Workflow] | None = None) -> None:
        self.images, self.arn, self.declared = images, arn, declared

    def checked(self) -> Mapping[str, Any] | None:
        """
        Check the pipeline before it is started.

        :return: its definition; ``None`` if AWS does not allow us to read it, which forbids no start.
        :raises PipelineNotStartedError: it does not exist, has no recipe, or runs other workflows than the
            declared ones.
        :raises AwsError: AWS did not answer. Nothing was started.
        """
        try:
            pipeline = self.images.get_image_pipeline(self.arn)
        except NotFoundError as missing:
            raise PipelineNotStartedError(self.arn, "AWS does not find it", _MISSING) from missing
        except ForbiddenError as forbidden:
            log.warning("%s", _UNREAD.format(self.arn, forbidden))
            if self.declared is not None:
                log.warning("%s", _UNCHECKED)
            return None
        if not any(pipeline.get(recipe) for recipe in _RECIPES):
            raise PipelineNotStartedError(
                self.arn, "it names no recipe, so it has nothing to build", _NO_RECIPE
            )
        if self.declared is not None and (lines := differences(pipeline, self.declared)):
            why = "it runs other workflows than are declared"
            raise PipelineNotStartedError(self.arn, why, _OTHER_WORKFLOWS, lines)
        if pipeline.get("status") == "DISABLED":
            log.info("Pipeline %s is DISABLED: its schedule is off. AWS starts it all the same.", self.arn)
        return definition_of(pipeline)

    def current(self) -> Mapping[str, Any] | None:
        """Return the definition as AWS has it now; ``None`` if AWS does not show it. This never raises."""
        try:
            return definition_of(self.images.get_image_pipeline(self.arn))
        except NotFoundError:
            log.warning("Pipeline %s does not exist any more. Its image does not need it.", self.arn)
        except AwsError as error:
            log.warning("Whether pipeline %s was changed since its start is not known: %s", self.arn, error)
        return None


def definition_of(pipeline: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members of a pipeline that decide what its image is, without unset ones."""
    return {name: pipeline[name] for name in DEFINITION if pipeline.get(name) not in (None, "", [], {})}


def lost_pipeline(arn: str) -> PipelineNotStartedError:
    """Return the error for a pipeline that is not found after a start whose answer was lost."""
    return PipelineNotStartedError(arn, "AWS does not find it, and an earlier try may have started it", _LOST)


_MISSING = (
    "Check name, account and region of the ARN, and that the Airflow connection uses this account and "
    "region. If the pipeline was deleted, make it again, or build its recipe with "
    "ImageBuilderCreateImageOperator."
)
_LOST = (
    "The earlier try died before it knew its image. See whether the Image Builder console shows an image of "
    "this pipeline that is building, and cancel it if you do not need it. To build again, make the pipeline "
    "again with the same name, then clear this task: an image that the earlier try has started is found by "
    "its client token."
)
_NO_RECIPE = (
    "Give the pipeline an image recipe or a container recipe (UpdateImagePipeline), then clear this task."
)
_OTHER_WORKFLOWS = (
    "Declare what the pipeline runs, or change the pipeline to what is declared; then clear this task, in a "
    "task group the whole group. An ImageBuilderStartPipelineOperator without expected_workflows starts any "
    "pipeline."
)
_UNREAD = (
    "Pipeline {} could not be read, and is started all the same. For its checks before the start, allow "
    "imagebuilder:GetImagePipeline. {}"
)
_UNCHECKED = (
    "Whether it runs the workflows that are declared is not known: in a task group, the monitor of a "
    "workflow that it does not run is skipped."
)
