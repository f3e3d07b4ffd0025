"""The life cycle of an image: build, tests, distribution, and the ways out of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_imagebuilder.local.emulator.engine import guesses
from airflow_imagebuilder.local.emulator.engine import identifiers as names
from airflow_imagebuilder.local.emulator.engine.errors import ApiError
from airflow_imagebuilder.local.emulator.engine.simulation import test_order as order
from airflow_imagebuilder.local.emulator.engine.simulation import workflow_documents as plans
from airflow_imagebuilder.local.emulator.engine.simulation.distribution import Distribution
from airflow_imagebuilder.local.emulator.engine.simulation.workflow_runner import WorkflowRunner
from airflow_imagebuilder.local.emulator.engine.state import Execution, Image, PlannedWorkflow

if TYPE_CHECKING:
    from airflow_imagebuilder.local.emulator.engine.simulation.context import SimulationContext
    from airflow_imagebuilder.local.emulator.engine.state import Doc

FAILED_EXECUTION = frozenset({"FAILED", "ROLLBACK_COMPLETED"})


class ImageLifecycle:
    """Moves images on, one timer after another."""

    def __init__(self, core: SimulationContext) -> None:
        self._core = core
        self._outputs = Distribution(core)
        self.executions = WorkflowRunner(core, self)
        self._handlers = {
            "creating": self._creating,
            "build": self._build,
            "retry": self._again,
            "distribution": self._distribution_due,
            "integration": self._integration_due,
            "cancelled": self._cancelled,
        }

    def fire(self, kind: str, args: tuple[object, ...]) -> None:
        """Do what a timer was set for, unless its image has gone another way since."""
        on_execution = {
            "step": self.executions.step_due,
            "expired": self.executions.expired,
            "execution": self.executions.execution_due,
        }
        if kind in on_execution:
            on_execution[kind](*args)  # type: ignore[operator]  # (arguments come back as they were set)
            return
        arn, epoch = args
        image = self._core.state.images.get(str(arn))
        if image and image.epoch == epoch:
            self._handlers[kind](image)

    def _seconds(self, phase: str, image: Image) -> float:
        return self._core.profile.phase_seconds(phase, self._core.ids, f"{image.arn}:{phase}")

    def _after(self, phase: str, kind: str, image: Image) -> None:
        self._core.after(self._seconds(phase, image), kind, image.arn, image.epoch)

    def begin(self, image: Image) -> None:
        """Start the life of a new image."""
        self._core.set_status(image, "PENDING")
        self._after("pending", "creating", image)

    def _creating(self, image: Image) -> None:
        self._core.set_status(image, "CREATING")
        self._after("creating", "build", image)

    def _build(self, image: Image) -> None:
        image.phase = "build"
        build = next((w for w in image.workflows if w.type == "BUILD"), None)
        if build is None:
            self._test(image)
            return
        self._core.set_status(image, "BUILDING")
        self.executions.begin(image, self.executions.add(image, build))

    def created(self, image: Image) -> None:
        """Make the AMI (a container has none)."""
        if image.is_ami:
            self._outputs.create(image)

    def distributed(self, image: Image) -> Doc | None:
        """Make the copies."""
        return self._outputs.distribute(image)

    def ended(self, image: Image, execution: Execution) -> None:
        """Go on after an execution, or end in failure."""
        failed = execution.status in FAILED_EXECUTION
        if failed and execution.workflow.on_failure != "CONTINUE":
            self._fail_with(image, execution)
        elif image.phase == "build":
            self.created(image)
            self._test(image)
        elif image.phase == "test":
            self._next_tests(image)
        else:
            self._distributed(image)

    def _fail_with(self, image: Image, execution: Execution) -> None:
        image.epoch += 1
        for sibling in image.executions:
            self.executions.drop(sibling, guesses.ABORTED_RUNNING, guesses.ABORTED_PENDING)
        reason = f"Workflow Execution ID: {execution.id} failed with reason: {execution.message}"
        self._end_scan(image, "ABANDONED")
        self._core.set_status(image, "FAILED", reason=reason, failure=execution.failure)

    def _test(self, image: Image) -> None:
        passed = [run.workflow for run in image.executions if not run.retried and run.status == "COMPLETED"]
        batches = order.batches(w for w in image.workflows if w not in passed)
        if not batches or not image.doc["imageTestsConfiguration"]["imageTestsEnabled"]:
            self._distribute(image)
            return
        image.phase = "test"
        self._core.set_status(image, "TESTING")
        if image.doc.get("imageScanningConfiguration", {}).get("imageScanningEnabled"):
            image.doc["scanState"] = {"status": "SCANNING"}
        image.batches = [[self.executions.add(image, test) for test in batch] for batch in batches]
        self._next_tests(image)

    def _next_tests(self, image: Image) -> None:
        for execution in order.startable(image.batches):
            self.executions.begin(image, execution)
        if all(execution.ended for batch in image.batches for execution in batch):
            self._end_scan(image, "COMPLETED")
            self._distribute(image)

    def _end_scan(self, image: Image, status: str) -> None:
        if image.doc.get("scanState", {}).get("status") != "SCANNING":
            return
        image.doc["scanState"] = {"status": status}
        if status == "COMPLETED":
            counts = {key: self._core.profile.findings.get(key, 0) for key in ("critical", "high", "medium")}
            detail = {
                "resource-id": self._core.ids.hexadecimal("i"),
                "finding-severity-counts": {"all": sum(counts.values()), **counts},
            }
            pipeline = image.doc.get("sourcePipelineArn")
            resources = [image.arn, pipeline] if pipeline else [image.arn]
            data = {"type": "EC2 Image Builder CVE Detected", "resources": resources, "detail": detail}
            self._core.emit("event", image.region, data)

    def _distribute(self, image: Image) -> None:
        image.phase = "distribution"
        given = next((w for w in image.workflows if w.type == "DISTRIBUTION"), None)
        planned = given or _default_distribution(image)
        if given is None and image.is_ami and not _is_distributed(image):
            self._outputs.distribute(image)
            self._available(image)
            return
        self._core.set_status(image, "DISTRIBUTING")
        self._outputs.begin(image)
        if planned is None:
            self._after("distribution", "distribution", image)
        else:
            self.executions.begin(image, self.executions.add(image, planned))

    def _distribution_due(self, image: Image) -> None:
        failure = self._outputs.distribute(image)
        if failure:
            self._fail_distribution(image, failure)
        else:
            self._distributed(image)

    def _fail_distribution(self, image: Image, failure: Doc) -> None:
        image.epoch += 1
        context = {"imageStatus": image.status, "distributionFailure": failure}
        self._core.set_status(image, "FAILED", reason=failure["errorMessage"], failure=context)

    def _distributed(self, image: Image) -> None:
        if "outputResources" not in image.doc:
            self._outputs.distribute(image)
        if not self._outputs.integrates(image):
            self._available(image)
            return
        image.phase = "integration"
        self._core.set_status(image, "INTEGRATING")
        self._after("integration", "integration", image)

    def _integration_due(self, image: Image) -> None:
        failure = self._outputs.integrate(image)
        if failure:
            self._fail_distribution(image, failure)
        else:
            self._available(image)

    def _available(self, image: Image) -> None:
        image.phase = "done"
        self._core.set_status(image, "AVAILABLE")

    def cancel(self, image: Image) -> None:
        """Begin to cancel; the image is CANCELLED a little later, and nothing else happens to it.

        :raises ApiError: for an image that has ended.
        """
        if image.ended:
            raise ApiError(
                guesses.CANCEL_TERMINAL, f"The image '{image.arn}' is {image.status} and cannot be cancelled."
            )
        if not image.cancelling:
            image.cancelling = True
            image.epoch += 1
            self._after("cancellation", "cancelled", image)

    def _cancelled(self, image: Image) -> None:
        image.cancelling = False
        for execution in image.executions:
            self.executions.drop(execution, guesses.CANCELLED_RUNNING, guesses.CANCELLED_PENDING)
        self._end_scan(image, "ABANDONED")
        self._core.set_status(image, "CANCELLED")

    def retry(self, image: Image) -> None:
        """Take up an image again where it failed (RetryImage of the API reference).

        :raises ApiError: unless it is an AMI that failed, or was cancelled, in its tests or distribution.
        """
        why = None
        if image.status not in ("FAILED", "CANCELLED"):
            why = f"is {image.status}; only FAILED and CANCELLED images can be retried"
        elif not image.is_ami:
            why = "is a container image; only AMI images can be retried"
        elif image.phase not in ("test", "distribution"):
            why = f"ended in its {image.phase} phase; only the test and the distribution phase can be retried"
        if why:
            raise ApiError(guesses.RETRY_REFUSED, f"The image '{image.arn}' {why}.")
        image.epoch += 1
        superseded = {"test": "TEST", "distribution": "DISTRIBUTION"}[image.phase]
        for execution in image.executions:
            passed = execution.status == "COMPLETED" and not guesses.RETRY_REPEATS_PASSED_TESTS
            if execution.workflow.type == superseded and not passed:
                execution.retried = True
        if self._seconds("retry", image):
            self._after("retry", "retry", image)
        else:
            self._again(image)

    def _again(self, image: Image) -> None:
        if image.phase == "test":
            self._test(image)
        else:
            self._distribute(image)

    def distribute_only(self, image: Image) -> None:
        """Start the life of an image that is there already and only goes out (DistributeImage)."""
        self._core.set_status(image, "PENDING")
        image.phase = "distribution"
        self._after("pending", "retry", image)


def _is_distributed(image: Image) -> bool:
    return image.distribution is not None or not guesses.DISTRIBUTING_NEEDS_CONFIGURATION


def _default_distribution(image: Image) -> PlannedWorkflow | None:
    """What distributes an image whose request names nothing (User Guide, "Manage image workflows")."""
    if image.is_ami and not guesses.DEFAULT_AMI_DISTRIBUTION_HAS_EXECUTION:
        return None
    name = "distribute-image" if image.is_ami else "distribute-container"
    version, steps = plans.MANAGED["distribution", name]
    arn = names.arn_of(image.region, f"workflow/distribution/{name}/{version}/1", "aws")
    return PlannedWorkflow(arn, "DISTRIBUTION", steps)
