"""The graph that a declaration draws, and the CreateImage call that it makes."""

from __future__ import annotations

import runpy
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Asset, TaskGroup, task, task_group

from airflow_imagebuilder import (
    ImageBuilderAwaitImageOperator,
    ImageBuilderCreateImageOperator,
    ImageBuilderMonitorWorkflowOperator,
    ImageBuilderTaskGroup,
    ImageRequest,
    TestGroup,
    Workflow,
)
from airflow_imagebuilder.compat import TriggerRule
from airflow_imagebuilder.service.errors import InvalidRequestError
from tests.support.airflow_names import is_for_a_worker, serialized
from tests.support.arns import PIPELINE
from tests.support.arns import PREFIX as HERE

if TYPE_CHECKING:
    from collections.abc import Iterator

BASE: dict[str, Any] = {
    "image_recipe_arn": f"{HERE}:image-recipe/golden/1.0.0",
    "infrastructure_configuration_arn": f"{HERE}:infrastructure-configuration/build",
}
ROLE: dict[str, Any] = {"execution_role": "ImageBuilderExecution"}


def workflow(name: str, kind: str = "test", **options: Any) -> Workflow:
    return Workflow(f"{HERE}:workflow/{kind}/{name}/1.0.0/1", **options)


def together(group: str | None, *names: str) -> TestGroup:
    return TestGroup(group, tuple(workflow(name) for name in names))


@pytest.fixture
def dag() -> Iterator[DAG]:
    with DAG("d", schedule=None) as dag:
        yield dag


def edges(dag: DAG) -> set[tuple[str, str]]:
    return {(t.task_id, below) for t in dag.tasks for below in t.downstream_task_ids}


def bake(*groups: TestGroup | Workflow, group_id: str = "g", **options: Any) -> ImageBuilderTaskGroup:
    return ImageBuilderTaskGroup(group_id, test_groups=groups, **{**BASE, **ROLE, **options})


# -- edges -------------------------------------------------------------------------------------------------


def test_two_strands_follow_the_submit(dag: DAG) -> None:
    bake(together("functional", "boot", "users"), workflow("performance"), together("security", "cis"))
    assert edges(dag) == {
        ("g.create_image", "g.image"),
        ("g.create_image", "g.build"),
        ("g.build", "g.functional.test"),
        ("g.functional.test", "g.performance.test"),
        ("g.performance.test", "g.security.test"),
        ("g.security.test", "g.distribute"),
        ("g.distribute", "g.monitored"),
        ("g.image", "g.ready"),
        ("g.monitored", "g.ready"),
    }


def test_a_task_after_the_group_follows_its_one_leaf(dag: DAG) -> None:
    @task
    def after() -> None: ...

    group = bake(together("functional", "boot"))
    group >> after()
    assert dag.get_task("after").upstream_task_ids == {"g.ready"}
    assert [leaf.node_id for leaf in group.get_leaves()] == ["g.ready"]


def test_groups_one_after_another_and_nested_follow_the_one_leaf(dag: DAG) -> None:
    @task
    def after() -> None: ...

    with TaskGroup("fleet") as fleet:
        bake(group_id="a") >> bake(together("functional", "boot"), group_id="b")
    fleet >> after()
    assert dag.get_task("fleet.b.create_image").upstream_task_ids == {"fleet.a.ready"}
    assert dag.get_task("after").upstream_task_ids == {"fleet.b.ready"}


def test_what_precedes_the_group_precedes_the_submit_only(dag: DAG) -> None:
    @task
    def before() -> None: ...

    before() >> bake(together("functional", "boot"))
    assert dag.get_task("before").downstream_task_ids == {"g.create_image"}


def test_a_task_can_follow_a_test_group(dag: DAG) -> None:
    @task
    def notify() -> None: ...

    group = bake(together("functional", "boot"), together("security", "cis"))
    group.tests["security"] >> notify()
    assert dag.get_task("notify").upstream_task_ids == {"g.security.test"}
    assert list(group.tests) == ["functional", "security"]


