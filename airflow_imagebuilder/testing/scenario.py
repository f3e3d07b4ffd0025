"""Scenario: durations, failures and faults of the local Image Builder, as calls of Python.

Each call maps to the keys of the scenario file, see :mod:`airflow_imagebuilder.local.emulator.scenario`.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Seconds = float | tuple[float, float]


class Scenario:
    """What happens on the local Image Builder from now on, until the test ends.

    A name that the service does not know is refused: a failure that never happens would pass for a success.
    """

    def control(self, **settings: Any) -> dict[str, Any]:
        """Send a control request; its keys are those of the scenario file.

        :raises ValueError: a setting is unknown or invalid; nothing has changed.
        """
        raise NotImplementedError

    def fail(
        self,
        *,
        workflow: str | None = None,
        step: str | None = None,
        component: str | None = None,
        phase: Literal["build", "validate", "test"] | None = None,
        region: str | None = None,
        configuration_step: str | None = None,
        message: str | None = None,
        times: int | None = None,
        per: Literal["service", "image"] | None = None,
        image: str | None = None,
        rollback: bool | None = None,
        status: Literal["FAILED", "CANCELLED", "TIMED_OUT"] | None = None,
        **members: str,
    ) -> None:
        """
        Let a workflow, a component or the distribution to a region fail.

        :param workflow: name or ARN of the workflow, which may hold ``*``; it fails in its main step.
        :param step: the step that fails instead.
        :param component: name or ARN of a component of the recipe, which fails where it runs.
        :param phase: the phase of the component; ``build`` by default.
        :param region: the region to which the copy fails.
        :param configuration_step: the step after the copy that fails, e.g. ``PUT_SSM_PARAMETERS``.
        :param message: what the service gives as the reason.
        :param times: how often; always by default.
        :param per: count ``times`` per ``image`` or for the whole ``service`` (default).
        :param image: only images of this name or ARN, which may hold ``*``; all by default.
        :param rollback: whether the execution becomes ROLLBACK_COMPLETED, not FAILED.
        :param status: of a failed copy; FAILED by default.
        :param members: the rarer members of the scenario file: ``component_step``, ``action``, ``account``.
        :raises ValueError: a name or a value is not one that the service knows.
        """
        given = {
            "workflow": workflow,
            "step": step,
            "component": component,
            "phase": phase,
            "region": region,
            "configuration_step": configuration_step,
            "message": message,
            "times": times,
            "per": per,
            "image": image,
            "rollback": rollback,
            "status": status,
            **members,
        }
        self.control(failures=[_given(given)])

    def throttle(self, operation: str, times: int | None = None, *, rate: float | None = None) -> None:
        """
        Let calls of an operation fail as AWS throttles them.

        :param operation: e.g. ``GetImage``; ``*`` means all.
        :param times: how many calls; all by default.
        :param rate: the share of calls, from 0 to 1; 1 by default.
        :raises ValueError: Image Builder does not have the operation, or a number is out of bounds.
        """
        self.fault(operation, code="CallRateLimitExceededException", times=times, rate=rate)

    def fault(
        self,
        operation: str,
        kind: Literal["error", "reset", "delay", "hang", "truncated", "empty", "malformed"] = "error",
        *,
        code: str | None = None,
        message: str | None = None,
        status: int | None = None,
        times: int | None = None,
        skip: int | None = None,
        rate: float | None = None,
        seconds: float | None = None,
        performed: bool | None = None,
    ) -> None:
        """
        Let calls of an operation fail.

        :param operation: e.g. ``GetImage``; ``*`` means all.
        :param kind: an error of AWS (default), a broken connection, or a slow or damaged answer.
        :param code: of an error; ``ServiceUnavailableException`` by default.
        :param message: of an error.
        :param status: the HTTP status of an error; by default that of AWS's model for the code.
        :param times: how many calls; all by default.
        :param skip: how many calls succeed first; 0 by default.
        :param rate: the share of calls, from 0 to 1; 1 by default.
        :param seconds: real seconds of a delay; 5 by default.
        :param performed: whether the service carries out the request; by default not for an error, a reset
            and a hang.
        :raises ValueError: Image Builder does not have the operation, or a value is out of bounds.
        """
        check_operation(operation)
        given = {
            "operation": operation,
            "kind": kind,
            "code": code,
            "message": message,
            "status": status,
            "times": times,
            "skip": skip,
            "rate": rate,
            "seconds": seconds,
            "performed": performed,
        }
        self.control(faults=[_given(given)])

    def durations(
        self,
        *,
        workflows: Mapping[str, float] | None = None,
        steps: Mapping[str, float] | None = None,
        **phases: Seconds,
    ) -> None:
        """
        Set how long things take, in virtual seconds.

        :param phases: ``pending``, ``creating``, ``build``, ``test``, ``distribution``, ``integration``,
            ``cancellation``, ``retry``; a pair is a range, from which each workflow gets its own number.
        :param workflows: by name of the workflow.
        :param steps: by ``<workflow>/<step>``.
        :raises ValueError: a phase is unknown, or a number is out of bounds.
        """
        settings = {"durations": phases, "workflows": workflows, "steps": steps}
        self.control(**{key: dict(value) for key, value in settings.items() if value})

    def findings(self, *, critical: int = 0, high: int = 0, medium: int = 0) -> None:
        """Set how many findings the scan of an image reports."""
        self.control(findings={"critical": critical, "high": high, "medium": medium})

    def clear(self) -> None:
        """End all failures and faults; durations stay."""
        self.control(clear_failures=True, clear_faults=True)


def _given(members: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in members.items() if value is not None}


def check_operation(operation: str) -> None:
    """
    Check the name of an operation.

    :raises ValueError: Image Builder does not have it; the message suggests others.
    """
    if operation == "*" or operation in (known := _operations()):
        return
    close = get_close_matches(operation, known, n=3) or known[:3]
    raise ValueError(f"Image Builder has no operation {operation!r}; do you mean {', '.join(close)}?")


def _operations() -> Sequence[str]:
    import botocore.session

    model = botocore.session.get_session().get_service_model("imagebuilder")
    return list(model.operation_names)
