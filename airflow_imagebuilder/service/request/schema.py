"""The members of CreateImage and their bounds: AWS's model as a table. A test compares it with botocore's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

from airflow_imagebuilder.service.arns.arns import (
    ContainerRecipeArn,
    DistributionConfigurationArn,
    ImageRecipeArn,
    InfrastructureConfigurationArn,
    WorkflowArn,
)
from airflow_imagebuilder.service.request.fields.fields import (
    ArnText,
    Choice,
    Flag,
    Later,
    ListOf,
    MapOf,
    Number,
    Shape,
    Structure,
    Text,
)
from airflow_imagebuilder.service.request.fields.templates import RENDERED_NONE
from airflow_imagebuilder.service.request.workflows import PARALLEL_GROUP, OnFailure, Workflow, not_a_workflow

if TYPE_CHECKING:
    from airflow_imagebuilder.service.errors import Fault


def _role_hint(text: str) -> str | None:
    if text == "None":
        return RENDERED_NONE
    if ":instance-profile/" in text:
        return "this is an instance profile, which belongs to the infrastructure configuration: give a role"
    if ":assumed-role/" in text:
        return "this is the session of an assumed role: give the role's own ARN, ...:role/<name>"
    return None


def _log_group_hint(text: str) -> str | None:
    return "give the log group's name alone, not its ARN" if text.startswith("arn:") else None


def _repository_hint(text: str) -> str | None:
    if ".dkr.ecr." not in text.split("/", 1)[0]:
        return None
    return f"give the repository's name alone, without the registry: {text.partition('/')[2]!r}"


_WORKFLOW_ARN = ArnText(
    kind=WorkflowArn.KIND, allowed=f"the ARN of a workflow, such as {WorkflowArn.KIND.example()}"
)
_PARAMETER_NAME = Text(
    allowed="1 to 128 characters", pattern=r"[^\x00]+", minimum=1, maximum=128, characters=r"[^\x00]"
)
_PARAMETER_VALUE = ListOf(
    allowed="a list of strings, whatever the type of the parameter in the workflow document",
    member=Text(allowed="any text", pattern=r"[^\x00]*", characters=r"[^\x00]"),
)
_ON_FAILURE = Choice(words=tuple(OnFailure.__members__))

WORKFLOW = Structure(
    allowed="a Workflow, or a mapping with workflowArn, parameters, parallelGroup and onFailure",
    members={
        "workflowArn": _WORKFLOW_ARN,
        "parameters": ListOf(
            allowed="a list of mappings with name and value, one at least",
            member=Structure(
                allowed="a mapping with name and value",
                members={"name": _PARAMETER_NAME, "value": _PARAMETER_VALUE},
                required=("name", "value"),
            ),
            minimum=1,
        ),
        "parallelGroup": PARALLEL_GROUP,
        "onFailure": _ON_FAILURE,
    },
    required=("workflowArn",),
)

_WORKFLOW_OBJECT = Structure(
    allowed=WORKFLOW.allowed,
    members={
        "arn": _WORKFLOW_ARN,
        "parameters": MapOf(
            allowed="a mapping of parameter names to lists of strings",
            key=_PARAMETER_NAME,
            value=_PARAMETER_VALUE,
        ),
        "parallel_group": PARALLEL_GROUP,
        "on_failure": _ON_FAILURE,
    },
    required=("arn",),
)


@dataclass(frozen=True, kw_only=True)
class WorkflowShape(Shape):
    """A workflow: a :class:`Workflow` or AWS's mapping. Faults name its members as the user wrote them."""

    def _faults(self, path: str, value: object, later: Later) -> Iterator[Fault]:
        if isinstance(value, Workflow):
            yield from _WORKFLOW_OBJECT.faults(path, vars(value), later)
        elif isinstance(value, Mapping):
            yield from WORKFLOW.faults(path, value, later)
        else:
            yield not_a_workflow(path, value, self.allowed)

    def clean(self, value: Any) -> Any:
        """Return AWS's mapping; a :class:`Workflow` is returned as it is."""
        return WORKFLOW.clean(value)


class ImageMembers(TypedDict, total=False):
    """The members of CreateImage except ``workflows``, as they may be given; templates are texts.

    :class:`~airflow_imagebuilder.service.request.image_request.ImageRequest` documents each of them.
    """

    infrastructure_configuration_arn: str | None
    image_recipe_arn: str | None
    container_recipe_arn: str | None
    distribution_configuration_arn: str | None
    image_tests_configuration: Mapping[str, Any] | str | None
    enhanced_image_metadata_enabled: bool | str | None
    image_scanning_configuration: Mapping[str, Any] | str | None
    execution_role: str | None
    logging_configuration: Mapping[str, Any] | str | None
    tags: Mapping[str, str] | str | None


