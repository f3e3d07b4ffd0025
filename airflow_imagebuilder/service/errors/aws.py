"""What AWS answers in place of a result."""

from __future__ import annotations

from typing import ClassVar

from airflow_imagebuilder.service.errors.base import (
    MESSAGE,
    NAME,
    ImageBuilderError,
)
from airflow_imagebuilder.service.text import (
    answer_line,
    one_line,
)


class AwsError(ImageBuilderError):
    """AWS answered with an error.

    Cause: One of the answers below it; no answer of AWS is of this class alone.

    Way out: See the class of the error; the message has AWS's code and the id of the request.

    :param operation: the API operation, e.g. ``GetImage``.
    :param code: AWS's error code, or the name of the client's error where no answer came.
    :param status: the HTTP status; None where no answer came.
    :param message: AWS's message, kept as one line of at most 1,000 characters.
    :param request_id: AWS's id of the request, which AWS Support asks for.
    """

    retryable: ClassVar[bool] = False
    remedy: ClassVar[str] = ""
    attempts: int = 1
    """The number of attempts of the call, all of which failed."""

    def __init__(
        self,
        operation: str,
        code: str = "",
        status: int | None = None,
        message: str = "",
        request_id: str | None = None,
    ) -> None:
        self.operation = one_line(operation, NAME)
        self.code = one_line(code, NAME)
        self.status = status
        self.message = answer_line(message, MESSAGE)
        self.request_id = one_line(request_id, NAME) if request_id else None
        answer = " ".join(str(part) for part in (status, self.code) if part)
        head = ": ".join(part for part in (self.operation, answer, self.message) if part)
        request = f" (request id {self.request_id})" if self.request_id else ""
        super().__init__(f"{head}{request}" + (f"\n{self.remedy}" if self.remedy else ""))


class TransientError(AwsError):
    """An error that may pass: throttling, 5xx, the connection, credentials that have just expired.

    Cause: AWS, the network or a proxy is out of order, or credentials have just expired. The call was
    repeated before.
    """

    retryable = True
    remedy = "If it lasts, check region, endpoint_url, network, credentials and this machine's clock."


class ThrottledError(TransientError):
    """Too many calls: to Image Builder, or from Image Builder to EC2 and SSM.

    Cause: The account makes more calls than AWS allows, or builds that start together do.
    """

    remedy = "Call less often: a longer poll interval, fewer builds at once."


class QuotaExceededError(AwsError):
    """A service quota is used up (ServiceQuotaExceededException, HTTP 402).

    Cause: A quota of the account is used up, such as images in progress.
    """

    remedy = "Wait until running builds finish, or ask for a higher quota in the Service Quotas console."


class ForbiddenError(AwsError):
    """The caller may not do this, or AWS does not recognize the caller.

    Cause: The policy of the caller lacks an action, or the credentials are wrong, expired or of another
    account.
    """

    remedy = (
        "Check the Airflow connection: its credentials and role, its region, "
        "and that its policy allows this imagebuilder action (CreateImage also needs iam:PassRole)."
    )


class NotFoundError(AwsError):
    """No resource has this ARN, in this account and region.

    Cause: The resource does not exist, was deleted, or is in another account or region.
    """

    remedy = "Check name, version, account and region of the ARN; wildcards match existing versions only."


class ParametersChangedError(AwsError):
    """The client token was used before, with other parameters (IdempotentParameterMismatchException).

    Cause: A client token was sent again, with another request than the first time.
    """

    remedy = "Send the parameters of the first request, or take a new client token to build a new image."


class RefusedError(AwsError):
    """AWS refused the request for another reason, which the message names.

    Cause: AWS does not accept the request in the present state, for example a resource is in use; or it
    checks what the message says.

    Way out: Read AWS's message, which names the reason. If a resource is in use (ResourceInUseException), the
    next try may succeed; otherwise correct the request.
    """


class MalformedAnswerError(AwsError):
    """AWS answered with success, but in a shape that cannot be read.

    Cause: A proxy, a captive portal or another server answered in place of AWS, or AWS cut its answer.
    """

    remedy = "Another server may have answered in place of AWS: check endpoint_url and proxies."
