"""An upgrade with runs in flight: what an earlier release has stored about a task's image is still read."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_imagebuilder.service.submission.record import GuardRecord, Record, SubmissionRecord

ARN = "arn:aws:imagebuilder:us-east-1:123456789012:image/golden-al2023/1.0.0/1"

# What each release stores, by key; never changed afterwards.
RELEASES: dict[str, dict[str, tuple[type[Record], dict[str, Any]]]] = {
}
