"""ApiError: a refusal of the engine, with an AWS error code and a message."""

from __future__ import annotations


class ApiError(Exception):
    """An error answer of the service.

    :param code: AWS's name of the error; the model knows the HTTP status of most.
    :param message: what is wrong, in AWS's wording where it is known.
    :param status: the HTTP status of a code that is not in the model.
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


def unknown_arn(arn: str) -> ApiError:
    """Make the error for an ARN of the right form that names nothing.

    The model of GetImage, CancelImageCreation and DeleteImage does not list this error, but AWS's own
    CloudFormation handlers for images expect it, and so does Terraform's provider.
    """
    return ApiError(
        "ResourceNotFoundException",
        f"The resource ARN '{arn}' does not exist in this account and region.",
        404,
    )


def invalid_value(member: str, why: str) -> ApiError:
    """Make the error for a value that the service does not take, in AWS's own wording."""
    return ApiError(
        "InvalidParameterValueException", f"The value supplied for parameter '{member}' is not valid. {why}"
    )


def invalid_combination(message: str) -> ApiError:
    """Make the error for members that exclude each other."""
    return ApiError("InvalidParameterCombinationException", message)
