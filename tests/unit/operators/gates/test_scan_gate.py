"""The gate on a scan: what passes, what does not, and what it waits for."""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from airflow_imagebuilder import aws_model
from airflow_imagebuilder.compat import AirflowFailException, AirflowSkipException
from airflow_imagebuilder.operators.gates.scan_gate import ImageBuilderScanGateOperator
from airflow_imagebuilder.operators.waiting.operator import MAX_RESUMES, MAX_RESUMES_MISSING
from airflow_imagebuilder.service.errors import (
    ForbiddenError,
    ImageBuilderError,
    ImageNotFoundError,
    InvalidRequestError,
    NotFoundError,
    OutdatedBoto3Error,
    ThrottledError,
)
from airflow_imagebuilder.service.gates.scans import reading
from airflow_imagebuilder.triggers.scan import ImageBuilderScanTrigger
from airflow_imagebuilder.xcom import FINDINGS_KEY
from tests.support.arns import IMAGE
from tests.support.fault_plan import ALWAYS
from tests.support.image_builder import FakeImageBuilder
from tests.support.operators import assert_defers, with_hook
from tests.support.supervisor import install_for_task
from tests.support.task import FakeTask

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ON = {"imageScanningEnabled": True}
OF_AMI = {**ON, "imageScanningTypes": ["ON_DEMAND_AMI_CVE"]}
AMIS = {"amis": [{"region": "us-east-1", "accountId": "123456789012", "image": "ami-1"}]}
THROTTLED = ThrottledError("GetImage", "CallRateLimitExceededException", 429)


@pytest.fixture(autouse=True)
def _newest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws_model, "has_scan_types", lambda: True)


def record(id_: str, severity: str = "HIGH", fix: str = "YES") -> dict[str, Any]:
    details = {
        "vulnerabilityId": id_,
        "vulnerablePackages": [{"name": "openssl", "version": "3.0.8", "fixedInVersion": "3.0.9"}],
    }
    return {
        "title": f"{id_} - openssl",
        "severity": severity,
        "fixAvailable": fix,
        "packageVulnerabilityDetails": details,
    }


def scanned(
    *findings: dict[str, Any], status: str = "AVAILABLE", scan: str | None = "COMPLETED", **members: Any
) -> FakeImageBuilder:
    aws = FakeImageBuilder(status)
    state = {"scanState": {"status": scan}} if scan else {}
    aws.image.update({"imageScanningConfiguration": ON, **state, **members})
    aws.findings = list(findings)
    return aws


def gate(aws: FakeImageBuilder, **options: Any) -> Any:
    wanted = {"image_build_version_arn": IMAGE, **options}
    return with_hook(ImageBuilderScanGateOperator(task_id="t", **wanted), aws)


def refused(aws: FakeImageBuilder, **options: Any) -> tuple[str, dict[str, Any]]:
    """Return the message of a gate that fails for good, and its XCom."""
    task = FakeTask()
    with pytest.raises(AirflowFailException) as error:
        gate(aws, **options).execute(task.context)
    return str(error.value), task.xcoms.get("scan_findings", {})


def only_read(aws: FakeImageBuilder) -> bool:
    return all(call.method.startswith(("get_", "list_", "count_")) for call in aws.calls)


# -- what passes -------------------------------------------------------------------------------------------


def test_an_image_within_the_limits_passes_and_the_report_is_an_xcom() -> None:
    aws, task = scanned(record("CVE-1"), record("CVE-2", "LOW")), FakeTask()
    aws.finding_counts = {"all": 2, "critical": 0, "high": 1, "medium": 0}
    value = gate(aws, max_findings={"CRITICAL": 0, "HIGH": 1}).execute(task.context)
    assert value == task.xcoms["scan_findings"]
    assert json.loads(json.dumps(value)) == value
    assert value["passed"]
    assert (value["counts"]["HIGH"], value["counts"]["LOW"]) == (1, 1)
    assert value["aws_counts"] == aws.finding_counts
    assert only_read(aws)


