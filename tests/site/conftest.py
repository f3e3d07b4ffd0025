"""The documentation site as ``make docs`` builds it, read from its files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.site.crawl import Site

HERE = Path(__file__).parent
BUILT = HERE.parents[1] / "build" / "docs"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the suite."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.site)


@pytest.fixture(scope="session")
def site() -> Site:
    """All pages, from the first one on."""
    if not (BUILT / "index.html").exists():
        pytest.exit(f"{BUILT} has no site: make docs builds it", returncode=1)
    return Site.crawl(BUILT)
