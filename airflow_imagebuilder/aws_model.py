"""
What the installed botocore's model of Image Builder has. No other module asks for a version of botocore.

==========  ==========================================================================================
since       the model has
==========  ==========================================================================================
1.40.36     ListImageBuildVersions without ``imageVersionArn``
1.40.41     ``loggingConfiguration`` of CreateImage, ``tags`` of StartImagePipelineExecution
1.41.1      RetryImage, and ``retried`` of workflow executions
1.43.94     ``failureContext`` of images: an older botocore drops it from every answer
1.43.120    GetImageFindings of EC2
1.43.122    ``imageScanningTypes`` and ``scanResultCondition`` of CreateImage
==========  ==========================================================================================

What a model lacks is probed, not derived from these numbers: they are only for messages.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

RETRY_IMAGE = "RetryImage"
FAILURE_CONTEXT = "failureContext"
LIST_OF_THE_ACCOUNT = "ListImageBuildVersions without imageVersionArn"

_SINCE = {
    LIST_OF_THE_ACCOUNT: "1.40.36",
    RETRY_IMAGE: "1.41.1",
    FAILURE_CONTEXT: "1.43.94",
    "CreateImage.loggingConfiguration": "1.40.41",
    "StartImagePipelineExecution.tags": "1.40.41",
    "GetImageFindings": "1.43.120",
    "CreateImage.imageScanningConfiguration.imageScanningTypes": "1.43.122",
    "CreateImage.imageScanningConfiguration.scanResultCondition": "1.43.122",
}
"""The first version of botocore that has each of these (read from the models of its releases)."""

UPGRADE = "install a newer boto3, with an aiobotocore that fits it (docs/airflow-versions.md, boto3)"


def installed() -> str:
    """Return the version of botocore that is installed."""
    import botocore

    return str(botocore.__version__)


def needed(what: str) -> str:
    """
    Return which boto3 has something that the installed one lacks. It has the version of its botocore.

    :param what: one of the constants of this module, or a member as ``CreateImage.loggingConfiguration``.
    :return: for example ``boto3 1.41.1 or newer``.
    """
    since = _SINCE.get(what)
    return f"boto3 {since} or newer" if since else "a newer boto3"


def lack(what: str) -> str:
    """Return the text ``X needs boto3 N or newer (M is installed): what to do``, without a full stop."""
    return f"{what} needs {needed(what)} ({installed()} is installed): {UPGRADE}"


@cache
def has_retry_image() -> bool:
    """Return whether the installed botocore has RetryImage. The first call reads its model."""
    return RETRY_IMAGE in _model().operation_names


@cache
def has_failure_context() -> bool:
    """Return whether the installed botocore keeps ``failureContext`` of an image's state."""
    return FAILURE_CONTEXT in _model().shape_for("ImageState").members


@cache
def has_scan_types() -> bool:
    """Return whether the installed botocore keeps ``imageScanningTypes`` in its answers."""
    return "imageScanningTypes" in _model().shape_for("ImageScanningConfiguration").members


def _model() -> Any:
    import botocore.session

    return botocore.session.get_session().get_service_model("imagebuilder")


def can_list_the_account(client: Any) -> bool:
    """Return whether the model of a client has ListImageBuildVersions without ``imageVersionArn``."""
    shape = client.meta.service_model.operation_model("ListImageBuildVersions").input_shape
    return "imageVersionArn" not in shape.required_members


def unknown_members(client: Any, operation: str, params: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """
    Yield the members of a request that the model of a client lacks, at any depth.

    :param client: a boto3 client.
    :param operation: AWS's name, for example ``CreateImage``.
    :param params: the parameters of the operation, as AWS names them.
    :return: each member's path, for example ``workflows[0].parallelGroup``, with its value.
    """
    return _unknown(client.meta.service_model.operation_model(operation).input_shape, params, "")


def _unknown(shape: Any, value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if shape.type_name == "structure" and isinstance(value, dict):
        for name, member in value.items():
            inner = f"{path}.{name}" if path else name
            if name in shape.members:
                yield from _unknown(shape.members[name], member, inner)
            else:
                yield inner, member
    elif shape.type_name == "list" and isinstance(value, list):
        for number, item in enumerate(value):
            yield from _unknown(shape.member, item, f"{path}[{number}]")
