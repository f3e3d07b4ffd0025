"""Thousands of requests that no client should send, against the service as a process.

``IMAGEBUILDER_FUZZ`` is the number of requests (5,000 by default), ``IMAGEBUILDER_FUZZ_SEED`` repeats a run;
a failure names both. The good requests that are spoiled here are those of the model walk.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import socket
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

import botocore.session
import pytest
from botocore.parsers import create_parser
from botocore.validate import ParamValidator

from tests.hostile import connection
from tests.hostile.connection import SIGNED, Connection, Reply, request
from tests.hostile.values import RAW, WEIRD_TEXTS, Values, dumps
from tests.support.bench import CODEC, HEAD, image_request
from tests.support.process import Process
from tests.unit.local.emulator.walk import scenes

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration

COUNT = int(os.environ.get("IMAGEBUILDER_FUZZ", "5000"))
SEED = int(os.environ.get("IMAGEBUILDER_FUZZ_SEED", "20261126"))
LONGEST = 5.0
"""Seconds after which an answer is too late, whatever the request was."""
LONGEST_LINE = 60_000
"""Bytes of the first line of a request that the HTTP server takes."""
MODEL = botocore.session.get_session().get_service_model("imagebuilder")
OPERATIONS = tuple(sorted(MODEL.operation_names))
ARNS = (
    f"{HEAD}image/golden-al2023/1.0.0/1",
    f"{HEAD}image/golden-al2023/1.0.0",
    f"{HEAD}image/golden-al2023/x.x.x",
    f"{HEAD}image-recipe/golden-al2023/1.0.0",
    f"{HEAD}container-recipe/golden-container/1.0.0",
    f"{HEAD}infrastructure-configuration/golden-build",
    f"{HEAD}distribution-configuration/golden-two-regions",
    f"{HEAD}component/golden-base/1.0.0/1",
    f"{HEAD}component/golden-base/1.0.0",
    f"{HEAD}workflow/build/golden-build/1.0.0/1",
    f"{HEAD}workflow/test/boot/1.0.0",
    f"{HEAD}image-pipeline/fuzz",
    f"{HEAD}lifecycle-policy/fuzz",
)
METHODS = (b"GET", b"POST", b"PUT", b"DELETE", b"PATCH", b"HEAD", b"OPTIONS", b"TRACE", b"get", b"BREW")


class Shot(NamedTuple):
    """A request.

    :param operation: None if it is a request to no operation, or not even HTTP.
    :param fresh: whether it needs a connection of its own.
    :param unfinished: whether the service waits for more of it.
    """

    data: bytes
    operation: str | None = None
    fresh: bool = False
    unfinished: bool = False


class Fuzz:
    """Makes requests, one after another, from a seed."""

    def __init__(self, chooser: random.Random) -> None:
        self._random = chooser
        self._values = Values(chooser, ARNS)
        self._corpus = corpus()
        self._place = 0

    def next(self) -> Shot:
        """Return a request."""
        return self._modelled() if self._random.random() < 0.85 else self._wild()

    def learn(self, reply: Reply) -> None:
        """Use the ARNs and ids of a good answer in later requests."""
        document = reply.document
        for name, value in document.items() if isinstance(document, dict) else ():
            if isinstance(value, str) and name.endswith(("Arn", "Id")) and name != "requestId":
                self._values.learn(value)
        for row in _rows(document):
            for name in ("workflowExecutionId", "stepExecutionId", "lifecycleExecutionId", "nextToken"):
                if isinstance(row.get(name), str):
                    self._values.learn(row[name])

    def _modelled(self) -> Shot:
        # The walk continues from request to request, so that what a request needs has been created.
        operation, params = self._corpus[self._place % len(self._corpus)]
        kind = self._random.random()
        self._place += kind < 0.4
        if kind < 0.3:
            operation = self._random.choice(OPERATIONS)
            params = self._values.good(MODEL.operation_model(operation).input_shape)
        else:
            params = self._fresh(params)
        model = MODEL.operation_model(operation)
        for _ in range(self._random.choice((0, 0, 0, 1, 1, 2))):
            params = self._values.spoiled(params)
        method = model.http["method"].encode()
        path = model.http["requestUri"]
        if "{resourceArn}" in path:
            given = params.pop("resourceArn", "") if isinstance(params, dict) else ""
            path = path.replace("{resourceArn}", quote(_text(given), safe=":/"))
        if method in (b"POST", b"PUT"):
            return Shot(request(method, path.encode(), dumps(params)), operation)
        return Shot(request(method, path.encode() + _query(params), content_length=b""), operation)

    def _fresh(self, params: dict[str, Any]) -> dict[str, Any]:
        """Return a request of the walk with a token of its own, and with ids that this service has."""
        changed = dict(params)
        if "clientToken" in params:
            changed["clientToken"] = f"token-{self._random.getrandbits(64)}"
        for name in ("workflowExecutionId", "stepExecutionId", "lifecycleExecutionId"):
            if name in params:
                changed[name] = self._values.known(params[name].split("-")[0] + "-") or params[name]
        return changed

    def _wild(self) -> Shot:
        kinds = (
            self._raw_body,
            self._raw_body,
            self._query_junk,
            self._headers,
            self._paths,
            self._authorization,
            self._framing,
        )
        return self._random.choice(kinds)()

    def _raw_body(self) -> Shot:
        operation = self._random.choice([name for name in OPERATIONS if _method(name) in (b"POST", b"PUT")])
        member = self._random.choice(sorted(CODEC.members(operation)))
        raw = self._random.choice(RAW)
        body = self._random.choice((raw, b'{"%s": %s}' % (member.encode(), raw), b"\xff\xfe" + raw))
        kind = self._random.choice((b"application/json", b"text/plain", b"multipart/form-data", b"x"))
        data = request(_method(operation), f"/{operation}".encode(), body, content_type=kind)
        return Shot(data, operation)

    def _query_junk(self) -> Shot:
        value = self._random.choice(
            (
                b"%",
                b"%zz",
                b"%ff%fe",
                b"%00",
                b"a&imageBuildVersionArn=b",
                b"&&&===",
                b"a" * 8_000,
                b"%ED%A0%80",
            )
        )
        path = self._random.choice(
            (b"/GetImage?imageBuildVersionArn=", b"/ListX?", b"/tags/", b"/tags/a?tagKeys=")
        )
        method = b"DELETE" if b"tagKeys" in path else b"GET"
        return Shot(request(method, path + value, content_length=b""))

    def _headers(self) -> Shot:
        name = self._random.choice((b"x-amz-date", b"x-amz-security-token", b"user-agent", b"x-\xe9"))
        value = self._random.choice((b"\xff\xfe", b"a" * 30_000, b"\xf0\x9f\x92\xa9", b"a\tb"))
        more = ((name, value),) * self._random.choice((1, 3))
        return Shot(request(b"POST", b"/ListImages", b"{}", more), fresh=True)

    def _paths(self) -> Shot:
        path = self._random.choice(
            (
                *(b"/", b"//", b"/..", b"/%2e%2e/%2e%2e/etc/passwd", b"/CreateImage/", b"/createimage", b"*"),
                *(b"/\xff", b"/" + b"a" * 5_000, b"http://localhost/GetImage", b"/GetImage#x", b"/tags"),
            )
        )
        return Shot(request(self._random.choice(METHODS), path, b"{}"), fresh=True)

    def _authorization(self) -> Shot:
        value = self._random.choice(
            (
                b"Basic dGVzdDp0ZXN0",
                b"AWS4-HMAC-SHA256",
                b"AWS4-HMAC-SHA256 Credential=/////imagebuilder/aws4_request",
                b"AWS4-HMAC-SHA256 Credential=a/20261124/../imagebuilder/aws4_request",
                b"AWS4-HMAC-SHA256 Credential=a/20261124/\xff\xfe/imagebuilder/aws4_request",
                SIGNED.replace(b"us-east-1", b"a" * 9_000),
                SIGNED.replace(b"us-east-1", b"x/y"),
                b"\xff" * 100,
                b"Bearer",
            )
        )
        operation = self._random.choice(("ListImages", "GetImage", "CreateImage"))
        data = request(_method(operation), f"/{operation}".encode(), b"{}", authorization=value)
        return Shot(data, fresh=True)

    def _framing(self) -> Shot:
        head = request(b"POST", b"/ListImages", transfer_encoding=b"chunked", content_length=b"")
        data = self._random.choice(
            (
                head + b"zz\r\n{}\r\n0\r\n\r\n",
                head + b"2\r\n{}\r\n0\r\n\r\n",
                head + b"-5\r\n{}\r\n0\r\n\r\n",
                head + b"ffffffffffffffff\r\n",
                request(b"POST", b"/ListImages", b"{}", content_length=b"-1"),
                request(b"POST", b"/ListImages", b"{}", content_length=b"2, 3"),
                request(b"POST", b"/ListImages", b"{}", ((b"content-length", b"9"),)),
                request(b"POST", b"/ListImages", b"{}", transfer_encoding=b"chunked"),
                b"\r\n\r\n",
                b"GARBAGE\r\n\r\n",
                b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
                b"GET /GetImage HTTP/9.9\r\n\r\n",
                b"GET  HTTP/1.1\r\nhost: localhost\r\n\r\n",
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            )
        )
        return Shot(data, fresh=True, unfinished=True)


@cache
def corpus() -> list[tuple[str, dict[str, Any]]]:
    """Return the requests of the model walk, those that read the same members only once."""
    found, seen = [], set()
    for operation, params in scenes.play().requests:
        key = operation, frozenset(params)
        if operation in OPERATIONS and not (operation.startswith(("Get", "List")) and key in seen):
            seen.add(key)
            found.append((operation, params))
    return found


def _rows(document: Any) -> list[dict[str, Any]]:
    """Return the rows of a list in an answer."""
    lists = [value for value in document.values() if isinstance(value, list)] if document else []
    return [row for value in lists for row in value[:3] if isinstance(row, dict)]


def _text(value: Any) -> str:
    return value.encode("utf-8", "surrogatepass").decode("latin-1") if isinstance(value, str) else str(value)


def _query(params: Any) -> bytes:
    if not isinstance(params, dict):
        return b"?" + quote(_text(params))[:8_000].encode()
    pairs = []
    for name, value in params.items():
        for item in value if isinstance(value, list) else [value]:
            pairs.append(f"{quote(_text(name))[:8_000]}={quote(_text(item))[:8_000]}")  # noqa: PERF401
    return b"?" + "&".join(pairs).encode()[:40_000]


@cache
def _method(operation: str) -> bytes:
    return str(MODEL.operation_model(operation).http["method"]).encode()


@cache
def _parser() -> Any:
    return create_parser("rest-json")


def fault_of(reply: Reply, shot: Shot) -> str | None:
    """Return what is wrong with an answer; None if AWS could have given it."""
    if reply.seconds > LONGEST:
        return f"{reply.seconds:.1f} s"
    if reply.status == 0:
        # uvicorn closes the connection after what is not HTTP.
        return None if shot.operation is None else "no answer"
    if reply.status < 300:
        return _invalid(reply, shot.operation) if shot.operation else None
    if shot.data.startswith(b"HEAD"):
        return None if reply.status < 500 else f"status {reply.status}"
    if reply.status in (400, 414, 431) and reply.headers.get("content-type", "").startswith("text/plain"):
        line, _, _ = shot.data.partition(b"\r\n")
        fits = shot.operation is not None and len(line) < LONGEST_LINE
        return "a refusal of the HTTP server" if fits else None
    return reply.fault


def _invalid(reply: Reply, operation: str) -> str | None:
    shape: Any = MODEL.operation_model(operation).output_shape
    given = {"status_code": reply.status, "headers": reply.headers, "body": reply.body}
    try:
        parsed = _parser().parse(given, shape)
    except Exception as error:  # noqa: BLE001  (whatever botocore cannot read is a fault of the answer)
        return f"botocore cannot read it: {error!r}"
    parsed.pop("ResponseMetadata", None)
    report = ParamValidator().validate(parsed, shape)
    return report.generate_report() if report.has_errors() else None


@pytest.fixture
def service(tmp_path: Path) -> Any:
    log, scenario = tmp_path / "log", tmp_path / "scenario.yaml"
    scenario.write_text(json.dumps({"seed": SEED, "findings": {"high": 2}}))
    # The clock moves by hand, so that a seed repeats a run.
    with Process("--speed", "0", "--scenario", str(scenario), log=log) as process:
        yield process, log


def test_no_request_gets_500_or_a_late_answer_and_every_answer_fits_the_model(
    service: tuple[Process, Path],
) -> None:
    process, log = service
    print(f"IMAGEBUILDER_FUZZ={COUNT} IMAGEBUILDER_FUZZ_SEED={SEED}")  # noqa: T201  (pytest shows it on failure)
    fuzz, faults, statuses = Fuzz(random.Random(SEED)), [], dict[int, int]()
    process.client().create_image(**image_request())
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(Connection(process.address)) for _ in range(20)]
        for one in slow:
            one.send(request(b"PUT", b"/CreateImage", b"{", content_length=b"100"))
        link = stack.enter_context(Connection(process.address))
        for number in range(COUNT):
            shot = fuzz.next()
            reply = link.ask(shot.data, fresh=shot.fresh, unfinished=shot.unfinished)
            statuses[reply.status] = statuses.get(reply.status, 0) + 1
            if reply.status == 200:
                fuzz.learn(reply)
            if number % 100 == 0:
                process.control(advance=2_000)
            if why := fault_of(reply, shot):
                faults.append((number, shot.operation, why, shot.data[:300], reply.status, reply.body[:300]))
    assert faults[:10] == []
    # Enough of the requests are good ones.
    assert statuses[200] > COUNT / 20
    assert len(process.client().list_image_recipes()["imageRecipeSummaryList"]) >= 3
    assert "Traceback" not in log.read_text()


def test_a_request_that_is_cut_short_is_not_carried_out(service: tuple[Process, Path]) -> None:
    process, log = service
    for number in range(20):
        body = dumps({**image_request(), "clientToken": f"cut-{number}"})
        whole = request(b"PUT", b"/CreateImage", body, content_length=b"%d" % (len(body) + 1))
        with socket.create_connection(process.address, connection.SECONDS) as raw:
            raw.sendall(whole[: len(whole) - number * 7])
    process.client().create_image(**image_request(), clientToken="whole")
    tokens = [each["token"] for each in process.records()["tokens"]]
    assert [token for token in tokens if token.startswith(("cut", "whole"))] == ["whole"]
    assert "Traceback" not in log.read_text()


@pytest.mark.parametrize("text", WEIRD_TEXTS)
def test_a_weird_name_is_a_refusal_or_a_name(server: Process, text: str) -> None:
    body = dumps(
        {"name": text, "instanceProfileName": "profile", "clientToken": "t" + str(WEIRD_TEXTS.index(text))}
    )
    with Connection(server.address) as link:
        reply = link.ask(request(b"PUT", b"/CreateInfrastructureConfiguration", body))
    assert fault_of(reply, Shot(body, "CreateInfrastructureConfiguration")) is None
