"""The XComs of an image: their keys, and how rendered ones are read."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_imagebuilder.compat import AirflowSkipException
from airflow_imagebuilder.service.errors import InvalidRequestError
from airflow_imagebuilder.xcom import ARN_KEY, SUBMISSION_KEY, as_time, known_arn
from tests.support.arns import IMAGE


def test_the_xcoms_have_the_keys_that_dags_pull_them_by() -> None:
    assert (ARN_KEY, SUBMISSION_KEY) == ("image_build_version_arn", "image_submission")


@pytest.mark.parametrize(
    ("rendered", "time"), [(None, None), ("", None), ("None", None), ("7.5", 7.5), (7.5, 7.5)]
)
def test_a_rendered_time_is_read(rendered: Any, time: float | None) -> None:
    assert as_time(rendered) == time


@pytest.mark.parametrize("rendered", [{"arn": [IMAGE]}, [IMAGE], "golden/1.0.0", 7])
def test_a_value_that_is_not_an_arn_is_refused_and_not_taken_for_a_skip(rendered: Any) -> None:
    with pytest.raises(InvalidRequestError, match="image_build_version_arn"):
        known_arn(rendered)


def test_the_result_of_a_task_names_its_image() -> None:
    assert known_arn({"arn": IMAGE, "status": "AVAILABLE"}) == IMAGE


@pytest.mark.parametrize("rendered", [None, "", "None", {}, {"arn": None}])
def test_nothing_is_a_skip(rendered: Any) -> None:
    with pytest.raises(AirflowSkipException):
        known_arn(rendered)
