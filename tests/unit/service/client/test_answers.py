"""Answers of the wrong shape: what their error shows of them."""

from __future__ import annotations

import pytest

from airflow_imagebuilder.service.client.answers import malformed, shape_of


def test_a_malformed_answer_is_reported_by_its_shape_without_its_values() -> None:
    answer = {
        "requestId": "r",
        "images": [{"secret": "s3cr3t", "deep": {"deeper": {"deepest": 1}}}],
        "none": [],
    }
    error = malformed(answer, "GetImage", "image")
    assert (error.operation, error.status) == ("GetImage", 200)
    shape = "{requestId: str, images: [1 x {secret: str, deep: {...}}], none: []}"
    assert f"the answer lacks 'image'; its shape is {shape}" in str(error)
    assert "s3cr3t" not in str(error)


@pytest.mark.parametrize(
    ("answer", "shape"), [(None, "NoneType"), ("<html>", "str"), ([], "[]"), ([[1]], "[1 x [1 x int]]")]
)
def test_the_shape_of_anything(answer: object, shape: str) -> None:
    assert shape_of(answer) == shape
