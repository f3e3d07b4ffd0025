"""The guesses: behaviour of AWS that no public document describes, all in one place.

Nothing here has been compared with AWS. ``make verify-aws`` does that, with one contract test for each guess
(``tests/contract/``); when AWS turns out to behave otherwise, change it here alone.

A guess is a variable of this module, which the engine reads each time that it needs it, so ``guesses.NAME``
must not be kept anywhere: :func:`turn` changes it. What is the shape of the code, and cannot be changed by a
value, is a *structural* guess.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")


@dataclass(frozen=True)
class Guess:
    """One guess.

    :param id: its name: that of the variable, unless it is structural.
    :param says: what the local service does, in one sentence.
    :param here: the value of the local service; of a structural guess, what a client sees of it.
    :param otherwise: another value that AWS might have; None for a structural guess.
    :param operations: the API operations that it concerns, or :data:`EVERY`.
    :param searched: where the answer was searched, and what is there.
    """

    id: str
    says: str
    here: Any
    otherwise: Any
    operations: tuple[str, ...]
    searched: str

    @property
    def structural(self) -> bool:
        """Whether it is the shape of the code, not a value that can be turned round."""
        return self.otherwise is None


class GuessError(ValueError):
    """There is no such guess, or it cannot have such a value."""


#: In place of the operations of a guess that concerns all of them.
EVERY: Final = "*"
#: Every guess by its id.
REGISTRY: Final[dict[str, Guess]] = {}
_NOT_LISTED = "The service model does not list an error for it; the guide has no text."
_SILENT = "User Guide, API reference and public output of accounts do not show it."


def _guess(id_: str, here: T, otherwise: T, says: str, on: str, *, searched: str = _SILENT) -> T:
    REGISTRY[id_] = Guess(id_, says, here, otherwise, tuple(on.split()), searched)
    return here


def _structural(id_: str, here: Any, says: str, on: str, *, searched: str = _SILENT) -> None:
    REGISTRY[id_] = Guess(id_, says, here, None, tuple(on.split()), searched)


# --- errors ---------------------------------------------------------------------------------------------
MALFORMED_REQUEST = _guess(
    "MALFORMED_REQUEST",
    "InvalidRequestException",
    "InvalidParameterException",
    "The error of a request without a required member, or with a value of the wrong type.",
    EVERY,
    searched="The model lists four errors that fit; boto3 refuses such a request before it is sent.",
)
UNKNOWN_REFERENCE = _guess(
    "UNKNOWN_REFERENCE",
    "ResourceNotFoundException",
    "InvalidParameterValueException",
    "The error of a request that names a recipe or a configuration that does not exist.",
    "CreateImage CreateImagePipeline UpdateImagePipeline",
    searched="The model does not list the error for them; AWS's own code shows it for reads alone.",
)
RECIPE_COUNT = _guess(
    "RECIPE_COUNT",
    "InvalidParameterCombinationException",
    "InvalidParameterValueException",
    "The error of a request with both recipes, or without one.",
    "CreateImage CreateImagePipeline UpdateImagePipeline",
    searched=_NOT_LISTED,
)
ROLE_MISSING = _guess(
    "ROLE_MISSING",
    "InvalidParameterCombinationException",
    "InvalidParameterValueException",
    "The error of a request with workflows, or with a log group outside of /aws/imagebuilder/, but without "
    "an execution role.",
    "CreateImage CreateImagePipeline UpdateImagePipeline",
    searched="AWS's skill for Image Builder has the text, not the error.",
)
WORKFLOW_COUNT = _guess(
    "WORKFLOW_COUNT",
    "InvalidRequestException",
    "ServiceQuotaExceededException",
    "The error of a request with more than ten workflows, or with two build or distribution workflows.",
    "CreateImage CreateImagePipeline UpdateImagePipeline",
    searched=_NOT_LISTED,
)
WORKFLOW_PARAMETERS = _guess(
    "WORKFLOW_PARAMETERS",
    "InvalidParameterValueException",
    "InvalidParameterCombinationException",
    "The error of a request that gives a workflow a parameter that it does not declare.",
    "CreateImage CreateImagePipeline UpdateImagePipeline",
    searched="For components InvalidParameterCombinationException was seen; for workflows nothing was.",
)
BAD_SCHEDULE = _guess(
    "BAD_SCHEDULE",
    "InvalidParameterValueException",
    "InvalidRequestException",
    "The error of a pipeline with a cron expression that is not valid.",
    "CreateImagePipeline UpdateImagePipeline",
    searched=_NOT_LISTED,
)
BAD_VERSION = _guess(
    "BAD_VERSION",
    "InvalidVersionNumberException",
    "InvalidParameterValueException",
    "The error of a version with misplaced wildcards, or with a number of 2^30 and more.",
    "CreateImageRecipe CreateContainerRecipe CreateComponent CreateWorkflow",
    searched='The guide says that it "produces an error"; the model lists this one, and others.',
)
RETRY_REFUSED = _guess(
    "RETRY_REFUSED",
    "InvalidRequestException",
    "InvalidParameterValueException",
    "The error of RetryImage for an image that cannot be retried.",
    "RetryImage",
    searched=_NOT_LISTED,
)
CANCEL_TWICE = _guess(
    "CANCEL_TWICE",
    "accepted",
    "ResourceInUseException",
    'What CancelImageCreation answers for an image that is being cancelled: "accepted", or an error.',
    "CancelImageCreation",
)
STEP_NOT_WAITING = _guess(
    "STEP_NOT_WAITING",
    "InvalidRequestException",
    "InvalidParameterValueException",
    "The error of SendWorkflowStepAction for a step that does not wait.",
    "SendWorkflowStepAction",
    searched=_NOT_LISTED,
)
DELETE_USED_RECIPE = _guess(
    "DELETE_USED_RECIPE",
    "accepted",
    "ResourceDependencyException",
    'What DeleteImageRecipe answers while an image of the recipe exists: "accepted", or an error.',
    "DeleteImageRecipe DeleteContainerRecipe",
    searched="Reports name pipelines as what keeps a recipe; none names an image.",
)
LIFECYCLE_ENDED = _guess(
    "LIFECYCLE_ENDED",
    "InvalidRequestException",
    "InvalidParameterValueException",
    "The error of CancelLifecycleExecution for an execution that has finished.",
    "CancelLifecycleExecution",
    searched=_NOT_LISTED,
)
STATE_UPDATE_REFUSED = _guess(
    "STATE_UPDATE_REFUSED",
    "InvalidRequestException",
    "ResourceInUseException",
    "The error of StartResourceStateUpdate for an image whose status does not lead to the new one.",
    "StartResourceStateUpdate",
    searched=_NOT_LISTED,
)

NOT_SHARED = _guess(
    "NOT_SHARED",
    "AccessDeniedException",
    "ResourceNotFoundException",
    "The error of a read for an ARN of another account that does not share it; the text is that of IAM.",
    "GetComponent GetImage GetImageRecipe GetContainerRecipe GetWorkflow",
)

# --- requests -------------------------------------------------------------------------------------------
TOKEN_PER_OPERATION = _guess(
    "TOKEN_PER_OPERATION",
    True,
    False,
    "A client token that one operation has used is free for another operation.",
    "CreateComponent CreateInfrastructureConfiguration CreateImage",
)
FIRST_PATCH = _guess(
    "FIRST_PATCH",
    0,
    1,
    "The last number of the first recipe whose version is given as 1.0.x.",
    "CreateImageRecipe CreateContainerRecipe",
    searched="The guide has an example that begins at 1.0.1 and does not say whether 1.0.0 existed.",
)
FIRST_WILDCARD_COUNTS = _guess(
    "FIRST_WILDCARD_COUNTS",
    True,
    False,
    "Of several wildcards in a recipe's version the first counts up and the others become 0; otherwise the "
    "last one counts up.",
    "CreateImageRecipe CreateContainerRecipe",
    searched="The guide shows versions with one wildcard only.",
)
BUILD_NUMBERS_REUSED = _guess(
    "BUILD_NUMBERS_REUSED",
    False,
    True,
    "A new image gets the build number of a deleted one.",
    "CreateImage DeleteImage",
)

# --- life cycle -----------------------------------------------------------------------------------------
EVENT_STATUSES = _guess(
    "EVENT_STATUSES",
    frozenset({"BUILDING", "TESTING", "DISTRIBUTING", "INTEGRATING", "AVAILABLE", "CANCELLED", "FAILED"}),
    frozenset(
        {"CREATING", "BUILDING", "TESTING", "DISTRIBUTING", "INTEGRATING", "AVAILABLE", "CANCELLED", "FAILED"}
    ),
    "The statuses of an image that send an event to EventBridge.",
    "CreateImage",
    searched="The guide's list lacks PENDING and CREATING, and does not say that it is complete.",
)
CANCELLED_RUNNING = _guess(
    "CANCELLED_RUNNING",
    "CANCELLED",
    "FAILED",
    "The status of a workflow that was running when its image was cancelled.",
    "CancelImageCreation ListWorkflowExecutions",
)
CANCELLED_PENDING = _guess(
    "CANCELLED_PENDING",
    "CANCELLED",
    "SKIPPED",
    "The status of a workflow that had not begun when its image was cancelled.",
    "CancelImageCreation ListWorkflowExecutions",
)
ABORTED_RUNNING = _guess(
    "ABORTED_RUNNING",
    "CANCELLED",
    "COMPLETED",
    "The status of a test workflow that was running when another one failed the image.",
    "ListWorkflowExecutions",
)
ABORTED_PENDING = _guess(
    "ABORTED_PENDING",
    "SKIPPED",
    "CANCELLED",
    "The status of a test workflow that had not begun when another one failed the image.",
    "ListWorkflowExecutions",
)
STEPS_AFTER_FAILURE = _guess(
    "STEPS_AFTER_FAILURE",
    "SKIPPED",
    "CANCELLED",
    "The status of the steps after a failed step.",
    "ListWorkflowStepExecutions",
)
FAILED_EXECUTION = _guess(
    "FAILED_EXECUTION",
    "FAILED",
    "ROLLBACK_COMPLETED",
    "The status of a workflow after a failed step.",
    "ListWorkflowExecutions GetWorkflowExecution",
    searched="The model has both statuses and does not say when.",
)
WAITING_STEP = _guess(
    "WAITING_STEP",
    "RUNNING",
    "PENDING",
    "The status of a WaitForAction step that waits.",
    "ListWorkflowStepExecutions GetWorkflowStepExecution",
    searched="The guide and two samples show WAITING, which the model's list of statuses does not have.",
)
RETRY_REPEATS_PASSED_TESTS = _guess(
    "RETRY_REPEATS_PASSED_TESTS",
    True,
    False,
    "RetryImage runs every test of the test phase again, also the tests that had passed.",
    "RetryImage",
)
DISTRIBUTING_NEEDS_CONFIGURATION = _guess(
    "DISTRIBUTING_NEEDS_CONFIGURATION",
    True,
    False,
    "Without a distribution configuration an AMI goes from its last test to AVAILABLE, without DISTRIBUTING.",
    "CreateImage",
)
DEFAULT_AMI_DISTRIBUTION_HAS_EXECUTION = _guess(
    "DEFAULT_AMI_DISTRIBUTION_HAS_EXECUTION",
    False,
    True,
    "An AMI that is distributed without a distribution workflow has a workflow execution of that type.",
    "CreateImage DistributeImage ListWorkflowExecutions",
)
ROLLBACK_SECONDS = _guess(
    "ROLLBACK_SECONDS",
    20.0,
    120.0,
    "The virtual seconds of a rollback, if the scenario asks for one.",
    "CreateImage",
)
LIFECYCLE_SECONDS = _guess(
    "LIFECYCLE_SECONDS",
    60.0,
    600.0,
    "The virtual seconds of a run of a lifecycle policy, and of an update of an image with its AMIs.",
    "StartResourceStateUpdate GetLifecycleExecution",
)

ABANDONED_SCAN = _guess(
    "ABANDONED_SCAN",
    "The image ended before its findings were collected.",
    "Abandoned.",
    "The reason of a scan whose image ended before it.",
    "GetImage",
    searched="The model has a reason, and no text of one is public.",
)
FAILED_SCAN = _guess(
    "FAILED_SCAN",
    "The scan of the AMI found {found}; the condition allows findings up to {most}.",
    "{found} above {most}.",
    "The reason of an image that its scanResultCondition fails.",
    "GetImage",
)

# --- the shape of the code --------------------------------------------------------------------------------
_structural(
    "TOKEN_LIFE",
    "for good",
    "A client token never expires (engine.py).",
    "CreateImage CreateComponent",
)
_structural(
    "EXECUTIONS_APPEAR_WITH_THEIR_STAGE",
    True,
    "The executions of a stage appear when the stage begins, as PENDING (simulation/image_lifecycle.py).",
    "ListWorkflowExecutions",
)
_structural(
    "OUTPUTS_APPEAR_WITH_DISTRIBUTION",
    True,
    "An image that is being tested does not list its AMI yet (simulation/distribution.py).",
    "GetImage ListImageBuildVersions",
)
_structural(
    "SCANNED_AMI_IS_OF_ITS_OWN_REGION",
    True,
    "GetImageFindings of EC2 lists the findings of an on-demand scan for the AMI in the image's own region, "
    "and none for its copies in other regions (operations/images/software.py).",
    "CreateImage",
    searched="The model says that the output AMI is scanned, not which of them.",
)
_structural(
    "AMI_STAYS_AFTER_FAILURE",
    True,
    "The AMI of an image that fails in its tests stays in EC2 (simulation/image_lifecycle.py).",
    "CreateImage",
)
_structural(
    "RETRY_AFTER_CANCEL",
    "TESTING",
    "RetryImage after a cancellation continues in the phase in which the image was cancelled "
    "(simulation/image_lifecycle.py).",
    "RetryImage",
    searched="The API reference has the phases for failed images only.",
)
_structural(
    "FAILURE_WORDING",
    "Workflow Execution ID: <id> failed with reason: ...",
    "The reason of an image whose workflow failed begins so; the words of steps and logs are ours "
    "(simulation/workflows/step_results.py).",
    "GetImage",
    searched="Reports show reasons of this form for some actions.",
)
_structural(
    "STEP_SHARES",
    "shares by action",
    "A step takes its share of the time of its workflow, by its action (simulation/behaviour.py).",
    "ListWorkflowStepExecutions",
    searched="Two public runs have times of steps.",
)
_structural(
    "LAUNCH_CHECKS",
    "accepted",
    "What CreateInfrastructureConfiguration answers for a key pair that does not exist: it is checked, like "
    "subnets and security groups, when an instance is launched (simulation/workflows/launches.py).",
    "CreateInfrastructureConfiguration UpdateInfrastructureConfiguration CreateImage",
    searched="The documents name the checks of profile and topic only.",
)
_structural(
    "DISTRIBUTED_NAME",
    True,
    "DistributeImage names its image after the source image (operations/images/images.py).",
    "DistributeImage",
)
_structural(
    "PARENT_DECIDES_THE_SYSTEM",
    "Linux, Amazon Linux 2023",
    "Platform and operating system of an image of one of Amazon's images are those of that image; of other "
    "AMIs they follow from names (operations/rules/parents.py).",
    "CreateImageRecipe GetImageRecipe GetImage ListImages",
    searched="The strings are those of AWS's CDK and of public output.",
)
_structural(
    "MANAGED_STEPS",
    "DistributeImage, ModifyImageAttributes, ApplyImageConfigurations",
    "The actions of Amazon's own distribute-image; the documents of Amazon's workflows are written for the "
    "local service (managed/documents/).",
    "GetWorkflow ListWorkflows",
    searched="The guide has the names of the actions; no document of a managed workflow is public.",
)
_structural(
    "SHARED_RECIPE_COMPONENTS",
    "AccessDeniedException",
    "Who builds from a shared recipe must also be allowed to read its components "
    "(operations/rules/build_rules.py).",
    "CreateImage CreateImagePipeline",
    searched="The guide says how to share each of them, not what one needs of the other.",
)
_structural(
    "SHARED_WITHOUT_RAM",
    "listed",
    "What a policy shares is listed with owner=Shared at once, without AWS RAM and without an invitation; a "
    "statement of a policy with a condition allows nothing (operations/resources/sharing.py).",
    "PutComponentPolicy PutImagePolicy PutImageRecipePolicy PutContainerRecipePolicy ListComponents "
    "ListImages ListImageRecipes ListContainerRecipes",
    searched="The guide recommends AWS RAM and says of a policy alone that RAM does not show it.",
)
_structural(
    "TAKEN_AMI_NAME",
    "an AMI under the default name",
    "A build whose AMI name another AMI has keeps its AMI, under the name of an image without a distribution "
    "configuration, and fails in its distribution (simulation/outputs/distribution.py).",
    "CreateImage DistributeImage",
    searched="The reason of EC2 is public; what becomes of the AMI is not.",
)
_structural(
    "MISSING_TARGET_WORDING",
    "Not all distribution jobs are completed. 1) ...",
    "The reason of a distribution to a target without the role, the key or the repository has the frame that "
    "other failures have, with the text of STS, KMS or ECR in it (simulation/outputs/failures.py).",
    "CreateImage DistributeImage",
    searched="Reports show the frame for two errors of EC2.",
)
_structural(
    "SUSE_SYSTEM",
    "SUSE 15",
    "The osVersion of Amazon's images of SUSE Linux Enterprise Server 15 (managed/images.py).",
    "GetImage ListImages CreateImageRecipe",
    searched="AWS's CDK writes SLES 15 for components; no public output of an image has it.",
)
_structural(
    "MANAGED_IMAGE_DAYS",
    "accepted",
    "Any day since 2019 is a version of each of Amazon's images, as nothing public lists them "
    "(managed/images.py).",
    "GetImage CreateImageRecipe",
    searched="Public templates name some days; how long AWS keeps a version is not documented.",
)
_structural(
    "WAITING_MESSAGE",
    "customPayload, imageArn, stepOutputs, workflowStepExecutionId",
    "The members of what WaitForAction publishes to SNS, which are those that Lambda gets "
    "(simulation/workflows/workflow_runner.py).",
    "CreateImage SendWorkflowStepAction",
    searched="The guide has the names for Lambda, and says for SNS what is in it.",
)


# --- to turn them round -----------------------------------------------------------------------------------
def turn(id_: str, value: Any) -> None:
    """Change a guess for this process.

    :param value: the new value, of the same type.
    :raises GuessError: there is no such guess, it is structural, or the value has another type.
    """
    known = _turnable(id_)
    if type(value) is not type(known.here):
        wanted = type(known.here).__name__
        raise GuessError(f"guess {id_}: {value!r} is not of the type {wanted}; it is {known.here!r}")
    globals()[id_] = value


def turn_text(text: str) -> None:
    """Change a guess as ``NAME=VALUE`` says; ``true`` and ``false``, and ``A,B`` for a set.

    :raises GuessError: as of :func:`turn`.
    """
    id_, equals, given = text.partition("=")
    if not equals:
        raise GuessError(f"guess {text!r}: write NAME=VALUE")
    turn(id_, _read(_turnable(id_), given))


@contextmanager
def turned(**values: Any) -> Iterator[None]:
    """Change guesses while a block runs.

    :raises GuessError: as of :func:`turn`.
    """
    before = {id_: globals()[id_] for id_ in values if id_ in globals()}
    try:
        for id_, value in values.items():
            turn(id_, value)
        yield
    finally:
        globals().update(before)


def as_text(value: Any) -> str:
    """Write a value as :func:`turn_text` reads it."""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(sorted(value)) if isinstance(value, frozenset) else str(value)


def _turnable(id_: str) -> Guess:
    known = REGISTRY.get(id_)
    if known is None:
        names = ", ".join(sorted(name for name, guess in REGISTRY.items() if not guess.structural))
        raise GuessError(f"there is no guess {id_!r}; allowed: {names}")
    if known.structural:
        raise GuessError(f"guess {id_} is built into the code and has no other value")
    return known


def _read(known: Guess, text: str) -> Any:
    if isinstance(known.here, bool):
        if text not in ("true", "false"):
            raise GuessError(f"guess {known.id}: {text!r} is not true or false")
        return text == "true"
    if isinstance(known.here, frozenset):
        return frozenset(text.split(","))
    try:
        return type(known.here)(text)
    except ValueError as error:
        wanted = type(known.here).__name__
        raise GuessError(f"guess {known.id}: {text!r} is not of the type {wanted}") from error
