"""An image as a task group: what AWS does in one call, drawn as Airflow draws things."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import chain, count
from typing import TYPE_CHECKING, Any

from airflow.sdk import TaskGroup, TriggerRule
from airflow.sdk.definitions.taskgroup import MappedTaskGroup

from airflow_imagebuilder.operators.guard import ImageBuilderAwaitImageOperator, submission_xcom
from airflow_imagebuilder.operators.image import ImageBuilderCreateImageOperator
from airflow_imagebuilder.operators.workflow import ImageBuilderMonitorWorkflowOperator
from airflow_imagebuilder.service.errors import Fault, InvalidRequestError
from airflow_imagebuilder.service.request import ImageRequest
from airflow_imagebuilder.service.submission import OnRetry
from airflow_imagebuilder.service.workflows import WIDTH, TestGroup, Workflow, WorkflowType, plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

MANAGED = "arn:aws:imagebuilder:us-east-1:aws:workflow/test/{}/x.x.x"


class ImageBuilderTaskGroup(TaskGroup):
    """
    Bake an image, and see all of it: one declaration makes the CreateImage call and the graph.

    ::

        create_image >> image                                     the guard, from the submit to the end
        create_image >> build >> test group >> ... >> distribute  what is seen of it

    ``create_image`` submits. ``image`` waits for the end, returns the :class:`ImageResult`, and stands guard:
    kill it, or the run, and the build is cancelled. The others are monitors: they show each workflow as a
    task with its state, steps and duration, and touch nothing. Each test group is a nested task group; its
    tests are the mapped indexes of one task, named by their workflows, at most five active at once.

    A failed test with ``on_failure="CONTINUE"`` is red while ``image`` and the run succeed, unless
    ``fail_on_test_failure`` makes the group a quality gate. What follows the group waits for both strands.

    To build again, or to repair a failed image, clear the group.

    :param group_id: the id of the task group.
    :param request: everything that CreateImage takes; or give the members below.
    :param build_workflow: the build workflow; without any workflow AWS takes its defaults.
    :param test_groups: :class:`TestGroup` for tests that run together, :class:`Workflow` for one that runs
        alone; they run in this order.
    :param distribution_workflow: the distribution workflow.
    :param run_tests: names of the test groups (and ungrouped tests) to run; a template, or another task's
        output. Those left out are skipped. ``None`` runs all.
    :param fail_on_test_failure: fail ``image`` when a test failed, though AWS calls it AVAILABLE.
    :param outlets: assets that ``image`` updates, each event with the AMIs by region.
    :param timeout: how long the image may take; then it is cancelled.
    :param poll_interval: seconds between two looks; ``None`` takes ``[imagebuilder] poll_interval``.
    :param on_retry: what a new try does about an image that failed: ``repair``, ``rebuild`` or ``fail``.
    :param cancel_on_kill: cancel the image when ``create_image`` or ``image`` is killed.
    :param delete_outputs_on_kill: then also remove the AMIs and snapshots that the build left behind.
    :param aws_conn_id: the AWS connection, for every task of the group; so are region_name, verify and
        botocore_config.
    :param group: arguments of :class:`airflow.sdk.TaskGroup`, such as ``default_args`` or ``tooltip``.
    :raises InvalidRequestError: AWS would refuse the request; checked at parse where nothing is templated.
    """

    def __init__(
        self,
        group_id: str = "golden_image",
        *,
        request: ImageRequest | None = None,
        build_workflow: Workflow | None = None,
        test_groups: Sequence[TestGroup | Workflow] = (),
        distribution_workflow: Workflow | None = None,
        infrastructure_configuration_arn: str | None = None,
        image_recipe_arn: str | None = None,
        container_recipe_arn: str | None = None,
        distribution_configuration_arn: str | None = None,
        image_tests_configuration: Mapping[str, Any] | None = None,
        enhanced_image_metadata_enabled: bool | None = None,
        image_scanning_configuration: Mapping[str, Any] | None = None,
        execution_role: str | None = None,
        logging_configuration: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        run_tests: Any = None,
        fail_on_test_failure: bool = False,
        outlets: Sequence[Any] = (),
        timeout: timedelta = timedelta(hours=12),
        poll_interval: float | None = None,
        on_retry: OnRetry | str = OnRetry.REPAIR,
        cancel_on_kill: bool = True,
        delete_outputs_on_kill: bool = False,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
        **group: Any,
    ) -> None:
        super().__init__(group_id, **group)
        _refuse_mapped(self)
        members = {
            "infrastructure_configuration_arn": infrastructure_configuration_arn,
            "image_recipe_arn": image_recipe_arn,
            "container_recipe_arn": container_recipe_arn,
            "distribution_configuration_arn": distribution_configuration_arn,
            "image_tests_configuration": image_tests_configuration,
            "enhanced_image_metadata_enabled": enhanced_image_metadata_enabled,
            "image_scanning_configuration": image_scanning_configuration,
            "workflows": listed(build_workflow, test_groups, distribution_workflow),
            "execution_role": execution_role,
            "logging_configuration": logging_configuration,
            "tags": tags,
        }
        try:
            request = _one_declaration(request, members)
        except InvalidRequestError as error:
            raise InvalidRequestError(error.faults, of=f"task group {self.group_id!r}") from None
        self.request = request
        self._aws: dict[str, Any] = {
            "aws_conn_id": aws_conn_id,
            "region_name": region_name,
            "verify": verify,
            "botocore_config": botocore_config,
        }
        waiting: dict[str, Any] = {
            "timeout": timeout,
            "poll_interval": poll_interval,
            "on_retry": on_retry,
            "cancel_on_kill": cancel_on_kill,
            "delete_outputs_on_kill": delete_outputs_on_kill,
        }
        self._watching: dict[str, Any] = {**self._aws, "poll_interval": poll_interval}
        self.tests: dict[str, TaskGroup] = {}
        self._drawn: Counter[tuple[str | None, str]] = Counter()
        guarding = {"fail_on_test_failure": fail_on_test_failure, "outlets": list(outlets)}
        with self:
            self._draw_image(run_tests, {**self._aws, **waiting}, guarding)
            self._draw_monitors()

    @property
    def result(self) -> Any:
        """What ``image`` returns, to hand to another task."""
        return self.image.output

    # -- the strand that acts ------------------------------------------------------------------------------

    def _draw_image(self, run_tests: Any, waiting: dict[str, Any], guarding: dict[str, Any]) -> None:
        self.create_image = ImageBuilderCreateImageOperator(
            task_id="create_image",
            request=self.request,
            run_tests=run_tests,
            wait_for_completion=False,
            **waiting,
        )
        self._seen: dict[str, Any] = {
            "image_build_version_arn": submission_xcom(self.create_image.task_id, "arn"),
            "stale_until": submission_xcom(self.create_image.task_id, "stale_until"),
        }
        for member in ("submitted_by", "submitted_at"):
            guarding[member] = submission_xcom(self.create_image.task_id, member)
        guarding["submitter"] = self.create_image.task_id
        self.image = ImageBuilderAwaitImageOperator(task_id="image", **self._seen, **waiting, **guarding)
        self.create_image >> self.image

    # -- the strand that is seen ---------------------------------------------------------------------------

    def _draw_monitors(self) -> None:
        self.build = self._monitor("build", WorkflowType.BUILD)
        last: Any = self.create_image >> self.build
        for tests in test_plan(self.request):
            drawn = self._draw_tests(tests)
            last >> drawn
            last = drawn
        # Whatever became of the tests, what AWS does next is shown next.
        self.distribute = self._monitor(
            "distribute", WorkflowType.DISTRIBUTION, trigger_rule=TriggerRule.ALL_DONE
        )
        last >> self.distribute

    def _draw_tests(self, tests: TestGroup) -> TaskGroup:
        name = tests.name or tests.workflows[0].name
        task_group_id = self._free_id(name)
        with TaskGroup(task_group_id, group_display_name=name) as drawn:
            ImageBuilderMonitorWorkflowOperator.partial(
                task_id="test",
                map_index_template="{{ task.workflow }}",
                max_active_tis_per_dagrun=WIDTH,
                trigger_rule=TriggerRule.ALL_DONE,
                workflow_type=WorkflowType.TEST.value,
                parallel_group=tests.name,
                **_MONITOR_RETRIES,
                **self._seen,
                **self._watching,
            ).expand_kwargs(self._numbered(tests))
        self.tests[task_group_id if name in self.tests else name] = drawn
        return drawn

    def _free_id(self, name: str) -> str:
        """AWS allows ``+`` and ``#`` in group names, Airflow does not in ids: the label keeps the name."""
        full: Callable[[str], str] = self.child_id  # Airflow's own is not typed
        taken = self.used_group_ids | {full(task_id) for task_id in _OWN_TASKS}
        base = re.sub(r"[^A-Za-z0-9_-]", "_", name)
        ids = chain([base], (f"{base}_{number}" for number in count(2)))
        return next(task_group_id for task_group_id in ids if full(task_group_id) not in taken)

    def _numbered(self, tests: TestGroup) -> list[dict[str, Any]]:
        """Tell equal workflows of one group, or ungrouped, apart by their place."""
        numbered = []
        for workflow in tests.workflows:
            key = (tests.name, workflow.name)
            numbered.append({"workflow": workflow.name, "ordinal": self._drawn[key]})
            self._drawn[key] += 1
        return numbered

    def _monitor(self, task_id: str, kind: WorkflowType, **kwargs: Any) -> Any:
        return ImageBuilderMonitorWorkflowOperator(
            task_id=task_id,
            workflow_type=kind.value,
            **_MONITOR_RETRIES,
            **self._seen,
            **self._watching,
            **kwargs,
        )


