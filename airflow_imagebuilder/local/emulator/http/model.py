"""The service model: the installed botocore's, with what the newest has in addition.

AWS's servers know the newest model, so a client that is newer than the botocore beside this service must get
what it asks for. What botocore 1.44.8 added since 1.43.117 is here; older models lack more, e.g. RetryImage
before 1.40.
"""

from __future__ import annotations

import copy
from typing import Any, Final

import botocore.session
from botocore.model import ServiceModel

NAME: Final = "imagebuilder"
#: Shapes that an older model lacks.
_SHAPES: Final[dict[str, Any]] = {
    "ImageScanningType": {"type": "string", "enum": ["TEST_INSTANCE_CVE", "ON_DEMAND_AMI_CVE"]},
    "ImageScanningTypeList": {
        "type": "list",
        "member": {"shape": "ImageScanningType"},
        "max": 1,
        "min": 1,
    },
    "MaximumSeverityLabel": {"type": "string", "enum": ["INFORMATIONAL", "LOW", "MEDIUM", "HIGH"]},
    "ScanResultCondition": {
        "type": "structure",
        "required": ["maximumSeverityLabel"],
        "members": {
            "maximumSeverityLabel": {"shape": "MaximumSeverityLabel"},
            "fixAvailable": {"shape": "NullableBoolean"},
        },
    },
}
#: Members that a shape of an older model lacks.
_MEMBERS: Final[dict[str, Any]] = {
    "ImageScanningConfiguration": {
        "imageScanningTypes": {"shape": "ImageScanningTypeList"},
        "scanResultCondition": {"shape": "ScanResultCondition"},
    },
}
#: What an older model bounds more narrowly.
_BOUNDS: Final[dict[str, Any]] = {
    "RestrictedInteger": {"max": 100},
    "FilterValue": {"pattern": r"^[0-9a-zA-Z./_ :,{}\"*-]{1,1024}$"},
}


def load() -> ServiceModel:
    """Return the model, as new as it is known."""
    loader = botocore.session.get_session().get_component("data_loader")
    # The loader keeps what it has read, for every client of this process.
    found = copy.deepcopy(loader.load_service_model(NAME, "service-2"))
    shapes: dict[str, Any] = found["shapes"]
    for name, shape in _SHAPES.items():
        shapes.setdefault(name, shape)
    for name, members in _MEMBERS.items():
        shapes[name]["members"] = {**members, **shapes[name]["members"]}
    for name, bounds in _BOUNDS.items():
        shapes[name] |= bounds
    return ServiceModel(found, NAME)
