"""Codec: rest-json from botocore's model of the service: routes, requests, validation, answers and errors.

The model gives every operation an address of its own, except those on tags, and every member has the same
name in HTTP as in the API. So no operation needs code of its own here.
"""

from __future__ import annotations

import json
import re
import uuid
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from botocore.validate import ParamValidator

from airflow_imagebuilder.local.emulator.engine import ApiError, guesses, invalid_value
from airflow_imagebuilder.local.emulator.http import model

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_imagebuilder.local.emulator.engine import Doc

_TAGS = "/tags/"
#: The end of the year 8999, in seconds since the epoch.
LAST_MOMENT = 221_845_391_999
#: The HTTP status of errors that AWS services answer although their models do not list them.
UNMODELLED = {
    "ExpiredTokenException": 403,
    "ExpiredToken": 403,
    "UnrecognizedClientException": 403,
    "InvalidClientTokenId": 403,
    "AccessDenied": 403,
    "MissingAuthenticationTokenException": 403,
    "ThrottlingException": 429,
    "Throttling": 429,
    "RequestLimitExceeded": 503,
    "InternalFailure": 500,
    "InternalServerError": 500,
    "ServiceUnavailable": 503,
    "UnknownOperationException": 404,
    "IncompleteSignatureException": 403,
}


class Codec:
    """Translates HTTP requests into dictionaries, and answers and errors into HTTP."""

    def __init__(self) -> None:
        self._model = model.load()
        self._validator = ParamValidator()
        self._operations: dict[str, Any] = {}
        self._routes: dict[tuple[str, str], str] = {}
        for name in self._model.operation_names:
            operation = self._model.operation_model(name)
            self._operations[name] = operation
            address = operation.http["requestUri"].split("{")[0]
            self._routes[operation.http["method"], address] = name
        self._with_id = {n for n, o in self._operations.items() if "requestId" in o.output_shape.members}

    @property
    def operations(self) -> frozenset[str]:
        """The names of all operations of the model."""
        return frozenset(self._operations)

    def members(self, operation: str) -> frozenset[str]:
        """Return the members of an operation's request."""
        return frozenset(self._operations[operation].input_shape.members)

    def route(self, method: str, path: str) -> str | None:
        """Return the operation at an address; None without one."""
        if path.startswith(_TAGS):
            path = _TAGS
        return self._routes.get((method, path))

    def is_address(self, path: str) -> bool:
        """Whether an operation has this address, with whatever method; the one of tags does not count."""
        return path != _TAGS and any(path == address for _, address in self._routes)

    def parse(self, operation: str, path: str, query: bytes, body: bytes) -> Doc:
        """Read the parameters of a request from path, query and body.

        Members that the model does not have, and members without a value, do not count, as on AWS's servers:
        a newer SDK sends members that this model lacks.

        :raises ApiError: the body is not a JSON object.
        """
        shape = self._operations[operation].input_shape
        params: Doc = _known(_body(body), shape) if body else {}
        given = parse_qs(query.decode("utf-8", "replace"), keep_blank_values=True) if query else {}
        for name, values in given.items():
            member = shape.members.get(name)
            if member is not None:
                params[name] = values if member.type_name == "list" else _converted(values[0], member)
        if path.startswith(_TAGS):
            params["resourceArn"] = path[len(_TAGS) :]
        return params

    def validate(self, operation: str, params: Doc) -> None:
        """Check a request against the model: required members, types, lengths, patterns and enumerations.

        :raises ApiError: the request does not fit the model; the error names the first fault.
        """
        shape = self._operations[operation].input_shape
        report = self._validator.validate(params, shape)
        if report.has_errors():
            raise ApiError(guesses.MALFORMED_REQUEST, report.generate_report())
        for member, why in _faults(params, shape, ""):
            raise invalid_value(member, why)

    def answer(self, operation: str, doc: Doc) -> bytes:
        """Write an answer."""
        if operation in self._with_id:
            doc = {"requestId": str(uuid.uuid4()), **doc}
        return json.dumps(doc, separators=(",", ":")).encode()

    def status_of(self, error: ApiError) -> int:
        """Return the HTTP status of an error."""
        if error.code in UNMODELLED:
            return UNMODELLED[error.code]
        modelled = self._errors().get(error.code)
        return error.status if modelled is None else modelled

    @lru_cache(maxsize=1)  # noqa: B019  (a codec lives as long as its process)
    def _errors(self) -> dict[str, int]:
        shapes = self._model.error_shapes
        return {shape.name: int(shape.metadata["error"]["httpStatusCode"]) for shape in shapes}

    def error(self, error: ApiError) -> tuple[int, bytes, list[tuple[bytes, bytes]]]:
        """Write an error in rest-json.

        :return: status, body and headers.
        """
        body = json.dumps({"__type": error.code, "message": error.message}).encode()
        return self.status_of(error), body, [(b"x-amzn-errortype", error.code.encode())]

    def check_answer(self, operation: str, doc: Doc) -> list[str]:
        """Check an answer against the model; used by tests.

        :return: the faults, empty if it fits.
        """
        shape = self._operations[operation].output_shape
        report = self._validator.validate(doc, shape)
        faults = [report.generate_report()] if report.has_errors() else []
        return faults + [f"{member}: {why}" for member, why in _faults(doc, shape, "")]


