"""Client tokens: AWS does a thing once, however often it is requested with the same token."""

from __future__ import annotations

import hashlib
import time


def token_for(*parts: str) -> str:
    """
    Return a client token that is a function of its parts.

    It has 36 characters: AWS takes 64, but the model of botocore 1.42.61, which the local Image Builder
    checks requests with, allows no more than 36.
    """
    return "airflow-" + hashlib.sha256("\n".join(parts).encode()).hexdigest()[:28]


def random_token() -> str:
    """Return a client token that no earlier call has used."""
    return token_for(str(time.time_ns()), str(id(object())))
