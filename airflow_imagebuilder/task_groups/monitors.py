"""The monitors of an image: one task per workflow, which shows what AWS does and changes nothing."""

from __future__ import annotations

import re
from collections import Counter
from datetime import timedelta
from itertools import chain, count
from typing import TYPE_CHECKING, Any

from airflow.sdk import TaskGroup

from airflow_imagebuilder.compat import TriggerRule
from airflow_imagebuilder.operators.monitor_workflow import ImageBuilderMonitorWorkflowOperator
from airflow_imagebuilder.service.errors import Fault, NoSuchTestsError
from airflow_imagebuilder.service.request import WorkflowType
from airflow_imagebuilder.service.request.fields.suggestions import closest
from airflow_imagebuilder.service.request.test_plan import WIDTH

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_imagebuilder.service.request import TestGroup

OWN_TASKS = ("create_image", "image", "build", "distribute", "monitored", "ready")
"""The ids of the tasks that every image has, which no test group may take."""

MARGIN = timedelta(hours=1)
"""How much longer than ``image`` a monitor may wait: it also shows what the timeout of ``image`` cancels."""

# A failed workflow fails its monitor at once. These retries are for a worker that dies under the monitor.
_RETRIES: dict[str, Any] = {"retries": 2, "retry_delay": timedelta(seconds=10)}


class TestsByName(dict[str, Any]):
    """The test groups that are drawn, by name. An unknown name is an error that lists the known ones."""

    __test__ = False  # the name would make pytest collect it

    def __missing__(self, name: object) -> Any:
        close = closest(name, self)
        remedy = f"did you mean {close!r}?" if close else "take one of these"
        raise NoSuchTestsError([Fault(f"tests[{name!r}]", name, ", ".join(self) or "no test", remedy)])


class Monitors:
    """Draws the monitors of one image into a task group.

    :param group: the task group of the image.
    :param options: arguments of every monitor: the image, the connection, and how long and how often to poll.
    """

    def __init__(self, group: TaskGroup, **options: Any) -> None:
        self.tests = TestsByName()
        self._group = group
        self._options = {**_RETRIES, **options}
        self._drawn: Counter[tuple[str | None, str]] = Counter()

    def draw_stage(self, task_id: str, stage: WorkflowType, trigger_rule: TriggerRule) -> Any:
        """Draw the monitor of the build or of the distribution, and return it."""
        return ImageBuilderMonitorWorkflowOperator(
            task_id=task_id, workflow_type=stage.value, trigger_rule=trigger_rule, **self._options
        )

    def draw_tests(self, tests: TestGroup) -> TaskGroup:
        """Draw the tests that AWS runs together, and return their nested task group.

        Its one task is mapped, with an index per test; at most :data:`WIDTH` of them are active at once. The
        worker names an index when its test begins. Until then Airflow shows the number alone, so the tooltip
        of the group and the documentation of the task say which number is which test.
        """
        name = tests.name or tests.workflows[0].name
        task_group_id = self._free_id(name)
        indexes = [(number, test.name) for number, test in enumerate(tests.workflows)]
        tooltip = ", ".join(f"{number}: {test}" for number, test in indexes)
        rows = [f"| {number} | {test} |" for number, test in indexes]
        with TaskGroup(task_group_id, group_display_name=name, tooltip=tooltip) as drawn:
            ImageBuilderMonitorWorkflowOperator.partial(
                task_id="test",
                map_index_template="{{ task.workflow }}",
                doc_md="\n".join(["| index | test |", "| --- | --- |", *rows]),
                max_active_tis_per_dagrun=WIDTH,
                trigger_rule=TriggerRule.ALL_DONE,
                workflow_type=WorkflowType.TEST.value,
                parallel_group=tests.name,
                **self._options,
            ).expand_kwargs(self._numbered(tests))
        self.tests[task_group_id if name in self.tests else name] = drawn
        return drawn

    def _free_id(self, name: str) -> str:
        """Return an id for a group's name: AWS allows ``+`` and ``#`` in names, Airflow does not in ids."""
        full: Callable[[str], str] = self._group.child_id  # Airflow's own is not typed
        taken = {*self._group.used_group_ids, *self._group.children, *map(full, OWN_TASKS)}
        base = re.sub(r"[^A-Za-z0-9_-]", "_", name)
        ids = chain([base], (f"{base}_{number}" for number in count(2)))
        return next(task_group_id for task_group_id in ids if full(task_group_id) not in taken)

    def _numbered(self, tests: TestGroup) -> list[dict[str, Any]]:
        """Number the tests of one group that run the same workflow: a monitor finds its own by the number."""
        numbered = []
        for workflow in tests.workflows:
            key = (tests.name, workflow.name)
            numbered.append({"workflow": workflow.name, "ordinal": self._drawn[key]})
            self._drawn[key] += 1
        return numbered
