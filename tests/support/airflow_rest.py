"""An Airflow behind ``httpx.MockTransport``: Variables, runs and tasks, with its REST API's filters."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

USER = {"username": "maintenance", "password": "secret"}


@dataclass
class FakeAirflow:
    """
    Answers the calls of the clean-up as Airflow 3.0 to 3.3 do.

    ``faults`` maps the start of ``"METHOD path"`` to answers (or errors) that come before the real one.
    """

    variables: dict[str, str | None] = field(default_factory=dict)
    runs: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    dags: set[str] = field(default_factory=set)
    hidden: set[str] = field(default_factory=set)
    faults: dict[str, list[httpx.Response | Exception]] = field(default_factory=lambda: defaultdict(list))
    page: int = 100
    token: str | None = "t1"
    calls: list[str] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)

    def run(self, dag_id: str, run_id: str, state: str, end: datetime | None = None) -> None:
        self.dags.add(dag_id)
        self.runs[dag_id, run_id] = {
            "dag_id": dag_id,
            "dag_run_id": run_id,
            "state": state,
            "end_date": end.isoformat().replace("+00:00", "Z") if end else None,
        }

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/api/v2")
        call = f"{request.method} {path}"
        body = json.loads(request.content) if request.content else {}
        self.calls.append(call)
        self.bodies.append(body)
        for prefix, answers in self.faults.items():
            if call.startswith(prefix) and answers:
                answer = answers.pop(0)
                if isinstance(answer, Exception):
                    raise answer
                return answer
        if call == "POST /auth/token":
            return self._log_in(body)
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return httpx.Response(401, json={"detail": "Invalid JWT token"})
        return self._answer(call, body, request.url.params, request.url.raw_path.decode())

    def _log_in(self, body: Any) -> httpx.Response:
        if body != USER:
            return httpx.Response(401, json={"detail": "Invalid credentials"})
        return httpx.Response(201, json={"access_token": self.token})

    def _answer(self, call: str, body: Any, params: httpx.QueryParams, raw: str) -> httpx.Response:
        if call == "GET /variables":
            return self._variables(params)
        if call == "POST /dags/~/dagRuns/list":
            return self._list("dag_runs", self._found_runs(body), body["page_offset"], body["page_limit"])
        if call == "POST /dags/~/dagRuns/~/taskInstances/list":
            return self._list(
                "task_instances", self._found_tasks(body), body["page_offset"], body["page_limit"]
            )
        if call.startswith("GET /dags/"):
            return self._dag(unquote(raw.rsplit("/", 1)[1]))
        if call.startswith("DELETE /variables/"):
            return self._delete(call.rsplit("/", 1)[1])
        return httpx.Response(404, json={"detail": "Not Found"})

    def _variables(self, params: httpx.QueryParams) -> httpx.Response:
        wanted = params.get("variable_key_pattern", "").lower()
        found = [
            {"key": key, "value": "***", "description": description, "is_encrypted": True}
            for key, description in self.variables.items()
            if wanted in key.lower()
        ]
        return self._list("variables", found, int(params["offset"]), int(params["limit"]))

    def _found_runs(self, body: Any) -> list[dict[str, Any]]:
        end = datetime.fromisoformat(body["end_date_lte"])
        return [
            run
            for (dag_id, _), run in self.runs.items()
            if dag_id in body["dag_ids"]
            and dag_id not in self.hidden
            and run["state"] in body["states"]
            and run["end_date"]
            and datetime.fromisoformat(run["end_date"].replace("Z", "+00:00")) <= end
        ]

    def _found_tasks(self, body: Any) -> list[dict[str, Any]]:
        return [
            {"dag_id": dag_id, "dag_run_id": run_id}
            for dag_id, run_id in self.runs
            if dag_id in body["dag_ids"] and run_id in body["dag_run_ids"] and dag_id not in self.hidden
        ]

    def _dag(self, dag_id: str) -> httpx.Response:
        if dag_id in self.hidden:
            return httpx.Response(403, json={"detail": "Forbidden"})
        if dag_id not in self.dags:
            return httpx.Response(404, json={"detail": f"Dag with id {dag_id} was not found"})
        return httpx.Response(200, json={"dag_id": dag_id})

    def _delete(self, key: str) -> httpx.Response:
        if key not in self.variables:
            return httpx.Response(404, json={"detail": f"The Variable with key: `{key}` was not found"})
        del self.variables[key]
        return httpx.Response(204)

    def _list(self, what: str, found: Sequence[Any], offset: int, limit: int) -> httpx.Response:
        page = found[offset : offset + min(limit, self.page)]
        return httpx.Response(200, json={what: page, "total_entries": len(found)})


def mwaa(answer: Callable[[httpx.Request], httpx.Response]) -> Any:
    """Return a boto3 client of MWAA whose environments are this Airflow; calls pass botocore's own model."""
    import boto3
    from botocore.awsrequest import AWSResponse

    connect: Any = boto3.client
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    client = connect("mwaa", region_name="eu-west-1", **keys)

    def send(request: Any, **_: Any) -> Any:
        wanted = json.loads(request.body)
        inner = answer(
            httpx.Request(
                wanted["Method"],
                f"https://airflow/api/v2{wanted['Path']}",
                params=wanted.get("QueryParameters"),
                json=wanted.get("Body"),
                headers={"Authorization": "Bearer t1"},
            )
        )
        document = {"RestApiStatusCode": inner.status_code}
        document |= {"RestApiResponse": inner.json()} if inner.content else {}
        headers: Any = {} if inner.is_success else {"x-amzn-errortype": _fault(inner)}
        response: Any = AWSResponse(request.url, 200 if inner.is_success else 400, headers, None)
        response._content = json.dumps(document).encode()
        return response

    client.meta.events.register("before-send.mwaa.InvokeRestApi", send)
    return client


def _fault(answer: httpx.Response) -> str:
    return "RestApiServerException" if answer.is_server_error else "RestApiClientException"