def _body(body: bytes) -> Doc:
    try:
        doc = json.loads(body, parse_constant=_no_number)
    except ValueError as error:
        raise ApiError("SerializationException", f"The body is not JSON: {error}") from error
    except RecursionError as error:
        raise ApiError("SerializationException", "The body is nested too deeply.") from error
    if not isinstance(doc, dict):
        raise ApiError("SerializationException", "The body is not a JSON object.")
    return doc


def _no_number(constant: str) -> Any:
    raise ValueError(f"{constant} is not a number")


def _known(value: Any, shape: Any) -> Any:
    """Return a value without the members that the model lacks, and without those that are null."""
    kind = shape.type_name
    if kind == "structure" and isinstance(value, dict):
        return {
            name: _known(member, shape.members[name])
            for name, member in value.items()
            if name in shape.members and member is not None
        }
    if kind == "list" and isinstance(value, list):
        return [_known(item, shape.member) for item in value]
    if kind == "map" and isinstance(value, dict):
        return {name: _known(item, shape.value) for name, item in value.items() if item is not None}
    return _moment(value) if kind == "timestamp" else value


def _moment(value: Any) -> float:
    """Return a moment: JSON has it in seconds since the epoch.

    :raises ApiError: it is something else, or after the last year of any calendar.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= LAST_MOMENT:
        raise ApiError("SerializationException", "A timestamp is a number of seconds since the epoch.")
    return float(value)


def _converted(text: str, shape: Any) -> Any:
    """Return a value of the query in the type of its member."""
    if shape.type_name in ("integer", "long") and re.fullmatch(r"-?[0-9]{1,18}", text):
        return int(text)
    return {"true": True, "false": False}.get(text, text) if shape.type_name == "boolean" else text


@lru_cache(maxsize=512)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text)


def _faults(value: Any, shape: Any, where: str) -> Iterator[tuple[str, str]]:
    """Check what botocore's own validator does not: maximum, pattern, enumeration."""
    type_name = shape.type_name
    if type_name == "structure":
        for name, member in value.items():
            yield from _faults(member, shape.members[name], f"{where}.{name}".lstrip("."))
    elif type_name == "list":
        yield from _size(value, shape.metadata, where)
        for index, member in enumerate(value):
            yield from _faults(member, shape.member, f"{where}[{index}]")
    elif type_name == "map":
        yield from _size(value, shape.metadata, where)
        for name, member in value.items():
            yield from _faults(name, shape.key, where)
            yield from _faults(member, shape.value, f"{where}.{name}")
    elif type_name == "string":
        yield from _text(value, shape, where)
    elif type_name in ("integer", "long"):
        most = shape.metadata.get("max")
        if most is not None and value > most:
            yield where, f"'{value}' must be at most {most}."


def _size(value: Any, metadata: Mapping[str, Any], where: str) -> Iterator[tuple[str, str]]:
    least, most = metadata.get("min", 0), metadata.get("max")
    if len(value) < least:
        yield where, f"It must have at least {least} members, and has {len(value)}."
    if most is not None and len(value) > most:
        yield where, f"It must have at most {most} members, and has {len(value)}."


def _text(value: str, shape: Any, where: str) -> Iterator[tuple[str, str]]:
    most, pattern = shape.metadata.get("max"), shape.metadata.get("pattern")
    if most is not None and len(value) > most:
        yield where, f"It must have at most {most} characters, and has {len(value)}."
    if shape.enum and value not in shape.enum:
        yield where, f"'{value}' must be one of {', '.join(shape.enum)}."
    if pattern and not _pattern(pattern).fullmatch(value):
        yield where, f"'{value}' must match pattern {pattern}"
