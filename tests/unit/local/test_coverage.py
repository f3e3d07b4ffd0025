from __future__ import annotations

import re

import pytest

from airflow_imagebuilder.local.emulator.engine import Engine, guesses
from airflow_imagebuilder.local.emulator.engine.operations.coverage import COVERAGE
from tests.coverage_page import PAGE, page


def test_every_operation_that_is_answered_is_covered_and_no_other() -> None:
    assert set(COVERAGE) == Engine(seed=1).operations


@pytest.mark.parametrize("operation", sorted(COVERAGE))
def test_what_is_said_of_an_operation_is_said_in_sentences(operation: str) -> None:
    found = COVERAGE[operation]
    assert re.fullmatch(r"[A-Z].*\.", found.modelled)
    assert re.fullmatch(r"([A-Z].*\.)?", found.missing)
    assert "|" not in found.modelled + found.missing


def test_the_page_is_what_the_code_says() -> None:
    assert PAGE.read_text("utf-8") == page(), "make coverage-page writes it again"


def test_every_guess_has_its_place_on_the_page_and_every_link_leads_to_one() -> None:
    text = page()
    headings = re.findall(r"^### (\w+)$", text, re.MULTILINE)
    assert headings == sorted(guesses.REGISTRY)
    links = re.findall(r"\]\(#(\w+)\)", text)
    assert set(links) == {id_.lower() for id_ in guesses.REGISTRY}
    assert len([line for line in text.splitlines() if re.match(r"\| [A-Z]\w+ \|", line)]) == len(COVERAGE) + 2
