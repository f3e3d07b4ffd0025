"""The members of CreateImage and their bounds, compared with botocore's model."""

from __future__ import annotations

from typing import Any

from airflow_imagebuilder.service.request import ImageRequest
from airflow_imagebuilder.service.request.fields.fields import (
    ArnText,
    Choice,
    Flag,
    ListOf,
    MapOf,
    Number,
    Shape,
    Structure,
    Text,
)
from airflow_imagebuilder.service.request.image_request import FIELDS
from airflow_imagebuilder.service.request.schema import MEMBERS, WORKFLOW, WorkflowShape
from tests.support.aws_model import LATER, is_older, model, pattern_of


def bounds(shape: Any) -> tuple[Any, ...]:
    return (pattern_of(shape), shape.metadata.get("min", 0), shape.metadata.get("max"))


# Members that AWS added after the oldest botocore that the package works with.
AHEAD = {"image_scanning_configuration": {"imageScanningTypes", "scanResultCondition"}}


def differences(path: str, ours: Shape, theirs: Any) -> list[str]:
    """Return the differences between our table and AWS's model."""
    if isinstance(ours, WorkflowShape):
        ours = WORKFLOW
    if isinstance(ours, Structure):
        members = dict(theirs.members)
        older = AHEAD.get(path, set()) - set(members)
        other = set(members) ^ (set(ours.members) - older)
        found = [f"{path}: {other}"] if other else []
        found += [] if set(theirs.required_members) == set(ours.required) else [f"{path}: required"]
        for name in set(members) & set(ours.members):
            found += differences(f"{path}.{name}", ours.members[name], members[name])
        return found
    if isinstance(ours, ListOf):
        found = [] if bounds(theirs) == (None, ours.minimum, ours.maximum) else [f"{path}: {bounds(theirs)}"]
        return found + differences(f"{path}[]", ours.member, theirs.member)
    if isinstance(ours, MapOf):
        found = [] if bounds(theirs) == (None, ours.minimum, ours.maximum) else [f"{path}: {bounds(theirs)}"]
        keys = differences(f"{path} keys", ours.key, theirs.key)
        return found + keys + differences(f"{path} values", ours.value, theirs.value)
    words = tuple(getattr(theirs, "enum", ())) == (ours.words if isinstance(ours, Choice) else ())
    same = words and leaf(ours) == (theirs.type_name, *bounds(theirs))
    return [] if same else [f"{path}: {ours} is not {theirs} {theirs.metadata}"]


def leaf(ours: Shape) -> tuple[Any, ...]:
    match ours:
        case ArnText():
            return ("string", ours.kind.pattern, 0, None)
        case Text():
            return ("string", ours.pattern, ours.minimum, ours.maximum)
        case Number():
            return ("integer", None, ours.minimum, ours.maximum)
        case Choice():
            return ("string", None, 0, None)
        case Flag():
            return ("boolean", None, 0, None)
    raise AssertionError(ours)


def api_name(field: str) -> str:
    head, *tail = field.split("_")
    return head + "".join(part.title() for part in tail)


def test_the_table_has_every_member_of_aws_with_its_bounds() -> None:
    theirs = dict(model().operation_model("CreateImage").input_shape.members)
    del theirs["clientToken"]
    ours = {api_name(name): (name, shape) for name, shape in MEMBERS.items()}
    missing = set(ours) - set(theirs) if is_older() else set()
    assert missing <= LATER
    assert set(ours) - missing == set(theirs)
    found = [line for name in theirs for line in differences(*ours[name], theirs[name])]
    assert found == []


def test_aws_requires_what_we_require() -> None:
    required = model().operation_model("CreateImage").input_shape.required_members
    assert set(required) == {"infrastructureConfigurationArn", "clientToken"}


def test_fields_are_the_members() -> None:
    assert tuple(ImageRequest.__dataclass_fields__) == FIELDS
