"""The application that Airflow's API server mounts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

STATIC = Path(__file__).parent / "static"


def create_app() -> Any:
    """Return the application."""
    from airflow.api_fastapi.core_api.security import get_user
    from fastapi import Depends, FastAPI
    from fastapi.responses import FileResponse

    app = FastAPI(dependencies=[Depends(get_user)], openapi_url=None, docs_url=None, redoc_url=None)

    @app.get("/static/{name}")
    def static(name: str) -> FileResponse:
        return FileResponse(STATIC / Path(name).name)

    return app
