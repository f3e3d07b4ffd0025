"""Which tests of a request run: ``run_tests``, as it is written and as templates render it."""

from __future__ import annotations

import json
from ast import literal_eval
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.errors import Fault, InvalidRequestError
from airflow_imagebuilder.service.request.fields.suggestions import closest
from airflow_imagebuilder.service.request.fields.templates import is_blank, is_late
from airflow_imagebuilder.service.request.test_plan import plan
from airflow_imagebuilder.service.request.workflows import TestGroup, Workflow, WorkflowType

if TYPE_CHECKING:
    from airflow_imagebuilder.service.request.image_request import ImageRequest

_ALLOWED = "a list of names of parallel groups and of ungrouped tests, or such names with commas between them"
_NOT_LISTS = (str, bytes, Mapping)
_UNREADABLE = (ValueError, SyntaxError, TypeError, MemoryError, RecursionError)


def choose_tests(request: ImageRequest, chosen: Sequence[str] | None) -> ImageRequest:
    """
    Leave out the tests that are not chosen.

    :param chosen: names of parallel groups and of ungrouped tests; ``None`` chooses all.
    :raises InvalidRequestError: a name is not among those of the request, or no workflow would be left: AWS
        would run its default workflows then.
    """
    if chosen is None:
        return request
    if faults := _faults(request.workflows, chosen, disabled=_without_tests(request)):
        raise InvalidRequestError(faults)
    kept = {test for name, group in _groups(request.workflows) if name in chosen for test in group.workflows}
    keep = [w for w in request.workflows if w.type is not WorkflowType.TEST or w in kept]
    return replace(request, workflows=tuple(keep))


def read_names(value: object) -> list[str] | None:
    """
    Read ``run_tests``, which a template may have rendered to text.

    :param value: a list of names, the text of one (JSON or Python), or names with commas between them.
    :return: the names; ``None`` where nothing was given, which an empty text is too.
    :raises InvalidRequestError: it is something else.
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
        way_out = "write each name as text, in quotes"
        raise InvalidRequestError([Fault(f"run_tests[{n}]", names[n], _ALLOWED, way_out) for n in wrong])
    return names


def faults_in_choice(fields: Mapping[str, Any], run_tests: object) -> Sequence[Fault]:
    """Return what is wrong with ``run_tests`` as far as it and the workflows of a request are known."""
    if is_late(run_tests) or (isinstance(run_tests, (list, tuple)) and any(map(is_late, run_tests))):
        return ()
    try:
        names = read_names(run_tests)
    except InvalidRequestError as error:
        return error.faults
    workflows = _known(fields.get("workflows") or ())
    if names is None or workflows is None:
        return ()
    return _faults(workflows, names, disabled=_tests_are_off(fields.get("image_tests_configuration")))


def _faults(workflows: Sequence[Workflow], chosen: Sequence[str], *, disabled: bool) -> list[Fault]:
    names = list(dict.fromkeys(name for name, _ in _groups(workflows)))
    unknown = [name for name in chosen if name not in names]
    if unknown:
        close = closest(unknown[0], names)
        mean = f"did you mean {close!r}? " if close else ""
        way_out = f"{mean}choose among these, or leave run_tests out to run all"
        return [Fault("run_tests", unknown, ", ".join(names) or "no name: workflows has no test", way_out)]
    left = chosen or any(w.type is not WorkflowType.TEST for w in workflows) or (disabled and not workflows)
    if left:
        return []
    way_out = (
        "choose a test, or list a build workflow; to run no test at all, leave run_tests out and set "
        "image_tests_configuration to {'imageTestsEnabled': False}"
    )
    allowed = f"at least one of {', '.join(names)}" if names else "not given"
    return [Fault("run_tests", chosen, f"{allowed}: without any workflow AWS runs its default ones", way_out)]


def _read(text: str) -> Any:
    for read in (json.loads, literal_eval):
        try:
            found = read(text.strip())
        except _UNREADABLE:
            continue
        # A bare number or word is a name, and so are several with commas: only what is marked is a literal.
        marked = text.strip().startswith(("[", "(", "{", "'", '"'))
        return found if found is None or marked else _split(text)
    return _split(text)


def _split(text: str) -> list[str] | None:
    return [name.strip() for name in text.split(",") if name.strip()] or None


def _groups(workflows: Sequence[Workflow]) -> list[tuple[str, TestGroup]]:
    return [(group.name or group.workflows[0].name, group) for group in plan(workflows)]


def _known(workflows: object) -> list[Workflow] | None:
    """Return the workflows of a request whose names and groups are all known; else None."""
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


def _without_tests(request: ImageRequest) -> bool:
    return _tests_are_off(request.image_tests_configuration)


def _tests_are_off(configured: object) -> bool:
    return isinstance(configured, Mapping) and str(configured.get("imageTestsEnabled")).lower() == "false"
