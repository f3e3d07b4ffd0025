"""ImageSnapshot: the state of an image at one poll."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.results.states import is_image_terminal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


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
        executions: Iterable[Mapping[str, Any]] = (),
    ) -> ImageSnapshot:
        """Return the snapshot of an image.

        :param arn: the image build version ARN.
        :param image: GetImage's ``image``.
        :param executions: the image's workflow executions, also those that are ``retried``; none by default.
        """
        status = str(image["state"]["status"])
        found = tuple(executions)
        superseded = tuple(one for one in found if one.get("retried"))
        live = tuple(one for one in found if not one.get("retried"))
        return cls(arn, image, status, live, is_image_terminal(status), superseded)
