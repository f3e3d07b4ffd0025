"""The statements that list images: one row for each ARN."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, case, func, literal, or_, select, tuple_
from sqlalchemy.orm import aliased

from airflow_imagebuilder.build_record import SCHEMA
from airflow_imagebuilder.ui.reading.members import POSTGRESQL, Members, escaped
from airflow_imagebuilder.xcom import BUILD_KEY, FINDINGS_KEY, LIVE_BUILD_KEY

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy.sql.selectable import Select

UNFINISHED = ("running", "deferred", "queued", "scheduled", "restarting", "up_for_retry", "up_for_reschedule")
PART_OF_AMI_ID = re.compile(r"[ami\-0-9a-f]{2,}", re.IGNORECASE)
BIG = ("workflows", "declared", "stages", "failure", "containers")
IDENTITY = ("dag_run_id", "task_id", "map_index", "key")
MOST_RECIPES = 100
"""Recipes of one run for which earlier images are read: databases limit the parts of a statement."""
SORTED_BY = ("created_at", "name", "status", "duration")


@dataclass(frozen=True)
class Wanted:
    """Which images, in which order, and which part of the list."""

    name: str | None = None
    text: str | None = None
    status: str | None = None
    sort: str = "created_at"
    descending: bool = True
    limit: int = 50
    offset: int = 0


def page(dialect: str, dags: Collection[str], wanted: Wanted) -> Select[Any]:
    """
    Return the statement for a part of the list of images.

    :param dialect: SQLAlchemy's name of the database.
    :param dags: ids of the Dags whose records are read.
    :param wanted: filters, order and part.
    :return: it selects :data:`IDENTITY` and ``total``, the number of images in the whole list.
    """
    images = _images(dialect, dags, wanted).subquery("images")
    listed = select(images)
    if wanted.name:
        listed = listed.where(images.c.name == wanted.name)
    if wanted.status:
        listed = listed.where(images.c.status == wanted.status)
    if wanted.text:
        listed = listed.where(_matches(images.c, wanted.text))
    found = listed.subquery("found")
    chosen = select(*(found.c[name] for name in IDENTITY), func.count().over().label("total"))
    return _part(chosen, found.c, wanted)


def names(dialect: str, dags: Collection[str], wanted: Wanted) -> Select[Any]:
    """
    Return the statement for a part of the list of names, as :func:`page` does.

    :return: it selects :data:`IDENTITY` of the newest image of each name, ``versions`` and ``total``.
    """
    # All images of a name count, also those that the text is not in: an old AMI id finds its name.
    images = _images(dialect, dags, wanted).subquery("images")
    newest = func.row_number().over(partition_by=images.c.name, order_by=_order(images.c, "created_at"))
    matches = case((_matches(images.c, wanted.text), 1), else_=0) if wanted.text else literal(1)
    grouped = select(
        images,
        newest.label("age"),
        func.count().over(partition_by=images.c.name).label("versions"),
        func.max(matches).over(partition_by=images.c.name).label("found"),
    ).subquery("grouped")
    latest = select(grouped).where(grouped.c.age == 1, grouped.c.found == 1).subquery("latest")
    chosen = select(
        *(latest.c[name] for name in IDENTITY), latest.c.versions, func.count().over().label("total")
    )
    return _part(chosen, latest.c, wanted)


def total(statement: Select[Any]) -> Select[Any]:
    """Return the statement that counts a list, where a part beyond its end has no row that says it."""
    everything = statement.order_by(None).limit(None).offset(None).subquery("everything")
    return select(func.count()).select_from(everything)


def findings(dialect: str, dags: Collection[str], arns: Collection[str]) -> Select[Any]:
    """Return the statement for the findings of images, the newest last; it selects ``value``."""
    xcom = _xcom()
    members = Members(dialect, xcom.value)
    arn = _guarded(members, "arn")
    return (
        select(xcom.value)
        .where(xcom.key == FINDINGS_KEY, xcom.dag_id.in_(sorted(dags)), arn.in_(sorted(arns)))
        .order_by(xcom.timestamp, xcom.dag_run_id)
    )


def history(dialect: str, dags: Collection[str], recipes: Collection[str], most: int) -> Select[Any]:
    """
    Return the statement for earlier images of recipes that are available, of each the newest runs first.

    :param recipes: names of recipes, without a version; the first :data:`MOST_RECIPES` count.
    :param most: the maximum number of images of a recipe.
    :return: it selects ``value``.
    """
    xcom = _xcom()
    members = Members(dialect, xcom.value)
    recipe = members.text("recipe")
    chosen = sorted(recipes)[:MOST_RECIPES]
    which = case(
        *((recipe.like(escaped(name)[1:-1] + "//%", escape="/"), n) for n, name in enumerate(chosen)),
        else_=None,
    )
    available = (
        select(xcom.value, which.label("which"), xcom.dag_run_id, xcom.map_index)
        .where(
            xcom.key == BUILD_KEY,
            xcom.dag_id.in_(sorted(dags)),
            case((members.is_readable(), and_(*_available(members))), else_=False),
        )
        .subquery("available")
    )
    # A limit for each: a recipe that is built each hour would leave none of one that is built each week.
    newest = (available.c.dag_run_id.desc(), available.c.map_index.desc())
    age = func.row_number().over(partition_by=available.c.which, order_by=newest)
    aged = select(available, age.label("age")).where(available.c.which.is_not(None)).subquery("aged")
    return select(aged.c.value).where(aged.c.age <= most).order_by(aged.c.age)


def skipped(dialect: str) -> Select[Any]:
    """Return the statement that counts records of images that :func:`page` leaves out."""
    xcom = _xcom()
    members = Members(dialect, xcom.value)
    readable = and_(members.equals("schema", str(SCHEMA)), members.is_text("arn"))
    return select(func.count()).where(
        xcom.key.in_([BUILD_KEY, LIVE_BUILD_KEY]),
        case((members.is_readable(), case((readable, 0), else_=1)), else_=1) == 1,
    )


def _images(dialect: str, dags: Collection[str], wanted: Wanted) -> Select[Any]:
    """Return one row for each ARN: of the task that submitted it before others, final before live, newest."""
    records = _records(dialect, dags, with_amis=_may_be_an_ami(wanted.text)).subquery("records")
    order = (
        records.c.follows,
        records.c.try_number.desc(),
        records.c.live,
        records.c.observed_at.desc(),
        *(records.c[name] for name in IDENTITY),
    )
    place = func.row_number().over(partition_by=records.c.arn, order_by=order)
    ranked = select(records, place.label("place")).subquery("ranked")
    return select(ranked).where(ranked.c.place == 1)


def _matches(images: Any, text: str) -> Any:
    members = ["name", "version", "arn", *(["amis"] if _may_be_an_ami(text) else [])]
    pattern = escaped(text)
    return or_(*(images[member].ilike(pattern, escape="/") for member in members))


def _records(dialect: str, dags: Collection[str], *, with_amis: bool) -> Select[Any]:
    source = _source(dialect, dags).subquery("source").c
    members = Members(dialect, source.value)
    chosen = [
        *(source[name] for name in IDENTITY),
        *(
            members.text(name).label(name)
            for name in ("arn", "name", "version", "status", "created_at", "observed_at")
        ),
        members.number("duration").label("duration"),
        members.number("try_number").label("try_number"),
        case((members.equals("submitted", "true"), 0), else_=1).label("follows"),
        case((source.key == BUILD_KEY, 0), else_=1).label("live"),
    ]
    if with_amis:
        chosen.append(members.images().label("amis"))
    return select(*chosen).where(
        # As is_record does, or a list would count more than it has.
        case(
            (members.is_readable(), and_(members.equals("schema", str(SCHEMA)), members.is_text("arn"))),
            else_=False,
        ),
        members.text("name").isnot(None),
    )


def _source(dialect: str, dags: Collection[str]) -> Select[Any]:
    """Return the XComs that may count, and of a big value on PostgreSQL only what a list needs."""
    xcom = _xcom()
    value = Members(dialect, xcom.value).without(*BIG)
    chosen = select(*(getattr(xcom, name) for name in IDENTITY), value.label("value")).where(
        _counts(xcom), xcom.dag_id.in_(sorted(dags))
    )
    # PostgreSQL unpacks a stored value for each member that is read of it. OFFSET keeps the smaller one.
    return chosen.offset(0) if dialect == POSTGRESQL else chosen


def _counts(xcom: Any) -> Any:
    """
    Return the condition of records that may count: final ones, and live ones without a final one beside.

    Where a task runs again, both are read: an older Airflow keeps the final record of its earlier try.
    """
    from airflow.models.taskinstance import TaskInstance

    final = aliased(xcom)
    beside = (
        select(final.key)
        .where(
            final.dag_run_id == xcom.dag_run_id,
            final.task_id == xcom.task_id,
            final.map_index == xcom.map_index,
            final.key == BUILD_KEY,
        )
        .exists()
    )
    instance = (TaskInstance.dag_id, TaskInstance.task_id, TaskInstance.run_id, TaskInstance.map_index)
    running = select(*instance).where(TaskInstance.state.in_(UNFINISHED))
    runs_again = tuple_(xcom.dag_id, xcom.task_id, xcom.run_id, xcom.map_index).in_(running)
    return and_(
        xcom.key.in_([BUILD_KEY, LIVE_BUILD_KEY]),
        or_(xcom.key == BUILD_KEY, ~beside, runs_again),
    )


def _part(chosen: Select[Any], columns: Any, wanted: Wanted) -> Select[Any]:
    sort = wanted.sort if wanted.sort in SORTED_BY else SORTED_BY[0]
    ordered = chosen.order_by(*_order(columns, sort, descending=wanted.descending))
    return ordered.limit(wanted.limit).offset(wanted.offset)


def _order(columns: Any, sort: str, *, descending: bool = True) -> tuple[Any, ...]:
    """Return a stable order in which what has no value is last, on every database."""
    by = columns[sort]
    missing = case((by.is_(None), 1), else_=0)
    return missing, by.desc() if descending else by.asc(), columns.arn


def _available(members: Members) -> tuple[Any, ...]:
    return (
        members.equals("schema", str(SCHEMA)),
        members.text("status") == "AVAILABLE",
        members.equals("submitted", "true"),
    )


def _guarded(members: Members, member: str) -> Any:
    return case((members.is_readable(), members.text(member)))


def _xcom() -> Any:
    from airflow.models.xcom import XComModel

    return XComModel


def _may_be_an_ami(text: str | None) -> bool:
    """Return whether a text may be part of an AMI id: else no list of AMIs is read."""
    return bool(text and PART_OF_AMI_ID.fullmatch(text))
