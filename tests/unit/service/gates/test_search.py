"""The search in a triggerer: shared by many waits, patient with AWS, and it ends with its last wait."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from typing import Any

import pytest
from botocore.exceptions import ParamValidationError

from airflow_imagebuilder.service.errors import (
    ForbiddenError,
    ImageBuilderError,
    NotFoundError,
    SearchDeadlineError,
)
from airflow_imagebuilder.service.gates import search
from airflow_imagebuilder.service.gates.newest_image import Source, Wanted, moment
from airflow_imagebuilder.service.gates.search import find
from tests.support.clockwork import DOWN, EPOCH, THROTTLED, Service, client_error, now, run, wall, watcher_of
from tests.support.listed import PIPELINE, at, listed

MISSING = client_error("ResourceNotFoundException", 404)
FORBIDDEN = client_error("AccessDeniedException", 403)
WANTED = Wanted(source=Source(pipeline_arn=PIPELINE), since=moment(at(6)))


class Lists(Service):
    """An Image Builder whose lists show images from a time on."""

    def __init__(self, *shown: tuple[float, dict[str, Any]], older: bool = False, **more: Any) -> None:
        super().__init__(**more)
        self.shown, self.older = shown, older

    def page(self, token: str) -> dict[str, Any]:
        images = [image for begun, image in self.shown if begun <= now()]
        begin = int(token)
        more = {"nextToken": str(begin + 25)} if begin + 25 < len(images) else {}
        return {"imageSummaryList": images[begin : begin + 25], **more}

    async def list_image_pipeline_images(self, **params: Any) -> Any:
        token = params.get("nextToken", "0")
        return await self.answer(
            "list_image_pipeline_images", params["imagePipelineArn"], lambda: self.page(token)
        )

    async def get_image_pipeline(self, **params: Any) -> Any:
        return await self.answer(
            "get_image_pipeline", params["imagePipelineArn"], lambda: {"imagePipeline": {"name": "golden"}}
        )

    async def list_images(self, **params: Any) -> Any:
        versions = {image["arn"].rpartition("/")[0] for _, image in self.shown}
        return await self.answer(
            "list_images",
            str(params["filters"][0]["values"]),
            lambda: {"imageVersionList": [{"arn": arn} for arn in versions]},
        )

    async def list_image_build_versions(self, **params: Any) -> Any:
        version = params.get("imageVersionArn", "")
        if self.older and not version:
            raise ParamValidationError(report="Missing required parameter: imageVersionArn")
        return await self.answer(
            "list_image_build_versions", version, lambda: self.page(params.get("nextToken", "0"))
        )

    def called(self) -> Counter[str]:
        return Counter(operation for _, operation, _ in self.calls)


def found(
    service: Lists, wanted: Wanted = WANTED, waits: int = 1, **settings: Any
) -> list[tuple[str, float]]:
    """Return what each wait found, and when."""

    async def one(watcher: Any) -> tuple[str, float]:
        return await find(watcher, wanted, wall=wall), now()

    async def main() -> list[tuple[str, float]]:
        async with watcher_of(service, **settings) as watcher:
            return await asyncio.gather(*(one(watcher) for _ in range(waits)))

    return run(main())


def error_of(service: Lists, **settings: Any) -> tuple[ImageBuilderError, float]:
    async def main() -> tuple[ImageBuilderError, float]:
        async with watcher_of(service, **settings) as watcher:
            with pytest.raises(ImageBuilderError) as caught:
                await find(watcher, WANTED, wall=wall, deadline=EPOCH + 3600)
            return caught.value, now()

    return run(main())


def test_an_image_is_found_at_the_next_poll_after_it_appeared() -> None:
    ((arn, when),) = found(Lists((35.0, listed(1))))
    assert arn == listed(1)["arn"]
    assert 35 <= when <= 46


def test_many_waits_for_a_pipeline_share_one_list_an_interval() -> None:
    service = Lists((95.0, listed(1)))
    assert {arn for arn, _ in found(service, waits=200)} == {listed(1)["arn"]}
    assert service.called()["list_image_pipeline_images"] <= 11
    assert service.called()["get_image_pipeline"] == 1


def test_waits_with_other_times_share_the_list_and_choose_for_themselves() -> None:
    service = Lists((0.0, listed(1, hour=7)), (50.0, listed(2, hour=9)))

    async def main() -> tuple[str, str]:
        later = Wanted(source=WANTED.source, since=moment(at(8)))
        async with watcher_of(service) as watcher:
            first, second = find(watcher, later, wall=wall), find(watcher, WANTED, wall=wall)
            arn, other = await asyncio.gather(first, second)
            return arn, other

    assert run(main()) == (listed(2)["arn"], listed(1)["arn"])
    assert service.called()["list_image_pipeline_images"] <= 7


def test_a_wait_that_joins_takes_the_last_list_if_it_will_do() -> None:
    service = Lists((0.0, listed(1, hour=7)))

    async def main() -> None:
        later = Wanted(source=WANTED.source, since=moment(at(8)))
        async with watcher_of(service, poll_interval=60.0) as watcher:
            waiting = asyncio.create_task(find(watcher, later, wall=wall))
            await asyncio.sleep(20)
            assert await find(watcher, WANTED, wall=wall) == listed(1)["arn"]
            assert now() == 20
            waiting.cancel()

    run(main())
    assert service.called()["list_image_pipeline_images"] == 1


def test_every_page_is_read_because_the_newest_may_be_on_any() -> None:
    images = [(0.0, listed(number, hour=7)) for number in range(1, 120)]
    service = Lists(*images, (0.0, listed(500, hour=8)))
    assert found(service)[0][0] == listed(500)["arn"]
    assert service.called()["list_image_pipeline_images"] == 5


def test_no_calls_are_made_and_nothing_is_kept_after_the_last_wait() -> None:
    service = Lists()

    async def main() -> int:
        async with watcher_of(service) as watcher:
            waits = [asyncio.create_task(find(watcher, WANTED, wall=wall)) for _ in range(3)]
            await asyncio.sleep(25)
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
            calls = len(service.calls)
            await asyncio.sleep(100)
            assert len(service.calls) == calls
            return calls

    assert run(main()) > 0
    gc.collect()
    assert not search._searches


def test_the_deadline_ends_a_wait_with_what_was_wanted() -> None:
    error, when = error_of(Lists())
    assert isinstance(error, SearchDeadlineError)
    assert PIPELINE in str(error)
    assert "2026-01-01T06:00:00" in str(error)
    assert when == pytest.approx(3600)


@pytest.mark.parametrize("trouble", [THROTTLED, DOWN])
def test_throttling_and_outages_fail_no_wait(trouble: Exception) -> None:
    service = Lists((0.0, listed(1)), fault=lambda _, __, time: trouble if time < 600 else None)
    ((arn, when),) = found(service)
    assert arn == listed(1)["arn"]
    assert when < 700


@pytest.mark.parametrize(("answer", "error"), [(FORBIDDEN, ForbiddenError), (MISSING, NotFoundError)])
def test_a_lasting_refusal_ends_the_waits_only_after_the_grace(
    answer: Exception, error: type[Exception]
) -> None:
    caught, when = error_of(Lists(fault=lambda *_: answer), grace=30.0)
    assert isinstance(caught, error)
    assert when >= 30
    ((arn, _),) = found(Lists((0.0, listed(1)), fault=lambda _, __, time: answer if time < 20 else None))
    assert arn == listed(1)["arn"]


def test_a_pipeline_that_does_not_exist_ends_the_waits_after_the_grace() -> None:
    service = Lists(fault=lambda operation, *_: MISSING if operation == "get_image_pipeline" else None)
    error, when = error_of(service, grace=30.0)
    assert isinstance(error, NotFoundError)
    assert 30 <= when <= 60


def test_a_pipeline_that_is_deleted_during_the_wait_ends_it() -> None:
    def fault(operation: str, _: str, time: float) -> Any:
        return MISSING if operation == "get_image_pipeline" and time > 60 else None

    error, when = error_of(Lists(fault=fault))
    assert isinstance(error, NotFoundError)
    assert when < 700


@pytest.mark.parametrize("page", [{"imageSummaryList": "x"}, {"imageSummaryList": [None]}, {}])
def test_an_answer_that_cannot_be_read_ends_the_waits_only_if_it_lasts(page: Any) -> None:
    ((arn, _),) = found(Lists((0.0, listed(1)), fault=lambda _, __, time: page if time < 5 else None))
    assert arn == listed(1)["arn"]
    assert isinstance(error_of(Lists(fault=lambda *_: page))[0], ImageBuilderError)


def test_a_fault_of_the_package_is_logged_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(dict[str, Any]):
        def get(self, *_: Any) -> Any:
            raise KeyError("a mistake of ours")

    service = Lists(
        (0.0, listed(1)), fault=lambda _, __, time: Broken(imageSummaryList=[]) if time < 5 else None
    )
    assert found(service)[0][0] == listed(1)["arn"]
    assert "failed unexpectedly" in caplog.text


def test_an_older_boto3_finds_an_image_by_its_name() -> None:
    service = Lists((0.0, listed(1)), older=True)
    wanted = Wanted(source=Source(image_name="golden"), since=moment(at(6)))
    assert found(service, wanted)[0][0] == listed(1)["arn"]
    assert service.called() == {"list_images": 1, "list_image_build_versions": 1}
