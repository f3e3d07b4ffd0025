"""The wheel in an empty venv: what it has without extras, and what an extra adds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

import airflow_imagebuilder

if TYPE_CHECKING:
    from tests.distribution.venvs import Installed

pytestmark = [pytest.mark.dist, pytest.mark.timeout(600)]


@pytest.fixture(
    params=[
        pytest.param("oldest", marks=pytest.mark.xdist_group("oldest")),
        pytest.param("newest", marks=pytest.mark.xdist_group("newest")),
    ]
)
def found(request: pytest.FixtureRequest) -> Installed:
    """The wheel on one version of Airflow."""
    installed: Installed = request.getfixturevalue(request.param)
    return installed


def test_every_name_of_the_package_is_there_without_extras(found: Installed) -> None:
    assert found.bare["file"].startswith(str(found.venv.folder))
    assert found.bare["version"] == airflow_imagebuilder.__version__
    assert found.bare["names"] == airflow_imagebuilder.__all__


def test_airflow_discovers_the_provider_and_the_plugin(found: Installed) -> None:
    assert found.bare["provider"] == airflow_imagebuilder.__version__
    assert found.bare["plugin"] == ["/imagebuilder"]


def test_the_example_dags_parse_without_extras(found: Installed) -> None:
    assert found.bare["errors"] == {}
    assert {"golden_image", "golden_image_pipeline"} <= set(found.bare["dags"])
    assert not found.bare["moto"]


def test_the_local_service_without_its_extra_says_in_one_line_what_to_install(found: Installed) -> None:
    code, printed = found.service
    assert (code, len(printed.splitlines())) == (2, 1), printed
    assert re.search(r"'local'.*pip install .*airflow-imagebuilder\[local\]", printed), printed


def test_with_the_extra_the_local_service_starts_and_answers(found: Installed) -> None:
    assert found.local["workflows"] > 0
    assert found.local["images"] == 0, "nothing is built yet"
