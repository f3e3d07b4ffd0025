"""PipelineRequest: everything that StartImagePipelineExecution takes, checked when it is made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from airflow_imagebuilder.service.arns.arns import ImagePipelineArn
from airflow_imagebuilder.service.errors import Fault, InvalidRequestError
from airflow_imagebuilder.service.request.fields.fields import ArnText
from airflow_imagebuilder.service.request.fields.suggestions import refuses_unknown_names, unknown_member
from airflow_imagebuilder.service.request.fields.templates import is_blank, is_late
from airflow_imagebuilder.service.request.image_request import UNSUPPORTED_PARAMETERS
from airflow_imagebuilder.service.request.schema import MEMBERS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_imagebuilder.service.request.fields.fields import Shape

ARN_MEMBER = "imagePipelineArn"
"""AWS's name of the member that only a request to start a pipeline has."""

PIPELINE_MEMBERS: Mapping[str, Shape] = {
    "pipeline_arn": ArnText(kind=ImagePipelineArn.KIND, allowed=f"the ARN of {ImagePipelineArn.KIND.noun}"),
    "tags": MEMBERS["tags"],
}
"""Every member of StartImagePipelineExecution except clientToken, each with its bounds."""

NO_OVERRIDES = "a pipeline takes no overrides"
INSTEAD = (
    "change the pipeline itself (UpdateImagePipeline, or your Terraform or CDK code), or build the image "
    "without a pipeline, with ImageBuilderCreateImageOperator"
)


class StartsPipelines(Protocol):
    """What sends the request. The hook has this method."""

    def start_pipeline(self, request: PipelineRequest, client_token: str) -> str:
        """Submit StartImagePipelineExecution; return the ARN of the image."""


def pipeline_faults(
    fields: Mapping[str, object], *, later: Callable[[object], bool] = is_late
) -> tuple[Fault, ...]:
    """Check the members of a request to start a pipeline, and return all that AWS would refuse.

    :param fields: members by the names of :data:`PIPELINE_MEMBERS`; ``None`` and empty text are unset.
    :param later: returns whether a value is not known yet (default: templates and other tasks' outputs).

    .. seealso:: https://docs.aws.amazon.com/imagebuilder/latest/APIReference/API_StartImagePipelineExecution.html
    """
    unknown = [_unknown(name, value) for name, value in fields.items() if name not in PIPELINE_MEMBERS]
    arn, tags = (None if is_blank(fields.get(name)) else fields.get(name) for name in PIPELINE_MEMBERS)
    return (
        *unknown,
        *PIPELINE_MEMBERS["pipeline_arn"].needed("pipeline_arn", arn, later),
        *PIPELINE_MEMBERS["tags"].faults("tags", tags, later),
    )


def no_override(name: str, value: object) -> Fault:
    """Return the fault of a member of CreateImage that was given for a pipeline."""
    return Fault(name, value, f"not with a pipeline: {NO_OVERRIDES}", INSTEAD)


def _unknown(name: object, value: object) -> Fault:
    if name in MEMBERS:
        return no_override(str(name), value)
    if known := UNSUPPORTED_PARAMETERS.get(str(name)):
        return Fault(str(name), value, ", ".join(PIPELINE_MEMBERS), known)
    return unknown_member("", name, value, PIPELINE_MEMBERS)


@refuses_unknown_names(_unknown)
@dataclass(frozen=True, kw_only=True)
class PipelineRequest:
    """Everything that StartImagePipelineExecution takes, except the client token.

    A request is checked when it is made. Members may be Jinja templates or another task's output: those are
    checked once they are known, in the request that the task makes of what they became.

    :param pipeline_arn: the pipeline to start; required.
    :param tags: 1 to 50 tags of the Image Builder image. AWS does not take the ``imageTags`` of the pipeline
        here: those are for its scheduled runs. An AMI gets its tags from the distribution configuration.
    :raises InvalidRequestError: AWS would refuse it; all faults at once.

    .. seealso:: https://docs.aws.amazon.com/imagebuilder/latest/APIReference/API_StartImagePipelineExecution.html
    """

    pipeline_arn: str
    tags: Mapping[str, str] | None = field(default=None, hash=False)

    if TYPE_CHECKING:
        # It takes more than it holds: templates for every member.
        def __init__(self, *, pipeline_arn: str, tags: Mapping[str, str] | str | None = None) -> None: ...

    def __post_init__(self) -> None:
        if faults := pipeline_faults({name: getattr(self, name) for name in PIPELINE_MEMBERS}):
            raise InvalidRequestError(faults)
        tags = None if is_blank(self.tags) else PIPELINE_MEMBERS["tags"].clean(self.tags)
        object.__setattr__(self, "tags", tags)

    def to_api(self) -> dict[str, Any]:
        """Return the parameters of StartImagePipelineExecution, without the client token."""
        made: dict[str, Any] = {ARN_MEMBER: self.pipeline_arn}
        return made if self.tags is None else {**made, "tags": PIPELINE_MEMBERS["tags"].clean(self.tags)}

    @classmethod
    def from_api(cls, mapping: Mapping[str, Any]) -> PipelineRequest:
        """Make a request of the parameters of StartImagePipelineExecution, as :meth:`to_api` returns them.

        :raises InvalidRequestError: AWS would refuse them, or the operation has no such parameter.
        """
        given = {"pipeline_arn" if name == ARN_MEMBER else name: v for name, v in mapping.items()}
        return cls(**given)

    def send(self, images: StartsPipelines, client_token: str) -> str:
        """Submit the request, and return the ARN of the image."""
        return images.start_pipeline(self, client_token)
