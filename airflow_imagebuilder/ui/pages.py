"""The pages without Airflow's frame, and the files that they and Airflow's UI load."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.routing import APIRoute

from airflow_imagebuilder.ui.access import LOGIN

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

STATIC = Path(__file__).parent / "static"
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".txt": "text/plain"}
REVALIDATED = "private, no-cache"

SHELL = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="{base}/static/icon.svg">
<link rel="stylesheet" href="{base}/static/imagebuilder.css">
<script type="module" src="{base}/static/imagebuilder.js"></script>
</head>
<body>
<div id="imagebuilder-page" class="imagebuilder"{data}></div>
<noscript>This page needs JavaScript.</noscript>
</body>
</html>
"""


class _Page(APIRoute):
    """A page sends a reader who is not logged in to Airflow's login, as Airflow's own pages do."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_or_log_in(request: Request) -> Response:
            try:
                return await handle(request)
            except HTTPException as refused:
                # A page asks for a user and nothing more, so 403 means a token that is not valid.
                if refused.status_code not in {401, 403}:
                    raise
                return RedirectResponse(_login(request), status_code=302)

        return handle_or_log_in


pages = APIRouter(route_class=_Page, dependencies=[LOGIN], include_in_schema=False)
files = APIRouter(dependencies=[LOGIN], include_in_schema=False)


@pages.get("/")
def images_page(request: Request) -> HTMLResponse:
    """Return the page of all images."""
    return _shell(request, "Golden images")


@pages.get("/runs/{dag_id}/{run_id:path}")
def run_page(request: Request, dag_id: str, run_id: str) -> HTMLResponse:
    """Return the page of a run; ``?task_id=`` and ``?map_index=`` choose a task instance of it."""
    chosen = {name: request.query_params.get(name) for name in ("task_id", "map_index")}
    return _shell(request, "Image build", dag_id=dag_id, run_id=run_id, **chosen)


@files.get("/static/{name}")
def static(request: Request, name: str) -> Response:
    """Return a file that the front end consists of. Any other name is not found, whatever it says."""
    path = {path.name: path for path in STATIC.iterdir()}.get(name)
    if path is None or path.suffix not in TYPES:
        raise HTTPException(404, "There is no such file.")
    stat = path.stat()
    content, tag = _content(path, stat.st_mtime_ns, stat.st_size)
    headers = {"ETag": tag, "Cache-Control": REVALIDATED}
    if tag in request.headers.get("If-None-Match", ""):
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type=TYPES[path.suffix])


@lru_cache(maxsize=32)
def _content(path: Path, _changed: int, _size: int) -> tuple[bytes, str]:
    content = path.read_bytes()
    # Weak, since Airflow compresses the answer.
    return content, f'W/"{hashlib.sha256(content).hexdigest()[:32]}"'


def _shell(request: Request, title: str, **data: str | None) -> HTMLResponse:
    members = {name.replace("_", "-"): value for name, value in data.items() if value is not None}
    attributes = "".join(f' data-{name}="{escape(value)}"' for name, value in members.items())
    base = escape(request.scope.get("root_path", ""))
    page = SHELL.format(title=escape(title), base=base, data=attributes)
    return HTMLResponse(page, headers={"Cache-Control": "private, no-cache"})


def _login(request: Request) -> str:
    """Return the address of Airflow's login, which leads back to the page that was asked for."""
    # Starlette keeps the path of the application that has this one mounted.
    served = request.scope.get("app_root_path", "")
    # The path alone: behind a proxy this process knows neither the scheme nor the host.
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return f"{served}/api/v2/auth/login?{urlencode({'next': wanted})}"
