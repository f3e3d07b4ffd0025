"""Who may see the pages and their API: on a real api-server, with all-admins off, and a viewer of one Dag."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from airflow_imagebuilder.pages import PREFIX
from tests.support.access_server import (
    HIDDEN,
    MINE,
    OTHER,
    OTHER_NAME,
    OTHER_RUN,
    RUN,
    RUNS,
    SECRET,
    SHARED,
    AccessServer,
    Answer,
)
from tests.support.ui_routes import filled, paths_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.integration

API = f"{PREFIX}/api/v1"
PARAMETERS = {"dag_id": (MINE, OTHER, "none"), "run_id": (RUN, OTHER_RUN, "none")}
"""Values of the parameters in paths. A new one has to be added here, and is tried from then on."""

QUERIES = (
    "",
    f"name={SHARED}",
    f"name={SHARED}&limit=200",
    f"name={OTHER_NAME}",
    f"text={OTHER_NAME}",
    "text=ami-0000beef",
    "sort=duration&descending=true",
    "status=AVAILABLE&limit=1&offset=2",
    "dag_id=unseen77.dag",
    "limit=-1",
    "limit=x",
    "sort=unseen77",
    "name='&text=%25&status=%00",
)
UNCHANGING = ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")
REFUSED = {401, 403}
TO_LOGIN = {302, 303, 307}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AccessServer]:
    """An api-server at the root of its host."""
    with AccessServer(tmp_path_factory.mktemp("access")) as running:
        yield running


@pytest.fixture(scope="module")
def admin(server: AccessServer) -> str:
    return server.token("admin")


@pytest.fixture(scope="module")
def viewer(server: AccessServer) -> str:
    return server.token("viewer")


@pytest.fixture(scope="module")
def addresses() -> list[str]:
    """Every address of the application, with every value of its parameters."""
    from airflow_imagebuilder.ui.plugin import ImageBuilderPlugin

    [mounted] = ImageBuilderPlugin.fastapi_apps
    values = {**PARAMETERS, "name": ("imagebuilder.js", "imagebuilder.css", "icon.svg", "none.js")}
    return [address for path in paths_of(mounted["app"].routes, PREFIX) for address in filled(path, values)]


def tokens(server: AccessServer, viewer: str) -> dict[str, str | None]:
    """Return what may be sent without a login."""
    claims = {"sub": "admin", "role": "admin"}
    return {
        "nothing": None,
        "nonsense": "x",
        "forged": server.sign(viewer, key="x" * 64, **claims),
        "unsigned": server.sign(viewer, key="", algorithm="none", **claims),
        "expired": server.sign(viewer, exp=int(time.time()) - 60),
        "of another audience": server.sign(viewer, aud="urn:elsewhere"),
    }


# -- without a login ---------------------------------------------------------------------------------------


def assert_refused(answer: Answer, address: str) -> None:
    assert answer.status in REFUSED | TO_LOGIN, (address, answer.status, answer.body[:200])
    if answer.status in TO_LOGIN:
        assert "/auth/login" in answer.headers["location"], address
        assert "text/html" in answer.headers.get("content-type", "text/html"), address
    assert len(answer.body) < 300, address
    # The address of the login has the address that was asked for, so that the login leads back to it.
    sought = [text for text in (SHARED, *HIDDEN) if text not in address]
    assert answer.holds("ami-", "<script", "function", *sought) == [], address


def test_the_crawler_finds_the_pages_the_api_and_the_files(addresses: list[str]) -> None:
    assert f"{PREFIX}/" in addresses
    assert f"{PREFIX}/static/imagebuilder.js" in addresses
    assert f"{API}/images" in addresses
    assert f"{API}/names" in addresses
    assert f"{API}/trend" in addresses
    assert f"{API}/openapi.json" in addresses
    assert f"{API}/dags/{MINE}/runs/{quote(RUN, safe='')}" in addresses
    assert f"{PREFIX}/runs/{MINE}/{quote(RUN, safe='')}" in addresses


def test_without_a_login_every_address_is_refused(
    server: AccessServer, viewer: str, addresses: list[str]
) -> None:
    for name, token in tokens(server, viewer).items():
        for address in addresses:
            for cookie in (False, True):
                assert_refused(server.ask(address, token, cookie=cookie), f"{name}: {address}")
            head = server.ask(address, token, method="HEAD")
            assert head.status in REFUSED | TO_LOGIN | {405}, (name, address, head.status)


def test_a_login_as_bearer_and_as_cookie_are_the_same(server: AccessServer, viewer: str) -> None:
    for address in (f"{PREFIX}/", f"{API}/images", f"{PREFIX}/static/imagebuilder.js"):
        bearer, cookie = (server.ask(address, viewer, cookie=cookie) for cookie in (False, True))
        assert (bearer.status, cookie.status) == (200, 200), address
        assert bearer.body == cookie.body


def test_what_is_not_there_needs_no_login_to_stay_empty(server: AccessServer, admin: str) -> None:
    for tail in (
        "nope",
        "api",
        "api/v1",
        "api/v1/",
        "api/v2/images",
        "static",
        "static/",
        "docs",
        "openapi.json",
    ):
        answers = [server.ask(f"{PREFIX}/{tail}", token) for token in (None, admin)]
        assert {answer.status for answer in answers} <= REFUSED | TO_LOGIN | {404}, tail
        assert all(answer.holds("ami-", *HIDDEN) == [] for answer in answers), tail


# -- nothing changes ---------------------------------------------------------------------------------------


def test_only_get_and_head_are_answered(server: AccessServer, admin: str, addresses: list[str]) -> None:
    for address in addresses:
        for method in UNCHANGING:
            answer = server.ask(address, admin, method=method, Origin="https://evil.example")
            assert answer.status in REFUSED | {404, 405}, (method, address, answer.status)
            assert answer.holds("access-control-", "ami-") == [], (method, address)


def test_head_answers_without_content(server: AccessServer, admin: str, addresses: list[str]) -> None:
    for address in addresses:
        head, full = (server.ask(address, admin, method=method) for method in ("HEAD", "GET"))
        assert head.body == b""
        assert head.status in {full.status, 405}, address


# -- one Dag -----------------------------------------------------------------------------------------------


def assert_hides(answer: Answer, request: str) -> None:
    """Assert that nothing of the other Dag is in an answer, but for what the request itself has."""
    assert answer.status < 500, (request, answer.status, answer.body[:300])
    sought = [text for text in HIDDEN if text not in request]
    assert answer.holds(*sought) == [], (request, answer.body[:600])


def test_a_viewer_sees_nothing_of_another_dag(
    server: AccessServer, viewer: str, addresses: list[str]
) -> None:
    for address in addresses:
        for query in QUERIES:
            request = f"{address}?{query}"
            assert_hides(server.ask(request, viewer), request)


def test_the_admin_sees_the_other_dag(server: AccessServer, admin: str) -> None:
    """The counterpart: what the viewer does not see is there."""
    everything = server.ask(f"{API}/images?limit=200", admin)
    assert everything.holds(*HIDDEN[:3]) == list(HIDDEN[:3])
    assert server.ask(f"{API}/dags/{OTHER}/runs/{quote(OTHER_RUN, safe='')}", admin).holds("unseen77 failure")


def test_totals_are_those_of_the_readable_dags(server: AccessServer, viewer: str, admin: str) -> None:
    mine = {query: server.ask(f"{API}/{query}", viewer).json() for query in ("images", "names")}
    assert mine["images"]["total"] == len(mine["images"]["items"])
    assert {row["dag_id"] for row in mine["images"]["items"]} == {MINE}
    assert {row["name"] for row in mine["names"]["items"]} == {SHARED, "followed"}
    shared = next(row for row in mine["names"]["items"] if row["name"] == SHARED)
    assert shared["versions"] == len(RUNS) + 1
    assert mine["names"]["total"] == 2
    assert server.ask(f"{API}/images", admin).json()["total"] == mine["images"]["total"] + 4
    for search in (f"name={OTHER_NAME}", "text=ami-0000beef", f"text={OTHER_NAME}"):
        found = server.ask(f"{API}/images?{search}", viewer).json()
        assert (found["total"], found["items"]) == (0, []), search


def test_a_trend_has_only_the_readable_images(server: AccessServer, viewer: str, admin: str) -> None:
    mine, all_of_them = (server.ask(f"{API}/trend?name={SHARED}", user).json() for user in (viewer, admin))
    assert {point["dag_id"] for point in mine} == {MINE}
    assert {point["dag_id"] for point in all_of_them} == {MINE, OTHER}
    assert server.ask(f"{API}/trend?name={OTHER_NAME}", viewer).json() == []


def test_an_estimate_is_made_from_readable_images(server: AccessServer, viewer: str, admin: str) -> None:
    def estimate(token: str) -> dict[str, float]:
        run = server.ask(f"{API}/dags/{MINE}/runs/{quote(RUN, safe='')}", token).json()
        found: dict[str, float] = next(i["estimate"] for i in run["images"] if i["arn"].endswith("/950"))
        return found

    assert estimate(viewer)["slowest"] == 1000
    assert estimate(viewer)["based_on"] == len(RUNS)
    assert estimate(admin)["slowest"] == 77777


def test_an_image_that_the_other_dag_submitted_has_no_trace_of_it(server: AccessServer, viewer: str) -> None:
    run = server.ask(f"{API}/dags/{MINE}/runs/{quote(RUN, safe='')}", viewer).json()
    followed = next(image for image in run["images"] if image["name"] == "followed")
    assert (followed["submitted"], followed["dag_id"]) == (False, MINE)
    assert followed["reason"] is None
    assert (followed["scan"] or {}).get("counts") is None


@pytest.mark.parametrize("below", [f"{API}/dags/{{0}}/runs/{{1}}", f"{PREFIX}/runs/{{0}}/{{1}}"])
def test_whether_a_run_or_a_dag_exists_is_not_shown(server: AccessServer, viewer: str, below: str) -> None:
    def ask(dag: str, run: str) -> tuple[int, bytes]:
        answer = server.ask(below.format(dag, quote(run, safe="")), viewer)
        return answer.status, answer.body

    there, no_run, no_dag = ask(OTHER, OTHER_RUN), ask(OTHER, "none"), ask("none", OTHER_RUN)
    if "/api/" in below:
        assert there[0] == 403
        assert there == no_run == no_dag
        assert ask(MINE, "none")[0] == 404
    else:  # the page is a shell around what the API answers
        assert there[0] == no_run[0] == no_dag[0]


# -- addresses ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("run", RUNS)
def test_run_ids_with_any_character_are_found(server: AccessServer, viewer: str, run: str) -> None:
    answer = server.ask(f"{API}/dags/{MINE}/runs/{quote(run, safe='')}", viewer)
    assert answer.status == 200, answer.body
    assert answer.json()["run_id"] == run
    page = server.ask(f"{PREFIX}/runs/{MINE}/{quote(run, safe='')}", viewer)
    assert page.status == 200


TRAVERSALS = (
    "../plugin.py",
    "..%2fplugin.py",
    "..%2Fplugin.py",
    "%2e%2e/plugin.py",
    "%2e%2e%2fplugin.py",
    "..%5cplugin.py",
    "....//plugin.py",
    "%252e%252e%252fplugin.py",
    "/etc/passwd",
    "%2fetc%2fpasswd",
    "..%2f..%2f..%2f..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
    "imagebuilder.js%00.css",
    "imagebuilder.js/..%2f..%2fplugin.py",
    ".",
    "..",
    "%2e",
    "",
    "a" * 5000,
    "%ff%fe",
    "imagebuilder.js/",
)


@pytest.mark.parametrize("tail", TRAVERSALS, ids=range(len(TRAVERSALS)))
def test_a_static_address_leads_to_no_other_file(server: AccessServer, admin: str, tail: str) -> None:
    for token in (admin, None):
        answer = server.ask(f"{PREFIX}/static/{tail}", token)
        assert answer.holds("ImageBuilderPlugin", "root:") == []
        expected = REFUSED | TO_LOGIN | {400, 404, 414} | ({200} if tail in {"..", "/.."} else set())
        assert answer.status in expected, (answer.status, answer.body[:200])


@pytest.mark.parametrize(
    "change",
    [lambda a: a + "/", lambda a: a.replace("/imagebuilder/", "/imagebuilder//"), lambda a: "/" + a],
    ids=["a slash at the end", "two slashes", "two slashes at the start"],
)
def test_slashes_open_no_way_in(
    server: AccessServer, viewer: str, addresses: list[str], change: Callable[[str], str]
) -> None:
    for address in map(change, addresses):
        for token in (None, viewer):
            answer = server.ask(address, token)
            assert_hides(answer, address)
            location = answer.headers.get("location", "/")
            assert location.startswith(("/", server.url)), (address, location)
            assert not location.startswith("//"), (address, location)
            if token is None:
                assert answer.holds("ami-", f'"{SHARED}"') == [], address


# -- secrets, headers --------------------------------------------------------------------------------------


def test_no_secret_is_in_an_answer(server: AccessServer, admin: str, addresses: list[str]) -> None:
    """Not of a Variable, a connection, another XCom, or a member of a record that has no documentation."""
    for address in addresses:
        for query in QUERIES:
            assert server.ask(f"{address}?{query}", admin).holds(SECRET) == [], address


def test_no_answer_is_kept_for_another_user(server: AccessServer, viewer: str, addresses: list[str]) -> None:
    for address in addresses:
        for token in (viewer, None):
            answer = server.ask(address, token, Origin="https://evil.example")
            caching = answer.headers.get("cache-control", "")
            if answer.status == 200:
                assert "no-store" in caching or "private" in caching or "no-cache" in caching, address
            assert "public" not in caching, address
            assert not [name for name in answer.headers if name.startswith("access-control-")], address


def test_pages_are_framed_by_airflow_alone_and_load_nothing_from_elsewhere(
    server: AccessServer, viewer: str
) -> None:
    for address in (f"{PREFIX}/", f"{PREFIX}/runs/{MINE}/{quote(RUN, safe='')}"):
        answer = server.ask(address, viewer)
        policy = {
            part.split()[0]: part.split()[1:] for part in answer.headers["content-security-policy"].split(";")
        }
        assert policy["frame-ancestors"] == ["'self'"]
        assert policy["default-src"] == ["'none'"]
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == ["'self'"]
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["content-type"].startswith("text/html")
        assert b"http://" not in answer.body
        assert b"https://" not in answer.body


def test_every_answer_keeps_its_type(server: AccessServer, viewer: str, addresses: list[str]) -> None:
    for address in addresses:
        assert server.ask(address, viewer).headers.get("x-content-type-options") == "nosniff", address


# -- behind a path -----------------------------------------------------------------------------------------


def test_behind_a_path_everything_is_below_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    with AccessServer(tmp_path_factory.mktemp("path"), path="/airflow") as server:
        viewer, admin = server.token("viewer"), server.token("admin")
        page = server.ask(f"{PREFIX}/runs/{MINE}/{quote(RUN, safe='')}", viewer)
        assert page.status == 200
        assert b"/airflow/imagebuilder/static/imagebuilder.js" in page.body
        assert b'"/imagebuilder/' not in page.body
        assert server.ask(f"{PREFIX}/static/imagebuilder.js", viewer).status == 200
        assert server.ask(f"{API}/images", viewer).json()["total"] > 0
        assert server.ask(f"{API}/images").status == 401
        assert server.ask(f"{API}/dags/{OTHER}/runs/none", viewer).status == 403
        for apps in plugin_of(server, admin)["react_apps"]:
            assert apps["bundle_url"] == "/airflow/imagebuilder/static/imagebuilder.js"


def plugin_of(server: AccessServer, token: str) -> dict[str, list[dict[str, str]]]:
    """Return what Airflow's REST API answers for the plugin; no React apps before 3.1."""
    answer = server.ask("/api/v2/plugins", token)
    assert answer.status == 200, answer.body
    found = next(each for each in answer.json()["plugins"] if each["name"] == "imagebuilder")
    return {"react_apps": [], **found}


def test_airflow_lists_the_plugin(server: AccessServer, admin: str) -> None:
    assert [app["url_prefix"] for app in plugin_of(server, admin)["fastapi_apps"]] == [PREFIX]
    assert "imagebuilder" in server.airflow("plugins", "--output", "json")
