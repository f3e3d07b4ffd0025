"""The guesses: behaviour of AWS that no public document describes, all in one place.

Nothing here has been compared with AWS. When AWS turns out to behave otherwise, change it here alone.
"""

from __future__ import annotations

from typing import Final

# --- errors ---------------------------------------------------------------------------------------------
#: An ARN of the right form without a resource. The model of GetImage, CreateImage, CancelImageCreation and
#: RetryImage does not list ResourceNotFoundException; all of them answer it here.
UNKNOWN_ARN: Final = "ResourceNotFoundException"
#: CancelImageCreation for an image that has finished.
CANCEL_TERMINAL: Final = "InvalidRequestException"
#: RetryImage for an image that is not FAILED or CANCELLED, for a container image, or after another phase.
RETRY_REFUSED: Final = "InvalidRequestException"
#: CreateImage with both recipes, or without one.
RECIPE_COUNT: Final = "InvalidParameterCombinationException"
#: CreateImage without an execution role, but with workflows or a log group outside of /aws/imagebuilder/.
ROLE_MISSING: Final = "InvalidParameterCombinationException"
#: CreateImage with more than ten workflows, or more than one build or distribution workflow.
WORKFLOW_COUNT: Final = "InvalidRequestException"
#: DeleteImage for an image that is still being built.
DELETE_IN_PROGRESS: Final = "ResourceInUseException"
#: SendWorkflowStepAction for a step that is not waiting.
STEP_NOT_WAITING: Final = "InvalidRequestException"
#: A member that the model does not have. It is refused, as nothing else would reveal a typing error.
UNKNOWN_MEMBER: Final = "InvalidRequestException"
#: An operation that AWS has and the local service does not (HTTP 501).
UNSUPPORTED_OPERATION: Final = "NotImplementedException"

# --- life cycle -----------------------------------------------------------------------------------------
#: The statuses that send an event: the documented list, in which PENDING and CREATING are missing.
EVENT_STATUSES: Final = frozenset(
    {"BUILDING", "TESTING", "DISTRIBUTING", "INTEGRATING", "AVAILABLE", "CANCELLED", "FAILED"}
)
#: Status of a running execution after its image is cancelled.
CANCELLED_RUNNING: Final = "CANCELLED"
#: Status of an execution that had not begun when its image was cancelled.
CANCELLED_PENDING: Final = "CANCELLED"
#: Status of a test that was running when another test failed the image.
ABORTED_RUNNING: Final = "CANCELLED"
#: Status of a test that had not begun when another test failed the image.
ABORTED_PENDING: Final = "SKIPPED"
#: Status of the steps after a failed step.
STEPS_AFTER_FAILURE: Final = "SKIPPED"
#: Status of an execution after a failed step, unless the scenario asks for ROLLBACK_COMPLETED.
FAILED_EXECUTION: Final = "FAILED"
#: Virtual seconds of a rollback, if the scenario asks for one.
ROLLBACK_SECONDS: Final = 20.0
#: Without a distribution configuration an AMI goes from its last test to AVAILABLE, without DISTRIBUTING.
DISTRIBUTING_NEEDS_CONFIGURATION: Final = True
#: An AMI that is distributed without a distribution workflow has no execution of that type.
DEFAULT_AMI_DISTRIBUTION_HAS_EXECUTION: Final = False
#: RetryImage runs every test of the test phase again, also the tests that had passed.
RETRY_REPEATS_PASSED_TESTS: Final = True
#: The tag that marks an AMI as Image Builder's.
AMI_TAG: Final = "Ec2ImageBuilderArn"
#: The tag of a container image for which the distribution configuration has no tag.
CONTAINER_TAG: Final = "{version}-{build}"
#: ``owner`` of a list request without one: the account's own resources.
DEFAULT_OWNER: Final = "Self"

# --- guesses that are the shape of the code, not a value -------------------------------------------------
# - A client token belongs to an operation and a region, and never expires (engine.py).
# - Executions of a stage appear, as PENDING, when the stage begins (simulation/image_lifecycle.py).
# - outputResources appear when distribution begins; the AMI itself is in EC2 from the build on, and stays
#   there when the image fails, is cancelled, or is distributed to other regions only
#   (simulation/image_lifecycle.py, simulation/distribution.py).
# - CancelImageCreation for an image that is being cancelled succeeds (simulation/image_lifecycle.py).
# - RetryImage after a cancellation continues in the phase in which the image was cancelled
#   (simulation/image_lifecycle.py).
# - The wording of the messages of failed steps and of the lines in the log (simulation/step_results.py).
# - A step takes its share of the time of its workflow, by its action (simulation/behaviour.py).
# - DeleteImage leaves the AMIs in EC2; build numbers of deleted images are not used again
#   (operations/images.py).
# - DistributeImage names its image after the source image, or after the distribution configuration
#   (operations/images.py).
# - Platform and operating system of an image follow from the names in its recipe (operations/resources.py).
# - An x in the version of a new recipe becomes 0 (operations/resources.py).
# - DeleteX is refused only for what a pipeline needs, and for components that a recipe needs
#   (operations/resources.py).
