"""Two ways to Airflow's REST API (``/api/v2``): an address, or the name of an Amazon MWAA environment."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol

import httpx

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMEOUT = 30.0
"""Seconds to wait for an answer of an Airflow server."""

LONGEST_MWAA_PATH = 64
"""
Characters of a path that AWS accepts. The path of a run is often longer, so a run is never read by its path.

.. seealso:: https://docs.aws.amazon.com/mwaa/latest/API/API_InvokeRestApi.html
"""


_MISSING = ". The caller needs airflow:InvokeRestApi (docs/mwaa.md, Clean-up)."

_WITHOUT_TOKEN = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
"""What Airflow answers to a missing token, and to one that has expired."""


class ApiError(RuntimeError):
    """
    Airflow refused a call, or did not answer.

    :param status: HTTP status; ``None`` if there was no answer of Airflow.
    :param detail: what Airflow answered.
    """

    def __init__(self, message: str, status: int | None = None, detail: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.detail = detail


class Api(Protocol):
    """Airflow's REST API."""

    def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Any:
        """
        Send one request and return the JSON of its answer; ``None`` for an empty one.

        :param path: below ``/api/v2``, e.g. ``/variables``.
        :raises ApiError: Airflow answered an error, or something else than JSON, or nothing.
        """


class AirflowServer:
    """
    The API of an Airflow by its address.

    :param url: e.g. ``https://airflow.example.com``, without ``/api/v2``.
    :param username: a user who may read Dags, runs and tasks, and read and delete Variables.
    :param password: of that user. ``POST /auth/token`` exchanges both for a token.
    :param token: a token instead of user and password.
    :param transport: carries the requests; the network by default.
    """

    def __init__(
        self,
        url: str,
        *,
        username: str | None = None,
        password: str | None = None,
        token: str | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._url = url.rstrip("/")
        self._login = {"username": username, "password": password} if username else None
        self._http = httpx.Client(timeout=TIMEOUT, transport=transport)
        if token:
            self._http.headers["Authorization"] = f"Bearer {token}"

    def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Any:
        """Send one request, as :meth:`Api.call` says. A token that has expired is renewed once."""
        answer = self._send(method, f"/api/v2{path}", params=params, json=body)
        if answer.status_code in _WITHOUT_TOKEN and self._login:
            self._log_in()
            answer = self._send(method, f"/api/v2{path}", params=params, json=body)
        return self._json(answer)

    def _log_in(self) -> None:
        answer = self._json(self._send("POST", "/auth/token", json=self._login))
        try:
            self._http.headers["Authorization"] = f"Bearer {answer['access_token']}"
        except (KeyError, TypeError) as error:
            raise ApiError(f"POST {self._url}/auth/token: the answer has no access_token") from error

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            given = {key: value for key, value in options.items() if value is not None}
            return self._http.request(method, f"{self._url}{path}", **given)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ApiError(f"{method} {self._url}{path}: {str(error) or type(error).__name__}") from error

    @staticmethod
    def _json(answer: httpx.Response) -> Any:
        call = f"{answer.request.method} {answer.request.url}"
        if not answer.is_success:
            raise _refused(call, answer.status_code, answer.text)
        try:
            return answer.json() if answer.content else None
        except ValueError as error:
            raise ApiError(f"{call}: the answer is not JSON; is this the address of an Airflow?") from error


class MwaaEnvironment:
    """
    The API of an Amazon MWAA environment, with AWS credentials: ``InvokeRestApi``.

    The caller needs ``airflow:InvokeRestApi`` on the environment, for an Airflow role that may delete
    Variables. This class has not been run against a real environment.

    :param name: of the environment.
    :param region_name: its region; ``None`` (default) takes that of boto3.
    :param client: a boto3 client of ``mwaa``, instead of one with boto3's own chain of credentials.

    .. seealso:: https://docs.aws.amazon.com/mwaa/latest/userguide/access-mwaa-apache-airflow-rest-api.html
    """

    def __init__(self, name: str, *, region_name: str | None = None, client: Any = None) -> None:
        self._name = name
        self._region = region_name
        self._client = client

    def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Any:
        """Send one request, as :meth:`Api.call` says."""
        from botocore.exceptions import BotoCoreError, ClientError

        call = f"{method} {path} on {self._name}"
        if len(path) > LONGEST_MWAA_PATH:
            raise ApiError(f"{call}: AWS takes paths of at most {LONGEST_MWAA_PATH} characters")
        request = {"Name": self._name, "Path": path, "Method": method}
        options = {"QueryParameters": params, "Body": body}
        try:
            answer = self._mwaa().invoke_rest_api(**request, **{k: v for k, v in options.items() if v})
        except ClientError as error:
            refusal: Mapping[str, Any] = error.response
            if "RestApiStatusCode" not in refusal:
                forbidden = refusal.get("ResponseMetadata", {}).get("HTTPStatusCode") == HTTPStatus.FORBIDDEN
                raise ApiError(f"{call}: {error}{_MISSING if forbidden else ''}") from error
            text = _text(refusal.get("RestApiResponse"))
            raise _refused(call, int(refusal["RestApiStatusCode"]), text) from error
        except BotoCoreError as error:
            raise ApiError(f"{call}: {error}") from error
        status = int(answer.get("RestApiStatusCode") or HTTPStatus.OK)
        if status >= HTTPStatus.MULTIPLE_CHOICES:
            raise _refused(call, status, _text(answer.get("RestApiResponse")))
        return answer.get("RestApiResponse")

    def _mwaa(self) -> Any:
        if self._client is None:
            import boto3

            connect: Any = boto3.client  # (its stubs know a service by its literal name only)
            self._client = connect("mwaa", region_name=self._region)
        return self._client


def _refused(call: str, status: int, text: str) -> ApiError:
    return ApiError(f"{call}: {status} {text[:300]}".rstrip(), status, text)


def _text(document: Any) -> str:
    return "" if document is None else str(document)
