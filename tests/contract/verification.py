"""Verification: the pytest plugin that keeps what the contract tests see, on AWS or on the local service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from airflow_imagebuilder.local.emulator.engine import guesses

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.contract.account import Account
    from tests.contract.report import Report


class Verification:
    """
    One run against an account.

    :param account: the account, which has been checked.
    :param report: receives what the tests see.
    """

    def __init__(self, account: Account, report: Report) -> None:
        self.account = account
        self.report = report

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Iterator[None]:
        """Keep why a test has seen nothing: it was skipped, or something went wrong."""
        outcome: Any = yield
        result: pytest.TestReport = outcome.get_result()
        if result.outcome == "passed" and result.when != "call":
            return
        why = None if result.outcome == "passed" else _reason(result)
        marker = item.get_closest_marker("guess")
        if marker is None:
            if why is None or result.when != "teardown":
                name = item.name.removeprefix("test_")
                self.report.fact(name, why, tried=not result.skipped)
        elif why:
            self.report.not_tried(marker.args[0], why)


def _reason(result: pytest.TestReport) -> str:
    if result.skipped and isinstance(result.longrepr, tuple):
        return str(result.longrepr[2]).removeprefix("Skipped: ")
    crash = getattr(result.longrepr, "reprcrash", None)
    return f"The test failed: {crash.message if crash else result.longreprtext.splitlines()[-1]}"


class Observer:
    """
    Takes what a test has seen of its guess.

    :param id_: the guess.
    :param report: keeps it; without one, the test fails if it differs.
    """

    def __init__(self, id_: str, report: Report | None) -> None:
        self._guess = guesses.REGISTRY[id_]
        self._report = report

    @property
    def here(self) -> Any:
        """What the local service does."""
        return self._guess.here

    def __call__(self, value: Any) -> None:
        """Keep what was seen."""
        if self._report:
            self._report.seen(self._guess.id, value)
        else:
            assert value == self._guess.here, self._guess.says

    def not_tried(self, why: str) -> NoReturn:
        """End the test: nothing can be seen."""
        pytest.skip(why)
