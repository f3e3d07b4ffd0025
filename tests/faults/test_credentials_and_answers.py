"""Credentials that expire in the middle of a wait, and answers that cannot be read."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.credentials import RefreshableCredentials

from airflow_imagebuilder.hooks import ImageBuilderHook
from airflow_imagebuilder.local.stack.image_builder import LocalService
from airflow_imagebuilder.service.errors import MalformedAnswerError
from airflow_imagebuilder.service.request.image_request import ImageRequest
from airflow_imagebuilder.triggers.image import ImageBuilderImageTrigger
from tests.support.arns import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.report import Report

LIMIT = 120
"""Seconds after which a wait counts as hanging."""
ROLE = "arn:aws:iam::123456789012:role/ImageBuilderExecution"


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalService]:
    """A local Image Builder whose clock does not run until a test turns it."""
    with LocalService(speed=0, home=tmp_path_factory.mktemp("by-hand")) as service:
        yield service


@pytest.fixture
def by_hand(still: LocalService, monkeypatch: pytest.MonkeyPatch) -> LocalService:
    """The same without images, faults and records, as the AWS of this process."""
    still.control(reset=True)
    for name, value in still.env.items():
        monkeypatch.setenv(name, value)
    return still


def image(service: LocalService) -> str:
    arn: str = service.client("imagebuilder").create_image(
        imageRecipeArn=f"{PREFIX}:image-recipe/golden-al2023/1.0.0",
        infrastructureConfigurationArn=f"{PREFIX}:infrastructure-configuration/golden-build",
        clientToken=str(time.time_ns()),
    )["imageBuildVersionArn"]
    return arn


def trigger(arn: str) -> ImageBuilderImageTrigger:
    return ImageBuilderImageTrigger(
        image_build_version_arn=arn, deadline=time.time() + LIMIT, poll_interval=1
    )


def counted(service: LocalService, *statuses: str) -> int:
    """Return how many calls had one of the HTTP statuses."""
    return sum(service.records()["statuses"].get(status, 0) for status in statuses)


async def until_called(service: LocalService, number: int, *statuses: str) -> None:
    """Wait until this many calls have had one of the HTTP statuses."""
    end = time.monotonic() + LIMIT
    while counted(service, *statuses) < number:
        if time.monotonic() >= end:
            raise AssertionError(service.records()["statuses"])
        await asyncio.sleep(0.1)


@pytest.fixture
def as_role(by_hand: LocalService, monkeypatch: pytest.MonkeyPatch) -> LocalService:
    """The same, with a connection that assumes a role."""
    connection = json.loads(by_hand.env["AIRFLOW_CONN_AWS_DEFAULT"])
    connection["extra"]["role_arn"] = ROLE
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))
    return by_hand


class Clock:
    """
    The clock by which botocore judges whether credentials have expired; a test can turn it.

    STS has the same clock: credentials that it issues later expire later.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ahead = timedelta(0)
        self.issued = 0
        known: Any = RefreshableCredentials  # its stubs hide what is private
        remaining, take = known._seconds_remaining, known._set_from_data

        def seconds_remaining(credentials: Any) -> float:
            return float(remaining(credentials)) - self.ahead.total_seconds()

        def set_from_data(credentials: Any, data: dict[str, Any]) -> None:
            expiry = datetime.fromisoformat(data["expiry_time"].replace("Z", "+00:00")) + self.ahead
            take(credentials, {**data, "expiry_time": expiry.isoformat()})
            self.issued += 1

        monkeypatch.setattr(known, "_seconds_remaining", seconds_remaining)
        monkeypatch.setattr(known, "_set_from_data", set_from_data)


@pytest.mark.asyncio
async def test_a_wait_renews_the_credentials_of_an_assumed_role_before_they_expire(
    as_role: LocalService, monkeypatch: pytest.MonkeyPatch, report: Report
) -> None:
    clock = Clock(monkeypatch)
    arn = image(as_role)
    waiting = asyncio.create_task(trigger(arn).wait())
    await until_called(as_role, counted(as_role, "200") + 2, "200")
    clock.ahead, clock.issued = timedelta(hours=3), 0
    await until_called(as_role, counted(as_role, "200") + 2, "200")
    as_role.control(advance=24 * 3600)
    event = await asyncio.wait_for(waiting, LIMIT)
    refused = counted(as_role, "403")
    outcome = f"wait {event['outcome']}, image {event['status']}, {clock.issued} renewal, {refused} refused"
    report.add("credentials of an assumed role", "the clock is turned past their expiry", outcome)
    assert (event["outcome"], event["status"]) == ("ended", "AVAILABLE")
    assert (clock.issued, refused) == (1, 0)


