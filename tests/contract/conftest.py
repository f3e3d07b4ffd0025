"""
The Image Builder that the contract is held against: the local service, or AWS.

``make test`` runs these tests against a local service that it starts. Only ``make verify-aws``
(``tests/contract/__main__.py``) brings an account with it; nothing in the environment does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3
import pytest

from tests.contract import clean, scenes
from tests.contract.account import Account
from tests.contract.documents import SCENARIO
from tests.contract.verification import Observer, Verification
from tests.support.process import KEYS, Process

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def verification(request: pytest.FixtureRequest) -> Verification | None:
    """Return the run against an account; None in ``make test``."""
    plugins = request.config.pluginmanager.get_plugins()
    return next((plugin for plugin in plugins if isinstance(plugin, Verification)), None)


@pytest.fixture(scope="session")
def account(verification: Verification | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """Return the account of the run, or one of a local service, which keeps nothing of it."""
    if verification:
        yield verification.account
        return
    scenario = tmp_path_factory.mktemp("contract") / "scenario.yaml"
    scenario.write_text(SCENARIO)
    with Process("--speed", "1200", "--scenario", str(scenario)) as process:
        session = boto3.Session(
            KEYS["aws_access_key_id"], KEYS["aws_secret_access_key"], region_name="us-east-1"
        )
        local = Account(session, "us-east-1", process.url, "ImageBuilderExecution", poll=0.05, patience=60.0)
        yield local
        assert clean.remove(local) == []


@pytest.fixture
def observe(request: pytest.FixtureRequest, verification: Verification | None) -> Observer:
    """Return what takes the observation of a test: that of the guess which its marker names."""
    marker = request.node.get_closest_marker("guess")
    return Observer(marker.args[0], verification.report if verification else None)


@pytest.fixture(scope="session")
def component(account: Account) -> str:
    return scenes.component(account)


@pytest.fixture(scope="session")
def infrastructure(account: Account) -> str:
    return scenes.infrastructure(account)


@pytest.fixture(scope="session")
def recipe(account: Account, component: str) -> str:
    return scenes.recipe(account, "recipe", component)


@pytest.fixture(scope="session")
def waiting_test(account: Account) -> str:
    return scenes.workflow(account, "wait-a")


@pytest.fixture(scope="session")
def waiting_tests(account: Account, waiting_test: str) -> tuple[str, str, str]:
    """Return three test workflows that wait."""
    return waiting_test, scenes.workflow(account, "wait-b"), scenes.workflow(account, "wait-c")


@pytest.fixture(scope="session")
def failed(
    account: Account, component: str, infrastructure: str, waiting_tests: tuple[str, str, str]
) -> scenes.Failed:
    """Return an image without an instance, one test of which was stopped while others ran or waited."""
    return scenes.fail(account, component, infrastructure, waiting_tests)


@pytest.fixture(scope="session")
def retried(
    account: Account, component: str, infrastructure: str, waiting_tests: tuple[str, str, str]
) -> scenes.Retried:
    """Return an image without an instance that failed, was retried and was then cancelled."""
    return scenes.retry(account, component, infrastructure, waiting_tests)


@pytest.fixture(scope="session")
def built(account: Account, component: str, infrastructure: str, waiting_test: str) -> scenes.Built:
    """Return the one image of the run that is really built."""
    return scenes.build(account, component, infrastructure, waiting_test)
