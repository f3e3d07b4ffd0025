"""Records: the calls, tokens, images and executions of the service, for tests that run against it."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.local.emulator.engine import ApiError, Clock, Engine, iso

if TYPE_CHECKING:
    from airflow_imagebuilder.local.emulator.engine import Doc, Execution, Image

MAX_CHANGES = 10_000


class Records:
    """Counts of all calls, and a list of the calls that change something."""

    def __init__(self) -> None:
        self._calls: dict[str, Counter[str]] = {}
        self._statuses: Counter[str] = Counter()
        self._tokens: dict[tuple[str, str], Doc] = {}
        self._changes: deque[Doc] = deque(maxlen=MAX_CHANGES)

    def count(self, operation: str, outcome: str) -> None:
        """Count a call.

        :param outcome: the HTTP status, or what a fault did instead of an answer.
        """
        self._calls.setdefault(operation, Counter())[outcome] += 1
        self._statuses[outcome] += 1

    def change(
        self,
        operation: str,
        params: Doc,
        answer: Doc,
        error: ApiError | None,
        clock: Clock,
        *,
        region: str,
        account: str,
    ) -> None:
        """Record a call that may have changed something, with what was sent and its token."""
        arn = next((str(value) for key, value in answer.items() if key.endswith("Arn")), None)
        token = params.get("clientToken")
        now = clock.now()
        self._changes.append(
            {
                "operation": operation,
                "region": region,
                "account": account,
                "params": params,
                "arn": arn or params.get("imageBuildVersionArn"),
                "clientToken": token,
                "error": error.code if error else None,
                "virtual": iso(now),
                "real": clock.real(),
            }
        )
        if token:
            empty = {"operation": operation, "token": token, "count": 0, "arn": None}
            seen = self._tokens.setdefault((operation, token), empty)
            seen["count"] += 1
            seen["arn"] = arn or seen["arn"]

    def snapshot(self, engine: Engine) -> Doc:
        """Return all records as JSON-safe values."""
        return {
            "images": [_image(image) for each in engine.engines for image in each.state.images.values()],
            "calls": {name: {"total": sum(c.values()), **c} for name, c in sorted(self._calls.items())},
            "statuses": dict(self._statuses),
            "tokens": list(self._tokens.values()),
            "changes": list(self._changes),
        }


def _image(image: Image) -> Doc:
    return {
        "arn": image.arn,
        "name": image.doc["name"],
        "type": image.doc["type"],
        "status": image.status,
        "account": image.account,
        "region": image.region,
        "history": [{**entry, "virtual": iso(entry["virtual"])} for entry in image.history],
        "amis": dict(image.copies),
        "executions": [_execution(execution) for execution in image.executions],
    }


def _execution(execution: Execution) -> Doc:
    def stamp(moment: float | None) -> Any:
        return None if moment is None else iso(moment)

    return {
        "id": execution.id,
        "workflow": execution.workflow.name,
        "type": execution.workflow.type,
        "group": execution.workflow.group,
        "status": execution.status,
        "retried": execution.retried,
        "start": stamp(execution.start),
        "end": stamp(execution.end),
    }