def test_the_result_is_an_argument_of_another_task(dag: DAG) -> None:
    @task
    def use(image: Any) -> None: ...

    use(bake().result)
    assert dag.get_task("use").upstream_task_ids == {"g.image"}


def test_monitors_run_after_a_monitor_that_failed(dag: DAG) -> None:
    bake(together("functional", "boot"), together("security", "cis"))
    rules = {t.task_id: t.trigger_rule for t in dag.tasks}
    assert rules == {
        "g.create_image": TriggerRule.ALL_SUCCESS,
        "g.image": TriggerRule.ALL_SUCCESS,
        "g.build": TriggerRule.ALL_SUCCESS,
        "g.functional.test": TriggerRule.ALL_DONE,
        "g.security.test": TriggerRule.ALL_DONE,
        "g.distribute": TriggerRule.ALL_DONE,
        "g.monitored": TriggerRule.ALL_DONE,
        "g.ready": TriggerRule.ALL_SUCCESS,
    }


@pytest.mark.parametrize("rule", [TriggerRule.ALL_DONE, TriggerRule.NONE_FAILED, TriggerRule.ONE_SUCCESS])
def test_a_trigger_rule_in_default_args_reaches_no_task_of_the_group(rule: TriggerRule) -> None:
    def rules(**of_dag: Any) -> dict[str, Any]:
        with DAG("d", schedule=None, **of_dag) as dag:
            of_group: dict[str, Any] = {} if of_dag else {"default_args": {"trigger_rule": rule}}
            bake(together("functional", "boot"), **of_group)
        return {t.task_id: t.trigger_rule for t in dag.tasks}

    with DAG("d", schedule=None) as plain:
        bake(together("functional", "boot"))
    expected = {t.task_id: t.trigger_rule for t in plain.tasks}
    assert rules() == rules(default_args={"trigger_rule": rule}) == expected


def test_a_trigger_rule_of_the_group_says_when_it_begins(dag: DAG) -> None:
    group = bake(together("functional", "boot"), trigger_rule="none_failed")
    rules = {t.task_id: t.trigger_rule for t in dag.tasks}
    assert rules["g.create_image"] == TriggerRule.NONE_FAILED
    assert group.image.trigger_rule == group.build.trigger_rule == TriggerRule.ALL_SUCCESS


def test_the_scheduler_finishes_the_leaf_itself_whatever_default_args_set(dag: DAG) -> None:
    def call(context: Any) -> None: ...

    bake(
        together("functional", "boot"),
        default_args={
            "on_execute_callback": call,
            "on_success_callback": [call],
            "on_failure_callback": call,
            "inlets": [Asset("a")],
            "outlets": [Asset("b")],
        },
    )
    read = serialized(dag)
    on_worker = {t.task_id for t in read.tasks if is_for_a_worker(t)}
    assert set(read.task_dict) - on_worker == {"g.monitored", "g.ready"}


def test_a_fail_fast_dag_is_refused_with_the_remedy() -> None:
    with (
        DAG("quick", schedule=None, fail_fast=True),
        pytest.raises(ValueError, match=r"'g'.*'quick'.*fail_fast=True.*ALL_DONE.*Set fail_fast=False"),
    ):
        bake(together("functional", "boot"))


def test_monitors_know_the_task_that_may_repair_the_image(dag: DAG) -> None:
    with TaskGroup("fleet"):
        one = bake(together("functional", "boot"), group_id="one")
    with TaskGroup("bare", prefix_group_id=False):
        bake(group_id="two", prefix_group_id=False)
    mapped: Any = dag.get_task("fleet.one.functional.test")
    assert mapped.partial_kwargs["guard"] == one.build.guard == one.distribute.guard == "fleet.one.image"
    bare: Any = dag.get_task("build")
    assert bare.guard == "image"
    assert {"fleet.one.image", "image"} <= set(dag.task_dict)


