"""The arguments for the two tasks that hold the image: the submitting task and ``image``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from airflow_imagebuilder.operators.arguments import keywords_of, meant, own_parameters
from airflow_imagebuilder.operators.arguments.keywords import GuardArguments
from airflow_imagebuilder.service.errors import Fault
from airflow_imagebuilder.service.request.fields.templates import is_late
from airflow_imagebuilder.service.request.schema import MEMBERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.sdk import TaskGroup

_DECIDED = {
    "task_id": "the group names its tasks: give it a group_id",
    "task_display_name": "two tasks cannot share a name: leave it out",
    "dag": "give dag to the group",
    "task_group": "give parent_group to the group",
    "default_args": "write its arguments here, or give default_args to the group for all of its tasks",
    "wait_for_completion": "the first task submits and image waits: leave it out",
    "do_xcom_push": "the other tasks of the group read what these two push: leave it out",
    "multiple_outputs": "take single values from group.result instead, e.g. group.result['version']",
    "map_index_template": "these two tasks are not mapped: leave it out",
    "workflows": "give the group build_workflow, test_groups and distribution_workflow",
}
_SCHEDULING = ("pool", "pool_slots", "priority_weight", "queue", "executor")
_ALLOWED = "a mapping of arguments of Airflow's tasks, such as {'pool': 'image_builder', 'retries': 2}"


def guard_faults(group: type[TaskGroup], given: object) -> Iterator[Fault]:
    """
    Yield what is wrong with ``guard_args``.

    :param group: the task group's class, whose own parameters are not repeated there.
    :param given: the arguments as the user wrote them; ``None`` for none.
    """
    if given is None:
        return
    if not isinstance(given, Mapping):
        yield Fault("guard_args", given, _ALLOWED, "write a mapping that is known when the Dag is parsed")
        return
    known = _known()
    for name, value in given.items():
        path = f"guard_args[{name!r}]"
        if name not in known:
            yield Fault(path, value, ", ".join(known), _remedy(group, str(name), known))
        elif name in _SCHEDULING and is_late(value):
            yield Fault(path, value, "a value without a template", "Airflow does not render it: write it out")


def ranks_in_pool(group: TaskGroup, given: Mapping[str, Any] | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """
    Return the arguments by which ``image`` comes before the submits of other groups in the same pool.

    By Airflow's default rule a task with many tasks downstream comes first: that is the submit. It would take
    the slot that the guard of an earlier image waits for, and the pool would let a further image through.

    :param group: the task group, whose default arguments and those of its Dag count too.
    :param given: ``guard_args`` as the user wrote them.
    :return: the arguments of the submitting task, and those of ``image``.
    """
    if not given or given.get("pool") is None:
        return {}, {}
    known = {**getattr(group.dag, "default_args", {}), **group.default_args, **given}
    if "weight_rule" in known:
        return {}, {}
    weight = known.get("priority_weight", 1)
    absolute = {"weight_rule": "absolute", "priority_weight": weight}
    # Not more: by the default rule, tasks before the group get the sum of all that follows.
    return absolute, {**absolute, "priority_weight": weight + 1 if isinstance(weight, int) else weight}


def _known() -> tuple[str, ...]:
    """Return the names that the installed Airflow knows."""
    airflows = keywords_of(BaseOperator)
    ours = ("deferrable", "retry_policy")  # the latter on every version of Airflow
    return tuple(name for name in GuardArguments.__annotations__ if name in airflows or name in ours)


def _remedy(group: type[TaskGroup], name: str, known: Any) -> str:
    if name in _DECIDED:
        return _DECIDED[name]
    if name in own_parameters(group) or name in MEMBERS:
        return f"it is a parameter of the group: write {name}=... beside guard_args"
    return meant(name, known)
