"""The engine of the local Image Builder: pure Python, a dictionary in, a dictionary out, a virtual clock.

It knows neither HTTP nor moto, and serves unit tests as it is::

    engine = Engine(seed=1)
    seed(engine)
    arn = engine.call("CreateImage", {...})["imageBuildVersionArn"]
    engine.settle()
    assert engine.call("GetImage", {"imageBuildVersionArn": arn})["image"]["state"]["status"] == "AVAILABLE"
"""

from .clock import Clock, iso
from .errors import ApiError
from .names import ACCOUNT
from .profile import Failure, Profile
from .service import Engine
from .state import Effect
from .world import Recorder, World

__all__ = [
    "ACCOUNT",
    "ApiError",
    "Clock",
    "Effect",
    "Engine",
    "Failure",
    "Profile",
    "Recorder",
    "World",
    "iso",
]
