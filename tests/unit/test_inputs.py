"""What is given to the public classes: taken, or told with field, value, what is allowed and what to do."""

from __future__ import annotations

import math
import warnings
from datetime import timedelta
from itertools import product
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from airflow.sdk import DAG, Asset, task

from airflow_imagebuilder import (
    ImageBuilderAwaitImageOperator,
    ImageBuilderCreateImageOperator,
    ImageBuilderMonitorWorkflowOperator,
    ImageBuilderTaskGroup,
    ImageRequest,
    OnRetry,
    TestGroup,
    Workflow,
)
from airflow_imagebuilder.operators.arguments import unknown_arguments
from airflow_imagebuilder.service.errors import Fault, InvalidRequestError
from airflow_imagebuilder.service.request.test_choice import choose_tests, read_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = "arn:aws:imagebuilder:us-east-1:123456789012"
ARN = f"{HERE}:image/golden/1.0.0/1"
BASE: dict[str, Any] = {
    "image_recipe_arn": f"{HERE}:image-recipe/golden/1.0.0",
    "infrastructure_configuration_arn": f"{HERE}:infrastructure-configuration/build",
}
ROLE: dict[str, Any] = {"execution_role": "ImageBuilderExecution"}


def workflow(name: str, kind: str = "test", **options: Any) -> Workflow:
    return Workflow(f"{HERE}:workflow/{kind}/{name}/1.0.0/1", **options)


BUILD, BOOT, CIS, SEND = (
    workflow("b", "build"),
    workflow("boot"),
    workflow("cis"),
    workflow("send", "distribution"),
)
WORKFLOWS = [
    BUILD,
    workflow("boot", parallel_group="functional"),
    workflow("performance"),
    workflow("cis", parallel_group="security"),
]


@pytest.fixture
def dag() -> Iterator[DAG]:
    with DAG("d", schedule=None) as dag:
        yield dag


@task
def up() -> Any: ...


def create(**options: Any) -> Any:
    return ImageBuilderCreateImageOperator(task_id="t", **{**BASE, **options})


def bake(**options: Any) -> Any:
    return ImageBuilderTaskGroup("g", **{**BASE, **ROLE, "build_workflow": BUILD, **options})


def guard(**options: Any) -> Any:
    return ImageBuilderAwaitImageOperator(task_id="t", **{"image_build_version_arn": ARN, **options})


def monitor(**options: Any) -> Any:
    return ImageBuilderMonitorWorkflowOperator(task_id="t", **{"image_build_version_arn": ARN, **options})


def told(make: Callable[..., Any], *args: Any, **options: Any) -> str:
    """Return the one line of the one fault."""
    with pytest.raises(InvalidRequestError) as caught:
        make(*args, **options)
    (fault,) = caught.value.faults
    return str(fault)


class Hook:
    """An Image Builder that takes one image, in a region."""

    def __init__(self, region: str = "us-east-1") -> None:
        self.conn_region_name = region
        self.requests: list[dict[str, Any]] = []

    def create_image(self, request: ImageRequest, client_token: str, **_: Any) -> str:
        self.requests.append(request.to_api())
        return ARN

    def get_image(self, arn: str, **_: Any) -> dict[str, Any]:
        state = {"status": "AVAILABLE"}
        return {"arn": ARN, "name": "golden", "version": "1.0.0/1", "type": "AMI", "state": state}

    def list_workflow_executions(self, arn: str, **_: Any) -> list[dict[str, Any]]:
        return []


class StateStore(dict[str, Any]):
    def set(self, key: str, value: Any) -> None:
        self[key] = value


def run(operator: Any, hook: Any, **params: Any) -> None:
    """Render an operator and execute it."""
    operator.render_template_fields({"params": params})
    execute(operator, hook)


def execute(operator: Any, hook: Any) -> None:
    identity = {
        "dag_id": "d",
        "run_id": "r",
        "task_id": "t",
        "map_index": -1,
        "try_number": 1,
        "max_tries": 0,
    }
    ti = SimpleNamespace(**identity, id="uuid", start_date=None, xcom_push=lambda key, value: None)
    operator.__dict__["hook"] = hook
    operator.execute({"ti": ti, "task_state_store": StateStore()})


# -- test groups -------------------------------------------------------------------------------------------

