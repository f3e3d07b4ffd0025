"""The package's face: what it exports, what importing and parsing cost, what Airflow discovers."""

from __future__ import annotations

import inspect
import json
import re
import sys
from enum import Enum
from pathlib import Path

import jsonschema
import pytest

import airflow_imagebuilder
from airflow_imagebuilder.provider_info import get_provider_info
from tests.support.commands import completed

PACKAGE = Path(airflow_imagebuilder.__file__).parent
DAGS = Path(__file__).parents[2] / "dags"
HEAVY = ("boto3", "botocore.session", "aiobotocore", "moto", "fastapi", "uvicorn")

PARSE = """
import json, runpy, socket, sys
def refuse(*args, **kwargs):
    raise AssertionError("a Dag file opened a network connection")
socket.socket.connect = refuse
before = set(sys.modules)
from airflow.sdk import DAG, TaskGroup, task, Param, Asset, BaseOperator
Asset("any", uri="any://asset")  # Airflow imports the URI handlers of all providers at the first one
for path in sys.argv[1:]:
    runpy.run_path(path)
print(json.dumps(sorted(sys.modules)))
"""


def assert_modules_after(code: str, *args: str) -> set[str]:
    done = completed([sys.executable, "-c", code, *args], seconds=120)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("name", airflow_imagebuilder.__all__)
def test_every_exported_name_can_be_imported(name: str) -> None:
    assert getattr(airflow_imagebuilder, name).__name__ == name
    assert name in dir(airflow_imagebuilder)


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(AttributeError, match="ImageBuilderTaskGroup"):
        _ = airflow_imagebuilder.ImageBuilderOperator


def test_importing_the_package_imports_nothing_else() -> None:
    code = "import json, sys, airflow_imagebuilder\nprint(json.dumps(sorted(sys.modules)))"
    loaded = assert_modules_after(code)
    assert "airflow" not in {name.split(".")[0] for name in loaded}
    assert not loaded & set(HEAVY)


def exported_classes() -> list[type]:
    exported = [getattr(airflow_imagebuilder, name) for name in airflow_imagebuilder.__all__]
    return [kind for kind in exported if not issubclass(kind, (BaseException, Enum))]


@pytest.mark.parametrize("kind", exported_classes(), ids=lambda kind: kind.__name__)
def test_every_parameter_of_an_exported_class_is_documented_with_its_default(kind: type) -> None:
    own = [base for base in kind.__mro__ if base.__module__.startswith(PACKAGE.name)]
    documents = "\n".join(inspect.getdoc(base) or "" for base in own)
    parameters = list(inspect.signature(kind).parameters.values())
    assert parameters
    for parameter in parameters:
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            found = re.search(rf":param {parameter.name}:(.*?)(?=\n\s*:|\n\n|\Z)", documents, re.DOTALL)
            assert found, parameter.name
            unset = parameter.default in (parameter.empty, None, ()) or "factory" in repr(parameter.default)
            assert unset or "default" in found[1], parameter.name


@pytest.mark.parametrize("path", sorted(DAGS.glob("*.py")), ids=lambda path: path.stem)
def test_a_dag_parses_without_network_the_aws_libraries_and_the_advice_on_failures(path: Path) -> None:
    modules = assert_modules_after(PARSE, str(path))
    # 3.0 brings fastapi with DAG, and the amazon provider boto3 with the handler of its URIs.
    airflows_own = assert_modules_after(PARSE)
    assert not (modules - airflows_own) & set(HEAVY)
    assert not {name for name in modules if name.startswith("airflow_imagebuilder.service.results.advice.")}


def test_provider_info_follows_airflows_schema() -> None:
    import airflow

    schema = json.loads((Path(airflow.__file__).parent / "provider_info.schema.json").read_text("utf-8"))
    jsonschema.validate(get_provider_info(), schema)


def test_provider_info_names_what_exists() -> None:
    from importlib import import_module

    info = get_provider_info()
    for kind in ("hooks", "operators", "triggers"):
        for module in info[kind][0]["python-modules"]:
            assert import_module(module)
    handlers = [uri["handler"] for uri in info["asset-uris"]]
    for path in [*info["extra-links"], *handlers]:
        module, _, name = path.rpartition(".")
        assert getattr(import_module(module), name)


def test_the_provider_has_no_connection_type_of_its_own() -> None:
    # The amazon provider's connection accepts its own type alone, and has form and test button for it.
    assert "connection-types" not in get_provider_info()
    assert airflow_imagebuilder.ImageBuilderHook.conn_type == "aws"
