"""Names in a scenario: what does not exist would never fail, and a test would stay green."""

from __future__ import annotations

from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

from airflow_imagebuilder.local.emulator.managed import components, workflows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow_imagebuilder.local.emulator.engine.simulation.behaviour import Behaviour
    from airflow_imagebuilder.local.emulator.engine.state import State

#: Shown of the names that there are.
_MOST = 12


class _Names(NamedTuple):
    """What exists.

    :param workflows: the names of the steps of each workflow, by the ARNs and the name of the workflow.
    :param components: the ARNs and the names of components.
    :param later: names, also with ``*`` and ``?``, that a client creates later.
    """

    workflows: dict[str, set[str]]
    components: set[str]
    later: tuple[str, ...]

    def is_later(self, name: str) -> bool:
        return any(name == each or fnmatchcase(name, each) or fnmatchcase(each, name) for each in self.later)


def unknown(behaviour: Behaviour, states: Iterable[State], later: Iterable[str] = ()) -> str | None:
    """Return what is wrong with the names in durations and failures; None if all exist.

    :param states: the state of each account.
    :param later: names of workflows and components that a client creates later, perhaps with ``*`` and ``?``.
    """
    names = _collect(list(states), tuple(later))
    return next(_faults(behaviour, names), None)


def _collect(states: list[State], later: tuple[str, ...]) -> _Names:
    known: dict[str, set[str]] = {}
    # A region gets Amazon's own resources with its first call, and perhaps there was none.
    for workflow_type, name in workflows.VERSIONS:
        known[name] = {step.name for step in workflows.document(workflow_type, name).steps}
    found = {component.name for component in components.MANAGED_COMPONENTS}
    for state in states:
        for arn in state.resources:
            if ":component/" in arn:
                found |= {arn, arn.split("/")[1]}
        for arn, document in state.documents.items():
            steps = {step.name for step in document.steps}
            for key in (arn, arn.split("/")[2]):
                known[key] = known.get(key, set()) | steps
    return _Names(known, found, later)


def _faults(behaviour: Behaviour, names: _Names) -> Iterator[str]:
    for name in behaviour.workflows:
        yield from _workflow(f"workflows: {name!r}", name, names)
    for key in behaviour.steps:
        workflow, _, step = key.partition("/")
        yield from _step(f"steps: {key!r}", workflow, step, names)
    for index, failure in enumerate(behaviour.failures):
        where = f"failures[{index}]"
        if failure.component:
            yield from _component(f"{where}.component: {failure.component!r}", failure.component, names)
        if failure.step:
            yield from _step(f"{where}.step: {failure.step!r}", failure.workflow or "*", failure.step, names)
        elif failure.workflow:
            yield from _workflow(f"{where}.workflow: {failure.workflow!r}", failure.workflow, names)


def _workflow(what: str, name: str, names: _Names) -> Iterator[str]:
    if not any(fnmatchcase(key, name) for key in names.workflows) and not names.is_later(name):
        yield _no(what, "workflow", name, names.workflows)


def _step(what: str, workflow: str, step: str, names: _Names) -> Iterator[str]:
    fitting = [steps for key, steps in names.workflows.items() if fnmatchcase(key, workflow)]
    if names.is_later(workflow if workflow != "*" else step):
        return
    if not fitting:
        yield _no(what, "workflow", workflow, names.workflows)
    elif not any(step in steps for steps in fitting):
        yield _no(what, "step", step, set().union(*fitting))


def _component(what: str, name: str, names: _Names) -> Iterator[str]:
    if not any(key == name or fnmatchcase(key, name) for key in names.components) and not names.is_later(
        name
    ):
        yield _no(what, "component", name, names.components)


def _no(what: str, kind: str, name: str, known: Iterable[str]) -> str:
    plain = sorted(each for each in known if not each.startswith("arn:"))
    shown = get_close_matches(name, plain, n=3, cutoff=0.5) or plain[:_MOST]
    more = ", ..." if len(shown) == _MOST < len(plain) else ""
    hint = "" if kind == "step" else f" A {kind} that a client creates later is named in 'later'."
    return f"{what}: no such {kind}; there are, e.g.: {', '.join(shown)}{more}.{hint}"
