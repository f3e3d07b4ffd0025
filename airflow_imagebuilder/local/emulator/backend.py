"""The local service without HTTP: engine, journal, faults and records together."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.local.emulator import scenario as scenarios
from airflow_imagebuilder.local.emulator.engine import ApiError, Clock, Effect, Engine, World, iso
from airflow_imagebuilder.local.emulator.faults import Faults
from airflow_imagebuilder.local.emulator.journal import Journal, JournalError, Moments
from airflow_imagebuilder.local.emulator.records import Records
from airflow_imagebuilder.local.emulator.seed import seed as seed_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from airflow_imagebuilder.local.emulator.engine import Doc

#: Keys of a control request; the server reads ``expire_credentials`` and ``reset`` itself, too.
CONTROLS = (
    *("speed", "advance", "durations", "workflows", "steps", "failures", "clear_failures", "findings"),
    *("faults", "clear_faults", "reset", "expire_credentials"),
)
#: What a journal keeps of a control request: all that the engine is changed by.
_KEPT = frozenset(
    {"speed", "advance", "durations", "workflows", "steps", "failures", "clear_failures", "findings"}
)


class Backend:
    """EC2 Image Builder, as the server and tests hold it.

    :param world: where AMIs, parameters, events and logs go.
    :param speed: virtual seconds a real second.
    :param scenario: a mapping as :mod:`.scenario` describes it.
    :param state: a file to go on from, and to survive in.
    :param seeded: whether a fresh service holds the golden resources.
    :param sink: takes the effects instead of the world's ``apply``.
    :raises ScenarioError: for a scenario that is none.
    :raises JournalError: for a state file of another version.
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
        self._moments = Moments()
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
            changed = {k: v for k, v in self._scenario.items() if k in _KEPT}
            self.control({"clear_failures": True, **changed})
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
                f"{_outcome(answer, error)}. It was written by another version; remove it to start afresh."
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
        """Answer an operation.

        :raises ApiError: as the service refuses.
        :return: the answer; it is the engine's, so it may only be read.
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
        """Change how the service behaves.

        :param request: keys of :data:`CONTROLS`; failures and faults are added to those that are there.
        :raises ValueError: for a key or a value that is not known.
        :return: the state of the clock afterwards.
        """
        for key in request:
            if key not in CONTROLS:
                raise scenarios.ScenarioError(f"control: unknown key {key!r}; allowed: {', '.join(CONTROLS)}")
        # Everything is read before anything is changed.
        faults = scenarios.faults(request.get("faults", []))
        scenarios.parse({key: value for key, value in request.items() if key in _KEPT - _CLOCK})
        for key in ("speed", "advance"):
            scenarios.number(request.get(key, 0), f"control: {key}")
        if request.get("reset"):
            self.reset()
        if request.get("clear_faults"):
            self.faults.clear()
        self.faults.install(*faults)
        kept = {key: value for key, value in request.items() if key in _KEPT}
        if kept:
            real = self._moments.hold()
            try:
                self._change(kept)
            finally:
                self._moments.release()
            if self._journal:
                self._journal.write({"real": real, "control": kept})
        return self.clock()

    def _change(self, request: Mapping[str, Any]) -> None:
        read = scenarios.parse({k: v for k, v in request.items() if k in _KEPT - _CLOCK})
        self.engine.run_due()
        behaviour, clock = self.engine.behaviour, self.engine.clock
        if request.get("clear_failures"):
            behaviour.failures.clear()
        behaviour.durations.update(read.durations)
        behaviour.workflows.update(read.workflows)
        behaviour.steps.update(read.steps)
        behaviour.failures.extend(read.failures)
        behaviour.findings.update(read.findings)
        if "speed" in request:
            clock.set_speed(request["speed"])
        if "advance" in request:
            clock.advance(request["advance"])
            self.engine.run_due()

    def reset(self) -> None:
        """Begin anew: no images, no faults, no records; the scenario and the speed stay."""
        self.records = Records()
        self.faults.clear()
        self.faults.install(*scenarios.parse(self._scenario).faults)
        self._start(self.engine.clock.speed)

    def clock(self) -> Doc:
        """The virtual time and its speed."""
        now = self.engine.clock.now()
        return {"now": iso(now), "epoch": now, "speed": self.engine.clock.speed}

    def snapshot(self) -> Doc:
        """Everything for ``/_imagebuilder/records``."""
        self.engine.run_due()
        return {**self.clock(), **self.records.snapshot(self.engine), "faults": self.faults.records()}

    def close(self) -> None:
        """Close the state file."""
        if self._journal:
            self._journal.close()


_CLOCK = frozenset({"speed", "advance", "clear_failures"})


def _outcome(answer: Doc, error: ApiError | None) -> str:
    if error:
        return error.code
    return next((value for key, value in answer.items() if key.endswith("Arn")), "")
