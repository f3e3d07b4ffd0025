"""The draft of a request: what the user has set, and what is known of it so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.request.fields.templates import is_blank
from airflow_imagebuilder.service.request.workflows import Workflow, WorkflowType, stage_of

if TYPE_CHECKING:
    from airflow_imagebuilder.service.request.fields.fields import Later


@dataclass(frozen=True)
class Listed:
    """One entry of ``workflows``.

    :param path: its position, e.g. ``workflows[2]``.
    :param members: what it sets, by the names that the user wrote.
    :param type: the stage; ``None`` where it is not known.
    """

    path: str
    members: Mapping[str, Any]
    type: WorkflowType | None


@dataclass(frozen=True)
class RequestDraft:
    """The draft of a request, as the rules read it.

    :param fields: the members, by the names of :data:`FIELDS`.
    :param later: returns whether a value is not known yet.
    """

    fields: Mapping[str, object]
    later: Later

    def is_set(self, name: str) -> bool:
        """Return whether a member is set; an empty list of workflows is unset."""
        value = self.fields.get(name)
        return value is not None and not (
            name == "workflows" and isinstance(value, (list, tuple)) and not value
        )

    def is_late(self, *names: str) -> bool:
        """Return whether one of these members is not known yet, so that a rule about it does not apply."""
        return any(self.later(self.fields.get(name)) for name in names)

    def inner(self, name: str, member: str) -> Any:
        """Return a member of a structure; ``None`` where it is not set or not known."""
        structure = self.fields.get(name)
        value = structure.get(member) if isinstance(structure, Mapping) else None
        return None if self.later(value) or is_blank(value) else value

    def listed(self) -> list[Listed]:
        """Return the entries of ``workflows``; none where the list itself is not known yet."""
        items = self.fields.get("workflows")
        known = [] if self.later(items) or not isinstance(items, (list, tuple)) else items
        return [_listed(f"workflows[{number}]", item) for number, item in enumerate(known)]


def _listed(path: str, item: object) -> Listed:
    if isinstance(item, Workflow):
        return Listed(path, vars(item), stage_of(item))
    if isinstance(item, Mapping):
        return Listed(path, item, stage_of(Workflow(str(item.get("workflowArn")))))
    return Listed(path, {}, None)
