"""An Airflow of one api-server, with two Dags, three kinds of users, and records in its database."""

from __future__ import annotations

import http.client
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import jwt
from sqlalchemy import create_engine, insert
from sqlalchemy.orm import Session

from airflow_imagebuilder.local.stack.airflow import AirflowStack
from airflow_imagebuilder.local.stack.environment import home_secrets, write_private
from airflow_imagebuilder.xcom import BUILD_KEY, FINDINGS_KEY, LIVE_BUILD_KEY, WORKFLOW_KEY
from tests.support.airflow_rows import Rows
from tests.support.image_records import build, findings, monitored
from tests.support.one_dag_auth_manager import READABLE

MINE, OTHER = "data.mine", "unseen77.dag"
SHARED = "golden"
RUN = "manual__2026-01-01T00:00:00+00:00"
RUNS = (RUN, "a/b", "50%", "50%2F", "früh?x#y")
OTHER_RUN = "unseen77__2026-02-02T00:00:00+00:00"
OTHER_NAME, OTHER_SECONDS = "unseen77-image", 77777.0
SECRET = "do-not-show-7f3a"
PASSWORDS = {"admin": "admin-password", "viewer": "viewer-password"}
HIDDEN = ("unseen77", "0000beef", "77777", SECRET)
"""What is in everything that only the other Dag has: ids, names, ARNs, AMIs, durations, messages."""


