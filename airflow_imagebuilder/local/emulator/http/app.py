"""App: the ASGI application with Image Builder, its control plane, and moto for every other service."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TYPE_CHECKING, Any, NamedTuple

from a2wsgi import WSGIMiddleware
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from airflow_imagebuilder.local.emulator.engine import ApiError, Effect
from airflow_imagebuilder.local.emulator.http import asgi, ec2_findings
from airflow_imagebuilder.local.emulator.http.asgi import Answer
from airflow_imagebuilder.local.emulator.http.codec import Codec
from airflow_imagebuilder.local.emulator.http.guard import Guard, without_cors
from airflow_imagebuilder.local.emulator.seed import REGION
from airflow_imagebuilder.local.emulator.world.moto_world import MotoWorld

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_imagebuilder.local.emulator.backend import Backend
    from airflow_imagebuilder.local.emulator.faults import Fault
    from airflow_imagebuilder.local.emulator.http.asgi import Receive, Scope, Send

log = logging.getLogger(__name__)

CONTROL = "/_imagebuilder/"
#: Threads of moto; a long poll of SQS occupies one for up to 20 seconds.
MOTO_THREADS = 64
#: Seconds that a question to moto waits for the effects before it, at most.
SETTLE_SECONDS = 2.0
_ACCOUNT_HEADER = b"x-moto-account-id"
_ACCOUNT = re.compile(rb"[0-9]{12}")
# With bounds, so that a long header is not searched again from each of its words.
_SCOPE = re.compile(rb"Credential=([^/,]{0,200})/\d{0,20}/([^/,]{0,60})/([^/,]{0,60})/aws4_request")


class _Request(NamedTuple):
    """A request to Image Builder.

    :param session: its access key, if that belongs to a session; else None.
    :param region: the region that it is signed for.
    :param account: the account of its access key.
    """

    scope: Scope
    receive: Receive
    send: Send
    session: str | None
    region: str
    account: str


class App:
    """The application.

    :param make: makes the backend from the world and the function that receives its effects.
    :param names: names of this machine under which clients may ask for the service.
    """

    def __init__(
        self,
        make: Callable[[MotoWorld, Callable[[Effect], None]], Backend],
        names: frozenset[str] = frozenset(),
    ) -> None:
        self._guard = Guard(names)
        self._codec = Codec()
        self._world = MotoWorld(settle=self._settle)
        # moto is not thread-safe, so one thread applies all effects, in order.
        self._outbox = ThreadPoolExecutor(1, thread_name_prefix="imagebuilder-world")
        self._settled: Future[None] | None = None
        self.backend = make(self._world, self._post)
        self._moto = WSGIMiddleware(DomainDispatcherApplication(create_backend_app), workers=MOTO_THREADS)
        self._seen_keys: set[str] = set()
        self._expired_keys: set[str] = set()
        self._wake = asyncio.Event()

    def _settle(self) -> None:
        """Wait for the effects, but not for a function or an endpoint that one of them calls."""
        if self._settled is not None:
            with contextlib.suppress(FutureTimeoutError):
                self._settled.result(SETTLE_SECONDS)

    def _post(self, effect: Effect) -> None:
        self._settled = self._outbox.submit(self._world.apply, effect)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; half of one is dropped."""
        if scope["type"] == "http":
            with contextlib.suppress(asgi.CutShortError):
                try:
                    await self._answer_http(scope, receive, send)
                except asgi.TooLargeError:
                    limit = f"The request body has more than {asgi.MOST_BYTES} bytes."
                    await self._refuse(ApiError("RequestEntityTooLargeException", limit, 413), send)

    async def _answer_http(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        headers = dict(scope["headers"])
        if why := self._guard.fault(headers):
            await self._refuse(ApiError("AccessDenied", why, 403), send)
            return
        signed = _SCOPE.search(headers.get(b"authorization", b""))
        if path.startswith(CONTROL):
            await self._control(scope["method"], path[len(CONTROL) :], headers, receive, send)
        elif signed and signed[3] == b"imagebuilder":
            session = signed[1].decode("latin-1") if b"x-amz-security-token" in headers else None
            region = signed[2].decode("latin-1") or REGION
            account = self._account(signed[1].decode("latin-1"), headers)
            await self._imagebuilder(_Request(scope, receive, send, session, region, account))
        elif not signed and self._codec.is_address(path):
            known = self._codec.route(scope["method"], path)
            refusal = _unsigned(headers.get(b"authorization")) if known else _unknown(path)
            await self._refuse(refusal, send)
        else:
            key = signed[1].decode("latin-1") if signed else ""
            account = self._account(key, headers)
            if signed and signed[3] == b"ec2":
                body = await asgi.body(receive)
                if params := ec2_findings.request_of(body):
                    await self._findings(params, signed[2].decode("latin-1") or REGION, account, send)
                    return
                receive = asgi.replayed(body, receive)
            given = (_ACCOUNT_HEADER, account.encode())
            others = [header for header in scope["headers"] if header[0] != _ACCOUNT_HEADER]
            await self._other_service({**scope, "headers": [*others, given]}, receive, send)

    async def _findings(self, params: dict[str, str], region: str, account: str, send: Send) -> None:
        """Answer GetImageFindings of EC2."""
        await self._catch_up()
        world, engine = self._world.in_account(account), self.backend.engine.in_account(account)
        status, body = ec2_findings.answer(
            params,
            lambda ami: world.has_ami(region, ami),
            lambda ami: engine.ami_findings(ami, region),
        )
        await asgi.send(send, Answer(status, body, []), content_type=b"text/xml;charset=UTF-8")

    async def _catch_up(self) -> None:
        """Apply every effect that is due."""
        self.backend.run_due()
        if self._settled is not None:
            await asyncio.wrap_future(self._settled)

    def _account(self, key: str, headers: dict[bytes, bytes]) -> str:
        """Return the account of a request, found as moto finds it: by a header, by the access key."""
        given = headers.get(_ACCOUNT_HEADER, b"")
        if _ACCOUNT.fullmatch(given):
            return given.decode()
        return self.backend.account_of(key, self._world.account_of(key)) if key else self.backend.account

    async def _other_service(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let moto answer, after every effect that is due has been applied."""
        await self._catch_up()
        begun = False

        async def noting(message: asgi.Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._moto(scope, receive, without_cors(noting))
        # What moto does not know ends in errors of every kind.
        except Exception:
            log.warning("moto failed: %s %s", scope["method"], scope["path"], exc_info=True)
            if not begun:
                await self._refuse(ApiError("NotImplemented", "moto cannot do this request.", 501), send)

    async def _imagebuilder(self, request: _Request) -> None:
        scope = request.scope
        body = await asgi.body(request.receive)
        operation = self._codec.route(scope["method"], scope["path"])
        if operation is None:
            await self._refuse(_unknown(scope["path"]), request.send)
            return
        fault = self.backend.faults.pick(operation)
        answer = Answer(0, b"", [])
        if fault is None or fault.is_performed:
            answer = self._answer(operation, request, body)
        if fault:
            await self._send_faulty(fault, operation, request, answer)
            return
        self.backend.records.count(operation, str(answer.status))
        await asgi.send(request.send, answer)

    def _answer(self, operation: str, request: _Request, body: bytes) -> Answer:
        try:
            if request.session:
                self._check_session(request.session)
            scope = request.scope
            params = self._codec.parse(operation, scope["path"], scope["query_string"], body)
            self._codec.validate(operation, params)
            answer = self.backend.call(operation, params, request.region, request.account)
            self._wake.set()
            return Answer(200, self._codec.answer(operation, answer), [])
        except ApiError as error:
            return Answer(*self._codec.error(error))
        # A fault of this service must look like one of AWS's.
        except Exception:
            log.exception("%s failed", operation)
            return Answer(
                *self._codec.error(ApiError("ServiceException", "An internal error occurred.", 500))
            )

    def _check_session(self, key: str) -> None:
        if key in self._expired_keys:
            raise ApiError(
                "ExpiredTokenException", "The security token included in the request is expired", 403
            )
        self._seen_keys.add(key)

    async def _send_faulty(self, fault: Fault, operation: str, request: _Request, answer: Answer) -> None:
        """Send an answer with a fault in it."""
        kind, body, send = fault.kind, answer.body, request.send
        if kind == "error":
            status, body, extra = self._codec.error(ApiError(fault.code, fault.message))
            answer = Answer(fault.status or status, body, extra)
        outcome = str(answer.status) if kind in ("error", "delay") else kind
        self.backend.records.count(operation, outcome)
        if kind == "reset":
            asgi.abort(send)
        elif kind == "hang":
            await asgi.disconnected(request.receive)
        elif kind == "truncated":
            await asgi.truncate(send, body)
        elif kind == "empty":
            await asgi.send(send, answer._replace(body=b""))
        elif kind == "malformed":
            await asgi.send(send, answer._replace(body=b'{"image": [' + body[: len(body) // 2]))
        else:
            if kind == "delay":
                await asyncio.sleep(fault.seconds)
            await asgi.send(send, answer)

    async def _refuse(self, error: ApiError, send: Send) -> None:
        answer = Answer(*self._codec.error(error))
        self.backend.records.count("-", str(answer.status))
        await asgi.send(send, answer)

    async def _control(
        self, method: str, what: str, headers: dict[bytes, bytes], receive: Receive, send: Send
    ) -> None:
        """Answer a request to the control plane."""
        body = await asgi.body(receive)
        status, answer = 200, {}
        # A form of a web page can send anything but JSON.
        is_json = headers.get(b"content-type", b"").split(b";")[0].strip() == b"application/json"
        if what == "health":
            answer = {"status": "ok", **self.backend.clock()}
        elif what == "records":
            answer = self.backend.snapshot()
        elif what == "control" and method == "POST" and not is_json:
            status, answer = 415, {"error": "control: the content type is application/json"}
        elif what == "control" and method == "POST":
            try:
                answer = await self._change(json.loads(body or b"{}"))
            except ApiError as error:
                status, answer = self._codec.status_of(error), {"error": error.message}
            except json.JSONDecodeError as error:
                status, answer = 400, {"error": f"control: the body is not JSON: {error}"}
            except (ValueError, TypeError, RecursionError) as error:
                status, answer = 400, {"error": str(error)}
        else:
            status, answer = (
                404,
                {"error": f"{method} {CONTROL}{what}: there are health, records and control (POST)"},
            )
        await asgi.send(send, Answer(status, json.dumps(answer, default=str).encode(), []))

    async def _change(self, request: Any) -> dict[str, Any]:
        if not isinstance(request, dict):
            raise TypeError("control: the body is not a JSON object")
        if request.get("expire_credentials"):
            self._expired_keys |= self._seen_keys | self._world.session_keys()
        if request.get("reset"):
            await asyncio.wrap_future(self._outbox.submit(self._world.reset))
        answer = self.backend.control(request)
        self._wake.set()
        return answer

    async def tick(self) -> None:
        """Run each timer when it is due, even without calls: a client may wait for an event elsewhere."""
        while True:
            try:
                self.backend.run_due()
            # Whatever a timer of one build raises, the other builds and this loop continue.
            except Exception:
                log.exception("A timer failed; its build does not continue")
            self._wake.clear()
            due, clock = self.backend.engine.next_due(), self.backend.engine.clock
            pause = None
            if due is not None and clock.speed:
                pause = min(60.0, max(0.02, (due - clock.now()) / clock.speed))
            await self._woken(pause)

    async def _woken(self, pause: float | None) -> None:
        """Return once a call has come, or the pause is over."""
        loop = asyncio.get_running_loop()
        alarm = None if pause is None else loop.call_later(pause, self._wake.set)
        try:
            await self._wake.wait()
            if alarm is None or loop.time() < alarm.when():
                # Calls come in bursts; one pass for a whole burst is enough.
                await asyncio.sleep(0.02)
        finally:
            if alarm is not None:
                alarm.cancel()


def _unknown(path: str) -> ApiError:
    return ApiError("UnknownOperationException", f"No operation at {path}", 404)


def _unsigned(authorization: bytes | None) -> ApiError:
    """Make the error for a request without a signature that names a service."""
    if authorization is None:
        return ApiError("MissingAuthenticationTokenException", "Missing Authentication Token", 403)
    return ApiError(
        "IncompleteSignatureException",
        "Authorization header requires 'Credential' parameter with the scope of the request.",
        403,
    )
