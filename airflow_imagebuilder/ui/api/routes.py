"""The routes of the API. Each only reads, and answers a user who may read the Dags."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Path, Query

from airflow_imagebuilder.ui.access import RECORDS, RUNS, TASKS, ReaderOfUser
from airflow_imagebuilder.ui.api.models import ImageRow, NameRow, Page, Problem, Run, TrendPoint
from airflow_imagebuilder.ui.reading.statements import Wanted
from airflow_imagebuilder.ui.run_view import values
from airflow_imagebuilder.ui.run_view.builds import build_of, images_of, utc_now
from airflow_imagebuilder.ui.run_view.images import image_row

MOST = 200
LAST = 2**31 - 1  # of a bigger offset some databases know nothing

PROBLEMS: dict[int | str, dict[str, Any]] = {
    401: {"model": Problem, "description": "The request has no valid login."},
    403: {"model": Problem, "description": "The user may not read this, or the token is not valid."},
}

Sort = Annotated[
    Literal["created_at", "name", "status", "duration"], Query(description="what has no value is last")
]
Limit = Annotated[int, Query(ge=1, le=MOST)]
Offset = Annotated[int, Query(ge=0, le=LAST)]

router = APIRouter(prefix="/api/v1", responses=PROBLEMS, dependencies=[RECORDS, RUNS, TASKS])


@router.get(
    "/dags/{dag_id}/runs/{run_id:path}",
    tags=["Runs"],
    summary="The images of a run",
    responses={404: {"model": Problem, "description": "There is no such run."}},
)
def get_run(
    reader: ReaderOfUser,
    dag_id: Annotated[str, Path(description="id of the Dag")],
    run_id: Annotated[str, Path(description="id of the run")],
) -> Run:
    """Return a run and what its tasks recorded: images, workflows, steps, AMIs, failure and estimate."""
    run = reader.run(dag_id, run_id)
    if run is None:
        raise HTTPException(404, f"The Dag {dag_id!r} has no run {run_id!r}.")
    images = images_of(*reader.records_of_run(dag_id, run_id))
    past = reader.past({image.recipe for image in images if image.recipe})
    found = reader.findings({image.stored.arn for image in images})
    now = utc_now()
    return Run(
        dag_id=dag_id,
        run_id=run_id,
        state=None if run.state is None else str(getattr(run.state, "value", run.state)),
        start=values.written(run.start_date),
        end=values.written(run.end_date),
        now=values.written(now) or "",
        images=[build_of(image, past, found.get(image.stored.arn), now) for image in images],
    )


@router.get("/images", tags=["Images"], summary="Images, one row for each ARN")
def get_images(
    reader: ReaderOfUser,
    *,
    name: Annotated[str | None, Query(max_length=512, description="exactly this name")] = None,
    text: Annotated[
        str | None, Query(max_length=512, description="text in the name, the version, the ARN or an AMI id")
    ] = None,
    status: Annotated[str | None, Query(max_length=64, description="AWS's status of the image")] = None,
    sort: Sort = "created_at",
    descending: bool = True,
    limit: Limit = 50,
    offset: Offset = 0,
) -> Page[ImageRow]:
    """Return a part of the images that tasks of readable Dags recorded."""
    wanted = Wanted(name, text, status, sort, descending, limit, offset)
    total, images = reader.images(wanted)
    found = reader.findings({image.arn for image in images})
    rows = [
        image_row(image, image.place, found.get(image.arn), stale=image.place.has_ended) for image in images
    ]
    return Page[ImageRow](total=total, limit=limit, offset=offset, items=rows)


@router.get("/names", tags=["Images"], summary="Golden images, one row for each name")
def get_names(
    reader: ReaderOfUser,
    *,
    text: Annotated[
        str | None, Query(max_length=512, description="text in the name, the version, the ARN or an AMI id")
    ] = None,
    sort: Sort = "created_at",
    descending: bool = True,
    limit: Limit = 50,
    offset: Offset = 0,
) -> Page[NameRow]:
    """Return a part of the names, each with its newest image, by which they are sorted."""
    wanted = Wanted(text=text, sort=sort, descending=descending, limit=limit, offset=offset)
    total, images = reader.names(wanted)
    found = reader.findings({image.arn for _, image in images})
    rows = [
        (number, image_row(image, image.place, found.get(image.arn), stale=image.place.has_ended))
        for number, image in images
    ]
    items = [NameRow(name=row.name, versions=number, latest=row) for number, row in rows]
    return Page[NameRow](total=total, limit=limit, offset=offset, items=items)


@router.get("/trend", tags=["Images"], summary="Duration and findings of the last images of a name")
def get_trend(
    reader: ReaderOfUser,
    name: Annotated[str, Query(max_length=512, description="exactly this name")],
    limit: Annotated[int, Query(ge=1, le=MOST, description="how many of the newest images")] = 50,
) -> list[TrendPoint]:
    """Return the newest images of a name, the oldest of them first."""
    _, images = reader.images(Wanted(name=name, limit=limit))
    found = reader.findings({image.arn for image in images})
    points = []
    for image in reversed(images):
        row = image_row(image, image.place, found.get(image.arn), stale=False)
        counts = found.get(image.arn)
        if row.created_at is not None:
            points.append(
                TrendPoint(
                    version=row.version,
                    created_at=row.created_at,
                    duration=row.duration,
                    status=row.status,
                    critical=None if counts is None else counts.get("critical", 0),
                    high=None if counts is None else counts.get("high", 0),
                    findings=None if counts is None else sum(counts.values()),
                    dag_id=row.dag_id,
                    run_id=row.run_id,
                )
            )
    return points
