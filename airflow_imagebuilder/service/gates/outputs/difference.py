"""Difference: one thing about an output that is not as it was asked for; and many of them as a table."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from airflow_imagebuilder.service.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MOST_ROWS = 100
"""Differences that an XCom or a table in the log holds; the counts are of all."""

_CELL = 100
_HEADINGS = ("REGION", "ACCOUNT", "WHAT", "RESOURCE", "ASKED FOR", "FOUND")


class Kind(str, Enum):
    """What differs. The values are stored in XComs."""

    UNBUILT = "not built"
    MISSING = "missing"
    OWNER = "owner"
    STATE = "state"
    NAME = "name"
    TAG = "tag"
    PERMISSION = "launch permission"
    ENCRYPTION = "encryption"
    PARAMETER = "SSM parameter"
    TEMPLATE = "launch template"
    CONTAINER = "container tag"
    CONFIGURATION = "configuration"
    UNVERIFIED = "not verified"

    def __str__(self) -> str:
        return str(self.value)


REMEDIES = {
    Kind.UNBUILT: "Not built: this image only tested its parent AMI. Verify an image that was built.",
    Kind.MISSING: "Missing: the AMI was deregistered, or the distribution did not make it. Build a new "
    "image, or distribute this one again (DistributeImage). In another account, check first that its "
    "connection in account_conn_ids belongs to it.",
    Kind.OWNER: "Owner: the connection of this account in account_conn_ids finds an AMI of another account. "
    "Check which account its credentials belong to.",
    Kind.STATE: "State: no instance can be launched from the AMI now. If it was disabled, EnableImage makes "
    "it available.",
    Kind.NAME: "Name: a distribution workflow may give names of its own. Then give what it asks for as "
    "expected.",
    Kind.TAG: "Tag: add it (CreateTags). CloudTrail shows who removed or changed it.",
    Kind.PERMISSION: "Launch permission: add it (ModifyImageAttribute). CloudTrail shows who removed it.",
    Kind.ENCRYPTION: "Encryption: it cannot be changed in place. Correct the recipe (for the AMI of the "
    "build) or kmsKeyId (for copies), and build a new image.",
    Kind.PARAMETER: "SSM parameter: if a newer image has replaced the value, verify the newer one. If not, "
    "write it (PutParameter).",
    Kind.TEMPLATE: "Launch template: if a newer image has made another version the default, verify the newer "
    "one. If not, modify the template.",
    Kind.CONTAINER: "Container tag: a newer image has taken it, or a lifecycle policy of ECR removed it.",
    Kind.CONFIGURATION: "Configuration: GetImage may show what it asks for now, not what this image was "
    "built with. Build a new image, or give what was asked for then as expected.",
    Kind.UNVERIFIED: "Not verified: allow the action, or name a connection of the account in "
    "account_conn_ids. To accept what cannot be read, set fail_on_unverified=False.",
}
"""What to do about each kind of difference."""


_SETTLED = frozenset({Kind.UNBUILT, Kind.CONFIGURATION, Kind.UNVERIFIED, Kind.OWNER})


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One difference.

    :param kind: what differs.
    :param region: the region of the output.
    :param account: the account of the output.
    :param resource: the AMI id, the parameter, the launch template or the repository.
    :param asked: what was asked for.
    :param found: what is there.
    """

    kind: Kind
    region: str
    account: str
    resource: str
    asked: str
    found: str

    @property
    def may_pass(self) -> bool:
        """Whether the next read may find it gone: what AWS shows of a new AMI settles after a while."""
        return self.kind not in _SETTLED

    def to_dict(self) -> dict[str, str]:
        """Return a JSON-safe mapping with short values."""
        return {name: one_line(str(value)) for name, value in vars(self).items()}


def table(differences: Sequence[Difference], most: int = MOST_ROWS) -> str:
    """Return differences as a table of text, without trailing space.

    :param most: the rows that are shown (default: 100); a last line counts the others.
    """
    rows = [_HEADINGS, *(_row(difference) for difference in differences[:most])]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    more = len(differences) - most
    return "\n".join([*lines, f"... and {more} more"] if more > 0 else lines)


def remedies(differences: Iterable[Difference]) -> list[str]:
    """Return what to do about the kinds that there are, each once."""
    kinds = {difference.kind for difference in differences}
    return [text for kind, text in REMEDIES.items() if kind in kinds]


def _row(difference: Difference) -> tuple[str, ...]:
    cells = (
        difference.region, difference.account, difference.kind, difference.resource,
        difference.asked, difference.found,
    )  # fmt: skip
    return tuple(one_line(str(cell), _CELL) or "-" for cell in cells)