def test_the_findings_are_recorded_by_severity_also_of_an_image_that_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    airflow = install_for_task(monkeypatch)
    refused(scanned(record("CVE-1"), record("CVE-2", "CRITICAL")))
    (found,) = (value for key, value in airflow.written if key == FINDINGS_KEY)
    assert (found["schema"], found["arn"]) == (1, IMAGE)
    assert (found["counts"]["critical"], found["counts"]["high"], found["counts"]["low"]) == (1, 1, 0)


@pytest.mark.parametrize("given", [{"arn": IMAGE, "status": "AVAILABLE"}, IMAGE])
def test_the_image_is_an_arn_or_the_result_of_a_task_that_waits(given: Any) -> None:
    aws = scanned()
    assert gate(aws, image_build_version_arn=given).execute(FakeTask().context)["passed"]
    assert set(aws.targets("get_image")) == {IMAGE}


def test_a_gate_without_an_image_is_skipped() -> None:
    with pytest.raises(AirflowSkipException):
        gate(scanned(), image_build_version_arn="None").execute(FakeTask().context)


def test_limits_may_be_rendered_as_text() -> None:
    aws = scanned(record("CVE-1"))
    task = gate(aws, max_findings={"HIGH": "{{ params.high }}"})
    task.max_findings = {"HIGH": "1"}  # as Airflow renders it
    assert task.execute(FakeTask().context)["passed"]
    task.max_findings = '{"HIGH": 1}'
    assert task.execute(FakeTask().context)["max_findings"] == {"HIGH": 1}
    task.max_findings = "{'HIGH': 1}"
    with pytest.raises(InvalidRequestError, match="tojson"):
        task.execute(FakeTask().context)
    task.max_findings = {"HIGH": "some"}
    with pytest.raises(InvalidRequestError, match=r"max_findings\.HIGH"):
        task.execute(FakeTask().context)


def test_counts_of_aws_are_not_needed() -> None:
    aws = scanned(record("CVE-1", "LOW"))
    aws.before(
        "count_image_scan_findings", ForbiddenError("ListImageScanFindingAggregations", "AccessDenied")
    )
    assert gate(aws).execute(FakeTask().context)["aws_counts"] is None


# -- what does not -----------------------------------------------------------------------------------------


def test_an_image_above_a_limit_fails_for_good_and_its_xcom_says_why() -> None:
    text, xcom = refused(scanned(record("CVE-1"), record("CVE-2", "CRITICAL")))
    assert "1 CRITICAL (none accepted), 1 HIGH (none accepted)" in text
    assert "CRITICAL CVE-2: openssl 3.0.8, fixed in 3.0.9" in text
    assert not xcom["passed"]
    assert [finding["id"] for finding in xcom["worst"]] == ["CVE-2", "CVE-1"]


