"""The names of arguments: a misspelt one is a fault, with the name that the user probably meant."""

from __future__ import annotations

import inspect
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, TaskGroup

from airflow_imagebuilder.operators.options import option_faults
from airflow_imagebuilder.service.errors import Fault, InvalidRequestError
from airflow_imagebuilder.service.request.fields.suggestions import closest
from airflow_imagebuilder.service.request.fields.templates import is_late
from airflow_imagebuilder.service.request.image_request import UNSUPPORTED_PARAMETERS
from airflow_imagebuilder.service.request.pipeline_request import INSTEAD, NO_OVERRIDES, PIPELINE_MEMBERS
from airflow_imagebuilder.service.request.schema import MEMBERS
from airflow_imagebuilder.service.text import shortened

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_OF_THE_GROUP = {
    "build_workflow": "list it in workflows",
    "test_groups": "list the tests in workflows, each with its parallel_group",
    "distribution_workflow": "list it in workflows",
    "group_id": "give task_id: this is an operator, not a task group",
}
_SHORT = "give it as pipeline_arn"
_WITHOUT_A_PIPELINE = "start it with ImageBuilderStartPipelineOperator: a pipeline names a recipe of its own"
_OF_THE_OPERATOR = {
    "image_pipeline_arn": _SHORT,
    "workflows": "give them as build_workflow, test_groups and distribution_workflow",
    "task_id": "give group_id: this is a task group",
}
# What asset events and results call otherwise than the parameters do.
_SAME = {"image_arn": "image_build_version_arn", "arn": "image_build_version_arn"}

_DECLARING = ("build_workflow", "test_groups", "distribution_workflow")
_A_PIPELINE_IS_WHOLE = f"{NO_OVERRIDES}: {INSTEAD}"
_MEMBERS_OF_THE_GROUP = tuple(name for name in MEMBERS if name != "workflows")


def refuse(faults: Iterable[Fault], of: str | None = None) -> None:
    """
    Raise an error with all faults; do nothing if there are none.

    :param of: whose arguments they are, e.g. ``task 'bake'``; ``None`` (default) in a task's own log.
    :raises InvalidRequestError: there is a fault.
    """
    if found := tuple(faults):
        raise InvalidRequestError(found, of=of)


def unknown_arguments(operator: type[BaseOperator], given: Mapping[str, Any]) -> Iterable[Fault]:
    """
    Yield a fault per argument that neither an operator nor Airflow has.

    :param operator: the operator's class.
    :param given: the arguments that the operator's own parameters do not take.
    """
    own, airflows = _names(operator)
    for name, value in given.items():
        if name not in own and name not in airflows:
            remedy = _of_another(name, own) or UNSUPPORTED_PARAMETERS.get(name)
            remedy = remedy or meant(name, (*own, *airflows))
            yield Fault(name, value, f"{', '.join(own)}, and Airflow's own", remedy)


def _of_another(name: str, own: Iterable[str]) -> str | None:
    """Return what to do about an argument that another operator, or the task group, has."""
    if "pipeline_arn" in own and name == "image_pipeline_arn":
        return _SHORT
    if "expected_workflows" in own:
        known = dict.fromkeys((*MEMBERS, "run_tests", *_DECLARING), _A_PIPELINE_IS_WHOLE)
        return {**_OF_THE_GROUP, **known}.get(name)
    if "image_recipe_arn" in own and name in ("image_pipeline_arn", "pipeline_arn"):
        return _WITHOUT_A_PIPELINE
    return _OF_THE_GROUP.get(name)


def unknown_group_arguments(group: type[TaskGroup], given: Mapping[str, Any]) -> Iterable[Fault]:
    """
    Yield a fault per argument that neither the task group nor Airflow's TaskGroup has.

    :param group: the task group's class.
    :param given: the arguments that are not members of CreateImage.
    """
    own = (*own_parameters(group), *_MEMBERS_OF_THE_GROUP)
    airflows = keywords_of(TaskGroup)
    for name, value in given.items():
        if name not in own and name not in airflows:
            remedy = _OF_THE_OPERATOR.get(name) or UNSUPPORTED_PARAMETERS.get(name)
            if not remedy and name in keywords_of(BaseOperator):
                remedy = f"it belongs to tasks: write default_args={{{name!r}: {shortened(repr(value))}}}"
            remedy = remedy or meant(name, (*own, *airflows))
            yield Fault(name, value, f"{', '.join(own)}, and those of Airflow's TaskGroup", remedy)


def partial_faults(operator: type[BaseOperator], given: Mapping[str, Any]) -> Iterable[Fault]:
    """
    Yield what is wrong with the arguments of ``.partial()``, each by itself.

    :param operator: the operator's class.
    :param given: the arguments; the rest comes with ``.expand()``.
    """
    yield from unknown_arguments(operator, given)
    yield from option_faults(given, getattr(operator, "own_options", {}))
    own, _ = _names(operator)
    for name in own:
        shape = MEMBERS.get(name) or PIPELINE_MEMBERS.get(name)
        if shape and not shape.is_unset(given.get(name)):
            yield from shape.faults(name, given[name], is_late)


def meant(name: str, known: Iterable[str]) -> str:
    """Return what to do about an unknown name: the known one that it is like, or to leave it out."""
    candidates = tuple(known)
    same = _SAME.get(name)
    close = same if same in candidates else closest(name, candidates)
    return f"did you mean {close}?" if close else "leave it out"


@cache
def _names(operator: type[BaseOperator]) -> tuple[tuple[str, ...], frozenset[str]]:
    """Return an operator's own parameters, and those of its base classes, Airflow's included."""
    own = own_parameters(operator)
    others = {name for c in operator.__mro__ for name in keywords_of(c)}
    return own, frozenset(others - set(own)) | {"_airflow_mapped_validation_only"}


def own_parameters(cls: type) -> tuple[str, ...]:
    """Return the parameters that a class has beside Airflow's."""
    ours = [c for c in cls.__mro__ if c.__module__.partition(".")[0] != "airflow"]
    return tuple(dict.fromkeys(name for c in ours for name in keywords_of(c)))


@cache
def keywords_of(cls: type) -> tuple[str, ...]:
    """Return the parameters that a class itself has, without those of its base classes."""
    init = vars(cls).get("__init__")
    parameters = inspect.signature(init).parameters.values() if init else ()
    named = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return tuple(p.name for p in parameters if p.kind in named and p.name != "self")
