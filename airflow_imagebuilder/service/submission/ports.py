"""What submitting an image needs, and what it gives."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from airflow_imagebuilder.service.request.image_request import ImageRequest


class StateStore(Protocol):
    """What is kept between tries. Airflow's task state store has this shape."""

    def get(self, key: str) -> Any:
        """Return the value, or ``None``."""

    def set(self, key: str, value: Any) -> None:
        """Keep a JSON-safe value."""


class ImageBuilder(Protocol):
    """The calls that submitting needs. The hook has this shape."""

    def create_image(self, request: ImageRequest, client_token: str) -> str:
        """CreateImage; return the ARN."""

    def retry_image(self, arn: str, client_token: str) -> str:
        """RetryImage."""

    def cancel_image(self, arn: str, client_token: str) -> str:
        """CancelImageCreation."""

    def get_image(self, arn: str) -> dict[str, Any]:
        """GetImage's ``image``."""


class Origin(str, Enum):
    """How a try came to its image."""

    CREATED = "created"
    ATTACHED = "attached"
    REPAIRED = "repaired"


@dataclass(frozen=True)
class Try:
    """
    Which try this is.

    :param seed: unique for this try and the same whenever the try is resumed (Airflow: the task instance's
        UUID, which also tells two deployments with equal Dag and run ids apart).
    :param epoch: changes when a user clears the task, stays when Airflow retries it (``max_tries``).
    :param clears: how often a person has cleared tasks of the run (Airflow: the run's ``clear_number``).
    """

    seed: str
    epoch: int
    clears: int | None = None


@dataclass(frozen=True)
class Submitted:
    """
    The image that a try waits for.

    :param arn: image build version ARN.
    :param origin: created, attached or repaired.
    :param stale_until: Unix time until which a FAILED or CANCELLED may be the one before the repair.
    :param submitted_at: Unix time of the CreateImage or RetryImage that began the image's present life.
    :param stale_failure: the workflow execution that had failed before the repair, empty where none had: a
        failure that names another one is new, and counts before ``stale_until``.
    """

    arn: str
    origin: Origin
    stale_until: float | None = None
    submitted_at: float | None = None
    stale_failure: str | None = None
