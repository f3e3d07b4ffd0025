"""``make verify-aws`` as if the local service were AWS: what it finds, and that it leaves nothing behind."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from airflow_imagebuilder.local.emulator.engine import guesses
from tests.contract import __main__ as command
from tests.contract import scenes
from tests.contract.__main__ import main
from tests.contract.account import Account
from tests.contract.documents import SCENARIO
from tests.support.aws_model import is_older
from tests.support.process import KEYS, Process

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[3]
NUMBER, REGION = "123456789012", "us-east-1"
ROLES = (
    "--execution-role",
    "ImageBuilderExecution",
    "--instance-profile",
    "EC2InstanceProfileForImageBuilder",
)
FULL = ("--part", "full", *ROLES)
TURNED = {
    "RETRY_REFUSED": "an error code",
    "BAD_VERSION": "an error code without an image",
    "ABORTED_PENDING": "a status",
    "WAITING_STEP": "a status of a step",
    "RETRY_REPEATS_PASSED_TESTS": "a truth",
    "DISTRIBUTING_NEEDS_CONFIGURATION": "a truth that events show",
    "FIRST_PATCH": "a number",
    "EVENT_STATUSES": "a set",
    "CANCEL_TWICE": "a refusal of what is accepted here",
}
NEVER_TRIED = {
    "TOKEN_LIFE",
    "STEP_SHARES",
    "LIFECYCLE_SECONDS",
    "ROLLBACK_SECONDS",
    "ABANDONED_SCAN",
    "FAILED_SCAN",
    "SCANNED_AMI_IS_OF_ITS_OWN_REGION",
    "MISSING_TARGET_WORDING",
    "SHARED_RECIPE_COMPONENTS",
    "SHARED_WITHOUT_RAM",
    "TAKEN_AMI_NAME",
    "WAITING_MESSAGE",
}
NEED_NEWER = {
    "BAD_VERSION",
    "FIRST_PATCH",
    "FIRST_WILDCARD_COUNTS",
    "DISTRIBUTED_NAME",
    "DEFAULT_AMI_DISTRIBUTION_HAS_EXECUTION",
    "LIFECYCLE_ENDED",
    "RETRY_REFUSED",
    "RETRY_REPEATS_PASSED_TESTS",
    "RETRY_AFTER_CANCEL",
    "CANCEL_TWICE",
    "CANCELLED_RUNNING",
    "CANCELLED_PENDING",
    "BUILD_NUMBERS_REUSED",
    "AMI_STAYS_AFTER_FAILURE",
}


def environment(url: str) -> dict[str, str]:
    keys = {key.upper(): value for key, value in KEYS.items()}
    kept = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    quiet = {
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    return {**kept, **keys, **quiet, "AWS_ENDPOINT_URL": url}


def start(url: str, command: str, *options: str, account: str | None = NUMBER) -> subprocess.Popen[str]:
    """Start the command against a service on this machine."""
    assert url.startswith("http://127.0.0.1:")
    given = ["--account", account, "--region", REGION] if account else []
    return subprocess.Popen(
        [sys.executable, "-m", "tests.contract", command, *given, *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
        env=environment(url),
    )


def run(url: str, command: str, *options: str, account: str | None = NUMBER) -> tuple[int, str]:
    """Run the command, and return its exit code and output."""
    process = start(url, command, *options, account=account)
    try:
        output, _ = process.communicate(timeout=120)
    finally:
        process.kill()
    return process.returncode, output


def quickly(folder: Path) -> tuple[str, ...]:
    return ("--poll", "0.05", "--patience", "60", "--report", str(folder))


def rows(folder: Path) -> dict[str, dict[str, Any]]:
    document = json.loads((folder / "verify-aws-report.json").read_text("utf-8"))
    return {row["guess"]: row for row in document["guesses"]}


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("verify") / "scenario.yaml"
    path.write_text(SCENARIO)
    return str(path)


@pytest.fixture(scope="module")
def service(scenario: str) -> Iterator[Process]:
    with Process("--speed", "1200", "--scenario", scenario) as process:
        yield process


def inventory(process: Process) -> dict[str, list[str]]:
    """Return all that the account has, by service, whatever its name is."""
    ec2, iam, logs = (process.client(name) for name in ("ec2", "iam", "logs"))
    records = process.records()
    client = process.client()
    lists = {
        "component": "componentVersionList",
        "workflow": "workflowVersionList",
        "image_recipe": "imageRecipeSummaryList",
        "image": "imageVersionList",
        "infrastructure_configuration": "infrastructureConfigurationSummaryList",
        "distribution_configuration": "distributionConfigurationSummaryList",
        "image_pipeline": "imagePipelineList",
    }
    found = {
        noun: sorted(item["arn"] for item in getattr(client, f"list_{noun}s")(maxResults=25)[key])
        for noun, key in lists.items()
    }
    assert records
    return found | {
        "amis": sorted(image["ImageId"] for image in ec2.describe_images(Owners=["self"])["Images"]),
        "snapshots": sorted(s["SnapshotId"] for s in ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]),
        "profiles": [p["InstanceProfileName"] for p in iam.list_instance_profiles()["InstanceProfiles"]],
        "queues": process.client("sqs").list_queues().get("QueueUrls", []),
        "rules": [rule["Name"] for rule in process.client("events").list_rules()["Rules"]],
        "logs": [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]],
    }


def assert_different(scenario: str, folder: Path, names: set[str]) -> None:
    """Turn guesses round; the report names these and no others."""
    options = [
        option
        for name in names
        for option in ("--guess", f"{name}={guesses.as_text(guesses.REGISTRY[name].otherwise)}")
    ]
    with Process("--speed", "1200", "--scenario", scenario, *options) as process:
        code, output = run(process.url, "verify", *FULL, "--yes", *quickly(folder))
    assert code == 0, output
    found = rows(folder)
    assert set(found) == set(guesses.REGISTRY)
    unseen = NEVER_TRIED | (NEED_NEWER if is_older() else set())
    assert {name for name, row in found.items() if row["same"] is None} == unseen, output
    assert {name for name, row in found.items() if row["same"] is False} == names - unseen, output
    for name in names - unseen:
        assert found[name]["aws"] == guesses.as_text(guesses.REGISTRY[name].otherwise)
    assert "Facts that did not hold: none" in output
    page = (folder / "verify-aws-report.md").read_text("utf-8")
    assert page.count("**no**") == len(names - unseen)
    assert NUMBER not in page


def test_the_report_names_just_the_guesses_that_are_turned_round(scenario: str, tmp_path: Path) -> None:
    assert_different(scenario, tmp_path, set(TURNED))


@pytest.mark.full
@pytest.mark.parametrize(
    "name", sorted(guess.id for guess in guesses.REGISTRY.values() if not guess.structural)
)
def test_each_guess_that_is_turned_round_is_named_alone(name: str, scenario: str, tmp_path: Path) -> None:
    assert_different(scenario, tmp_path, {name} - NEVER_TRIED)


def test_a_run_that_fails_in_the_middle_leaves_nothing(service: Process, tmp_path: Path) -> None:
    before = inventory(service)
    service.control(faults=[{"operation": "CreateWorkflow", "code": "InvalidRequestException"}])
    try:
        code, output = run(service.url, "verify", *ROLES, "--yes", *quickly(tmp_path))
    finally:
        service.control(clear_faults=True)
    assert code == 0, output
    row = rows(tmp_path)["ROLE_MISSING"]
    assert (row["same"], "InvalidRequestException" in row["why"]) == (None, True)
    assert rows(tmp_path)["BAD_SCHEDULE"]["same"] is True
    assert rows(tmp_path)["RETRY_REFUSED"]["why"] == "Only with PART=full."
    assert service.records()["calls"]["CreateComponent"]
    assert inventory(service) == before


def test_a_list_that_the_account_refuses_keeps_nothing_else(service: Process, tmp_path: Path) -> None:
    before = inventory(service)
    fault = {"operation": "ListImagePipelines", "code": "ForbiddenException", "times": 1000}
    service.control(faults=[fault])
    try:
        code, output = run(service.url, "verify", *ROLES, "--yes", *quickly(tmp_path))
    finally:
        service.control(clear_faults=True)
    assert code == 4, output
    assert "Could not be removed: list_image_pipelines, which the account refuses: " in output
    assert rows(tmp_path)["BAD_SCHEDULE"]["same"] is True
    assert service.records()["calls"]["CreateComponent"]
    assert inventory(service) == before


def test_a_report_that_cannot_be_written_leaves_nothing(service: Process, tmp_path: Path) -> None:
    before, taken = inventory(service), tmp_path / "taken"
    taken.write_text("a file", "utf-8")
    code, output = run(service.url, "verify", *ROLES, "--yes", *quickly(taken))
    assert code == 3, output
    assert "The report cannot be written" in output
    assert inventory(service) == before


def until_it_builds(service: Process, process: subprocess.Popen[str]) -> None:
    """Wait until the run has an image in progress."""
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        images = service.client().list_images(owner="Self")["imageVersionList"]
        if any(image["name"].startswith("airflow-imagebuilder-verify-") for image in images):
            return
        time.sleep(0.02)
    pytest.fail(f"no image: {process.communicate(timeout=10)}")


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGINT,
        pytest.param(signal.SIGTERM, marks=pytest.mark.full),
        pytest.param(signal.SIGHUP, marks=pytest.mark.full),
    ],
)
def test_a_run_that_is_stopped_leaves_nothing(service: Process, tmp_path: Path, number: int) -> None:
    before = inventory(service)
    process = start(service.url, "verify", *FULL, "--yes", *quickly(tmp_path))
    try:
        until_it_builds(service, process)
        process.send_signal(number)
        output, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, output
    assert inventory(service) == before
    assert rows(tmp_path)["LIFECYCLE_ENDED"]["same"] is None


@pytest.mark.parametrize("stopped", [True, False])
def test_an_interruption_that_pytest_cannot_show_is_still_one(
    monkeypatch: pytest.MonkeyPatch, stopped: bool
) -> None:
    def fail(*_: object, **__: object) -> int:
        raise TypeError("unsupported operand type(s) for -: 'NoneType' and 'int'")

    monkeypatch.setattr(pytest, "main", fail)
    monkeypatch.setattr(command, "_signals", [signal.SIGINT] if stopped else [])
    nothing: Any = None
    options = command.arguments(["verify", "--account", NUMBER, "--region", REGION])
    if stopped:
        assert command._run(nothing, nothing, options) == command.INTERRUPTED
    else:
        with pytest.raises(TypeError):
            command._run(nothing, nothing, options)


def test_what_a_killed_run_leaves_is_found_and_removed(
    service: Process, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in environment(service.url).items():
        monkeypatch.setenv(name, value)
    before = inventory(service)
    session = boto3.Session(KEYS["aws_access_key_id"], KEYS["aws_secret_access_key"], region_name=REGION)
    dead = Account(session, REGION, service.url, "ImageBuilderExecution", poll=0.05, patience=60)
    recipe = scenes.recipe(dead, "recipe", scenes.component(dead))
    arn = dead.bake(
        imageRecipeArn=recipe,
        infrastructureConfigurationArn=scenes.infrastructure(dead),
        executionRole=dead.execution_role,
        workflows=[{"workflowArn": scenes.workflow(dead, "wait-a")}],
    )
    dead.wait_for_steps(arn)
    scenes.listen(dead)
    options = ["clean", "--account", NUMBER, "--region", REGION, "--poll", "0.05"]
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert main(options) == 2
    seen = capsys.readouterr()
    for kind in ("image", "image_recipe", "component", "workflow", "instance profile", "queue", "rule"):
        assert f"\n{kind} " in f"\n{seen.out}"
    assert "Nothing was made or removed" in seen.err
    assert inventory(service) != before
    assert main([*options, "--yes"]) == 0
    assert inventory(service) == before


class _Counter(BaseHTTPRequestHandler):
    """Counts requests, and refuses them."""

    seen: list[str]

    def do_POST(self) -> None:
        self.seen.append(self.path)
        error = b"<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>"
        self.send_response(403)
        self.send_header("Content-Length", str(len(error)))
        self.end_headers()
        self.wfile.write(error)

    do_GET = do_PUT = do_DELETE = do_POST  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@pytest.mark.parametrize("command", ["verify", "clean"])
@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--region", REGION), "--account"),
        (("--account", "", "--region", REGION), "12 digits"),
        (("--account", "12345", "--region", REGION), "12 digits"),
        (("--account", NUMBER), "--region"),
        (("--account", NUMBER, "--region", ""), "not a region"),
    ],
)
def test_without_account_and_region_nothing_is_sent(
    command: str,
    options: tuple[str, ...],
    why: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    seen: list[str] = []
    server = HTTPServer(("127.0.0.1", 0), type("Counter", (_Counter,), {"seen": seen}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    try:
        with pytest.raises(SystemExit) as caught:
            main([command, *options, "--yes"])
        assert seen == []
        # The endpoint sees the first call of a complete command.
        assert main(["clean", "--account", NUMBER, "--region", REGION, "--yes"]) == 2
        assert seen
    finally:
        server.shutdown()
        server.server_close()
    assert (caught.value.code, why in capsys.readouterr().err) == (2, True)


def test_the_credentials_of_another_account_are_refused_before_anything_else(service: Process) -> None:
    before = service.records()["calls"]
    code, output = run(service.url, "verify", "--yes", account="210987654321")
    assert (code, "belong to the account 123456789012, not to 210987654321" in output) == (2, True), output
    assert service.records()["calls"] == before


def test_it_says_what_it_makes_and_asks(service: Process, tmp_path: Path) -> None:
    before = service.records()["calls"]
    code, output = run(service.url, "verify", *FULL, *quickly(tmp_path))
    assert code == 2, output
    for text in ("estimate", "US dollars", "minutes", "1 image that is really built", "Continue? [y/N]"):
        assert text in output
    assert service.records()["calls"] == before
    assert list(tmp_path.iterdir()) == []


def test_the_full_part_needs_a_role_and_a_profile(service: Process) -> None:
    code, output = run(service.url, "verify", "--part", "full", "--yes")
    assert (code, "PART=full needs --execution-role" in output) == (2, True), output
