"""An upgrade with runs in flight: what an earlier release has stored about a task's image is still read."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from airflow_imagebuilder.service.submission.record import GuardRecord, Record, SubmissionRecord

ARN = "arn:aws:imagebuilder:us-east-1:123456789012:image/golden-al2023/1.0.0/1"
REQUEST = {"imageRecipeArn": "arn:aws:imagebuilder:us-east-1:123456789012:image-recipe/golden-al2023/1.0.0"}

STORED: dict[str, tuple[type[Record], str, dict[str, Any]]] = {
    "0.1.0, a task that submits": (
        SubmissionRecord,
        "imagebuilder_submission",
        {
            "epoch": 1,
            "clears": 0,
            "finished": False,
            "submitted_at": 1800000000.0,
            "token": "t1",
            "request": REQUEST,
            "count": 1,
            "arn": ARN,
            "refused": False,
            "sent": [REQUEST],
            "definition": None,
        },
    ),
    "0.1.0, a task that awaits": (
        GuardRecord,
        "imagebuilder_guard",
        {
            "epoch": 1,
            "clears": 0,
            "finished": True,
            "submitted_at": None,
            "arn": ARN,
            "submitted_by": "seed",
        },
    ),
}
"""What each release stores, and under which key; never changed afterwards."""


class Store:
    def __init__(self, **kept: Any) -> None:
        self.kept = kept

    def get(self, key: str) -> Any:
        return self.kept.get(key)

    def set(self, key: str, value: Any) -> None:
        self.kept[key] = value


@pytest.mark.parametrize("release", STORED)
def test_a_record_of_an_earlier_release_is_read_with_all_its_members(release: str) -> None:
    kind, key, value = STORED[release]
    found = kind.load(Store(**{key: value}))
    assert found is not None
    assert value.items() <= asdict(found).items()


@pytest.mark.parametrize("release", STORED)
def test_members_that_only_a_newer_release_knows_are_ignored(release: str) -> None:
    kind, key, value = STORED[release]
    assert kind.load(Store(**{key: {**value, "new_in_0_2": 1}})) == kind.load(Store(**{key: value}))


@pytest.mark.parametrize("release", STORED)
def test_what_is_stored_has_the_members_of_the_newest_release(release: str) -> None:
    kind, key, value = STORED[release]
    again = Store()
    record = kind.load(Store(**{key: value}))
    assert record is not None
    record.save(again)
    assert again.kept == {key: value}
