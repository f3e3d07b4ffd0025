"""An event loop whose clock jumps to the next timer, and an Image Builder whose time is that clock."""

from __future__ import annotations

import asyncio
import contextlib
import selectors
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from airflow_imagebuilder.service.watcher.watcher import ImageSnapshot, ImageWatcher, WatchSettings
from tests.support.arns import image_arn

T = TypeVar("T")

EPOCH = 1_800_000_000.0
ARN = image_arn(name="golden-al2023")


def build(number: int, name: str = "golden-al2023") -> str:
    """Return the ARN of one build."""
    return image_arn(number, name)


class _JumpingSelector(selectors.DefaultSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.left = 3_000_000

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        # Without a timer to jump to, only a thread can still wake the loop.
        real = 5.0 if timeout is None else 0.0
        ready: list[tuple[selectors.SelectorKey, int]] = super().select(real)
        self.left -= 1
        if timeout is None and not ready:
            raise RuntimeError("all tasks wait, and there is no timer")
        if self.left < 0:
            raise RuntimeError("the loop is busy without end")
        if not ready:
            self.now += timeout or 0.0
        return ready


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop without idle time: its clock jumps to the next timer."""

    def __init__(self) -> None:
        self.jumping = _JumpingSelector()
        super().__init__(self.jumping)

    def time(self) -> float:
        return self.jumping.now


def now() -> float:
    """Return the running loop's time."""
    return asyncio.get_running_loop().time()


def wall() -> float:
    """Return absolute time on the running loop."""
    return EPOCH + now()


async def _cancelled(tasks: set[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def run(main: Coroutine[Any, Any, T]) -> T:
    """Do as asyncio.run does, on a loop whose clock jumps. An error that no task handled fails the test."""
    loop = JumpingLoop()
    unhandled: list[Mapping[str, Any]] = []
    loop.set_exception_handler(lambda _, context: unhandled.append(context))
    try:
        result = loop.run_until_complete(main)
        loop.run_until_complete(_cancelled(asyncio.all_tasks(loop)))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
    assert not unhandled
    return result


def client_error(code: str, status: int, operation: str = "GetImage", message: str = "no") -> ClientError:
    """Return what botocore raises for an error answer."""
    return ClientError(
        {
            "Error": {"Code": code, "Message": message},
            "ResponseMetadata": {
                "HTTPStatusCode": status,
                "RequestId": "11111111-2222-3333-4444-555555555555",
                "HTTPHeaders": {},
                "HostId": "",
                "RetryAttempts": 0,
            },
        },
        operation,
    )


THROTTLED = client_error("CallRateLimitExceededException", 429)
DOWN = client_error("ServiceUnavailableException", 503)

Fault = Callable[[str, str, float], Any]
"""Takes operation, ARN and time; returns an exception to raise, an answer to return instead, or None."""


@dataclass
class Service:
    """
    An Image Builder: each image changes its stage at given times.

    :param latency: seconds that an answer takes.
    """

    latency: float = 0.05
    fault: Fault = lambda operation, arn, time: None
    stages: dict[str, Sequence[tuple[float, str]]] = field(default_factory=dict)
    workflows: dict[str, Sequence[tuple[float, Mapping[str, Any]]]] = field(default_factory=dict)
    old: int = 0
    """How many other builds come before the watched ones in a list."""
    calls: list[tuple[float, str, str]] = field(default_factory=list)
    opened: int = 0
    closed: int = 0
    in_flight: int = 0
    most_in_flight: int = 0

    def image(self, arn: str, *stages: tuple[float, str]) -> str:
        """Add an image, with the times at which its stages begin, and return its ARN."""
        self.stages[arn] = stages
        return arn

    def status(self, arn: str, time: float) -> str:
        """Return an image's status at a time."""
        return [status for begun, status in self.stages[arn] if begun <= time][-1]

    def ended(self, arn: str) -> float:
        """Return when an image reached its last stage."""
        return self.stages[arn][-1][0]

    def counted(self, operation: str | None = None) -> Counter[str]:
        """Return the number of calls by ARN: of one operation, or of all."""
        return Counter(arn for _, called, arn in self.calls if operation in (None, called))

    # -- the client ----------------------------------------------------------------------------------------

    async def get_image(self, **params: Any) -> Any:
        arn = params["imageBuildVersionArn"]
        return await self.answer("get_image", arn, lambda: {"image": self.full_image(arn)})

    async def list_workflow_executions(self, **params: Any) -> Any:
        def answer() -> Any:
            executions = self.workflows.get(params["imageBuildVersionArn"], ())
            return {"workflowExecutions": [one for begun, one in executions if begun <= now()]}

        return await self.answer("list_workflow_executions", params["imageBuildVersionArn"], answer)

    async def list_image_build_versions(self, **params: Any) -> Any:
        version, size = params.get("imageVersionArn", ""), params["maxResults"]
        begin = int(params.get("nextToken", "0"))

        def answer() -> Any:
            arns = [build(-one) for one in range(self.old)]
            arns += [arn for arn in self.stages if arn.startswith(version)]
            more = {"nextToken": str(begin + size)} if begin + size < len(arns) else {}
            return {"imageSummaryList": [self.summary(arn) for arn in arns[begin : begin + size]], **more}

        return await self.answer("list_image_build_versions", version, answer)

    async def list_workflow_step_executions(self, **params: Any) -> Any:
        return await self.answer(
            "list_workflow_step_executions",
            params["workflowExecutionId"],
            lambda: {"steps": [{"name": "Boot"}]},
        )

    async def connect(self) -> AbstractAsyncContextManager[Any]:
        return self._client()

    @contextlib.asynccontextmanager
    async def _client(self) -> AsyncIterator[Any]:
        self.opened += 1
        try:
            yield self
        finally:
            self.closed += 1

    async def answer(self, operation: str, arn: str, answer: Callable[[], Any]) -> Any:
        assert self.opened > self.closed, "a call on a closed client"
        self.calls.append((now(), operation, arn))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            fault = self.fault(operation, arn, now())
            if isinstance(fault, Coroutine):
                fault = await fault
            await asyncio.sleep(self.latency)
        finally:
            self.in_flight -= 1
        if isinstance(fault, BaseException):
            raise fault
        return answer() if fault is None else fault

    def full_image(self, arn: str) -> dict[str, Any]:
        return {
            **self.summary(arn),
            "infrastructureConfiguration": {"name": "golden-build"},
            "workflows": [{"workflowArn": "arn:aws:imagebuilder:us-east-1:aws:workflow/test/boot/x.x.x"}],
        }

    def summary(self, arn: str) -> dict[str, Any]:
        status = self.status(arn, now()) if arn in self.stages else "AVAILABLE"
        return {"arn": arn, "name": "golden-al2023", "state": {"status": status}}


def execution(name: str, status: str, **more: Any) -> dict[str, Any]:
    """Return one record of ListWorkflowExecutions."""
    return {"workflowExecutionId": f"wf-{name}", "type": "TEST", "status": status, **more}


class FaultySettings(WatchSettings):
    """
    Settings that raise when the poll reads them: a fault of the package in the poll itself.

    The poll reads ``max_connections`` before it starts a poll of an image.

    :param fault: returns the exception to raise now, or None.
    """

    fault: Callable[[], Exception | None]

    def __init__(self, fault: Callable[[], Exception | None], **settings: Any) -> None:
        object.__setattr__(self, "fault", lambda: None)
        super().__init__(**settings)
        object.__setattr__(self, "fault", fault)

    def __getattribute__(self, name: str) -> Any:
        error = super().__getattribute__("fault")() if name == "max_connections" else None
        if error is not None:
            raise error
        return super().__getattribute__(name)


class FaultyImage(dict[str, Any]):
    """An answer of AWS that raises when the poll reads the outputs: a fault of the package with one image."""

    error = KeyError("a mistake of ours")

    def get(self, name: str, default: Any = None) -> Any:
        if name == "outputResources":
            raise self.error
        return super().get(name, default)


def watcher_of(service: Service, **settings: Any) -> ImageWatcher:
    """Return a watcher whose clock is the running loop's."""
    settings = {"poll_interval": 10.0, "max_calls_per_second": 1000.0, **settings}
    return ImageWatcher(service.connect, settings=WatchSettings(**settings), wall=wall)


async def statuses(watcher: ImageWatcher, arn: str, **kwargs: Any) -> list[tuple[float, str]]:
    """Return the statuses that a wait got, and when."""
    return [(now(), snapshot.status) async for snapshot in watcher.watch(arn, **kwargs)]


async def snapshots(watcher: ImageWatcher, arn: str, **kwargs: Any) -> list[ImageSnapshot]:
    """Return the snapshots that a wait got."""
    return [snapshot async for snapshot in watcher.watch(arn, **kwargs)]
