"""The trigger of an asset watcher: its arguments, what it reports, and how triggers share a reader."""

from __future__ import annotations

import asyncio
import contextlib
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import Asset, AssetWatcher
from airflow.triggers.base import BaseEventTrigger

from airflow_imagebuilder.assets import asset_extra
from airflow_imagebuilder.hooks import ImageBuilderHook
from airflow_imagebuilder.service.errors import InvalidRequestError
from airflow_imagebuilder.service.events.messages import ImageStateChange, read_message
from airflow_imagebuilder.service.results.image import ImageResult
from airflow_imagebuilder.service.watcher.watcher import ImageWatcher
from airflow_imagebuilder.triggers import ImageBuilderImageEventTrigger, ImageBuilderImageTrigger
from airflow_imagebuilder.triggers.event_streams import STORED, Producer
from tests.support.arns import image_arn
from tests.support.clockwork import run
from tests.support.sqs import URL, Queue
from tests.support.state_changes import state_change

if TYPE_CHECKING:
    from collections.abc import Mapping

GOLDEN, OTHER = image_arn(3), image_arn(1, "other")


def trigger(**changes: Any) -> ImageBuilderImageEventTrigger:
    return ImageBuilderImageEventTrigger(**{"queue_url": URL, **changes})


def answer(arn: str, status: str = "AVAILABLE", **members: Any) -> dict[str, Any]:
    """Return GetImage's image."""
    amis = [{"region": "us-east-1", "image": "ami-1", "accountId": "123456789012"}]
    return {"arn": arn, "state": {"status": status}, "outputResources": {"amis": amis}, **members}


class Outside:
    """A queue and an Image Builder in place of AWS, for all triggers."""

    def __init__(self) -> None:
        self.images: dict[str, dict[str, Any]] = {}
        """What GetImage answers of an image, beyond that it is AVAILABLE."""
        self.connected = 0
        self.read_arns: list[str] = []
        self._queue: Queue | None = None

    @property
    def queue(self) -> Queue:
        """The queue, made on the running loop."""
        if self._queue is None:
            self._queue = Queue()
        return self._queue

    async def read(self, arn: str) -> dict[str, Any]:
        self.read_arns.append(arn)
        return {**answer(arn), **self.images.get(arn, {})}

    async def connect(self) -> Any:
        self.connected += 1
        return await self.queue.connect()


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> Outside:
    aws = Outside()
    monkeypatch.setattr(ImageBuilderImageEventTrigger, "_read", lambda self, arn: aws.read(arn))
    monkeypatch.setattr(ImageBuilderHook, "connect", lambda self: aws.connect())
    return aws


class Fired(list[dict[str, Any]]):
    """A trigger of a triggerer before Airflow 3.3, and the payloads of its events."""

    def __init__(self, watcher: ImageBuilderImageEventTrigger) -> None:
        super().__init__()
        self.watcher = watcher

    async def run(self) -> None:
        async with contextlib.aclosing(self.watcher.run()) as events:
            async for event in events:
                self.append(event.payload)

    @property
    def arns(self) -> list[str]:
        return [payload["image_arn"] for payload in self]


async def during(seconds: float, *triggers: Fired) -> None:
    """Run triggers for so many seconds, and end them as the triggerer does."""
    tasks = [asyncio.create_task(fired.run()) for fired in triggers]
    await asyncio.sleep(seconds)
    assert not any(task.done() for task in tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


# -- arguments ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "region"), [(URL, "us-east-1"), ("http://127.0.0.1:5005/123456789012/images", "eu-west-1")]
)
def test_a_queue_is_read_in_the_region_of_its_url_or_in_that_of_the_trigger(
    monkeypatch: pytest.MonkeyPatch, url: str, region: str
) -> None:
    hooks: list[ImageBuilderHook] = []

    async def connect(hook: ImageBuilderHook) -> Any:
        hooks.append(hook)
        return await Queue().connect()

    monkeypatch.setattr(ImageBuilderHook, "connect", connect)
    run(during(5, Fired(trigger(queue_url=url, region_name="eu-west-1", aws_conn_id="aws_fleet"))))
    (hook,) = hooks
    assert (hook.client_type, hook._region_name, hook.aws_conn_id) == ("sqs", region, "aws_fleet")


def test_an_asset_takes_the_trigger_as_a_watcher() -> None:
    asset = Asset("golden", uri="imagebuilder://golden", watchers=[AssetWatcher("any", trigger())])
    assert asset.watchers[0].trigger.serialize()[1]["queue_url"] == URL