def test_a_monitor_may_wait_longer_than_the_guard(dag: DAG) -> None:
    group = bake(timeout=timedelta(hours=3))
    assert group.image.timeout == timedelta(hours=3)
    assert group.build.timeout == group.distribute.timeout > timedelta(hours=3)


# -- tasks -------------------------------------------------------------------------------------------------


def test_each_task_is_of_its_kind(dag: DAG) -> None:
    group = bake(together("functional", "boot"))
    assert type(group.create_image) is ImageBuilderCreateImageOperator
    assert group.create_image.wait_for_completion is False
    assert type(group.image) is ImageBuilderAwaitImageOperator
    assert type(group.build) is type(group.distribute) is ImageBuilderMonitorWorkflowOperator
    assert (group.build.workflow_type, group.distribute.workflow_type) == ("BUILD", "DISTRIBUTION")


def test_a_group_of_tests_is_one_mapped_task_five_wide_named_by_workflow(dag: DAG) -> None:
    bake(together("functional", *"abcdefgh"))
    mapped: Any = dag.get_task("g.functional.test")
    assert mapped.operator_class is ImageBuilderMonitorWorkflowOperator
    assert mapped.max_active_tis_per_dagrun == 5
    assert mapped.partial_kwargs["map_index_template"] == "{{ task.workflow }}"
    assert mapped.partial_kwargs["parallel_group"] == "functional"
    assert [m["workflow"] for m in mapped.expand_input.value] == list("abcdefgh")


def test_equal_tests_of_a_group_are_numbered(dag: DAG) -> None:
    bake(together("functional", "boot", "users", "boot"))
    mapped: Any = dag.get_task("g.functional.test")
    assert mapped.expand_input.value == [
        {"workflow": "boot", "ordinal": 0},
        {"workflow": "users", "ordinal": 0},
        {"workflow": "boot", "ordinal": 1},
    ]


def test_an_ungrouped_test_has_no_parallel_group(dag: DAG) -> None:
    bake(workflow("performance"))
    mapped: Any = dag.get_task("g.performance.test")
    assert mapped.partial_kwargs["parallel_group"] is None


def test_connection_and_interval_reach_every_task(dag: DAG) -> None:
    aws: dict[str, Any] = {
        "aws_conn_id": "fleet",
        "region_name": "us-east-1",
        "verify": False,
        "botocore_config": {"read_timeout": 7},
        "poll_interval": 9,
    }
    bake(together("functional", "boot"), **aws)
    for one in dag.tasks:
        got: Any = one
        if isinstance(got, EmptyOperator):
            continue
        found = got.partial_kwargs if hasattr(got, "partial_kwargs") else vars(got)
        assert {name: found[name] for name in aws} == aws, one.task_id


def test_default_args_reach_the_tasks_and_monitors_keep_their_own_retries(dag: DAG) -> None:
    bake(together("functional", "boot"), default_args={"retries": 7, "owner": "platform"})
    assert {t.owner for t in dag.tasks} == {"platform"}
    retries = {t.task_id: t.retries for t in dag.tasks}
    assert retries["g.create_image"] == retries["g.image"] == 7
    assert retries["g.build"] == retries["g.functional.test"] == 2


HELD: dict[str, Any] = {"pool": "image_builder", "pool_slots": 2, "priority_weight": 10, "queue": "builders"}


@pytest.mark.parametrize("what", [BASE, {"pipeline_arn": PIPELINE}], ids=["request", "pipeline"])
def test_guard_args_reach_the_two_tasks_that_hold_the_image_and_no_other(
    dag: DAG, what: dict[str, Any]
) -> None:
    given: Any = {**HELD, "retries": 3, "executor_config": {"pod_override": None}, "deferrable": False}
    with TaskGroup("fleet"):
        group = ImageBuilderTaskGroup(
            "g", **what, guard_args=given, default_args={"pool": "all", "retries": 1}
        )
    assert {name: getattr(group.submitter, name) for name in given} == given
    assert {name: getattr(group.image, name) for name in given} == {**given, "priority_weight": 11}
    others = [one for one in dag.tasks if one not in (group.submitter, group.image)]
    assert {(one.pool, one.pool_slots, one.queue) for one in others} == {("all", 1, "default")}
    assert group.build.retries == 2


