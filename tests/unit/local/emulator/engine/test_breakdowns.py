"""A fault inside one image's life fails that image with a reason; time and the other images move on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_imagebuilder.local.emulator.engine import Effect, Engine
from airflow_imagebuilder.local.emulator.engine.simulation.image_lifecycle import ImageLifecycle
from airflow_imagebuilder.local.emulator.engine.simulation.outputs.distribution import Distribution
from airflow_imagebuilder.local.emulator.engine.simulation.workflows.workflow_runner import WorkflowRunner
from airflow_imagebuilder.local.emulator.seed import seed
from tests.support.bench import Bench, image_request

if TYPE_CHECKING:
    from airflow_imagebuilder.local.emulator.engine.state import Execution, Image


def _breaks_for(first: str) -> Any:
    """Return a method that raises for one image and does for others what the original does."""

    def broken(self: Any, *args: Any) -> Any:
        image: Image = next(a for a in args if hasattr(a, "history"))
        if image.arn == first:
            raise RuntimeError("no such thing")
        return broken.original(self, *args)  # type: ignore[attr-defined]

    return broken


@pytest.mark.parametrize(
    ("owner", "method", "kind"),
    [
        (WorkflowRunner, "begin", "build"),
        (WorkflowRunner, "complete", "step"),
        (Distribution, "distribute", "distribution"),
        (Distribution, "integrate", "integration"),
        (ImageLifecycle, "ended", "execution"),
    ],
)
def test_a_timer_that_fails_fails_only_its_image(
    owner: type, method: str, kind: str, monkeypatch: pytest.MonkeyPatch, bench: Bench
) -> None:
    first, second = bench.bake(), bench.bake()
    broken = _breaks_for(first)
    broken.original = getattr(owner, method)
    monkeypatch.setattr(owner, method, broken)
    bench.engine.settle()
    state = bench.image(first)["state"]
    assert state["status"] == "FAILED"
    assert state["reason"] == (
        f"An internal error has occurred. (The local Image Builder failed in '{kind}'; see its log.)"
    )
    assert bench.status(second) == "AVAILABLE"
    assert not [status for status in bench.outcome(first).values() if status in ("RUNNING", "PENDING")]
    # The next image is built too, once the fault has gone.
    monkeypatch.undo()
    assert bench.finish(bench.bake()) == "AVAILABLE"


def test_a_cancellation_that_fails_ends_the_image_too(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> None:
    def broken(_self: object, execution: Execution, *_: object) -> None:
        raise RuntimeError(execution.id)

    arn = bench.bake()
    bench.run_to(arn, "BUILDING")
    bench.call("CancelImageCreation", imageBuildVersionArn=arn)
    with monkeypatch.context() as patch:
        patch.setattr(WorkflowRunner, "abort", broken)
        bench.engine.settle()
    assert bench.status(arn) == "FAILED"
    assert bench.finish(bench.bake()) == "AVAILABLE"


@pytest.mark.parametrize("kind", ["event", "log", "ami"])
def test_a_world_that_raises_does_not_stop_time(kind: str) -> None:
    def raises(effect: Effect) -> None:
        if effect.kind == kind:
            raise OSError("the world is gone")

    engine = Engine(seed=1, sink=raises)
    seed(engine)
    request = image_request(clientToken="one")
    arn = engine.call("CreateImage", request)["imageBuildVersionArn"]
    before = engine.clock.now()
    engine.clock.advance(200_000)
    engine.run_due()
    assert engine.clock.now() == before + 200_000
    image = engine.call("GetImage", {"imageBuildVersionArn": arn})["image"]
    assert image["state"]["status"] == "FAILED"
    assert "internal error" in image["state"]["reason"]
