"""What a test makes happen at the n-th call of a fake: an error, a crash, or something of its own."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Action = BaseException | Callable[[], Any]
"""What happens: an exception that is raised, or a function that is called."""

ALWAYS = 10**9
"""As the number of times: at every call."""


@dataclass(frozen=True)
class _Planned:
    point: tuple[str, str]
    first: int
    after_last: int
    action: Action


class FaultPlan:
    """Mixed into a fake: things that happen before or after its methods have had their effect."""

    def __init__(self) -> None:
        self._planned: list[_Planned] = []
        self._counts: Counter[tuple[str, str]] = Counter()

    def before(self, method: str, action: Action, *, nth: int = 1, times: int = 1) -> None:
        """
        Let something happen before a call has an effect: the request is lost or refused.

        :param method: the fake's method.
        :param action: an exception to raise or a function to call.
        :param nth: at which call, counted from now on.
        :param times: at how many calls in a row.
        """
        self._plan(("before", method), action, nth, times)

    def after(self, method: str, action: Action, *, nth: int = 1, times: int = 1) -> None:
        """Let something happen after a call has had its effect: an exception loses the answer."""
        self._plan(("after", method), action, nth, times)

    def _plan(self, point: tuple[str, str], action: Action, nth: int, times: int) -> None:
        assert callable(getattr(self, point[1])), point
        first = self._counts[point] + nth
        self._planned.append(_Planned(point, first, first + times, action))

    def _due(self, when: str, method: str) -> list[Action]:
        point = (when, method)
        self._counts[point] += 1
        number = self._counts[point]
        return [p.action for p in self._planned if p.point == point and p.first <= number < p.after_last]

    def _meet(self, when: str, method: str) -> None:
        for action in self._due(when, method):
            if isinstance(action, BaseException):
                raise action
            action()

    async def _ameet(self, when: str, method: str) -> None:
        for action in self._due(when, method):
            if isinstance(action, BaseException):
                raise action
            result = action()
            if inspect.isawaitable(result):
                await result
