"""An image as a task group: what AWS does in one call, drawn as tasks and edges of Airflow."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import TaskGroup

from airflow_imagebuilder.compat import TriggerRule
from airflow_imagebuilder.operators.arguments import refuse, unknown_group_arguments
from airflow_imagebuilder.operators.await_image import ImageBuilderAwaitImageOperator
from airflow_imagebuilder.operators.create_image import ImageBuilderCreateImageOperator
from airflow_imagebuilder.operators.option_shapes import LONGEST
from airflow_imagebuilder.operators.options import as_seconds
from airflow_imagebuilder.operators.start_pipeline import ImageBuilderStartPipelineOperator
from airflow_imagebuilder.service.request import PipelineRequest, WorkflowType
from airflow_imagebuilder.service.request.image_request import FIELDS
from airflow_imagebuilder.service.request.test_plan import plan, test_plan
from airflow_imagebuilder.service.submission.decision import OnRetry
from airflow_imagebuilder.task_groups.arguments import checked_request, listed_outlets, refuse_place
from airflow_imagebuilder.task_groups.declaration import declare
from airflow_imagebuilder.task_groups.guard import guard_faults, ranks_in_pool
from airflow_imagebuilder.task_groups.monitors import MARGIN, Monitors
from airflow_imagebuilder.xcom import submission_xcom

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from typing_extensions import Unpack

    from airflow_imagebuilder.operators.arguments.keywords import GuardArguments, OnRetryChoice
    from airflow_imagebuilder.service.request import ImageRequest, TestGroup, Workflow
    from airflow_imagebuilder.task_groups.arguments import GroupArguments
    from airflow_imagebuilder.task_groups.declaration import Declared


class ImageBuilderTaskGroup(TaskGroup):
    """
    Bake an image, and show every part of it: one declaration makes the graph, and the CreateImage call.

    ::

        create_image >> image                                               >> ready   decides
        create_image >> build >> test group >> ... >> distribute >> monitored >> ready   shows

    ``create_image`` submits the image. ``image`` waits until it is finished and returns the
    :class:`ImageResult`. Kill ``image``, or the run, and the build is cancelled. All other tasks are
    monitors. Each shows a workflow with its state, steps and duration, and changes nothing. A test group is a
    nested task group. Its tests are the mapped indexes of one task, named by their workflows; at most five
    are active at once.

    Tasks that follow the group follow ``ready``, its one leaf. ``image`` alone decides the state of it:
    ``monitored`` succeeds once all monitors are finished, in whatever state. The scheduler finishes both
    itself, without a worker. ``image`` may repair the image (its ``retries``). Until ``image`` is finished, a
    monitor whose workflow failed stays deferred, because a repair may undo the failure.

    A failed test with ``on_failure="CONTINUE"`` is red while ``image`` and the run succeed, unless
    ``fail_on_test_failure`` makes the group a quality gate.

    To build again, or to repair a failed image, clear the group.

    With ``pipeline_arn`` the group starts an image pipeline that exists. Its first task is then
    ``start_pipeline`` in place of ``create_image``; the attributes ``submitter`` and ``create_image`` of the
    group are that task in both cases. The declared workflows draw the graph. Before ``start_pipeline`` starts
    anything, it compares them with those of the pipeline: the order of the test groups, their names and
    parallel groups; and, where they are declared, the build and the distribution workflow, ``on_failure`` and
    parameters. If they differ, nothing is started, and the error lists both sides. Without any declared
    workflow the pipeline must have none either: AWS runs its default ones, and the group draws their test as
    one task. A pipeline takes no overrides: members of CreateImage other than ``tags``, and ``run_tests``,
    are refused.

    Members of CreateImage may be templates or another task's output. The exception is what the graph needs
    when the Dag is parsed: the workflows, with the stage, the name and the parallel group of each.

    :param group_id: the id of the task group (default ``golden_image``).
    :param request: everything that CreateImage takes, instead of single members.
    :param pipeline_arn: the image pipeline to start, instead of a request; it may be a template.
    :param build_workflow: the build workflow; without any workflow AWS runs its default workflows.
    :param test_groups: :class:`TestGroup` for tests that run together, :class:`Workflow` for a test that runs
        alone; they run in this order.
    :param distribution_workflow: the distribution workflow.
    :param run_tests: names of the test groups (and ungrouped tests) to run; a template, or another task's
        output. The others are skipped. ``None`` (default) or empty text runs all, an empty list none.
    :param fail_on_test_failure: fail ``image`` when a test failed although AWS calls the image AVAILABLE
        (default ``False``).
    :param outlets: assets that ``image`` updates, each event with the AMIs by region.
    :param timeout: how long the image may take (default 12 hours); then it is cancelled.
    :param poll_interval: seconds (or a timedelta) between two polls; ``None`` (default) takes
        ``[imagebuilder] poll_interval``.
    :param on_retry: what a new try does about an image that failed: ``repair`` (default), ``rebuild`` or
        ``fail``.
    :param cancel_on_kill: cancel the image when the first task or ``image`` is killed (default ``True``).
    :param delete_outputs_on_kill: then also remove the AMIs and snapshots that the build left behind (default
        ``False``).
    :param aws_conn_id: the AWS connection of every task of the group (default ``aws_default``).
    :param region_name: the region; ``None`` (default) takes the connection's.
    :param verify: whether, or against which bundle, to verify TLS certificates.
    :param botocore_config: botocore configuration, see ``botocore.config.Config``.
    :param trigger_rule: when the group begins: the rule of its first task (default ``all_success``). A
        trigger rule in ``default_args`` does not reach the group's tasks.
    :param guard_args: arguments of Airflow's tasks for the submitting task and ``image`` alone, which hold
        the image: ``pool``, ``pool_slots``, ``priority_weight``, ``queue``, ``executor_config``, ``retries``,
        callbacks; also ``deferrable`` and ``retry_policy``. They win over ``default_args``, which all tasks
        of the group get. ``None`` (default): none.
    :param arguments: single members of CreateImage, as :class:`ImageRequest` documents them; and arguments of
        :class:`airflow.sdk.TaskGroup`, such as ``default_args`` or ``tooltip``.
    :raises InvalidRequestError: AWS would refuse the request; checked at parse where nothing is templated.
    :raises ValueError: the group is inside of a mapped task group, or its Dag has ``fail_fast``.
    """

    def __init__(
        self,
        group_id: str = "golden_image",
        *,
        request: ImageRequest | None = None,
        pipeline_arn: str | None = None,
        build_workflow: Workflow | None = None,
        test_groups: Sequence[TestGroup | Workflow] = (),
        distribution_workflow: Workflow | None = None,
        run_tests: Any = None,
        fail_on_test_failure: bool = False,
        outlets: Sequence[Any] = (),
        timeout: timedelta = timedelta(hours=12),
        poll_interval: float | timedelta | None = None,
        on_retry: OnRetryChoice = OnRetry.REPAIR,
        cancel_on_kill: bool = True,
        delete_outputs_on_kill: bool = False,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
        trigger_rule: TriggerRule | str = TriggerRule.ALL_SUCCESS,
        guard_args: GuardArguments | None = None,
        **arguments: Unpack[GroupArguments],
    ) -> None:
        of = f"task group {group_id!r}"
        given: dict[str, Any] = {**arguments}
        members = {name: given.pop(name, None) for name in FIELDS if name != "workflows"}
        refuse(unknown_group_arguments(type(self), given), of=of)
        super().__init__(group_id, **given)
        refuse_place(self)
        declared = declare(build_workflow, test_groups, distribution_workflow)
        aws: dict[str, Any] = {
            "aws_conn_id": aws_conn_id,
            "region_name": region_name,
            "verify": verify,
            "botocore_config": botocore_config,
        }
        waiting: dict[str, Any] = {
            **aws,
            "timeout": timeout,
            "poll_interval": poll_interval,
            "on_retry": on_retry,
            "cancel_on_kill": cancel_on_kill,
            "delete_outputs_on_kill": delete_outputs_on_kill,
        }
        self.request: ImageRequest | PipelineRequest = checked_request(
            request,
            pipeline_arn,
            {**dict.fromkeys(FIELDS), **members, "workflows": declared.workflows},
            declared,
            options={**waiting, "fail_on_test_failure": fail_on_test_failure},
            run_tests=run_tests,
            outlets=outlets,
            others=guard_faults(type(self), guard_args),
            of=f"task group {self.group_id!r}",
        )
        guarding: dict[str, Any] = {**waiting, **(guard_args or {})}
        image_only = {"fail_on_test_failure": fail_on_test_failure, "outlets": listed_outlets(outlets)}
        submits, waits = ranks_in_pool(self, guard_args)
        with self:
            self.submitter = self.create_image = self._draw_submitter(
                declared, trigger_rule=trigger_rule, run_tests=run_tests, **{**guarding, **submits}
            )
            self.submitter.records_image = False  # the image is recorded once, by ``image``
            self._draw_image(guarding, {**image_only, **waits})
            limit = min(timeout + MARGIN, LONGEST)
            self._draw_monitors(declared, **aws, poll_interval=as_seconds(poll_interval), timeout=limit)
            self._draw_leaf()

    @property
    def result(self) -> Any:
        """The output of ``image``, the :class:`ImageResult` as a mapping, as an argument of another task."""
        return self.image.output

    def _submitted(self, *members: str) -> dict[str, Any]:
        """Return members of the submission that the submitting task publishes, as templated arguments."""
        return {member: submission_xcom(self.submitter.task_id, member) for member in members}

    def _draw_submitter(self, declared: Declared, *, run_tests: Any, **options: Any) -> Any:
        """Draw the task that submits the image, and return it."""
        if not isinstance(self.request, PipelineRequest):
            return ImageBuilderCreateImageOperator(
                task_id="create_image",
                request=self.request,
                run_tests=run_tests,
                wait_for_completion=False,
                **options,
            )
        return ImageBuilderStartPipelineOperator(
            task_id="start_pipeline",
            pipeline_arn=self.request.pipeline_arn,
            tags=self.request.tags,
            expected_workflows=declared.workflows,
            wait_for_completion=False,
            **options,
        )

    def _draw_image(self, waiting: dict[str, Any], image_only: dict[str, Any]) -> None:
        """Draw the task that waits for the image and decides."""
        self.image = ImageBuilderAwaitImageOperator(
            task_id="image",
            trigger_rule=TriggerRule.ALL_SUCCESS,
            image_build_version_arn=submission_xcom(self.submitter.task_id, "arn"),
            submitter=self.submitter.task_id,
            **self._submitted("stale_until", "stale_failure", "submitted_by", "submitted_at"),
            **{**waiting, **image_only},
        )
        self.submitter >> self.image

    def _draw_monitors(self, declared: Declared, **options: Any) -> None:
        """Draw the tasks that show: the build, the test groups in AWS's order, the distribution."""
        monitors = Monitors(
            self,
            image_build_version_arn=submission_xcom(self.submitter.task_id, "arn"),
            guard=self.image.task_id,
            **self._submitted("stale_until"),
            **options,
        )
        self.tests: dict[str, TaskGroup] = monitors.tests
        self.build = monitors.draw_stage("build", WorkflowType.BUILD, TriggerRule.ALL_SUCCESS)
        last: Any = self.submitter >> self.build
        for drawn in self._drawn_tests(monitors, declared):
            last >> drawn
            last = drawn
        # AWS may distribute after a failed test, so the tests' states do not matter here.
        self.distribute = monitors.draw_stage("distribute", WorkflowType.DISTRIBUTION, TriggerRule.ALL_DONE)
        last >> self.distribute

    def _drawn_tests(self, monitors: Monitors, declared: Declared) -> Iterator[Any]:
        """Draw the test groups in AWS's order."""
        if not isinstance(self.request, PipelineRequest):
            yield from map(monitors.draw_tests, test_plan(self.request))
        elif declared.workflows:
            yield from map(monitors.draw_tests, plan(declared.workflows))
        else:
            # The name of AWS's default test depends on the recipe, which the graph does not know.
            yield monitors.draw_stage("test", WorkflowType.TEST, TriggerRule.ALL_DONE)

    def _draw_leaf(self) -> None:
        """Draw the one leaf: ``image`` decides what follows and how the run finishes, monitors never do."""
        self.monitored = _finished_by_scheduler("monitored", TriggerRule.ALL_DONE)
        self.ready = _finished_by_scheduler("ready", TriggerRule.ALL_SUCCESS)
        self.distribute >> self.monitored
        [self.image, self.monitored] >> self.ready


def _finished_by_scheduler(task_id: str, trigger_rule: TriggerRule) -> EmptyOperator:
    # With a callback, an inlet or an outlet, of default_args too, the scheduler would need a worker for it.
    return EmptyOperator(
        task_id=task_id,
        trigger_rule=trigger_rule,
        on_execute_callback=None,
        on_success_callback=None,
        inlets=None,
        outlets=None,
    )
