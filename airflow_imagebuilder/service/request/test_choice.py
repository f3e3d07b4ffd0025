"""The choice of tests: ``run_tests`` names the tests that run, as a list or as rendered text."""

from __future__ import annotations

import json
from ast import literal_eval
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.errors import Fault, InvalidRequestError
from airflow_imagebuilder.service.request.fields.suggestions import closest
from airflow_imagebuilder.service.request.fields.templates import is_blank, is_late
from airflow_imagebuilder.service.request.test_plan import plan, tests_are_off
from airflow_imagebuilder.service.request.workflows import TestGroup, Workflow, WorkflowType

if TYPE_CHECKING:
    from airflow_imagebuilder.service.request.image_request import ImageRequest

_ALLOWED = "a list of names of parallel groups and of ungrouped tests, or such names with commas between them"
_NOT_LISTS = (str, bytes, Mapping)
_UNREADABLE = (ValueError, SyntaxError, TypeError, MemoryError, RecursionError)


def choose_tests(request: ImageRequest, chosen: Sequence[str] | None) -> ImageRequest:
    """Return a request without the tests that are not chosen.

    :param chosen: names of parallel groups and of ungrouped tests; ``None`` chooses all.
    :raises InvalidRequestError: the request has no test of that name; or no workflow would be left, and AWS
        would run its default workflows.
    """
    if chosen is None:
        return request
    if faults := _faults(
        request.workflows, chosen, disabled=tests_are_off(request.image_tests_configuration)
    ):
        raise InvalidRequestError(faults)
    kept = {test for name, group in _groups(request.workflows) if name in chosen for test in group.workflows}
    keep = [w for w in request.workflows if w.type is not WorkflowType.TEST or w in kept]
    return replace(request, workflows=tuple(keep))


def read_names(value: object) -> list[str] | None:
    """Read ``run_tests``, which a template may have rendered to text.

    :param value: a list of names, the text of such a list (JSON or Python), or names with commas between
        them.
    :return: the names; ``None`` for ``None`` and for empty text.
    :raises InvalidRequestError: the value is something else.
    """
    read = _read(value) if isinstance(value, str) else value
    if read is None or is_blank(read):
        return None
    if isinstance(read, str):
        return [read]
    if isinstance(read, _NOT_LISTS) or not isinstance(read, (Sequence, set, frozenset)):
        raise InvalidRequestError([Fault("run_tests", value, _ALLOWED, "write ['functional', 'security']")])
    names = list(read)
    wrong = [number for number, name in enumerate(names) if not isinstance(name, str)]
    if wrong:
        remedy = "write each name as text, in quotes"
        raise InvalidRequestError([Fault(f"run_tests[{n}]", names[n], _ALLOWED, remedy) for n in wrong])
    return names


def faults_in_choice(fields: Mapping[str, Any], run_tests: object) -> Sequence[Fault]:
    """Return what is wrong with ``run_tests``, as far as it and the workflows are known.

    :param fields: the members of the request.
    :param run_tests: as :func:`read_names` takes it, or a template.
    """
    if is_late(run_tests) or (isinstance(run_tests, (list, tuple)) and any(map(is_late, run_tests))):
        return ()
    try:
        names = read_names(run_tests)
    except InvalidRequestError as error:
        return error.faults
    workflows = _known(fields.get("workflows") or ())
    if names is None or workflows is None:
        return ()
    return _faults(workflows, names, disabled=tests_are_off(fields.get("image_tests_configuration")))


def _faults(workflows: Sequence[Workflow], chosen: Sequence[str], *, disabled: bool) -> list[Fault]:
    names = list(dict.fromkeys(name for name, _ in _groups(workflows)))
    unknown = [name for name in chosen if name not in names]
    if unknown:
        close = closest(unknown[0], names)
        mean = f"did you mean {close!r}? " if close else ""
        remedy = f"{mean}choose among these, or leave run_tests out to run all"
        return [Fault("run_tests", unknown, ", ".join(names) or "no name: workflows has no test", remedy)]
    left = chosen or any(w.type is not WorkflowType.TEST for w in workflows) or (disabled and not workflows)
    if left:
        return []
    remedy = (
        "choose a test, or list a build workflow; to run no test at all, leave run_tests out and set "
        "image_tests_configuration to {'imageTestsEnabled': False}"
    )
    allowed = f"at least one of {', '.join(names)}" if names else "not given"
    return [Fault("run_tests", chosen, f"{allowed}: without any workflow AWS runs its default ones", remedy)]


def _read(text: str) -> Any:
    for read in (json.loads, literal_eval):
        try:
            found = read(text.strip())
        except _UNREADABLE:
            continue
        # A number or a word without quotes is a name. Only a text that begins like a literal is one.
        marked = text.strip().startswith(("[", "(", "{", "'", '"'))
        return found if found is None or marked else _split(text)
    return _split(text)


def _split(text: str) -> list[str] | None:
    return [name.strip() for name in text.split(",") if name.strip()] or None


def _groups(workflows: Sequence[Workflow]) -> list[tuple[str, TestGroup]]:
    return [(group.name or group.workflows[0].name, group) for group in plan(workflows)]


def _known(workflows: object) -> list[Workflow] | None:
    """Return the workflows of a request; ``None`` unless the names and groups of all are known."""
    if not isinstance(workflows, (list, tuple)):
        return None
    known = []
    for item in workflows:
        try:
            workflow = item if isinstance(item, Workflow) else Workflow.from_api(item)
            _ = workflow.type
        except InvalidRequestError:
            return None
        if not isinstance(workflow.parallel_group, (str, type(None))) or is_late(workflow.parallel_group):
            return None
        known.append(workflow)
    return known
