"""
The IAM policies of docs/security.md, held against the calls that the package makes.

Each piece runs with nothing but the policies that the page gives for it: before a call of boto3 leaves the
process, what AWS would ask IAM for is asked of these policies, and refused as AWS refuses it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from airflow_imagebuilder.testing import ImageBuilder, local_image_builder
from tests.integration.policy_pieces import PIECES
from tests.support.authorized_calls import Access, under
from tests.support.iam import POLICIES, policy_here

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration

NOT_ASKED = {
    "imagebuilder:ListImages": "called with boto3 before 1.40.36, which cannot list the builds of a name",
    "ec2:GetImageFindings": "called for on-demand scans, with boto3 1.43.120 or newer",
    "kms:DescribeKey": "called if EC2 shows a key by its ARN; here EC2 shows the alias that was asked for",
}
"""Actions of the policies that no piece needs here, each with the reason why AWS needs it all the same."""


@dataclass(frozen=True)
class Outcome:
    access: Access
    problem: Exception | None


@pytest.fixture(scope="module")
def image_builder(airflow_database: None) -> Iterator[ImageBuilder]:
    with local_image_builder(speed=3600) as service:
        yield service


@pytest.fixture(scope="module")
def outcomes(image_builder: ImageBuilder) -> dict[str, Outcome]:
    """Run every piece under its policies, one after another."""
    done = {}
    for name, piece in PIECES.items():
        image_builder.reset()
        piece.prepare(image_builder)
        access = Access(policy_here(piece.policies), piece.new_account)
        problem: Exception | None = None
        try:
            with under(access):
                piece.run(image_builder)
        except Exception as error:  # noqa: BLE001 (each piece has its own test)
            problem = error
        done[name] = Outcome(access, problem)
    return done


@pytest.mark.parametrize("name", PIECES)
def test_a_piece_does_its_work_with_the_policies_of_the_page(outcomes: dict[str, Outcome], name: str) -> None:
    outcome = outcomes[name]
    assert [str(request) for request in outcome.access.refused] == []
    if outcome.problem:
        raise outcome.problem


def test_each_action_of_the_policies_is_needed_by_a_piece(outcomes: dict[str, Outcome]) -> None:
    files = [f"caller/{file.stem}" for file in POLICIES.glob("caller/*.json")] + ["queue"]
    asked: dict[str, set[str]] = {file: set() for file in files}
    for name, outcome in outcomes.items():
        for file in PIECES[name].policies:
            asked[file] |= outcome.access.actions
    unneeded = {file: sorted(policy_here([file]).actions - asked[file] - set(NOT_ASKED)) for file in files}
    assert {file: actions for file, actions in unneeded.items() if actions} == {}


def test_each_action_that_counts_as_not_asked_is_in_a_policy() -> None:
    given = {a for f in POLICIES.glob("caller/*.json") for a in policy_here([f"caller/{f.stem}"]).actions}
    assert set(NOT_ASKED) <= given
