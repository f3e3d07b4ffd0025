"""The order in which the tests of an image run.

Source: User Guide, "Manage image workflows", section "Define test groups". Groups run one after another, in
the order in which their names first appear in the list. A test without a group runs alone at its own place.
Five tests of a group run at once; when one finishes, the next begins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_imagebuilder.local.emulator.engine.state import Execution, PlannedWorkflow

MAX_PARALLEL = 5


def batches(workflows: Iterable[PlannedWorkflow]) -> list[list[PlannedWorkflow]]:
    """Split the tests among some workflows into batches that run one after another."""
    found: dict[object, list[PlannedWorkflow]] = {}
    for position, workflow in enumerate(workflows):
        if workflow.type == "TEST":
            found.setdefault(workflow.group or position, []).append(workflow)
    return list(found.values())


def startable(batches: Sequence[Sequence[Execution]]) -> list[Execution]:
    """Return the tests that can begin now.

    :param batches: the executions of an image, batch by batch.
    :return: the waiting tests of the first unfinished batch, as many as fit beside its running ones.
    """
    for batch in batches:
        if all(execution.ended for execution in batch):
            continue
        waiting = [execution for execution in batch if execution.status == "PENDING"]
        busy = sum(not execution.ended for execution in batch) - len(waiting)
        return waiting[: MAX_PARALLEL - busy]
    return []
