"""Backend: the local service without HTTP, made of engine, journal, faults and records."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.local.emulator import scenario as scenarios
from airflow_imagebuilder.local.emulator.engine import ApiError, Clock, Effect, Engine, World, iso
from airflow_imagebuilder.local.emulator.faults import Faults
from airflow_imagebuilder.local.emulator.journal import Journal, JournalError, PausableClock
from airflow_imagebuilder.local.emulator.records import Records
from airflow_imagebuilder.local.emulator.seed import seed as seed_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from airflow_imagebuilder.local.emulator.engine import Doc

_CLOCK_KEYS = ("speed", "advance")
_SCENARIO_KEYS = ("durations", "workflows", "steps", "failures", "findings")
#: Keys that change the engine; a replay needs them, so the journal keeps them.
_ENGINE_KEYS = (*_CLOCK_KEYS, *_SCENARIO_KEYS, "clear_failures")
#: Keys of a control request; the HTTP server also acts on ``expire_credentials`` and ``reset``.
CONTROLS = (*_ENGINE_KEYS, "faults", "clear_faults", "reset", "expire_credentials")


class Backend:
    """EC2 Image Builder for the HTTP server and for tests.

    :param world: receives AMIs, parameters, events and logs; by default they are only recorded.
    :param speed: virtual seconds per real second; 0 by default: the clock moves by hand.
    :param scenario: a mapping as :mod:`.scenario` describes it.
    :param state: the state file: read at the start, written from then on; by default nothing is kept.
    :param seeded: whether a new service holds the golden resources; True by default.
    :param sink: receives the effects instead of the world's ``apply``.
    :raises ScenarioError: the scenario is invalid.
    :raises JournalError: the state file is not a journal, or another version wrote it.
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
    ) -> None:
        self._world, self._sink = world, sink
        self._scenario = dict(scenario or {})
        self._seeded = seeded
        self._moments = PausableClock()
        self._journal = Journal(state) if state else None
        self.records = Records()
        self.faults = Faults(self._scenario.get("seed"))
        self.faults.install(*scenarios.parse(self._scenario).faults)
        self._replaying = False
        if not self._resume(speed):
            self._start(speed)

    def _start(self, speed: float) -> None:
        given = self._scenario.get("seed")
        seed = random.SystemRandom().getrandbits(63) if given is None else given
        header = {
            "real": self._moments.hold(),
            "speed": speed,
            "seed": seed,
            "seeded": self._seeded,
            "scenario": self._scenario,
        }
        self._begin(header)
        self._moments.release()
        if self._journal:
            self._journal.open(header)

    def _begin(self, header: Mapping[str, Any]) -> None:
        clock = Clock(header["speed"], real=self._moments)
        behaviour = scenarios.parse(header["scenario"]).behaviour()
        self.engine = Engine(
            clock=clock, behaviour=behaviour, world=self._world, seed=header["seed"], sink=self._effect
        )
        self.seeded = seed_engine(self.engine) if header["seeded"] else 0

    def _resume(self, speed: float) -> bool:
        lines = self._journal.read() if self._journal else iter(())
        header = next(lines, None)
        if header is None or self._journal is None:
            return False
        self._replaying = True
        self._moments.hold(header["real"])
        self._begin(header)
        for entry in lines:
            self._replay(entry)
        self._replaying = False
        self._moments.release()
        self._journal.open()
        if header["scenario"] != self._scenario:
            self.control({"clear_failures": True, **_only(self._scenario, _ENGINE_KEYS)})
        if speed != self.engine.clock.speed:
            self.control({"speed": speed})
        return True

    def _replay(self, entry: Mapping[str, Any]) -> None:
        self._moments.hold(entry["real"])
        if "control" in entry:
            self._change(entry["control"])
            return
        answer, error = self._attempt(entry["operation"], entry["params"], entry["region"])
        if _outcome(answer, error) != entry["outcome"]:
            raise JournalError(
                f"The state file does not replay: {entry['operation']} gave {entry['outcome']} and now gives "
                f"{_outcome(answer, error)}. Another version wrote it; remove it to start without state."
            )

    def _effect(self, effect: Effect) -> None:
        if self._replaying and effect.kind in ("event", "notification"):
            return
        if self._sink:
            self._sink(effect)
        elif self._world:
            self._world.apply(effect)

    def _attempt(self, operation: str, params: Doc, region: str) -> tuple[Doc, ApiError | None]:
        try:
            return self.engine.handle(operation, params, region), None
        except ApiError as error:
            return {}, error

    def call(self, operation: str, params: Doc, region: str) -> Doc:
        """Call an operation.

        :raises ApiError: the service refuses the request.
        :return: the answer; it belongs to the engine, so the caller must not change it.
        """
        if operation.startswith(("Get", "List")):
            return self.engine.handle(operation, params, region)
        real = self._moments.hold()
        try:
            answer, error = self._attempt(operation, params, region)
        finally:
            self._moments.release()
        if self._journal:
            entry = {"real": real, "operation": operation, "region": region, "params": params}
            self._journal.write({**entry, "outcome": _outcome(answer, error)})
        self.records.change(operation, params, answer, error, self.engine.clock)
        if error:
            raise error
        return answer

    def control(self, request: Mapping[str, Any]) -> Doc:
        """Change the behaviour of the service.

        :param request: keys of :data:`CONTROLS`; failures and faults are added to the present ones.
        :raises ValueError: a key is unknown, or a value is invalid; nothing has changed.
        :return: the clock afterwards, as :meth:`clock` returns it.
        """
        for key in request:
            if key not in CONTROLS:
                raise scenarios.ScenarioError(f"control: unknown key {key!r}; allowed: {', '.join(CONTROLS)}")
        # The whole request is checked before anything changes.
        faults = scenarios.faults(request.get("faults", []))
        scenarios.parse(_only(request, _SCENARIO_KEYS))
        for key in _CLOCK_KEYS:
            scenarios.number(request.get(key, 0), f"control: {key}")
        if request.get("reset"):
            self.reset()
        if request.get("clear_faults"):
            self.faults.clear()
        self.faults.install(*faults)
        if changes := _only(request, _ENGINE_KEYS):
            real = self._moments.hold()
            try:
                self._change(changes)
            finally:
                self._moments.release()
            if self._journal:
                self._journal.write({"real": real, "control": changes})
        return self.clock()

    def _change(self, request: Mapping[str, Any]) -> None:
        changed = scenarios.parse(_only(request, _SCENARIO_KEYS))
        self.engine.run_due()
        behaviour, clock = self.engine.behaviour, self.engine.clock
        if request.get("clear_failures"):
            behaviour.failures.clear()
        behaviour.durations.update(changed.durations)
        behaviour.workflows.update(changed.workflows)
        behaviour.steps.update(changed.steps)
        behaviour.failures.extend(changed.failures)
        behaviour.findings.update(changed.findings)
        if "speed" in request:
            clock.set_speed(request["speed"])
        if "advance" in request:
            clock.advance(request["advance"])
            self.engine.run_due()

    def reset(self) -> None:
        """Delete images, records and faults; the scenario and the speed stay."""
        self.records = Records()
        self.faults.clear()
        self.faults.install(*scenarios.parse(self._scenario).faults)
        self._start(self.engine.clock.speed)

    def clock(self) -> Doc:
        """Return the virtual time, as ``now`` (ISO 8601) and ``epoch`` (seconds), and its ``speed``."""
        now = self.engine.clock.now()
        return {"now": iso(now), "epoch": now, "speed": self.engine.clock.speed}

    def snapshot(self) -> Doc:
        """Return everything that ``/_imagebuilder/records`` shows."""
        self.engine.run_due()
        return {**self.clock(), **self.records.snapshot(self.engine), "faults": self.faults.records()}

    def close(self) -> None:
        """Close the state file."""
        if self._journal:
            self._journal.close()


def _only(request: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    return {key: request[key] for key in keys if key in request}


def _outcome(answer: Doc, error: ApiError | None) -> str:
    if error:
        return error.code
    return next((value for key, value in answer.items() if key.endswith("Arn")), "")
