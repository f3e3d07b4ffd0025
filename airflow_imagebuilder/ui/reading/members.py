"""Members of a JSON column as SQL, in each database that Airflow runs on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Float, Numeric, String, and_, case, cast, column, func, literal_column, select

if TYPE_CHECKING:
    from sqlalchemy.sql.elements import ColumnElement

SQLITE, POSTGRESQL, MYSQL = "sqlite", "postgresql", "mysql"


@dataclass(frozen=True)
class Members:
    """
    The members of a JSON column.

    No expression fails on a value that is not an object, or a member of another type: it is NULL.

    :param dialect: SQLAlchemy's name of the database: sqlite, postgresql or mysql.
    :param value: the column.
    """

    dialect: str
    value: Any

    def text(self, member: str) -> ColumnElement[Any]:
        """Return a member as text. The name is written into the statement: never pass one from outside."""
        if self.dialect == POSTGRESQL:
            return self.value.op("->>", return_type=String())(_literal(member))  # type: ignore[no-any-return]
        extract = func.json_value if self.dialect == MYSQL else func.json_extract
        return extract(self.value, _literal(f"$.{member}"), type_=String())

    def number(self, member: str) -> ColumnElement[Any]:
        """Return a member that is a number."""
        if self.dialect == POSTGRESQL:
            held = self.value.op("->")(_literal(member))
            # NUMERIC holds each number of JSON; one beyond a float's range would be an error.
            return case((func.jsonb_typeof(held) == "number", cast(self.text(member), Numeric)))
        if self.dialect == MYSQL:
            # A text that is not a number becomes 0 there, and no error.
            return self.text(member).op("+", return_type=Float())(literal_column("0.0"))
        return func.json_extract(self.value, _literal(f"$.{member}"), type_=Float())

    def equals(self, member: str, json: str) -> ColumnElement[Any]:
        """Return whether a member is a JSON value, e.g. ``1`` or ``true``."""
        if self.dialect == POSTGRESQL:
            return self.value.op("->")(_literal(member)) == literal_column(f"'{json}'::jsonb")  # type: ignore[no-any-return]
        if self.dialect == MYSQL:
            extracted = func.json_extract(self.value, _literal(f"$.{member}"))
            return extracted == literal_column(f"CAST('{json}' AS JSON)")
        return func.json_extract(self.value, _literal(f"$.{member}")) == literal_column(
            {"true": "1", "false": "0"}.get(json, json)
        )

    def is_text(self, member: str) -> ColumnElement[Any]:
        """Return whether a member is a text that is not empty: :meth:`text` makes a text of a number too."""
        if self.dialect == POSTGRESQL:
            kind = func.jsonb_typeof(self.value.op("->")(_literal(member))) == "string"
        elif self.dialect == MYSQL:
            kind = func.json_type(func.json_extract(self.value, _literal(f"$.{member}"))) == "STRING"
        else:
            kind = func.json_type(self.value, _literal(f"$.{member}")) == "text"
        return and_(kind, self.text(member) != literal_column("''"))

    def is_readable(self) -> ColumnElement[Any]:
        """Return whether the database can read the column: SQLite refuses NaN, which Python writes."""
        if self.dialect == SQLITE:
            return func.json_valid(self.value) == 1
        return self.value.is_not(None) if hasattr(self.value, "is_not") else self.value.isnot(None)  # type: ignore[no-any-return]

    def without(self, *members: str) -> ColumnElement[Any]:
        """Return the value without members that are big, where that spares time: on PostgreSQL."""
        if self.dialect != POSTGRESQL:
            return self.value  # type: ignore[no-any-return]
        fewer = self.value.op("-")(literal_column(f"'{{{','.join(members)}}}'::text[]"))
        return case((func.jsonb_typeof(self.value) == "object", fewer))

    def images(self) -> ColumnElement[Any]:
        """Return the ids of all AMIs, as one text."""
        if self.dialect == POSTGRESQL:
            path: Any = literal_column("'$.amis[*].image'")
            return cast(func.jsonb_path_query_array(self.value, path), String)
        if self.dialect == MYSQL:
            return cast(func.json_extract(self.value, _literal("$.amis[*].image")), String)
        tree = func.json_tree(self.value, _literal("$.amis")).table_valued(column("key"), column("atom"))
        found = select(func.group_concat(tree.c.atom)).select_from(tree).where(tree.c.key == "image")
        return found.scalar_subquery()


def escaped(text: str) -> str:
    """Return a pattern of LIKE that finds a text anywhere; its escape character is ``/``."""
    for character in "/%_":
        text = text.replace(character, f"/{character}")
    return f"%{text}%"


def _literal(text: str) -> Any:
    """Return a text as part of the statement: a parameter would hide it from indexes and from the planner."""
    return literal_column(f"'{text}'")
