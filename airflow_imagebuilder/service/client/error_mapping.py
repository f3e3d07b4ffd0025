"""Error mapping: the one place that knows the names of botocore's exceptions and of AWS's error codes."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder import aws_model
from airflow_imagebuilder.service.client.answers import api_name
from airflow_imagebuilder.service.errors import (
    AwsError,
    Fault,
    ForbiddenError,
    ImageBuilderError,
    InvalidRequestError,
    NotFoundError,
    ParametersChangedError,
    QuotaExceededError,
    RefusedError,
    ThrottledError,
    TransientError,
)
from airflow_imagebuilder.service.text import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.exceptions import ClientError

EXPIRED_CODES = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "UnrecognizedClientException"}
)
"""Codes for credentials that have expired or were just rotated: the next client may have better ones.
UnrecognizedClientException is also AWS's answer to a wrong key, so it is retried for a limited time."""

_READ = 5000
"""Characters of a message that are searched for words."""

# Image Builder models only the first two; AWS's front end may answer with the others for any service.
_THROTTLE_CODES = frozenset(
    {
        "CallRateLimitExceededException",
        "TooManyRequestsException",
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "PriorRequestNotComplete",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
    }
)
_TRANSIENT_CODES = EXPIRED_CODES | {
    "InternalError",
    "InternalFailure",
    "RequestTimeout",
    "RequestTimeoutException",
    "ServiceException",
    "ServiceUnavailable",
    "ServiceUnavailableException",
}
_FORBIDDEN_CODES = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthFailure",
        "ForbiddenException",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "OptInRequired",
        "SignatureDoesNotMatch",
        "UnauthorizedOperation",
    }
)
_CODES: dict[str, type[AwsError]] = {
    **dict.fromkeys(_THROTTLE_CODES, ThrottledError),
    **dict.fromkeys(_TRANSIENT_CODES, TransientError),
    **dict.fromkeys(_FORBIDDEN_CODES, ForbiddenError),
    "ServiceQuotaExceededException": QuotaExceededError,
    "ResourceNotFoundException": NotFoundError,
    "InvalidAMIID.NotFound": NotFoundError,
    "IdempotentParameterMismatch": ParametersChangedError,
    "IdempotentParameterMismatchException": ParametersChangedError,
}
_STATUSES: dict[int, type[AwsError]] = {
    401: ForbiddenError,
    402: QuotaExceededError,
    403: ForbiddenError,
    404: NotFoundError,
    407: ForbiddenError,  # of a proxy
    408: TransientError,
    429: ThrottledError,
}
# ResourceNotFoundException is not modelled on GetImage, CreateImage, CancelImageCreation and RetryImage.
# There the words of the message decide, but only under these codes, which leave it open.
_OPEN_CODES = frozenset(
    {
        "400",
        "BadRequestException",
        "ClientException",
        "InvalidParameterException",
        "InvalidParameterValueException",
        "InvalidRequestException",
        "Unknown",
        "ValidationException",
    }
)
_UNMODELLED_NOT_FOUND = re.compile(
    r"(?:does not|doesn't) exist|(?:not|cannot be|could not be|couldn't be) found|no such", re.IGNORECASE
)
# A wrong clock, or a process that was suspended between signing and sending: the key may be good.
_CLOCK_CODES = frozenset({"RequestInTheFuture", "RequestTimeTooSkewed"})
_CLOCK = re.compile(r"signature (?:has )?expired|signature not yet current", re.IGNORECASE)
_SIGNATURE_CODES = frozenset({"InvalidSignatureException", "SignatureDoesNotMatch", "AccessDenied"})
# A CA bundle that is missing or cannot be read: no later call finds it.
_NO_FILE = (FileNotFoundError, IsADirectoryError, NotADirectoryError)
_NO_TRUST = re.compile(
    r"CERTIFICATE_VERIFY_FAILED|CA certificate bundle|NO_CERTIFICATE_OR_CRL_FOUND|PEM lib", re.IGNORECASE
)
_TRUST = " (a CA bundle is named by the connection's verify or by AWS_CA_BUNDLE)"
# Names instead of classes: this module must not load botocore or aiohttp.
_FORBIDDEN_NAMES = frozenset(
    {
        "BaseEndpointResolverError",
        "EndpointProviderError",
        "InvalidRegionError",
        "LoginError",
        "NoAuthTokenError",
        "NoCredentialsError",
        "PartialCredentialsError",
        "ProfileNotFound",
        "SSOError",
        "TokenRetrievalError",
        "UnknownRegionError",
        "UnknownServiceError",
    }
)
_TRANSIENT_NAMES = frozenset(
    {
        "ConnectionError",  # botocore's own class, which is not an OSError
        "CredentialRetrievalError",
        "HTTPClientError",
        "IncompleteReadError",
        "MetadataRetrievalError",
        "ResponseParserError",
        "ClientError",  # aiohttp's; botocore's comes with an answer
    }
)