def test_the_table_is_in_the_log(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(scanned(record("CVE-1")))
    shown = caplog.text + capsys.readouterr().out
    assert "SEVERITY" in shown
    assert "HIGH      CVE-1          openssl  3.0.8    3.0.9" in shown


def test_only_findings_with_a_fix_count_on_demand() -> None:
    aws = scanned(record("CVE-1", fix="NO"))
    assert gate(aws, only_fixable=True).execute(FakeTask().context)["unfixable_count"] == 1
    assert "1 HIGH" in refused(aws)[0]


def test_accepted_findings_do_not_count_until_their_date() -> None:
    aws = scanned(record("CVE-1"), record("CVE-2"))
    today = datetime.now(timezone.utc).date()
    entries = [
        {"id": "CVE-1", "until": today + timedelta(days=1), "reason": "not reachable"},
        {"id": "CVE-2", "until": today + timedelta(days=1)},
        {"id": "CVE-3", "until": today + timedelta(days=1)},
    ]
    value = gate(aws, allow_list=entries).execute(FakeTask().context)
    assert (value["passed"], value["allowed_count"]) == (True, 2)
    assert [entry["id"] for entry in value["unused"]] == ["CVE-3"]

    entries[1]["until"] = today - timedelta(days=1)
    text, xcom = refused(aws, allow_list=entries)
    assert "1 HIGH (none accepted)" in text
    assert (
        f"Expired entries of the allow-list, which do not count any more: CVE-2 (until {entries[1]['until']})"
        in text
    )
    assert [entry["id"] for entry in xcom["expired"]] == ["CVE-2"]


def test_more_findings_than_are_read_do_not_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_FINDINGS", 3)
    text, xcom = refused(scanned(*[record(f"CVE-{n}", "LOW") for n in range(4)]))
    assert "more than 3 findings" in text
    assert not xcom["complete"]


@pytest.mark.parametrize("configuration", [None, {}, {"imageScanningEnabled": False}])
def test_a_scan_that_is_switched_off_is_said_at_once(configuration: Any) -> None:
    aws = scanned(scan=None, imageScanningConfiguration=configuration)
    text, _ = refused(aws)
    assert "is not scanned" in text
    assert "'imageScanningEnabled': True" in text
    assert aws.called("list_image_scan_findings") == []


@pytest.mark.parametrize("scan", ["FAILED", "TIMED_OUT", "ABANDONED"])
def test_a_scan_that_ended_badly_fails_with_what_is_known(scan: str) -> None:
    aws = scanned(record("CVE-1"), scan=scan)
    aws.image["scanState"]["reason"] = "no agent"
    text, xcom = refused(aws)
    assert f"its scan is {scan}: no agent. Known so far: 1 HIGH." in text
    assert "Amazon Inspector is activated" in text
    assert not xcom["passed"]


def test_a_failed_image_never_passes() -> None:
    text, xcom = refused(scanned(status="FAILED"))
    assert "the image is FAILED" in text
    assert not xcom["passed"]
    assert "After its repair, clear this task" in refused(scanned(status="CANCELLED", scan="ABANDONED"))[0]


def test_an_empty_list_that_contradicts_the_counts_is_read_again() -> None:
    aws = scanned()
    aws.finding_counts = {"all": 2, "high": 2}
    with pytest.raises(ImageBuilderError, match="lists none") as error:
        gate(aws).execute(FakeTask().context)
    assert not isinstance(error.value, AirflowFailException)


@pytest.mark.parametrize(("limits", "late"), [({"CRITICAL": 0}, True), ({"HIGH": 9}, False)])
def test_a_list_without_the_severities_that_aws_counts_is_read_again(
    limits: dict[str, int], late: bool
) -> None:
    aws = scanned(record("CVE-1", "HIGH"))
    aws.finding_counts = {"all": 3, "critical": 2, "high": 1, "medium": 0}
    if late:
        with pytest.raises(ImageBuilderError, match="lists none of CRITICAL"):
            gate(aws, max_findings=limits).execute(FakeTask().context)
    else:
        assert gate(aws, max_findings=limits).execute(FakeTask().context)["passed"]


# -- the other source --------------------------------------------------------------------------------------


def test_findings_of_a_scan_of_the_ami_come_from_ec2() -> None:
    aws = scanned(record("CVE-9"), imageScanningConfiguration=OF_AMI, outputResources=AMIS)
    aws.ami_findings = [{"Title": "CVE-2024-12345 - kernel", "SeverityLabel": "high", "FixAvailable": True}]
    text, xcom = refused(aws)
    assert "HIGH CVE-2024-12345: kernel" in text
    assert aws.targets("get_image_findings") == ["us-east-1/ami-1"]
    assert aws.called("list_image_scan_findings") == aws.called("count_image_scan_findings") == []
    assert xcom["scan_type"] == "ON_DEMAND_AMI_CVE"


def test_a_finding_of_the_raw_ami_and_of_its_copy_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [{**AMIS["amis"][0], "image": ami} for ami in ("ami-raw", "ami-1")]
    aws = scanned(imageScanningConfiguration=OF_AMI, outputResources={"amis": both})

    def found(ami: str, _: str) -> Iterator[dict[str, Any]]:
        for number in (1, 2) if ami == "ami-raw" else (2, 3):
            title = f"CVE-2024-1000{number} - kernel"
            yield {"Title": title, "SeverityLabel": "high", "SnapshotId": f"snap-of-{ami}"}

    monkeypatch.setattr(aws, "get_image_findings", found)
    assert gate(aws, max_findings={"HIGH": 3}).execute(FakeTask().context)["counts"]["HIGH"] == 3


def test_a_scan_of_the_ami_that_aws_did_not_wait_for_names_the_condition() -> None:
    assert "scanResultCondition" in refused(scanned(scan="ABANDONED", imageScanningConfiguration=OF_AMI))[0]


def test_a_scanned_ami_that_is_not_shown_does_not_pass() -> None:
    aws = scanned(imageScanningConfiguration=OF_AMI)
    assert "AWS shows no AMI" in refused(aws)[0]
    assert aws.called("get_image_findings") == []


def test_with_an_older_boto3_an_empty_list_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws_model, "has_scan_types", lambda: False)
    aws = scanned()
    with pytest.raises(OutdatedBoto3Error, match=r"scan_type.*1\.43\.122 or newer"):
        gate(aws).execute(FakeTask().context)
    assert gate(aws, scan_type="TEST_INSTANCE_CVE").execute(FakeTask().context)["passed"]
    aws.finding_counts = {"all": 0}
    assert gate(aws).execute(FakeTask().context)["passed"]
    aws.findings = [record("CVE-1", "LOW")]
    aws.finding_counts = None
    assert gate(aws).execute(FakeTask().context)["passed"]


