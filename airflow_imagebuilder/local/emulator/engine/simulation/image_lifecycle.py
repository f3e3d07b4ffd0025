"""ImageLifecycle: build, tests and distribution of an image, its failure, cancellation and retry."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from airflow_imagebuilder.local.emulator.engine import guesses, identifiers
from airflow_imagebuilder.local.emulator.engine.errors import ApiError
from airflow_imagebuilder.local.emulator.engine.simulation.image_scan import ImageScan
from airflow_imagebuilder.local.emulator.engine.simulation.lifecycle import Lifecycle
from airflow_imagebuilder.local.emulator.engine.simulation.outputs.distribution import Distribution
from airflow_imagebuilder.local.emulator.engine.simulation.workflows import test_order
from airflow_imagebuilder.local.emulator.engine.simulation.workflows.workflow_runner import WorkflowRunner
from airflow_imagebuilder.local.emulator.engine.state import Execution, Image, PlannedWorkflow, Step
from airflow_imagebuilder.local.emulator.managed import workflows

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_imagebuilder.local.emulator.engine.simulation.context import SimulationContext
    from airflow_imagebuilder.local.emulator.engine.state import Doc

log = logging.getLogger(__name__)
FAILED_EXECUTION = frozenset({"FAILED", "ROLLBACK_COMPLETED"})


class ImageLifecycle:
    """Moves images from status to status, one timer after another."""

    def __init__(self, context: SimulationContext) -> None:
        self._context = context
        self._distribution = Distribution(context)
        self._scan = ImageScan(context)
        self.runner = WorkflowRunner(context, self)
        self.policies = Lifecycle(context)
        self._handlers = {
            "creating": self._creating,
            "build": self._build,
            "tests": self._test,
            "retry": self._resume,
            "distribution": self._distribution_due,
            "integration": self._integration_due,
            "cancelled": self._cancelled,
        }
        #: What runs at a timer that belongs to no image; others may add to it.
        self.timers: dict[str, Callable[..., None]] = {
            "step": self.runner.step_due,
            "timeout": self.runner.step_timed_out,
            "refused": self.runner.step_refused,
            "execution": self.runner.execution_due,
            "lifecycle": self.policies.policy_due,
            "lifecycle-end": self.policies.end_due,
            "state-update": self.policies.update_due,
        }

    def fire(self, kind: str, args: tuple[object, ...]) -> None:
        """Run a timer, unless its image has failed, or was cancelled or retried, since it was set."""
        if kind in self.timers:
            self.timers[kind](*args)
            return
        arn, epoch = args
        image = self._context.state.images.get(str(arn))
        if image and image.epoch == epoch:
            self._handlers[kind](image)

    def break_down(self, kind: str, args: tuple[object, ...]) -> None:
        """Fail the image of a timer that could not run; whatever else fails now, it does not raise."""
        name = str(args[0])
        execution = self._context.state.executions.get(name)
        image = self._context.state.images.get(execution.image_arn if execution else name)
        if image is None or image.ended:
            return
        image.epoch += 1
        image.cancelling = False
        image.doc.setdefault("outputResources", {"amis": []} if image.is_ami else {"containers": []})
        reason = f"An internal error has occurred. (The local Image Builder failed in '{kind}'; see its log.)"
        aborts = [
            partial(self.runner.abort, each, guesses.ABORTED_RUNNING, guesses.ABORTED_PENDING)
            for each in image.executions
        ]
        status = partial(self._context.set_status, image, "FAILED", reason=reason)
        for each in (*aborts, partial(self._scan.abandon, image), status):
            try:
                each()
            # What made the timer fail may be met here again.
            except Exception:
                log.exception("A failed image could not be ended as a whole: %s", image.arn)

    def _seconds(self, phase: str, image: Image) -> float:
        return self._context.behaviour.phase_seconds(phase, self._context.ids, f"{image.arn}:{phase}")

    def _after(self, phase: str, kind: str, image: Image) -> None:
        self._context.after(self._seconds(phase, image), kind, image.arn, image.epoch)

    def begin(self, image: Image) -> None:
        """Start the build of a new image."""
        self._context.set_status(image, "PENDING")
        self._after("pending", "creating", image)

    def begin_import(self, image: Image) -> None:
        """Start an image that is imported: it gets an AMI and no tests."""
        self._context.set_status(image, "PENDING")
        image.copied = True
        image.phase = "distribution"
        self._after("pending", "retry", image)

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

    def distributed(self, image: Image, step: Step) -> tuple[Doc, Doc | None]:
        """Carry out a step of a distribution workflow."""
        return self._distribution.step(image, step)

    def ended(self, image: Image, execution: Execution) -> None:
        """Continue after an execution, or fail the image."""
        failed = execution.status in FAILED_EXECUTION
        if failed and execution.workflow.on_failure != "CONTINUE":
            self._fail_with(image, execution)
        elif image.phase == "build":
            self._distribution.adopt(image)
            self._after("gap", "tests", image)
        elif image.phase == "test":
            self._next_tests(image)
        else:
            self._distributed(image)

    def _fail_with(self, image: Image, execution: Execution) -> None:
        image.epoch += 1
        for sibling in image.executions:
            self.runner.abort(sibling, guesses.ABORTED_RUNNING, guesses.ABORTED_PENDING)
        if image.is_ami and image.ami is None:
            image.doc["outputResources"] = {"amis": []}
        reason = f"Workflow Execution ID: {execution.id} failed with reason: {execution.message}"
        self._scan.abandon(image)
        self._context.set_status(image, "FAILED", reason=reason, failure=execution.failure)

    def _test(self, image: Image) -> None:
        passed = [run.workflow for run in image.executions if not run.retried and run.status == "COMPLETED"]
        batches = test_order.batches(w for w in image.workflows if w not in passed)
        scanned = image.doc.get("imageScanningConfiguration", {}).get("imageScanningEnabled")
        if not (batches or scanned) or not image.doc["imageTestsConfiguration"]["imageTestsEnabled"]:
            self._distribute(image)
            return
        image.phase = "test"
        self._context.set_status(image, "TESTING")
        self._scan.begin(image)
        image.batches = [[self.runner.add(image, test) for test in batch] for batch in batches]
        self._next_tests(image)

    def _next_tests(self, image: Image) -> None:
        for execution in test_order.startable(image.batches):
            self.runner.begin(image, execution)
        if all(execution.ended for batch in image.batches for execution in batch):
            if why := self._scan.complete(image):
                image.epoch += 1
                self._context.set_status(image, "FAILED", reason=why, failure={"imageStatus": "TESTING"})
            else:
                self._distribute(image)

    def _distribute(self, image: Image) -> None:
        image.phase = "distribution"
        if image.copied:
            self._distribution.create(image)
        if image.is_ami and image.ami is None:
            self._distribution.keep_parent(image)
            self._available(image)
            return
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
        by_workflow = any(workflow.type == "DISTRIBUTION" for workflow in image.workflows)
        if by_workflow or not self._distribution.integrates(image):
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

        :raises ApiError: the image has finished. The model does not list the error; AWS's own CloudFormation
            handler for images expects it.
        """
        if image.ended:
            raise ApiError(
                "InvalidParameterValueException",
                f"The image '{image.arn}' is {image.status} and cannot be cancelled.",
            )
        if image.cancelling and guesses.CANCEL_TWICE != "accepted":
            raise ApiError(guesses.CANCEL_TWICE, f"The image '{image.arn}' is being cancelled.")
        if not image.cancelling:
            image.cancelling = True
            image.epoch += 1
            self._after("cancellation", "cancelled", image)

    def _cancelled(self, image: Image) -> None:
        image.cancelling = False
        for execution in image.executions:
            self.runner.abort(execution, guesses.CANCELLED_RUNNING, guesses.CANCELLED_PENDING)
        self._scan.abandon(image)
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
    version = workflows.VERSIONS["DISTRIBUTION", name]
    arn = identifiers.arn_of(image.region, f"workflow/distribution/{name}/{version}/1", "aws")
    return PlannedWorkflow(arn, "DISTRIBUTION", workflows.document("DISTRIBUTION", name))