class CreateImageMembers(ImageMembers, total=False):
    """All members of CreateImage, as they may be given."""

    workflows: Sequence[Workflow | Mapping[str, Any] | str] | str | None


MEMBERS: dict[str, Shape] = {
    "infrastructure_configuration_arn": ArnText(kind=InfrastructureConfigurationArn.KIND),
    "image_recipe_arn": ArnText(kind=ImageRecipeArn.KIND),
    "container_recipe_arn": ArnText(kind=ContainerRecipeArn.KIND),
    "distribution_configuration_arn": ArnText(kind=DistributionConfigurationArn.KIND),
    "image_tests_configuration": Structure(
        allowed="a mapping with imageTestsEnabled and timeoutMinutes",
        members={
            "imageTestsEnabled": Flag(),
            "timeoutMinutes": Number(allowed="60 to 1440 minutes", minimum=60, maximum=1440),
        },
    ),
    "enhanced_image_metadata_enabled": Flag(),
    "image_scanning_configuration": Structure(
        allowed=(
            "a mapping with imageScanningEnabled, ecrConfiguration, "
            "imageScanningTypes and scanResultCondition"
        ),
        members={
            "imageScanningEnabled": Flag(),
            # An older botocore lacks these two: aws_model.py.
            "imageScanningTypes": ListOf(
                allowed="a list of one scan type",
                member=Choice(words=("TEST_INSTANCE_CVE", "ON_DEMAND_AMI_CVE")),
                minimum=1,
                maximum=1,
            ),
            "scanResultCondition": Structure(
                allowed="a mapping with maximumSeverityLabel and fixAvailable",
                members={
                    "maximumSeverityLabel": Choice(
                        allowed="INFORMATIONAL, LOW, MEDIUM or HIGH",
                        words=("INFORMATIONAL", "LOW", "MEDIUM", "HIGH"),
                    ),
                    "fixAvailable": Flag(),
                },
                required=("maximumSeverityLabel",),
            ),
            "ecrConfiguration": Structure(
                allowed="a mapping with repositoryName and containerTags",
                members={
                    "repositoryName": Text(
                        allowed="the name of an ECR repository of this account, 1 to 1024 characters",
                        minimum=1,
                        maximum=1024,
                        hint=_repository_hint,
                    ),
                    "containerTags": ListOf(
                        allowed="a list of tags",
                        member=Text(allowed="1 to 1024 characters", minimum=1, maximum=1024),
                    ),
                },
            ),
        },
    ),
    "workflows": ListOf(allowed="a list of workflows", member=WorkflowShape(allowed=WORKFLOW.allowed)),
    "execution_role": Text(
        allowed="the name or ARN of an IAM role, 1 to 2048 characters",
        pattern=r"^(?:arn:aws(?:-[a-z]+)*:iam::[0-9]{12}:role/)?[a-zA-Z_0-9+=,.@\-_/]+$",
        minimum=1,
        maximum=2048,
        characters=r"[a-zA-Z_0-9+=,.@\-_/:]",
        hint=_role_hint,
        otherwise="write the role's name, or arn:<partition>:iam::<account>:role/<name>",
    ),
    "logging_configuration": Structure(
        allowed="a mapping with logGroupName",
        members={
            "logGroupName": Text(
                allowed="the name of a CloudWatch log group, 1 to 512 of a-z, A-Z, 0-9, -, _, / and .",
                pattern=r"^[a-zA-Z0-9\-_/\.]{1,512}$",
                minimum=1,
                maximum=512,
                characters=r"[a-zA-Z0-9\-_/.]",
                hint=_log_group_hint,
            )
        },
    ),
    "tags": MapOf(
        allowed="1 to 50 tags",
        key=Text(
            allowed="keys of 1 to 128 letters, digits, spaces and _ . : / = + - @, not beginning with aws:",
            pattern=r"^(?!aws:)[a-zA-Z0-9\s_.:/=+\-@]*$",
            minimum=1,
            maximum=128,
            characters=r"[a-zA-Z0-9\s_.:/=+\-@]",
            otherwise="take another key: those that begin with aws: belong to AWS",
        ),
        value=Text(allowed="values of at most 256 characters", maximum=256),
        minimum=1,
        maximum=50,
    ),
}
"""Every member of CreateImage except clientToken, each with its bounds, in the order of ImageRequest."""
