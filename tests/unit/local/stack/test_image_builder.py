"""LocalService, without its process: what it sends."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_imagebuilder.local.control import remote
from airflow_imagebuilder.local.emulator import backend as backends
from airflow_imagebuilder.local.emulator.backend import Backend
from airflow_imagebuilder.local.stack.base import StackError
from airflow_imagebuilder.local.stack.image_builder import LocalService
from airflow_imagebuilder.testing.image_builder import ImageBuilder
from tests.support.bench import image_request

DAY = 86_400


class Direct(LocalService):
    """A service whose requests reach a backend without HTTP."""

    def __init__(self) -> None:
        super().__init__()
        self.backend = Backend()
        self.sent: list[dict[str, Any]] = []

    def _request(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        assert (method, path) == ("POST", "control")
        self.sent.append(options["json"])
        return self.backend.control(options["json"])


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Direct:
    """Return a service that runs few timers in a request, with an image that has more of them."""
    monkeypatch.setattr(backends, "MOST_TIMERS_BY_HAND", 10)
    service = Direct()
    service.backend.call("CreateImage", image_request(clientToken="one"), "us-east-1")
    return service


def test_an_advance_passes_as_a_whole_however_much_is_due(service: Direct) -> None:
    began = service.backend.clock()["epoch"]
    now = ImageBuilder(service).advance(DAY)
    assert service.backend.clock()["epoch"] == pytest.approx(began + DAY)
    assert service.backend.clock()["now"] == now
    (image,) = service.backend.engine.state.images.values()
    assert image.status == "AVAILABLE"
    assert len(service.sent) > 3


def test_other_settings_are_sent_once(service: Direct) -> None:
    service.control(advance=DAY, failures=[{"workflow": "boot"}])
    assert [set(sent) for sent in service.sent[1:]] == [{"advance"}] * (len(service.sent) - 1)
    assert len(service.backend.engine.behaviour.failures) == 1


def test_an_advance_without_an_end_fails_with_what_to_do(
    service: Direct, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "MOST_ADVANCES", 2)
    with pytest.raises(StackError, match=r"seconds are left after 2 requests.*smaller steps"):
        service.control(advance=DAY)
    assert len(service.sent) == 2