ARNS = BOOT.arn
BAD_GROUPS: dict[str, tuple[Any, Any, str]] = {
    "ARNs": ("functional", [ARNS], rf"workflows\[0\]: got '{ARNS}'.*write Workflow\('{ARNS}'\)"),
    "an ARN": ("functional", ARNS, "workflows: got 'arn:.*a tuple of Workflow"),
    "one workflow": ("a", BOOT, r"workflows: got Workflow\(.*\(Workflow\('arn:.*'\),\)"),
    "dots": ("a", (BOOT, ...), r"workflows\[1\]: got Ellipsis.*the dots stand for more workflows"),
    "dots alone": ("a", ..., "workflows: got Ellipsis.*a tuple of Workflow"),
    "nothing": ("a", None, "workflows: not given"),
    "none": ("a", (), r"workflows: got \(\).*leave an empty group out"),
    "None in it": ("a", (None,), r"workflows\[0\]: not given; allowed: a Workflow; write Workflow"),
    "a mapping": ("a", ({"workflowArn": ARNS},), rf"workflows\[0\]: .*write Workflow\('{ARNS}'\)"),
    "a mapping alone": ("a", {"workflowArn": ARNS}, "workflows: .*a tuple"),
    "a group": ("a", (TestGroup("b", (BOOT,)),), r"workflows\[0\]: .*parallel_group='b'"),
    "a template": ("a", "{{ params.tests }}", "write the tests out.*run_tests"),
    "a set": ("a", {BOOT}, "a tuple of Workflow"),
    "a number": ("a", 5, "a tuple of Workflow"),
    "a name that is no text": (5, (BOOT,), "name: got 5; allowed: 1 to 100.*write it as text: '5'"),
    "a name with a space": ("a b", (BOOT,), "name: got 'a b'.*take out ' '"),
    "a name that is too long": ("a" * 101, (BOOT,), "1 too many"),
    "an empty name": ("", (BOOT,), "it is empty"),
    "no name for two": (None, (BOOT, CIS), "name: not given.*name the group"),
}


@pytest.mark.parametrize(("name", "tests", "message"), BAD_GROUPS.values(), ids=BAD_GROUPS)
def test_a_test_group_that_is_none_is_refused(name: Any, tests: Any, message: str) -> None:
    import re

    assert re.search(message, told(TestGroup, name, tests))


@pytest.mark.parametrize(
    "tests", [[BOOT, CIS], iter([BOOT, CIS]), map(workflow, ["boot", "cis"])], ids=["list", "iter", "map"]
)
def test_a_test_group_takes_any_row_of_workflows(tests: Any) -> None:
    assert TestGroup("a", tests).workflows == (BOOT, CIS)


BAD_TESTS: dict[str, tuple[dict[str, Any], str, str]] = {
    "a group alone": ({"test_groups": TestGroup("a", (BOOT,))}, "test_groups", "put it into a list"),
    "an ARN": ({"test_groups": [ARNS]}, "test_groups[0]", f"write Workflow('{ARNS}')"),
    "dots": ({"test_groups": [TestGroup("a", (BOOT,)), ...]}, "test_groups[1]", "take the dots out"),
    "a template": ({"test_groups": "{{ params.x }}"}, "test_groups", "run_tests"),
    "a number": ({"test_groups": 5}, "test_groups", "a list of TestGroup"),
    "a build workflow among the tests": (
        {"test_groups": [BUILD]},
        "test_groups[0].arn",
        "give it as build_workflow",
    ),
    "a build workflow in a group": (
        {"test_groups": [TestGroup("a", (BOOT, BUILD))]},
        "test_groups[0].workflows[1].arn",
        "this is a build workflow: give it as build_workflow",
    ),
    "a distribution workflow in a group": (
        {"test_groups": [TestGroup("a", (SEND,))]},
        "test_groups[0].workflows[0].arn",
        "give it as distribution_workflow",
    ),
    "a test as build": ({"build_workflow": BOOT}, "build_workflow.arn", "list it in test_groups"),
    "a test as distribution": (
        {"distribution_workflow": BOOT},
        "distribution_workflow.arn",
        "list it in test_groups",
    ),
    "an ARN as build": ({"build_workflow": BUILD.arn}, "build_workflow", f"write Workflow('{BUILD.arn}')"),
    "dots as build": ({"build_workflow": ...}, "build_workflow", "take the dots out"),
    "a template as build": (
        {"build_workflow": Workflow("{{ x }}")},
        "build_workflow.arn",
        "without a template",
    ),
    "another group's name": (
        {"test_groups": [TestGroup("a", (workflow("boot", parallel_group="b"),))]},
        "test_groups[0].workflows[0].parallel_group",
        "leave it out",
    ),
    "a member of a test": (
        {"test_groups": [TestGroup("a", (BOOT, workflow("cis", on_failure="STOP")))]},
        "test_groups[0].workflows[1].on_failure",
        "CONTINUE or ABORT",
    ),
    "a request that is none": (
        {"request": "x", "build_workflow": None, **dict.fromkeys([*BASE, *ROLE])},
        "request",
        "an ImageRequest",
    ),
}


