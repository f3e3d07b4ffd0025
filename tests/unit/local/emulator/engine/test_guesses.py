from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from airflow_imagebuilder.local import emulator
from airflow_imagebuilder.local.emulator.engine import ApiError, guesses
from airflow_imagebuilder.local.emulator.engine.operations.rules import versions
from airflow_imagebuilder.local.server import main
from tests.support.arns import PREFIX
from tests.support.bench import CODEC, Bench, image_request

FOLDER = Path(emulator.__file__).parent
VALUES = [guess for guess in guesses.REGISTRY.values() if not guess.structural]


def used() -> set[str]:
    """Return every name that the emulator reads as ``guesses.NAME``."""
    return {
        node.attr
        for path in FOLDER.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "guesses"
        and node.attr.isupper()
    }


def test_the_engine_reads_each_guess_with_a_value_and_no_other() -> None:
    assert used() == {guess.id for guess in VALUES}


def test_no_module_keeps_the_value_of_a_guess() -> None:
    kept = [
        str(path)
        for path in FOLDER.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").endswith("engine.guesses")
    ]
    assert kept == []


@pytest.mark.parametrize("guess", guesses.REGISTRY.values(), ids=lambda guess: guess.id)
def test_a_guess_says_what_it_concerns(guess: guesses.Guess) -> None:
    assert guess.says.endswith(".")
    assert guess.searched.endswith(".")
    engine = Bench().engine
    assert guess.operations
    assert set(guess.operations) <= engine.operations | {guesses.EVERY}
    assert guess.here != guess.otherwise
    if not guess.structural:
        assert type(guess.here) is type(guess.otherwise)
        assert getattr(guesses, guess.id) == guess.here


@pytest.mark.parametrize("guess", VALUES, ids=lambda guess: guess.id)
def test_a_value_is_read_as_it_is_written(guess: guesses.Guess) -> None:
    with guesses.turned(**{guess.id: guess.here}):
        guesses.turn_text(f"{guess.id}={guesses.as_text(guess.otherwise)}")
        assert getattr(guesses, guess.id) == guess.otherwise
    assert getattr(guesses, guess.id) == guess.here


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("NO_SUCH=1", "there is no guess 'NO_SUCH'; allowed: ABANDONED_SCAN"),
        ("TOKEN_PER_OPERATION=yes", "'yes' is not true or false"),
        ("FIRST_PATCH=one", "'one' is not of the type int"),
        ("ROLLBACK_SECONDS=soon", "'soon' is not of the type float"),
        ("TOKEN_LIFE=1", "is built into the code and has no other value"),
        ("FIRST_PATCH", "write NAME=VALUE"),
        ("_read=x", "there is no guess '_read'"),
    ],
)
def test_an_unknown_name_or_a_wrong_value_is_refused(text: str, why: str) -> None:
    with pytest.raises(guesses.GuessError) as caught:
        guesses.turn_text(text)
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_value_of_another_type_is_refused_and_what_was_turned_is_turned_back() -> None:
    with (
        pytest.raises(guesses.GuessError, match="not of the type str"),
        guesses.turned(FAILED_EXECUTION="ROLLBACK_COMPLETED", RETRY_REFUSED=1),
    ):
        pass
    assert guesses.FAILED_EXECUTION == "FAILED"


def refusal(bench: Bench, operation: str, **params: Any) -> str:
    with pytest.raises(ApiError) as caught:
        bench.call(operation, **params)
    return caught.value.code


