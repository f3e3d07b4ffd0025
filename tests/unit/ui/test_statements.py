"""Each statement compiles for the databases that the tests do not run on."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.dialects import mysql, postgresql, sqlite

from airflow_imagebuilder.ui.reading import statements
from airflow_imagebuilder.ui.reading.members import Members, escaped
from airflow_imagebuilder.ui.reading.statements import Wanted

DIALECTS: dict[str, Any] = {
    "mysql": mysql.dialect(),
    "postgresql": postgresql.dialect(),
    "sqlite": sqlite.dialect(),
}
EVERYTHING = Wanted("golden", "ami-1", "FAILED", "duration", descending=False, limit=10, offset=20)
DAGS = ["bake"]


def every_statement(dialect: str) -> dict[str, Any]:
    return {
        "page": statements.page(dialect, DAGS, EVERYTHING),
        "names": statements.names(dialect, DAGS, EVERYTHING),
        "total": statements.total(statements.page(dialect, DAGS, EVERYTHING)),
        "findings": statements.findings(dialect, DAGS, ["arn"]),
        "history": statements.history(dialect, DAGS, ["golden"], 10),
        "skipped": statements.skipped(dialect),
    }


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", every_statement("sqlite"))
def test_a_statement_compiles(dialect: str, name: str) -> None:
    options = {"literal_binds": True}
    text = str(every_statement(dialect)[name].compile(dialect=DIALECTS[dialect], compile_kwargs=options))
    foreign = {
        "mysql": ("->>", "jsonb", "json_tree", "json_valid", "ILIKE"),
        "postgresql": ("json_extract", "json_value", "json_tree"),
        "sqlite": ("->>", "jsonb", "json_value"),
    }
    assert [word for word in foreign[dialect] if word in text] == []
    assert "imagebuilder_" in text


def test_every_function_that_makes_a_statement_is_tried() -> None:
    made = {
        name
        for name, value in vars(statements).items()
        if callable(value) and value.__module__ == statements.__name__
    }
    assert {name for name in made if name[0] != "_" and name != "Wanted"} == set(every_statement("sqlite"))


def test_wildcards_are_escaped() -> None:
    assert escaped("50%_/x") == "%50/%/_//x%"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_text_from_outside_is_a_parameter(dialect: str) -> None:
    wanted = Wanted(text="ami-'; DROP", name="'; DROP TABLE xcom", status="'; DROP")
    compiled = statements.page(dialect, ["'; DROP"], wanted).compile(dialect=DIALECTS[dialect])
    assert "DROP" not in str(compiled)


def test_no_number_is_made_of_a_text_on_postgresql() -> None:
    from sqlalchemy import column

    text = str(
        Members("postgresql", column("value")).number("duration").compile(dialect=DIALECTS["postgresql"])
    )
    assert "jsonb_typeof" in text
