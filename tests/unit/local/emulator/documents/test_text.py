"""Texts of documents: what is read, and what could harm the service and is refused."""

from __future__ import annotations

import pytest

from airflow_imagebuilder.local.emulator.documents.text import DocumentError, Mapping, load

LEVELS = "".join(
    f"{chr(98 + level)}: &{chr(98 + level)} [{', '.join(['*' + chr(97 + level)] * 10)}]\n"
    for level in range(8)
)
BOMB = f"a: &a [x, x, x, x, x, x, x, x, x, x]\n{LEVELS}"
MERGED = "a: &a {k: 1}\n" + "".join(
    f"b{level}: &b{level} {{<<: [{', '.join(['*' + ('a' if not level else f'b{level - 1}')] * 30)}]}}\n"
    for level in range(5)
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: [x, {c: true}]", {"a": 1, "b": ["x", {"c": True}]}),
        ('{"a": "x", "b": null}', {"a": "x", "b": None}),
        ('{\n\t"a": [1.5]\n}', {"a": [1.5]}),
        ("day: 2026-01-01", {"day": "2026-01-01"}),
        ("1: one", {"1": "one"}),
        ("a: &a {x: 1}\nb: {<<: *a, y: 2}", {"a": {"x": 1}, "b": {"x": 1, "y": 2}}),
    ],
    ids=str,
)
def test_yaml_and_json_are_read_as_json_has_it(text: str, expected: dict[str, object]) -> None:
    assert load(text) == expected


def test_a_mapping_knows_its_line() -> None:
    document = load("a:\n  b: 1\nitems:\n  - name: first\n  - name: second\n")
    assert [item.line for item in document["items"]] == [4, 5]
    assert isinstance(document["a"], Mapping)
    assert document["a"].line == 2


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: [", "not YAML: line 1"),
        ("a: 1\nb: :\n  c", "not YAML: line"),
        ("", "empty"),
        ("- a", "not a mapping"),
        ("just text", "not a mapping"),
        ("a: &a [*a]", "Line 1: The document contains itself"),
        (BOMB, "more than 20000 values"),
        (MERGED, "more than 20000 values"),
        ("a: !!python/object:os.system {}", "a value of type"),
        ("a: !!binary aGk=", "a value of type"),
        ("a: .nan", "Line 1: .nan is not a number"),
        ("a: -.inf", "is not a number"),
        ("a: " + "9" * 10_000, "not YAML"),
        ("? [a]\n: b", "A key is not a text"),
        ("[" * 16_000, "nested too deeply"),
        ('{"a":' * 5_000 + "1" + "}" * 5_000, "nested too deeply"),
        ('{"a": NaN}x', "not YAML"),
        ("a: \x00", "not YAML"),
    ],
    ids=range(18),
)
def test_what_is_not_a_document_is_refused(text: str, why: str) -> None:
    with pytest.raises(DocumentError, match=why):
        load(text)
