"""The operator that waits for the scan of an image, and fails if it found too much."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.compat import AirflowFailException
from airflow_imagebuilder.links import BUILD_LINK, SCAN_LINKS, persist_scan_links
from airflow_imagebuilder.operators.arguments import refuse
from airflow_imagebuilder.operators.base import AWS_FIELDS, ImageBuilderBaseOperator
from airflow_imagebuilder.operators.gates.allow_list import load_allow_list
from airflow_imagebuilder.operators.gates.scan_source import unscanned_faults
from airflow_imagebuilder.operators.option_shapes import AllowList, Boolean, Limits
from airflow_imagebuilder.operators.options import Option, as_seconds, option_faults
from airflow_imagebuilder.operators.waiting.operator import (
    FIRST_READ_PATIENCE,
    MAX_RESUMES,
    MAX_RESUMES_MISSING,
)
from airflow_imagebuilder.operators.waiting.recording import Recording
from airflow_imagebuilder.operators.waiting.task_state import is_of_another_try
from airflow_imagebuilder.service.errors import (
    AwsError,
    ImageBuilderError,
    ImageNotFoundError,
    NotFoundError,
)
from airflow_imagebuilder.service.gates.findings import (
    FindingsVerdict,
    judge_findings,
    limit_faults,
    read_limits,
)
from airflow_imagebuilder.service.gates.scans.messages import ended_badly, failure, no_scan, out_of_time
from airflow_imagebuilder.service.gates.scans.reading import FindingsRead, read_findings, refuse_doubtful
from airflow_imagebuilder.service.gates.scans.report import XCOM_KEY, counted, names, remarks, report, table
from airflow_imagebuilder.service.gates.scans.scan import ON_DEMAND, SCAN_TYPES, Scan, ScanOutcome, scan_of
from airflow_imagebuilder.service.request.fields.fields import Choice
from airflow_imagebuilder.service.request.fields.templates import is_blank
from airflow_imagebuilder.service.text import image_name
from airflow_imagebuilder.xcom import ARN_KEY, known_arn

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg
    from typing_extensions import Unpack

    from airflow_imagebuilder.operators.arguments.keywords import AwsArguments
    from airflow_imagebuilder.service.gates.allow_list import AllowedFinding
    from airflow_imagebuilder.triggers.scan import ImageBuilderScanTrigger


_OPTIONS: Mapping[str, Option] = {
    "max_findings": Option(Limits(allowed="the most findings of each severity"), templated=True),
    "only_fixable": Option(Boolean(), required=True),
    "allow_list": Option(AllowList(), templated=True),
    "scan_type": Option(Choice(words=SCAN_TYPES), templated=True),
}


class ImageBuilderScanGateOperator(ImageBuilderBaseOperator):
    """
    Wait for the vulnerability scan of an image, and fail if it has more findings than are accepted.

    This task only reads: it changes nothing on AWS, and a kill cancels nothing. A retry or a clear reads
    image, findings and allow-list again. Counts are made from the findings themselves, because AWS's own
    counts have only ``all``, ``critical``, ``high`` and ``medium``, and do not know which findings have a fix
    or are accepted. AWS's counts are logged, and are in the XCom.

    :param image_build_version_arn: the image: its ARN, or the :class:`ImageResult` mapping of a task that
        waits for it, such as ``create.output``.
    :param max_findings: the most findings of each severity: CRITICAL, HIGH, MEDIUM, LOW, INFORMATIONAL,
        UNTRIAGED. A severity that it does not name has no limit. Default: none of CRITICAL and HIGH.
    :param only_fixable: count only findings with a fix, for all or some of their packages (AWS's
        ``fixAvailable``; default: count all).
    :param allow_list: findings that do not count until a date: a list of mappings with ``id``, ``until``
        (the last day, in UTC) and ``reason``; or a mapping of ids; or the path of a YAML or JSON file,
        relative to the Dag file; or the name of an Airflow Variable. ``None`` (default): none.
    :param scan_type: ``TEST_INSTANCE_CVE`` (its findings come from ListImageScanFindings) or
        ``ON_DEMAND_AMI_CVE`` (EC2's GetImageFindings). ``None`` (default) takes the image's.
    :param deferrable: wait in the triggerer (default), or on the worker.
    :param timeout: how long this task may wait, from the start of its try (default: 4 hours); then it fails
        with what is known. The task's ``execution_timeout`` counts too; the earlier of the two applies.
    :param poll_interval: seconds (or a timedelta) between two polls; ``None`` (default) takes
        ``[imagebuilder] poll_interval``.
    :return: a mapping of at most 16,384 bytes as JSON, see :func:`.scans.report.report`. The task pushes it
        as XCom ``scan_findings`` too, also if it fails.
    :raises AirflowFailException: more findings than are accepted; or the scan is switched off, was not
        completed, or had not ended at the deadline. Airflow does not try again.
    :raises AirflowSkipException: no image was submitted in this run.
    :raises InvalidRequestError: the allow-list or another argument cannot be read.
    :raises ImageBuilderError: AWS did not answer.

    .. seealso:: https://docs.aws.amazon.com/imagebuilder/latest/APIReference/API_ListImageScanFindings.html
    """

    template_fields: Sequence[str] = (
        *AWS_FIELDS,
        "image_build_version_arn",
        "max_findings",
        "allow_list",
        "scan_type",
    )
    own_options = _OPTIONS
    operator_extra_links = (BUILD_LINK, *SCAN_LINKS)
    ui_color = "#f8efe4"

    def __init__(
        self,
        *,
        image_build_version_arn: str | Mapping[str, Any] | XComArg,
        max_findings: Mapping[str, int | str] | None = None,
        only_fixable: bool = False,
        allow_list: Sequence[Mapping[str, Any]] | Mapping[str, Any] | str | None = None,
        scan_type: str | None = None,
        deferrable: bool = True,
        timeout: timedelta = timedelta(hours=4),
        poll_interval: float | timedelta | None = None,
        **kwargs: Unpack[AwsArguments],
    ) -> None:
        super().__init__(**kwargs)
        self.image_build_version_arn = _arn_in(image_build_version_arn)
        self.max_findings = {"CRITICAL": 0, "HIGH": 0} if max_findings is None else max_findings
        self.only_fixable = only_fixable
        self.allow_list = allow_list
        self.scan_type = scan_type
        self.deferrable = deferrable
        self.timeout = timeout
        self.poll_interval = poll_interval
        self._refuse_options()
        refuse(unscanned_faults(image_build_version_arn), of=f"task {self.task_id!r}")
        self.poll_interval = as_seconds(poll_interval)

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        """Check what is known at parse, also whether the image is scanned at all."""
        refuse(unscanned_faults(kwargs.get(ARN_KEY)), of=f"task {kwargs.get('task_id')!r}")
        return super().partial(**kwargs)

    def execute(self, context: Context) -> dict[str, Any]:
        """Judge at once if the scan has ended; else wait for it."""
        arn = self._arn()
        self._limits()
        self._allowed()  # what cannot be read is refused before the wait, not after it
        persist_scan_links(context, self, arn)
        try:
            scan = self._scan(self.hook.get_image(arn, patience=FIRST_READ_PATIENCE))
        except AwsError as trouble:
            self.log.info("AWS does not show image %s yet: %s", arn, trouble)
        else:
            self.log.info("Image %s: %s", image_name(arn), scan.summary)
            if scan.outcome is not ScanOutcome.WAIT:
                return self._finish(context, scan)
        return self._wait(context, self._trigger(arn, self._deadline(context)))

    def execute_complete(self, context: Context, event: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """
        Resume after the wait: read the image from AWS, whatever the trigger reported, and judge from that.

        :param event: the event of :class:`ImageBuilderScanTrigger`.
        :return: the report.
        """
        if not event or is_of_another_try(event, context):
            return self.execute(context)
        return self._after_wait(context, event)

    def on_kill(self) -> None:
        """Do nothing: this task only reads."""

    # -- waiting -------------------------------------------------------------------------------------------

    def _wait(self, context: Context, trigger: ImageBuilderScanTrigger) -> dict[str, Any]:
        if self.deferrable:
            self.defer(trigger=trigger, method_name="execute_complete")
        return self._after_wait(context, asyncio.run(trigger.wait()))

    def _after_wait(self, context: Context, event: Mapping[str, Any]) -> dict[str, Any]:
        arn, at_deadline = str(event[ARN_KEY]), event["outcome"] == "deadline"
        try:
            scan = self._scan(self.hook.get_image(arn))
        except AwsError as trouble:
            if at_deadline:
                raise
            return self._wait_again(context, event, trouble)
        if scan.outcome is not ScanOutcome.WAIT:
            return self._finish(context, scan)
        if at_deadline:
            known = self._known(context, scan)
            deadline, trouble_seen = (
                float(event.get("deadline") or time.time()),
                str(event.get("message") or ""),
            )
            raise AirflowFailException(out_of_time(scan, deadline, known, trouble_seen))
        return self._wait_again(context, event, str(event.get("message") or scan.summary))

    def _wait_again(self, context: Context, event: Mapping[str, Any], why: AwsError | str) -> dict[str, Any]:
        """Wait again with the same deadline: trouble of a call says nothing about the scan."""
        arn, resumes = str(event[ARN_KEY]), int(event.get("resumes") or 0) + 1
        missing = isinstance(why, NotFoundError)
        most = MAX_RESUMES_MISSING if missing and event["outcome"] == "error" else MAX_RESUMES
        if resumes > most:
            if isinstance(why, NotFoundError):
                raise ImageNotFoundError(arn, why)
            raise ImageBuilderError(
                f"Could not read the scan of image {arn} from AWS, in {resumes} attempts: {why}\n"
                "This does not affect the image. Fix the cause, then clear this task."
            )
        self.log.warning("The wait for the scan continues (%d of at most %d times): %s", resumes, most, why)
        deadline = event.get("deadline") or self._deadline(context)
        return self._wait(context, self._trigger(arn, deadline, resumes))

    def _trigger(self, arn: str, deadline: float, resumes: int = 0) -> ImageBuilderScanTrigger:
        from airflow_imagebuilder.triggers.scan import ImageBuilderScanTrigger

        return ImageBuilderScanTrigger(
            image_build_version_arn=arn,
            deadline=deadline,
            poll_interval=as_seconds(self.poll_interval),
            scan_type=self._scan_type(),
            resumes=resumes,
            **self.aws,
        )

    def _deadline(self, context: Context) -> float:
        return self.wait_until(context, self.timeout)

    # -- arguments -----------------------------------------------------------------------------------------

    def _arn(self) -> str:
        arn = known_arn(_arn_in(self.image_build_version_arn))
        refuse(option_faults({ARN_KEY: arn, "scan_type": self._scan_type()}, _OPTIONS))
        return arn

    def _scan_type(self) -> str | None:
        unset = self.scan_type in (None, "None") or is_blank(self.scan_type)
        return None if unset else self.scan_type

    def _limits(self) -> dict[str, int]:
        refuse(limit_faults("max_findings", self.max_findings))
        return read_limits(self.max_findings)

    def _allowed(self) -> tuple[AllowedFinding, ...]:
        dag: Any = self.get_dag()
        return load_allow_list(self.allow_list, dag.folder if dag else "")

    # -- findings ------------------------------------------------------------------------------------------

    def _scan(self, image: Mapping[str, Any]) -> Scan:
        return scan_of(image, self._scan_type())

    def _finish(self, context: Context, scan: Scan) -> dict[str, Any]:
        """Turn a scan that is not waited for any longer into a report or an error."""
        if scan.outcome is ScanOutcome.OFF:
            raise AirflowFailException(no_scan(scan))
        if scan.outcome is ScanOutcome.ENDED:
            raise AirflowFailException(ended_badly(scan, self._known(context, scan)))
        if scan.type == ON_DEMAND and not scan.amis:
            raise AirflowFailException(ended_badly(scan, "AWS shows no AMI of its own region and account."))
        read = read_findings(self.hook, scan, self.log)
        refuse_doubtful(read, scan, self._limits())
        verdict = self._judge(context, scan, read, complete=read.complete)
        if not verdict.passed or not read.complete:
            raise AirflowFailException(failure(scan, verdict, complete=read.complete))
        if scan.image_failed:
            raise AirflowFailException(
                ended_badly(scan, f"Its findings would pass: {counted(verdict.counts)}.")
            )
        self.log.info("Image %s passes: %s", image_name(scan.arn), counted(verdict.counts))
        return report(scan, verdict, self._limits(), aws_counts=read.aws_counts)

    def _known(self, context: Context, scan: Scan) -> str:
        """Report what AWS lists of a scan that is not completed, and return it in words."""
        try:
            read = read_findings(self.hook, scan, self.log)
        except ImageBuilderError as error:
            self.log.warning("Could not read what the scan has found so far: %s", error)
            return "What it has found so far could not be read."
        return f"Known so far: {counted(self._judge(context, scan, read, complete=False).counts)}."

    def _judge(self, context: Context, scan: Scan, read: FindingsRead, *, complete: bool) -> FindingsVerdict:
        """Compare findings with the limits; log them, and push them as an XCom."""
        limits, today = self._limits(), datetime.now(timezone.utc).date()
        verdict = judge_findings(
            read.findings, limits, only_fixable=self.only_fixable, allow_list=self._allowed(), today=today
        )
        for line in (*table(verdict), *remarks(verdict, read.aws_counts)):
            self.log.info("%s", line)
        if verdict.expired:
            self.log.warning("Expired entries of the allow-list: %s", names(verdict.expired))
        value = report(scan, verdict, limits, aws_counts=read.aws_counts, complete=complete)
        context["ti"].xcom_push(key=XCOM_KEY, value=value)
        Recording(context, self.log).findings(scan.arn, verdict.counts)
        return verdict


def _arn_in(image: Any) -> Any:
    """Return the ARN of an :class:`ImageResult` mapping; anything else as it is."""
    return image.get("arn", image) if isinstance(image, Mapping) else image
