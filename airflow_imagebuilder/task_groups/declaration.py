"""The declaration of a task group: workflows by stage, flattened into the list that CreateImage takes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from airflow_imagebuilder.service.errors import Fault, InvalidRequestError
from airflow_imagebuilder.service.request import ImageRequest, TestGroup, Workflow, WorkflowType
from airflow_imagebuilder.service.request.fields.templates import is_blank, is_late, is_template
from airflow_imagebuilder.service.request.image_request import faults_in
from airflow_imagebuilder.service.request.pipeline_request import no_override, pipeline_faults
from airflow_imagebuilder.service.request.rules.combinations import workflow_faults
from airflow_imagebuilder.service.request.rules.draft import RequestDraft
from airflow_imagebuilder.service.request.rules.regions import one_region, region_faults
from airflow_imagebuilder.service.request.workflows import ARN_WITH_STAGE, not_a_workflow, stage_of

_TESTS = "a list of TestGroup, and of Workflow for tests that run alone"
_HOMES = {
    WorkflowType.BUILD: "give it as build_workflow",
    WorkflowType.TEST: "list it in test_groups",
    WorkflowType.DISTRIBUTION: "give it as distribution_workflow",
}


@dataclass(frozen=True)
class Declared:
    """The workflows of a declaration.

    :param workflows: the workflows as CreateImage takes them, each test with the name of its group.
    :param paths: where the user wrote each of them, e.g. ``test_groups[0].workflows[1]``.
    :param faults: what the graph cannot show.
    """

    workflows: tuple[Workflow, ...]
    paths: tuple[str, ...]
    faults: tuple[Fault, ...]

    def as_written(self, fault: Fault) -> Fault:
        """Return a fault of the flattened list with the path that the user wrote."""

        def written(found: re.Match[str]) -> str:
            return self.paths[int(found[1])]

        field, remedy = (
            re.sub(r"\bworkflows\[(\d+)\]", written, text) for text in (fault.field, fault.remedy)
        )
        return replace(fault, field=field, remedy=remedy)


def declare(build: object, tests: object, distribution: object) -> Declared:
    """Flatten a declaration. It reports what is wrong in ``faults`` and does not raise.

    :param build: a build :class:`Workflow`, or ``None``.
    :param tests: a sequence of :class:`TestGroup` and :class:`Workflow`.
    :param distribution: a distribution :class:`Workflow`, or ``None``.
    """
    found = [
        *_alone("build_workflow", build, WorkflowType.BUILD),
        *_tests(tests),
        *_alone("distribution_workflow", distribution, WorkflowType.DISTRIBUTION),
    ]
    faults, listed = [], []
    for one in found:
        wrong = [one] if isinstance(one, Fault) else list(_misplaced(*one))
        faults += wrong
        # A workflow in the wrong place is one fault, whatever else it would break there.
        listed += [] if wrong else [one]
    return Declared(tuple(w for _, w, _ in listed), tuple(path for path, _, _ in listed), tuple(faults))


def request_of(request: object, members: Mapping[str, Any], declared: Declared) -> ImageRequest:
    """Return the request of a task group, whose workflows are all known.

    :param request: a whole request, or ``None``.
    :param members: single members; the workflows are those of the declaration.
    :param declared: the declaration.
    :raises InvalidRequestError: AWS would refuse the request, or the graph cannot show it.
    """
    if request is None:
        faults = [*declared.faults, *map(declared.as_written, faults_in(members))]
        if faults:
            raise InvalidRequestError(faults)
        return ImageRequest(**members)
    given = {
        name: value for name, value in members.items() if value not in (None, ()) and not is_blank(value)
    }
    once = "either request or single members"
    twice = [Fault(name, value, once, "leave one out") for name, value in given.items()]
    if twice or declared.faults:
        raise InvalidRequestError([*declared.faults, *twice])
    made = ImageRequest.from_api(request) if isinstance(request, Mapping) else request
    if not isinstance(made, ImageRequest):
        remedy = "give single members instead: each of them except the workflows may be a template"
        raise InvalidRequestError([Fault("request", request, "an ImageRequest", remedy)])
    if faults := list(_not_drawable(made)):
        raise InvalidRequestError(faults)
    return made


def faults_with_pipeline(
    pipeline_arn: object, given: Mapping[str, Any], declared: Declared, region: object
) -> Iterator[Fault]:
    """Yield what is wrong with a task group that starts a pipeline.

    :param pipeline_arn: the pipeline.
    :param given: the group's members of CreateImage, ``request`` and ``run_tests``.
    :param declared: the declaration, which draws the graph.
    :param region: the region of the calls, as the user wrote it.
    """
    yield from declared.faults
    pipeline, workflows = {"pipeline_arn": pipeline_arn}, {"workflows": list(declared.workflows)}
    fields = {**pipeline, **workflows}
    found = [
        *pipeline_faults({**pipeline, "tags": given["tags"]}),
        *workflow_faults(workflows, is_late),
        *one_region(RequestDraft(fields, is_late)),
        *region_faults(fields, region),
    ]
    yield from map(declared.as_written, found)
    for name, value in given.items():
        if name not in ("tags", "workflows") and value is not None and not is_blank(value):
            yield no_override(name, value)


def _alone(path: str, value: object, stage: WorkflowType) -> Iterator[Any]:
    if isinstance(value, Workflow):
        yield path, value, stage
    elif value is not None and not is_blank(value):
        yield not_a_workflow(path, value)


def _tests(tests: object) -> Iterator[Any]:
    if tests is None or is_blank(tests):
        return
    if not isinstance(tests, (list, tuple, Iterator)):
        yield Fault("test_groups", tests, _TESTS, _way_to_a_list(tests))
        return
    for number, item in enumerate(tests):
        path = f"test_groups[{number}]"
        if isinstance(item, TestGroup):
            for place, test in enumerate(item.workflows):
                yield from _grouped(f"{path}.workflows[{place}]", test, item.name)
        elif isinstance(item, Workflow):
            yield path, item, WorkflowType.TEST
        else:
            yield not_a_workflow(path, item, "a TestGroup, or a Workflow for a test that runs alone")


def _grouped(path: str, test: Workflow, name: str | None) -> Iterator[Any]:
    if test.parallel_group not in (None, name):
        allowed = f"none, or {name!r}, the name of its TestGroup"
        yield Fault(f"{path}.parallel_group", test.parallel_group, allowed, "leave it out")
    yield path, replace(test, parallel_group=name), WorkflowType.TEST


def _way_to_a_list(tests: object) -> str:
    if isinstance(tests, (TestGroup, Workflow)):
        return f"put it into a list: [{type(tests).__name__}(...)]"
    if is_late(tests):
        return "write the tests out, for the graph to show; run_tests chooses among them when the task runs"
    return "write [TestGroup('functional', (Workflow(...),))]"


def _misplaced(path: str, workflow: Workflow, stage: WorkflowType) -> Iterator[Fault]:
    yield from _not_drawn(path, workflow)
    theirs = stage_of(workflow)
    if theirs not in (None, stage):
        allowed = f"the ARN of a {stage.lower()} workflow"
        remedy = f"this is a {theirs.lower()} workflow: {_HOMES[theirs]}"
        yield Fault(f"{path}.arn", workflow.arn, allowed, remedy)


def _not_drawable(request: ImageRequest) -> Iterator[Fault]:
    listed: Any = request.workflows
    if not isinstance(listed, Sequence) or isinstance(listed, str):
        remedy = "write them out, for the graph to show; run_tests chooses among them when the task runs"
        yield Fault("workflows", listed, "a list of workflows that is known when the Dag is parsed", remedy)
        return
    for number, item in enumerate(listed):
        path = f"workflows[{number}]"
        if isinstance(item, Workflow):
            yield from _not_drawn(path, item)
        else:
            yield not_a_workflow(path, item)


def _not_drawn(path: str, workflow: Workflow) -> Iterator[Fault]:
    """Yield what the graph needs to know of a workflow and cannot. The request itself refuses a wrong ARN."""
    if is_late(workflow.parallel_group) and not is_template(workflow.parallel_group):
        remedy = "write it out, for the graph to show"
        yield Fault(f"{path}.parallel_group", workflow.parallel_group, "a name", remedy)
    if is_late(workflow.arn) and stage_of(workflow) is None:
        remedy = "the graph shows its stage and name: write this part of the ARN plainly, without a template"
        yield Fault(f"{path}.arn", workflow.arn, ARN_WITH_STAGE, remedy)
