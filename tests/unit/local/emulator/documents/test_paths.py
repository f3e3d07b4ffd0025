"""Paths and templates in the inputs of steps."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_imagebuilder.local.emulator.documents.paths import UnresolvedError, is_path, references, resolve

VALUES = {
    "parameters": {"names": ["a", "b"], "level": 2},
    "stepOutputs": {"Launch": {"instanceId": "i-1"}},
    "workflowOutputs": {"ImageId": "ami-1"},
    "imagebuilder": {"imageName": "golden", "s3Logs": {"s3BucketName": "logs"}},
}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"instanceId.$": "$.stepOutputs.Launch.instanceId"}, {"instanceId": "i-1"}),
        (
            {"instanceId": "$.stepOutputs.Launch.instanceId"},
            {"instanceId": "$.stepOutputs.Launch.instanceId"},
        ),
        ({"names.$": "$.parameters.names"}, {"names": ["a", "b"]}),
        ({"name.$": "$.parameters.names[1]"}, {"name": "b"}),
        ({"names.$": ["$.parameters.level", "plain"]}, {"names": [2, "plain"]}),
        ({"input.$": '{"id": "{{ $.workflowOutputs.ImageId }}"}'}, {"input": '{"id": "ami-1"}'}),
        ({"payload": "image {{ $.imagebuilder.imageName }}"}, {"payload": "image golden"}),
        ({"payload": "{{$.parameters.level}} {{ $.workflowOutputs.ImageId }}"}, {"payload": "2 ami-1"}),
        ({"payload": "{{ $.parameters.names }}"}, {"payload": '["a", "b"]'}),
        ({"payload": "{{ imagebuilder:buildDate }}"}, {"payload": "{{ imagebuilder:buildDate }}"}),
        ({"deep": [{"id.$": "$.imageBuilder.imagename"}]}, {"deep": [{"id": "golden"}]}),
        ({"bucket.$": "$.imagebuilder.s3Logs.s3BucketName"}, {"bucket": "logs"}),
        ({"number": 5, "flag": False}, {"number": 5, "flag": False}),
    ],
    ids=str,
)
def test_inputs_are_resolved(given: Any, expected: Any) -> None:
    assert resolve(given, VALUES) == expected


@pytest.mark.parametrize(
    "given",
    [
        {"a.$": "$.stepOutputs.Launch.nothing"},
        {"a.$": "$.stepOutputs.Other.instanceId"},
        {"a.$": "$.nothing.Launch"},
        {"a.$": "$.parameters.names[2]"},
        {"a.$": "$.parameters.level.deeper"},
        {"a": "{{ $.parameters.nothing }}"},
    ],
    ids=str,
)
def test_a_path_that_leads_to_nothing_is_named(given: Any) -> None:
    with pytest.raises(UnresolvedError, match=r"The path '\$\.\S+' has no value"):
        resolve(given, VALUES)


def test_what_a_path_is() -> None:
    paths = ["$.parameters.a", "$.stepOutputs.Step_1.b-c[0].d"]
    others = ["$", "$.", "$.a..b", "parameters.a", "$.a b", "$.a[x]", "$['a']", 5, None]
    assert [value for value in (*paths, *others) if is_path(value)] == paths


def test_the_references_of_inputs_are_those_that_are_resolved() -> None:
    given = {"a.$": "$.parameters.a", "b": "$.parameters.b", "c": ["{{ $.parameters.c }} {{ other }}"]}
    assert list(references(given)) == ["$.parameters.a", "$.parameters.c"]


def test_a_template_that_never_ends_stays_a_text() -> None:
    text = "{{ $.parameters.level" + " " * 16_000
    assert resolve({"a": text * 4}, VALUES) == {"a": text * 4}
