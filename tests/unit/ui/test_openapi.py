"""The description of the API: it has every route, and says what its answers mean."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator

from airflow_imagebuilder.pages import PREFIX
from airflow_imagebuilder.ui.api import models
from airflow_imagebuilder.xcom import BUILD_KEY
from tests.support.image_records import build

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

    from tests.support.airflow_rows import Rows

API = f"{PREFIX}/api/v1"
TYPES = Path(__file__).parents[3] / "frontend" / "src" / "api.ts"


def document(admin: TestClient) -> dict[str, Any]:
    answer = admin.get(f"{API}/openapi.json")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def test_it_describes_every_route_and_every_error(admin: TestClient) -> None:
    found = document(admin)
    assert found["openapi"].startswith("3.1")
    paths = {"/dags/{dag_id}/runs/{run_id}", "/images", "/names", "/trend"}
    assert {path.removeprefix("/api/v1") for path in found["paths"]} == paths
    for path, methods in found["paths"].items():
        assert set(methods) == {"get"}
        assert {"200", "401", "403", "422"} <= set(methods["get"]["responses"]), path
        assert methods["get"]["summary"]
        assert methods["get"]["description"]
    assert "404" in found["paths"]["/api/v1/dags/{dag_id}/runs/{run_id}"]["get"]["responses"]
    assert found["servers"] == [{"url": PREFIX}]


def test_every_reference_leads_somewhere_and_every_schema_is_one(admin: TestClient) -> None:
    found = document(admin)
    schemas = found["components"]["schemas"]
    used = set(re.findall(r"#/components/schemas/([^'\"]+)", str(found)))
    assert used <= set(schemas)
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)


def test_an_answer_is_as_it_is_described(rows: Rows, admin: TestClient) -> None:
    rows.xcom(BUILD_KEY, build())
    rows.flush()
    found = document(admin)
    for path, name in ((f"{API}/dags/bake/runs/run-1", "Run"), (f"{API}/images", "Page_ImageRow_")):
        schema = {"$ref": f"#/components/schemas/{name}", "components": found["components"]}
        Draft202012Validator(schema).validate(admin.get(path).json())


def test_the_front_end_has_the_same_members() -> None:
    text = TYPES.read_text("utf-8")
    compared = 0
    for name, body in re.findall(
        r"export interface (\w+)(?:<T>)?(?: extends \w+)? \{\n(.*?)\n\}", text, re.DOTALL
    ):
        model = getattr(models, name, None)
        if model is None:
            continue
        compared += 1
        members = set(re.findall(r"^  (\w+)\??:", body, re.MULTILINE))
        base = models.ImageRow.model_fields if name == "Build" else {}
        assert set(model.model_fields) - set(base) == members, name
    assert compared == 16
