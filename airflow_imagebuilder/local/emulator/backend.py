"""Backend: the local service without HTTP, made of engine, journal, faults and records."""

from __future__ import annotations

import random
from contextlib import contextmanager, suppress
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.local.emulator import scenario as scenarios
from airflow_imagebuilder.local.emulator.engine import ACCOUNT, ApiError, Clock, Effect, Engine, World, iso
from airflow_imagebuilder.local.emulator.faults import Faults
from airflow_imagebuilder.local.emulator.journal import Journal, JournalError, PausableClock
from airflow_imagebuilder.local.emulator.journal.replay import Replay, compare, outcome_of
from airflow_imagebuilder.local.emulator.records import Records
from airflow_imagebuilder.local.emulator.seed import seed as seed_engine
from airflow_imagebuilder.local.emulator.world.asked_world import AskedWorld

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from airflow_imagebuilder.local.emulator.engine import Doc

#: The most timers that run before a call: a fraction of a second of work.
MOST_TIMERS = 2_000
#: The most timers that run in one ``advance``: some seconds of work.
MOST_TIMERS_BY_HAND = 20_000
#: Seconds of a difference between two sums of moments that means nothing.
EXACT = 0.001
_CLOCK_KEYS = ("speed", "advance")
_SCENARIO_KEYS = ("durations", "workflows", "steps", "failures", "findings")
#: Keys of a scenario that only its check needs.
_CHECKED_KEYS = (*_SCENARIO_KEYS, "later")
#: Keys that change the engine; a replay needs them, so the journal keeps them.
_ENGINE_KEYS = (*_CLOCK_KEYS, *_SCENARIO_KEYS, "clear_failures")
#: Keys of a control request; the HTTP server also acts on ``expire_credentials`` and ``reset``.
CONTROLS = (*_ENGINE_KEYS, "later", "faults", "clear_faults", "reset", "expire_credentials")


