"""Extras: the local Image Builder and the test mode say in one line what to install.

The metadata of the installed distribution says what an extra needs, so ``pyproject.toml`` alone lists it.
Without metadata (sources on the path) nothing is checked, and an import that fails names the module.
"""

from __future__ import annotations

import json
import shlex
import sys
from importlib import metadata
from pathlib import Path
from urllib.parse import unquote, urlsplit

DISTRIBUTION = "airflow-imagebuilder"
_USAGE = 2
"""The exit code of a command that was not called as it must be."""


class MissingExtraError(ModuleNotFoundError):
    """An extra of this package is not installed; the message says how to install it."""


def need(extra: str, what: str) -> None:
    """
    Continue only if an extra is installed.

    While Python searches a module that ``python -m`` names, the command ends here with exit code 2; while
    pytest imports a plugin, pytest ends with a usage error. Both print the one line alone.

    :param extra: its name in ``pyproject.toml``.
    :param what: the package that needs it.
    :raises MissingExtraError: it is not installed.
    """
    absent = missing(extra)
    if not absent:
        return
    *first, last = absent
    names, verb = (f"{', '.join(first)} and {last}", "are") if first else (last, "is")
    line = f"{what} needs the extra '{extra}' ({names} {verb} missing): {command(extra)}"
    if sys.argv[:1] == ["-m"]:
        sys.stderr.write(f"{line}\n")
        raise SystemExit(_USAGE)
    if _a_plugin_of_pytest():
        import pytest

        raise pytest.UsageError(line)
    raise MissingExtraError(line, name=absent[0])


def missing(extra: str) -> list[str]:
    """Return the distributions that an extra needs and that are not installed, in the order of its list."""
    try:
        return _missing(DISTRIBUTION, extra, set())
    except metadata.PackageNotFoundError:
        return []


def _missing(distribution: str, extra: str, seen: set[tuple[str, str]]) -> list[str]:
    from packaging.requirements import Requirement

    seen.add((distribution, extra))
    absent: dict[str, None] = {}
    for text in metadata.distribution(distribution).requires or ():
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is None or marker.evaluate({"extra": ""}) or not marker.evaluate({"extra": extra}):
            continue
        if not _is_installed(requirement.name):
            absent[requirement.name] = None
            continue
        inner = {(requirement.name, name) for name in requirement.extras} - seen
        for found in (name for key in sorted(inner) for name in _missing(*key, seen)):
            absent[found] = None
    return list(absent)


def _is_installed(distribution: str) -> bool:
    try:
        metadata.distribution(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True


def command(extra: str) -> str:
    """Return the command that installs an extra from where this package came from: index, folder or URL."""
    installed = metadata.distribution(DISTRIBUTION).read_text("direct_url.json")
    origin = json.loads(installed) if installed else {}
    url = str(origin.get("url", ""))
    folder = Path(unquote(urlsplit(url).path))
    if url.startswith("file:") and "archive_info" in origin and not folder.exists():
        url = ""  # the wheel was removed after its installation, as a Dockerfile does
    if "dir_info" in origin and not folder.is_dir():
        return f"pip install '.[{extra}]' in a clone"
    if "dir_info" in origin:
        editable = "-e " if origin["dir_info"].get("editable") else ""
        return f"pip install {editable}{_quoted(f'{folder}[{extra}]')}"
    if "vcs_info" in origin:
        source = origin["vcs_info"]
        url = f"{source['vcs']}+{url}@{source.get('requested_revision') or source['commit_id']}"
    return f"pip install {_quoted(f'{DISTRIBUTION}[{extra}]' + (f' @ {url}' if url else ''))}"


def _quoted(text: str) -> str:
    quoted = shlex.quote(text)
    return quoted if quoted != text else f"'{text}'"


def _a_plugin_of_pytest() -> bool:
    """Whether pytest imports a plugin now: of an ImportError it would print the traceback."""
    if "_pytest.config" not in sys.modules:
        return False
    frame = sys._getframe()  # noqa: SLF001 - only a frame knows who imports
    while frame.f_back is not None:
        frame = frame.f_back
        code, module = frame.f_code, frame.f_globals.get("__name__")
        if (module, code.co_name) == ("_pytest.config", "import_plugin"):
            return True
    return False
