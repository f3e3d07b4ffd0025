"""The workflows of a pipeline against the declared ones: a task group draws what the pipeline will run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.errors import InvalidRequestError
from airflow_imagebuilder.service.request.test_plan import default_workflow, plan, tests_are_off
from airflow_imagebuilder.service.request.workflows import TestGroup, Workflow, WorkflowType
from airflow_imagebuilder.service.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_STAGES = {"build_workflow": WorkflowType.BUILD, "distribution_workflow": WorkflowType.DISTRIBUTION}


def differences(pipeline: Mapping[str, Any], declared: Sequence[Workflow]) -> list[str]:
    """Return where a pipeline would run other workflows than the declared ones, a line each; none if it fits.

    Compared are the name of the build and of the distribution workflow, if they are declared; and of the
    tests the order of the groups, their parallel groups and their names. Inside a group the order does not
    matter, since its tests run together. ``on_failure`` and parameters of a workflow are compared if they are
    declared. Versions are not: a monitor finds its workflow by the name.

    :param pipeline: GetImagePipeline's ``imagePipeline``. One without workflows runs AWS's default ones.
    :param declared: the declared workflows, each test with its parallel group; none means AWS's default ones.
    """
    try:
        return _differences(pipeline, declared)
    except InvalidRequestError as unknown:  # the declared workflows are checked: it is one of the pipeline's
        found = "; ".join(f"{fault.field}: {fault.value!r}" for fault in unknown.faults)
        return [f"workflows: the pipeline has one that cannot be compared ({one_line(found)})"]


def _differences(pipeline: Mapping[str, Any], declared: Sequence[Workflow]) -> list[str]:
    theirs = _workflows(pipeline)
    if tests_are_off(pipeline.get("imageTestsConfiguration")):
        theirs = [workflow for workflow in theirs if workflow.type is not WorkflowType.TEST]
        if not declared:
            return []  # AWS's default ones, and it runs no test
    ours = list(declared) or _defaults(pipeline)
    lines = [line for name, stage in _STAGES.items() for line in _stage(name, stage, theirs, declared)]
    if _order(theirs) != _order(ours):
        shown = _shown(ours) if declared else f"no workflow, which means {_shown(ours)}"
        return [*lines, f"test_groups: the pipeline runs {_shown(theirs)}; declared: {shown}"]
    return [*lines, *_options(theirs, ours)]


def _workflows(pipeline: Mapping[str, Any]) -> list[Workflow]:
    listed = [
        {name: value for name, value in item.items() if value not in (None, "")}
        for item in pipeline.get("workflows") or ()
    ]
    return [Workflow.from_api(item) for item in listed] or _defaults(pipeline)


def _defaults(pipeline: Mapping[str, Any]) -> list[Workflow]:
    container = bool(pipeline.get("containerRecipeArn"))
    return [default_workflow(stage, container=container) for stage in (WorkflowType.BUILD, WorkflowType.TEST)]


def _stage(name: str, stage: WorkflowType, theirs: list[Workflow], ours: Sequence[Workflow]) -> list[str]:
    declared, found = ([w.name for w in listed if w.type is stage] for listed in (ours, theirs))
    if not declared or declared == found:
        return []
    return [f"{name}: the pipeline runs {', '.join(found) or 'none'}; declared: {', '.join(declared)}"]


def _order(workflows: Iterable[Workflow]) -> list[tuple[str | None, list[str]]]:
    """Return the test groups as AWS runs them, the names of each in one order."""
    return [(group.name, sorted(test.name for test in group.workflows)) for group in plan(workflows)]


def _shown(workflows: Iterable[Workflow]) -> str:
    return ", then ".join(map(_group, plan(workflows))) or "no test"


def _group(group: TestGroup) -> str:
    names = ", ".join(test.name for test in group.workflows)
    return f"{group.name} ({names})" if group.name else f"{names} alone"


def _options(theirs: list[Workflow], ours: list[Workflow]) -> list[str]:
    """Return where declared options of workflows differ. The same workflow may be there more than once."""
    left = list(theirs)
    lines = []
    for workflow in ours:
        same = [w for w in left if _key(w) == _key(workflow)]
        fitting = next((w for w in same if not _option(w, workflow)), None)
        if fitting is not None:
            left.remove(fitting)
        elif same:
            lines.append(f"{workflow.name}: {_option(same[0], workflow)}")
    return lines


def _key(workflow: Workflow) -> tuple[object, ...]:
    return workflow.type, workflow.name, workflow.parallel_group


def _option(theirs: Workflow, ours: Workflow) -> str:
    """Return the options of a declared workflow that the pipeline's has otherwise; empty text if none."""
    wrong = []
    if ours.on_failure is not None and ours.on_failure != (theirs.on_failure or "ABORT"):
        wrong.append(f"on_failure is {theirs.on_failure or 'not set'}; declared: {ours.on_failure}")
    if ours.parameters and _listed(ours) != _listed(theirs):
        wrong.append(f"parameters are {_listed(theirs)}; declared: {_listed(ours)}")
    return ", and its ".join(wrong)


def _listed(workflow: Workflow) -> dict[str, list[str]]:
    return {name: list(value) for name, value in workflow.parameters.items()}
