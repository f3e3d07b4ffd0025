"""What a request needs and the installed boto3 lacks: refused before anything is sent."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder import aws_model
from airflow_imagebuilder.service.client.answers import api_name
from airflow_imagebuilder.service.errors import Fault, OutdatedBoto3Error

if TYPE_CHECKING:
    from collections.abc import Mapping

_NUMBER = re.compile(r"\[\d+\]")


def method_of(client: Any, operation: str) -> Any:
    """
    Return the method of a client for an operation.

    :param client: a boto3 or aiobotocore client.
    :param operation: botocore's method name, for example ``retry_image``.
    :raises OutdatedBoto3Error: the client's model has no such operation.
    """
    method = getattr(client, operation, None)
    if method is None:
        name = api_name(operation)
        value = f"boto3 {aws_model.installed()}"
        raise OutdatedBoto3Error([Fault(name, value, aws_model.needed(name), aws_model.UPGRADE)])
    return method


def check_members(client: Any, operation: str, params: Mapping[str, Any]) -> None:
    """
    Check that the model of a client has every member of a request.

    :param client: a boto3 client.
    :param operation: AWS's name, for example ``CreateImage``.
    :param params: the parameters of the operation, as AWS names them.
    :raises OutdatedBoto3Error: it lacks some of them; the error names all.
    """
    faults = [
        Fault(
            _as_written(path),
            value,
            f"not with boto3 {aws_model.installed()}: {aws_model.needed(_fact(operation, path))}",
            f"{aws_model.UPGRADE}, or leave this member out",
        )
        for path, value in aws_model.unknown_members(client, operation, params)
    ]
    if faults:
        raise OutdatedBoto3Error(faults)


def check_list_of_the_account(client: Any) -> None:
    """
    Check that a client can list the images of the account.

    :param client: a boto3 or aiobotocore client.
    :raises OutdatedBoto3Error: its ListImageBuildVersions takes the builds of one version only.
    """
    if not aws_model.can_list_the_account(client):
        value = f"boto3 {aws_model.installed()}"
        needed = aws_model.needed(aws_model.LIST_OF_THE_ACCOUNT)
        raise OutdatedBoto3Error([Fault(aws_model.LIST_OF_THE_ACCOUNT, value, needed, aws_model.UPGRADE)])


def _fact(operation: str, path: str) -> str:
    return f"{operation}.{_NUMBER.sub('', path)}"


def _as_written(path: str) -> str:
    """Return a member's path with its first name as the operators take it: ``logging_configuration``."""
    head = re.match(r"\w*", path)
    name = head[0] if head else ""
    return re.sub("([A-Z])", lambda found: f"_{found[1].lower()}", name) + path[len(name) :]
