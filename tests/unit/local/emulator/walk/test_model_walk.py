"""Every operation and every output member of AWS's model is answered."""

from __future__ import annotations

import re

import pytest

from airflow_imagebuilder.local.emulator.engine import ApiError, Engine
from tests.support.aws_model import is_older, model
from tests.unit.local.emulator.walk import outputs, scenes

NEVER = {
    r".*\.(publisher|obfuscate)": "only components of AWS Marketplace and third parties have them",
    r".*\.productCodes.*": "only components of AWS Marketplace have product codes",
    r"GetMarketplaceResource\..*": "nothing of AWS Marketplace is subscribed to here",
    r".*[cC]omponent.*\.state\.reason": "no operation changes the state of a component",
    r".*[wW]orkflow(SummaryList\[\])?\.state.*": "only DEPRECATED: no operation sets it, no page shows it",
    r".*\.amis\[\]\.state\.failureContext.*": "no document shows it for an AMI, only for the image",
    r"ListImageScanFindingAggregations\.nextToken": "a filter has at most ten values, a page has 25",
}
"""Members that are never answered, as patterns of paths, with the reason."""


@pytest.fixture(scope="module")
def witness() -> scenes.Witness:
    return scenes.play()


def test_every_operation_of_the_newest_model_is_answered(witness: scenes.Witness) -> None:
    operations = set(witness.model["operations"])
    assert operations <= witness.engine.operations
    assert operations - witness.called == {"GetMarketplaceResource"}
    with pytest.raises(ApiError) as refused:
        Engine().call(
            "GetMarketplaceResource", {"resourceArn": "arn:aws:x:us-east-1:aws-marketplace:component/y"}
        )
    assert refused.value.code != "NotImplementedException"


def test_every_output_member_of_the_newest_model_is_answered(witness: scenes.Witness) -> None:
    lacking = outputs.paths(witness.model) - witness.seen
    assert sorted(path for path in lacking if not any(re.fullmatch(never, path) for never in NEVER)) == []


def test_no_answer_has_a_member_that_the_newest_model_lacks(witness: scenes.Witness) -> None:
    assert sorted(path for path in witness.seen if path.endswith(outputs.UNKNOWN)) == []


def test_what_is_never_answered_is_in_the_model_and_is_not_answered(witness: scenes.Witness) -> None:
    every = outputs.paths(witness.model)
    for never in NEVER:
        fitting = {path for path in every if re.fullmatch(never, path)}
        assert fitting, never
        assert not fitting & witness.seen, never


def test_the_installed_model_has_no_output_that_the_newest_lacks(witness: scenes.Witness) -> None:
    if is_older():
        pytest.skip("the model is older than the newest of these tests")
    installed = outputs.summary(model())
    assert set(installed["operations"]) <= set(witness.model["operations"])
    lacking = outputs.paths(installed) - outputs.paths(witness.model)
    assert lacking == set(), "make newest-model.json again: its botocore is older than the installed one"
