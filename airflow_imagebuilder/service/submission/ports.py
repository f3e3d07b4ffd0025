"""What a submission calls, stores, takes and returns."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_imagebuilder.service.request.image_request import ImageRequest
    from airflow_imagebuilder.service.request.pipeline_request import PipelineRequest


class StateStore(Protocol):
    """A store that outlives a try. Airflow's task state store has these methods."""

    def get(self, key: str) -> Any:
        """Return the value; ``None`` if there is none."""

    def set(self, key: str, value: Any) -> None:
        """Store a JSON-safe value."""


class ImageBuilder(Protocol):
    """The calls of Image Builder that a submission makes. The hook has these methods."""

    def create_image(self, request: ImageRequest, client_token: str) -> str:
        """Submit CreateImage; return the ARN."""

    def start_pipeline(self, request: PipelineRequest, client_token: str) -> str:
        """Submit StartImagePipelineExecution; return the ARN of the image."""

    def get_image_pipeline(self, arn: str) -> dict[str, Any]:
        """Return GetImagePipeline's ``imagePipeline``."""

    def retry_image(self, arn: str, client_token: str) -> str:
        """Submit RetryImage; return the ARN. An older boto3 lacks it: OutdatedBoto3Error."""

    def cancel_image(self, arn: str, client_token: str) -> str:
        """Submit CancelImageCreation; return the ARN."""

    def get_image(self, arn: str) -> dict[str, Any]:
        """Return GetImage's ``image``."""


class Request(Protocol):
    """What makes an image, and can be sent again with the same client token."""

    def to_api(self) -> dict[str, Any]:
        """Return its parameters as AWS takes them, for the record and for comparison."""

    def send(self, images: ImageBuilder, client_token: str) -> str:
        """Submit it; return the ARN of the image."""


class Blueprint(Protocol):
    """What a request refers to on AWS, where others may change or delete it between two tries."""

    def checked(self) -> Mapping[str, Any] | None:
        """Return its definition, JSON-safe, before it is built; raise if it cannot be built."""

    def current(self) -> Mapping[str, Any] | None:
        """Return its definition as it is now; ``None`` if it is not known."""


class Origin(str, Enum):
    """How a try got its image."""

    CREATED = "created"
    ATTACHED = "attached"
    REPAIRED = "repaired"


@dataclass(frozen=True)
class Try:
    """
    One try of a task.

    :param seed: identifies the try. It is the same when the try resumes (Airflow: the task instance's UUID,
        which also differs between two deployments with equal Dag and run ids).
    :param epoch: changes when a person clears the task, not when Airflow retries it (Airflow: ``max_tries``).
    :param clears: how many times tasks of the run have been cleared (Airflow: the run's ``clear_number``);
        ``None`` (default) if Airflow does not count them.
    """

    seed: str
    epoch: int
    clears: int | None = None


@dataclass(frozen=True)
class Submitted:
    """
    The image that a try waits for.

    :param arn: image build version ARN.
    :param origin: how the try got it.
    :param stale_until: Unix time until which AWS may still show the FAILED or CANCELLED from before the
        repair; ``None`` (default) if the image was not repaired.
    :param submitted_at: Unix time of the last CreateImage or RetryImage of the image; ``None`` (default) if
        it is not known.
    :param stale_failure: the workflow execution that had failed before the repair, empty if none had. A
        failure that names another one is new, and counts before ``stale_until``.
    """

    arn: str
    origin: Origin
    stale_until: float | None = None
    submitted_at: float | None = None
    stale_failure: str | None = None
