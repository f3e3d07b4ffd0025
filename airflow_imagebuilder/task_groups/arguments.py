"""The arguments of the task group: their types, and what is refused when the Dag is parsed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.definitions.taskgroup import MappedTaskGroup

from airflow_imagebuilder.operators.options import option_faults
from airflow_imagebuilder.service.errors import Fault, InvalidRequestError
from airflow_imagebuilder.service.request import PipelineRequest
from airflow_imagebuilder.service.request.fields.templates import is_blank
from airflow_imagebuilder.service.request.image_request import FIELDS
from airflow_imagebuilder.service.request.rules.regions import region_faults
from airflow_imagebuilder.service.request.schema import ImageMembers
from airflow_imagebuilder.service.request.test_choice import faults_in_choice
from airflow_imagebuilder.task_groups.declaration import faults_with_pipeline, request_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from airflow.sdk import DAG, TaskGroup

    from airflow_imagebuilder.service.request import ImageRequest
    from airflow_imagebuilder.task_groups.declaration import Declared


class GroupArguments(ImageMembers, total=False):
    """What the task group passes on: the members of CreateImage, and the arguments of Airflow's TaskGroup.

    The names of Airflow's are those of ``airflow.sdk.TaskGroup`` in Airflow 3.3.
    """

    group_display_name: str
    prefix_group_id: bool
    parent_group: TaskGroup | None
    dag: DAG
    default_args: dict[str, Any] | None
    tooltip: str
    doc_md: str | None
    ui_color: str
    ui_fgcolor: str
    add_suffix_on_collision: bool


def checked_request(
    request: object,
    pipeline_arn: Any,
    members: Mapping[str, Any],
    declared: Declared,
    *,
    options: Mapping[str, Any],
    run_tests: Any,
    outlets: Any,
    others: Iterable[Fault],
    of: str,
) -> ImageRequest | PipelineRequest:
    """Return the request of a task group, or refuse all that is wrong with its arguments at once.

    :param options: the arguments that are not AWS's, by name.
    :param others: faults of other arguments, which are refused with these.
    :param of: how the error names the task group.
    :raises InvalidRequestError: AWS would refuse the request, or the graph cannot be drawn.
    """
    faults = [*option_faults(options), *_outlet_faults(outlets), *others]
    if pipeline_arn is not None and not is_blank(pipeline_arn):
        given = {**members, "request": request, "run_tests": run_tests}
        faults += faults_with_pipeline(pipeline_arn, given, declared, options["region_name"])
        if faults:
            raise InvalidRequestError(faults, of=of)
        return PipelineRequest(pipeline_arn=pipeline_arn, tags=members["tags"])
    try:
        made = request_of(request, members, declared)
    except InvalidRequestError as error:
        if pipeline_arn is not None:
            remedy = "it is empty, so the group builds without a pipeline: give the ARN, or leave it out"
            faults.append(Fault("pipeline_arn", pipeline_arn, "the ARN of an image pipeline", remedy))
        raise InvalidRequestError([*faults, *error.faults], of=of) from None
    known = {name: getattr(made, name) for name in FIELDS}
    faults += [*region_faults(known, options["region_name"]), *faults_in_choice(known, run_tests)]
    if faults:
        raise InvalidRequestError(faults, of=of)
    return made


def listed_outlets(outlets: Any) -> list[Any]:
    """Return outlets as a list: one asset is as good as a list of one."""
    if outlets is None:
        return []
    return list(outlets) if isinstance(outlets, (list, tuple, set)) else [outlets]


def refuse_place(group: TaskGroup) -> None:
    """Refuse a place in the Dag where Airflow could not run the graph.

    :raises ValueError: the group is inside of a mapped task group, or its Dag has ``fail_fast``.
    """
    above: Any = group.parent_group
    while above is not None:
        if isinstance(above, MappedTaskGroup):
            raise ValueError(  # noqa: TRY004 (it is the place that is wrong, not a type)
                f"ImageBuilderTaskGroup {group.group_id!r} is inside of the mapped task group "
                f"{above.group_id!r}: its tests are mapped tasks, and Airflow does not map inside a mapped "
                "task group. Make one ImageBuilderTaskGroup per image in a Python loop, or map an "
                "ImageBuilderCreateImageOperator with .partial().expand()."
            )
        above = above.parent_group
    if getattr(group.dag, "fail_fast", False):
        raise ValueError(
            f"ImageBuilderTaskGroup {group.group_id!r} is in the Dag {group.dag.dag_id!r}, which has "
            "fail_fast=True. There Airflow refuses the trigger rule ALL_DONE, by which monitors run after a "
            "failed test; and a test that fails would stop `image`, which cancels the build. Set "
            'fail_fast=False: a test without on_failure="CONTINUE" stops the image by itself. Or use an '
            "ImageBuilderCreateImageOperator, which is one task."
        )


def _outlet_faults(outlets: Any) -> Iterator[Fault]:
    for outlet in listed_outlets(outlets):
        # Airflow has several kinds of assets, aliases and references: each has one of these.
        if not hasattr(outlet, "name") and not hasattr(outlet, "uri"):
            yield Fault("outlets", outlet, "a list of assets", "write [Asset('golden')]")
