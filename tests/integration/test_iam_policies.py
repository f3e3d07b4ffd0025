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
from tests.support.authorized_calls import under
from tests.support.iam import document, policy_here

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.authorized_calls import Access

pytestmark = pytest.mark.integration


@dataclass(frozen=True)
class Outcome:
    access: Access
    problem: Exception | None


@pytest.fixture(scope="module")
def image_builder(airflow_database: None) -> Iterator[ImageBuilder]:  # noqa: ARG001 (dag.test() needs it)
    with local_image_builder(speed=3600) as service:
        yield service


@pytest.fixture(scope="module")
def outcomes(image_builder: ImageBuilder) -> dict[str, Outcome]:
    """Run every piece under its policies, one after another."""
    done = {}
    for name, piece in PIECES.items():
        image_builder.reset()
        piece.prepare(image_builder)
        problem: Exception | None = None
        with under(policy_here(piece.policies), new_account=piece.new_account) as access:
            try:
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