# -- waiting -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scan", [None, "PENDING", "SCANNING", "COLLECTING"])
def test_a_scan_in_progress_is_waited_for(scan: str | None) -> None:
    aws = scanned(status="TESTING", scan=scan)
    trigger = assert_defers(lambda: gate(aws, poll_interval=9).execute(FakeTask().context))
    assert type(trigger) is ImageBuilderScanTrigger
    kwargs = trigger.serialize()[1]
    assert (kwargs["poll_interval"], kwargs["resumes"]) == (9, 0)
    assert kwargs["deadline"] == pytest.approx(time.time() + 4 * 3600, abs=60)


def test_execution_timeout_ends_the_wait_too() -> None:
    aws, task = scanned(status="TESTING", scan=None), FakeTask(start_date=datetime.now(timezone.utc))
    operator = gate(aws, execution_timeout=timedelta(minutes=5))
    trigger = assert_defers(lambda: operator.execute(task.context))
    assert trigger.deadline == pytest.approx(time.time() + 300, abs=60)


def test_trouble_before_the_wait_begins_the_wait() -> None:
    aws = scanned()
    aws.before("get_image", THROTTLED)
    assert_defers(lambda: gate(aws).execute(FakeTask().context))


def event(outcome: str = "ended", **more: Any) -> dict[str, Any]:
    return {
        "image_build_version_arn": IMAGE,
        "outcome": outcome,
        "message": "",
        "deadline": 4e9,
        "resumes": 0,
        "try_number": 1,
        **more,
    }


def test_a_task_that_resumes_judges_from_what_aws_shows_now() -> None:
    aws = scanned(record("CVE-1"))
    with pytest.raises(AirflowFailException, match="1 HIGH"):
        gate(aws).execute_complete(FakeTask().context, event("error"))


def test_a_scan_that_is_in_progress_again_is_waited_for_with_the_same_deadline() -> None:
    aws = scanned(status="TESTING", scan="SCANNING")
    trigger = assert_defers(lambda: gate(aws).execute_complete(FakeTask().context, event()))
    assert (trigger.resumes, trigger.deadline) == (1, 4e9)


def test_at_the_deadline_the_gate_fails_with_what_is_known_and_cancels_nothing() -> None:
    aws, task = scanned(record("CVE-1"), status="TESTING", scan="SCANNING"), FakeTask()
    with pytest.raises(AirflowFailException) as error:
        gate(aws).execute_complete(task.context, event("deadline", deadline=0.0, message="slow down"))
    for part in ("SCANNING", "Known so far: 1 HIGH", "Nothing was cancelled", "timeout", "slow down"):
        assert part in str(error.value)
    assert not task.xcoms["scan_findings"]["complete"]
    assert only_read(aws)


def test_the_deadline_holds_though_findings_cannot_be_read() -> None:
    aws = scanned(status="TESTING", scan="SCANNING")
    aws.before("list_image_scan_findings", ForbiddenError("ListImageScanFindings", "AccessDenied"))
    with pytest.raises(AirflowFailException, match="could not be read"):
        gate(aws).execute_complete(FakeTask().context, event("deadline"))


