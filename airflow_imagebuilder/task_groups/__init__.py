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
from airflow_imagebuilder.operators.options import LONGEST, as_seconds
from airflow_imagebuilder.service.request import WorkflowType
from airflow_imagebuilder.service.request.image_request import FIELDS
from airflow_imagebuilder.service.request.test_plan import test_plan
from airflow_imagebuilder.service.submission.decision import OnRetry
from airflow_imagebuilder.task_groups.arguments import checked_request, listed_outlets, refuse_place
from airflow_imagebuilder.task_groups.declaration import declare
from airflow_imagebuilder.task_groups.monitors import MARGIN, Monitors
from airflow_imagebuilder.xcom import submission_xcom

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Unpack

    from airflow_imagebuilder.service.request import ImageRequest, TestGroup, Workflow
    from airflow_imagebuilder.task_groups.arguments import GroupArguments


class ImageBuilderTaskGroup(TaskGroup):
    """
    Bake an image, and show every part of it: one declaration makes the CreateImage call and the graph.

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

    Members of CreateImage may be templates or another task's output. The exception is what the graph needs
    when the Dag is parsed: the workflows, with the stage, the name and the parallel group of each.

    :param group_id: the id of the task group (default ``golden_image``).
    :param request: everything that CreateImage takes, instead of single members.
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
    :param cancel_on_kill: cancel the image when ``create_image`` or ``image`` is killed (default ``True``).
    :param delete_outputs_on_kill: then also remove the AMIs and snapshots that the build left behind (default
        ``False``).
    :param aws_conn_id: the AWS connection of every task of the group (default ``aws_default``).
    :param region_name: the region; ``None`` (default) takes the connection's.
    :param verify: whether, or against which bundle, to verify TLS certificates.
    :param botocore_config: botocore configuration, see ``botocore.config.Config``.
    :param trigger_rule: when the group begins: the rule of ``create_image`` (default ``all_success``). A
        trigger rule in ``default_args`` does not reach the group's tasks.
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
        build_workflow: Workflow | None = None,
        test_groups: Sequence[TestGroup | Workflow] = (),
        distribution_workflow: Workflow | None = None,
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
        self.request = checked_request(
            request,
            {**dict.fromkeys(FIELDS), **members, "workflows": declared.workflows},
            declared,
            options={**waiting, "fail_on_test_failure": fail_on_test_failure},
            run_tests=run_tests,
            outlets=outlets,
            of=f"task group {self.group_id!r}",
        )
        image_only = {"fail_on_test_failure": fail_on_test_failure, "outlets": listed_outlets(outlets)}
        with self:
            self._draw_image(trigger_rule, run_tests, waiting, image_only)
            self._draw_monitors(
                **aws, poll_interval=as_seconds(poll_interval), timeout=min(timeout + MARGIN, LONGEST)
            )
            self._draw_leaf()

    @property
    def result(self) -> Any:
        """The output of ``image``, the :class:`ImageResult` as a mapping, as an argument of another task."""
        return self.image.output

    def _submitted(self, *members: str) -> dict[str, Any]:
        """Return members of the submission that ``create_image`` publishes, as templated arguments."""
        return {member: submission_xcom(self.create_image.task_id, member) for member in members}

    def _draw_image(
        self,
        trigger_rule: TriggerRule | str,
        run_tests: Any,
        waiting: dict[str, Any],
        image_only: dict[str, Any],
    ) -> None:
        """Draw the tasks that act: ``create_image`` submits, ``image`` waits and decides."""
        self.create_image = ImageBuilderCreateImageOperator(
            task_id="create_image",
            trigger_rule=trigger_rule,
            request=self.request,
            run_tests=run_tests,
            wait_for_completion=False,
            **waiting,
        )
        self.image = ImageBuilderAwaitImageOperator(
            task_id="image",
            trigger_rule=TriggerRule.ALL_SUCCESS,
            image_build_version_arn=submission_xcom(self.create_image.task_id, "arn"),
            submitter=self.create_image.task_id,
            **self._submitted("stale_until", "stale_failure", "submitted_by", "submitted_at"),
            **waiting,
            **image_only,
        )
        self.create_image >> self.image

    def _draw_monitors(self, **options: Any) -> None:
        """Draw the tasks that show: the build, the test groups in AWS's order, the distribution."""
        monitors = Monitors(
            self,
            image_build_version_arn=submission_xcom(self.create_image.task_id, "arn"),
            guard=self.image.task_id,
            **self._submitted("stale_until"),
            **options,
        )
        self.tests: dict[str, TaskGroup] = monitors.tests
        self.build = monitors.draw_stage("build", WorkflowType.BUILD, TriggerRule.ALL_SUCCESS)
        last: Any = self.create_image >> self.build
        for tests in test_plan(self.request):
            drawn = monitors.draw_tests(tests)
            last >> drawn
            last = drawn
        # AWS may distribute after a failed test, so the tests' states do not matter here.
        self.distribute = monitors.draw_stage("distribute", WorkflowType.DISTRIBUTION, TriggerRule.ALL_DONE)
        last >> self.distribute

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
