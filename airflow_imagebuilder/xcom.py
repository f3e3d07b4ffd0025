"""The XComs of this package: their keys, and the templates that pull them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.arns.grammar import is_like_an_arn
from airflow_imagebuilder.service.errors import Fault, InvalidRequestError

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_imagebuilder.service.submission.ports import Submitted, Try

ARN_KEY = "image_build_version_arn"
"""Key of the XCom that holds the ARN of the image that a task waits for."""

SUBMISSION_KEY = "image_submission"
"""Key of the XCom that holds the image of a submitting task, and which of its tries has it."""

TRY_KEY = "image_wait_try"
"""Key of the XCom, before Airflow 3.3, that holds the number of the try that has deferred."""

BUILD_KEY = "imagebuilder_build"
"""Key of the XCom with the record of an image that has ended: only a worker writes it, once per try."""

LIVE_BUILD_KEY = "imagebuilder_build_live"
"""Key of the XCom with the record of an image in progress, which a trigger writes too. Where both are there,
:data:`BUILD_KEY` counts: a triggerer that stalled may write this one late."""

WORKFLOW_KEY = "imagebuilder_workflow"
"""Key of the XCom with one workflow of an image and its steps, of a task that monitors it."""

FINDINGS_KEY = "imagebuilder_findings"
"""Key of the XCom with the findings of an image, counted by severity."""


def is_missing(rendered: object) -> bool:
    """Return whether a template rendered nothing: Jinja renders a missing value as ``None``, as text."""
    return rendered is None or rendered in ("", "None")


def known_arn(rendered: object) -> str:
    """
    Return the ARN that a template, or the output of another task, became.

    :param rendered: the value of ``image_build_version_arn`` after rendering: an ARN, or the
        :class:`ImageResult` of a task that waited for the image, as a mapping.
    :return: image build version ARN.
    :raises AirflowSkipException: the template rendered nothing, since no image was submitted.
    :raises InvalidRequestError: the template rendered something that is not an ARN.
    """
    if isinstance(rendered, Mapping):
        rendered = rendered.get("arn")
    if is_missing(rendered):
        from airflow_imagebuilder.compat import AirflowSkipException

        raise AirflowSkipException("No image was submitted in this run, so there is nothing to watch.")
    if isinstance(rendered, str) and is_like_an_arn(rendered):
        return rendered
    allowed = "the ARN of an image build version, as text"
    remedy = "give the XCom image_build_version_arn of the task that submits it, one image for each task"
    raise InvalidRequestError([Fault("image_build_version_arn", rendered, allowed, remedy)])


def as_time(rendered: float | str | None) -> float | None:
    """Return the Unix time that a template rendered, ``None`` where it rendered nothing."""
    return None if rendered in (None, "", "None") else float(rendered)


def submission_xcom(task_id: str, member: str) -> str:
    """Return the Jinja template for one member of the :data:`SUBMISSION_KEY` XCom of a task."""
    pulled = f"ti.xcom_pull(task_ids='{task_id}', key='{SUBMISSION_KEY}', map_indexes=-1)"
    return f"{{{{ ({pulled} or {{}}).get('{member}') }}}}"


def submission_record(submitted: Submitted, this: Try) -> Mapping[str, Any]:
    """Return the value of the :data:`SUBMISSION_KEY` XCom: JSON-safe, and times are Unix times."""
    return {
        "arn": submitted.arn,
        "origin": submitted.origin.value,
        "stale_until": submitted.stale_until,
        "stale_failure": submitted.stale_failure,
        "submitted_at": submitted.submitted_at,
        "submitted_by": this.seed,
    }


def publish_arn(context: Context, arn: str) -> None:
    """Push the XCom that names the image that this task waits for."""
    context["ti"].xcom_push(key=ARN_KEY, value=arn)
