"""Print the requirements of a pyproject.toml, a line each: those of the package, or those of one extra.

Used while the image is built: ``python requirements.py pyproject.toml [extra]``.
"""

from __future__ import annotations

import sys
from pathlib import Path

try:
    import tomllib
except ImportError:  # Python 3.10, where Airflow brings the library that became tomllib
    import tomli as tomllib  # type: ignore[import-not-found,no-redef]

project = tomllib.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["project"]
lines = project["optional-dependencies"][sys.argv[2]] if sys.argv[2:] else project["dependencies"]
sys.stdout.write("".join(f"{line}\n" for line in lines))