def test_the_guard_comes_before_other_submits_in_its_pool(dag: DAG) -> None:
    pool = "image_builder"
    group = bake(together("functional", "boot"), workflow("performance"), guard_args={"pool": pool})
    read: Any = serialized(dag)
    submit, image = (read.get_task(one.task_id) for one in (group.submitter, group.image))
    assert (submit.pool, image.pool) == (pool, pool)
    weights = [one.weight_rule.get_weight(SimpleNamespace(task=one)) for one in (submit, image)]
    assert weights == [1, 2]


def test_the_user_s_own_rule_of_priority_is_kept(dag: DAG) -> None:
    own: Any = {"pool": "a", "weight_rule": "upstream", "priority_weight": 3}
    group = bake(guard_args=own)
    assert (group.image.priority_weight, group.image.weight_rule) == (3, group.submitter.weight_rule)
    assert bake(group_id="h").image.priority_weight == 1


def test_priorities_of_default_args_are_kept_in_the_pool_of_the_guard(dag: DAG) -> None:
    dag.default_args["priority_weight"] = 7
    held = bake(guard_args={"pool": "a"})
    assert (held.submitter.priority_weight, held.image.priority_weight) == (7, 8)
    ruled = bake(group_id="h", guard_args={"pool": "a"}, default_args={"weight_rule": "upstream"})
    assert (ruled.image.priority_weight, ruled.image.weight_rule) == (7, ruled.build.weight_rule)


def test_default_args_count_where_guard_args_say_nothing(dag: DAG) -> None:
    group = bake(guard_args={"retries": 3}, default_args={"pool": "all", "owner": "platform"})
    assert (group.image.pool, group.image.owner, group.image.retries) == ("all", "platform", 3)


def test_callbacks_of_the_guard_reach_it(dag: DAG) -> None:
    group = bake(together("functional", "boot"), guard_args={"on_failure_callback": print})
    assert list(group.image.on_failure_callback) == [print]
    assert not group.build.on_failure_callback


def test_options_of_the_guard_reach_it(dag: DAG) -> None:
    golden = Asset("golden")
    group = bake(
        fail_on_test_failure=True,
        outlets=[golden],
        timeout=timedelta(hours=3),
        cancel_on_kill=False,
        delete_outputs_on_kill=True,
        on_retry="fail",
    )
    image = group.image
    assert image.delete_outputs_on_kill is group.create_image.delete_outputs_on_kill is True
    assert (image.fail_on_test_failure, image.outlets, image.cancel_on_kill) == (True, [golden], False)
    assert (image.timeout, image.on_retry) == (timedelta(hours=3), "fail")
    assert group.create_image.outlets == []


def test_it_is_said_which_index_is_which_test_before_any_has_begun(dag: DAG) -> None:
    group = bake(together("functional", "boot", "users"), workflow("performance"))
    assert group.tests["functional"].tooltip == "0: boot, 1: users"
    assert group.tests["performance"].tooltip == "0: performance"
    shown = "| index | test |\n| --- | --- |\n| 0 | boot |\n| 1 | users |"
    read: Any = serialized(dag).get_task("g.functional.test")
    assert read.doc_md == dag.get_task("g.functional.test").doc_md == shown


# -- ids ---------------------------------------------------------------------------------------------------


def test_odd_group_names_become_ids_and_stay_as_labels(dag: DAG) -> None:
    group = bake(together("C++_level#1", "boot"), together("image", "users"))
    ids = {name: tests.group_id for name, tests in group.tests.items()}
    assert ids == {"C++_level#1": "g.C___level_1", "image": "g.image_2"}
    assert [tests.group_display_name for tests in group.tests.values()] == list(ids)