_OWN_TASKS = ("create_image", "image", "build", "distribute")

# A failed workflow fails its monitor at once; this is for a worker that dies under it.
_MONITOR_RETRIES: dict[str, Any] = {"retries": 2, "retry_delay": timedelta(seconds=10)}


def listed(
    build: Workflow | None, tests: Iterable[TestGroup | Workflow], distribution: Workflow | None
) -> tuple[Workflow, ...]:
    """Return a declaration's workflows as CreateImage takes them, each test with its group's name."""
    flat: list[Workflow] = [build] if build else []
    for item in tests:
        if isinstance(item, TestGroup):
            flat += [replace(test, parallel_group=item.name) for test in item.workflows]
        else:
            flat.append(item)
    return tuple([*flat, distribution] if distribution else flat)


def test_plan(request: ImageRequest) -> tuple[TestGroup, ...]:
    """Return the test groups that AWS runs for a request, its default test where no workflow is given."""
    configured = request.image_tests_configuration
    if isinstance(configured, Mapping) and configured.get("imageTestsEnabled") is False:
        return ()
    if request.workflows:
        return plan(request.workflows)
    name = "test-container" if request.container_recipe_arn else "test-image"
    return (TestGroup(None, (Workflow(MANAGED.format(name)),)),)


def _one_declaration(request: ImageRequest | None, members: Mapping[str, Any]) -> ImageRequest:
    if request is None:
        return ImageRequest(**members)
    twice = [name for name, value in members.items() if value not in (None, ())]
    if twice:
        allowed, way_out = "either request or single members", "leave one out"
        raise InvalidRequestError([Fault(name, members[name], allowed, way_out) for name in twice])
    return request


def _refuse_mapped(group: TaskGroup) -> None:
    above: Any = group.parent_group
    while above is not None:
        if isinstance(above, MappedTaskGroup):
            raise ValueError(  # noqa: TRY004 (it is the place that is wrong, not a type)
                f"ImageBuilderTaskGroup {group.group_id!r} stands in the mapped task group "
                f"{above.group_id!r}: its tests are mapped tasks, and Airflow does not map inside a mapped "
                "task group. Make one ImageBuilderTaskGroup an image in a Python loop, or map an "
                "ImageBuilderCreateImageOperator with .partial().expand()."
            )
        above = above.parent_group
