"""Account: the account of AWS, or that of the local service, and what a run makes in it."""

from __future__ import annotations

import re
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PREFIX = "airflow-imagebuilder-verify"
"""How the names of everything begin that a run makes, and the key of its tag."""

ACCEPTED = "accepted"
ENDED = ("AVAILABLE", "FAILED", "CANCELLED", "DEPRECATED", "DISABLED", "DELETED")

SETTLING = 8
"""How many polls find an image finished before it counts as finished for good."""


class NotReadyError(Exception):
    """What a test waited for did not come by its deadline."""


def refusal(call: Callable[..., Any], **params: Any) -> str:
    """Return the code of the error that a call gets; ``accepted`` without one."""
    try:
        call(**params)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ACCEPTED


@dataclass
class Account:
    """
    An account in one region.

    :param session: a boto3 session with credentials.
    :param region: the region in which everything happens.
    :param endpoint: the address of the local service; None for AWS, or for what AWS_ENDPOINT_URL names.
    :param execution_role: the role of images with own workflows; without it they are not tried.
    :param instance_profile: the profile of build instances; without it an empty one is made.
    :param poll: seconds between two polls of an image.
    :param patience: seconds after which what was waited for has not come.
    :param run: the id of the run, which is in all names.
    """

    session: Any
    region: str
    endpoint: str | None = None
    execution_role: str | None = None
    instance_profile: str | None = None
    poll: float = 15.0
    patience: float = 3600.0
    run: str = field(default_factory=lambda: uuid.uuid4().hex[:8])
    _clients: dict[str, Any] = field(default_factory=dict)

    @property
    def stem(self) -> str:
        """How all names of this run begin."""
        return f"{PREFIX}-{self.run}"

    @property
    def tags(self) -> dict[str, str]:
        """The tag of everything that this run makes."""
        return {PREFIX: self.run}

    def client(self, service: str = "imagebuilder", *, unchecked: bool = False) -> Any:
        """
        Return a client; the same arguments return the same one.

        :param unchecked: whether boto3 sends requests that do not fit the model.
        """
        key = f"{service} {unchecked}"
        if key not in self._clients:
            # Of botocore's modes only this one retries Image Builder's CallRateLimitExceededException.
            retries: Any = {"mode": "legacy", "max_attempts": 8}
            config = Config(retries=retries, parameter_validation=not unchecked)
            self._clients[key] = self.session.client(
                service, region_name=self.region, endpoint_url=self.endpoint, config=config
            )
        return self._clients[key]

    def need(self, operation: str, member: str | None = None) -> None:
        """Skip the test if the installed boto3 lacks an operation, or a member of its request."""
        model = self.client().meta.service_model
        lacks = operation not in model.operation_names
        if lacks or (member and member not in model.operation_model(operation).input_shape.members):
            pytest.skip(f"The installed boto3 has no {f'{operation}.{member}' if member else operation}.")

    def has(self, operation: str) -> bool:
        """Whether the installed boto3 has an operation."""
        return operation in self.client().meta.service_model.operation_names

    def need_wildcards(self) -> None:
        """Skip the test if the local service refuses 1.0.x: it has the patterns of the installed boto3."""
        shape = self.client().meta.service_model.operation_model("CreateImageRecipe").input_shape
        pattern = shape.members["semanticVersion"].metadata["pattern"]
        is_local = urlsplit(self.client().meta.endpoint_url).hostname == "127.0.0.1"
        if is_local and not re.fullmatch(pattern, "1.0.x"):
            pytest.skip("The installed boto3 has no wildcards in versions, and so has the local service.")

    def create(self, noun: str, label: str, **params: Any) -> str:
        """
        Create a resource with name and tag of this run, and return its ARN.

        :param noun: as in boto3's method, e.g. ``image_recipe``.
        """
        request = {"name": f"{self.stem}-{label}", "tags": self.tags, **params}
        answer = getattr(self.client(), f"create_{noun}")(**request)
        return next(str(value) for key, value in answer.items() if key.endswith("Arn"))

    def bake(self, **params: Any) -> str:
        """Create an image with the tag of this run, and return its ARN."""
        answer = self.client().create_image(**{"tags": self.tags, **params})
        return str(answer["imageBuildVersionArn"])

    def refused_image(self, **params: Any) -> str:
        """
        Return the code of the error that CreateImage answers.

        An image that AWS makes all the same is cancelled at once, before it has an instance.
        """
        try:
            arn = self.bake(**params)
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        self.client().cancel_image_creation(imageBuildVersionArn=arn)
        return ACCEPTED

    def image(self, arn: str) -> dict[str, Any]:
        """Return what GetImage shows."""
        return dict(self.client().get_image(imageBuildVersionArn=arn)["image"])

    def status(self, arn: str) -> str:
        """Return the status of an image."""
        return str(self.image(arn)["state"]["status"])

    def executions(self, arn: str) -> list[dict[str, Any]]:
        """Return the workflow executions of an image, without those that RetryImage has replaced."""
        pages = self.client().get_paginator("list_workflow_executions").paginate(imageBuildVersionArn=arn)
        found = [run for page in pages for run in page["workflowExecutions"]]
        return [run for run in found if not run.get("retried")]

    def steps(self, execution: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the steps of a workflow execution, in the order of the document."""
        answer = self.client().list_workflow_step_executions(
            workflowExecutionId=execution["workflowExecutionId"]
        )
        return list(answer["steps"])

    def waiting(self, arn: str) -> list[dict[str, Any]]:
        """Return the steps of an image that wait for an action."""
        pages = self.client().get_paginator("list_waiting_workflow_steps").paginate()
        return [step for page in pages for step in page["steps"] if step["imageBuildVersionArn"] == arn]

    def act(self, arn: str, step: str, action: str, reason: str = "contract test") -> None:
        """Send an action to a waiting step."""
        self.client().send_workflow_step_action(
            imageBuildVersionArn=arn, stepExecutionId=step, action=action, reason=reason
        )

    def polls(self, what: str) -> Iterator[None]:
        """
        Yield between pauses, until the patience is over.

        :raises NotReadyError: it is over.
        """
        end = time.monotonic() + self.patience
        while time.monotonic() < end:
            yield
            time.sleep(self.poll)  # a real service on real time
        raise NotReadyError(f"{what} did not come within {self.patience:g} s")

    def wait(self, arn: str, *wanted: str) -> str:
        """
        Wait until an image has one of some statuses, and return it.

        :raises NotReadyError: it has not, or it finished otherwise.
        """
        status = ""
        for _ in self.polls(f"{' or '.join(wanted)} of an image"):
            status = self.status(arn)
            if status in wanted:
                break
            if status in ENDED and status != "CANCELLED":
                reason = self.image(arn)["state"].get("reason")
                raise NotReadyError(f"the image is {status}, not {' or '.join(wanted)}: {reason}")
        return status

    def wait_for_steps(self, arn: str, count: int = 1) -> list[dict[str, Any]]:
        """
        Wait until at least some steps of an image wait for an action, and return them.

        :raises NotReadyError: they do not, or the image has finished.
        """
        found: list[dict[str, Any]] = []
        ended = 0
        for _ in self.polls(f"{count} waiting steps of an image"):
            found = self.waiting(arn)
            if len(found) >= count:
                break
            status = self.status(arn)
            # RetryImage may answer before the status shows it.
            ended += status in ENDED
            if ended > SETTLING:
                raise NotReadyError(f"the image is {status} and has {len(found)} waiting steps, not {count}")
        return found
