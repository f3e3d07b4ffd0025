"""The fake of the hook: a method that the hook renames or gives other parameters turns a test red."""

from __future__ import annotations

import inspect

import pytest

from airflow_imagebuilder.hooks import ImageBuilderHook
from airflow_imagebuilder.service.errors import NotFoundError, RefusedError, ThrottledError
from tests.support.arns import IMAGE
from tests.support.image_builder import Controls, FakeImageBuilder


def public(cls: type) -> dict[str, object]:
    return {name: member for name, member in vars(cls).items() if not name.startswith("_")}


@pytest.mark.parametrize("name", sorted(public(FakeImageBuilder)))
def test_each_member_of_the_fake_is_one_of_the_hook_with_the_same_signature(name: str) -> None:
    ours, hooks = (inspect.getattr_static(cls, name) for cls in (FakeImageBuilder, ImageBuilderHook))
    assert type(ours) is type(hooks)
    if inspect.isfunction(ours):
        assert inspect.signature(ours) == inspect.signature(hooks)
        assert inspect.iscoroutinefunction(ours) == inspect.iscoroutinefunction(hooks)


def test_the_fake_has_every_method_of_our_hook() -> None:
    assert {name for name in public(ImageBuilderHook) if name != "conn_config"} <= {*public(FakeImageBuilder)}


def test_no_control_of_the_fake_has_the_name_of_a_member_of_the_hook() -> None:
    assert [
        name for cls in Controls.__mro__[:-1] for name in public(cls) if hasattr(ImageBuilderHook, name)
    ] == []


def test_a_planned_error_comes_at_its_call_and_a_lost_answer_after_its_effect() -> None:
    aws = FakeImageBuilder("BUILDING")
    aws.before("get_image", NotFoundError("GetImage"), nth=2)
    aws.after("cancel_image", ThrottledError("CancelImageCreation"))
    aws.get_image(IMAGE)
    with pytest.raises(NotFoundError):
        aws.get_image(IMAGE)
    with pytest.raises(ThrottledError):
        aws.cancel_image(IMAGE, "token")
    assert aws.get_image(IMAGE)["state"] == {"status": "CANCELLED"}
    assert [call.method for call in aws.calls] == ["get_image", "get_image", "cancel_image", "get_image"]


def test_an_image_that_has_finished_cannot_be_cancelled() -> None:
    with pytest.raises(RefusedError):
        FakeImageBuilder("AVAILABLE").cancel_image(IMAGE, "token")
