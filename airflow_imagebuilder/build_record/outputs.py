"""What an image has given, or why it failed, in its record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.build_record.values import ARN, MESSAGE, mapping, text, word
from airflow_imagebuilder.service.results.ami import amis_of, in_order
from airflow_imagebuilder.service.results.failure import ImageFailure
from airflow_imagebuilder.service.results.failure_text import component_line, failure_message
from airflow_imagebuilder.service.results.states import ImageStatus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_TEXT = 6000
_URIS = 20


def amis_in(image: Mapping[str, Any], executions: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """
    Return the golden AMIs of an image: that of the build's region and account first.

    :param image: GetImage's ``image``.
    :param executions: ListWorkflowExecutions' ``workflowExecutions``.
    """
    return [
        {
            "region": word(ami.region) or "",
            "account_id": word(ami.account_id),
            "image": text(ami.image),
            "name": text(ami.name),
        }
        for ami in in_order(amis_of(image, executions), str(image.get("arn")))
    ]


def containers_in(containers: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """
    Return the container images of an image, by region.

    :param containers: GetImage's ``outputResources.containers``.
    """
    return [
        {
            "region": word(item.get("region")) or "",
            "image_uris": [text(uri, ARN) for uri in (item.get("imageUris") or ())[:_URIS] if uri],
        }
        for item in containers
    ]


def failure_in(
    image: Mapping[str, Any], executions: Sequence[Mapping[str, Any]], steps: Sequence[Mapping[str, Any]]
) -> dict[str, Any] | None:
    """
    Return what failed in an image, with the text and the advice of the task's error; ``None`` if nothing did.

    :param image: GetImage's ``image``.
    :param executions: ListWorkflowExecutions' ``workflowExecutions``.
    :param steps: ListWorkflowStepExecutions' ``steps`` of the execution that failed.
    """
    if mapping(image.get("state")).get("status") != ImageStatus.FAILED:
        return None
    # Imported here, as in failure_text: a Dag file that is parsed has no use for the tables of advice.
    from airflow_imagebuilder.service.results.advice.advice import advice

    failure = ImageFailure.from_api(image, executions, steps)
    return {
        "stage": word(failure.stage),
        "workflow": text(failure.workflow.name),
        "step": text(failure.step.name),
        "component": text(component_line(failure)),
        "message": text(failure.message or failure.reason, MESSAGE),
        "advice": text(advice(failure), 2 * MESSAGE),
        "text": text(failure_message(failure, str(image.get("arn"))), _TEXT),
    }