@pytest.mark.parametrize(("options", "field", "message"), BAD_TESTS.values(), ids=BAD_TESTS)
def test_a_declaration_is_refused_in_the_words_that_it_was_written_in(
    dag: DAG, options: dict[str, Any], field: str, message: str
) -> None:
    with pytest.raises(InvalidRequestError, match="of task group 'g'") as caught:
        bake(**options)
    (fault,) = caught.value.faults
    assert fault.field == field
    assert message in str(fault)


def test_a_group_whose_workflows_are_known_only_later_is_refused(dag: DAG) -> None:
    bare = {**dict.fromkeys(BASE), **dict.fromkeys(ROLE), "build_workflow": None}
    whole = ImageRequest(**BASE, **ROLE, workflows="{{ params.workflows }}")
    assert "write them out, for the graph to show" in told(bake, request=whole, **bare)
    one = ImageRequest(**BASE, **ROLE, workflows=[BUILD, Workflow("{{ params.w }}")])
    with DAG("other", schedule=None):
        assert told(bake, request=one, **bare).startswith("workflows[1].arn")


# -- names of the drawn groups -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "way_out"),
    [("securty", "did you mean 'security'?"), ("colour", "take one of these"), (0, "take one")],
)
def test_a_test_group_that_is_not_drawn_is_told_with_those_that_are(
    dag: DAG, name: Any, way_out: str
) -> None:
    golden = bake(test_groups=[TestGroup("functional", (BOOT,)), TestGroup("security", (CIS,))])
    with pytest.raises(KeyError) as caught:
        golden.tests[name]
    assert f"tests[{name!r}]: got {name!r}; allowed: functional, security; {way_out}" in str(caught.value)
    assert isinstance(caught.value, InvalidRequestError)
    assert golden.tests.get(name) is None
    assert name not in golden.tests


# -- options -----------------------------------------------------------------------------------------------

BAD_OPTIONS: list[tuple[str, Any, str]] = [
    ("on_retry", "retry", "allowed: repair or rebuild or fail; did you mean 'repair'?"),
    ("on_retry", "Rebuild", "did you mean 'rebuild'?"),
    ("on_retry", 5, "write one of these"),
    ("poll_interval", "30s", "got '30s'; allowed: seconds above 0"),
    ("poll_interval", "", "seconds above 0"),
    ("poll_interval", 0, "write a number above 0"),
    ("poll_interval", -1.5, "write a number above 0"),
    ("poll_interval", math.nan, "write a number above 0"),
    ("poll_interval", math.inf, "write a number above 0"),
    ("poll_interval", True, "seconds above 0"),
    ("poll_interval", timedelta(0), "write a number above 0"),
    ("timeout", 3600, "a timedelta above 0, a year at most; write timedelta(seconds=3600)"),
    ("timeout", "1h", "write a timedelta"),
    ("timeout", timedelta(seconds=-1), "a timedelta above 0"),
    ("timeout", timedelta.max, "a year at most"),
    (
        "timeout",
        None,
        "not given; allowed: a timedelta above 0, a year at most; leave it out for the default",
    ),
    ("cancel_on_kill", "no", "True or False; write one of these, without quotes"),
    ("cancel_on_kill", None, "leave it out for the default"),
    ("delete_outputs_on_kill", 1, "True or False"),
    ("fail_on_test_failure", "True", "True or False"),
    ("aws_conn_id", 5, "the id of an AWS connection"),
    ("region_name", ["eu-west-1"], "a region"),
    ("verify", 5, "the path of a bundle"),
    ("botocore_config", "retries", "a mapping"),
]


@pytest.mark.parametrize("make", [create, guard, bake])
@pytest.mark.parametrize(("name", "value", "message"), BAD_OPTIONS, ids=str)
def test_an_option_is_checked_when_the_dag_is_parsed(
    dag: DAG, make: Callable[..., Any], name: str, value: Any, message: str
) -> None:
    line = told(make, **{name: value})
    assert line.startswith(f"{name}: ")
    assert message in line


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("poll_interval", "30s"),
        ("workflow_type", "tests"),
        ("workflow_type", None),
        ("ordinal", -1),
        ("workflow", 5),
        ("image_build_version_arn", BASE["image_recipe_arn"]),
        ("image_build_version_arn", 5),
        ("stale_until", "soon"),
    ],
)
def test_an_option_of_a_monitor_is_checked(name: str, value: Any) -> None:
    assert told(monitor, **{name: value}).startswith(f"{name}: ")


