"""Client tokens: with the same one AWS does the same thing once (1 to 64 characters)."""

from __future__ import annotations

import hashlib
import time


def token_for(*parts: str) -> str:
    """Return a client token (1 to 64 characters) that is a function of its parts."""
    return "airflow-" + hashlib.sha256("\n".join(parts).encode()).hexdigest()[:40]


def random_token() -> str:
    """Return a client token for a call that is never to be taken for an earlier one."""
    return token_for(str(time.time_ns()), str(id(object())))
