"""A row of the images page, from the record of an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.results.states import is_image_terminal
from airflow_imagebuilder.ui.api.models import Ami, Container, ImageRow, Scan
from airflow_imagebuilder.ui.run_view import values

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_imagebuilder.ui.run_view.records import Place, Stored

Counts = dict[str, int]


def image_row(stored: Stored, owner: Place, counts: Counts | None = None, *, stale: bool) -> ImageRow:
    """
    Return what the images page shows of an image.

    :param stored: the record that counts.
    :param owner: the task instance that submitted the image, else one that waits for it.
    :param counts: findings by severity, of a scan gate.
    :param stale: every task that recorded the image has ended; it matters only if the image has not.
    """
    record = stored.value
    status = values.text(record, "status") or "UNKNOWN"
    ended = is_image_terminal(status)
    return ImageRow(
        arn=stored.arn,
        name=values.text(record, "name") or stored.arn,
        version=values.text(record, "version") or "",
        type="DOCKER" if record.get("type") == "DOCKER" else "AMI",
        platform=values.text(record, "platform"),
        status=status,
        ended=ended,
        stale=stale and not ended,
        created_at=values.written(values.time(record, "created_at")),
        ended_at=values.written(values.time(record, "ended_at")),
        duration=values.number(record, "duration"),
        tests_passed=values.count(record, "tests_passed"),
        tests_failed=values.count(record, "tests_failed"),
        tests_total=values.count(record, "tests_total"),
        scan=_scan(record, counts),
        amis=[_ami(one) for one in values.items(record, "amis")],
        containers=[_container(one) for one in values.items(record, "containers")],
        submitted=record.get("submitted") is True,
        dag_id=owner.dag_id,
        run_id=owner.run_id,
        task=owner.task,
    )


def counts_of(record: Mapping[str, Any]) -> Counts:
    """Return the findings by severity of a scan gate's record; at most fifty severities."""
    counts = values.mapping(record, "counts")
    names = [name for name in list(counts)[:50] if values.number(counts, name) is not None]
    return {str(name)[:50]: values.count(counts, name) for name in names}


def _scan(record: Mapping[str, Any], counts: Counts | None) -> Scan | None:
    status = values.text(values.mapping(record, "scan"), "status")
    return Scan(status=status, counts=counts) if status or counts is not None else None


def _ami(ami: Mapping[str, Any]) -> Ami:
    return Ami(
        region=values.text(ami, "region") or "",
        account_id=values.text(ami, "account_id"),
        image=values.text(ami, "image"),
        name=values.text(ami, "name"),
    )


def _container(container: Mapping[str, Any]) -> Container:
    return Container(
        region=values.text(container, "region") or "", image_uris=values.texts(container, "image_uris")
    )
