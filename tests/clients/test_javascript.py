"""The JavaScript SDK: paginators, a build, and errors by their names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.clients.conftest import INSTALLED, found, run

pytestmark = [pytest.mark.integration, pytest.mark.clients]
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def seen(environment: dict[str, str]) -> dict[str, Any]:
    """What ``build.cjs`` prints."""
    node, modules = found("node"), INSTALLED / "js" / "node_modules"
    if not (modules / "@aws-sdk" / "client-imagebuilder").is_dir():
        pytest.skip("@aws-sdk/client-imagebuilder is not installed; make test-clients")
    variables = {**environment, "NODE_PATH": str(modules), "AWS_REGION": "us-east-1"}
    code, output = run(node, str(HERE / "build.cjs"), environment=variables)
    assert code == 0, output
    return dict(json.loads(output.splitlines()[-1]))


def test_paginators_find_everything_once(seen: dict[str, Any]) -> None:
    assert seen["components"] > 100
    assert seen["images"] > 25
    assert {"build-image", "test-image", "distribute-image"} <= set(seen["workflows"])


def test_a_build_has_its_amis_workflows_steps_and_packages(seen: dict[str, Any]) -> None:
    assert (seen["status"], seen["regions"]) == ("AVAILABLE", ["eu-west-1", "us-east-1"])
    assert seen["types"] == ["BUILD", "TEST"]
    assert seen["steps"][:2] == ["LaunchBuildInstance", "ApplyBuildComponents"]
    assert seen["packages"]


def test_errors_have_their_names_and_statuses(seen: dict[str, Any]) -> None:
    assert seen["refusals"] == [
        ["ResourceNotFoundException", 404],
        ["ResourceAlreadyExistsException", 400],
        ["InvalidParameterValueException", 400],
    ]
