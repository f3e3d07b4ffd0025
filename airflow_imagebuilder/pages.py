"""Where the pages are in Airflow's UI. Every process of Airflow imports this module, so it imports little."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

PREFIX = "/imagebuilder"
"""The path below Airflow's base URL at which the pages and their API are served."""

RUN_ROUTE, TASK_ROUTE, IMAGES_ROUTE = "image-build", "image-build-task", "golden-images"
"""The end of an address in Airflow's UI (3.1 and later): of the tabs of a run and of a task, of the page."""


def base_path() -> str:
    """Return the path at which Airflow is served; empty text at the root of its host."""
    # Not at import: the demo needs the addresses, and no Airflow home in the user's folder.
    from airflow.configuration import conf

    return urlsplit(conf.get("api", "base_url", fallback="") or "").path.rstrip("/")


def run_page(dag_id: str, run_id: str, *, framed: bool, base: str | None = None) -> str:
    """
    Return the address of a run's images: a path, without the host, which a worker may not know.

    :param dag_id: the run's Dag.
    :param run_id: the run.
    :param framed: the tab of the run in Airflow's UI (3.1 and later); otherwise the page without its frame.
    :param base: what the address begins with; ``None`` (default): the path at which this Airflow is served.
    """
    base = base_path() if base is None else base
    dag, run = quote(dag_id, safe=""), quote(run_id, safe="")
    if framed:
        return f"{base}/dags/{dag}/runs/{run}/plugin/{RUN_ROUTE}"
    return f"{base}{PREFIX}/runs/{dag}/{run}"


def task_page(dag_id: str, run_id: str, task_id: str, map_index: int) -> str:
    """
    Return the address of a task's own image in Airflow's UI (3.1 and later), as :func:`run_page` does.

    :param dag_id: the run's Dag.
    :param run_id: the run.
    :param task_id: the task.
    :param map_index: its index; below 0 for a task that is not mapped.
    """
    dag, run, task = (quote(part, safe="") for part in (dag_id, run_id, task_id))
    mapped = f"/mapped/{map_index}" if map_index >= 0 else ""
    return f"{base_path()}/dags/{dag}/runs/{run}/tasks/{task}{mapped}/plugin/{TASK_ROUTE}"


def images_page(*, framed: bool, base: str | None = None) -> str:
    """
    Return the address of the images page, as :func:`run_page` does.

    :param framed: inside of Airflow's UI (3.1 and later); otherwise the page without its frame.
    :param base: as in :func:`run_page`.
    """
    return (base_path() if base is None else base) + (f"/plugin/{IMAGES_ROUTE}" if framed else f"{PREFIX}/")