def test_a_call_of_the_hook_outlives_the_expiry_of_the_credentials_of_an_assumed_role(
    as_role: LocalService, report: Report
) -> None:
    arn, hook = image(as_role), ImageBuilderHook()
    hook.get_image(arn)
    as_role.control(expire_credentials=True)
    status = hook.get_image(arn)["state"]["status"]
    outcome = f"image {status}, after {counted(as_role, '403')} call refused as expired"
    report.add("credentials of an assumed role", "they expire between two calls of a hook", outcome)
    assert counted(as_role, "403") == 1


@pytest.mark.asyncio
async def test_a_wait_outlives_the_expiry_of_the_credentials_of_an_assumed_role(
    as_role: LocalService, report: Report
) -> None:
    arn = image(as_role)
    waiting = asyncio.create_task(trigger(arn).wait())
    await until_called(as_role, counted(as_role, "200") + 2, "200")
    as_role.control(expire_credentials=True)
    await until_called(as_role, 1, "403")
    as_role.control(advance=24 * 3600)
    event = await asyncio.wait_for(waiting, LIMIT)
    refused = counted(as_role, "403")
    outcome = f"wait {event['outcome']}, image {event['status']}, after {refused} calls refused as expired"
    report.add("credentials of an assumed role", "they expire in the middle of a wait", outcome)
    assert (event["outcome"], event["status"]) == ("ended", "AVAILABLE")
    assert refused >= 1


@pytest.mark.parametrize("kind", ["malformed", "empty"])
def test_an_answer_of_a_wrong_shape_is_an_error_that_names_the_operation(
    by_hand: LocalService, report: Report, kind: str
) -> None:
    arn = image(by_hand)
    by_hand.control(faults=[{"operation": "GetImage", "kind": kind}])
    with pytest.raises(MalformedAnswerError) as raised:
        ImageBuilderHook().get_image(arn, patience=2)
    report.add("answers that cannot be read", f"GetImage, one call, {kind}", _first_line(raised.value))
    assert "GetImage" in str(raised.value)


@pytest.mark.asyncio
async def test_a_wait_that_only_gets_answers_of_a_wrong_shape_reports_an_error(
    by_hand: LocalService, report: Report
) -> None:
    arn, kind = image(by_hand), "malformed"
    by_hand.control(faults=[{"kind": kind}])
    event = await asyncio.wait_for(trigger(arn).wait(), LIMIT)
    report.add("answers that cannot be read", f"every call of a wait, {kind}", _first_line(event["message"]))
    assert event["outcome"] == "error"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("kind", "times"),
    [("malformed", 3), ("empty", 3), ("truncated", 3), ("reset", 3), ("delay", 3), ("hang", 1)],
)
async def test_a_wait_outlives_a_few_answers_that_cannot_be_read(
    by_hand: LocalService, report: Report, kind: str, times: int
) -> None:
    arn = image(by_hand)
    by_hand.control(faults=[{"kind": kind, "times": times, "seconds": 2}])
    by_hand.control(advance=24 * 3600)
    event = await asyncio.wait_for(trigger(arn).wait(), LIMIT)
    outcome = f"wait {event['outcome']}, image {event['status']}"
    report.add("answers that cannot be read", f"{times} of a wait's calls, {kind}", outcome)
    assert (event["outcome"], event["status"]) == ("ended", "AVAILABLE")


@pytest.mark.parametrize("kind", ["reset", "truncated"])
def test_an_image_is_submitted_once_though_the_answer_is_lost(
    by_hand: LocalService, report: Report, kind: str
) -> None:
    request = ImageRequest(
        image_recipe_arn=f"{PREFIX}:image-recipe/golden-al2023/1.0.0",
        infrastructure_configuration_arn=f"{PREFIX}:infrastructure-configuration/golden-build",
    )
    fault: dict[str, Any] = {"operation": "CreateImage", "kind": kind, "performed": True, "times": 2}
    by_hand.control(faults=[fault])
    arn = ImageBuilderHook().create_image(request, "one-token")
    built = [found["arn"] for found in by_hand.records()["images"]]
    report.add(
        "answers that cannot be read",
        f"CreateImage performed, answer lost twice ({kind})",
        f"{len(built)} image",
    )
    assert built == [arn]


def _first_line(error: Exception | str) -> str:
    return str(error).split("\n")[0]
