"""Engine: takes an operation, its parameters and a region, and returns the answer."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING

from airflow_imagebuilder.local.emulator.engine import guesses, identifiers
from airflow_imagebuilder.local.emulator.engine.clock import Clock, Timers, iso
from airflow_imagebuilder.local.emulator.engine.errors import ApiError
from airflow_imagebuilder.local.emulator.engine.identifiers import Identifiers
from airflow_imagebuilder.local.emulator.engine.operations.images import Images
from airflow_imagebuilder.local.emulator.engine.operations.resources import Resources
from airflow_imagebuilder.local.emulator.engine.operations.table import Handler, handlers
from airflow_imagebuilder.local.emulator.engine.simulation import workflow_documents
from airflow_imagebuilder.local.emulator.engine.simulation.behaviour import Behaviour
from airflow_imagebuilder.local.emulator.engine.simulation.context import SimulationContext
from airflow_imagebuilder.local.emulator.engine.state import Effect, State
from airflow_imagebuilder.local.emulator.engine.world import Recorder, World

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_imagebuilder.local.emulator.engine.state import Doc

#: The most timers that one call runs, so that no scenario can block the service.
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

    :param clock: virtual time; by default a clock that moves by hand.
    :param behaviour: durations and failures; by default those of :class:`Behaviour`.
    :param world: receives AMIs, parameters, events and logs; a :class:`Recorder` by default.
    :param seed: makes ids and random durations the same in every run.
    :param sink: receives the effects instead of the world's ``apply``.
    """

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        behaviour: Behaviour | None = None,
        world: World | None = None,
        seed: int | str | None = None,
        sink: Callable[[Effect], None] | None = None,
    ) -> None:
        self.clock = clock or Clock()
        self.world: World = world or Recorder()
        self.state = State()
        context = SimulationContext(
            self.state,
            self.clock,
            Timers(),
            Identifiers(seed),
            behaviour or Behaviour(),
            sink or self.world.apply,
        )
        self._context = context
        resources = Resources(self.state)
        self._images = Images(context, resources, self.world)
        self._handlers = handlers(context, resources, self._images)

    @property
    def behaviour(self) -> Behaviour:
        """Durations and failures; a change affects every step that begins after it."""
        return self._context.behaviour

    @property
    def operations(self) -> frozenset[str]:
        """The names of the operations that this engine has."""
        return frozenset(self._handlers)

    def call(self, operation: str, params: Doc | None = None, *, region: str = "us-east-1") -> Doc:
        """Call an operation as a client does.

        :param operation: its API name, for example ``CreateImage``.
        :param params: the request; the client token may be missing.
        :param region: the region that the request is for; ``us-east-1`` by default.
        :raises ApiError: the service refuses the request.
        :return: a copy of the answer, which the caller may change.
        """
        return copy.deepcopy(self.handle(operation, copy.deepcopy(params or {}), region))

    def handle(self, operation: str, params: Doc, region: str) -> Doc:
        """Do the same as :meth:`call` without copies: the caller must change neither request nor answer."""
        self.run_due()
        handler = self._handlers.get(operation)
        if handler is None:
            raise ApiError(
                guesses.UNSUPPORTED_OPERATION,
                f"{operation}: the local Image Builder does not have this operation.",
                501,
            )
        self._add_managed(region)
        if "clientToken" not in params:
            return handler(params, region)
        return self._once(operation, params, region, handler)

    def _once(self, operation: str, params: Doc, region: str, handler: Handler) -> Doc:
        token = params["clientToken"]
        key, request = (region, operation, token), json.dumps(params, sort_keys=True)
        known = self.state.tokens.get(key)
        if known and known[0] != request:
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
        self.state.tokens[key] = (request, answer)
        return answer

    def run_due(self) -> int:
        """Run every timer whose moment has come, each at its own virtual moment.

        :return: the number of timers that ran.
        :raises RuntimeError: more than a million timers were due.
        """
        now = self.clock.now()
        for count in range(MAX_TIMERS):
            timer = self._context.timers.pop_due(now)
            if timer is None:
                return count
            self.clock.freeze(timer.due)
            try:
                self._images.lifecycle.fire(timer.kind, timer.args)
            finally:
                self.clock.freeze(None)
        raise RuntimeError(f"more than {MAX_TIMERS} timers were due at one moment")

    def next_due(self) -> float | None:
        """The virtual moment of the next timer; None without a timer."""
        return self._context.timers.next_due()

    def settle(self, *, limit: float = 30 * 86400.0) -> float:
        """Move the clock from timer to timer until none is left.

        :param limit: virtual seconds after which to stop, as a step may wait for an action; 30 days by
            default.
        :return: the virtual seconds that have passed.
        """
        began = self.clock.now()
        due = self.next_due()
        while due is not None and due - began <= limit:
            self.clock.advance(max(0.0, due - self.clock.now()))
            self.run_due()
            due = self.next_due()
        return self.clock.now() - began

    def _add_managed(self, region: str) -> None:
        """Add Amazon's own workflows and components, once per region."""
        if region in self.state.managed:
            return
        self.state.managed.add(region)
        for (workflow_type, name), (version, steps) in workflow_documents.MANAGED.items():
            arn = identifiers.arn_of(region, f"workflow/{workflow_type}/{name}/{version}/1", "aws")
            self.state.workflow_steps[arn] = steps
            self.state.resources[arn] = _managed(arn, name, version, {"type": workflow_type.upper()})
        for name, platform in MANAGED_COMPONENTS:
            arn = identifiers.arn_of(region, f"component/{name}/1.0.0/1", "aws")
            members = {
                "type": "BUILD",
                "platform": platform,
                "status": "ACTIVE",
                "state": {"status": "ACTIVE"},
            }
            self.state.resources[arn] = _managed(arn, name, "1.0.0", members)


def _managed(arn: str, name: str, version: str, members: Doc) -> Doc:
    created = iso(0.0)
    return {
        "arn": arn,
        "name": name,
        "version": version,
        "owner": "Amazon",
        "dateCreated": created,
        **members,
    }
