"""The site: every link leads somewhere, every picture is there, nothing comes from another host."""

from __future__ import annotations

from pathlib import Path

from tests.site.crawl import Page, Site

REPOSITORY = Path(__file__).parents[2]
DOCS = REPOSITORY / "docs"


def test_no_link_and_no_picture_is_dead(site: Site) -> None:
    assert site.dead == []


def test_nothing_is_loaded_from_another_host(site: Site) -> None:
    assert site.foreign == []


def test_each_page_of_the_sources_can_be_reached(site: Site) -> None:
    written = {path.relative_to(DOCS).with_suffix(".html") for path in DOCS.rglob("*.md")}
    assert len(written) > 40
    assert written - {path.relative_to(site.root) for path in site.pages} == set()


def test_each_picture_says_what_it_shows(site: Site) -> None:
    found = {site.name(path): page.undescribed for path, page in site.pages.items() if page.undescribed}
    assert found == {}


def test_each_picture_of_the_sources_is_on_a_page() -> None:
    text = "".join(path.read_text("utf-8") for path in [*DOCS.rglob("*.md"), REPOSITORY / "README.md"])
    pictures = {path.name for path in (DOCS / "images").iterdir()}
    assert pictures
    assert {name for name in pictures if f"images/{name}" not in text} == set()


def test_no_page_is_left_to_be_written(site: Site) -> None:
    assert [site.name(path) for path, page in site.pages.items() if "To be written." in page.text] == []


# -- the crawler itself ------------------------------------------------------------------------------------


def test_the_crawler_finds_what_is_dead_foreign_or_undescribed(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text(
        '<h1 id="top"></h1><a href="other.html#there">x</a><a href="other.html#gone">x</a>'
        '<a href="missing.html">x</a><a href="#top">x</a><a href="https://example.com/x">x</a>'
        '<img src="missing.png" alt="A picture"><img src="https://example.com/y.png">'
    )
    (tmp_path / "other.html").write_text('<p id="there"></p><a href="index.html#nowhere">x</a>')
    site = Site.crawl(tmp_path)
    assert {site.name(path) for path in site.pages} == {"index.html", "other.html"}
    assert set(site.dead) == {
        ("index.html", "missing.html"),
        ("index.html", "missing.png"),
        ("index.html", "other.html#gone"),
        ("other.html", "index.html#nowhere"),
    }
    assert site.foreign == [("index.html", "https://example.com/y.png")]
    assert Page('<img src="a.png">').undescribed == ["a.png"]