REFUSALS: dict[str, dict[str, Any]] = {
    "UNKNOWN_REFERENCE": image_request(imageRecipeArn=f"{PREFIX}:image-recipe/none/1.0.0"),
    "RECIPE_COUNT": image_request(imageRecipeArn=None),
    "ROLE_MISSING": image_request(executionRole=None),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_code_that_is_turned_round_is_what_a_client_gets(bench: Bench, name: str) -> None:
    guess = guesses.REGISTRY[name]
    assert refusal(bench, "CreateImage", **REFUSALS[name]) == guess.here
    with guesses.turned(**{name: guess.otherwise}):
        assert refusal(bench, "CreateImage", **REFUSALS[name]) == guess.otherwise


def test_the_numbers_of_automatic_versions_are_guesses() -> None:
    taken = ["1.0.0", "1.2.3"]
    assert (versions.resolve("1.0.x", []), versions.resolve("1.x.x", taken)) == ("1.0.0", "1.3.0")
    with guesses.turned(FIRST_PATCH=1, FIRST_WILDCARD_COUNTS=False):
        assert (versions.resolve("1.0.x", []), versions.resolve("1.x.x", taken)) == ("1.0.1", "1.2.4")
        assert versions.resolve("2.x.x", taken) == "2.0.0"


def test_a_token_may_belong_to_all_operations(bench: Bench) -> None:
    instance = {"name": "other", "instanceProfileName": "p", "clientToken": "one-token"}
    arn = bench.bake(clientToken="one-token")
    with guesses.turned(TOKEN_PER_OPERATION=False):
        bench.bake(clientToken="another-token")
        instance["clientToken"] = "another-token"
        code = refusal(bench, "CreateInfrastructureConfiguration", **instance)
    assert code == "IdempotentParameterMismatchException"
    assert bench.call("CreateInfrastructureConfiguration", **instance | {"clientToken": "one-token"})
    assert bench.status(arn) == "PENDING"


def test_a_second_cancellation_may_be_refused(bench: Bench) -> None:
    arn = bench.bake()
    bench.call("CancelImageCreation", imageBuildVersionArn=arn)
    with guesses.turned(CANCEL_TWICE="ResourceInUseException"):
        assert refusal(bench, "CancelImageCreation", imageBuildVersionArn=arn) == "ResourceInUseException"
    assert bench.call("CancelImageCreation", imageBuildVersionArn=arn)


def test_a_build_number_may_be_used_again(bench: Bench) -> None:
    arn = bench.bake()
    bench.finish(arn)
    bench.call("DeleteImage", imageBuildVersionArn=arn)
    assert bench.bake().endswith("/2")
    bench_two = Bench()
    arn = bench_two.bake()
    bench_two.finish(arn)
    bench_two.call("DeleteImage", imageBuildVersionArn=arn)
    with guesses.turned(BUILD_NUMBERS_REUSED=True):
        assert [bench_two.bake()[-2:], bench_two.bake()[-2:]] == ["/1", "/2"]


def test_an_image_may_keep_its_recipe(bench: Bench) -> None:
    arn = bench.bake()
    recipe = bench.image(arn)["imageRecipe"]["arn"]
    with guesses.turned(DELETE_USED_RECIPE="ResourceDependencyException"):
        code = refusal(bench, "DeleteImageRecipe", imageRecipeArn=recipe)
    assert code == "ResourceDependencyException"
    assert bench.call("DeleteImageRecipe", imageRecipeArn=recipe)


def test_a_request_that_does_not_fit_the_model_may_have_another_code() -> None:
    with guesses.turned(MALFORMED_REQUEST="InvalidParameterException"), pytest.raises(ApiError) as caught:
        CODEC.validate("CreateComponent", {"name": "abc"})
    assert caught.value.code == "InvalidParameterException"


def test_what_is_known_by_now_is_not_a_guess(bench: Bench) -> None:
    known = {"UNKNOWN_ARN", "CANCEL_TERMINAL", "DELETE_IN_PROGRESS", "AMI_TAG", "CONTAINER_TAG"}
    assert not known & set(guesses.REGISTRY)
    arn = bench.bake()
    assert refusal(bench, "DeleteImage", imageBuildVersionArn=arn) == "ResourceDependencyException"
    bench.finish(arn)
    code = refusal(bench, "CancelImageCreation", imageBuildVersionArn=arn)
    assert code == "InvalidParameterValueException"


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--guess", "NO_SUCH=1"], "there is no guess 'NO_SUCH'"),
        (["--guess", "FIRST_PATCH=one"], "'one' is not of the type int"),
        (["--guess", "FIRST_PATCH=1", "--state", "state.jsonl"], "--guess and --state exclude each other"),
    ],
)
def test_the_command_refuses_a_guess_that_does_not_exist_in_one_line(
    options: list[str],
    why: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["--port", "0", *options]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert (len(lines), why in lines[0]) == (1, True), lines
    assert list(tmp_path.iterdir()) == []