class Backend:
    """EC2 Image Builder for the HTTP server and for tests.

    :param world: receives AMIs, parameters, events and logs; by default they are only recorded.
    :param speed: virtual seconds per real second; 0 by default: the clock moves by hand.
    :param scenario: a mapping as :mod:`.scenario` describes it.
    :param state: the state file: read at the start, written from then on; by default nothing is kept.
    :param seeded: whether a new service holds the golden resources; True by default.
    :param sink: receives the effects instead of the world's ``apply``.
    :param account: the account of the golden resources, and of a call without another; that of the state
        file by default, else 123456789012.
    :raises ScenarioError: the scenario is invalid, or names what does not exist.
    :raises JournalError: the state file is not a journal, or another version or account wrote it.
    """

    def __init__(
        self,
        world: World | None = None,
        *,
        speed: float = 0.0,
        scenario: Mapping[str, Any] | None = None,
        state: Path | None = None,
        seeded: bool = True,
        sink: Callable[[Effect], None] | None = None,
        account: str | None = None,
    ) -> None:
        self._account = account
        self._key_accounts: dict[str, str] = {}
        self._world = AskedWorld(world, self._virtual, self._keep) if world and state else world
        self._sink = sink
        self._scenario = dict(scenario or {})
        self._seeded = seeded
        self._moments = PausableClock()
        self._journal = Journal(state) if state else None
        self.records = Records()
        self.faults = Faults(self._scenario.get("seed"))
        self.faults.install(*scenarios.parse(self._scenario).faults)
        self._replaying = False
        self._later = list(self._scenario.get("later", ()))
        #: Whether the state of an earlier process was read.
        self.resumed = self._resume(speed)
        if not self.resumed:
            self._start(speed, checked=True)

    def _virtual(self) -> float:
        return self.engine.clock.now()

    def _keep(self, entry: Doc) -> None:
        """Keep an answer of the world; a call that cannot be kept is refused before it asks."""
        if self._journal and not self._replaying:
            with suppress(JournalError):
                self._journal.write(entry)

    def _start(self, speed: float, *, checked: bool = False) -> None:
        given = self._scenario.get("seed")
        seed = random.SystemRandom().getrandbits(63) if given is None else given
        header = {
            "real": self._moments.hold(),
            "account": self.account,
            "speed": speed,
            "seed": seed,
            "seeded": self._seeded,
            "scenario": self._scenario,
        }
        self._begin(header)
        self._moments.release()
        if checked:
            self._check_names(scenarios.parse(self._scenario))
        if self._journal:
            self._journal.open(header)

    def _begin(self, header: Mapping[str, Any]) -> None:
        if self._world:
            self._world.in_account(self.account).prepare()
        clock = Clock(header["speed"], real=self._moments)
        behaviour = scenarios.parse(header["scenario"]).behaviour()
        self.engine = Engine(
            self.account,
            clock=clock,
            behaviour=behaviour,
            world=self._world,
            seed=header["seed"],
            sink=self._effect,
        )
        self.seeded = seed_engine(self.engine) if header["seeded"] else 0

    def _resume(self, speed: float) -> bool:
        lines = list(self._journal.read()) if self._journal else []
        if not lines or self._journal is None:
            return False
        replay = Replay(lines)
        header = replay.header
        self._account = replay.account(self._account)
        self._replaying = True
        if isinstance(self._world, AskedWorld):
            for answer in replay.answers:
                self._world.learn(answer)
        self._moments.hold(header["real"])
        self._begin(header)
        self._key_accounts = replay.key_accounts
        for entry, outcome in replay.events:
            self._replay(entry, outcome)
        self._replaying = False
        self._moments.release()
        self._journal.open()
        if header["scenario"] != self._scenario:
            self.control({"clear_failures": True, **_only(self._scenario, _ENGINE_KEYS)})
        if speed != self.engine.clock.speed:
            self.control({"speed": speed})
        return True

    def _replay(self, entry: Mapping[str, Any], outcome: str | None) -> None:
        """Carry out a call or a control request again.

        :param outcome: what a call gave; None if the service was killed before it could be kept.
        """
        self._moments.hold(entry["real"])
        if "control" in entry:
            self._change(entry["control"])
            return
        if "waits" in entry:
            self.engine.clock.wait(entry["waits"])
            return
        answer, error = self._attempt(
            entry["operation"], entry["params"], entry["region"], entry.get("account", self.account)
        )
        compare(entry["operation"], outcome, outcome_of(answer, error))

    def run_due(self) -> None:
        """Run the timers that are due, at most :data:`MOST_TIMERS`; virtual time waits for the others.

        A pipeline that runs each minute has a year of runs behind it after a long pause, or at a high speed.
        So that a call does not wait for all of them, the clock goes back to the first that has not run. The
        journal has the moment of it, as a replay runs timers at other times than the calls did.

        :raises ApiError: the moment cannot be kept.
        """
        with self._moment():
            pass

    @contextmanager
    def _moment(self) -> Iterator[float]:
        """Hold the time at one moment, and first run the timers that are due in it.

        :raises ApiError: as of :meth:`run_due`.
        """
        real = self._moments.hold()
        try:
            self._run_due(real)
            yield real
        finally:
            self._moments.release()

    def _run_due(self, real: float) -> None:
        if self.engine.run_due(MOST_TIMERS) < MOST_TIMERS:
            return
        due, now = self.engine.next_due(), self.engine.clock.now()
        if due is not None and due <= now:
            self._write({"real": real, "waits": due})
            self.engine.clock.wait(due)

    def _effect(self, effect: Effect) -> None:
        if self._replaying and effect.kind in ("event", "notification", "function"):
            return
        if self._sink:
            self._sink(effect)
        elif self._world:
            self._world.apply(effect)

    @property
    def account(self) -> str:
        """The account of a call without another one."""
        return self._account or ACCOUNT

    def account_of(self, key: str, known: str | None) -> str:
        """Return the account of an access key, which a restart must not forget.

        :param known: what STS and IAM know of the key; None if they do not know it, as after a restart.
        """
        if known is None:
            return self._key_accounts.get(key, self.account)
        if known != self.account and self._key_accounts.get(key) != known:
            self._key_accounts[key] = known
            self._keep({"key": key, "account": known})
        return known

    def _attempt(self, operation: str, params: Doc, region: str, account: str) -> tuple[Doc, ApiError | None]:
        try:
            return self.engine.in_account(account).handle(operation, params, region), None
        except ApiError as error:
            return {}, error

    def call(self, operation: str, params: Doc, region: str, account: str | None = None) -> Doc:
        """Call an operation.

        :param account: the account of the caller; that of the service by default.
        :raises ApiError: the service refuses the request.
        :return: the answer; it belongs to the engine, so the caller must not change it.
        """
        account = account or self.account
        with self._moment() as real:
            if operation.startswith(("Get", "List")):
                return self.engine.in_account(account).handle(operation, params, region)
            sent = deepcopy(params)  # the engine keeps and changes what it is given
            entry = {"real": real, "operation": operation, "region": region, "params": params}
            self._write(entry if account == self.account else {**entry, "account": account})
            answer, error = self._attempt(operation, params, region, account)
        self._keep({"outcome": outcome_of(answer, error)})
        self.records.change(operation, sent, answer, error, self.engine.clock, region=region, account=account)
        if error:
            raise error
        return answer

    def _write(self, entry: Doc) -> None:
        """Write the line of a call that will be carried out.

        :raises ApiError: it cannot be kept, so it must not be carried out.
        """
        try:
            if self._journal:
                self._journal.write(entry)
        except JournalError as error:
            raise ApiError("ServiceUnavailableException", str(error), 503) from error

    def control(self, request: Mapping[str, Any]) -> Doc:
        """Change the behaviour of the service.

        :param request: keys of :data:`CONTROLS`; failures and faults are added to the present ones.
        :raises ValueError: a key is unknown, or a value is invalid; nothing has changed.
        :return: the clock afterwards, as :meth:`clock` returns it; ``left`` are the seconds of ``advance``
            that remain, because so much has happened that the next request must continue.
        """
        for key in request:
            if key not in CONTROLS:
                raise scenarios.ScenarioError(f"control: unknown key {key!r}; allowed: {', '.join(CONTROLS)}")
        # The whole request is checked before anything changes.
        faults = scenarios.faults(request.get("faults", []))
        self._check_names(scenarios.parse(_only(request, _CHECKED_KEYS)))
        for key in _CLOCK_KEYS:
            scenarios.number(request.get(key, 0), f"control: {key}")
        self._later += request.get("later", ())
        if request.get("reset"):
            self.reset()
        if request.get("clear_faults"):
            self.faults.clear()
        self.faults.install(*faults)
        end: float | None = None
        if changes := _only(request, _ENGINE_KEYS):
            with self._moment() as real:
                end = self.engine.clock.now() + request["advance"] if "advance" in request else None
                self._write({"real": real, "control": changes})
                self._change(changes)
        clock = self.clock()
        # At a speed the time that has passed meanwhile is in it, too.
        left = 0.0 if end is None else end - clock["epoch"]
        return {**clock, "left": left} if left > EXACT else clock

    def _check_names(self, changed: scenarios.Scenario) -> None:
        """Check that the workflows, steps and components of a scenario exist, or are created later.

        :raises ScenarioError: one does not.
        """
        if why := self.engine.unknown_name(changed.behaviour(), [*self._later, *changed.later]):
            raise scenarios.ScenarioError(why)

    def _change(self, request: Mapping[str, Any]) -> None:
        changed = scenarios.parse(_only(request, _SCENARIO_KEYS))
        self.engine.run_due()
        if request.get("clear_failures"):
            self.engine.behaviour.failures.clear()
        self.engine.behaviour.update(changed.behaviour())
        if "speed" in request:
            self.engine.clock.set_speed(request["speed"])
        if "advance" in request:
            self.engine.advance(request["advance"], MOST_TIMERS_BY_HAND)

    def reset(self) -> None:
        """Delete images, records and faults; the scenario and the speed stay."""
        self.records = Records()
        self.faults.clear()
        self.faults.install(*scenarios.parse(self._scenario).faults)
        self._start(self.engine.clock.speed)

    def clock(self) -> Doc:
        """Return the virtual time, as ``now`` (ISO 8601) and ``epoch`` (seconds), and its ``speed``."""
        with self._moment():
            now = self.engine.clock.now()
        return {"now": iso(now), "epoch": now, "speed": self.engine.clock.speed}

    def snapshot(self) -> Doc:
        """Return everything that ``/_imagebuilder/records`` shows."""
        return {**self.clock(), **self.records.snapshot(self.engine), "faults": self.faults.records()}

    def close(self) -> None:
        """Close the state file."""
        if self._journal:
            self._journal.close()


def _only(request: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    return {key: request[key] for key in keys if key in request}
