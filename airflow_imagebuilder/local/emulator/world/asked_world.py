"""AskedWorld: a world that keeps what it was asked, so that a replay gets the same answers.

After a restart moto is empty: an object, a parameter or a launch template that a person had made is gone.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.local.emulator.engine import ACCOUNT

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_imagebuilder.local.emulator.engine import Doc, Effect, World


class AskedWorld:
    """A world whose answers are kept.

    :param world: answers.
    :param now: virtual seconds since the epoch.
    :param keep: keeps a question with its answer.
    :param account: who asks.
    :param known: the answers that are known, of every account.
    """

    def __init__(
        self,
        world: World,
        now: Callable[[], float],
        keep: Callable[[Doc], None],
        account: str = ACCOUNT,
        known: dict[str, deque[Any]] | None = None,
    ) -> None:
        self._world, self._now, self._keep, self._account = world, now, keep, account
        self._known: dict[str, deque[Any]] = {} if known is None else known

    def in_account(self, account: str) -> World:
        """Return what another account sees; its answers are kept, too."""
        return AskedWorld(self._world.in_account(account), self._now, self._keep, account, self._known)

    def learn(self, entry: Doc) -> None:
        """Take over an answer that an earlier process has kept."""
        self._known.setdefault(entry["asked"], deque()).append(entry["answer"])

    def _ask(self, question: str, region: str, *about: str) -> Any:
        key = " ".join((repr(self._now()), self._account, question, region, *about))
        # While the clock does not move, the same question may have several answers.
        if waiting := self._known.get(key):
            return waiting.popleft()
        answer = getattr(self._world, question)(region, *about)
        self._keep({"asked": key, "answer": answer})
        return answer

    def prepare(self) -> None:
        """Make what the golden resources name."""
        self._world.prepare()

    def apply(self, effect: Effect) -> None:
        """Carry out an effect."""
        self._world.apply(effect)

    def is_region(self, region: str) -> bool:
        """Whether AWS has a region."""
        return self._world.is_region(region)

    def has_ami(self, region: str, ami: str) -> bool:
        """Whether EC2 has an AMI."""
        return bool(self._ask("has_ami", region, ami))

    def ami_name(self, region: str, ami: str) -> str | None:
        """The name of an AMI in EC2; None if there is no such AMI."""
        found: str | None = self._ask("ami_name", region, ami)
        return found

    def ami_details(self, region: str, ami: str) -> Doc:
        """What EC2 knows of an AMI."""
        found: Doc = self._ask("ami_details", region, ami)
        return found

    def ami_named(self, region: str, name: str) -> str | None:
        """The id of the account's AMI of a name."""
        found: str | None = self._ask("ami_named", region, name)
        return found

    def has(self, region: str, kind: str, name: str) -> bool:
        """Whether there is a thing that a request names."""
        return bool(self._ask("has", region, kind, name))

    def has_launch_template(self, region: str, template: str) -> bool:
        """Whether EC2 has a launch template of this id."""
        return bool(self._ask("has_launch_template", region, template))

    def text(self, region: str, uri: str) -> str | None:
        """The text of an object in S3."""
        found: str | None = self._ask("text", region, uri)
        return found

    def parameter(self, region: str, name: str) -> str | None:
        """The value of a parameter of Systems Manager."""
        found: str | None = self._ask("parameter", region, name)
        return found
