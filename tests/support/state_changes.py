"""The messages that EventBridge sends when an image ends."""

from __future__ import annotations

import json
from typing import Any

from tests.support.arns import image_arn


def state_change(arn: str = image_arn(3), status: str = "AVAILABLE", **changes: Any) -> str:
    """Return the body of a message about an image's new state."""
    event = {
        "id": "c4b8ba7e-2c1c-4f65-b4c7-1c2c5e1c7b0a",
        "source": "aws.imagebuilder",
        "detail-type": "EC2 Image Builder Image State Change",
        "account": "123456789012",
        "time": "2026-11-26T13:00:00Z",
        "region": "us-east-1",
        "resources": [arn],
        "detail": {"state": {"status": status}},
        **changes,
    }
    return json.dumps(event)
