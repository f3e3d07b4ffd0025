"""ImageSnapshot: the state of an image at one poll."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.results.states import is_image_terminal

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class ImageSnapshot:
    """The state of an image at one poll.

    :param arn: the image build version ARN.
    :param image: GetImage's ``image``. While the image is in progress, its recipe and configurations are left
        out. Unless the wait asked for workflows, it may hold only the members that ListImageBuildVersions
        returns: the state with its reason and failure context, the outputs, the names.
    :param status: the image's status, as AWS writes it.
    :param executions: the image's workflow executions without those that a RetryImage superseded; empty (the
        default) unless the wait asked for workflows.
    :param terminal: whether the image has stopped changing.
    :param superseded: the workflow executions that a RetryImage superseded; empty (the default) unless the
        wait asked for workflows.
    """

    arn: str
    image: Mapping[str, Any]
    status: str
    executions: tuple[Mapping[str, Any], ...] = ()
    terminal: bool = False
    superseded: tuple[Mapping[str, Any], ...] = ()

    @classmethod
    def of(
        cls,
        arn: str,
        image: Mapping[str, Any],
        executions: tuple[Mapping[str, Any], ...] = (),
        superseded: tuple[Mapping[str, Any], ...] = (),
    ) -> ImageSnapshot:
        """Return the snapshot of an image.

        :param arn: the image build version ARN.
        :param image: GetImage's ``image``.
        :param executions: the image's workflow executions; none by default.
        :param superseded: those that a RetryImage superseded; none by default.
        """
        status = str(image["state"]["status"])
        return cls(arn, image, status, executions, is_image_terminal(status), superseded)
