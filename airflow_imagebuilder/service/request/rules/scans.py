"""The rules for vulnerability scans (API reference, ``ImageScanningConfiguration``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from airflow_imagebuilder.service.errors import Fault
from airflow_imagebuilder.service.request.fields.fields import Flag
from airflow_imagebuilder.service.request.fields.templates import is_blank

if TYPE_CHECKING:
    from airflow_imagebuilder.service.request.rules.draft import RequestDraft

_SCAN = "image_scanning_configuration"
_TESTS = "image_tests_configuration"
_DEFAULT = "TEST_INSTANCE_CVE"
_ON_DEMAND = "ON_DEMAND_AMI_CVE"


def _needs_tests(draft: RequestDraft) -> Iterator[Fault]:
    scans = Flag().clean(draft.inner(_SCAN, "imageScanningEnabled"))
    tested = Flag().clean(draft.inner(_TESTS, "imageTestsEnabled"))
    if scans is True and tested is False:
        allowed = f"True where {_SCAN}.imageScanningEnabled is"
        remedy = "Inspector scans during the tests: turn them on, or the scan off"
        yield Fault(f"{_TESTS}.imageTestsEnabled", False, allowed, remedy)


def _scan_of_amis_needs_an_ami(draft: RequestDraft) -> Iterator[Fault]:
    late = draft.is_late("image_recipe_arn", "container_recipe_arn")
    container = draft.is_set("container_recipe_arn") and not draft.is_set("image_recipe_arn")
    if container and not late and _scan_types(draft) == [_ON_DEMAND]:
        remedy = f"leave it out: {_ON_DEMAND} scans what an image recipe makes"
        yield Fault(f"{_SCAN}.imageScanningTypes", [_ON_DEMAND], f"[{_DEFAULT!r}] with containers", remedy)


def _condition_needs_scan_of_amis(draft: RequestDraft) -> Iterator[Fault]:
    condition = draft.inner(_SCAN, "scanResultCondition")
    if condition is not None and _scan_types(draft) not in (None, [_ON_DEMAND]):
        allowed = f"set with imageScanningTypes [{_ON_DEMAND!r}] only"
        remedy = "set this scan type, or leave the condition out"
        yield Fault(f"{_SCAN}.scanResultCondition", condition, allowed, remedy)


def scan_is_off(draft: RequestDraft) -> bool:
    """Return whether an image of this request is certainly not scanned."""
    if Flag().clean(draft.inner(_TESTS, "imageTestsEnabled")) is False:
        return True
    if draft.is_late(_SCAN) or not isinstance(structure := draft.fields.get(_SCAN), Mapping):
        return not draft.is_late(_SCAN)
    enabled = structure.get("imageScanningEnabled")
    return not draft.later(enabled) and Flag().clean(enabled) is not True


def scan_warnings(draft: RequestDraft) -> Iterator[str]:
    """Yield a warning for settings of a scan that is switched off."""
    structure = draft.fields.get(_SCAN)
    if not isinstance(structure, Mapping) or not scan_is_off(draft):
        return
    named = [name for name in ("imageScanningTypes", "scanResultCondition") if structure.get(name)]
    if named:
        yield (
            f"{_SCAN} has {' and '.join(named)}, but imageScanningEnabled is not True, so AWS does not scan "
            "the image. Add 'imageScanningEnabled': True."
        )


SCAN_RULES: tuple[Callable[[RequestDraft], Iterator[Fault]], ...] = (
    _needs_tests,
    _scan_of_amis_needs_an_ami,
    _condition_needs_scan_of_amis,
)


def _scan_types(draft: RequestDraft) -> list[object] | None:
    """Return the scan types: AWS's default where none is set; ``None`` where they are not known."""
    structure = draft.fields.get(_SCAN)
    types = structure.get("imageScanningTypes") if isinstance(structure, Mapping) else None
    if types is None or is_blank(types):
        return [_DEFAULT]
    known = not draft.later(types) and isinstance(types, (list, tuple)) and not any(map(draft.later, types))
    return list(types) if known else None