def test_airflow_finds_the_trigger_of_its_database_again() -> None:
    from airflow.models.trigger import Trigger

    path, kwargs = trigger(statuses=("AVAILABLE", "FAILED"), skip_tags={"baked-by": "airflow"}).serialize()
    stored = Trigger._decrypt_kwargs(Trigger.encrypt_kwargs(kwargs))
    assert BaseEventTrigger.hash(path, stored) == BaseEventTrigger.hash(path, kwargs)
    assert ImageBuilderImageEventTrigger(**kwargs).serialize() == (path, kwargs)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"queue_url": "golden-images"}, "queue_url: got 'golden-images'"),
        (
            {"queue_url": "arn:aws:sqs:us-east-1:123456789012:golden-images"},
            "the URL of a standard SQS queue",
        ),
        ({"queue_url": "{{ var.value.queue }}"}, "renders no templates in watchers"),
        ({"queue_url": f"{URL}.fifo"}, "the URL of a standard SQS queue"),
        ({"queue_url": None}, "queue_url: not given"),
        ({"image_name": GOLDEN}, "image_name: got 'arn:"),
        ({"image_name": ""}, "image_name: got ''"),
        ({"statuses": ()}, "statuses: got []"),
        ({"statuses": None}, "statuses: got []"),
        ({"skip_tags": {"build": 7}}, "skip_tags: got {'build': 7}"),
        ({"skip_tags": ["baked-by"]}, "a mapping of text to text"),
        ({"statuses": ("TESTING",)}, "allowed: AVAILABLE, FAILED, CANCELLED"),
    ],
)
def test_wrong_arguments_are_refused_when_the_dag_file_is_parsed(wrong: Mapping[str, Any], said: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        trigger(**wrong)
    assert said in str(refused.value)


def test_all_faults_are_reported_at_once() -> None:
    with pytest.raises(InvalidRequestError) as refused:
        ImageBuilderImageEventTrigger(queue_url="q", image_name="a b", statuses="DONE")
    assert [fault.field for fault in refused.value.faults] == ["queue_url", "image_name", "statuses"]


def test_the_url_of_a_local_queue_is_accepted() -> None:
    assert trigger(queue_url="http://127.0.0.1:5005/123456789012/golden-images").queue_url


# -- what is reported --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "arns"),
    [
        (None, [GOLDEN, OTHER]),
        ("golden", [GOLDEN]),
        ("Golden", [GOLDEN]),
        ("gold*", [GOLDEN]),
        ("gold", []),
        ("*", [GOLDEN, OTHER]),
    ],
)
def test_the_images_of_the_name_are_reported(outside: Outside, name: str | None, arns: list[str]) -> None:
    fired = Fired(trigger(image_name=name))

    async def main() -> None:
        outside.queue.send(state_change(GOLDEN), state_change(OTHER))
        await during(5, fired)

    run(main())
    assert sorted(fired.arns) == sorted(arns)


@pytest.mark.parametrize("name", ["golden_web", "golden-web", "Golden_*"])
@pytest.mark.parametrize("shown", ["golden-web", "golden_web"])
def test_an_underscore_of_a_name_is_a_hyphen_in_most_arns(name: str, shown: str) -> None:
    arn = GOLDEN.replace("/golden/", f"/{shown}/")
    change = read_message(state_change(arn))
    assert isinstance(change, ImageStateChange)
    assert trigger(image_name=name).wants(change)


def test_an_event_has_what_a_task_reports(outside: Outside) -> None:
    fired = Fired(trigger())

    async def main() -> None:
        outside.queue.send(state_change(GOLDEN))
        await during(5, fired)

    run(main())
    assert fired == [asset_extra(ImageResult.from_api(answer(GOLDEN)))]
    assert fired[0]["amis"] == {"us-east-1": "ami-1"}


def test_a_failed_image_is_reported_where_it_is_wanted_and_with_its_status(outside: Outside) -> None:
    wants, no = Fired(trigger(statuses=["FAILED"])), Fired(trigger())
    outside.images[GOLDEN] = {"state": {"status": "FAILED"}}

    async def main() -> None:
        outside.queue.send(state_change(GOLDEN, "FAILED"))
        await during(5, wants, no)

    run(main())
    assert [payload["status"] for payload in wants] == ["FAILED"]
    assert no == []


def test_images_with_the_tags_to_skip_are_not_reported_and_their_messages_are_deleted(
    outside: Outside,
) -> None:
    fired = Fired(trigger(skip_tags={"baked-by": "airflow"}))
    outside.images = {
        GOLDEN: {"tags": {"baked-by": "airflow", "team": "web"}},
        OTHER: {"tags": {"baked-by": "hand"}},
    }

    async def main() -> None:
        outside.queue.send(state_change(GOLDEN), state_change(OTHER))
        await during(10 + STORED, fired)

    run(main())
    assert fired.arns == [OTHER]
    assert not outside.queue.stored


