"""The operator that starts an image pipeline and waits for its image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.links import LINKS, ImageBuilderPipelinesLink, persist_pipelines_link
from airflow_imagebuilder.operators.arguments import refuse
from airflow_imagebuilder.operators.base import AWS_FIELDS
from airflow_imagebuilder.operators.options import option_faults
from airflow_imagebuilder.operators.waiting.submitting import (
    ImageBuilderSubmittingOperator,
    parsed,
    region_of,
)
from airflow_imagebuilder.service.request import PipelineRequest, Workflow
from airflow_imagebuilder.service.request.fields.templates import is_late, never
from airflow_imagebuilder.service.request.pipeline_request import PIPELINE_MEMBERS, pipeline_faults
from airflow_imagebuilder.service.request.rules.regions import region_faults
from airflow_imagebuilder.service.request.schema import MEMBERS
from airflow_imagebuilder.service.submission.pipeline import Pipeline

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from airflow.sdk import Context
    from typing_extensions import Unpack

    from airflow_imagebuilder.operators.arguments.keywords import SubmittingArguments
    from airflow_imagebuilder.service.errors import Fault
    from airflow_imagebuilder.service.submission.ports import Submitted

_EXPECTED = "expected_workflows"


class ImageBuilderStartPipelineOperator(ImageBuilderSubmittingOperator):
    """
    Start an image pipeline that exists, and wait until its image is finished.

    The pipeline decides everything about the image: AWS takes no overrides. Before the first start the task
    reads the pipeline. It is refused if it does not exist or names no recipe. A pipeline that is DISABLED is
    started all the same, as AWS does. If the task may not read it (imagebuilder:GetImagePipeline), the task
    logs a warning and starts it.

    One image is built whatever process dies: see :mod:`airflow_imagebuilder.service.submission.submission`.
    If the pipeline was changed while its image builds, a new try waits for this image, and warns. An image
    that failed is not repaired then, since RetryImage would repeat the old definition: the pipeline is
    started again. Two tasks that start the same pipeline have an image each.

    :param pipeline_arn: the pipeline; required.
    :param tags: 1 to 50 tags of the Image Builder image. The pipeline's own ``imageTags`` are for its
        scheduled runs only.
    :param expected_workflows: the workflows that the pipeline has to run: :class:`Workflow`, each test with
        its ``parallel_group``, or AWS's mappings. If the pipeline runs others, nothing is started, and the
        error lists both. An empty list means AWS's default workflows; ``None`` (default) accepts all. The
        task group sets it to what it draws.
    :param wait_for_completion: ``True`` (default) waits; ``False`` starts the pipeline and returns the ARN.
    :param on_retry: what a new try does about an image that an earlier try left FAILED or CANCELLED:
        ``repair`` it where AWS allows it (RetryImage; default), ``rebuild`` it, or ``fail``.
    :param deferrable: wait in the triggerer (default), or on the worker.
    :param timeout: how long the image may take after the start; then it is cancelled. The task's
        ``execution_timeout`` counts too; the earlier of the two applies.
    :param poll_interval: seconds (or a timedelta) between two polls; ``None`` (default) takes
        ``[imagebuilder] poll_interval``.
    :param cancel_on_kill: cancel the image when the task is killed, cleared or runs out of time.
    :param delete_outputs_on_kill: then also remove the AMIs and snapshots that the build left behind.
    :param fail_on_test_failure: fail when a test failed although AWS calls the image AVAILABLE.
    :return: the :class:`ImageResult` as a JSON-safe mapping; without waiting, the ARN alone. The task also
        pushes the ARN as XCom ``image_build_version_arn`` before it begins to wait.
    :raises InvalidRequestError: the request was refused before the call.
    :raises PipelineNotStartedError: the pipeline does not exist, names no recipe, or runs other workflows
        than the expected ones.
    :raises ImageFailedError: the image failed: stage, workflow, step, component, message, log.
    :raises ImageCancelledError: the image was cancelled from outside of this task.
    :raises DeadlineExceededError: the image did not finish in time.

    .. seealso:: https://docs.aws.amazon.com/imagebuilder/latest/APIReference/API_StartImagePipelineExecution.html
    """

    template_fields: Sequence[str] = tuple(sorted({*AWS_FIELDS, *PIPELINE_MEMBERS, _EXPECTED, "on_retry"}))
    template_fields_renderers = {"tags": "json", _EXPECTED: "json"}  # noqa: RUF012 (as Airflow has it)
    operator_extra_links = (*LINKS, ImageBuilderPipelinesLink())

    def __init__(
        self,
        *,
        pipeline_arn: str | None = None,
        tags: Mapping[str, str] | str | None = None,
        expected_workflows: Sequence[Workflow | Mapping[str, Any] | str] | str | None = None,
        **kwargs: Unpack[SubmittingArguments],
    ) -> None:
        super().__init__(**kwargs)
        self.pipeline_arn = pipeline_arn
        self.tags = tags
        # As AWS's mappings: Airflow renders templates in these, not in our classes.
        self.expected_workflows = (
            [item.to_api() if isinstance(item, Workflow) else item for item in expected_workflows]
            if isinstance(expected_workflows, (list, tuple))
            else expected_workflows
        )
        members = {"pipeline_arn": pipeline_arn, "tags": tags}
        faults = [*option_faults(vars(self)), *pipeline_faults(members)]
        faults += [*_faults_in(expected_workflows, is_late), *region_faults(members, self.region_name)]
        refuse(faults, of=f"task {self.task_id!r}")

    def submit(self, context: Context) -> Submitted:
        """Check the rendered request, and start the pipeline or find the image of an earlier try."""
        request = self.rendered_request()
        persist_pipelines_link(context, self, request.pipeline_arn)
        return super().submit(context)

    def rendered_request(self) -> PipelineRequest:
        """Return the rendered request.

        :raises InvalidRequestError: AWS would refuse it, also for the region of the connection.
        """
        fields = {name: parsed(name, getattr(self, name)) for name in PIPELINE_MEMBERS}
        expected = parsed(_EXPECTED, self.expected_workflows)
        refuse([*pipeline_faults(fields, later=never), *_faults_in(expected, never)])
        connected = f"region of the connection {self.aws_conn_id!r}"
        refuse(region_faults(fields, region_of(self.hook), connected))
        return PipelineRequest(**fields)

    def blueprint(self, request: Any) -> Pipeline:
        """Return the pipeline, which is checked before it is started."""
        expected = parsed(_EXPECTED, self.expected_workflows)
        declared = None if expected is None else [_workflow(item) for item in expected]
        return Pipeline(self.hook, request.pipeline_arn, declared=declared)


def _workflow(item: Any) -> Workflow:
    return item if isinstance(item, Workflow) else Workflow.from_api(item)


def _faults_in(expected: object, later: Any) -> Iterator[Fault]:
    shape = MEMBERS["workflows"]
    if not shape.is_unset(expected):
        yield from shape.faults(_EXPECTED, expected, later)
