"""Engine: takes an operation, its parameters and a region, and returns the answer, in one account."""

from __future__ import annotations

import copy
import json
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_imagebuilder.local.emulator.engine import guesses
from airflow_imagebuilder.local.emulator.engine.clock import Clock, Timers
from airflow_imagebuilder.local.emulator.engine.errors import ApiError
from airflow_imagebuilder.local.emulator.engine.identifiers import ACCOUNT, Identifiers
from airflow_imagebuilder.local.emulator.engine.operations.images.images import Images
from airflow_imagebuilder.local.emulator.engine.operations.images.software import Software
from airflow_imagebuilder.local.emulator.engine.operations.resources import managed_resources
from airflow_imagebuilder.local.emulator.engine.operations.resources.resources import Resources
from airflow_imagebuilder.local.emulator.engine.operations.table import Handler, handlers
from airflow_imagebuilder.local.emulator.engine.simulation.behaviour import Behaviour
from airflow_imagebuilder.local.emulator.engine.simulation.context import SimulationContext
from airflow_imagebuilder.local.emulator.engine.simulation.workflows import known_names
from airflow_imagebuilder.local.emulator.engine.state import Effect, State
from airflow_imagebuilder.local.emulator.engine.world import Recorder, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from airflow_imagebuilder.local.emulator.engine.simulation.image_lifecycle import ImageLifecycle
    from airflow_imagebuilder.local.emulator.engine.state import Doc

log = logging.getLogger(__name__)
#: The most timers that one call runs by default.
MAX_TIMERS = 1_000_000


#: Operations whose answers do not repeat the client token.
WITHOUT_TOKEN = frozenset({"CancelLifecycleExecution", "StartResourceStateUpdate", "UpdateLifecyclePolicy"})


@dataclass
class _Common:
    """What the engines of all accounts share."""

    clock: Clock
    behaviour: Behaviour
    world: World
    seed: int | str | None
    sink: Callable[[Effect], None]
    timers: Timers = field(default_factory=Timers)
    engines: dict[str, Engine] = field(default_factory=dict)
    states: dict[str, State] = field(default_factory=dict)
    lifecycles: dict[str, ImageLifecycle] = field(default_factory=dict)