@pytest.mark.asyncio
async def test_an_image_is_read_in_the_region_of_its_arn_by_the_watcher_that_waits_share(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arn, asked = GOLDEN.replace("us-east-1", "eu-west-1"), []

    async def image(watcher: ImageWatcher, arn: str) -> dict[str, Any]:
        asked.append(watcher)
        return answer(arn)

    monkeypatch.setattr(ImageWatcher, "image", image)
    wait = ImageBuilderImageTrigger(image_build_version_arn=arn, region_name="eu-west-1")
    async with wait.watcher() as shared:
        assert await trigger(region_name="us-east-1")._read(arn) == answer(arn)
    assert asked == [shared]


@pytest.mark.asyncio
async def test_an_image_that_cannot_be_reported_is_an_error_before_its_message_is_given_to_a_trigger(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def image(watcher: ImageWatcher, arn: str) -> dict[str, Any]:
        return {**answer(arn), "outputResources": "soup"}

    monkeypatch.setattr(ImageWatcher, "image", image)
    with pytest.raises(Exception, match="'str' object"):
        await trigger()._read(GOLDEN)


# -- before Airflow 3.3 ------------------------------------------------------------------------------------


def test_triggers_of_one_queue_share_a_reader_and_each_gets_its_own_events(outside: Outside) -> None:
    golden, other, every = (Fired(trigger(image_name=name)) for name in ("golden", "other", None))

    async def main() -> None:
        outside.queue.send(state_change(GOLDEN), state_change(OTHER))
        await during(10 + STORED, golden, other, every)

    run(main())
    assert (golden.arns, other.arns) == ([GOLDEN], [OTHER])
    assert sorted(every.arns) == sorted([GOLDEN, OTHER])
    assert outside.connected == outside.queue.opened == outside.queue.closed == 1
    assert not outside.queue.stored


def test_triggers_of_other_queues_and_connections_have_readers_of_their_own() -> None:
    one = trigger().shared_stream_key()
    assert trigger(image_name="golden", skip_tags={"a": "b"}).shared_stream_key() == one
    assert trigger(statuses=["FAILED"]).shared_stream_key() == one
    for changes in (
        {"queue_url": f"{URL}-2"},
        {"aws_conn_id": None},
        {"region_name": "eu-west-1"},
        {"verify": False},
        {"botocore_config": {"read_timeout": 7}},
    ):
        assert trigger(**changes).shared_stream_key() != one


def test_a_message_is_deleted_only_some_time_after_its_event_has_left(outside: Outside) -> None:
    before, after = Fired(trigger()), Fired(trigger())

    async def main() -> None:
        outside.queue.send(state_change(GOLDEN))
        await during(STORED, before)  # the triggerer ends before the event counts as stored
        assert outside.queue.deleted == []
        await during(100, after)

    run(main())
    assert before.arns == after.arns == [GOLDEN]
    assert not outside.queue.stored


def test_an_event_that_did_not_reach_the_triggerer_comes_again(outside: Outside) -> None:
    lost, after = trigger(), Fired(trigger())

    async def main() -> None:
        outside.queue.send(state_change(GOLDEN))
        events = lost.run()
        assert (await events.__anext__()).payload["image_arn"] == GOLDEN
        await events.aclose()  # as a triggerer does that is stopped while it logs the event
        await during(100, after)

    run(main())
    assert after.arns == [GOLDEN]


def test_a_trigger_that_leaves_takes_no_event_from_the_others(outside: Outside) -> None:
    leaves, stays = Fired(trigger(image_name="gol*")), Fired(trigger(image_name="golden"))

    async def main() -> None:
        early = asyncio.create_task(during(5, leaves))
        late = asyncio.create_task(during(100, stays))
        await early
        outside.queue.send(state_change(GOLDEN))
        await late

    run(main())
    assert (leaves.arns, stays.arns) == ([], [GOLDEN])


def test_an_event_waits_to_be_stored_although_the_queue_delivers_again_soon(outside: Outside) -> None:
    fired = Fired(trigger())

    async def main() -> int:
        outside.queue.visibility = 10
        outside.queue.send(state_change(GOLDEN))
        (message,) = outside.queue.stored.values()
        await during(60, fired)
        return message.received

    assert run(main()) == 1
    assert not outside.queue.stored


def test_what_a_trigger_had_not_taken_when_it_left_comes_again(outside: Outside) -> None:
    leaves, stays = trigger(image_name="*"), Fired(trigger(image_name="other"))

    async def main() -> None:
        stay = asyncio.create_task(during(200, stays))
        outside.queue.send(state_change(GOLDEN))
        events = leaves.run()
        await events.__anext__()
        outside.queue.send(state_change(OTHER))
        await asyncio.sleep(5)  # it is still busy with the first event
        await events.aclose()
        await stay

    run(main())
    assert stays.arns == [OTHER, OTHER]  # again, since Airflow may have moved the other to a triggerer
    assert [one.body for one in outside.queue.stored.values()] == [state_change(GOLDEN)]


def test_no_image_is_read_for_a_trigger_that_has_left(outside: Outside) -> None:
    leaves, stays = Fired(trigger(image_name="golden")), Fired(trigger(image_name="other"))

    async def main() -> None:
        stay = asyncio.create_task(during(60, stays))
        await during(5, leaves)
        outside.queue.send(state_change(GOLDEN), state_change(OTHER))
        await stay

    run(main())
    assert outside.read_arns == [OTHER]
    assert [one.body for one in outside.queue.stored.values()] == [state_change(GOLDEN)]


# -- since Airflow 3.3 -------------------------------------------------------------------------------------


def outcome(acked: int = 0, failed: int = 0) -> SimpleNamespace:
    return SimpleNamespace(is_clean=acked > 0 and not failed)


@pytest.mark.parametrize(("result", "deleted"), [(outcome(acked=1), True), (outcome(), False)])
def test_a_message_is_deleted_once_airflow_has_stored_its_events(
    outside: Outside, result: SimpleNamespace, deleted: bool
) -> None:
    async def main() -> None:
        outside.queue.send(state_change(GOLDEN))
        watcher = trigger()
        with watcher._listed():
            producer = ImageBuilderImageEventTrigger.create_shared_stream_producer(watcher.serialize()[1])
            stream = producer.open_stream()
            raw, payload = await stream.__anext__()
            assert watcher.event(raw) is not None
            assert outside.queue.deleted == []
            await producer.advance([SimpleNamespace(broker_payload=payload, outcome=result)])
            await stream.aclose()

    run(main())
    assert bool(outside.queue.deleted) is deleted


def test_no_message_waits_for_another_one_and_no_error_ends_the_stream() -> None:
    class Broken:
        async def done(self, arrival: Any) -> None:
            raise KeyError("a mistake of ours")

    producer = Producer(Broken())  # type: ignore[arg-type]
    one, two = (
        SimpleNamespace(message=SimpleNamespace(message_id=name), change=SimpleNamespace(arn=GOLDEN))
        for name in ("one", "two")
    )
    assert producer.get_advance_lane(one) != producer.get_advance_lane(two)  # type: ignore[arg-type]
    asyncio.run(producer.advance([SimpleNamespace(broker_payload=one, outcome=outcome(acked=1))]))


def test_the_producer_has_what_airflow_calls() -> None:
    shared_stream = pytest.importorskip("airflow.triggers.shared_stream", reason="since Airflow 3.3")
    for name in ("open_stream", "advance", "get_advance_lane", "aclose"):
        assert hasattr(shared_stream.SharedStreamProducer, name)
        assert callable(getattr(Producer, name))


def test_airflow_shares_the_stream_and_deletes_after_it_has_stored_the_events(outside: Outside) -> None:
    shared_stream = pytest.importorskip("airflow.triggers.shared_stream", reason="since Airflow 3.3")
    watchers = {1: trigger(image_name="golden"), 2: trigger(image_name="other"), 3: trigger()}
    fired: dict[int, list[str]] = {number: [] for number in watchers}

    async def main() -> None:
        manager = shared_stream.SharedStreamManager()
        sequence: list[int] = []

        async def watch(number: int) -> None:
            watcher, key = watchers[number], watchers[number].shared_stream_key()
            stream = manager.subscribe(trigger_id=number, trigger=watcher, key=key)
            async for event in watcher.filter_shared_stream(stream):
                fired[number].append(event.payload["image_arn"])
                sequence.append(manager.bind_pending_event(trigger_id=number, key=key))

        outside.queue.send("malformed", state_change(GOLDEN), state_change(OTHER))
        tasks = [asyncio.create_task(watch(number)) for number in watchers]
        await asyncio.sleep(20)
        assert outside.queue.deleted == []
        manager.confirm_persisted(sequence)
        await asyncio.sleep(5)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await manager.stop_all()

    run(main())
    assert (fired[1], fired[2]) == ([GOLDEN], [OTHER])
    assert sorted(fired[3]) == sorted([GOLDEN, OTHER])
    assert outside.connected == 1
    assert [one.body for one in outside.queue.stored.values()] == ["malformed"]
