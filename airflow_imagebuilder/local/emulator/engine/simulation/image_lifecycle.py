"""ImageLifecycle: build, tests and distribution of an image, its failure, cancellation and retry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_imagebuilder.local.emulator.engine import guesses, identifiers
from airflow_imagebuilder.local.emulator.engine.errors import ApiError
from airflow_imagebuilder.local.emulator.engine.simulation import test_order, workflow_documents
from airflow_imagebuilder.local.emulator.engine.simulation.distribution import Distribution
from airflow_imagebuilder.local.emulator.engine.simulation.workflow_runner import WorkflowRunner
from airflow_imagebuilder.local.emulator.engine.state import Execution, Image, PlannedWorkflow

if TYPE_CHECKING:
    from airflow_imagebuilder.local.emulator.engine.simulation.context import SimulationContext
    from airflow_imagebuilder.local.emulator.engine.state import Doc

FAILED_EXECUTION = frozenset({"FAILED", "ROLLBACK_COMPLETED"})


class ImageLifecycle:
    """Moves images from status to status, one timer after another."""

    def __init__(self, context: SimulationContext) -> None:
        self._context = context
        self._distribution = Distribution(context)
        self.runner = WorkflowRunner(context, self)
        self._handlers = {
            "creating": self._creating,
            "build": self._build,
            "retry": self._resume,
            "distribution": self._distribution_due,
            "integration": self._integration_due,
            "cancelled": self._cancelled,
        }

    def fire(self, kind: str, args: tuple[object, ...]) -> None:
        """Run a timer, unless its image has failed, or was cancelled or retried, since it was set."""
        on_execution = {
            "step": self.runner.step_due,
            "timeout": self.runner.step_timed_out,
            "execution": self.runner.execution_due,
        }
        if kind in on_execution:
            on_execution[kind](*args)  # type: ignore[operator]  # (the arguments are those of the timer)
            return
        arn, epoch = args
        image = self._context.state.images.get(str(arn))
        if image and image.epoch == epoch:
            self._handlers[kind](image)

    def _seconds(self, phase: str, image: Image) -> float:
        return self._context.behaviour.phase_seconds(phase, self._context.ids, f"{image.arn}:{phase}")

    def _after(self, phase: str, kind: str, image: Image) -> None:
        self._context.after(self._seconds(phase, image), kind, image.arn, image.epoch)

    def begin(self, image: Image) -> None:
        """Start the build of a new image."""
        self._context.set_status(image, "PENDING")
        self._after("pending", "creating", image)

    def _creating(self, image: Image) -> None:
        self._context.set_status(image, "CREATING")
        self._after("creating", "build", image)

    def _build(self, image: Image) -> None:
        image.phase = "build"
        build = next((w for w in image.workflows if w.type == "BUILD"), None)
        if build is None:
            self._test(image)
            return
        self._context.set_status(image, "BUILDING")
        self.runner.begin(image, self.runner.add(image, build))

    def created(self, image: Image) -> None:
        """Make the AMI of a build; a container image has none."""
        if image.is_ami:
            self._distribution.create(image)

    def distributed(self, image: Image) -> Doc | None:
        """Copy the image to the regions of its distribution configuration."""
        return self._distribution.distribute(image)

    def ended(self, image: Image, execution: Execution) -> None:
        """Continue after an execution, or fail the image."""
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
            self.runner.abort(sibling, guesses.ABORTED_RUNNING, guesses.ABORTED_PENDING)
        reason = f"Workflow Execution ID: {execution.id} failed with reason: {execution.message}"
        self._end_scan(image, "ABANDONED")
        self._context.set_status(image, "FAILED", reason=reason, failure=execution.failure)

    def _test(self, image: Image) -> None:
        passed = [run.workflow for run in image.executions if not run.retried and run.status == "COMPLETED"]
        batches = test_order.batches(w for w in image.workflows if w not in passed)
        if not batches or not image.doc["imageTestsConfiguration"]["imageTestsEnabled"]:
            self._distribute(image)
            return
        image.phase = "test"
        self._context.set_status(image, "TESTING")
        if image.doc.get("imageScanningConfiguration", {}).get("imageScanningEnabled"):
            image.doc["scanState"] = {"status": "SCANNING"}
        image.batches = [[self.runner.add(image, test) for test in batch] for batch in batches]
        self._next_tests(image)

    def _next_tests(self, image: Image) -> None:
        for execution in test_order.startable(image.batches):
            self.runner.begin(image, execution)
        if all(execution.ended for batch in image.batches for execution in batch):
            self._end_scan(image, "COMPLETED")
            self._distribute(image)

    def _end_scan(self, image: Image, status: str) -> None:
        if image.doc.get("scanState", {}).get("status") != "SCANNING":
            return
        image.doc["scanState"] = {"status": status}
        if status == "COMPLETED":
            detail = {
                "resource-id": self._context.ids.hexadecimal("i"),
                "finding-severity-counts": self._context.behaviour.finding_counts(),
            }
            pipeline = image.doc.get("sourcePipelineArn")
            resources = [image.arn, pipeline] if pipeline else [image.arn]
            data = {"type": "EC2 Image Builder CVE Detected", "resources": resources, "detail": detail}
            self._context.emit("event", image.region, data)

    def _distribute(self, image: Image) -> None:
        image.phase = "distribution"
        given = next((w for w in image.workflows if w.type == "DISTRIBUTION"), None)
        planned = given or _default_distribution(image)
        if given is None and image.is_ami and not _is_distributed(image):
            self._distribution.distribute(image)
            self._available(image)
            return
        self._context.set_status(image, "DISTRIBUTING")
        self._distribution.begin(image)
        if planned is None:
            self._after("distribution", "distribution", image)
        else:
            self.runner.begin(image, self.runner.add(image, planned))

    def _distribution_due(self, image: Image) -> None:
        failure = self._distribution.distribute(image)
        if failure:
            self._fail_distribution(image, failure)
        else:
            self._distributed(image)

    def _fail_distribution(self, image: Image, failure: Doc) -> None:
        image.epoch += 1
        failed = {"imageStatus": image.status, "distributionFailure": failure}
        self._context.set_status(image, "FAILED", reason=failure["errorMessage"], failure=failed)

    def _distributed(self, image: Image) -> None:
        if "outputResources" not in image.doc:
            self._distribution.distribute(image)
        if not self._distribution.integrates(image):
            self._available(image)
            return
        image.phase = "integration"
        self._context.set_status(image, "INTEGRATING")
        self._after("integration", "integration", image)

    def _integration_due(self, image: Image) -> None:
        failure = self._distribution.integrate(image)
        if failure:
            self._fail_distribution(image, failure)
        else:
            self._available(image)

    def _available(self, image: Image) -> None:
        image.phase = "done"
        self._context.set_status(image, "AVAILABLE")

    def cancel(self, image: Image) -> None:
        """Begin to cancel an image; it is CANCELLED after the duration ``cancellation``.

        :raises ApiError: the image has finished.
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
            self.runner.abort(execution, guesses.CANCELLED_RUNNING, guesses.CANCELLED_PENDING)
        self._end_scan(image, "ABANDONED")
        self._context.set_status(image, "CANCELLED")

    def retry(self, image: Image) -> None:
        """Continue an image in the phase in which it failed (API reference, RetryImage).

        :raises ApiError: it is not an AMI that failed, or was cancelled, in its tests or distribution.
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
            self._resume(image)

    def _resume(self, image: Image) -> None:
        if image.phase == "test":
            self._test(image)
        else:
            self._distribute(image)

    def distribute_only(self, image: Image) -> None:
        """Start an image that is built already and is only distributed (DistributeImage)."""
        self._context.set_status(image, "PENDING")
        image.phase = "distribution"
        self._after("pending", "retry", image)


def _is_distributed(image: Image) -> bool:
    return image.distribution is not None or not guesses.DISTRIBUTING_NEEDS_CONFIGURATION


def _default_distribution(image: Image) -> PlannedWorkflow | None:
    """Return the distribution workflow of a request without one (User Guide, "Manage image workflows")."""
    if image.is_ami and not guesses.DEFAULT_AMI_DISTRIBUTION_HAS_EXECUTION:
        return None
    name = "distribute-image" if image.is_ami else "distribute-container"
    version, steps = workflow_documents.MANAGED["distribution", name]
    arn = identifiers.arn_of(image.region, f"workflow/distribution/{name}/{version}/1", "aws")
    return PlannedWorkflow(arn, "DISTRIBUTION", steps)
