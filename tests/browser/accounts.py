"""The accounts of the two local services: the ARNs of the one are never those of the other."""

from __future__ import annotations

ACCOUNT, SLOW_ACCOUNT = "123456789012", "210987654321"


def arn(tail: str, account: str = ACCOUNT) -> str:
    """Return the ARN of a resource or an image of Image Builder."""
    return f"arn:aws:imagebuilder:us-east-1:{account}:{tail}"
