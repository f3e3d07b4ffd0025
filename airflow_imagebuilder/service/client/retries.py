"""
Retries: which calls get another try, for how long, and how they add up with botocore's own retries.

This module decides, not botocore, because botocore's decision depends on a mode that a connection may set:
``legacy`` retries any 429, ``standard`` and ``adaptive`` do not know Image Builder's
``CallRateLimitExceededException``. In every mode, a call is retried here while :class:`TransientError`
(throttling, 5xx, connection errors, expired credentials) lasts, until patience is used up. A call with an
answer of the wrong shape is made three times at most. Any other error is raised at once. Every operation that
changes something takes a client token, so that another try never does it twice.

botocore's own tries happen inside one try of this module: at most five (``legacy``) or three, each limited by
the client's ``connect_timeout`` and ``read_timeout`` (60 s each by default), or by the time limit of an
asynchronous call. So :func:`call` and :func:`acall` return at most one such call after their patience. A
client with one try per call (``Config(retries={"total_max_attempts": 1})``) is throttled less and answers
sooner.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import tenacity

from airflow_imagebuilder.service.client.answers import checked
from airflow_imagebuilder.service.client.error_mapping import EXPIRED_CODES, translate
from airflow_imagebuilder.service.client.outdated import method_of
from airflow_imagebuilder.service.errors import AwsError, MalformedAnswerError, TransientError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["PATIENCE", "acall", "call", "policy", "seconds"]

log = logging.getLogger(__name__)

PATIENCE = 60.0
"""Seconds for which a single call is retried by default."""

_MALFORMED_TRIES = 3
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 15.0


def seconds(duration: float | timedelta) -> float:
    """Return a duration in seconds."""
    return duration.total_seconds() if isinstance(duration, timedelta) else float(duration)


def policy(patience: float | timedelta = PATIENCE, *, log_tries: bool = True) -> dict[str, Any]:
    """
    Return the arguments for tenacity's ``Retrying`` and ``AsyncRetrying``: one policy for both.

    The pause before try n is drawn from 0 to ``min(15, 2 ** (n - 1))`` seconds ("full jitter"), so that tasks
    that were throttled together do not return together.

    :param patience: seconds (or a timedelta) after which no further try begins (default 60).
    :param log_tries: whether to log the reason of each further try (default True).
    """
    limit = seconds(patience)

    def stop(state: tenacity.RetryCallState) -> bool:
        # The pauses are counted too, so that retries stop even if the clock does not run (in a test).
        spent = max(state.seconds_since_start or 0.0, state.idle_for)
        return spent + state.upcoming_sleep >= limit

    return {
        "retry": _worth_another_try,
        "wait": tenacity.wait_random_exponential(multiplier=_FIRST_WAIT, max=_LONGEST_WAIT),
        "stop": stop,
        "before_sleep": _log_try if log_tries else None,
        "reraise": True,
    }


def call(
    client: Any,
    operation: str,
    /,
    *,
    expect: str | None = None,
    patience: float | timedelta = PATIENCE,
    renew: Callable[[], Any] | None = None,
    **params: Any,
) -> dict[str, Any]:
    """
    Call one operation of a boto3 client, and retry while the errors are transient.

    :param client: a boto3 ``imagebuilder`` client.
    :param operation: botocore's method name, for example ``get_image``.
    :param expect: the member that the answer must hold.
    :param patience: seconds (or a timedelta) after which no further try begins (default 60).
    :param renew: returns another client, with new credentials, when those of the first have expired.
    :param params: the parameters of the operation, as AWS names them.
    :return: the answer, as botocore parsed it.
    :raises MalformedAnswerError: the answer lacks ``expect``.
    :raises ImageBuilderError: any other error of the last try
        (:func:`airflow_imagebuilder.service.client.error_mapping.translate`).
    """

    def attempt() -> dict[str, Any]:
        nonlocal client
        method = method_of(client, operation)
        try:
            answer = method(**params)
        except Exception as error:
            translated = translate(error, operation)
            if renew is not None and isinstance(translated, AwsError) and translated.code in EXPIRED_CODES:
                client = renew()
            raise translated from error
        return checked(answer, operation, expect)

    retrying = tenacity.Retrying(**policy(patience))
    try:
        answer: dict[str, Any] = retrying(attempt)
    except AwsError as error:
        error.attempts = int(retrying.statistics["attempt_number"])
        raise
    return answer


async def acall(
    once: Callable[..., Awaitable[dict[str, Any]]],
    operation: str,
    /,
    *,
    patience: float | timedelta = PATIENCE,
    log_tries: bool = True,
    **params: Any,
) -> dict[str, Any]:
    """
    Call one operation asynchronously, and retry while the errors are transient, as :func:`call` does.

    :param once: makes one call, for example
        :meth:`airflow_imagebuilder.service.client.aio_client.AioClient.call`.
    :param operation: botocore's method name, for example ``get_image``.
    :param patience: seconds (or a timedelta) after which no further try begins (default 60).
    :param log_tries: whether to log the reason of each further try (default True).
    :param params: what ``once`` takes besides.
    :return: the answer that ``once`` returned.
    :raises ImageBuilderError: the error of the last try.
    """
    retrying = tenacity.AsyncRetrying(**policy(patience, log_tries=log_tries), sleep=asyncio.sleep)
    answer: dict[str, Any] = await retrying(once, operation, **params)
    return answer


def _worth_another_try(state: tenacity.RetryCallState) -> bool:
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, MalformedAnswerError):
        # The body may have been cut off on its way: boto3 reads it as an empty answer without an error.
        return state.attempt_number < _MALFORMED_TRIES
    return isinstance(error, TransientError)


def _log_try(state: tenacity.RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    log.info("%s; next try in %.1f s", str(error).partition("\n")[0], state.upcoming_sleep)