@pytest.mark.parametrize("make", [create, guard, bake])
def test_options_are_taken_in_all_their_forms(dag: DAG, make: Callable[..., Any]) -> None:
    made = make(
        poll_interval=timedelta(seconds=9), timeout=timedelta(hours=1), on_retry=OnRetry.FAIL, region_name=""
    )
    guarded = getattr(made, "image", made)
    assert (guarded.on_retry, guarded.timeout) == ("fail", timedelta(hours=1))
    assert guarded.aws["region_name"] is None


def test_monitors_get_seconds_whatever_was_written(dag: DAG) -> None:
    assert bake(poll_interval=timedelta(seconds=9)).build.poll_interval == 9
    assert monitor(poll_interval=timedelta(seconds=9)).poll_interval == 9


@pytest.mark.parametrize("make", [create, guard])
def test_on_retry_may_be_rendered(make: Callable[..., Any]) -> None:
    operator = make(on_retry="{{ params.on_retry }}")
    with pytest.raises(InvalidRequestError, match="did you mean 'repair'"):
        run(operator, Hook(), on_retry="retry")


def test_on_retry_that_a_form_left_empty_is_as_if_not_given() -> None:
    hook = Hook()
    run(create(on_retry="{{ params.on_retry }}"), hook, on_retry="")
    assert len(hook.requests) == 1


def test_all_faults_of_a_group_are_told_together(dag: DAG) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        bake(timeout=3600, tags={}, test_groups=[ARNS], outlets=["golden"])
    assert {fault.field for fault in caught.value.faults} == {"timeout", "tags", "test_groups[0]", "outlets"}


def test_a_botocore_argument_that_there_is_not_is_told() -> None:
    operator = create(botocore_config={"read_timeot": 7})
    assert told(lambda: operator.hook).startswith("botocore_config: got {'read_timeot': 7}")


def test_one_asset_is_as_good_as_a_list_of_one(dag: DAG) -> None:
    golden = Asset("golden")
    assert bake(outlets=golden).image.outlets == [golden]


# -- names of arguments ------------------------------------------------------------------------------------

MISSPELT: list[tuple[Callable[..., Any], str, str]] = [
    (create, "workflow", "did you mean workflows?"),
    (create, "image_receipe_arn", "did you mean image_recipe_arn?"),
    (create, "imageRecipeArn", "did you mean image_recipe_arn?"),
    (create, "poll_intervall", "did you mean poll_interval?"),
    (create, "regionname", "did you mean region_name?"),
    (create, "retires", "did you mean retries?"),
    (create, "test_groups", "list the tests in workflows"),
    (create, "client_token", "whoever sends the request makes the token"),
    (create, "xyz", "leave it out"),
    (guard, "on_rety", "did you mean on_retry?"),
    (monitor, "workflow_typ", "did you mean workflow_type?"),
    (bake, "workflows", "give them as build_workflow, test_groups and distribution_workflow"),
    (bake, "test_group", "did you mean test_groups?"),
    (bake, "image_receipe_arn", "did you mean image_recipe_arn?"),
    (bake, "retries", "it belongs to tasks: write default_args={'retries': 5}"),
    (bake, "tool_tip", "did you mean tooltip?"),
    (bake, "task_id", "give group_id"),
    (bake, "xyz", "leave it out"),
]


@pytest.mark.parametrize(("make", "name", "way_out"), MISSPELT)
def test_a_misspelt_argument_is_told_with_the_one_that_was_meant(
    dag: DAG, make: Callable[..., Any], name: str, way_out: str
) -> None:
    options: dict[str, Any] = {name: 5}
    if (make, name) == (create, "task_id"):
        options = {}
    line = told(make, **options)
    assert line.startswith(f"{name}: got 5; allowed: ")
    assert way_out in line


def test_a_misspelt_argument_of_partial_is_told_too(dag: DAG) -> None:
    partial = ImageBuilderCreateImageOperator.partial
    assert "did you mean image_recipe_arn?" in told(partial, task_id="t", image_receipe_arn="x")
    assert told(partial, task_id="t", poll_interval="30s").startswith("poll_interval: got '30s'")
    assert told(partial, task_id="t", tags={}).startswith("tags: got {}")


def test_partial_still_maps(dag: DAG) -> None:
    infrastructure = {"infrastructure_configuration_arn": BASE["infrastructure_configuration_arn"]}
    mapped = ImageBuilderCreateImageOperator.partial(task_id="m", retries=2, **infrastructure).expand(
        image_recipe_arn=[BASE["image_recipe_arn"]]
    )
    made = mapped.unmap({"image_recipe_arn": BASE["image_recipe_arn"]})
    assert (made.image_recipe_arn, made.retries) == (BASE["image_recipe_arn"], 2)


