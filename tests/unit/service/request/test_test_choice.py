"""Which tests of a request are kept when some are chosen by name."""

from __future__ import annotations

import pytest

from airflow_imagebuilder.service.request.image_request import ImageRequest
from airflow_imagebuilder.service.request.test_choice import choose_tests
from airflow_imagebuilder.service.request.workflows import Workflow
from tests.support.arns import BOOT, USERS
from tests.support.operators import MEMBERS, TESTS


@pytest.mark.parametrize(
    ("chosen", "kept"),
    [
        (None, ["golden-build", "boot", "users", "performance", "cis"]),
        (["security"], ["golden-build", "cis"]),
        (["security", "functional"], ["golden-build", "boot", "users", "cis"]),
        (["performance"], ["golden-build", "performance"]),
        ([], ["golden-build"]),
    ],
    ids=str,
)
def test_chosen_tests_are_kept_in_their_order(chosen: list[str] | None, kept: list[str]) -> None:
    assert [workflow.name for workflow in choose_tests(TESTS, chosen).workflows or ()] == kept


def test_tests_with_the_same_name_are_chosen_together() -> None:
    boot = Workflow(BOOT)
    request = ImageRequest(
        **MEMBERS, execution_role="r", workflows=[Workflow(USERS, parallel_group="boot"), boot, boot]
    )
    assert choose_tests(request, ["boot"]) == request
