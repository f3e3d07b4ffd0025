"""Everything that can go wrong, as one tree.

::

    ImageBuilderError
    ├── InvalidRequestError         refused before anything is sent (also a ValueError)
    │   ├── NoSuchTestsError        a task group draws no test group of this name (also a KeyError)
    │   └── OutdatedBoto3Error      the installed boto3 lacks an operation, or a member of the request
    ├── ImageFailedError            the image is FAILED
    ├── ImageCancelledError         the image is CANCELLED or DELETED
    ├── NotRepairableError          the image is FAILED or CANCELLED, and RetryImage cannot continue it
    ├── PipelineNotStartedError     a pipeline is missing, has no recipe, or is not what a task group draws
    ├── RequestChangedError         the image of an earlier try is building with other parameters
    ├── ImageNotFoundError          AWS does not find the image that a task is about
    ├── WorkflowFailedError         a watched workflow execution failed or was cancelled
    ├── TestsFailedError            the image is AVAILABLE, but tests failed and the task forbids that
    ├── ImageNotAvailableError      an image whose outputs are to be verified is not AVAILABLE
    ├── OutputsDifferError          outputs are not what the distribution configuration asks for
    ├── DeadlineExceededError       the image was still in progress at the deadline (also a TimeoutError)
    ├── WaitInterruptedError        the task could not observe its image any longer; it may still be building
    ├── UndecidedError              whether a build is needed could not be read, and the task forbids a guess
    ├── SearchDeadlineError         no image to wait for was found by the deadline (also a TimeoutError)
    ├── SearchInterruptedError      the lists that show the image to wait for could not be read
    ├── StateStoreError             Airflow's task state store did not answer, so nothing was sent to AWS
    └── AwsError                    AWS answered with an error, or in a shape that cannot be read
        ├── TransientError          another try may succeed
        │   └── ThrottledError      too many calls
        ├── QuotaExceededError      a service quota is used up
        ├── ForbiddenError          not allowed, or not known: credentials, region, endpoint
        ├── NotFoundError           no such resource
        ├── ParametersChangedError  the client token was used with other parameters
        ├── RefusedError            every other refusal
        └── MalformedAnswerError    success, but of a shape that cannot be read

Only :class:`TransientError` and what is below it may be retried as it is.
"""

from airflow_imagebuilder.service.errors.aws import (
    AwsError,
    ForbiddenError,
    MalformedAnswerError,
    NotFoundError,
    ParametersChangedError,
    QuotaExceededError,
    RefusedError,
    ThrottledError,
    TransientError,
)
from airflow_imagebuilder.service.errors.base import (
    Fault,
    ImageBuilderError,
    InvalidRequestError,
    NoSuchTestsError,
    OutdatedBoto3Error,
    StateStoreError,
)
from airflow_imagebuilder.service.errors.gates import (
    ImageNotAvailableError,
    OutputsDifferError,
    SearchDeadlineError,
    SearchInterruptedError,
    UndecidedError,
)
from airflow_imagebuilder.service.errors.images import (
    DeadlineExceededError,
    ImageCancelledError,
    ImageFailedError,
    ImageNotFoundError,
    NotRepairableError,
    PipelineNotStartedError,
    RequestChangedError,
    TestsFailedError,
    WaitInterruptedError,
    WorkflowFailedError,
    error_for_image,
)

__all__ = [
    "AwsError",
    "DeadlineExceededError",
    "Fault",
    "ForbiddenError",
    "ImageBuilderError",
    "ImageCancelledError",
    "ImageFailedError",
    "ImageNotAvailableError",
    "ImageNotFoundError",
    "InvalidRequestError",
    "MalformedAnswerError",
    "NoSuchTestsError",
    "NotFoundError",
    "NotRepairableError",
    "OutdatedBoto3Error",
    "OutputsDifferError",
    "ParametersChangedError",
    "PipelineNotStartedError",
    "QuotaExceededError",
    "RefusedError",
    "RequestChangedError",
    "SearchDeadlineError",
    "SearchInterruptedError",
    "StateStoreError",
    "TestsFailedError",
    "ThrottledError",
    "TransientError",
    "UndecidedError",
    "WaitInterruptedError",
    "WorkflowFailedError",
    "error_for_image",
]
