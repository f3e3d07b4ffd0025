"""What a submission calls, stores, takes and returns."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from airflow_imagebuilder.service.request.image_request import ImageRequest


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

    def retry_image(self, arn: str, client_token: str) -> str:
        """Submit RetryImage; return the ARN. An older boto3 lacks it: OutdatedBoto3Error."""

    def cancel_image(self, arn: str, client_token: str) -> str:
        """Submit CancelImageCreation; return the ARN."""

    def get_image(self, arn: str) -> dict[str, Any]:
        """Return GetImage's ``image``."""


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
