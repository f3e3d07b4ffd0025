"""An image as a task group: what AWS does in one call, drawn as Airflow draws things."""

from __future__ import annotations

import re
from collections import Counter
from datetime import timedelta
from itertools import chain, count
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import TaskGroup, TriggerRule
from airflow.sdk.definitions.taskgroup import MappedTaskGroup

from airflow_imagebuilder.operators.arguments import refuse, unknown_group_arguments
from airflow_imagebuilder.operators.await_image import ImageBuilderAwaitImageOperator
from airflow_imagebuilder.operators.create_image import ImageBuilderCreateImageOperator
from airflow_imagebuilder.operators.monitor_workflow import ImageBuilderMonitorWorkflowOperator
from airflow_imagebuilder.operators.options import LONGEST, as_seconds, option_faults
from airflow_imagebuilder.service.errors import Fault, InvalidRequestError
from airflow_imagebuilder.service.request.declaration import TestsByName, declare, request_of
from airflow_imagebuilder.service.request.image_request import FIELDS, ImageRequest
from airflow_imagebuilder.service.request.rules.regions import region_faults
from airflow_imagebuilder.service.request.test_choice import faults_in_choice
from airflow_imagebuilder.service.request.test_plan import WIDTH, test_plan
from airflow_imagebuilder.service.request.workflows import TestGroup, Workflow, WorkflowType
from airflow_imagebuilder.service.submission.submission import OnRetry
from airflow_imagebuilder.xcom import submission_xcom

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from airflow_imagebuilder.service.request.declaration import Declared


