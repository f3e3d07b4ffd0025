"""Scenarios in Python: each call becomes a control request; wrong names are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_imagebuilder.local.emulator.backend import Backend
from airflow_imagebuilder.local.emulator.scenario import ScenarioError
from airflow_imagebuilder.testing.scenario import Scenario

if TYPE_CHECKING:
    from collections.abc import Callable


class Controlled(Scenario):
    def __init__(self) -> None:
        self.backend = Backend()
        self.sent: list[dict[str, Any]] = []

    def control(self, **settings: Any) -> dict[str, Any]:
        self.sent.append(settings)
        return self.backend.control(settings)


@pytest.mark.parametrize(
    ("call", "sent"),
    [
        (
            lambda s: s.fail(workflow="boot", times=1, message="no"),
            {"failures": [{"workflow": "boot", "times": 1, "message": "no"}]},
        ),
        (
            lambda s: s.fail(component="golden-base", component_step="Install"),
            {"failures": [{"component": "golden-base", "component_step": "Install"}]},
        ),
        (
            lambda s: s.throttle("GetImage", 3),
            {
                "faults": [
                    {
                        "operation": "GetImage",
                        "kind": "error",
                        "code": "CallRateLimitExceededException",
                        "times": 3,
                    }
                ]
            },
        ),
        (
            lambda s: s.durations(build=60, test=(1, 2), workflows={"boot": 9}),
            {"durations": {"build": 60, "test": (1, 2)}, "workflows": {"boot": 9}},
        ),
        (lambda s: s.findings(high=2), {"findings": {"critical": 0, "high": 2, "medium": 0}}),
        (lambda s: s.clear(), {"clear_failures": True, "clear_faults": True}),
    ],
)
def test_a_call_is_one_control_request(call: Callable[[Scenario], None], sent: dict[str, Any]) -> None:
    scenario = Controlled()
    call(scenario)
    assert scenario.sent == [sent]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda s: s.throttle("GetImages"), "do you mean GetImage"),
        (lambda s: s.durations(biuld=60), "biuld"),
        (lambda s: s.fail(workflow="boot", compnent="x"), "compnent"),
        (lambda s: s.fail(), "nothing fails"),
        (lambda s: s.throttle("GetImage", times=-1), "times"),
    ],
)
def test_a_wrong_name_or_value_is_refused(call: Callable[[Scenario], None], says: str) -> None:
    with pytest.raises((ValueError, ScenarioError), match=says):
        call(Controlled())
