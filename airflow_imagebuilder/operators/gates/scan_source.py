"""The task whose image a gate judges: at parse it may be known that the image is never scanned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.operators.await_image import ImageBuilderAwaitImageOperator
from airflow_imagebuilder.operators.create_image import ImageBuilderCreateImageOperator
from airflow_imagebuilder.service.errors import Fault
from airflow_imagebuilder.service.request.fields.templates import is_blank, is_late
from airflow_imagebuilder.service.request.image_request import ImageRequest
from airflow_imagebuilder.service.request.rules.draft import RequestDraft
from airflow_imagebuilder.service.request.rules.scans import scan_is_off

if TYPE_CHECKING:
    from collections.abc import Iterator

_MEMBERS = ("image_scanning_configuration", "image_tests_configuration")


def unscanned_faults(image: object) -> Iterator[Fault]:
    """
    Yield a fault if an image is the output of a task that builds it without a scan.

    :param image: what a gate was given: another task's output is known by what it refers to.
    """
    for operator in _operators(image):
        task = _creating(operator)
        if task is None:
            continue
        if scan_is_off(RequestDraft(_members(task), is_late)):
            allowed = "the output of a task whose image is scanned"
            remedy = (
                f"set image_scanning_configuration={{'imageScanningEnabled': True}} on task {task.task_id!r} "
                "and keep its image tests on, or take this gate out"
            )
            yield Fault("image_build_version_arn", f"output of {task.task_id!r}", allowed, remedy)


def _operators(image: object) -> list[Any]:
    references = getattr(type(image), "iter_references", None)
    return [operator for operator, _ in references(image)] if callable(references) else []


def _creating(operator: Any) -> Any:
    """Return the task that submits the image of another task's output; ``None`` if it is not known."""
    kind = getattr(operator, "operator_class", type(operator))  # a mapped operator has its class as a member
    if not isinstance(kind, type):
        return None
    if issubclass(kind, ImageBuilderAwaitImageOperator):
        operator = getattr(operator.task_group, "create_image", None)  # that of ImageBuilderTaskGroup
        kind = type(operator)
    return operator if issubclass(kind, ImageBuilderCreateImageOperator) else None


def _members(task: Any) -> dict[str, Any]:
    """Return what a task sets of its image's scan; what it maps over is not known."""
    mapped = getattr(task, "partial_kwargs", None)
    if mapped is None:
        return {name: value for name in _MEMBERS if not _is_unset(value := getattr(task, name))}
    expanded = dict.fromkeys(_MEMBERS, "{{ mapped }}") if _maps_over_members(task) else {}
    request = mapped.get("request")
    of_request = (
        {name: getattr(request, name) for name in _MEMBERS} if isinstance(request, ImageRequest) else {}
    )
    given = {**of_request, **{name: mapped[name] for name in _MEMBERS if name in mapped}, **expanded}
    return {name: value for name, value in given.items() if not _is_unset(value)}


def _maps_over_members(task: Any) -> bool:
    expansion = getattr(task.expand_input, "value", None)
    names = set(expansion) if isinstance(expansion, dict) else {"request"}
    return bool(names & {*_MEMBERS, "request"})


def _is_unset(value: object) -> bool:
    return value is None or is_blank(value)