class Engine:
    """EC2 Image Builder on a virtual clock, in one account and any region.

    :meth:`in_account` gives the engine of another account: time, durations and failures are the same in all.

    :param account: the account; 123456789012 by default.
    :param clock: virtual time; by default a clock that moves by hand.
    :param behaviour: durations and failures; by default those of :class:`Behaviour`.
    :param world: receives AMIs, parameters, events and logs; a :class:`Recorder` by default.
    :param seed: makes ids and random durations the same in every run.
    :param sink: receives the effects instead of the world's ``apply``.
    """

    def __init__(
        self,
        account: str = ACCOUNT,
        *,
        clock: Clock | None = None,
        behaviour: Behaviour | None = None,
        world: World | None = None,
        seed: int | str | None = None,
        sink: Callable[[Effect], None] | None = None,
    ) -> None:
        world = world or Recorder()
        own = Behaviour() if behaviour is None else behaviour
        self._open(account, _Common(clock or Clock(), own, world, seed, sink or world.apply))

    def _open(self, account: str, common: _Common) -> None:
        self._common, seed = common, common.seed
        if common.engines and seed is not None:
            # Ids of one account do not depend on what others do, and no two accounts have the same.
            seed = f"{seed}/{account}"
        self.clock, self.state = common.clock, State(account, common.states)
        self.world = common.world.in_account(account)
        self._context = SimulationContext(
            self.state,
            self.clock,
            common.timers,
            Identifiers(seed),
            common.behaviour,
            self.world,
            common.sink,
        )
        resources = Resources(self.state, self.world)
        self._images = Images(self._context, resources, self.world)
        self._handlers = handlers(self._context, resources, self._images)
        common.engines[account] = self
        common.lifecycles[account] = self._images.lifecycle

    def in_account(self, account: str) -> Engine:
        """Return the engine of an account, which begins empty.

        :param account: its 12 digits.
        """
        known = self._common.engines.get(account)
        return known or _Beside(account, self._common)

    def ami_findings(self, ami: str, region: str) -> list[Doc]:
        """Return what EC2's GetImageFindings lists of an AMI, by the names of its XML.

        :param ami: the id of the AMI.
        :param region: its region.
        """
        return Software(self._context, self._images).of_ami(ami, region)

    @property
    def engines(self) -> tuple[Engine, ...]:
        """The engines of every account that has been used."""
        return tuple(self._common.engines.values())

    @property
    def behaviour(self) -> Behaviour:
        """Durations and failures; a change affects every step that begins after it."""
        return self._context.behaviour

    @property
    def operations(self) -> frozenset[str]:
        """The names of the operations that this engine has."""
        return frozenset(self._handlers)

    def unknown_name(self, behaviour: Behaviour, later: Iterable[str] = ()) -> str | None:
        """Return which workflow, step or component of some durations and failures does not exist.

        :param later: names that a client creates later, perhaps with ``*`` and ``?``.
        :return: a sentence about the first; None if all exist.
        """
        return known_names.unknown(behaviour, self._common.states.values(), later)

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
                "NotImplementedException",
                f"{operation}: the local Image Builder does not have this operation.",
                501,
            )
        managed_resources.add(self.state, region)
        if params.get("dryRun"):
            self._dry_run(handler, params, region)
        if "clientToken" not in params:
            return handler(params, region)
        return self._once(operation, params, region, handler)

    def _dry_run(self, handler: Handler, params: Doc, region: str) -> None:
        """Check a request as the real call does, and undo it.

        :raises ApiError: always: the refusal of the real call, or DryRunOperationException.
        """
        with self.state.unchanged():
            handler(params, region)
        raise ApiError("DryRunOperationException", "Request would have succeeded.", 412)

    def _once(self, operation: str, params: Doc, region: str, handler: Handler) -> Doc:
        token = params["clientToken"]
        owner = operation if guesses.TOKEN_PER_OPERATION else ""
        key, request = (region, owner, token), json.dumps(params, sort_keys=True)
        known = self.state.tokens.get(key)
        if known and known[0] != request:
            raise ApiError(
                "IdempotentParameterMismatchException",
                f"The client token '{token}' was used before with other parameters.",
            )
        if known:
            return known[1]
        answer = handler(params, region)
        if operation not in WITHOUT_TOKEN:
            answer = {**answer, "clientToken": token}
        self.state.tokens[key] = (request, answer)
        return answer

    def run_due(self, most: int = MAX_TIMERS) -> int:
        """Run the timers whose moment has come, of any account, each at its own virtual moment.

        :param most: how many to run; the others stay due.
        :return: the number of timers that ran.
        """
        now = self.clock.now()
        for count in range(most):
            timer = self._context.timers.pop_due(now)
            if timer is None:
                return count
            self.clock.freeze(timer.due)
            lifecycle = self._common.lifecycles[timer.account]
            try:
                lifecycle.fire(timer.kind, timer.args)
            # Whatever goes wrong in the life of one image fails that image alone, and time moves on.
            except Exception:
                log.exception("A timer failed: %s %s", timer.kind, timer.args)
                lifecycle.break_down(timer.kind, timer.args)
            finally:
                self.clock.freeze(None)
        return most

    def next_due(self) -> float | None:
        """The virtual moment of the next timer, of any account; None without a timer."""
        return self._context.timers.next_due()

    def advance(self, seconds: float, most: int = MAX_TIMERS) -> None:
        """Move the clock, but not past the next timer when many have run.

        :param seconds: virtual seconds, not negative.
        :param most: how many timers may run.
        """
        end, left = self.clock.now() + seconds, most
        while left > 0:
            due = self.next_due()
            if due is None or due > end:
                self.clock.advance(max(0.0, end - self.clock.now()))
                return
            self.clock.advance(max(0.0, due - self.clock.now()))
            left -= self.run_due(left)

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


class _Beside(Engine):
    """The engine of one more account."""

    def __init__(self, account: str, common: _Common) -> None:
        self._open(account, common)
