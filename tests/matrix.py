"""
Everything that has to hold on each supported version of Airflow, and the table of it in the documents.

``make matrix`` runs this: per version the unit tests, one golden image (``make demo``) and the tests of the
fault suite that have the marker ``matrix``. Logs are kept in ``.demo/matrix``.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOGS = ROOT / ".demo" / "matrix"
PAGE = ROOT / "docs" / "airflow-versions.md"
BEGIN, END = "<!-- matrix -->", "<!-- /matrix -->"
RUNS = 3
"""Runs per kill point."""
LIMIT = 3600.0
"""Seconds after which a stage has failed."""


@dataclass
class Column:
    """
    What one version did.

    :param version: the version of Airflow.
    """

    version: str
    figures: dict[str, str] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    def run(self, name: str, *command: str) -> tuple[str, float]:
        """Run a stage; return its output and its seconds."""
        print(f"== Airflow {self.version}: {name}", flush=True)
        began = time.monotonic()
        log = LOGS / self.version / f"{name.replace(' ', '-')}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w") as out:
            code = subprocess.run(
                command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, timeout=LIMIT, check=False
            ).returncode
        seconds = time.monotonic() - began
        if code:
            self.failed.append(f"{name}: exit {code}, see {log.relative_to(ROOT)}")
        print(f"   {'FAILED' if code else 'ok'} after {seconds:.0f} s", flush=True)
        return log.read_text("utf-8", "replace"), seconds

    def make(self, target: str, arguments: str = "") -> tuple[str, float]:
        """Run a target of the Makefile on this version."""
        return self.run(target, "make", target, f"AIRFLOW={self.version}", f"ARGS={arguments}")

    def fill(self) -> None:
        """Run all stages."""
        self.make("install")
        output, seconds = self.make("test", "tests/unit -q -W ignore")
        counts = re.findall(r"\d+ (?:passed|failed|skipped|errors?)\b", output.rpartition("\n=")[2] or output)
        self.figures["unit tests"] = f"{', '.join(counts[-3:])} in {seconds:.0f} s"
        _, seconds = self.make("demo")
        self.figures["`make demo`: start Airflow, bake, stop"] = f"{seconds:.0f} s"
        figures = LOGS / self.version / "figures.json"
        figures.unlink(missing_ok=True)
        self.make("test-faults", f"-m matrix -W ignore --runs {RUNS} --figures {figures}")
        if figures.exists():
            self.figures |= json.loads(figures.read_text("utf-8"))


def table(columns: list[Column]) -> str:
    """Return the table as Markdown: a row per figure, a column per version."""
    rows = dict.fromkeys(name for column in columns for name in column.figures)
    lines = [["", *(column.version for column in columns)], ["---"] * (len(columns) + 1)]
    # A version whose tests all pass has no figure for what its boto3 lacks.
    lines += [
        [name, *(column.figures.get(name, "failed" if column.failed else "-") for column in columns)]
        for name in rows
    ]
    lines += [["failed", *("; ".join(column.failed) or "nothing" for column in columns)]]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def main(versions: list[str]) -> int:
    """Fill the table, write it into the page if every version is in it, and return the exit code."""
    columns = [Column(version) for version in versions]
    for column in columns:
        column.fill()
    text = table(columns)
    print(text)
    (LOGS / "table.md").write_text(text + "\n", "utf-8")
    known = {path.stem.removeprefix("airflow-") for path in (ROOT / "constraints").glob("airflow-*.txt")}
    if known == set(versions):
        before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.partition(END)[2]}", "utf-8")
    return 1 if any(column.failed for column in columns) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
