"""What a submission works with: Image Builder, the task state store and the clock, with places to die at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.errors import StateStoreError
from airflow_imagebuilder.service.request import ImageRequest, PipelineRequest
from airflow_imagebuilder.service.submission.decision import OnRetry
from airflow_imagebuilder.service.submission.pipeline import Pipeline
from airflow_imagebuilder.service.submission.submission import Submission
from tests.support.arns import INFRASTRUCTURE, PREFIX
from tests.support.fault_plan import ALWAYS
from tests.support.image_builder import FakeImageBuilder
from tests.support.task import FakeStateStore

if TYPE_CHECKING:
    from airflow_imagebuilder.service.submission.ports import StateStore, Submitted, Try

CRASH_POINTS = (None, "before token", "after token", "before create", "after create", "after arn")


OPERATIONS = {"CreateImage": "create_image", "StartImagePipelineExecution": "start_pipeline"}
"""The operations that make an image, each with its method of the hook."""

RECIPES = ("al2023", "ubuntu")
"""The recipes of a world. Each has a pipeline of the same name."""


def recipe_arn(name: str) -> str:
    return f"{PREFIX}:image-recipe/{name}/1.0.0"


def pipeline_arn(name: str = RECIPES[0]) -> str:
    return f"{PREFIX}:image-pipeline/{name}"


def pipeline(name: str = RECIPES[0], **changes: Any) -> dict[str, Any]:
    """Return GetImagePipeline's ``imagePipeline``, as the least that AWS takes."""
    members = {"imageRecipeArn": recipe_arn(name), "infrastructureConfigurationArn": INFRASTRUCTURE}
    return {"arn": pipeline_arn(name), "name": name, "status": "ENABLED", **members, **changes}


class Crash(BaseException):
    """SIGKILL, as far as one process can play it: no handler runs."""


class World:
    """
    Image Builder, one task's store and the clock.

    :param operation: the operation that makes the image, one of :data:`OPERATIONS`.
    """

    def __init__(self, operation: str = "CreateImage") -> None:
        self.operation, self.method = operation, OPERATIONS[operation]
        self.now = 1_000.0
        self.die_at: str | None = None
        self.store = _MortalStore(self)
        self.aws = FakeImageBuilder(clock=self.clock)
        self.aws.cancel_takes = 3.0
        self.aws.pipelines = {pipeline_arn(name): pipeline(name) for name in RECIPES}
        self.aws.before(self.method, lambda: self.pass_point("before create"), times=ALWAYS)
        self.aws.after(self.method, lambda: self.pass_point("after create"), times=ALWAYS)
        self.announced: list[tuple[str, str]] = []

    @property
    def of_pipelines(self) -> bool:
        return self.method == "start_pipeline"

    @property
    def tokens(self) -> dict[str, tuple[dict[str, Any], str]]:
        """The client tokens of the operation, each with its request and its image."""
        return self.aws.pipeline_tokens if self.of_pipelines else self.aws.tokens

    @property
    def member(self) -> str:
        """The member of the request that names what is built."""
        return "imagePipelineArn" if self.of_pipelines else "imageRecipeArn"

    def request(self, name: str = RECIPES[0]) -> Any:
        """Return the request that builds a recipe."""
        if self.of_pipelines:
            return PipelineRequest(pipeline_arn=pipeline_arn(name))
        return ImageRequest(
            image_recipe_arn=recipe_arn(name), infrastructure_configuration_arn=INFRASTRUCTURE
        )

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
        return _AsOfAnOperator(
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


class _AsOfAnOperator(Submission):
    """A submission that reads the pipeline of its request, as the operator lets it do."""

    def submit(self, request: Any, current: Try) -> Submitted:
        if isinstance(request, PipelineRequest):
            self.blueprint = Pipeline(self.images, request.pipeline_arn)
        return super().submit(request, current)


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
