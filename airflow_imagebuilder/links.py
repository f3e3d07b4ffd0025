"""Extra links of the operators, shown from the start of the build: to the pages, and to AWS's consoles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.providers.amazon.aws.links.base_aws import BASE_AWS_CONSOLE_LINK, BaseAwsLink
from airflow.providers.amazon.aws.utils.suppress import return_on_error
from airflow.sdk import BaseOperatorLink

from airflow_imagebuilder.compat import shows_plugin_pages
from airflow_imagebuilder.pages import run_page, task_page
from airflow_imagebuilder.service.arns.arns import ImageBuildVersionArn, ImagePipelineArn
from airflow_imagebuilder.service.results.image import log_location

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import BaseOperator, Context
    from airflow.sdk.types import TaskInstanceKey

    from airflow_imagebuilder.service.results.image import ImageResult


class ImageBuildLink(BaseOperatorLink):
    """
    The image of the task in Airflow's UI.

    It leads to the tab of a task that records its image, or one of its workflows: this image comes first
    there. Otherwise it leads to the tab of the run. Before Airflow 3.1, which has no tabs, it leads to the
    page of the run without Airflow's frame.
    """

    name = "Image build"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the address: a path on Airflow's host."""
        framed = shows_plugin_pages()
        if framed and getattr(operator, "records_image", False):
            index = -1 if ti_key.map_index is None else ti_key.map_index
            return task_page(ti_key.dag_id, ti_key.run_id, ti_key.task_id, index)
        return run_page(ti_key.dag_id, ti_key.run_id, framed=framed)

    @return_on_error(None)  # type: ignore[untyped-decorator]
    def show(self, context: Context, operator: BaseOperator) -> None:
        """
        Show the link while a task waits on a worker. Airflow stores links when the process of a task ends.

        :param context: the task's context.
        :param operator: the operator that shows the link.
        """
        if not getattr(operator, "deferrable", True) and operator.do_xcom_push:
            ti: Any = context["ti"]
            ti.xcom_push(key=self.xcom_key, value=self.get_link(operator, ti_key=ti))


class ImageBuilderImagesLink(BaseAwsLink):
    """
    The images of the region in the Image Builder console.

    AWS documents no address of a single image, and only one public source was found that shows one: too
    little to send a reader there. :class:`ImageBuildLink` leads to the very image.
    """

    name = "Image Builder images"
    key = "imagebuilder_images_link"
    format_str = BASE_AWS_CONSOLE_LINK + "/imagebuilder/home?region={region_name}#/images"


class ImageBuilderPipelinesLink(BaseAwsLink):
    """The pipelines of the region in the Image Builder console: AWS documents no address of a single one."""

    name = "Image Builder pipelines"
    key = "imagebuilder_pipelines_link"
    format_str = BASE_AWS_CONSOLE_LINK + "/imagebuilder/home?region={region_name}#/viewPipelines"


class ImageBuilderLogLink(BaseAwsLink):
    """The build's log stream in CloudWatch Logs."""

    name = "Image Builder build log"
    key = "imagebuilder_log_link"
    format_str = (
        BASE_AWS_CONSOLE_LINK
        + "/cloudwatch/home?region={region_name}#logsV2:log-groups/log-group/{log_group}"
        "/log-events/{log_stream}"
    )

    def format_link(self, **kwargs: Any) -> str:
        """Return the link with group and stream escaped as the CloudWatch console escapes them."""
        for part in ("log_group", "log_stream"):
            kwargs[part] = _escaped(str(kwargs.get(part, "")))
        return str(super().format_link(**kwargs))


class ImageBuilderInspectorLink(BaseAwsLink):
    """The Amazon Inspector console of the region, which has the findings of the account."""

    name = "Amazon Inspector"
    key = "imagebuilder_inspector_link"
    format_str = BASE_AWS_CONSOLE_LINK + "/inspector/v2/home?region={region_name}"


SCAN_LINKS = (ImageBuilderInspectorLink(), ImageBuilderImagesLink())


