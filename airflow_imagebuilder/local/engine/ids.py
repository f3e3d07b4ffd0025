"""Identifiers in AWS's shapes, from a seed."""

from __future__ import annotations

import random
import uuid


class Ids:
    """A source of identifiers; the same seed gives the same ones in the same order.

    :param seed: any text or number; None takes one from the operating system.
    """

    def __init__(self, seed: int | str | None = None) -> None:
        self._seed = seed
        self._random = random.Random(seed)

    def uuid(self) -> str:
        """A version 4 UUID."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def execution(self) -> str:
        """A workflow execution id."""
        return f"wf-{self.uuid()}"

    def step(self) -> str:
        """A step execution id."""
        return f"step-{self.uuid()}"

    def hexadecimal(self, prefix: str) -> str:
        """An id as EC2 makes them: a prefix and 17 hexadecimal digits."""
        return f"{prefix}-{self._random.getrandbits(68):017x}"

    def between(self, low: float, high: float, key: str) -> float:
        """A number that depends on the seed and a key alone, not on what was drawn before."""
        return random.Random(f"{self._seed}:{key}").uniform(low, high)