def test_a_scan_that_ended_just_before_the_deadline_is_judged() -> None:
    assert gate(scanned()).execute_complete(FakeTask().context, event("deadline"))["passed"]


@pytest.mark.parametrize(
    ("trouble", "most", "raised"),
    [
        (THROTTLED, MAX_RESUMES, ImageBuilderError),
        (ForbiddenError("GetImage", "AccessDenied", 403), MAX_RESUMES, ImageBuilderError),
        (
            NotFoundError("GetImage", "ResourceNotFoundException", 404),
            MAX_RESUMES_MISSING,
            ImageNotFoundError,
        ),
    ],
)
def test_trouble_is_waited_out_and_at_last_named(trouble: Any, most: int, raised: type[Exception]) -> None:
    aws = scanned()
    aws.before("get_image", trouble, times=ALWAYS)
    resumed = gate(aws)
    trigger = assert_defers(
        lambda: resumed.execute_complete(FakeTask().context, event("error", resumes=most - 1))
    )
    assert trigger.resumes == most
    with pytest.raises(raised):
        resumed.execute_complete(FakeTask().context, event("error", resumes=most))


def test_an_event_of_another_try_begins_the_gate_again() -> None:
    aws = scanned(status="TESTING", scan="SCANNING")
    task = FakeTask(try_number=2)
    trigger = assert_defers(lambda: gate(aws).execute_complete(task.context, event("deadline", deadline=1.0)))
    assert trigger.deadline > time.time()


def test_a_gate_may_wait_on_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    aws = scanned(status="TESTING", scan="SCANNING")

    async def wait(self: ImageBuilderScanTrigger) -> dict[str, Any]:
        aws.image["scanState"] = {"status": "COMPLETED"}
        return event()

    monkeypatch.setattr(ImageBuilderScanTrigger, "wait", wait)
    assert gate(aws, deferrable=False).execute(FakeTask().context)["passed"]


def test_a_kill_changes_nothing_on_aws() -> None:
    aws = scanned()
    gate(aws).on_kill()
    assert aws.calls == []


# -- arguments ---------------------------------------------------------------------------------------------


def test_all_faults_are_refused_when_the_dag_is_parsed() -> None:
    with pytest.raises(InvalidRequestError) as error:
        gate(
            scanned(),
            image_build_version_arn="arn:aws:imagebuilder:us-east-1:123456789012:image/golden/1.0.0",
            max_findings={"high": 1, "LOW": -1},
            only_fixable="yes",
            allow_list=[{"id": "CVE-1"}, {"until": "soon"}],
            scan_type="AMI",
            timeout=4,
        )
    assert {fault.field for fault in error.value.faults} == {
        "image_build_version_arn",
        "max_findings.high",
        "max_findings.LOW",
        "only_fixable",
        "allow_list[0].until",
        "allow_list[1].id",
        "allow_list[1].until",
        "scan_type",
        "timeout",
    }


def test_a_mapped_gate_is_checked_when_the_dag_is_parsed() -> None:
    with pytest.raises(InvalidRequestError, match=r"max_findings\.high"):
        ImageBuilderScanGateOperator.partial(task_id="t", max_findings={"high": 1})
    with pytest.raises(InvalidRequestError, match="did you mean max_findings"):
        ImageBuilderScanGateOperator.partial(task_id="t", max_finding={"HIGH": 1})


def test_a_version_without_a_build_is_refused_when_it_is_rendered() -> None:
    task = gate(scanned(), image_build_version_arn="{{ x }}")
    task.image_build_version_arn = "arn:aws:imagebuilder:us-east-1:123456789012:image/golden/1.0.0"
    with pytest.raises(InvalidRequestError, match="image_build_version_arn"):
        task.execute(FakeTask().context)


def test_an_allow_list_that_cannot_be_read_is_refused_before_the_wait(tmp_path: Path) -> None:
    aws = scanned(status="TESTING", scan="SCANNING")
    with pytest.raises(InvalidRequestError, match="cannot be read on this worker"):
        gate(aws, allow_list=str(tmp_path / "missing.yaml")).execute(FakeTask().context)
    assert aws.calls == []