def test_names_that_become_the_same_id_get_different_ids(dag: DAG) -> None:
    group = bake(together("a+b", "boot"), together("a#b", "users"), together("a_b", "network"))
    assert len({tests.group_id for tests in group.tests.values()}) == 3


@pytest.mark.parametrize("name", ["create_image", "image", "build", "distribute", "monitored", "ready"])
def test_a_test_group_named_like_a_task_of_the_group_does_not_clash(dag: DAG, name: str) -> None:
    group = bake(together(name, "boot"))
    assert f"{group.tests[name].group_id}.test" in dag.task_dict
    assert f"g.{name}" in dag.task_dict


def test_two_ungrouped_tests_of_the_same_name_are_two_tasks(dag: DAG) -> None:
    group = bake(workflow("boot"), workflow("boot"))
    assert list(group.tests) == ["boot", "boot_2"]
    mapped: list[Any] = [dag.get_task(f"g.{name}.test") for name in group.tests]
    assert [one.expand_input.value for one in mapped] == [
        [{"workflow": "boot", "ordinal": 0}],
        [{"workflow": "boot", "ordinal": 1}],
    ]


def test_an_ungrouped_test_named_like_a_parallel_group_is_a_task_of_its_own(dag: DAG) -> None:
    group = bake(together("boot", "users"), workflow("boot"))
    assert [tests.group_id for tests in group.tests.values()] == ["g.boot", "g.boot_2"]
    mapped: Any = dag.get_task("g.boot_2.test")
    assert mapped.expand_input.value == [{"workflow": "boot", "ordinal": 0}]


# -- the graph of a declaration ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [("image-recipe", "test-image"), ("container-recipe", "test-container")],
)
def test_without_workflows_awss_own_test_is_drawn(dag: DAG, recipe: str, expected: str) -> None:
    kind = recipe.replace("-", "_") + "_arn"
    members = {**BASE, "image_recipe_arn": None, kind: f"{HERE}:{recipe}/golden/1.0.0"}
    group = ImageBuilderTaskGroup("g", **members)
    assert list(group.tests) == [expected]


def test_without_tests_none_is_drawn(dag: DAG) -> None:
    group = ImageBuilderTaskGroup("g", image_tests_configuration={"imageTestsEnabled": False}, **BASE)
    assert group.tests == {}
    assert ("g.build", "g.distribute") in edges(dag)


def test_a_build_workflow_alone_has_no_test_groups(dag: DAG) -> None:
    group = bake(build_workflow=workflow("b", "build"))
    assert group.tests == {}


def test_the_declaration_makes_the_request(dag: DAG) -> None:
    group = bake(
        together("functional", "boot", "users"),
        workflow("performance", on_failure="CONTINUE"),
        build_workflow=workflow("b", "build"),
        distribution_workflow=workflow("d", "distribution"),
        tags={"team": "platform"},
    )
    assert group.request.to_api() == {
        "imageRecipeArn": BASE["image_recipe_arn"],
        "infrastructureConfigurationArn": BASE["infrastructure_configuration_arn"],
        "executionRole": "ImageBuilderExecution",
        "tags": {"team": "platform"},
        "workflows": [
            {"workflowArn": f"{HERE}:workflow/build/b/1.0.0/1"},
            {"workflowArn": f"{HERE}:workflow/test/boot/1.0.0/1", "parallelGroup": "functional"},
            {"workflowArn": f"{HERE}:workflow/test/users/1.0.0/1", "parallelGroup": "functional"},
            {"workflowArn": f"{HERE}:workflow/test/performance/1.0.0/1", "onFailure": "CONTINUE"},
            {"workflowArn": f"{HERE}:workflow/distribution/d/1.0.0/1"},
        ],
    }
    assert (
        ImageRequest(
            **{n: getattr(group.create_image, n) for n in ("image_recipe_arn", "workflows")},
            infrastructure_configuration_arn=BASE["infrastructure_configuration_arn"],
            execution_role="ImageBuilderExecution",
            tags={"team": "platform"},
        ).to_api()
        == group.request.to_api()
    )


