"""The test plan: which tests AWS runs together, and in which order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from airflow_imagebuilder.service.request.workflows import TestGroup, Workflow, WorkflowType

if TYPE_CHECKING:
    from airflow_imagebuilder.service.request.image_request import ImageRequest


_MANAGED = "arn:aws:imagebuilder:us-east-1:aws:workflow/{}/{}/x.x.x"
WIDTH = 5
"""How many test workflows of one parallel group run at once (API reference, WorkflowConfiguration)."""


def plan(workflows: Iterable[Workflow]) -> tuple[TestGroup, ...]:
    """Return the test groups of an image as AWS runs them: one group after another.

    A group has the position at which its name first appears in the list; its later members run with it there.
    An ungrouped test runs alone, at its own position. The positions of build and distribution workflows do
    not matter.

    :param workflows: all workflows of the request, in its order.
    :return: the groups in the order in which they run.
    :raises InvalidRequestError: a workflow's type cannot be read from its ARN.

    .. seealso:: "Define test groups",
        https://docs.aws.amazon.com/imagebuilder/latest/userguide/pipeline-workflows.html
    """
    places: dict[object, list[Workflow]] = {}
    for position, workflow in enumerate(workflows):
        if workflow.type is WorkflowType.TEST:
            alone = workflow.parallel_group is None
            places.setdefault(position if alone else workflow.parallel_group, []).append(workflow)
    return tuple(TestGroup(members[0].parallel_group, tuple(members)) for members in places.values())


def test_plan(request: ImageRequest) -> tuple[TestGroup, ...]:
    """Return the test groups that AWS runs for a request; without workflows AWS runs its default test."""
    if tests_are_off(request.image_tests_configuration):
        return ()
    if request.workflows:
        return plan(request.workflows)
    default = default_workflow(WorkflowType.TEST, container=bool(request.container_recipe_arn))
    return (TestGroup(None, (default,)),)


def default_workflow(stage: WorkflowType, *, container: bool) -> Workflow:
    """Return the workflow that AWS runs in the build or the test stage of an image without workflows.

    :param container: whether a container recipe makes the image.
    """
    kind = stage.lower()
    return Workflow(_MANAGED.format(kind, f"{kind}-{'container' if container else 'image'}"))


def tests_are_off(configured: object) -> bool:
    """Return whether an ``image_tests_configuration`` turns all tests off."""
    return isinstance(configured, Mapping) and str(configured.get("imageTestsEnabled")).lower() == "false"
