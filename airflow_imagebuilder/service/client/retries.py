"""
Which calls are worth another try, for how long, and how the tries of botocore and of this module add up.

Decisions are taken here and not in botocore, because botocore's answer depends on a mode that a connection
may set: the mode ``legacy`` retries any 429, ``standard`` and ``adaptive`` do not know Image Builder's
``CallRateLimitExceededException``. Whatever the mode, another try is made here while :class:`TransientError`
(throttling, 5xx, connection trouble, expired credentials) lasts and patience with it. An answer of the
wrong shape is asked for three times at most. Anything else is raised at once. Every operation that changes
something takes a client token, so that another try never does it twice.

botocore's own tries happen inside one of ours: at most five (``legacy``) or three of them, each bounded by
the client's ``connect_timeout`` and ``read_timeout`` (60 s each by default), or cut short where the call is
asynchronous. So :func:`call` and :func:`acall` end at most one such call after their patience. A client that
makes one try a call (``Config(retries={"total_max_attempts": 1})``) is throttled less and answers sooner.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import tenacity

from airflow_imagebuilder.service.client.answers import checked
from airflow_imagebuilder.service.client.error_mapping import EXPIRED_CODES, translate
from airflow_imagebuilder.service.errors import AwsError, MalformedAnswerError, TransientError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["PATIENCE", "acall", "call", "policy", "seconds"]

log = logging.getLogger(__name__)

PATIENCE = 60.0
"""Seconds for which a single call is tried again by default."""

_MALFORMED_TRIES = 3
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 15.0


def seconds(duration: float | timedelta) -> float:
    """Return a duration in seconds."""
    return duration.total_seconds() if isinstance(duration, timedelta) else float(duration)


def policy(patience: float | timedelta = PATIENCE, *, log_tries: bool = True) -> dict[str, Any]:
    """
    Return the arguments for tenacity's ``Retrying`` and ``AsyncRetrying``: one policy for both.

    The wait before try n is drawn from 0 to ``min(15, 2 ** (n - 1))`` seconds ("full jitter"): many tasks
    that were throttled together do not come back together.

    :param patience: seconds (or a timedelta) after which no further try begins.
    :param log_tries: whether to log why there is another try.
    """
    limit = seconds(patience)

    def stop(state: tenacity.RetryCallState) -> bool:
        # The sleeps are counted too, so that a clock that stands still (a suspended machine, a test) ends it.
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
    Call one operation of a boto3 client, again while the trouble is transient.

    :param client: a boto3 ``imagebuilder`` client.
    :param operation: botocore's method name, for example ``get_image``.
    :param expect: the member that the answer must hold.
    :param patience: seconds (or a timedelta) after which no further try begins.
    :param renew: gives another client, with credentials of its own, once those of the first have expired.
    :param params: the parameters of the operation, as AWS names them.
    :raises MalformedAnswerError: the answer lacks ``expect``.
    :raises ImageBuilderError: whatever AWS or the way to it answered (:func:`translate`).
    :return: the answer, as botocore parsed it.
    """

    def attempt() -> dict[str, Any]:
        nonlocal client
        try:
            answer = getattr(client, operation)(**params)
        except Exception as error:
            told = translate(error, operation)
            if renew is not None and isinstance(told, AwsError) and told.code in EXPIRED_CODES:
                client = renew()
            raise told from error
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
    Call one operation without a thread, again while the trouble is transient, as :func:`call` does.

    :param once: calls once: for example
        :meth:`airflow_imagebuilder.service.client.aio_client.AioClient.call`.
    :param operation: botocore's method name, for example ``get_image``.
    :param patience: seconds (or a timedelta) after which no further try begins.
    :param log_tries: whether to log why there is another try.
    :param params: what ``once`` takes besides.
    :raises ImageBuilderError: whatever AWS or the way to it answered (:func:`translate`).
    :return: what ``once`` returned.
    """
    retrying = tenacity.AsyncRetrying(**policy(patience, log_tries=log_tries), sleep=asyncio.sleep)
    answer: dict[str, Any] = await retrying(once, operation, **params)
    return answer


def _worth_another_try(state: tenacity.RetryCallState) -> bool:
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, MalformedAnswerError):
        # A body that was cut off on its way: boto3 takes it for an empty answer, and says nothing.
        return state.attempt_number < _MALFORMED_TRIES
    return isinstance(error, TransientError)


def _log_try(state: tenacity.RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    log.info("%s; next try in %.1f s", str(error).partition("\n")[0], state.upcoming_sleep)
