"""Bench: an engine on a clock that moves by hand, with every request and answer checked against the model."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.local.emulator.engine import ApiError, Behaviour, Engine, Failure, Recorder
from airflow_imagebuilder.local.emulator.http.codec import Codec
from airflow_imagebuilder.local.emulator.seed import seed
from tests.support.arns import PREFIX
from tests.support.aws_model import LATER_OPERATIONS, NARROWER, OPTIONAL_TODAY, is_older, known, model

if TYPE_CHECKING:
    from collections.abc import Sequence

HEAD = f"{PREFIX}:"
CODEC = Codec()
FUNCTIONAL = ("boot", "network", "services", "storage", "time-sync", "users")
NAMES_OF_TESTS = (*FUNCTIONAL, "performance", "cis-level-1", "package-audit")
#: More timers than any bake of these tests needs.
MANY = 2_000


def workflow(workflow_type: str, name: str, **more: Any) -> dict[str, Any]:
    """Return the WorkflowConfiguration of a seeded workflow."""
    return {"workflowArn": f"{HEAD}workflow/{workflow_type}/{name}/1.0.0/1", **more}


def grouped() -> list[dict[str, Any]]:
    """Return the workflows of the golden image: six tests in a group, one alone, two in another group."""
    return [
        workflow("build", "golden-build"),
        *(workflow("test", name, parallelGroup="functional") for name in FUNCTIONAL),
        workflow("test", "performance"),
        *(workflow("test", name, parallelGroup="security") for name in ("cis-level-1", "package-audit")),
    ]


def image_request(**over: Any) -> dict[str, Any]:
    """Return the request of CreateImage for the golden image; None removes a member."""
    request = {
        "imageRecipeArn": f"{HEAD}image-recipe/golden-al2023/1.0.0",
        "infrastructureConfigurationArn": f"{HEAD}infrastructure-configuration/golden-build",
        "distributionConfigurationArn": f"{HEAD}distribution-configuration/golden-two-regions",
        "executionRole": "ImageBuilderExecution",
        "workflows": grouped(),
        **over,
    }
    return {key: value for key, value in request.items() if value is not None}


def _validate(operation: str, params: dict[str, Any]) -> None:
    try:
        CODEC.validate(operation, params)
    except ApiError as refusal:
        demanded = [f'Missing required parameter in input: "{name}"' for name in OPTIONAL_TODAY]
        if not (is_older() and refusal.message.endswith(tuple(demanded))):
            raise


class Bench:
    """An engine with the golden resources."""

    def __init__(self, *failures: Failure, behaviour: Behaviour | None = None) -> None:
        self.world = Recorder()
        self.behaviour = behaviour or Behaviour()
        self.behaviour.failures.extend(failures)
        self.engine = Engine(seed=1, behaviour=self.behaviour, world=self.world)
        seed(self.engine)
        self._tokens = count(1)

    def call(self, operation: str, region: str = "us-east-1", **params: Any) -> dict[str, Any]:
        """Call an operation as a client does; request and answer are checked against the model."""
        if operation not in CODEC.operations:
            assert operation in LATER_OPERATIONS, operation
            params.setdefault("clientToken", f"token-{next(self._tokens)}")
            return self.engine.call(operation, params, region=region)
        if "clientToken" in CODEC.members(operation):
            params.setdefault("clientToken", f"token-{next(self._tokens)}")
        shapes = model().operation_model(operation)
        _validate(operation, known(shapes.input_shape, params))
        answer = self.engine.call(operation, params, region=region)
        faults = CODEC.check_answer(operation, known(shapes.output_shape, answer))
        assert [fault for fault in faults if not (is_older() and fault.endswith(NARROWER))] == []
        return answer

    def bake(self, **over: Any) -> str:
        """Create the golden image and return its ARN."""
        return str(self.call("CreateImage", **image_request(**over))["imageBuildVersionArn"])

    def image(self, arn: str) -> dict[str, Any]:
        """Return what GetImage shows."""
        return dict(self.call("GetImage", imageBuildVersionArn=arn)["image"])

    def status(self, arn: str) -> str:
        """Return the status of an image."""
        return str(self.image(arn)["state"]["status"])

    def statuses(self, arn: str) -> list[str]:
        """Return every status that an image has had."""
        return [entry["status"] for entry in self.engine.state.images[arn].history]

    def executions(self, arn: str) -> list[dict[str, Any]]:
        """Return what ListWorkflowExecutions lists."""
        answer = self.call("ListWorkflowExecutions", imageBuildVersionArn=arn)
        return list(answer["workflowExecutions"])

    def outcome(self, arn: str, *, retried: bool = False) -> dict[str, str]:
        """Return the status of each execution by workflow name."""
        return {
            run["workflowBuildVersionArn"].split("/")[2]: run["status"]
            for run in self.executions(arn)
            if run.get("retried", False) is retried
        }

    def steps(self, arn: str, name: str) -> list[dict[str, Any]]:
        """Return the steps of the newest execution of a workflow."""
        runs = [r for r in self.executions(arn) if f"/{name}/" in r["workflowBuildVersionArn"]]
        answer = self.call("ListWorkflowStepExecutions", workflowExecutionId=runs[-1]["workflowExecutionId"])
        return list(answer["steps"])

    def turn(self) -> bool:
        """Move the clock to the next timer; False without a timer."""
        due = self.engine.next_due()
        if due is None:
            return False
        self.engine.clock.advance(max(0.0, due - self.engine.clock.now()))
        self.engine.run_due()
        return True

    def run_to(self, arn: str, *wanted: str) -> str:
        """Move the clock until an image has one of some statuses."""
        for _ in range(MANY):
            if (status := self.status(arn)) in wanted:
                return status
            assert self.turn(), f"{status}, and no timer is left"
        raise AssertionError(f"still {self.status(arn)}")

    def finish(self, arn: str) -> str:
        """Move the clock until an image has finished."""
        return self.run_to(arn, "AVAILABLE", "FAILED", "CANCELLED")

    def create_workflow(
        self, name: str, steps: Sequence[str], workflow_type: str = "TEST", head: str = ""
    ) -> str:
        """Create a workflow from the lines of its steps."""
        data = f"schemaVersion: 1.0\n{head}steps:\n" + "\n".join(f"  - {step}" for step in steps)
        answer = self.call(
            "CreateWorkflow", name=name, semanticVersion="1.0.0", type=workflow_type, data=data
        )
        return str(answer["workflowBuildVersionArn"])
