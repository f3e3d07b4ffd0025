"""The XComs of this package: one vocabulary of keys, and the templates that pull them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.errors import Fault, InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import Context

    from airflow_imagebuilder.service.submission.ports import Submitted, Try

ARN_KEY = "image_build_version_arn"
"""Key of the XCom by which a task says which image it waits for."""

SUBMISSION_KEY = "image_submission"
"""Key of the XCom by which a submitting task says which of its tries has which image."""


def known_arn(rendered: object) -> str:
    """
    Return the ARN that a template rendered.

    :raises AirflowSkipException: there is none: nothing was submitted.
    :raises InvalidRequestError: there is something that is no ARN.
    """
    if rendered in (None, "", "None"):
        from airflow.sdk.exceptions import AirflowSkipException

        raise AirflowSkipException("No image was submitted in this run, so there is nothing to watch.")
    if isinstance(rendered, str) and rendered.startswith("arn:"):
        return rendered
    allowed = "the ARN of an image build version, as text"
    way_out = "give the XCom image_build_version_arn of the task that submits it, one image for each task"
    raise InvalidRequestError([Fault("image_build_version_arn", rendered, allowed, way_out)])


def as_time(rendered: float | str | None) -> float | None:
    """Return the Unix time that a template rendered, ``None`` where it rendered nothing."""
    return None if rendered in (None, "", "None") else float(rendered)


def submission_xcom(task_id: str, member: str) -> str:
    """Return the template that pulls a member of what a submitting task pushed."""
    pulled = f"ti.xcom_pull(task_ids='{task_id}', key='{SUBMISSION_KEY}', map_indexes=-1)"
    return f"{{{{ ({pulled} or {{}}).get('{member}') }}}}"


def submission_record(submitted: Submitted, this: Try) -> Mapping[str, Any]:
    """Return what is pushed under :data:`~airflow_imagebuilder.xcom.SUBMISSION_KEY`."""
    return {
        "arn": submitted.arn,
        "origin": submitted.origin.value,
        "stale_until": submitted.stale_until,
        "stale_failure": submitted.stale_failure,
        "submitted_at": submitted.submitted_at,
        "submitted_by": this.seed,
    }


def publish_arn(context: Context, arn: str) -> None:
    """Push the XCom by which others learn which image this task is about."""
    context["ti"].xcom_push(key=ARN_KEY, value=arn)