def translate(error: BaseException, operation: str) -> ImageBuilderError:
    """
    Return the error of this package for an exception of a call.

    :param error: the exception that botocore, aiobotocore, aiohttp or the socket raised.
    :param operation: botocore's or AWS's name of the operation.
    :return: an :class:`ImageBuilderError` with ``error`` as its cause. An ImageBuilderError is returned as it
        is.
    """
    if isinstance(error, ImageBuilderError):
        return error
    names = {cls.__name__ for cls in type(error).__mro__}
    translated: ImageBuilderError
    if "ClientError" in names and hasattr(error, "response"):
        translated = _from_answer(error, api_name(operation))  # type: ignore[arg-type]
    elif "ParamValidationError" in names:
        translated = InvalidRequestError(faults=(_invalid(error, api_name(operation)),))
    else:
        translated = _without_answer(error, names, api_name(operation))
    translated.__cause__ = error
    return translated


def _from_answer(error: ClientError, operation: str) -> AwsError:
    details: Mapping[str, Any] = error.response.get("Error", {})
    metadata: Mapping[str, Any] = error.response.get("ResponseMetadata", {})
    code, message = str(details.get("Code") or "Unknown"), str(details.get("Message") or error)
    status = metadata.get("HTTPStatusCode")
    return _kind(code, status, message)(
        operation=operation,
        code=code,
        status=status,
        message=message,
        request_id=metadata.get("RequestId"),
    )


def _kind(code: str, status: int | None, message: str) -> type[AwsError]:
    if code in _CLOCK_CODES or (code in _SIGNATURE_CODES and _CLOCK.search(message[:_READ])):
        return TransientError
    if code in _CODES:
        return _CODES[code]
    if status in _STATUSES:
        return _STATUSES[status]
    if status is not None and status >= 500:  # noqa: PLR2004 (HTTP's own number)
        return TransientError
    missing = code in _OPEN_CODES and _UNMODELLED_NOT_FOUND.search(message[:_READ])
    return NotFoundError if missing else RefusedError


def _without_answer(error: BaseException, names: set[str], operation: str) -> AwsError:
    kind: type[AwsError] = AwsError
    message = str(error) or "no answer in time"
    # botocore's HTTPClientError holds its HTTP client's exception as an argument, not always as its cause.
    cause = getattr(error, "kwargs", {}).get("error") or error
    if isinstance(cause, _NO_FILE) or _NO_TRUST.search(message[:_READ]):
        kind, message = ForbiddenError, one_line(message, 600) + _TRUST
    elif names & _FORBIDDEN_NAMES:
        kind = ForbiddenError
    elif names & _TRANSIENT_NAMES or isinstance(error, (OSError, asyncio.TimeoutError)):
        kind = TransientError
    return kind(operation=operation, code=type(error).__name__, message=message)


def _invalid(error: BaseException, operation: str) -> Fault:
    return Fault(
        field=operation,
        value=one_line(error),
        allowed=f"what the model of the installed botocore ({aws_model.installed()}) allows",
        remedy=f"correct the parameters; if AWS documents them as they are, {aws_model.UPGRADE}",
    )
