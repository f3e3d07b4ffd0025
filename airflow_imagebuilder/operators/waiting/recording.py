"""
What a try on a worker records of its image, for Airflow's pages: docs/build-record.md documents these XComs.

Recording never fails a task, and never makes it try again. The records are plain JSON in Airflow's database,
also where XComs have a backend of their own, if that one leaves alone what it has not stored.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.build_record import SCHEMA
from airflow_imagebuilder.compat import is_asking, keeps_plain_xcoms, redact
from airflow_imagebuilder.service.results.states import is_image_terminal
from airflow_imagebuilder.xcom import BUILD_KEY, FINDINGS_KEY, LIVE_BUILD_KEY, WORKFLOW_KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow.sdk import Context

    from airflow_imagebuilder.service.monitoring import WorkflowSelector
    from airflow_imagebuilder.service.results.snapshot import ImageSnapshot


class Recording:
    """
    Writes the records of one try.

    :param context: the task's context.
    :param log: the task's log.
    :param submitted: whether the task submits the image, or decides about one of its own run; ``False`` if it
        only observes.
    """

    def __init__(self, context: Context, log: Any, *, submitted: bool = True) -> None:
        self.ti: Any = context["ti"]
        self._log, self._submitted = log, submitted
        self._before: Mapping[str, Any] | None = None
        self._complained = False

    def seen(self, image: Mapping[str, Any]) -> None:
        """
        Write an image that is in progress, or about to be repaired.

        :param image: GetImage's ``image``.
        """

        def make() -> dict[str, Any]:
            self._before = self._build(image, None, ())
            return self._before

        self._write(LIVE_BUILD_KEY, make)

    def ended(
        self,
        image: Mapping[str, Any],
        executions: Sequence[Mapping[str, Any]] | None = None,
        steps: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """
        Write how an image ended.

        :param image: GetImage's ``image``. One that is still in progress, such as after a cancel that AWS has
            accepted, is written as such.
        :param executions: ListWorkflowExecutions' ``workflowExecutions``, also those that are ``retried``;
            ``None`` (default) if they were not read.
        :param steps: ListWorkflowStepExecutions' ``steps`` of the execution that failed.
        """
        ended = is_image_terminal(str(image["state"]["status"]))

        def make() -> dict[str, Any]:
            self._before = self._before or self._read()
            return self._build(image, executions, steps)

        if self._write(BUILD_KEY if ended else LIVE_BUILD_KEY, make) and ended:
            self._remove(LIVE_BUILD_KEY)

    def workflow(
        self, snapshot: ImageSnapshot, selector: WorkflowSelector, steps: Sequence[Mapping[str, Any]]
    ) -> None:
        """
        Write one workflow of an image.

        :param snapshot: the image with its executions.
        :param selector: the workflow.
        :param steps: ListWorkflowStepExecutions' ``steps`` of its execution.
        """

        def make() -> dict[str, Any]:
            # Not when a Dag is parsed.
            from airflow_imagebuilder.build_record.workflow import workflow_record

            execution = selector.execution(snapshot.executions)
            everything = redact([*snapshot.superseded, *snapshot.executions])
            return workflow_record(
                snapshot.arn,
                selector,
                redact(dict(execution)) if execution else None,
                redact([dict(step) for step in steps]),
                executions=everything,
                asked_at=time.time(),
            )

        self._write(WORKFLOW_KEY, make)

    def findings(self, arn: str, counts: Mapping[str, int]) -> None:
        """
        Write the findings of an image.

        :param arn: image build version ARN.
        :param counts: findings by severity.
        """
        by_severity = {severity.lower(): count for severity, count in counts.items()}
        self._write(FINDINGS_KEY, lambda: {"schema": SCHEMA, "arn": arn, "counts": by_severity})

    def _build(
        self,
        image: Mapping[str, Any],
        executions: Sequence[Mapping[str, Any]] | None,
        steps: Sequence[Mapping[str, Any]],
    ) -> dict[str, Any]:
        from airflow_imagebuilder.build_record.build import Answers, build_record

        answers = Answers(
            image=redact(dict(image)),
            executions=None if executions is None else redact(list(executions)),
            steps=redact(list(steps)),
            asked_at=time.time(),
        )
        number = getattr(self.ti, "try_number", None) or 1
        return build_record(answers, submitted=self._submitted, try_number=number, before=self._before)

    def _read(self) -> Mapping[str, Any] | None:
        """Return what this task has recorded so far, in this try or, on Airflow 3.0, in the one before."""
        from airflow.sdk.execution_time.comms import GetXCom

        found = None
        with suppress(Exception):  # the record then lacks the stages that the trigger saw
            found = getattr(_send(GetXCom(key=LIVE_BUILD_KEY, **self._whose)), "value", None)
        return found if isinstance(found, dict) else None

    def _write(self, key: str, make: Callable[[], dict[str, Any]]) -> bool:
        """Write a record, and return whether Airflow took it."""
        # Outside of a running task nothing takes records. A signal handler may have interrupted a call.
        if not _is_supervised() or is_asking() or not keeps_plain_xcoms():
            return False
        from airflow.sdk.execution_time.comms import SetXCom

        try:
            # Once more, for what is not of an answer: an ARN may have a secret in its name.
            _send(SetXCom(key=key, value=redact(make()), **self._whose))
        except Exception as error:  # noqa: BLE001 (whatever it is, the task continues)
            self._complain(key, error)
            return False
        return True

    def _remove(self, key: str) -> None:
        """Remove a record that a later one replaces: the lists of images then read half as much."""
        from airflow.sdk.execution_time.comms import DeleteXCom

        with suppress(Exception):  # a reader prefers the later one anyway
            _send(DeleteXCom(key=key, **self._whose))

    @property
    def _whose(self) -> dict[str, Any]:
        ti = self.ti
        return {"dag_id": ti.dag_id, "run_id": ti.run_id, "task_id": ti.task_id, "map_index": ti.map_index}

    def _complain(self, key: str, error: Exception) -> None:
        if not self._complained:
            self._complained = True
            self._log.warning(
                "Airflow did not take the record of the image for its pages (XCom %s): %s. "
                "This does not affect the image.",
                key,
                str(error) or type(error).__name__,
            )


def _is_supervised() -> bool:
    from airflow.sdk.execution_time import task_runner

    return getattr(task_runner, "SUPERVISOR_COMMS", None) is not None


def _send(message: Any) -> Any:
    from airflow.sdk.execution_time import task_runner

    return task_runner.SUPERVISOR_COMMS.send(message)
