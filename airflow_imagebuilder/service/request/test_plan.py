"""The test plan: which tests AWS runs together, in its order, five at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from airflow_imagebuilder.service.request.workflows import TestGroup, Workflow, WorkflowType

if TYPE_CHECKING:
    from airflow_imagebuilder.service.request.image_request import ImageRequest


WIDTH = 5
"""How many test workflows of one parallel group run at once (API reference, WorkflowConfiguration)."""


def plan(workflows: Iterable[Workflow]) -> tuple[TestGroup, ...]:
    """Lay an image's test workflows out as AWS runs them: one group after another.

    A group takes its place where its name first appears, and draws its later members forward to there.
    An ungrouped test stands alone at its own place. Where build and distribution workflows stand does not
    matter.

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


MANAGED = "arn:aws:imagebuilder:us-east-1:aws:workflow/test/{}/x.x.x"


def test_plan(request: ImageRequest) -> tuple[TestGroup, ...]:
    """Return the test groups that AWS runs for a request, its default test where no workflow is given."""
    configured = request.image_tests_configuration
    if isinstance(configured, Mapping) and configured.get("imageTestsEnabled") is False:
        return ()
    if request.workflows:
        return plan(request.workflows)
    name = "test-container" if request.container_recipe_arn else "test-image"
    return (TestGroup(None, (Workflow(MANAGED.format(name)),)),)
