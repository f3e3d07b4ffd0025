"""The Dags of docs/how-to/dags, as modules by name."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

DAGS = Path(__file__).parents[3] / "docs" / "how-to" / "dags"


@pytest.fixture
def dags() -> Callable[[str], Any]:
    """``dags("cost")``: the module, imported again for each test."""

    def load(name: str) -> Any:
        spec = importlib.util.spec_from_file_location(f"how_to_{name}", DAGS / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load
