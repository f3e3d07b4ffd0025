"""The engine: an operation, its parameters and a region in; an answer out."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING

from airflow_imagebuilder.local.emulator.engine import guesses
from airflow_imagebuilder.local.emulator.engine import identifiers as names
from airflow_imagebuilder.local.emulator.engine.clock import Clock, Timers, iso
from airflow_imagebuilder.local.emulator.engine.errors import ApiError
from airflow_imagebuilder.local.emulator.engine.identifiers import Identifiers
from airflow_imagebuilder.local.emulator.engine.operations.images import Images
from airflow_imagebuilder.local.emulator.engine.operations.resources import Resources
from airflow_imagebuilder.local.emulator.engine.operations.table import Handler, handlers
from airflow_imagebuilder.local.emulator.engine.simulation import workflow_documents as plans
from airflow_imagebuilder.local.emulator.engine.simulation.behaviour import Behaviour
from airflow_imagebuilder.local.emulator.engine.simulation.context import SimulationContext
from airflow_imagebuilder.local.emulator.engine.state import Effect, State
from airflow_imagebuilder.local.emulator.engine.world import Recorder, World

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_imagebuilder.local.emulator.engine.state import Doc

#: A bound on timers run at one look, so that no scenario can hold the service for good.
MAX_TIMERS = 1_000_000
MANAGED_COMPONENTS = (
    ("update-linux", "Linux"),
    ("amazon-cloudwatch-agent-linux", "Linux"),
    ("simple-boot-test-linux", "Linux"),
    ("reboot-test-linux", "Linux"),
    ("update-windows", "Windows"),
    ("simple-boot-test-windows", "Windows"),
)


class Engine:
    """EC2 Image Builder on a virtual clock, in one account and any region.

    :param clock: virtual time; a clock that is turned by hand, if left out.
    :param profile: how long things take, and what fails.
    :param world: where AMIs, parameters, events and logs go; kept in a :class:`Recorder`, if left out.
    :param seed: makes the ids and the spread durations the same in every run.
    :param sink: takes the effects instead of the world's ``apply``.
    """

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        profile: Behaviour | None = None,
        world: World | None = None,
        seed: int | str | None = None,
        sink: Callable[[Effect], None] | None = None,
    ) -> None:
        self.clock = clock or Clock()
        self.world: World = world or Recorder()
        self.state = State()
        core = SimulationContext(
            self.state,
            self.clock,
            Timers(),
            Identifiers(seed),
            profile or Behaviour(),
            sink or self.world.apply,
        )
        self._core = core
        documents = Resources(self.state)
        self._images = Images(core, documents, self.world)
        self._handlers = handlers(core, documents, self._images)

    @property
    def profile(self) -> Behaviour:
        """Durations and failures; changes count from now on."""
        return self._core.profile

    @property
    def operations(self) -> frozenset[str]:
        """The operations that this engine has."""
        return frozenset(self._handlers)

    def call(self, operation: str, params: Doc | None = None, *, region: str = "us-east-1") -> Doc:
        """Call an operation, as a client would.

        :param operation: its API name, for example ``CreateImage``.
        :param params: the request; a client token is made up if an operation wants one.
        :param region: where.
        :raises ApiError: as the service refuses.
        :return: the answer, which is the caller's own.
        """
        return copy.deepcopy(self.handle(operation, copy.deepcopy(params or {}), region))

    def handle(self, operation: str, params: Doc, region: str) -> Doc:
        """Like :meth:`call`, without copies: neither side may change what the other holds."""
        self.run_due()
        handler = self._handlers.get(operation)
        if handler is None:
            raise ApiError(
                guesses.NOT_HERE, f"{operation}: the local Image Builder does not have this operation.", 501
            )
        self._managed(region)
        if "clientToken" not in params:
            return handler(params, region)
        return self._once(operation, params, region, handler)

    def _once(self, operation: str, params: Doc, region: str, handler: Handler) -> Doc:
        token = params["clientToken"]
        key, said = (region, operation, token), json.dumps(params, sort_keys=True)
        known = self.state.tokens.get(key)
        if known and known[0] != said:
            raise ApiError(
                "IdempotentParameterMismatchException",
                f"The client token '{token}' was used before with other parameters.",
            )
        if known:
            return known[1]
        if params.get("dryRun"):
            raise ApiError(
                "DryRunOperationException", "The dry run operation succeeded; nothing was created.", 412
            )
        answer = {**handler(params, region), "clientToken": token}
        self.state.tokens[key] = (said, answer)
        return answer

    def run_due(self) -> int:
        """Let everything happen whose moment has come, each at its own moment.

        :return: how many timers there were.
        """
        now = self.clock.now()
        for count in range(MAX_TIMERS):
            timer = self._core.timers.pop_due(now)
            if timer is None:
                return count
            self.clock.freeze(timer.due)
            try:
                self._images.life.fire(timer.kind, timer.args)
            finally:
                self.clock.freeze(None)
        raise RuntimeError(f"more than {MAX_TIMERS} timers were due at one moment")

    def next_due(self) -> float | None:
        """The virtual moment at which something happens next."""
        return self._core.timers.next_due()

    def settle(self, *, limit: float = 30 * 86400.0) -> float:
        """Turn the clock from one timer to the next until nothing is left to happen.

        :param limit: virtual seconds after which to give up, as a step may wait for somebody.
        :return: the virtual seconds that went by.
        """
        began = self.clock.now()
        due = self.next_due()
        while due is not None and due - began <= limit:
            self.clock.advance(max(0.0, due - self.clock.now()))
            self.run_due()
            due = self.next_due()
        return self.clock.now() - began

    def _managed(self, region: str) -> None:
        """Amazon's own workflows and components are in every region."""
        if region in self.state.managed:
            return
        self.state.managed.add(region)
        for (sort, name), (version, steps) in plans.MANAGED.items():
            arn = names.arn_of(region, f"workflow/{sort}/{name}/{version}/1", "aws")
            self.state.plans[arn] = steps
            self.state.documents[arn] = _amazons(arn, name, version, {"type": sort.upper()})
        for name, platform in MANAGED_COMPONENTS:
            arn = names.arn_of(region, f"component/{name}/1.0.0/1", "aws")
            members = {
                "type": "BUILD",
                "platform": platform,
                "status": "ACTIVE",
                "state": {"status": "ACTIVE"},
            }
            self.state.documents[arn] = _amazons(arn, name, "1.0.0", members)


def _amazons(arn: str, name: str, version: str, members: Doc) -> Doc:
    created = iso(0.0)
    return {
        "arn": arn,
        "name": name,
        "version": version,
        "owner": "Amazon",
        "dateCreated": created,
        **members,
    }
