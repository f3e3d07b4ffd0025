"""What the hook reads of images: one, lists of them, their workflow executions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.hooks.calls import PATIENCE, ImageBuilderCalls, Patience
from airflow_imagebuilder.service.client.answers import has_status, malformed
from airflow_imagebuilder.service.client.outdated import check_list_of_the_account

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LONGEST_LIST = 10_000
"""Images after which a list of them counts as endless: more than an account keeps of one name or pipeline."""

_PAGE = 25
"""Images per page: the largest ``maxResults`` (API reference)."""


class ImageReader(ImageBuilderCalls):
    """Reads images."""

    def get_image(self, arn: str, *, patience: Patience = PATIENCE) -> dict[str, Any]:
        """
        Return GetImage's ``image``. Only a full build version ARN shows an image in progress.

        :param arn: image build version ARN.
        :param patience: seconds (or a timedelta) for which the call is retried (default: 2 minutes).
        :raises MalformedAnswerError: the answer has no image, or an image without a status.
        """
        answer = self._call("get_image", expect="image", patience=patience, imageBuildVersionArn=arn)
        return image_in(answer)

    # -- lists of images: AWS documents no order of them, and shows a new image late ------------------------

    def list_image_pipeline_images(
        self, pipeline_arn: str, *, patience: Patience = PATIENCE
    ) -> list[dict[str, Any]]:
        """
        Return every image of a pipeline, as ListImagePipelineImages has it. An unknown pipeline has none.

        :param pipeline_arn: the pipeline's ARN.
        :param patience: seconds (or a timedelta) for which each page is retried (default: 2 minutes).
        :return: AWS's ``ImageSummary`` of each: ``arn``, ``name``, ``version``, ``state``, ``dateCreated``
            (ISO text), ``outputResources`` and others.
        :raises MalformedAnswerError: the list has no end (:data:`LONGEST_LIST`), or cannot be read.
        """
        return self._images(
            "list_image_pipeline_images", "imageSummaryList", patience, imagePipelineArn=pipeline_arn
        )

    def list_images(
        self, names: Sequence[str] = (), *, owner: str = "Self", patience: Patience = PATIENCE
    ) -> list[dict[str, Any]]:
        """
        Return image versions (``x.y.z``, without builds), as ListImages has them.

        :param names: only images of one of these names, as AWS shows them; empty (default) means all.
        :param owner: ``Self`` (default), ``Shared``, ``Amazon``, ...
        :param patience: seconds (or a timedelta) for which each page is retried (default: 2 minutes).
        :return: AWS's ``ImageVersion`` of each: ``arn``, ``name``, ``version``, ``dateCreated`` and others,
            but no state.
        :raises MalformedAnswerError: as :meth:`list_image_pipeline_images`.
        """
        filters = _named(names)
        return self._images("list_images", "imageVersionList", patience, owner=owner, **filters)

    def list_image_build_versions(
        self,
        version_arn: str | None = None,
        *,
        names: Sequence[str] = (),
        patience: Patience = PATIENCE,
    ) -> list[dict[str, Any]]:
        """
        Return every build of an image version, or of the account, as ListImageBuildVersions has them.

        :param version_arn: the ARN of an image version, without wildcards; an unknown one has no builds.
            ``None`` (default) means all images of the account and region.
        :param names: only images of one of these names, as AWS shows them; empty (default) means all.
        :param patience: seconds (or a timedelta) for which each page is retried (default: 2 minutes).
        :return: as :meth:`list_image_pipeline_images`.
        :raises OutdatedBoto3Error: the installed boto3 cannot list the account's; nothing was sent.
        :raises MalformedAnswerError: as :meth:`list_image_pipeline_images`.
        """
        if version_arn is None:
            check_list_of_the_account(self.image_builder("list_image_build_versions"))
        version = {} if version_arn is None else {"imageVersionArn": version_arn}
        return self._images(
            "list_image_build_versions", "imageSummaryList", patience, **version, **_named(names)
        )

    def _images(self, operation: str, member: str, patience: Patience, **params: Any) -> list[dict[str, Any]]:
        most = LONGEST_LIST // _PAGE
        pages = self._pages(operation, member, most=most, patience=patience, maxResults=_PAGE, **params)
        return list(pages)

    # -- workflows -----------------------------------------------------------------------------------------

    def list_workflow_executions(self, arn: str, *, include_retried: bool = False) -> list[dict[str, Any]]:
        """
        Return every workflow execution of an image, as ListWorkflowExecutions has it.

        :param arn: image build version ARN.
        :param include_retried: also return those that a RetryImage superseded (default: no).
        """
        found = self._pages("list_workflow_executions", "workflowExecutions", imageBuildVersionArn=arn)
        return [e for e in found if include_retried or not e.get("retried")]

    def list_workflow_step_executions(self, workflow_execution_id: str) -> list[dict[str, Any]]:
        """Return the steps of one workflow execution (``wf-...``), as ListWorkflowStepExecutions has them."""
        return list(
            self._pages("list_workflow_step_executions", "steps", workflowExecutionId=workflow_execution_id)
        )


def _named(names: Sequence[str]) -> dict[str, Any]:
    return {"filters": [{"name": "name", "values": list(names)}]} if names else {}


def image_in(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return GetImage's ``image``; raise MalformedAnswerError if it has no status."""
    image: dict[str, Any] = answer["image"]
    if not has_status(image):
        raise malformed(answer, "get_image", "image.state.status")
    return image
