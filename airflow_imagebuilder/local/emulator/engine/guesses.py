"""Everything that AWS does and no public document tells: guesses, in one place.

Nothing here was compared with AWS. Whoever learns how it really is changes it here, and nowhere else.
"""

from __future__ import annotations

from typing import Final

# --- errors ---------------------------------------------------------------------------------------------
#: An ARN of the right form that names nothing. GetImage, CreateImage, CancelImageCreation and RetryImage do
#: not model ResourceNotFoundException; the unmodelled form is taken for all of them.
UNKNOWN_ARN: Final = "ResourceNotFoundException"
#: Cancelling an image that has already ended.
CANCEL_TERMINAL: Final = "InvalidRequestException"
#: RetryImage for an image that is not FAILED or CANCELLED, is a container, or failed in another phase.
RETRY_REFUSED: Final = "InvalidRequestException"
#: Both recipes, or none.
RECIPE_COUNT: Final = "InvalidParameterCombinationException"
#: Workflows, or a log group outside of /aws/imagebuilder/, without an execution role.
ROLE_MISSING: Final = "InvalidParameterCombinationException"
#: More than ten workflows, or more than one build or distribution workflow.
WORKFLOW_COUNT: Final = "InvalidRequestException"
#: Deleting an image that is still being built.
DELETE_IN_PROGRESS: Final = "ResourceInUseException"
#: A step action for a step that does not wait (any more).
STEP_NOT_WAITING: Final = "InvalidRequestException"
#: Members that the model does not have are refused, as a typing error would otherwise go unnoticed.
UNKNOWN_MEMBER: Final = "InvalidRequestException"
#: An operation that AWS has and the local service does not (HTTP 501).
NOT_HERE: Final = "NotImplementedException"

# --- life cycle -----------------------------------------------------------------------------------------
#: The statuses of which an event is sent: the documented list. PENDING and CREATING are not in it.
EVENT_STATUSES: Final = frozenset(
    {"BUILDING", "TESTING", "DISTRIBUTING", "INTEGRATING", "AVAILABLE", "CANCELLED", "FAILED"}
)
#: What becomes of a running execution when its image is cancelled.
CANCELLED_RUNNING: Final = "CANCELLED"
#: What becomes of an execution that had not begun when its image was cancelled.
CANCELLED_PENDING: Final = "CANCELLED"
#: What becomes of tests that run beside one that fails the image.
ABORTED_RUNNING: Final = "CANCELLED"
#: What becomes of tests that had not begun when one failed the image.
ABORTED_PENDING: Final = "SKIPPED"
#: What becomes of the steps that a failed step keeps from running.
STEPS_AFTER_FAILURE: Final = "SKIPPED"
#: How an execution ends whose step failed, where the scenario does not ask for ROLLBACK_COMPLETED.
FAILED_EXECUTION: Final = "FAILED"
#: Virtual seconds that a rollback takes where the scenario asks for one.
ROLLBACK_SECONDS: Final = 20.0
#: Without a distribution configuration an AMI goes from its last test to AVAILABLE, without DISTRIBUTING.
DISTRIBUTING_NEEDS_CONFIGURATION: Final = True
#: An AMI that is distributed without a distribution workflow has no execution of that type.
DEFAULT_AMI_DISTRIBUTION_HAS_EXECUTION: Final = False
#: RetryImage runs every test of the test phase again, those that had passed too.
RETRY_REPEATS_PASSED_TESTS: Final = True
#: The tag that marks an AMI as Image Builder's.
AMI_TAG: Final = "Ec2ImageBuilderArn"
#: Text of a container image's tag where the distribution configuration names none.
CONTAINER_TAG: Final = "{version}-{build}"
#: A list without ``owner`` holds the account's own resources.
DEFAULT_OWNER: Final = "Self"

# --- guesses that are the shape of the code, not a value -------------------------------------------------
# - A client token counts for an operation and a region, and is remembered for good (service.py).
# - Executions of a stage appear, as PENDING, when the stage begins (life.py).
# - outputResources appear when distribution begins; the AMI itself is in EC2 from the build on, and stays
#   there when the image fails, is cancelled, or is distributed to other regions only (life.py, outputs.py).
# - Cancelling an image that is being cancelled is answered well (life.py).
# - A retry after a cancellation goes by the phase that the image was in when it was cancelled (life.py).
# - DeleteImage leaves AMIs alone; build numbers of deleted images are not used again (images.py).
# - DistributeImage names its image as the source image, or as the distribution configuration (images.py).
# - An x in the version of a new recipe becomes 0 (documents.py).
# - Only pipelines, and recipes for their components, keep what they need from being deleted (documents.py).
