"""The engine of the local Image Builder: pure Python, a dictionary in, a dictionary out, a virtual clock.

It knows neither HTTP nor moto. Other packages import from here alone, not from the modules below. In a unit
test::

    engine = Engine(seed=1)
    seed(engine)
    arn = engine.call("CreateImage", {...})["imageBuildVersionArn"]
    engine.settle()
    assert engine.call("GetImage", {"imageBuildVersionArn": arn})["image"]["state"]["status"] == "AVAILABLE"
"""

from airflow_imagebuilder.local.emulator.engine import guesses
from airflow_imagebuilder.local.emulator.engine.clock import Clock, iso
from airflow_imagebuilder.local.emulator.engine.engine import Engine
from airflow_imagebuilder.local.emulator.engine.errors import ApiError, invalid_value
from airflow_imagebuilder.local.emulator.engine.identifiers import ACCOUNT, arn_of, partition_of
from airflow_imagebuilder.local.emulator.engine.simulation.behaviour import (
    DEFAULT_DURATIONS,
    Behaviour,
    Failure,
    Seconds,
)
from airflow_imagebuilder.local.emulator.engine.simulation.outputs.integration import CONFIGURATION_STEPS
from airflow_imagebuilder.local.emulator.engine.state import Doc, Effect, Execution, Image
from airflow_imagebuilder.local.emulator.engine.world import Recorder, World

__all__ = [
    "ACCOUNT",
    "CONFIGURATION_STEPS",
    "DEFAULT_DURATIONS",
    "ApiError",
    "Behaviour",
    "Clock",
    "Doc",
    "Effect",
    "Engine",
    "Execution",
    "Failure",
    "Image",
    "Recorder",
    "Seconds",
    "World",
    "arn_of",
    "guesses",
    "invalid_value",
    "iso",
    "partition_of",
]
