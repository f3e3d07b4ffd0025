"""What a submission works with: Image Builder, the task state store and the clock, with places to die at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.errors import StateStoreError
from airflow_imagebuilder.service.request.image_request import ImageRequest
from airflow_imagebuilder.service.submission.decision import OnRetry
from airflow_imagebuilder.service.submission.submission import Submission
from tests.support.arns import INFRASTRUCTURE, PREFIX
from tests.support.fault_plan import ALWAYS
from tests.support.image_builder import FakeImageBuilder
from tests.support.task import FakeStateStore

if TYPE_CHECKING:
    from airflow_imagebuilder.service.submission.ports import StateStore

CRASH_POINTS = (None, "before token", "after token", "before create", "after create", "after arn")


def request(recipe: str = "al2023") -> ImageRequest:
    return ImageRequest(
        image_recipe_arn=f"{PREFIX}:image-recipe/{recipe}/1.0.0",
        infrastructure_configuration_arn=INFRASTRUCTURE,
    )


class Crash(BaseException):
    """SIGKILL, as far as one process can play it: no handler runs."""


class World:
    """Image Builder, one task's store and the clock."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.die_at: str | None = None
        self.store = _MortalStore(self)
        self.aws = FakeImageBuilder(clock=self.clock)
        self.aws.cancel_takes = 3.0
        self.aws.before("create_image", lambda: self.pass_point("before create"), times=ALWAYS)
        self.aws.after("create_image", lambda: self.pass_point("after create"), times=ALWAYS)
        self.announced: list[tuple[str, str]] = []

    def pass_point(self, name: str) -> None:
        """Die here, if this is the point."""
        if self.die_at == name:
            self.die_at = None
            raise Crash(name)

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def submission(self, on_retry: OnRetry = OnRetry.REPAIR, *, cancel: bool = True) -> Submission:
        return Submission(
            self.aws,
            self.store,
            on_retry=on_retry,
            cancel=cancel,
            announce=lambda arn: self.announced.append((arn, self.aws.images[arn]["state"]["status"])),
            clock=self.clock,
            sleep=self.sleep,
        )

    def guard(self, store: StateStore | None = None, **options: Any) -> Submission:
        """Return the submission of another task, which only awaits the image, with a store of its own."""
        return Submission(self.aws, store or FakeStateStore(), clock=self.clock, sleep=self.sleep, **options)


class _MortalStore(FakeStateStore):
    """A store that does not answer while it is down, and at whose writes a try can die."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world, self._down = world, False

    def go_down(self) -> None:
        self._down = True

    def come_back(self) -> None:
        self._down = False

    def get(self, key: str) -> Any:
        self._answer()
        return super().get(key)

    def set(self, key: str, value: Any) -> None:
        self._answer()
        kind = "arn" if isinstance(value, dict) and value.get("arn") else "token"
        self._world.pass_point(f"before {kind}")
        super().set(key, value)
        self._world.pass_point(f"after {kind}")

    def _answer(self) -> None:
        if self._down:
            raise StateStoreError("503")
