"""What the exceptions of botocore, aiohttp and the socket become in this package's tree of errors."""

from __future__ import annotations

import asyncio
import pickle

import aiohttp
import pytest
from botocore import exceptions as botocore
from botocore.parsers import ResponseParserError

from airflow_imagebuilder.service.client.error_mapping import translate
from airflow_imagebuilder.service.errors import (
    AwsError,
    ForbiddenError,
    ImageBuilderError,
    NotFoundError,
    RefusedError,
    ThrottledError,
    TransientError,
)
from tests.support.clockwork import client_error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (botocore.NoCredentialsError(), ForbiddenError),
        (botocore.PartialCredentialsError(provider="env", cred_var="key"), ForbiddenError),
        (botocore.ProfileNotFound(profile="x"), ForbiddenError),
        (botocore.NoRegionError(), ForbiddenError),
        (botocore.UnknownRegionError(region_name="x", error_msg="no"), ForbiddenError),
        (botocore.EndpointProviderError(msg="no"), ForbiddenError),
        (botocore.UnauthorizedSSOTokenError(), ForbiddenError),
        (botocore.SSLError(endpoint_url="x", error=OSError("CERTIFICATE_VERIFY_FAILED")), ForbiddenError),
        (botocore.SSLError(endpoint_url="x", error=OSError("EOF")), TransientError),
        (botocore.CredentialRetrievalError(provider="sts", error_msg="timeout"), TransientError),
        (botocore.ReadTimeoutError(endpoint_url="x"), TransientError),
        (botocore.ConnectTimeoutError(endpoint_url="x"), TransientError),
        (botocore.ConnectionClosedError(endpoint_url="x"), TransientError),
        (botocore.ProxyConnectionError(proxy_url="x"), TransientError),
        (botocore.HTTPClientError(error="x"), TransientError),
        (botocore.IncompleteReadError(actual_bytes=1, expected_bytes=2), TransientError),
        (aiohttp.ClientPayloadError(), TransientError),
        (aiohttp.ServerDisconnectedError(), TransientError),
        (asyncio.TimeoutError(), TransientError),
        (ConnectionResetError(), TransientError),
        (client_error("Unknown", 429), ThrottledError),
        (client_error("Unknown", 504), TransientError),
        (client_error("UnrecognizedClientException", 403), TransientError),
        (client_error("Unknown", 401), ForbiddenError),
        (client_error("InvalidRequestException", 400, message="Image x does not exist."), NotFoundError),
        (client_error("InvalidParameterValueException", 400, message="cannot be found"), NotFoundError),
        (client_error("InvalidRequestException", 400, message="is not an ARN"), RefusedError),
        (client_error("ResourceInUseException", 400, message="no such moment"), RefusedError),
        (client_error("ServiceUnavailable", 400), TransientError),
        (client_error("RequestTimeTooSkewed", 403), TransientError),
        (
            client_error("InvalidSignatureException", 403, message="Signature expired: a is now b"),
            TransientError,
        ),
        (client_error("SignatureDoesNotMatch", 403, message="Signature not yet current: a"), TransientError),
        (client_error("SignatureDoesNotMatch", 403, message="Check your secret key"), ForbiddenError),
        (client_error("407", 407), ForbiddenError),
        (OSError("Could not find a suitable TLS CA certificate bundle, invalid path: /x"), ForbiddenError),
        (FileNotFoundError(2, "No such file or directory"), ForbiddenError),
        (botocore.HTTPClientError(error=FileNotFoundError(2, "No such file or directory")), ForbiddenError),
        (botocore.HTTPClientError(error=OSError("[X509: NO_CERTIFICATE_OR_CRL_FOUND]")), ForbiddenError),
        (botocore.HTTPClientError(error=OSError("reset by peer")), TransientError),
        (ZeroDivisionError(), AwsError),
    ],
    ids=lambda value: (
        f"{type(value).__name__}: {value}"[:60] if isinstance(value, Exception) else value.__name__
    ),
)
def test_every_error_has_its_place_in_the_tree(error: Exception, kind: type[ImageBuilderError]) -> None:
    translated = translate(error, "get_image")
    assert type(translated) is kind
    assert translated.__cause__ is error
    assert "GetImage" in str(translated)
    assert translate(translated, "another_one") is translated
    assert str(pickle.loads(pickle.dumps(translated))) == str(translated)


@pytest.mark.parametrize(
    "error",
    [
        ResponseParserError("Unable to parse response, invalid JSON: " + "<html>\x1b[31m" * 100_000),
        client_error("Weird", 400, message="m\x1b[31m" * 100_000),
        client_error("Weird\x1b[31m" * 1000, 400, message="no"),
        botocore.ParamValidationError(report="x\n" * 100_000),
        OSError("no\x1b[31m" * 100_000),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_came_in_place_of_an_answer_is_short_and_clean(error: Exception) -> None:
    message = str(translate(error, "get_image"))
    assert len(message) < 1500
    assert message.replace("\n", "").isprintable()


def test_a_missing_ca_bundle_says_where_it_is_named() -> None:
    error = botocore.HTTPClientError(error=FileNotFoundError(2, "No such file or directory"))
    assert "AWS_CA_BUNDLE" in str(translate(error, "get_image"))
