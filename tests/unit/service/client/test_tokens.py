"""Client tokens: what AWS accepts in every version of its model."""

from __future__ import annotations

from airflow_imagebuilder.service.client.tokens import random_token, token_for


def test_a_token_has_the_length_that_the_oldest_model_of_aws_allows() -> None:
    for token in (token_for(), token_for("x" * 500, "y"), random_token()):
        assert len(token) == 36


def test_a_token_is_a_function_of_its_parts() -> None:
    assert token_for("a", "b") == token_for("a", "b")
    assert len({token_for("a", "b"), token_for("b", "a"), token_for("ab"), token_for("a", "b", "")}) == 4


def test_no_two_random_tokens_are_equal() -> None:
    assert len({random_token() for _ in range(100)}) == 100
