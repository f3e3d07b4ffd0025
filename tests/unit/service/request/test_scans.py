"""Whether an image is scanned at all, as far as its request says."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_imagebuilder.service.request.fields.templates import is_late
from airflow_imagebuilder.service.request.rules.combinations import request_warnings

OF_AMI = {
    "imageScanningTypes": ["ON_DEMAND_AMI_CVE"],
    "scanResultCondition": {"maximumSeverityLabel": "HIGH"},
}


def warned(**fields: Any) -> str:
    return " ".join(request_warnings(fields, is_late))


@pytest.mark.parametrize("enabled", [{}, {"imageScanningEnabled": False}])
def test_settings_of_a_scan_that_is_off_are_warned_about(enabled: dict[str, Any]) -> None:
    text = warned(image_scanning_configuration={**OF_AMI, **enabled})
    assert "has imageScanningTypes and scanResultCondition" in text
    assert "'imageScanningEnabled': True" in text


@pytest.mark.parametrize(
    "configuration",
    [
        None,
        "{{ params.scan | tojson }}",
        {"imageScanningEnabled": False},
        {**OF_AMI, "imageScanningEnabled": True},
        {**OF_AMI, "imageScanningEnabled": "true"},
        {**OF_AMI, "imageScanningEnabled": "{{ params.scan }}"},
    ],
)
def test_a_scan_that_may_be_on_needs_no_warning(configuration: object) -> None:
    assert warned(image_scanning_configuration=configuration) == ""
