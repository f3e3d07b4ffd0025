"""What each command of ``control`` does: it asks the service, and returns what is printed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.local.control import report
from airflow_imagebuilder.local.control.remote import ControlError

if TYPE_CHECKING:
    import argparse

    from airflow_imagebuilder.local.control.remote import RemoteService

#: What AWS answers to a caller that is too fast.
THROTTLED = {"code": "CallRateLimitExceededException", "status": 429, "message": "Rate exceeded"}
_CLEARED = {"failures": "clear_failures", "faults": "clear_faults"}


def _given(options: argparse.Namespace, *without: str) -> dict[str, Any]:
    """Return the options that were given, as keys of a scenario."""
    left_out = {"run", "url", *without}
    return {key: value for key, value in vars(options).items() if key not in left_out and value is not None}


def fail(service: RemoteService, options: argparse.Namespace) -> str:
    """Add a failure."""
    failure = _given(options, "later")
    names = [options.workflow, options.component] if options.later else []
    later = [name for name in names if name]
    service.control({"failures": [failure], **({"later": later} if later else {})})
    return f"Added: {report.failure(failure)}"


def throttle(service: RemoteService, options: argparse.Namespace) -> str:
    """Add a fault for each operation."""
    faults = [{"operation": name, **THROTTLED, **_given(options, "operation")} for name in options.operation]
    service.control({"faults": faults})
    return "\n".join(f"Added: {report.fault(fault)}" for fault in faults)


def fault(service: RemoteService, options: argparse.Namespace) -> str:
    """Add a fault."""
    fault = _given(options)
    service.control({"faults": [fault]})
    return f"Added: {report.fault(fault)}"


def speed(service: RemoteService, options: argparse.Namespace) -> str:
    """Set the speed of the clock."""
    return report.clock(service.control({"speed": options.speed}))


def advance(service: RemoteService, options: argparse.Namespace) -> str:
    """Let virtual time pass."""
    return report.clock(service.control({"advance": options.seconds}))


def findings(service: RemoteService, options: argparse.Namespace) -> str:
    """Set the findings of scans."""
    findings = dict(options.count)
    service.control({"findings": findings})
    return "A scan finds: " + ", ".join(f"{count} {name}" for name, count in findings.items())


def apply(service: RemoteService, options: argparse.Namespace) -> str:
    """Add a scenario."""
    # Imported here: it needs the emulator, which the other commands do without.
    from airflow_imagebuilder.local.emulator.scenario import ScenarioError, load
    from airflow_imagebuilder.local.scenarios import find

    try:
        path = find(options.scenario)
        scenario = load(path)
    except ScenarioError as error:
        raise ControlError(str(error).removeprefix("--scenario ")) from error
    seed = scenario.pop("seed", None)
    service.control(scenario)
    kept = "" if seed is None else "; its seed counts at the start of a service alone, so it is left out"
    return f"Added: {path.name} ({', '.join(scenario) or 'empty'}){kept}"


def clear(service: RemoteService, options: argparse.Namespace) -> str:
    """Remove failures, faults or both."""
    for what in options.what:
        if what not in _CLEARED:
            raise ControlError(f"clear {what}: there are {', '.join(_CLEARED)}")
    cleared = options.what or list(_CLEARED)
    service.control({_CLEARED[what]: True for what in cleared})
    return f"Removed: all {' and '.join(cleared)}"


def reset(service: RemoteService, _: argparse.Namespace) -> str:
    """Make it a new service."""
    return f"A new service. {report.clock(service.control({'reset': True}))}"


def expire(service: RemoteService, _: argparse.Namespace) -> str:
    """Let credentials expire."""
    service.control({"expire_credentials": True})
    return "The credentials of all sessions have expired"


def health(service: RemoteService, _: argparse.Namespace) -> str:
    """Show the clock."""
    return f"{service.url}: {report.clock(service.health())}"


def records(service: RemoteService, options: argparse.Namespace) -> str:
    """Show what the service has recorded."""
    return report.as_json(service.records()) if options.json else report.records(service.records())
