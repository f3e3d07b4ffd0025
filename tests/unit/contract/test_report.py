from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import pytest

from airflow_imagebuilder.local.emulator.engine import guesses
from tests.contract.report import JSON, MARKDOWN, Report, redact

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "IQoJb3JpZ2luX2VjEHoaCXVzLWVhc3QtMSJHMEUCIQDkL7Yx0lT3pV9Zb1m2n3"
SECRETS = {
    "an account": ("refused for 111122223333.", "111122223333"),
    "an ARN with an account": (
        "no arn:aws:imagebuilder:eu-west-1:111122223333:image/secret-name/1.0.0/1 here",
        "secret-name",
    ),
    "an ARN of a role": ("as arn:aws-cn:iam::111122223333:role/my-role, said", "my-role"),
    "an access key": ("with AKIAIOSFODNN7EXAMPLE it", "AKIAIOSFODNN7EXAMPLE"),
    "a temporary key": ("with ASIAIOSFODNN7EXAMPLE it", "ASIAIOSFODNN7EXAMPLE"),
    "a secret key": ("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY is", "wJalrXUtnFEMI"),
    "a session token": (f"token {TOKEN}{TOKEN}", TOKEN),
    "a host": ("at imagebuilder.eu-west-1.amazonaws.com now", "eu-west-1.amazonaws.com"),
    "a host of a network": ("at ip-10-0-0-7.eu-west-1.compute.internal now", "ip-10-0-0-7"),
    "an address": ("from 10.11.12.13 came", "10.11.12.13"),
    "an endpoint": ("Could not connect to http://127.0.0.1:5005/GetImage: refused", "5005"),
    "a home": ("File /home/erika/project/x.py, line 3", "erika"),
    "a mail address": ("User erika@example.com cannot", "erika"),
    "an AMI": ("the AMI ami-0123456789abcdef0 is", "0123456789abcdef0"),
    "this machine": (f"on {socket.gethostname()} now", socket.gethostname()),
}


@pytest.mark.parametrize(("text", "secret"), SECRETS.values(), ids=SECRETS)
def test_what_belongs_to_an_account_is_removed(text: str, secret: str) -> None:
    assert secret not in redact(text)


def test_the_words_of_the_caller_are_removed() -> None:
    assert redact("as Baker/session, not baker-2", "Baker", "baker-2") == "as <name>/session, not <name>"


@pytest.mark.parametrize(
    "text",
    [
        *(guess.says for guess in guesses.REGISTRY.values()),
        *guesses.REGISTRY,
        "InvalidParameterCombinationException",
        "arn:aws:imagebuilder:eu-west-1:aws:workflow/build/build-image/x.x.x",
        "airflow-imagebuilder 0.1.0, boto3 1.43.117",
    ],
)
def test_what_the_report_is_about_stays(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "builder-7")
    monkeypatch.setattr(socket, "getfqdn", lambda: "builder-7")
    monkeypatch.setenv("LOGNAME", "erika")
    assert redact(text) == text


def filled() -> Report:
    report = Report("full", "eu-west-1", ("my-role",))
    report.seen("RETRY_REFUSED", "InvalidParameterValueException")
    report.seen("FIRST_PATCH", 0)
    report.seen("EVENT_STATUSES", frozenset({"FAILED", "AVAILABLE"}))
    report.seen("FAILURE_WORDING", "my-role of 111122223333 | cannot")
    report.not_tried("TOKEN_LIFE", "It takes longer\nthan a day.")
    report.not_tried("FIRST_PATCH", "an error after it was seen")
    report.fact("it_holds", None)
    report.fact("it_was_not", "no boto3", tried=False)
    report.fact("it_does_not", "AssertionError: arn:aws:iam::111122223333:role/my-role")
    return report


def test_only_what_was_seen_and_differs_is_different() -> None:
    report = filled()
    report.complete()
    assert report.different == ["EVENT_STATUSES", "FAILURE_WORDING", "RETRY_REFUSED"]
    assert set(report.rows) == set(guesses.REGISTRY)
    assert (report.rows["FIRST_PATCH"].same, report.rows["TOKEN_LIFE"].same) == (True, None)
    assert report.rows["CANCEL_TWICE"].why == "The run did not reach it."
    assert report.faults == ["it_does_not"]


def test_a_value_of_another_type_is_not_the_same() -> None:
    report = Report("cheap", "eu-west-1")
    report.seen("FIRST_PATCH", "IdempotentParameterMismatchException")
    report.seen("TOKEN_PER_OPERATION", "true")
    assert report.different == ["FIRST_PATCH", "TOKEN_PER_OPERATION"]


def test_both_forms_of_the_report_say_the_same_and_no_secret(tmp_path: Path) -> None:
    paths = filled().write(tmp_path / "deeper")
    page, document = (path.read_text("utf-8") for path in paths)
    assert [path.name for path in paths] == [MARKDOWN, JSON]
    for text in (page, document):
        assert "111122223333" not in text
        assert "my-role" not in text
    rows = {row["guess"]: row for row in json.loads(document)["guesses"]}
    assert rows["RETRY_REFUSED"]["aws"] == "InvalidParameterValueException"
    assert rows["EVENT_STATUSES"]["aws"] == "AVAILABLE,FAILED"
    assert f"| {rows['RETRY_REFUSED']['here']} | InvalidParameterValueException | **no** |" in page
    assert "1 guesses are right, 3 are wrong" in page
    assert "<name> of <account> \\| cannot" in page
    assert "Of 3 facts, 1 held and 1 did not." in page
    assert "- it does not: AssertionError: <arn>" in page
    lines = [line for line in page.splitlines() if line.startswith("| `")]
    assert len(lines) == len(guesses.REGISTRY)
