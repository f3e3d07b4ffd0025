"""The application that Airflow's API server mounts: pages, files and the JSON API. It only reads."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from airflow_imagebuilder import __version__, compat
from airflow_imagebuilder.ui.access import LOGIN
from airflow_imagebuilder.ui.api.routes import router
from airflow_imagebuilder.ui.headers import HEADERS, NOT_STORED, Headers
from airflow_imagebuilder.ui.pages import files, pages

OPENAPI = "/api/v1/openapi.json"

DESCRIPTION = """\
What tasks of EC2 Image Builder recorded of their images, from Airflow's database alone: AWS is never asked.
Times are ISO 8601 in UTC, durations are seconds. Every request needs a token of Airflow: `POST /auth/token`,
then the header `Authorization: Bearer <token>`. An answer has the Dags alone which the user may read.
"""


def create_app() -> FastAPI:
    """Return the application."""
    # FastAPI's own pages of the API load scripts from elsewhere, so there are none.
    app = FastAPI(
        title="EC2 Image Builder in Airflow",
        version=__version__,
        description=DESCRIPTION,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.add_middleware(Headers)
    app.dependency_overrides.update(compat.cookie_logins())
    for part in (pages, files, router):
        app.include_router(part)

    @app.get(OPENAPI, include_in_schema=False, dependencies=[LOGIN])
    def openapi(request: Request) -> dict[str, Any]:
        return {**app.openapi(), "servers": [{"url": request.scope.get("root_path", "")}]}

    @app.exception_handler(Exception)
    def failed(_request: Any, _error: Exception) -> JSONResponse:
        # It answers outside of the middleware, and Airflow logs the error.
        detail = "The API server failed to answer: see its log."
        return JSONResponse({"detail": detail}, 500, {**HEADERS, "Cache-Control": NOT_STORED})

    return app