class ImageBuilderTaskGroup(TaskGroup):
    """
    Bake an image, and see all of it: one declaration makes the CreateImage call and the graph.

    ::

        create_image >> image                                               >> ready   decides
        create_image >> build >> test group >> ... >> distribute >> monitored >> ready   is seen

    ``create_image`` submits. ``image`` waits for the end, returns the :class:`ImageResult`, and stands guard:
    kill it, or the run, and the build is cancelled. The others are monitors: they show each workflow as a
    task with its state, steps and duration, and touch nothing. Each test group is a nested task group; its
    tests are the mapped indexes of one task, named by their workflows, at most five active at once.

    What follows the group hangs on ``ready``, its one leaf, which ``image`` alone decides: ``monitored`` ends
    well once all monitors have ended, however they did. The scheduler ends both itself, without a worker.
    While ``image`` has not ended, it may repair the image (its ``retries``): until then a monitor stays
    deferred with a failure that a repair may undo, and shows afterwards what counts.

    A failed test with ``on_failure="CONTINUE"`` is red while ``image`` and the run succeed, unless
    ``fail_on_test_failure`` makes the group a quality gate.

    To build again, or to repair a failed image, clear the group.

    :param group_id: the id of the task group.
    :param request: everything that CreateImage takes; or give the members below.
    :param build_workflow: the build workflow; without any workflow AWS takes its defaults.
    :param test_groups: :class:`TestGroup` for tests that run together, :class:`Workflow` for one that runs
        alone; they run in this order.
    :param distribution_workflow: the distribution workflow.
    :param run_tests: names of the test groups (and ungrouped tests) to run; a template, or another task's
        output. Those left out are skipped. ``None`` or empty text runs all, an empty list none.
    :param fail_on_test_failure: fail ``image`` when a test failed, though AWS calls it AVAILABLE.
    :param outlets: assets that ``image`` updates, each event with the AMIs by region.
    :param timeout: how long the image may take; then it is cancelled.
    :param poll_interval: seconds between two looks; ``None`` takes ``[imagebuilder] poll_interval``.
    :param on_retry: what a new try does about an image that failed: ``repair``, ``rebuild`` or ``fail``.
    :param cancel_on_kill: cancel the image when ``create_image`` or ``image`` is killed.
    :param delete_outputs_on_kill: then also remove the AMIs and snapshots that the build left behind.
    :param aws_conn_id: the AWS connection, for every task of the group; so are region_name, verify and
        botocore_config.
    :param trigger_rule: when the group begins: the rule of ``create_image``. One in ``default_args`` reaches
        none of the group's tasks.
    :param group: arguments of :class:`airflow.sdk.TaskGroup`, such as ``default_args`` or ``tooltip``.
    :raises InvalidRequestError: AWS would refuse the request; checked at parse where nothing is templated.
    :raises ValueError: the group stands in a mapped task group, or in a Dag with ``fail_fast``.

    Members of CreateImage may be templates or another task's output, but for what the graph needs when the
    Dag is parsed: the workflows, with stage, name and parallel group of each.
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
        poll_interval: float | timedelta | None = None,
        on_retry: OnRetry | str = OnRetry.REPAIR,
        cancel_on_kill: bool = True,
        delete_outputs_on_kill: bool = False,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
        trigger_rule: TriggerRule | str = TriggerRule.ALL_SUCCESS,
        **group: Any,
    ) -> None:
        refuse(unknown_group_arguments(type(self), group), of=f"task group {group_id!r}")
        super().__init__(group_id, **group)
        _refuse_mapped(self)
        _refuse_fail_fast(self)
        declared = declare(build_workflow, test_groups, distribution_workflow)
        members = {
            "infrastructure_configuration_arn": infrastructure_configuration_arn,
            "image_recipe_arn": image_recipe_arn,
            "container_recipe_arn": container_recipe_arn,
            "distribution_configuration_arn": distribution_configuration_arn,
            "image_tests_configuration": image_tests_configuration,
            "enhanced_image_metadata_enabled": enhanced_image_metadata_enabled,
            "image_scanning_configuration": image_scanning_configuration,
            "workflows": declared.workflows,
            "execution_role": execution_role,
            "logging_configuration": logging_configuration,
            "tags": tags,
        }
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
        options = {**self._aws, **waiting, "fail_on_test_failure": fail_on_test_failure}
        self.request = self._checked(
            request, members, declared, options=options, run_tests=run_tests, outlets=outlets
        )
        self._watching: dict[str, Any] = {
            **self._aws,
            "poll_interval": as_seconds(poll_interval),
            "timeout": min(timeout + MONITOR_MARGIN, LONGEST),
        }
        self.tests: dict[str, TaskGroup] = TestsByName()
        self._drawn: Counter[tuple[str | None, str]] = Counter()
        guarding = {"fail_on_test_failure": fail_on_test_failure, "outlets": _outlets(outlets)}
        with self:
            self._draw_image(trigger_rule, run_tests, {**self._aws, **waiting}, guarding)
            self._draw_monitors()
            self._draw_leaf()

    @property
    def result(self) -> Any:
        """What ``image`` returns, to hand to another task."""
        return self.image.output

    def _checked(
        self,
        request: object,
        members: Mapping[str, Any],
        declared: Declared,
        *,
        options: Mapping[str, Any],
        run_tests: Any,
        outlets: Any,
    ) -> ImageRequest:
        """Return the request, or refuse all that is wrong with the declaration at once."""
        faults = [*option_faults(options), *_outlet_faults(outlets)]
        try:
            made = request_of(request, members, declared)
        except InvalidRequestError as error:
            faults += error.faults
        else:
            known = {name: getattr(made, name) for name in FIELDS}
            faults += [*region_faults(known, options["region_name"]), *faults_in_choice(known, run_tests)]
            if not faults:
                return made
        raise InvalidRequestError(faults, of=f"task group {self.group_id!r}")

    # -- the strand that acts ------------------------------------------------------------------------------

    def _draw_image(
        self,
        trigger_rule: TriggerRule | str,
        run_tests: Any,
        waiting: dict[str, Any],
        guarding: dict[str, Any],
    ) -> None:
        self.create_image = ImageBuilderCreateImageOperator(
            task_id="create_image",
            trigger_rule=trigger_rule,
            request=self.request,
            run_tests=run_tests,
            wait_for_completion=False,
            **waiting,
        )
        self._seen: dict[str, Any] = {
            "image_build_version_arn": submission_xcom(self.create_image.task_id, "arn"),
            "stale_until": submission_xcom(self.create_image.task_id, "stale_until"),
        }
        for member in ("stale_failure", "submitted_by", "submitted_at"):
            guarding[member] = submission_xcom(self.create_image.task_id, member)
        guarding["submitter"] = self.create_image.task_id
        self.image = ImageBuilderAwaitImageOperator(
            task_id="image", trigger_rule=TriggerRule.ALL_SUCCESS, **self._seen, **waiting, **guarding
        )
        self._watching["guard"] = self.image.task_id
        self.create_image >> self.image

    # -- the strand that is seen ---------------------------------------------------------------------------

    def _draw_monitors(self) -> None:
        self.build = self._monitor("build", WorkflowType.BUILD, TriggerRule.ALL_SUCCESS)
        last: Any = self.create_image >> self.build
        for tests in test_plan(self.request):
            drawn = self._draw_tests(tests)
            last >> drawn
            last = drawn
        # Whatever became of the tests, what AWS does next is shown next.
        self.distribute = self._monitor("distribute", WorkflowType.DISTRIBUTION, TriggerRule.ALL_DONE)
        last >> self.distribute

    def _draw_leaf(self) -> None:
        """Draw the one leaf: ``image`` decides what follows and how the run ends, monitors never do."""
        self.monitored = _ended_by_scheduler("monitored", TriggerRule.ALL_DONE)
        self.ready = _ended_by_scheduler("ready", TriggerRule.ALL_SUCCESS)
        self.distribute >> self.monitored
        [self.image, self.monitored] >> self.ready

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

    def _monitor(self, task_id: str, kind: WorkflowType, trigger_rule: TriggerRule) -> Any:
        return ImageBuilderMonitorWorkflowOperator(
            task_id=task_id,
            workflow_type=kind.value,
            trigger_rule=trigger_rule,
            **_MONITOR_RETRIES,
            **self._seen,
            **self._watching,
        )


_OWN_TASKS = ("create_image", "image", "build", "distribute", "monitored", "ready")

# A failed workflow fails its monitor at once; this is for a worker that dies under it.
_MONITOR_RETRIES: dict[str, Any] = {"retries": 2, "retry_delay": timedelta(seconds=10)}

MONITOR_MARGIN = timedelta(hours=1)
"""How much longer than ``image`` a monitor may wait: it also shows what the timeout of ``image`` cancels."""


def _ended_by_scheduler(task_id: str, trigger_rule: TriggerRule) -> EmptyOperator:
    # With a callback, an inlet or an outlet, of default_args too, the scheduler would need a worker for it.
    return EmptyOperator(
        task_id=task_id,
        trigger_rule=trigger_rule,
        on_execute_callback=None,
        on_success_callback=None,
        inlets=None,
        outlets=None,
    )


def _outlets(outlets: Any) -> list[Any]:
    if outlets is None:
        return []
    return list(outlets) if isinstance(outlets, (list, tuple, set)) else [outlets]


def _outlet_faults(outlets: Any) -> Iterator[Fault]:
    for outlet in _outlets(outlets):
        # Airflow has several kinds of assets, aliases and references: each has one of these.
        if not hasattr(outlet, "name") and not hasattr(outlet, "uri"):
            yield Fault("outlets", outlet, "a list of assets", "write [Asset('golden')]")


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


def _refuse_fail_fast(group: TaskGroup) -> None:
    if getattr(group.dag, "fail_fast", False):
        raise ValueError(
            f"ImageBuilderTaskGroup {group.group_id!r} stands in the Dag {group.dag.dag_id!r}, which has "
            "fail_fast=True. There Airflow refuses the trigger rule ALL_DONE, by which monitors run after a "
            "failed test; and a test that fails would stop `image`, which cancels the build. Set "
            'fail_fast=False: a test without on_failure="CONTINUE" stops the image by itself. Or use an '
            "ImageBuilderCreateImageOperator, which is one task."
        )
