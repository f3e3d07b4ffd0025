"""Venvs that hold the wheel, and nothing of this checkout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.commands import completed

if TYPE_CHECKING:
    from collections.abc import Mapping

REPOSITORY = Path(__file__).parents[2]
CONSTRAINTS = {
    path.stem.removeprefix("airflow-"): path for path in (REPOSITORY / "constraints").glob("airflow-*.txt")
}
AIRFLOWS = sorted(CONSTRAINTS, key=lambda version: [int(part) for part in version.split(".")])
OLDEST, NEWEST = AIRFLOWS[0], AIRFLOWS[-1]
BEYOND = {"3.0": (3, 13)}
"""The first Python that a version of Airflow does not run on."""
UV = Path(sys.executable).with_name("uv")


def run(*command: object, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> str:
    """Run a command that has to succeed, and return what it printed."""
    done = completed(command, seconds=600, env=env, cwd=cwd)
    assert done.returncode == 0, (command, done.stdout[-20000:], done.stderr[-8000:])
    return done.stdout


def index() -> dict[str, str]:
    """Return what uv needs beside the environment: it does not read where pip finds its packages."""
    if "UV_DEFAULT_INDEX" in os.environ:
        return {}
    asked = completed([sys.executable, "-m", "pip", "config", "get", "global.index-url"], seconds=60).stdout
    url = os.environ.get("PIP_INDEX_URL") or asked.strip()
    return {"UV_DEFAULT_INDEX": url} if url else {}


def interpreter(airflow: str) -> str:
    """Return a Python that runs a version of Airflow; skip the test where there is none."""
    beyond = BEYOND.get(airflow.rpartition(".")[0], (4,))
    for name in (sys.executable, "python3.12", "python3.11", "python3.10"):
        path = shutil.which(name)
        code = f"import sys, ensurepip, venv; sys.exit(sys.version_info >= {beyond})"
        if path and subprocess.run([path, "-c", code], check=False, capture_output=True).returncode == 0:
            return path
    pytest.skip(f"Airflow {airflow} needs a Python below {'.'.join(map(str, beyond))}, and there is none")


@dataclass(frozen=True)
class Venv:
    """A venv beside the wheel, for one version of Airflow."""

    folder: Path
    wheel: Path
    airflow: str

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "venv" / "bin" / "python"

    def make(self) -> None:
        """Make it, empty."""
        python = interpreter(self.airflow)
        if UV.exists():
            run(UV, "venv", "-q", "--python", python, self.folder / "venv")
        else:
            run(python, "-m", "venv", self.folder / "venv")

    def install(self, extra: str = "", *others: str) -> None:
        """Install the wheel into it as a user does: Airflow's version, the constraints, perhaps an extra."""
        wanted = [f"{self.wheel}{extra}", f"apache-airflow=={self.airflow}", *others]
        arguments = ["-q", "-c", CONSTRAINTS[self.airflow], *wanted]
        if UV.exists():
            env = {**os.environ, **index()}
            run(UV, "pip", "install", "--python", self.python, *arguments, env=env)
            run(UV, "pip", "check", "--python", self.python)
        else:
            run(self.python, "-m", "pip", "install", *arguments)
            run(self.python, "-m", "pip", "check")

    @property
    def env(self) -> dict[str, str]:
        """The environment of a user who has nothing yet."""
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        return {
            "PATH": f"{self.python.parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(home),
            "AIRFLOW_HOME": str(home / "airflow"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def code(self, text: str, *arguments: object) -> Any:
        """Run Python in it, far from the checkout, and return what it printed in its last line, as JSON."""
        printed = run(self.python, "-c", text, *arguments, env=self.env, cwd=self.folder)
        return json.loads(printed.splitlines()[-1])


@dataclass(frozen=True)
class Installed:
    """What a venv said of itself: without extras, and then with one."""

    venv: Venv
    bare: dict[str, Any]
    service: tuple[int, str]
    """How the local Image Builder ended without its extra: its exit code, and what it printed."""
    local: dict[str, Any]


BARE = """
import json, sys
import airflow_imagebuilder as package

said = {"file": package.__file__, "version": package.__version__}
said["names"] = [name for name in package.__all__ if getattr(package, name).__name__ == name]
from airflow.providers_manager import ProvidersManager
said["provider"] = ProvidersManager().providers["airflow-imagebuilder"].version
from airflow import plugins_manager
plugins = {plugin["name"]: plugin for plugin in plugins_manager.get_plugin_info()}
said["plugin"] = [app["url_prefix"] for app in plugins["imagebuilder"]["fastapi_apps"]]
try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:  # before 3.2
    from airflow.models.dagbag import DagBag
bag = DagBag(sys.argv[1])
said["dags"], said["errors"] = sorted(bag.dag_ids), bag.import_errors
said["moto"] = "moto" in sys.modules
print(json.dumps(said))
"""

LOCAL = """
import json
from pathlib import Path
from airflow_imagebuilder.local.stack import LocalService

with LocalService(home=Path("demo")) as service:
    workflows = service.client("imagebuilder").list_workflows(owner="Amazon")["workflowVersionList"]
    images = service.client("ec2").describe_images(Owners=["self"])["Images"]
print(json.dumps({"workflows": len(workflows), "images": len(images)}))
"""


def installed(folder: Path, wheel: Path, airflow: str, extra: str, *others: str) -> Installed:
    """Install the wheel alone, ask, add an extra to it, ask again."""
    venv = Venv(folder, wheel, airflow)
    venv.make()
    venv.install()
    bare = venv.code(BARE, REPOSITORY / "dags")
    command = [venv.python, "-m", "airflow_imagebuilder.local", "--port", "0"]
    service = completed(command, seconds=60, env=venv.env, cwd=folder)
    venv.install(extra, *others)
    return Installed(venv, bare, (service.returncode, service.stdout + service.stderr), venv.code(LOCAL))
