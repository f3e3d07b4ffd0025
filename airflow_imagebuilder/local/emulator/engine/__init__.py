"""The engine of the local Image Builder: pure Python, a dictionary in, a dictionary out, a virtual clock.

It knows neither HTTP nor moto, and serves unit tests as it is::

    engine = Engine(seed=1)
    seed(engine)
    arn = engine.call("CreateImage", {...})["imageBuildVersionArn"]
    engine.settle()
    assert engine.call("GetImage", {"imageBuildVersionArn": arn})["image"]["state"]["status"] == "AVAILABLE"
"""

from airflow_imagebuilder.local.emulator.engine.clock import Clock, iso
from airflow_imagebuilder.local.emulator.engine.engine import Engine
from airflow_imagebuilder.local.emulator.engine.errors import ApiError
from airflow_imagebuilder.local.emulator.engine.identifiers import ACCOUNT
from airflow_imagebuilder.local.emulator.engine.simulation.behaviour import Behaviour, Failure
from airflow_imagebuilder.local.emulator.engine.state import Effect
from airflow_imagebuilder.local.emulator.engine.world import Recorder, World

__all__ = [
    "ACCOUNT",
    "ApiError",
    "Behaviour",
    "Clock",
    "Effect",
    "Engine",
    "Failure",
    "Recorder",
    "World",
    "iso",
]
