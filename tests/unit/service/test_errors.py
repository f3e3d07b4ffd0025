"""The tree of errors: their messages, which may be retried, and that each can be pickled."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from airflow_imagebuilder.service import errors
from airflow_imagebuilder.service.errors import (
    AwsError,
    DeadlineExceededError,
    Fault,
    ForbiddenError,
    ImageBuilderError,
    ImageCancelledError,
    ImageFailedError,
    InvalidRequestError,
    NotFoundError,
    NotRepairableError,
    ParametersChangedError,
    QuotaExceededError,
    RefusedError,
    RequestChangedError,
    StateStoreError,
    TestsFailedError,
    ThrottledError,
    TransientError,
    WaitInterruptedError,
    WorkflowFailedError,
)
from airflow_imagebuilder.service.results.image import ImageFailure
from tests.support import answers

FAILURE = ImageFailure.from_api(answers.failed_in_component())
ANSWERED: dict[str, Any] = {
    "operation": "GetImage",
    "code": "X",
    "status": 400,
    "message": "no",
    "request_id": "r-1",
}

AWS_ERRORS: list[type[AwsError]] = [AwsError, *AwsError.__subclasses__(), ThrottledError]

ERRORS: list[ImageBuilderError] = [
    InvalidRequestError(
        faults=[Fault(field="tags", value={}, allowed="1 to 50 tags", remedy="leave it out")]
    ),
    ImageFailedError(arn=answers.ARN, failure=FAILURE),
    ImageCancelledError(arn=answers.ARN, reason="by me"),
    WorkflowFailedError(
        workflow="boot", status="FAILED", arn=answers.ARN, execution_id="wf-1", failure=FAILURE
    ),
    DeadlineExceededError(arn=answers.ARN, deadline=1_788_000_000.0, status="TESTING"),
    WaitInterruptedError(arn=answers.ARN, cause="no answer"),
    StateStoreError(reason="500 Internal Server Error"),
    RequestChangedError(answers.ARN, ["workflows"]),
    *(kind(**ANSWERED) for kind in AWS_ERRORS),
]


def every_kind(kind: type[ImageBuilderError] = ImageBuilderError) -> set[type[ImageBuilderError]]:
    ours = [child for child in kind.__subclasses__() if child.__module__.startswith(f"{errors.__name__}.")]
    below = [every_kind(child) for child in ours]
    return {kind}.union(*below)


def test_the_tree_at_the_head_of_the_module_is_the_real_one() -> None:
    drawn = [
        line.split("── ")[-1].split()[0]
        for line in str(errors.__doc__).splitlines()
        if line.endswith("Error")
    ]
    drawn += [line.split("── ")[1].split()[0] for line in str(errors.__doc__).splitlines() if "── " in line]
    assert {kind.__name__ for kind in every_kind()} == set(drawn)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_is_the_same_after_pickling(error: ImageBuilderError) -> None:
    other = pickle.loads(pickle.dumps(error))
    assert type(other) is type(error)
    assert str(other) == str(error)
    assert vars(other) == vars(error)


@pytest.mark.parametrize("kind", AWS_ERRORS)
def test_only_what_is_transient_may_be_retried(kind: type[AwsError]) -> None:
    assert kind.retryable is issubclass(kind, TransientError)


@pytest.mark.parametrize(
    "kind", [QuotaExceededError, ForbiddenError, NotFoundError, ParametersChangedError, ThrottledError]
)
def test_an_error_of_aws_names_operation_answer_and_remedy(kind: type[AwsError]) -> None:
    text = str(kind("CreateImage", code="Code", status=418, message="no", request_id="r-1"))
    assert text == f"CreateImage: 418 Code: no (request id r-1)\n{kind.remedy}"
    assert kind.remedy


def test_an_error_without_an_answer_shows_the_known_parts() -> None:
    error = TransientError("GetImage", code="EndpointConnectionError", message="refused")
    assert str(error) == f"GetImage: EndpointConnectionError: refused\n{TransientError.remedy}"
    assert str(RefusedError("GetImage")) == "GetImage"


def test_a_refused_request_is_a_value_error_that_lists_its_faults() -> None:
    faults = [Fault("a", 1, "2", "write 2"), Fault("b", None, "something", "give it")]
    error = InvalidRequestError(faults)
    assert isinstance(error, ValueError)
    assert error.faults == tuple(faults)
    assert str(error).splitlines() == [
        "Nothing was sent to AWS, the request has 2 faults:",
        "  - a: got 1; allowed: 2; write 2",
        "  - b: not given; allowed: something; give it",
    ]


def test_a_very_long_value_is_cut() -> None:
    text = str(Fault("a", "x" * 10_000, "less", "cut it"))
    assert len(text) < 300
    assert "(10002 characters)" in text


def test_a_missed_deadline_is_a_timeout_error_and_is_shown_in_utc() -> None:
    error = DeadlineExceededError(answers.ARN, 1_000_000_000.0, "TESTING")
    assert isinstance(error, TimeoutError)
    assert "its deadline, 2001-09-09T01:46:40+00:00. It was still TESTING" in str(error)
    assert "still in progress" in str(DeadlineExceededError(answers.ARN, 0.0))


def test_the_error_of_a_failed_image_describes_the_failure() -> None:
    text = str(ImageFailedError(answers.ARN, FAILURE))
    assert text.startswith("Image golden-al2023 1.0.0/3 failed in BUILDING: workflow golden-build, ")
    assert text.splitlines()[1:3] == [f"  image       {answers.ARN}", "  stage       BUILDING"]
    assert "exit status 1" in text


def test_the_error_of_a_failed_workflow_shows_its_status_and_its_failure_if_known() -> None:
    assert str(WorkflowFailedError("boot", "CANCELLED", answers.ARN, "wf-1")).splitlines() == [
        "Workflow boot of image golden-al2023 1.0.0/3 ended CANCELLED.",
        f"  image       {answers.ARN}",
        "  execution   wf-1",
    ]
    head = str(WorkflowFailedError("boot", "FAILED", answers.ARN, failure=FAILURE)).splitlines()[0]
    assert head == (
        "Workflow boot of image golden-al2023 1.0.0/3 ended FAILED in BUILDING: step ApplyBuildComponents, "
        "component cis-hardening 1.2.0/4 (build step HardenSshd): exit status 1"
    )


def test_the_error_of_a_cancelled_image_names_what_still_exists() -> None:
    assert "AMIs and snapshots made before that are still there" in str(ImageCancelledError(answers.ARN))
    head = str(ImageCancelledError(answers.ARN, "by me", stage="TESTING")).splitlines()[0]
    assert head == "Image golden-al2023 1.0.0/3 ended CANCELLED in TESTING: by me"
    assert "CancelImageCreation" not in str(ImageCancelledError(answers.ARN, status="DELETED"))


ENDINGS = [
    ImageFailedError(answers.ARN, FAILURE),
    ImageFailedError(answers.ARN, ImageFailure()),
    ImageCancelledError(answers.ARN),
    NotRepairableError(answers.ARN, ImageFailedError(answers.ARN, FAILURE)),
    NotRepairableError(answers.ARN, ImageCancelledError(answers.ARN)),
    WorkflowFailedError("boot", "FAILED", answers.ARN, failure=FAILURE),
    WorkflowFailedError("boot", "FAILED", answers.ARN),
    TestsFailedError(answers.ARN, ["boot", "cis"]),
    DeadlineExceededError(answers.ARN, 1_000_000_000.0, "TESTING"),
    WaitInterruptedError(answers.ARN, "no answer"),
]


@pytest.mark.parametrize("error", ENDINGS, ids=lambda error: type(error).__name__)
def test_every_error_of_an_image_has_one_headline_with_the_arn_below(error: ImageBuilderError) -> None:
    head, *more = str(error).splitlines()
    assert "golden-al2023 1.0.0/3" in head
    assert answers.ARN not in head
    assert len(head) < 250
    assert f"  image       {answers.ARN}" in more


def test_an_image_that_cannot_be_repaired_gets_no_advice_to_repair_it() -> None:
    failing = answers.cis(status="FAILED")
    failure = ImageFailure.from_api(answers.failed_without_context(), [failing], answers.steps())
    assert "which continues this image" in str(ImageFailedError(answers.ARN, failure))
    text = str(NotRepairableError(answers.ARN, ImageFailedError(answers.ARN, failure)))
    assert "which continues this image" not in text
    assert text.count("clear the") == 2  # the task, or the whole group
    assert text.splitlines()[0] == str(ImageFailedError(answers.ARN, failure)).splitlines()[0]


DIRTY = "\x1b[31mred\x1b[0m\r\n\x1b]0;title\x07\u202egpj\u200b.exe\ud800\x00 " + "m" * 100_000


@pytest.mark.parametrize("kind", AWS_ERRORS)
def test_an_answer_of_aws_or_a_proxy_is_one_clean_line_of_limited_length(kind: type[AwsError]) -> None:
    error = kind(operation="GetImage", code=DIRTY, status=400, message=DIRTY, request_id=DIRTY)
    for part in (error.code, error.message, str(error.request_id)):
        assert part.startswith("red gpj.exe?? mmm")
        assert part.isprintable()
        assert len(part) <= 1000
    assert str(error).replace("\n", "").isprintable()
    assert len(str(error)) < 1700


def test_a_fault_cannot_move_the_terminal() -> None:
    class Value:
        def __repr__(self) -> str:
            return "\x1b[2J"

    text = str(Fault("a\x1b[2J", Value(), "b\r\n\x1b[1Ac", "\u202ed"))
    assert text == "a: got ; allowed: b c; d"


@pytest.mark.parametrize(
    ("page", "line"),
    [
        (
            "<html>\r\n<head><title>502 Bad\n Gateway</title></head>" + "x" * 100_000,
            'an HTML page in place of an answer: "502 Bad Gateway"',
        ),
        (
            "<!DOCTYPE html><h1 class=a>Blocked &amp; logged</h1>",
            'an HTML page in place of an answer: "Blocked & logged"',
        ),
        ("<html><body>" + "x" * 100_000, "an HTML page in place of an answer"),
        ("invalid JSON: <html><title>\x1b[31m</title>", "an HTML page in place of an answer"),
    ],
)
def test_only_the_title_of_a_proxy_page_is_shown(page: str, line: str) -> None:
    assert AwsError("GetImage", message=page).message == line


def test_the_error_of_an_interrupted_wait_names_how_to_resume() -> None:
    trouble = TransientError("GetImage", code="ServiceUnavailable", status=503, message="busy")
    error = WaitInterruptedError(answers.ARN, trouble)
    head, *more = str(error).splitlines()
    assert head == (
        "Image golden-al2023 1.0.0/3 could not be observed any longer, and may still be building: "
        "GetImage: 503 ServiceUnavailable: busy"
    )
    command = f"aws imagebuilder get-image --image-build-version-arn {answers.ARN} --region us-east-1"
    assert more[-1].endswith(command)
    assert "resumes watching this image" in "\n".join(more)
    assert error.arn == answers.ARN
    assert pickle.loads(pickle.dumps(error)).cause == error.cause


@pytest.mark.parametrize(
    ("cause", "shown"), [("no answer", "no answer"), (KeyError("x"), "KeyError: 'x'"), (OSError(), "OSError")]
)
def test_the_cause_of_an_interrupted_wait_is_one_line(cause: BaseException | str, shown: str) -> None:
    assert str(WaitInterruptedError(answers.ARN, cause)).splitlines()[0].endswith(f": {shown}")


def test_an_arn_that_cannot_be_read_is_shown_unchanged() -> None:
    assert str(WaitInterruptedError("what", "no")).startswith("Image what could not be observed")


def test_the_error_of_the_state_store_reports_that_no_build_was_started() -> None:
    head, *more = str(StateStoreError("500 Internal\nServer Error")).splitlines()
    assert head == (
        "This try started no build: Airflow did not read or store what this task keeps between its tries "
        "(before Airflow 3.3, a Variable imagebuilder-...): 500 Internal Server Error"
    )
    assert "API server" in " ".join(more)
    assert "next try" in " ".join(more)
