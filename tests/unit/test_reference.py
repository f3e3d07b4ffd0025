"""The reference of the documentation: each public thing is in what its generators make, with its details."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import airflow_imagebuilder
from airflow_imagebuilder.operators.base import ImageBuilderBaseOperator
from airflow_imagebuilder.provider_info import get_provider_info
from airflow_imagebuilder.service import errors
from airflow_imagebuilder.service.errors import ImageBuilderError
from airflow_imagebuilder.service.results.advice.advice import REASONS
from airflow_imagebuilder.triggers.base import ImageBuilderTrigger
from airflow_imagebuilder.triggers.watch.metrics import LABELS, METRICS

if TYPE_CHECKING:
    from types import ModuleType

DOCS = Path(__file__).parents[2] / "docs"
PACKAGE = Path(airflow_imagebuilder.__file__).parent
PAGES = {path.stem: path.read_text("utf-8") for path in (DOCS / "reference").glob("*.md")}
NAMES = {name: getattr(airflow_imagebuilder, name) for name in airflow_imagebuilder.__all__}
DESCRIBED = [
    name
    for name, thing in NAMES.items()
    if issubclass(thing, (ImageBuilderBaseOperator, ImageBuilderTrigger)) or name == "ImageBuilderTaskGroup"
]
ERRORS = [getattr(errors, name) for name in errors.__all__ if name.endswith("Error")]


def generator(name: str) -> ModuleType:
    """Return a module of the generators."""
    folder = str(DOCS / "_extensions")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return importlib.import_module(f"reference_text.{name}")


@pytest.mark.parametrize("name", NAMES)
def test_each_public_name_is_on_a_page_of_the_reference(name: str) -> None:
    if issubclass(NAMES[name], ImageBuilderError):
        assert f"py:exception:: {name}\n" in generator("errors").errors_text()
        assert ".. generated:: errors\n" in PAGES["errors"]
    elif name == "ImageBuilderHook":
        assert ".. generated:: hook\n" in PAGES["hooks"]
    else:
        shown = rf"\.\. (described-class:: |autoclass:: airflow_imagebuilder\.){name}$"
        assert [page for page, text in PAGES.items() if re.search(shown, text, re.MULTILINE)]


@pytest.mark.parametrize("name", DESCRIBED)
def test_each_parameter_is_described(name: str) -> None:
    cls, classes = NAMES[name], generator("classes")
    shown = [parameter for _, parameters in classes.groups(cls) for parameter in parameters]
    names = [parameter.name for parameter in shown]
    assert sorted(set(names)) == sorted(names)
    missing = set(classes.accepted(cls)) - set(names) - set(classes.members_of_unpack(cls))
    assert not missing
    assert not [parameter.name for parameter in shown if not parameter.text.strip()]
    text = classes.class_text(name)
    assert not [parameter for parameter in names if f"``{parameter}``" not in text]


@pytest.mark.parametrize("name", [name for name in DESCRIBED if hasattr(NAMES[name], "template_fields")])
def test_each_template_field_is_marked(name: str) -> None:
    groups = generator("classes").groups(NAMES[name])
    marked = {one.name for _, parameters in groups for one in parameters if one.templated}
    assert marked == set(NAMES[name].template_fields)


def test_a_default_and_a_type_are_those_of_the_signature() -> None:
    cls = airflow_imagebuilder.ImageBuilderCreateImageOperator
    found = {one.name: one for _, many in generator("classes").groups(cls) for one in many}
    assert found["timeout"].default == "timedelta(hours=12)"
    assert found["on_retry"].default == "'repair'"
    assert found["cancel_on_kill"].kind == "bool"
    assert found["aws_conn_id"].default == "'aws_default'"


def test_airflows_own_parameters_do_not_flood_a_page() -> None:
    text = generator("classes").class_text("ImageBuilderCreateImageOperator")
    assert "``pool_slots``" not in text
    assert "``weight_rule``" not in text


def test_each_error_class_is_in_the_tree_and_on_the_page() -> None:
    generated = generator("errors")
    assert set(generated.classes()) == set(ERRORS)
    for cls in ERRORS:
        assert re.search(rf"(^|── |^ *){cls.__name__}\b", generated.tree_text(), re.MULTILINE), cls
        assert f"py:exception:: {cls.__name__}\n" in generated.errors_text()


@pytest.mark.parametrize("cls", ERRORS, ids=lambda cls: cls.__name__)
def test_each_error_class_says_its_cause_and_the_way_out(cls: type[ImageBuilderError]) -> None:
    generated = generator("errors")
    assert re.search(r"^Cause: \S", inspect.getdoc(cls) or "", re.MULTILINE)
    assert generated.way_out(cls).strip()
    assert generated.way_out(cls) != generated.cause(cls)


def test_what_airflow_does_with_an_error_is_what_the_policy_decides() -> None:
    retries = generator("errors").retries
    assert retries(errors.ForbiddenError).startswith("It fails the task at once")
    assert retries(errors.WaitInterruptedError).startswith("It tries again after 1 minute")
    assert retries(errors.QuotaExceededError).startswith("It tries again after 15 minutes")
    assert retries(errors.ImageFailedError) == "It tries again as ``retries`` and ``retry_delay`` say."


def test_each_known_reason_is_on_the_page_with_its_advice() -> None:
    generated, plain = generator("errors"), generator("docstring").plain
    text = generated.reasons_text()
    assert f"{len(REASONS)} reasons" in text
    for reason in REASONS:
        assert f"``{reason.name}``" in text
        assert plain(reason.advice) in text


def test_each_option_has_unit_default_meaning_and_variable() -> None:
    tables = generator("tables")
    options = get_provider_info()["config"]["imagebuilder"]["options"]
    assert set(tables.UNITS) == set(options)
    text = tables.options_text()
    for name, option in options.items():
        assert f"``{name}``" in text
        assert f"AIRFLOW__IMAGEBUILDER__{name.upper()}" in text
        assert generator("docstring").plain(option["description"]) in text
    assert tables.allowed("poll_interval") == "above 0"
    assert tables.allowed("grace") == "at least 0"


def test_each_metric_that_is_sent_is_in_the_table_and_no_other() -> None:
    """The names are literals behind the four methods, and the keys of the report."""
    sent = set[str]()
    for folder in ("watcher", "events"):
        for path in (PACKAGE / "service" / folder).glob("*.py"):
            sent |= names_sent(path.read_text("utf-8"))
    assert sent == {metric.name for metric in METRICS}


def names_sent(source: str) -> set[str]:
    """Return the names of the metrics that a module sends."""
    found = set[str]()
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        called = getattr(node.func, "attr", "")
        first: Any = node.args[0]
        if called == "to_thread" and getattr(first, "attr", "") in ("incr", "gauge", "timing"):
            first, called = node.args[1], "gauge"
        if called == "fromkeys" and isinstance(first, ast.Tuple) and "calls" in ast.unparse(first):
            found |= {str(one.value) for one in first.elts if isinstance(one, ast.Constant)}
        elif called in ("incr", "gauge", "timing", "count", "_count") and isinstance(first, ast.Constant):
            found |= {str(first.value)}
    return {name for name in found if re.fullmatch("[a-z_]+", name)}


def test_each_metric_and_label_is_on_its_page_and_on_the_page_about_monitoring() -> None:
    text, monitoring = generator("tables").metrics_text(), (DOCS / "monitoring.md").read_text("utf-8")
    for metric in METRICS:
        assert f"``imagebuilder.{metric.name}``" in text
        assert f"`imagebuilder.{metric.name}`" in monitoring
    for label in LABELS:
        assert f"``{label}``" in text


def test_the_labels_are_those_that_a_trigger_gives() -> None:
    given = re.search(r"AirflowMetrics\((.*?)\)", (PACKAGE / "triggers" / "base.py").read_text("utf-8"))
    assert given
    assert set(re.findall(r"(\w+)=", given[1])) == set(LABELS)


def test_each_xcom_key_is_on_the_page() -> None:
    from airflow_imagebuilder import xcom

    keys = {value for name, value in vars(xcom).items() if name.endswith("_KEY")}
    tables = generator("tables")
    assert set(tables.xcoms()) == keys
    assert not [key for key in keys if f"``{key}``" not in tables.xcoms_text()]
    assert not [text for text in tables.xcoms().values() if len(text) < 20]


def test_each_link_is_on_the_page() -> None:
    tables = generator("tables")
    text = tables.links_text()
    assert len(tables.link_classes()) == len(get_provider_info()["extra-links"])
    assert not [cls for cls in tables.link_classes() if generator("docstring").plain(cls.name) not in text]


def test_the_command_lines_are_those_of_the_parsers() -> None:
    commands = generator("commands")
    found = commands.commands()
    assert set(found) >= {"airflow_imagebuilder.local", "airflow_imagebuilder.clean_up", "tests.contract"}
    text = commands.commands_text()
    for parser in found.values():
        options = [names[-1] for action in parser._actions if (names := action.option_strings)]
        assert not [name for name in options if name != "--help" and f"``{name}" not in text]
    assert str(DOCS.parent) not in text


def test_each_key_of_a_scenario_is_on_the_page() -> None:
    from airflow_imagebuilder.local.emulator import scenario

    text = generator("tables").scenario_text()
    keys = {*scenario._FAILURE_KEYS, *scenario._FAULT_KEYS, *scenario.Scenario.__dataclass_fields__}
    assert not [key for key in keys if not re.search(rf"\b{key}: ", text) and f"{key}:" not in text]
    assert ".. generated:: scenario\n" in PAGES["command-lines"]


def test_the_page_about_the_hook_has_its_own_methods_alone() -> None:
    text = generator("classes").hook_text()
    assert ":members: " in text
    own = re.search(r":members: (.*)", text)
    assert own
    assert {"create_image", "get_image", "acancel_image", "list_image_scan_findings"} <= set(
        own[1].split(", ")
    )
    assert "get_waiter" not in text
    assert "get_credentials" not in text


def test_the_members_of_a_submission_are_on_the_page() -> None:
    from airflow_imagebuilder import xcom

    members = re.findall(r'^        "(\w+)": ', inspect.getsource(xcom.submission_record), re.MULTILINE)
    assert members
    assert not [member for member in members if f"`{member}`" not in PAGES["xcoms"]]
