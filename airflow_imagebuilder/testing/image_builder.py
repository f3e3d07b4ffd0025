"""ImageBuilder: the local Image Builder as a test sees it."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from airflow_imagebuilder.testing.mode import FAST, SPEED
from airflow_imagebuilder.testing.patience import Patience
from airflow_imagebuilder.testing.scenario import Scenario, check_operation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_imagebuilder.local.stack.image_builder import LocalService

REGION = "us-east-1"


@dataclass(frozen=True)
class Call:
    """A call that may have changed something.

    :param operation: e.g. ``CreateImage``.
    :param params: what the client sent.
    :param region: the region that was called.
    :param account: the account of the caller.
    :param arn: what it made or changed; None if it was refused.
    :param error: the code of the refusal; None if the call succeeded.
    :param at: the virtual moment, as ISO 8601.
    """

    operation: str
    params: Mapping[str, Any] = field(repr=False)
    region: str
    account: str
    arn: str | None
    error: str | None
    at: str


class ImageBuilder(Scenario):
    """The local Image Builder: clients, a clock, failures on demand, and the calls that it got.

    :param service: the running service.
    :param speed: virtual seconds per second while the clock runs; 3600 by default.
    :param patience: real seconds that a client may wait while the clock is stopped; 30 by default.
    """

    def __init__(self, service: LocalService, speed: float = SPEED, patience: float = 30) -> None:
        self._service = service
        self._speed = speed
        self._patience = Patience(self, patience)

    @property
    def url(self) -> str:
        """The endpoint, for Image Builder and every other AWS service."""
        return self._service.url

    @property
    def env(self) -> dict[str, str]:
        """Variables with which boto3, the AWS CLI and the connection ``aws_default`` reach the service."""
        return self._service.env

    @property
    def account(self) -> str:
        """The account that owns what is created without another one."""
        identity: dict[str, str] = self.client("sts").get_caller_identity()
        return identity["Account"]

    def arn(self, resource: str, region: str = REGION) -> str:
        """Return the ARN of a resource of :attr:`account`.

        :param resource: e.g. ``image-recipe/golden-al2023/1.0.0``.
        :param region: ``us-east-1`` by default.
        """
        return f"arn:aws:imagebuilder:{region}:{self.account}:{resource}"

    def client(self, name: str, region: str = REGION, account: str | None = None) -> Any:
        """Return a boto3 client of the service.

        :param name: boto3's name of the AWS service, e.g. ``imagebuilder`` or ``ec2``.
        :param region: ``us-east-1`` by default.
        :param account: twelve digits: act in this account, by a role that the client assumes in it;
            :attr:`account` by default.
        """
        return self._service.client(name, region, account)

    # -- the clock ---------------------------------------------------------------------------------

    def advance(self, seconds: float) -> str:
        """Move the clock forward; all that is due happens before this returns.

        :param seconds: virtual seconds.
        :raises ValueError: the number is negative or too large.
        :raises StackError: it takes minutes, as a year of a pipeline that runs each minute does.
        :return: the virtual time afterwards, as ISO 8601.
        """
        self._patience.renew()
        return str(self.control(advance=seconds)["now"])

    def stop_clock(self) -> None:
        """
        Stop the clock: from now on only :meth:`advance` moves it.

        This is for tests that call the API, or an operator, step by step. A client that waits for an image
        meanwhile, e.g. ``dag.test()``, cannot finish. So after 30 seconds of polls without an
        :meth:`advance` the clock starts again, and the fixture fails the test with a message that says so.
        """
        self.control(speed=0)
        self._patience.start()

    def start_clock(self, speed: float | None = None) -> None:
        """Let the clock run.

        :param speed: virtual seconds per second; by default as at the start of the test.
        """
        self._patience.stop()
        self.control(speed=self._speed if speed is None else speed)

    @property
    def is_stopped(self) -> bool:
        """Whether the clock is stopped."""
        return self._patience.is_running

    @property
    def complaint(self) -> str | None:
        """Why the clock was started again although the test had stopped it; None if it was not."""
        return self._patience.complaint

    # -- what has happened ---------------------------------------------------------------------------

    def calls(self, operation: str) -> list[Call]:
        """Return the calls of an operation that changes something, in order.

        A call that a fault refused is not one of them: it did not reach Image Builder. :meth:`count` has it.

        :param operation: e.g. ``CreateImage``.
        :raises ValueError: Image Builder does not have it, or it only reads.
        """
        check_operation(operation)
        if operation.startswith(("Get", "List")):
            raise ValueError(
                f"{operation} only reads, and the service counts such calls: count({operation!r})"
            )
        return [
            Call(
                operation=change["operation"],
                params=change["params"],
                region=change["region"],
                account=change["account"],
                arn=change["arn"] if change["error"] is None else None,
                error=change["error"],
                at=change["virtual"],
            )
            for change in self.records()["changes"]
            if operation in ("*", change["operation"])
        ]

    def count(self, operation: str) -> int:
        """Return how many calls of an operation came, also those that were refused.

        :raises ValueError: Image Builder does not have the operation.
        """
        check_operation(operation)
        calls = self.records()["calls"]
        return sum(c["total"] for name, c in calls.items() if operation in ("*", name))

    def images(self) -> list[dict[str, Any]]:
        """Return all images in order: ``arn``, ``status``, ``history``, ``executions`` ..."""
        images: list[dict[str, Any]] = self.records()["images"]
        return images

    def records(self) -> dict[str, Any]:
        """Return all records of the service."""
        return self._service.records()

    def control(self, **settings: Any) -> dict[str, Any]:
        """Send a control request, see :class:`Scenario`."""
        return self._service.control(**settings)

    def reset(self) -> None:
        """Begin again: the resources of a new service, no calls, no failures, the clock at its speed."""
        self._patience.stop()
        self._patience.complaint = None
        self.control(reset=True, speed=self._speed)


@contextmanager
def local_image_builder(
    speed: float = SPEED, scenario: Path | None = None, account: str | None = None
) -> Iterator[ImageBuilder]:
    """
    Run a local Image Builder, and point boto3 and the connection ``aws_default`` of this process at it.

    Tests with pytest use the fixture ``image_builder`` instead, which prepares Airflow's database too.

    ::

        with local_image_builder() as image_builder:
            image_builder.client("imagebuilder").list_image_recipes()

    Needs the extra ``local``. No call with the settings of the environment can reach a real AWS account.

    :param speed: virtual seconds per second. 3600 (default) bakes the seeded images in less than a second.
    :param scenario: a YAML file with durations, failures and faults; its schema is in
        :mod:`airflow_imagebuilder.local.emulator.scenario`. ``None`` (default) has none of them.
    :param account: the account of the seeded resources; that of the service by default.
    """
    from airflow_imagebuilder.local.stack.image_builder import LocalService

    with (
        TemporaryDirectory(prefix="imagebuilder-") as home,
        LocalService(speed=speed, scenario=scenario, home=Path(home), account=account) as service,
        patch.dict(os.environ, {**service.env, **FAST}),
    ):
        yield ImageBuilder(service, speed)