def test_every_argument_of_airflow_passes() -> None:
    import inspect

    from airflow.sdk import BaseOperator

    names = {
        name for name in inspect.signature(BaseOperator.__init__).parameters if name not in ("self", "kwargs")
    }
    assert not list(unknown_arguments(ImageBuilderCreateImageOperator, dict.fromkeys(names)))


def test_an_operator_of_ones_own_keeps_its_arguments() -> None:
    class Own(ImageBuilderCreateImageOperator):
        def __init__(self, *, colour: str, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.colour = colour

    assert Own(task_id="t", colour="red", **BASE).colour == "red"
    assert "did you mean colour?" in told(Own, task_id="t", colour="red", color="red", **BASE)


@pytest.mark.parametrize("cls", [TestGroup, Workflow, ImageRequest])
def test_a_misspelt_argument_of_a_record_is_told(cls: Any) -> None:
    with pytest.raises(InvalidRequestError, match=rf"(?s){cls.__name__}.*xyz: got 5; allowed: "):
        cls(xyz=5)
    assert "did you mean parallel_group?" in told(Workflow, BOOT.arn, parallelGroup="a")


@pytest.mark.parametrize(
    ("cls", "given"), [(TestGroup, ["a"]), (Workflow, []), (Workflow, ["a", {}]), (ImageRequest, ["a"])]
)
def test_an_argument_too_few_or_too_many_is_told(cls: Any, given: list[Any]) -> None:
    assert told(cls, *given).startswith("arguments: got (")


# -- run_tests ---------------------------------------------------------------------------------------------

READ: list[tuple[Any, list[str] | None]] = [
    (None, None),
    ("", None),
    (" ", None),
    (",", None),
    ("None", None),
    ("null", None),
    ('""', None),
    ([], []),
    ("[]", []),
    ("()", []),
    ("a", ["a"]),
    ("1", ["1"]),
    ("1, a", ["1", "a"]),
    ("1, 2", ["1", "2"]),
    ("true", ["true"]),
    ("1e5", ["1e5"]),
    ("'a', 'b'", ["a", "b"]),
    ('["a", "b"]', ["a", "b"]),
    (("a", "b"), ["a", "b"]),
]


@pytest.mark.parametrize(("value", "names"), READ, ids=repr)
def test_names_of_tests_are_read_from_what_a_template_renders(value: Any, names: list[str] | None) -> None:
    assert read_names(value) == names


@pytest.mark.parametrize(
    "value",
    [
        1,
        True,
        1.5,
        {"a": 1},
        "{'a': 1}",
        '{"a": 1}',
        [1],
        "[1]",
        [["a"]],
        "[['a']]",
        '["a", null]',
        ...,
        b"a",
        "(1)",
    ],
    ids=repr,
)
def test_names_of_tests_that_are_none_are_refused(value: Any) -> None:
    assert told(read_names, value).startswith("run_tests")
    line = told(create, workflows=WORKFLOWS, **ROLE, run_tests=value)
    assert "names of parallel groups" in line


@pytest.mark.parametrize(
    "value", ["(" * 5000, "[" * 100_000, "{[]: 1}", "\x00", "boot; cis", '["boot"'], ids=lambda v: v[:8]
)
def test_names_that_cannot_be_read_are_unknown_names(value: str) -> None:
    assert "allowed: functional, performance, security" in told(
        create, workflows=WORKFLOWS, **ROLE, run_tests=value
    )


@pytest.mark.parametrize("value", ["securty", ["securty"], "['securty']"], ids=str)
@pytest.mark.parametrize("make", ["operator", "group"])
def test_an_unknown_test_is_told_when_the_dag_is_parsed(dag: DAG, make: str, value: Any) -> None:
    request = ImageRequest(**BASE, **ROLE, workflows=WORKFLOWS)
    line = (
        told(ImageBuilderCreateImageOperator, task_id="t", request=request, run_tests=value)
        if make == "operator"
        else told(ImageBuilderTaskGroup, "g", request=request, run_tests=value)
    )
    assert "got ['securty']; allowed: functional, performance, security; did you mean 'security'?" in line


def test_an_unknown_number_is_an_unknown_test_when_it_is_rendered() -> None:
    hook = Hook()
    operator = create(workflows=WORKFLOWS, **ROLE, run_tests="{{ params.tests }}")
    with pytest.raises(InvalidRequestError, match=r"run_tests: got \['1'\]; allowed: functional"):
        run(operator, hook, tests="1")
    assert hook.requests == []


def test_run_tests_that_a_form_left_empty_runs_all() -> None:
    hook = Hook()
    run(create(workflows=WORKFLOWS, **ROLE, run_tests="{{ params.tests }}"), hook, tests="")
    assert len(hook.requests[0]["workflows"]) == 4


@pytest.mark.parametrize("run_tests", ["{{ params.x }}", ["{{ params.x }}"]], ids=str)
def test_templated_names_of_tests_wait_for_the_run(run_tests: Any) -> None:
    assert create(workflows=WORKFLOWS, **ROLE, run_tests=run_tests).run_tests == run_tests


@pytest.mark.parametrize(
    "workflows", ["{{ params.w }}", [BUILD, "{{ params.w }}"], [Workflow("{{ params.w }}")]], ids=str
)
def test_names_wait_for_the_run_where_the_workflows_are_templated(workflows: Any) -> None:
    assert create(workflows=workflows, **ROLE, run_tests=["a"]).run_tests == ["a"]


def test_no_tests_of_a_request_of_tests_only_is_refused_because_aws_would_run_its_own() -> None:
    only = ImageRequest(**BASE, **ROLE, workflows=[BOOT])
    with pytest.warns(UserWarning, match="no build workflow"):
        operator = create(workflows=[BOOT], **ROLE, run_tests="{{ params.tests }}")
    hook = Hook()
    for line in (
        told(choose_tests, only, []),
        told(create, workflows=[BOOT], **ROLE, run_tests=[]),
        told(run, operator, hook, tests=[]),
    ):
        assert "at least one of boot: without any workflow AWS runs its default ones" in line
    assert hook.requests == []


def test_no_tests_are_no_tests_where_a_workflow_is_left_or_tests_are_off() -> None:
    assert create(workflows=[BUILD, BOOT], **ROLE, run_tests=[]).run_tests == []
    assert create(image_tests_configuration={"imageTestsEnabled": False}, run_tests=[]).run_tests == []
    assert "AWS runs its default ones" in told(create, run_tests=[])
    assert "workflows has no test" in told(create, run_tests=["boot"])


# -- tests without a build ---------------------------------------------------------------------------------


def test_tests_without_a_build_are_warned_of_at_parse_and_in_the_log() -> None:
    with pytest.warns(UserWarning, match="Task 't': workflows has no build workflow, so AWS skips the build"):
        operator = create(workflows=[BOOT], **ROLE)
    with structlog.testing.capture_logs() as logged:
        run(operator, Hook())
    warned = [line["event"] for line in logged if line["log_level"] == "warning"]
    assert any("makes no new image" in event for event in warned)


def test_the_group_warns_once_of_tests_without_a_build(dag: DAG) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        bake(build_workflow=None, test_groups=[TestGroup("a", (BOOT,))])
    told = [str(one.message) for one in caught if "no build workflow" in str(one.message)]
    assert [message.split(": ")[0] for message in told] == ["Task 'g.create_image'"]


@pytest.mark.parametrize(
    "workflows", [None, [], [BUILD], [BUILD, BOOT], [Workflow("{{ x }}"), BOOT]], ids=str
)
def test_nothing_is_warned_of_where_aws_builds(workflows: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        create(workflows=workflows, **ROLE)


# -- regions -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [create, bake])
def test_another_region_than_that_of_the_arns_is_refused_at_parse(dag: DAG, make: Callable[..., Any]) -> None:
    with DAG("other", schedule=None):
        line = told(make, region_name="eu-west-1")
    assert line.startswith(
        "region_name: got 'eu-west-1'; allowed: us-east-1, the region of infrastructure_conf"
    )
    assert make(region_name="us-east-1")


@pytest.mark.parametrize("make", [create, bake])
def test_two_regions_in_one_request_are_refused_at_parse(dag: DAG, make: Callable[..., Any]) -> None:
    other = BASE["infrastructure_configuration_arn"].replace("us-east-1", "eu-west-1")
    line = told(make, infrastructure_configuration_arn=other)
    assert line.startswith("infrastructure_configuration_arn and image_recipe_arn: got {")
    assert "'image_recipe_arn': 'us-east-1'" in line
    assert "allowed: ARNs of one region" in line


def test_the_region_of_the_connection_is_compared_before_the_call() -> None:
    hook = Hook("eu-west-1")
    line = told(run, create(), hook)
    assert line.startswith("region of the connection 'aws_default': got 'eu-west-1'; allowed: us-east-1")
    assert hook.requests == []


def test_a_templated_region_is_compared_when_it_is_rendered() -> None:
    operator = create(
        image_recipe_arn="{{ params.arn }}", infrastructure_configuration_arn="{{ params.arn2 }}"
    )
    other = BASE["infrastructure_configuration_arn"].replace("us-east-1", "eu-west-1")
    assert "ARNs of one region" in told(run, operator, Hook(), arn=BASE["image_recipe_arn"], arn2=other)


@pytest.mark.parametrize("region", ["{{ params.region }}", None, ""])
def test_a_region_that_is_not_known_passes(region: str | None) -> None:
    hook = Hook()
    del hook.conn_region_name
    operator = create(region_name=region)
    run(operator, hook, region="")
    assert len(hook.requests) == 1
    assert operator.aws["region_name"] is None


# -- what a form left empty --------------------------------------------------------------------------------

OPTIONAL = [
    "container_recipe_arn",
    "distribution_configuration_arn",
    "image_tests_configuration",
    "enhanced_image_metadata_enabled",
    "image_scanning_configuration",
    "workflows",
    "execution_role",
    "logging_configuration",
    "tags",
]


TEXTS = ("container_recipe_arn", "distribution_configuration_arn", "execution_role")
EMPTY = [
    *product(OPTIONAL, ["", " "]),
    *product([name for name in OPTIONAL if name not in TEXTS], ["null", '""']),
]


@pytest.mark.parametrize(("name", "empty"), EMPTY)
def test_an_optional_member_that_a_form_left_empty_is_as_if_not_given(name: str, empty: str) -> None:
    hook = Hook()
    run(create(**{name: "{{ params.value }}"}), hook, value=empty)
    run(create(**{name: empty}) if not empty.strip() else create(), hook)
    run(create(), hook)
    first, second, third = hook.requests
    assert first == second == third


@pytest.mark.parametrize(
    "name", ["container_recipe_arn", "distribution_configuration_arn", "execution_role", "tags"]
)
def test_an_empty_member_of_a_group_is_as_if_not_given(dag: DAG, name: str) -> None:
    bare = ImageBuilderTaskGroup("g", **{**BASE, name: ""})
    assert bare.request == ImageRequest(**BASE)


def test_an_empty_recipe_leaves_the_other_as_the_one() -> None:
    hook = Hook()
    operator = create(image_recipe_arn="{{ params.image }}", container_recipe_arn="{{ params.container }}")
    container = f"{HERE}:container-recipe/golden/1.0.0"
    run(operator, hook, image="", container=container)
    assert hook.requests[0]["containerRecipeArn"] == container
    assert "imageRecipeArn" not in hook.requests[0]


def test_empty_members_beside_a_request_are_none() -> None:
    request = ImageRequest(**BASE)
    assert ImageBuilderCreateImageOperator(task_id="t", request=request, tags="").tags == ""


# -- other tasks' outputs ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in [*BASE, *OPTIONAL] if name != "workflows"])
def test_another_task_s_output_is_a_member_of_a_group(dag: DAG, name: str) -> None:
    options = {**BASE, name: up()}
    if name == "container_recipe_arn":
        del options["image_recipe_arn"]
    ImageBuilderTaskGroup("g", **options)
    assert dag.get_task("g.create_image").upstream_task_ids == {"up"}


def test_another_task_s_output_inside_of_a_member_reaches_the_submit(dag: DAG) -> None:
    first = up()
    bake(
        tags={"commit": first},
        test_groups=[TestGroup("a", (workflow("boot", parameters={"p": [first]}),))],
        run_tests=first,
        on_retry=first,
    )
    assert dag.get_task("g.create_image").upstream_task_ids == {"up"}


def test_another_task_s_output_is_refused_where_the_graph_needs_it(dag: DAG) -> None:
    first: Any = up()
    for options in (
        {"build_workflow": first},
        {"build_workflow": Workflow(first)},
        {"test_groups": first},
        {"test_groups": [first]},
        {"test_groups": [Workflow(first)]},
        {"test_groups": [workflow("boot", parallel_group=first)]},
        {"request": first, "build_workflow": None, **dict.fromkeys([*BASE, *ROLE])},
    ):
        with pytest.raises(InvalidRequestError, match="of task group 'g"):
            ImageBuilderTaskGroup(f"g{len(dag.task_group.children)}", **{**BASE, **ROLE, **options})
    assert "write the tests out" in told(TestGroup, "a", first)
    assert told(TestGroup, first, (BOOT,)).startswith("name: ")


def test_options_that_are_not_rendered_take_no_output(dag: DAG) -> None:
    first = up()
    assert told(bake, timeout=first).startswith("timeout: ")
    assert create(on_retry=first, region_name=first)
    with DAG("other", schedule=None):
        assert told(monitor, poll_interval=first).startswith("poll_interval: ")


# -- the README's example ----------------------------------------------------------------------------------


def test_the_example_of_the_readme_parses(dag: DAG) -> None:
    from pathlib import Path

    text = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    (example,) = [
        part
        for part in text.split("```python\n")
        if part.startswith("from airflow_imagebuilder import ImageBuilderTaskGroup")
    ]
    code = example.split("```")[0].replace(", ...)", ",)")

    @task
    def notify() -> None: ...

    @task
    def roll_out(image: Any) -> None: ...

    names: dict[str, Any] = {
        "ARN": "arn:aws:imagebuilder:eu-west-1:111122223333",
        "notify": notify(),
        "roll_out": roll_out,
    }
    exec(code, names)
    assert set(names["golden"].tests) == {"functional", "performance", "security"}


# -- anything at all ---------------------------------------------------------------------------------------

ODD: list[Any] = [
    *[
        None,
        "",
        " ",
        "x",
        "None",
        "{{ x }}",
        "[",
        "1",
        "a" * 5000,
        "\x00",
        b"x",
        0,
        1,
        -1,
        1.5,
        math.nan,
        True,
        False,
    ],
    *[
        [],
        (),
        {},
        set(),
        [None],
        ["x"],
        [1],
        [[]],
        [{}],
        {"x": 1},
        {1: "x"},
        {None: None},
        range(3),
        iter("ab"),
    ],
    *[
        ...,
        [...],
        object(),
        object,
        timedelta(1),
        timedelta.max,
        ImageRequest(**BASE),
        ImageRequest,
        OnRetry,
        print,
    ],
    *[BOOT, [BOOT], [BUILD], TestGroup("a", (BOOT,)), [TestGroup("a", (BOOT,))]],
    *[{"workflowArn": ARNS}, [{"workflowArn": ARNS}]],
]


def parameters(cls: Any) -> list[str]:
    import inspect

    from airflow.sdk import BaseOperator

    found = []
    for one in cls.__mro__:
        if one is not BaseOperator and one.__module__.startswith("airflow_imagebuilder"):
            found += list(inspect.signature(one.__init__).parameters)
    airflows = {"self", "kwargs", "group", "group_id", "task_id", "trigger_rule", "args", "_"}
    return [name for name in dict.fromkeys(found) if name not in airflows]


PLACES: list[tuple[Callable[..., Any], str]] = [
    *product([create], parameters(ImageBuilderCreateImageOperator)),
    *product([guard], parameters(ImageBuilderAwaitImageOperator)),
    *product([monitor], parameters(ImageBuilderMonitorWorkflowOperator)),
    *product([bake], parameters(ImageBuilderTaskGroup)),
    *product([ImageRequest], parameters(ImageRequest)),
    *product([TestGroup], parameters(TestGroup)),
    *product([Workflow], parameters(Workflow)),
]


def needed(make: Callable[..., Any]) -> dict[str, Any]:
    if make is ImageRequest:
        return {**BASE}
    if make is TestGroup:
        return {"name": "a", "workflows": (BOOT,)}
    return {"arn": BOOT.arn} if make is Workflow else {}


@pytest.mark.filterwarnings("ignore:Task 't'", "ignore:Task 'g")
@pytest.mark.parametrize(("make", "name"), PLACES, ids=lambda v: v if isinstance(v, str) else v.__name__)
def test_whatever_is_given_is_taken_or_told_never_a_crash(make: Callable[..., Any], name: str) -> None:
    bare = {**dict.fromkeys([*BASE, *ROLE]), "build_workflow": None} if make is bake else dict.fromkeys(BASE)
    for value in ODD:
        # A request replaces the members that the helpers set.
        beside = bare if name == "request" and make in (create, bake) else {}
        with DAG("d", schedule=None):
            faults = faults_of(make, **{**needed(make), **beside, name: value})
        assert all(str(fault) and fault.field and fault.way_out for fault in faults), value


TEMPLATED = [*BASE, *OPTIONAL, "run_tests", "on_retry"]


@pytest.mark.parametrize("name", TEMPLATED)
def test_whatever_is_rendered_is_taken_or_told_never_a_crash(name: str) -> None:
    for value in ODD:
        operator = create()
        setattr(operator, name, value)  # what a template renders to a native object
        hook = Hook()
        faults = faults_of(execute, operator=operator, hook=hook)
        assert bool(hook.requests) is not bool(faults), value


@pytest.mark.parametrize("name", ["region_name", "verify", "botocore_config", "aws_conn_id"])
def test_whatever_is_rendered_for_the_connection_is_taken_or_told(name: str) -> None:
    for value in [5, [], ["x"], ..., object(), b"x", 1.5]:
        operator = create()
        setattr(operator, name, value)
        assert [fault.field for fault in faults_of(lambda one: one.hook, one=operator)] == [name], value


def faults_of(make: Callable[..., Any], **options: Any) -> tuple[Fault, ...]:
    """Return what an object cannot be made for; other errors are those of the test."""
    try:
        make(**options)
    except InvalidRequestError as error:
        return error.faults
    return ()
