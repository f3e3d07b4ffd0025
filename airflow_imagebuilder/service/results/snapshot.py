"""ImageSnapshot: an image as one poll saw it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.states import is_image_terminal

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class ImageSnapshot:
    """
    An image as one look saw it.

    :param arn: the image build version ARN.
    :param image: the ``image`` of GetImage. Of an image in progress its recipe and its configurations are
        left out; and unless the wait asked for workflows it may hold no more than a list of builds tells:
        the state with its reason and failure context, the outputs, the names.
    :param status: the image's status, as AWS writes it.
    :param executions: the image's workflow executions without those that a RetryImage superseded; empty
        unless the wait asked for workflows.
    :param terminal: whether the image has stopped changing.
    """

    arn: str
    image: Mapping[str, Any]
    status: str
    executions: tuple[Mapping[str, Any], ...] = ()
    terminal: bool = False

    @classmethod
    def of(
        cls, arn: str, image: Mapping[str, Any], executions: tuple[Mapping[str, Any], ...] = ()
    ) -> ImageSnapshot:
        """Return the snapshot of an image."""
        status = str(image["state"]["status"])
        return cls(arn, image, status, executions, is_image_terminal(status))
