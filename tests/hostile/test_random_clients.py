"""Random clients: whatever they do, in whatever order, and across restarts, the images obey AWS's rules."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from airflow_imagebuilder.local.emulator.backend import Backend
from airflow_imagebuilder.local.emulator.engine import ApiError
from tests.support.bench import grouped, image_request, workflow

if TYPE_CHECKING:
    from pathlib import Path

STEPS = 300
REGION = "us-east-1"
ENDS = {"FAILED", "CANCELLED"}
#: From each status, those that can follow; RetryImage leads back from an end.
EDGES = {
    "PENDING": {"CREATING", "CANCELLED"},
    "CREATING": {"BUILDING", "CANCELLED"},
    "BUILDING": {"TESTING", "DISTRIBUTING", "AVAILABLE", *ENDS},
    "TESTING": {"DISTRIBUTING", "AVAILABLE", *ENDS},
    "DISTRIBUTING": {"INTEGRATING", "AVAILABLE", *ENDS},
    "INTEGRATING": {"AVAILABLE", *ENDS},
    "FAILED": {"TESTING", "DISTRIBUTING", "DELETED"},
    "CANCELLED": {"TESTING", "DISTRIBUTING", "DELETED"},
    "AVAILABLE": {"DEPRECATED", "DISABLED", "DELETED"},
    "DEPRECATED": {"AVAILABLE", "DISABLED", "DELETED"},
    "DISABLED": {"AVAILABLE", "DELETED"},
}


class Clients:
    """Clients that choose their next call at random."""

    def __init__(self, seed: int, state: Path) -> None:
        self._random = random.Random(seed)
        self._state = state
        self._scenario = {"seed": seed, "failures": [{"workflow": "users", "times": 5}]}
        self._tokens = 0
        self.backend = Backend(state=state, scenario=self._scenario)
        data = "schemaVersion: 1.0\nsteps:\n  - {name: Approve, action: WaitForAction}\n"
        self._approval = self._create_workflow("approval", data)
        self.retried: set[str] = set()
        self.answered: set[str] = set()
        self._waited: dict[str, str] = {}
        self.deleted: set[str] = set()

    def call(self, operation: str, **params: Any) -> dict[str, Any] | None:
        """Call an operation; None if it is refused."""
        if not operation.startswith(("Get", "List", "Delete")):
            self._tokens += 1
            params["clientToken"] = f"token-{self._tokens}"
        try:
            return self.backend.call(operation, params, REGION)
        except ApiError:
            return None

    def _create_workflow(self, name: str, data: str) -> str:
        answer = self.call("CreateWorkflow", name=name, semanticVersion="1.0.0", type="TEST", data=data)
        assert answer
        return str(answer["workflowBuildVersionArn"])

    def _image(self) -> str:
        return self._random.choice(
            sorted(self.backend.engine.state.images) or ["arn:aws:imagebuilder:us-east-1:1:image/a/1.0.0/1"]
        )

    def step(self) -> None:
        """Do one thing."""
        kind = self._random.choice(
            ("create", "create", "cancel", "retry", "delete", "time", "time", "restart", "answer", "state")
        )
        image = self._image()
        if kind == "create":
            asks = [workflow("build", "golden-build"), {"workflowArn": self._approval}]
            workflows = self._random.choice((grouped(), grouped()[:1], grouped()[:4], asks))
            self.call("CreateImage", **image_request(workflows=workflows))
        elif kind == "cancel":
            self.call("CancelImageCreation", imageBuildVersionArn=image)
        elif kind == "retry" and self.call("RetryImage", imageBuildVersionArn=image):
            self.retried.add(image)
        elif kind == "delete" and self._random.random() < 0.3:
            if self.call("DeleteImage", imageBuildVersionArn=image):
                self.deleted.add(image)
        elif kind == "answer":
            self._answer(image)
        elif kind == "state":
            self._change_state(image)
        elif kind == "time":
            self.backend.control({"advance": self._random.choice((1, 60, 700, 4_000))})
        elif kind == "restart" and self._random.random() < 0.2:
            before = self.shown()
            self.backend.close()
            self.backend = Backend(state=self._state, scenario=self._scenario)
            assert self.shown() == before

    def _answer(self, image: str) -> None:
        """Answer a step that waits, often not of its image, or of an image that is being cancelled."""
        steps = (self.call("ListWaitingWorkflowSteps") or {}).get("steps", [])
        # A step that waited once may wait no more.
        self._waited |= {step["stepExecutionId"]: step["imageBuildVersionArn"] for step in steps}
        if not self._waited:
            return
        step = self._random.choice(sorted(self._waited))
        if self._random.random() < 0.3:
            self.call("CancelImageCreation", imageBuildVersionArn=self._waited[step])
        before = self.backend.engine.state.images.get(self._waited[step])
        status = before.status if before else None
        answered = self.call(
            "SendWorkflowStepAction",
            stepExecutionId=step,
            imageBuildVersionArn=self._random.choice((self._waited[step], self._waited[step], image)),
            action=self._random.choice(("RESUME", "RESUME", "STOP")),
        )
        if answered:
            self.answered.add(step)
            assert status == "TESTING"
            assert step in {each["stepExecutionId"] for each in steps}

    def _change_state(self, image: str) -> None:
        """Deprecate, disable or delete an image, or make it available again."""
        status = self._random.choice(("DEPRECATED", "DISABLED", "AVAILABLE", "DELETED"))
        params: dict[str, Any] = {"resourceArn": image, "state": {"status": status}}
        if self._random.random() < 0.5:  # later, with the AMIs; the image may be retried until then
            params |= {"executionRole": "lifecycle", "includeResources": {"amis": True}}
            params["state"]["status"] = self._random.choice(("DEPRECATED", "DELETED"))
        changed = self.call("StartResourceStateUpdate", **params)
        if changed and self._random.random() < 0.5 and self.call("RetryImage", imageBuildVersionArn=image):
            self.retried.add(image)

    def shown(self) -> dict[str, Any]:
        """Return what GetImage and ListWorkflowExecutions answer for every image."""
        return {
            arn: (
                self.call("GetImage", imageBuildVersionArn=arn),
                self.call("ListWorkflowExecutions", imageBuildVersionArn=arn),
            )
            for arn in self.backend.engine.state.images
        }

    def check(self) -> None:
        """Check what always holds."""
        state = self.backend.engine.state
        listed = self.call("ListImageBuildVersions", maxResults=100)
        assert listed
        arns = [row["arn"] for row in listed["imageSummaryList"]]
        assert sorted(arns) == sorted(state.images)
        assert not self.deleted & set(arns)
        for image in state.images.values():
            statuses = [entry["status"] for entry in image.history]
            for before, after in pairwise(statuses):
                assert after in EDGES[before], statuses
            if any(before in ENDS and after != "DELETED" for before, after in pairwise(statuses)):
                assert image.arn in self.retried
            moments = [entry["virtual"] for entry in image.history]
            assert moments == sorted(moments)
            running = [e for e in image.executions if e.workflow.type == "TEST" and e.status == "RUNNING"]
            assert len(running) <= 5
            assert not (image.ended and running)
        for _, runs in self.shown().values():
            for run in runs["workflowExecutions"]:
                execution = state.executions[run["workflowExecutionId"]]
                counts = {name: execution.count(name) for name in ("COMPLETED", "FAILED", "SKIPPED")}
                assert run["totalStepCount"] == len(execution.steps)
                assert (
                    run["totalStepsSucceeded"],
                    run["totalStepsFailed"],
                    run["totalStepsSkipped"],
                ) == tuple(counts.values())
                assert run.get("startTime", "") <= run.get("endTime", "9")


@pytest.mark.parametrize("seed", range(3))
def test_random_clients_break_no_rule(seed: int, tmp_path: Path) -> None:
    clients = Clients(seed, tmp_path / "state.jsonl")
    for _ in range(STEPS):
        clients.step()
        clients.check()
    clients.backend.control({"advance": 400_000})
    clients.check()
    assert all(image.ended for image in clients.backend.engine.state.images.values())
    assert clients.backend.engine.state.images
    assert clients.answered
    clients.backend.close()
