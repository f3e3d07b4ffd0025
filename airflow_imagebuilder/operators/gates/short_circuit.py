"""A short circuit: a task that skips what follows it, as Airflow's ShortCircuitOperator does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.compat import DownstreamTasksSkipped, SkipMixin
from airflow_imagebuilder.operators.base import ImageBuilderBaseOperator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.sdk import Context
    from typing_extensions import Unpack

    from airflow_imagebuilder.operators.arguments.keywords import AwsArguments

_RETURN_VALUE = "return_value"
_SKIPPED_KEY = "skipmixin_key"
"""The XCom in which Airflow's scheduler finds the tasks that a task has skipped."""


class ImageBuilderShortCircuitOperator(ImageBuilderBaseOperator, SkipMixin):
    """
    The base of operators that may skip what follows.

    :param ignore_downstream_trigger_rules: skip every task that follows, whatever its trigger rule (default);
        ``False`` skips only those that follow directly, and the others by their trigger rules.
    """

    inherits_from_skipmixin = True

    def __init__(
        self, *, ignore_downstream_trigger_rules: bool = True, **kwargs: Unpack[AwsArguments]
    ) -> None:
        super().__init__(**kwargs)
        self.ignore_downstream_trigger_rules = ignore_downstream_trigger_rules
        self._refuse_options()

    def skip_downstream(self, context: Context, result: dict[str, Any]) -> dict[str, Any]:
        """
        Skip what follows. The last thing that ``execute`` does.

        :param result: the task's result, which is its XCom as if it were returned.
        :return: the result, if nothing can be skipped from here: nothing follows, or this task is mapped.
            Airflow's scheduler then skips the instances that follow directly with the same map index.
        :raises DownstreamTasksSkipped: Airflow skips the tasks, and this task succeeds.
        """
        ti: Any = context["ti"]
        following = list(self._following(context))
        if not following:
            return result
        ti.xcom_push(key=_SKIPPED_KEY, value={"skipped": [task.task_id for task in following]})
        if ti.map_index is not None and ti.map_index >= 0:
            self.log.info("Airflow skips what follows directly and has map index %d", ti.map_index)
            return result
        self.log.info("Skipped: %s", ", ".join(task.task_id for task in following))
        if self.do_xcom_push:
            ti.xcom_push(key=_RETURN_VALUE, value=result)
        raise DownstreamTasksSkipped(tasks=[one for task in following for one in self._instances(ti, task)])

    def _following(self, context: Context) -> Iterator[Any]:
        task: Any = context["task"]
        all_of_them = self.ignore_downstream_trigger_rules
        relatives = task.get_flat_relatives if all_of_them else task.get_direct_relatives
        return (one for one in relatives(upstream=False) if not one.is_teardown)

    def _instances(self, ti: Any, task: Any) -> list[tuple[str, int]]:
        """
        Return a task's instances.

        A task that is mapped over a list in the Dag file has them from the start of the run. Airflow's own
        short circuit leaves these to their trigger rules.
        """
        indexes = [-1]
        if getattr(task, "is_mapped", False) or next(task.iter_mapped_task_groups(), None):
            try:
                count = ti.get_ti_count(dag_id=ti.dag_id, task_ids=[task.task_id], run_ids=[ti.run_id])
            except Exception as error:  # noqa: BLE001 (the trigger rules then decide about these instances)
                self.log.warning("Airflow did not return how many instances %s has: %r", task.task_id, error)
            else:
                indexes += range(count)
        return [(task.task_id, index) for index in indexes]
