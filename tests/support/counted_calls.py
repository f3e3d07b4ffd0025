"""How much a piece of work calls: a measure that no other load of the machine changes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def work(call: Callable[[], object]) -> int:
    """Count the calls of functions, and the steps of generators, that a call makes."""
    counted = 0

    def profile(_frame: Any, event: str, _arg: Any) -> None:
        nonlocal counted
        counted += event in ("call", "c_call")

    sys.setprofile(profile)
    try:
        call()
    finally:
        sys.setprofile(None)
    return counted