@dataclass(frozen=True)
class Answer:
    """An answer of the server, as bytes."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def holds(self, *texts: str) -> list[str]:
        """Return which of the texts are in the answer or its headers."""
        everything = self.body.decode("utf-8", "replace") + json.dumps(self.headers)
        return [text for text in texts if text in everything]


class AccessServer(AirflowStack):
    """A database and an api-server; no scheduler, no triggerer.

    :param home: its AIRFLOW_HOME.
    :param path: the path at which Airflow is served, e.g. ``/airflow``; the root of its host by default.
    :param env: more variables.
    """

    def __init__(self, home: Path, *, path: str = "", **options: Any) -> None:
        home.mkdir(parents=True, exist_ok=True)
        dags = home / "dags"
        dags.mkdir(exist_ok=True)
        repository = str(Path(__file__).parents[2])
        super().__init__(home, dags, **options)
        passwords = home / "passwords.json"
        write_private(passwords, PASSWORDS)
        self.env |= {
            "PYTHONPATH": repository,
            READABLE: MINE,
            "AIRFLOW__CORE__AUTH_MANAGER": "tests.support.one_dag_auth_manager.OneDagAuthManager",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin,viewer:viewer",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
            "AIRFLOW__API__BASE_URL": self.url + path,
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW_CONN_HIDDEN": json.dumps({"conn_type": "aws", "password": SECRET}),
            "AIRFLOW_VAR_HIDDEN": SECRET,
        }
        self.path = path
        self._http = httpx.Client(trust_env=False, timeout=30)

    def _launch_all(self) -> None:
        self.migrate()
        self.fill()
        self.launch("api-server")

    def wait_ready(self) -> None:
        """Wait until the api-server answers."""
        self._await(self._answers, "the api-server does not answer")

    def stop(self, grace: float = 5) -> None:
        """Stop the api-server."""
        self._http.close()
        super().stop(grace)

    def _answers(self) -> bool:
        try:
            return self._http.get(f"{self.url}{self.path}/api/v2/version").status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    # -- requests ------------------------------------------------------------------------------------------

    def token(self, user: str) -> str:
        """Log a user in and return the token."""
        deadline = time.monotonic() + 30
        while True:
            answer = self._http.post(
                f"{self.url}{self.path}/auth/token", json={"username": user, "password": PASSWORDS[user]}
            )
            if answer.is_success or time.monotonic() > deadline:
                answer.raise_for_status()
                return str(answer.json()["access_token"])

    def sign(self, token: str, *, key: str | None = None, algorithm: str = "HS512", **claims: Any) -> str:
        """Return a token with other claims, signed with Airflow's own key by default."""
        known = jwt.decode(token, options={"verify_signature": False})
        key = home_secrets(self.home)["jwt"] if key is None else key
        return jwt.encode({**known, **claims}, key, algorithm=algorithm)

    def ask(
        self,
        path: str,
        token: str | None = None,
        *,
        method: str = "GET",
        cookie: bool = False,
        **headers: str,
    ) -> Answer:
        """
        Send a request with exactly this path: clients that resolve ``..`` would hide what a server does.

        :param path: below the server's own path, escaped.
        :param token: as Bearer, or with ``cookie`` as the cookie of Airflow's UI.
        """
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            sent |= {"Cookie": f"_token={token}"} if cookie else {"Authorization": f"Bearer {token}"}
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=30)
        try:
            connection.request(method, self.path + path, headers=sent)
            got = connection.getresponse()
            return Answer(got.status, {k.lower(): v for k, v in got.getheaders()}, got.read())
        finally:
            connection.close()

    # -- records -------------------------------------------------------------------------------------------

    def fill(self) -> None:
        """Write the records of both Dags, and secrets where Airflow keeps them."""
        from airflow.models.variable import Variable

        with Session(create_engine(self.env["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"])) as session:
            rows = Rows(session)
            self._readable(rows)
            self._hidden(rows)
            rows.flush()
            session.execute(insert(Variable.__table__), [{"key": "unseen77_key", "val": SECRET}])
            session.commit()

    def _readable(self, rows: Rows) -> None:
        for number, run in enumerate(RUNS, 1):
            record = {**build(number, SHARED, begun=number * 5000), "note": SECRET}
            rows.xcom(BUILD_KEY, record, MINE, run)
        followed = build(900, "followed", submitted=False)
        rows.xcom(BUILD_KEY, followed, MINE, RUN, "follower")
        running = build(
            950, SHARED, begun=90000, status="TESTING", ended=False, ended_at=None, duration=None, amis=[]
        )
        rows.xcom(LIVE_BUILD_KEY, running, MINE, RUN, "running", state="deferred")
        rows.xcom("return_value", {"password": SECRET}, MINE, RUN)

    def _hidden(self, rows: Rows) -> None:
        begun = 1_000_000
        for number, name in enumerate((SHARED, SHARED, SHARED, OTHER_NAME), 5001):
            record = build(number, name, begun=begun + number)
            record["duration"] = OTHER_SECONDS
            record["arn"] = record["arn"].replace("/1.0.0/", "/77777.0.0/")
            record["version"] = f"77777.0.0/{number}"
            record["amis"] = [
                {
                    "region": "unseen77-1",
                    "account_id": "1",
                    "image": f"ami-0000beef{number}",
                    "name": "unseen77",
                }
            ]
            record["failure"] = {
                **dict.fromkeys(("stage", "workflow", "step", "component", "advice")),
                "message": "unseen77 failure",
                "text": "unseen77 failure",
            }
            rows.xcom(BUILD_KEY, record, OTHER, OTHER_RUN, f"unseen77_{number}")
            rows.xcom(
                FINDINGS_KEY,
                findings(record["arn"], critical=77777),
                OTHER,
                OTHER_RUN,
                f"unseen77_gate_{number}",
            )
        # The other Dag submitted the image that this one waits for, and runs monitors of it.
        shared = build(900, "followed", reason="unseen77 reason")
        rows.xcom(BUILD_KEY, shared, OTHER, OTHER_RUN, "unseen77_submitter")
        one = monitored(shared["workflows"][1], shared["arn"], 99_999, message="unseen77 message")
        rows.xcom(WORKFLOW_KEY, one, OTHER, OTHER_RUN, "unseen77_monitor")
        rows.xcom(FINDINGS_KEY, findings(shared["arn"], critical=77777), OTHER, OTHER_RUN, "unseen77_scan")
