"""The gate as a task: its arguments, its result, and what it skips."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from unittest.mock import MagicMock

import pytest
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

from airflow_imagebuilder import ImageBuilderNeedsBuildOperator
from airflow_imagebuilder.compat import DownstreamTasksSkipped, SkipMixin
from airflow_imagebuilder.service.errors import ForbiddenError, InvalidRequestError, UndecidedError
from tests.support.arns import IMAGE, RECIPE, image_arn
from tests.support.fault_plan import ALWAYS
from tests.support.needs import PIPELINE, Scene, another
from tests.support.operators import with_hook
from tests.support.task import FakeTask


class Gate:
    """A gate in a Dag, with what follows it: ``first``, then ``second`` and a teardown."""

    def __init__(
        self, scene: Scene, *, map_index: int = -1, counts: int | None = None, **options: Any
    ) -> None:
        with DAG("d", schedule=None):
            self.operator = ImageBuilderNeedsBuildOperator(
                task_id="gate", **{"image_recipe_arn": RECIPE, **options}
            )
            first, second = EmptyOperator(task_id="first"), EmptyOperator.partial(task_id="second")
            clean = EmptyOperator(task_id="clean").as_teardown()
            self.operator >> first >> second.expand(doc=["a", "b"]) >> clean
        with_hook(self.operator, scene.aws)
        self.task = FakeTask(task_id="gate", map_index=map_index)
        vars(self.task.ti)["get_ti_count"] = self._count
        self.task.context["task"] = self.operator
        self.counts = counts

    def _count(self, **query: Any) -> int:
        assert query["task_ids"] == ["second"]
        if self.counts is None:
            raise RuntimeError("no answer")
        return self.counts

    def run(self) -> Any:
        return self.operator.execute(self.task.context)

    def skipped(self) -> Any:
        with pytest.raises(DownstreamTasksSkipped) as skipped:
            self.run()
        return skipped.value.tasks


def building() -> Scene:
    scene = Scene()
    scene.aws.listed = [another(2, "BUILDING", "2026-10-05T00:00:00Z")]
    return scene


def empty() -> Scene:
    scene = Scene()
    scene.aws.listed = []
    return scene


def test_a_needed_build_is_returned_with_its_reasons() -> None:
    result = Gate(empty()).run()
    assert result["needed"] is True
    assert "no AVAILABLE image" in result["reasons"][0]
    assert result["last_image"] is None


def test_if_no_build_is_needed_everything_that_follows_is_skipped_but_teardowns() -> None:
    gate = Gate(Scene(), counts=2)
    assert sorted(gate.skipped()) == [("first", -1), ("second", -1), ("second", 0), ("second", 1)]
    assert gate.task.xcoms["return_value"]["needed"] is False
    assert gate.task.xcoms["return_value"]["last_image"] == IMAGE
    assert sorted(gate.task.xcoms["skipmixin_key"]["skipped"]) == ["first", "second"]


def test_without_an_answer_about_its_instances_a_mapped_task_follows_its_trigger_rule() -> None:
    assert sorted(Gate(Scene()).skipped()) == [("first", -1), ("second", -1)]


def test_with_trigger_rules_respected_only_what_follows_directly_is_skipped() -> None:
    assert Gate(Scene(), ignore_downstream_trigger_rules=False).skipped() == [("first", -1)]


def test_a_mapped_gate_leaves_the_skip_to_the_scheduler_which_reads_the_xcom() -> None:
    gate = Gate(Scene(), map_index=1, counts=2)
    assert gate.run()["needed"] is False
    assert sorted(gate.task.xcoms["skipmixin_key"]["skipped"]) == ["first", "second"]


def test_airflow_takes_the_gate_for_a_task_that_can_skip_others() -> None:
    assert issubclass(ImageBuilderNeedsBuildOperator, SkipMixin)
    assert ImageBuilderNeedsBuildOperator(task_id="t", image_recipe_arn=RECIPE).inherits_from_skipmixin
    with DAG("d", schedule=None):
        mapped = ImageBuilderNeedsBuildOperator.partial(task_id="t").expand(image_recipe_arn=[RECIPE])
    assert mapped.inherits_from_skipmixin


def test_if_nothing_follows_the_result_is_returned() -> None:
    operator = with_hook(ImageBuilderNeedsBuildOperator(task_id="t", image_recipe_arn=RECIPE), Scene().aws)
    task = FakeTask()
    task.context["task"] = operator
    assert operator.execute(task.context)["needed"] is False


def test_without_xcoms_nothing_is_pushed_as_result() -> None:
    gate = Gate(Scene(), do_xcom_push=False)
    gate.skipped()
    assert "return_value" not in gate.task.xcoms


@pytest.mark.parametrize("force", [True, "True", "true", " true "])
def test_force_builds_without_a_call(force: Any) -> None:
    scene = building()
    result = Gate(scene, force=force).run()
    assert result["needed"] is True
    assert "force" in result["reasons"][0]
    assert scene.aws.calls == []


@pytest.mark.parametrize("force", [False, "False", "false", "", " ", "None", None])
def test_no_text_of_a_form_forces_by_mistake(force: Any) -> None:
    gate = Gate(Scene())
    gate.operator.force = force  # as rendered
    gate.skipped()


def test_a_force_that_is_neither_is_refused() -> None:
    gate = Gate(Scene())
    gate.operator.force = "maybe"
    with pytest.raises(InvalidRequestError, match="force: got 'maybe'"):
        gate.run()


def test_an_image_in_progress_skips_and_names_it() -> None:
    gate = Gate(building())
    gate.skipped()
    assert image_arn(2) in gate.task.xcoms["return_value"]["reasons"][0]


def test_unset_choices_are_the_defaults() -> None:
    gate = Gate(building(), if_building="{{ params.a }}", when_unknown="{{ params.b }}")
    gate.operator.if_building = gate.operator.when_unknown = ""
    gate.skipped()


def test_a_check_that_could_not_be_read_can_fail_the_task() -> None:
    scene = Scene()
    scene.aws.before("get_component", ForbiddenError("GetComponent", "AccessDenied", 403), times=ALWAYS)
    with pytest.raises(UndecidedError, match="what follows did not start"):
        Gate(scene, when_unknown="fail").run()


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ({}, "name the pipeline or the recipe"),
        ({"pipeline_arn": PIPELINE, "image_recipe_arn": RECIPE}, "leave the others out"),
        ({"pipeline_arn": RECIPE}, "pipeline_arn"),
        ({"image_recipe_arn": PIPELINE}, "image_recipe_arn"),
        ({"container_recipe_arn": RECIPE}, "container_recipe_arn"),
        ({"image_recipe_arn": RECIPE.replace("1.0.0", "x.0.x")}, "x may only be rightmost"),
        ({"image_recipe_arn": RECIPE, "checks": ["base"]}, "did you mean 'base_image'"),
        ({"image_recipe_arn": RECIPE, "checks": "recipe"}, "make it a list"),
        ({"image_recipe_arn": RECIPE, "max_age": 30}, "write timedelta"),
        ({"image_recipe_arn": RECIPE, "max_age": timedelta(0)}, "max_age"),
        ({"image_recipe_arn": RECIPE, "max_findings": {"CRITCAL": 0}}, "did you mean CRITICAL"),
        ({"image_recipe_arn": RECIPE, "if_building": "wait"}, "if_building"),
        ({"image_recipe_arn": RECIPE, "when_unknown": "bild"}, "did you mean 'build'"),
        ({"image_recipe_arn": RECIPE, "ignore_downstream_trigger_rules": "no"}, "without quotes"),
        ({"image_recipe_arn": RECIPE, "max_ages": timedelta(1)}, "did you mean max_age"),
    ],
)
def test_wrong_arguments_are_refused_at_parse(arguments: dict[str, Any], fault: str) -> None:
    with pytest.raises(InvalidRequestError, match=fault):
        ImageBuilderNeedsBuildOperator(task_id="t", **arguments)


def test_no_checks_are_the_default_ones() -> None:
    scene = Scene()
    assert (
        Gate(scene, image_recipe_arn=RECIPE, checks=None).skipped()
        == Gate(scene, image_recipe_arn=RECIPE).skipped()
    )


def test_all_faults_are_named_at_once() -> None:
    wrong: dict[str, Any] = {"image_recipe_arn": "golden", "max_age": 1, "if_building": "no"}
    with pytest.raises(InvalidRequestError) as refused:
        ImageBuilderNeedsBuildOperator(task_id="t", **wrong)
    assert {fault.field for fault in refused.value.faults} == {"image_recipe_arn", "max_age", "if_building"}


@pytest.mark.parametrize(
    "arguments", [{"pipeline_arn": RECIPE}, {"max_age": 1}, {"checks": ["all"]}, {"force": "maybe"}]
)
def test_what_partial_has_is_checked_at_parse(arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequestError):
        ImageBuilderNeedsBuildOperator.partial(task_id="t", **arguments)


def test_templates_are_checked_when_they_are_rendered() -> None:
    gate = Gate(Scene(), image_recipe_arn="{{ params.recipe }}", pipeline_arn="{{ params.pipeline }}")
    gate.operator.image_recipe_arn, gate.operator.pipeline_arn = RECIPE, ""
    gate.skipped()
    gate.operator.pipeline_arn = PIPELINE
    with pytest.raises(InvalidRequestError, match="leave the others out"):
        gate.run()
    gate.operator.image_recipe_arn, gate.operator.pipeline_arn = "", "None"
    with pytest.raises(InvalidRequestError, match="pipeline_arn: got 'None'"):
        gate.run()


def test_the_links_are_those_of_the_target() -> None:
    cases: tuple[tuple[dict[str, Any], set[str]], ...] = (
        ({}, {"imagebuilder_images_link"}),
        (
            {"pipeline_arn": PIPELINE, "image_recipe_arn": None},
            {"imagebuilder_images_link", "imagebuilder_pipelines_link"},
        ),
    )
    for options, keys in cases:
        gate = Gate(building(), **options)
        gate.skipped()
        assert {key for key in gate.task.xcoms if key.endswith("_link")} == keys
        assert gate.task.xcoms["imagebuilder_images_link"]["region_name"] == "us-east-1"


def test_the_log_has_the_reasons_and_what_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene()
    scene.aws.before("get_component", ForbiddenError("GetComponent", "AccessDenied", 403), times=ALWAYS)
    gate, log = Gate(scene, when_unknown="skip"), MagicMock()
    monkeypatch.setattr(type(gate.operator), "log", log)
    gate.skipped()
    said = [call.args[0] % call.args[1:] for call in log.info.mock_calls]
    assert said[0].startswith("No build is needed:\n  - components: component base 1.x.x could not be read")
    assert "no            base_image: amazon-linux-2023-x86 2026.9.30/1 is the newest" in said[0]
    assert any("Not known" in call.args[0] for call in log.warning.mock_calls)
