"""What an image that has finished means for the task that waited for it: a result, or an error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.errors import TestsFailedError, error_for_image
from airflow_imagebuilder.service.results.cause import failed_execution
from airflow_imagebuilder.service.results.image import ImageResult
from airflow_imagebuilder.service.results.states import IMAGE_SUCCEEDED, WORKFLOW_FAILED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_imagebuilder.operators.base import ImageBuilderBaseOperator

    Answer = Mapping[str, Any]
    Record = Callable[[Answer, Sequence[Answer], Sequence[Answer]], None]


def image_result(operator: ImageBuilderBaseOperator, image: Mapping[str, Any], record: Record) -> ImageResult:
    """
    Return the result of an image that has finished, and log it.

    :param operator: the operator of the task, for its hook and its log.
    :param image: GetImage's ``image``.
    :param record: called with the image, all its executions, and the steps of the one that failed.
    :raises ImageFailedError: (or ImageCancelledError) it did not end well.
    """
    everything = operator.hook.list_workflow_executions(image["arn"], include_retried=True)
    executions = [execution for execution in everything if not execution.get("retried")]
    if image["state"]["status"] not in IMAGE_SUCCEEDED:
        failed = failed_execution(image, executions)
        steps = operator.readable_steps(failed["workflowExecutionId"]) if failed else []
        record(image, everything, steps)
        raise error_for_image(image["arn"], image, executions, steps)
    record(image, everything, ())
    result = ImageResult.from_api(image, executions)
    _log(operator.log, result)
    return result


def refuse_failed_tests(result: ImageResult) -> None:
    """
    Refuse an image with a failed test: AWS calls it AVAILABLE where ``onFailure`` is CONTINUE.

    :raises TestsFailedError: a test failed.
    """
    if failed := [test.name for test in result.tests if test.status in WORKFLOW_FAILED]:
        raise TestsFailedError(arn=result.arn, tests=failed)


def _log(log: Any, result: ImageResult) -> None:
    log.info("Image %s is %s", result.arn, result.status)
    for test in result.tests:
        log.info("Test %s: %s", test.name, test.status)
    for ami in result.amis:
        log.info("AMI %s in %s (account %s)", ami.image, ami.region, ami.account_id)
    for container in result.containers:
        log.info("Container in %s: %s", container.region, ", ".join(container.image_uris))
