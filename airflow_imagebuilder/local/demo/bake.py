"""What a bake looks like from outside: the image and its workflows, as Image Builder's own API tells them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ARN_KEY = "image_build_version_arn"
"""XCom under which the operator tells its image before it waits."""

DONE = frozenset({"COMPLETED", "FAILED", "ROLLBACK_COMPLETED", "CANCELLED", "SKIPPED"})
"""Workflow statuses in which an execution stays."""


@dataclass(frozen=True, kw_only=True)
class WorkflowRow:
    """One workflow of an image, whether it has begun or not.

    :param seconds: how long it took on the service's clock; None until it has ended.
    """

    name: str
    kind: str
    group: str
    status: str
    seconds: float | None
    message: str

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return self.status in DONE


@dataclass(frozen=True, kw_only=True)
class Bake:
    """An image at one moment."""

    arn: str
    name: str
    status: str
    reason: str
    rows: tuple[WorkflowRow, ...]
    amis: tuple[Mapping[str, Any], ...]

    @property
    def tests(self) -> tuple[WorkflowRow, ...]:
        """The test workflows alone."""
        return tuple(row for row in self.rows if row.kind == "TEST")


def look(client: Any, arn: str) -> Bake:
    """Ask Image Builder for an image and its workflow executions.

    :param client: boto3 client of Image Builder.
    """
    image = client.get_image(imageBuildVersionArn=arn)["image"]
    pages = client.get_paginator("list_workflow_executions").paginate(imageBuildVersionArn=arn)
    executions = [e for page in pages for e in page["workflowExecutions"] if not e.get("retried")]
    return Bake(
        arn=arn,
        name=f"{image['name']} {image['version']}",
        status=image["state"]["status"],
        reason=image["state"].get("reason", ""),
        rows=_rows(image.get("workflows", ()), executions),
        amis=tuple(image.get("outputResources", {}).get("amis", ())),
    )


def _rows(
    planned: Sequence[Mapping[str, Any]], executions: Sequence[Mapping[str, Any]]
) -> tuple[WorkflowRow, ...]:
    """Put the executions in the order of the plan; what is planned and has not begun is PENDING."""
    waiting = list(executions)
    rows = []
    for workflow in planned:
        arn, group = workflow["workflowArn"], workflow.get("parallelGroup", "")
        wanted = (_kind_and_name(arn), group)
        begun = next(
            (e for e in waiting if (_kind_and_name(_arn(e)), e.get("parallelGroup", "")) == wanted), {}
        )
        waiting = [e for e in waiting if e is not begun]
        rows.append(_row(arn, group, begun))
    # What AWS adds on its own is the distribution, and that is last.
    return (*rows, *(_row(_arn(e), e.get("parallelGroup", ""), e) for e in waiting))


def _arn(execution: Mapping[str, Any]) -> str:
    return str(execution.get("workflowBuildVersionArn", ""))


def _kind_and_name(arn: str) -> tuple[str, str]:
    """Read ``TEST`` and ``boot`` out of ``...:workflow/test/boot/1.0.0/1``; a version may be a wildcard."""
    kind, name = [*arn.rsplit(":workflow/", maxsplit=1)[-1].split("/"), ""][:2]
    return kind.upper(), name


def _row(arn: str, group: str, execution: Mapping[str, Any]) -> WorkflowRow:
    kind, name = _kind_and_name(arn)
    return WorkflowRow(
        name=name or arn,
        kind=execution.get("type") or kind,
        group=group,
        status=execution.get("status", "PENDING"),
        seconds=_seconds(execution.get("startTime"), execution.get("endTime")),
        message=execution.get("message", ""),
    )


def _seconds(start: str | None, end: str | None) -> float | None:
    if not start or not end:
        return None
    first, last = (datetime.fromisoformat(text.replace("Z", "+00:00")) for text in (start, end))
    return (last - first).total_seconds()


def amis_in_ec2(clients: Mapping[str, Any], amis: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Read AMIs back from the EC2 of their regions.

    :param clients: boto3 clients of EC2 by region.
    :return: a mapping an AMI: ``region``, ``image``, ``name``, ``state``, which is ``missing`` where EC2
        has none of that id.
    """
    found = []
    for ami in amis:
        images = clients[ami["region"]].describe_images(
            Filters=[{"Name": "image-id", "Values": [ami["image"]]}]
        )["Images"]
        state = images[0]["State"] if images else "missing"
        found.append({"region": ami["region"], "image": ami["image"], "name": ami["name"], "state": state})
    return found