class ImageBuilderGoldenAmiLink(BaseAwsLink):
    """The golden AMI of the build's region in the EC2 console."""

    name = "Golden AMI"
    key = "imagebuilder_golden_ami_link"
    format_str = BASE_AWS_CONSOLE_LINK + "/ec2/home?region={region_name}#ImageDetails:imageId={ami}"


BUILD_LINK = ImageBuildLink()
LINKS = (BUILD_LINK, ImageBuilderImagesLink(), ImageBuilderLogLink())


def console_address(arn: str) -> str:
    """Return the address of the images of a region in the console; empty text if it is not an ARN."""
    place = _place(arn)
    return ImageBuilderImagesLink().format_link(**place) if place else ""


def log_address(arn: str, name: str | None = None) -> str:
    """
    Return the address of an image's log in CloudWatch Logs; empty text if ``arn`` is not an ARN.

    :param arn: the image build version ARN.
    :param name: the image's name in its own case, as the log group has it (default: that of the ARN).
    """
    place = _place(arn)
    if not place:
        return ""
    group, stream = log_location({"name": name, "arn": arn})
    return ImageBuilderLogLink().format_link(log_group=group, log_stream=stream, **place)


def _place(arn: str) -> dict[str, str]:
    if not ImageBuildVersionArn.accepts(arn):
        return {}
    parsed = ImageBuildVersionArn.parse(arn)
    domain = BaseAwsLink.get_aws_domain(parsed.partition)
    return {"region_name": parsed.region, "aws_domain": domain} if domain else {}


def persist_links(
    context: Context, operator: BaseOperator, arn: str, image: Mapping[str, Any] | None
) -> None:
    """Store the values that the links need, before the wait begins.

    :param context: the task's context.
    :param operator: the operator that shows the links.
    :param arn: the image build version ARN.
    :param image: GetImage's ``image``, whose name has the case of the log group; ``None`` if not known.
    """
    BUILD_LINK.show(context, operator)
    parsed = ImageBuildVersionArn.parse(arn)
    group, stream = log_location(image or {"name": parsed.name, "arn": arn})
    place = {"region_name": parsed.region, "aws_partition": parsed.partition}
    ImageBuilderImagesLink.persist(context=context, operator=operator, **place)
    ImageBuilderLogLink.persist(
        context=context, operator=operator, log_group=group, log_stream=stream, **place
    )


def persist_pipelines_link(context: Context, operator: BaseOperator, arn: str) -> None:
    """Store the values that the link to the pipelines needs, before the pipeline is started.

    :param context: the task's context.
    :param operator: the operator that shows the link.
    :param arn: the ARN of the pipeline.
    """
    parsed = ImagePipelineArn.parse(arn)
    place = {"region_name": parsed.region, "aws_partition": parsed.partition}
    ImageBuilderPipelinesLink.persist(context=context, operator=operator, **place)


def persist_scan_links(context: Context, operator: BaseOperator, arn: str) -> None:
    """Store the values that :data:`SCAN_LINKS` need, before the wait begins.

    :param context: the task's context.
    :param operator: the operator that shows the links.
    :param arn: the image build version ARN.
    """
    BUILD_LINK.show(context, operator)
    parsed = ImageBuildVersionArn.parse(arn)
    for link in SCAN_LINKS:
        link.persist(
            context=context, operator=operator, region_name=parsed.region, aws_partition=parsed.partition
        )


def persist_ami_link(context: Context, operator: BaseOperator, result: ImageResult) -> None:
    """Store the values that the link to the first golden AMI needs; an image without one has no link.

    :param context: the task's context.
    :param operator: the operator that shows the link.
    :param result: the image.
    """
    for ami in result.golden_amis[:1]:
        ImageBuilderGoldenAmiLink.persist(
            context=context,
            operator=operator,
            region_name=ami.region,
            aws_partition=ImageBuildVersionArn.parse(result.arn).partition,
            ami=ami.image,
        )


def _escaped(text: str) -> str:
    return quote(quote(text, safe=""), safe="").replace("%", "$")
