"""The if of a step: what it may say, and when it is true."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_imagebuilder.local.emulator.documents.conditions import check, holds, references
from airflow_imagebuilder.local.emulator.documents.text import DocumentError

VALUES = {
    "parameters": {"deep": True, "level": 2, "name": "golden", "text": "true"},
    "stepOutputs": {"Probe": {"status": "Success", "images": [{"id": "ami-1"}]}},
    "imagebuilder": {"platform": "Linux"},
}
TRUE: dict[str, Any] = {"value": "$.parameters.deep", "booleanEquals": True}
FALSE: dict[str, Any] = {"value": "$.parameters.level", "numberGreaterThan": 2}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (TRUE, True),
        ([TRUE], True),
        ({"value": "$.parameters.deep", "booleanEquals": False}, False),
        ({"value": "$.parameters.text", "booleanEquals": True}, False),
        ({"value": "$.parameters.name", "stringEquals": "golden"}, True),
        ({"value": "$.parameters.name", "stringEquals": "Golden"}, False),
        ({"value": "$.parameters.deep", "stringEquals": "true"}, True),
        ({"value": "$.parameters.level", "stringEquals": "2"}, True),
        ({"value": "$.stepOutputs.Probe.status", "stringEquals": "Success"}, True),
        ({"value": "$.stepOutputs.Probe.images[0].id", "stringEquals": "ami-1"}, True),
        ({"value": "$.stepOutputs.Probe.images[1].id", "stringEquals": "ami-1"}, False),
        ({"value": "$.stepOutputs.Missing.status", "stringEquals": "Success"}, False),
        ({"value": "$.stepOutputs.Missing.count", "numberGreaterThan": 3}, False),
        ({"value": "$.parameters.name", "numberGreaterThan": 3}, False),
        ({"value": "$.imagebuilder.Platform", "stringEquals": "Linux"}, True),
        ({"value": "golden", "stringEquals": "golden"}, True),
        ({"value": "$.parameters.level", "numberEquals": 2}, True),
        ({"value": "1", "numberEquals": 1}, True),
        ({"value": 1, "numberEquals": "1"}, True),
        ({"value": 5.0, "numberEquals": "5.0"}, True),
        (FALSE, False),
        ({"value": "$.parameters.level", "numberGreaterThanEquals": 2}, True),
        ({"value": "$.parameters.level", "numberLessThan": 2}, False),
        ({"value": "$.parameters.level", "numberLessThanEquals": 2}, True),
        ({"and": [TRUE, FALSE]}, False),
        ({"and": [TRUE, TRUE]}, True),
        ({"or": [FALSE, TRUE]}, True),
        ({"or": [FALSE, FALSE]}, False),
        ({"not": FALSE}, True),
        ({"not": [FALSE]}, True),
        ({"not": {"or": [FALSE, TRUE]}}, False),
        ({"and": [TRUE, {"or": [FALSE, {"not": FALSE}]}]}, True),
    ],
    ids=str,
)
def test_a_condition_is_true_or_false(condition: Any, expected: bool) -> None:
    check(condition)
    assert holds(condition, VALUES) is expected


def test_a_step_without_a_condition_runs() -> None:
    assert holds(None, VALUES)


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        (True, "a statement with an operator, not True"),
        (5, "a statement with an operator, not 5"),
        ("yes", "not 'yes'"),
        ([], "a statement with an operator"),
        ([TRUE, TRUE], "a statement with an operator"),
        ({}, "exactly one of: and, or, not"),
        ({**TRUE, "numberEquals": 1}, "exactly one of"),
        ({"stringEquals": "a"}, "needs a 'value'"),
        ({"stringIn": ["a"], "value": "a"}, "exactly one of"),
        ({**TRUE, "else": 1}, "has no else"),
        ({"and": []}, "a list of 1 to 10"),
        ({"or": [TRUE] * 11}, "a list of 1 to 10"),
        ({"and": TRUE}, "a list of 1 to 10"),
        ({"not": [TRUE, TRUE]}, "a statement with an operator"),
        ({"not": {"not": {"not": {"not": TRUE}}}}, "at most 4 levels"),
        ({"numberEquals": "many", "value": 1}, "cannot compare 'many'"),
        ({"numberEquals": True, "value": 1}, "cannot compare True"),
        ({"booleanEquals": "true", "value": True}, "cannot compare 'true'"),
        ({"stringEquals": None, "value": "a"}, "cannot compare None"),
    ],
    ids=str,
)
def test_what_the_guide_does_not_allow_is_refused(condition: Any, text: str) -> None:
    with pytest.raises(DocumentError, match=text):
        check(condition)


def test_every_path_of_a_condition_is_found() -> None:
    condition = {"and": [TRUE, {"not": [{"stringEquals": "$.parameters.a", "value": "$.parameters.b"}]}]}
    found = ["$.parameters.a", "$.parameters.b", "$.parameters.deep"]
    assert sorted(references(condition)) == found