def test_a_whole_request_draws_the_same_graph(dag: DAG) -> None:
    grouped = [workflow(name, parallel_group="functional") for name in ("boot", "users")]
    request = ImageRequest(**BASE, **ROLE, workflows=[*grouped, workflow("performance")])
    ImageBuilderTaskGroup("a", request=request)
    bake(together("functional", "boot", "users"), workflow("performance"), group_id="b")
    drawn = {(up[2:], down[2:]) for up, down in edges(dag) if up.startswith("a.")}
    assert drawn == {(up[2:], down[2:]) for up, down in edges(dag) if up.startswith("b.")}


def test_a_request_and_members_at_once_are_refused(dag: DAG) -> None:
    request = ImageRequest(**BASE)
    with pytest.raises(InvalidRequestError, match="either request or single members") as error:
        ImageBuilderTaskGroup(
            "g", request=request, tags={"team": "platform"}, test_groups=[together("f", "boot")]
        )
    assert [fault.field for fault in error.value.faults] == ["workflows", "tags"]


def test_what_aws_would_refuse_is_refused_at_parse(dag: DAG) -> None:
    with pytest.raises(InvalidRequestError) as error:
        ImageBuilderTaskGroup("g", test_groups=[together("g", *"abcdefghijk")], **BASE)
    assert {fault.field for fault in error.value.faults} >= {"workflows", "execution_role"}


def test_templates_are_left_for_the_run(dag: DAG) -> None:
    group = bake(image_recipe_arn="{{ params.recipe }}", tags="{{ params.tags | tojson }}")
    create_image: Any = group.create_image
    assert create_image.image_recipe_arn == "{{ params.recipe }}"


# -- places ------------------------------------------------------------------------------------------------


def test_two_groups_in_a_plain_task_group_share_no_edge(dag: DAG) -> None:
    with TaskGroup("fleet"):
        first, second = bake(together("f", "boot"), group_id="a"), bake(together("f", "boot"), group_id="b")
    assert first.group_id == "fleet.a"
    assert second.group_id == "fleet.b"
    assert {up.split(".")[1] == down.split(".")[1] for up, down in edges(dag)} == {True}
    assert "fleet.a.create_image" in str(first.image.image_build_version_arn)


@pytest.mark.parametrize("deep", [False, True], ids=["directly", "in a plain task group"])
def test_a_mapped_task_group_is_refused_with_the_remedy(dag: DAG, deep: bool) -> None:
    @task_group
    def each(recipe: str) -> None:
        if deep:
            with TaskGroup("plain"):
                bake(together("f", "boot"))
        else:
            bake(together("f", "boot"))

    with pytest.raises(ValueError, match=r"'each'.*does not map inside.*\.partial\(\)\.expand\(\)"):
        each.expand(recipe=["a", "b"])


def test_the_dag_serializes(dag: DAG) -> None:
    bake(together("functional", *"abcdefgh"), workflow("performance"))
    read = serialized(dag)
    assert set(read.task_dict) == set(dag.task_dict)
    assert read.get_task("g.functional.test").max_active_tis_per_dagrun == 5


# -- the examples ------------------------------------------------------------------------------------------


def test_the_weekly_example_is_a_quality_gate() -> None:
    image = example("golden_image").get_task("golden_image.image")
    assert image.fail_on_test_failure is True
    assert [asset.name for asset in image.outlets] == ["golden-al2023"]


def example(dag_id: str) -> Any:
    """Return one of the Dags of ``dags/``."""
    for file in (Path(__file__).parents[2] / "dags").glob("*.py"):
        for found in runpy.run_path(str(file)).values():
            if isinstance(found, DAG) and found.dag_id == dag_id:
                return found
    raise LookupError(dag_id)
