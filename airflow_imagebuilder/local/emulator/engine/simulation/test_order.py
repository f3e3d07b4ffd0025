"""In which order the tests of an image run.

Source: User Guide, "Manage image workflows", section "Define test groups": groups run one after another,
ordered by where each group's name is first seen in the list; a test without a group runs alone at its own
place; of a group five run at once, and the next begins as one ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_imagebuilder.local.emulator.engine.state import Execution, PlannedWorkflow

WIDTH = 5


def batches(workflows: Iterable[PlannedWorkflow]) -> list[list[PlannedWorkflow]]:
    """The tests among some workflows, as batches that run one after another."""
    found: dict[object, list[PlannedWorkflow]] = {}
    for position, workflow in enumerate(workflows):
        if workflow.type == "TEST":
            found.setdefault(workflow.group or position, []).append(workflow)
    return list(found.values())


def startable(running: Sequence[Sequence[Execution]]) -> list[Execution]:
    """Which tests begin now.

    :param running: the batches of an image, as executions.
    :return: what fits beside the running ones of the first batch that has not ended.
    """
    for batch in running:
        if all(execution.ended for execution in batch):
            continue
        waiting = [execution for execution in batch if execution.status == "PENDING"]
        busy = sum(not execution.ended for execution in batch) - len(waiting)
        return waiting[: WIDTH - busy]
    return []
