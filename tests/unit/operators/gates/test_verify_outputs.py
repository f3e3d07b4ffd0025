"""The operator that verifies the outputs of an image."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from unittest.mock import MagicMock

import pytest
from airflow.sdk import DAG, Asset

from airflow_imagebuilder import ImageBuilderVerifyOutputsOperator
from airflow_imagebuilder.compat import AirflowSkipException
from airflow_imagebuilder.links import ImageBuilderGoldenAmiLink
from airflow_imagebuilder.operators.gates.verify_outputs import DIFFERENCES_KEY
from airflow_imagebuilder.service.errors import (
    ImageNotAvailableError,
    InvalidRequestError,
    OutputsDifferError,
    TransientError,
)
from tests.support import answers
from tests.support.arns import IMAGE
from tests.support.image_builder import FakeImageBuilder
from tests.support.operators import with_hook
from tests.support.outputs import HERE, OTHER, OWN, THERE, FakeOutputs
from tests.support.task import FakeTask

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "golden {{ imagebuilder:buildDate }}"


def listed(ami: str, region: str, account: str = OWN) -> dict[str, Any]:
    return {"region": region, "image": ami, "accountId": account, "state": {"status": "AVAILABLE"}}


class Gate:
    """A verifying task, an image with an AMI in two regions, and its outputs."""

    def __init__(self, **options: Any) -> None:
        self.aws, self.outputs, self.task = FakeImageBuilder("AVAILABLE"), FakeOutputs(), FakeTask()
        self.aws.clients = self.outputs.connect
        self.outputs.ami("ami-here")
        self.outputs.ami("ami-there", THERE)
        distributions = [
            {"region": region, "amiDistributionConfiguration": {"name": NAME}} for region in (HERE, THERE)
        ]
        image = answers.image(
            arn=IMAGE,
            outputResources={"amis": [listed("ami-here", HERE), listed("ami-there", THERE)]},
            distributionConfiguration={"name": "two", "distributions": distributions},
        )
        self.aws.images[IMAGE] = image
        wanted = {"image_build_version_arn": IMAGE, "patience": 0.001, **options}
        self.operator = with_hook(ImageBuilderVerifyOutputsOperator(task_id="t", **wanted), self.aws)

    def run(self) -> Any:
        return self.operator.execute(self.task.context)


def test_it_returns_what_it_has_verified() -> None:
    gate = Gate()
    returned = gate.run()
    assert returned == {
        "image_build_version_arn": IMAGE,
        "outputs": 2,
        "amis": [
            {"region": HERE, "account_id": OWN, "image": "ami-here"},
            {"region": THERE, "account_id": OWN, "image": "ami-there"},
        ],
        "containers": {},
        "difference_count": 0,
        "differences": [],
        "not_verified_count": 0,
        "not_verified": [],
        "configuration_changed": None,
    }
    assert json.loads(json.dumps(returned)) == returned
    assert gate.task.xcoms[DIFFERENCES_KEY] == []


def test_differences_are_a_table_in_the_log_an_xcom_and_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = MagicMock()
    monkeypatch.setattr(ImageBuilderVerifyOutputsOperator, "log", log)
    gate = Gate(require_tags={"team": "web"})
    gate.outputs.ami("ami-here", tags={"team": "web"})
    with pytest.raises(OutputsDifferError) as caught:
        gate.run()
    (row,) = gate.task.xcoms[DIFFERENCES_KEY]
    assert row == {
        "kind": "tag",
        "region": THERE,
        "account": OWN,
        "resource": "ami-there",
        "asked": "team=web",
        "found": "no such tag",
    }
    assert caught.value.differences == (row,)
    line = f"{THERE}  {OWN}  tag   ami-there  team=web   no such tag"
    ((_, _, logged), _) = log.warning.call_args
    assert line in logged
    assert line in str(caught.value)
    assert "Image " in str(caught.value)
    assert "CreateTags" in str(caught.value)


def test_an_outlet_gets_the_golden_amis_only_of_outputs_that_are_as_asked_for() -> None:
    golden = Asset("golden")
    gate = Gate(outlets=[golden])
    gate.run()
    events = gate.task.context["outlet_events"]
    assert events[golden].extra["amis"] == {HERE: "ami-here", THERE: "ami-there"}
    gate = Gate(outlets=[golden], require_tags={"team": "web"})
    with pytest.raises(OutputsDifferError):
        gate.run()
    assert len(gate.task.context["outlet_events"]) == 0


def test_an_image_that_is_not_available_fails_at_once() -> None:
    gate = Gate()
    gate.aws.images[IMAGE]["state"] = {"status": "FAILED", "reason": "a test failed"}
    with pytest.raises(ImageNotAvailableError, match="is FAILED, not AVAILABLE: a test failed"):
        gate.run()
    assert gate.outputs.calls == []


@pytest.mark.parametrize("rendered", [None, "", "None"])
def test_a_run_without_an_image_is_skipped(rendered: Any) -> None:
    gate = Gate()
    gate.operator.image_build_version_arn = rendered
    with pytest.raises(AirflowSkipException):
        gate.run()


def test_the_result_of_a_task_names_its_image() -> None:
    gate = Gate()
    gate.operator.image_build_version_arn = {"arn": IMAGE}
    assert gate.run()["image_build_version_arn"] == IMAGE


def test_another_mapping_is_refused_with_the_way_out() -> None:
    gate = Gate()
    gate.operator.image_build_version_arn = {"arn": ["golden"]}
    with pytest.raises(InvalidRequestError, match="give the XCom image_build_version_arn"):
        gate.run()


def test_an_outage_fails_the_try_with_an_error_that_is_retried() -> None:
    gate = Gate()
    gate.aws.before("get_image", TransientError("GetImage", "ServiceUnavailable", 503))
    with pytest.raises(TransientError):
        gate.run()
    assert gate.run()["difference_count"] == 0


def test_the_link_is_to_the_golden_ami_of_the_build_whatever_the_verdict(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept: list[dict[str, Any]] = []
    monkeypatch.setattr(ImageBuilderGoldenAmiLink, "persist", lambda **values: kept.append(values))
    gate = Gate(require_tags={"team": "web"})
    with pytest.raises(OutputsDifferError):
        gate.run()
    (values,) = kept
    url = ImageBuilderGoldenAmiLink().format_link(
        **{name: values[name] for name in ("region_name", "aws_partition", "ami")},
        aws_domain="aws.amazon.com",
    )
    assert url == f"https://console.aws.amazon.com/ec2/home?region={HERE}#ImageDetails:imageId=ami-here"


# -- other accounts ----------------------------------------------------------------------------------------


def shared(**options: Any) -> Gate:
    gate = Gate(**options)
    image = gate.aws.images[IMAGE]
    image["outputResources"]["amis"].append(listed("ami-shared", HERE, OTHER))
    (here, _) = image["distributionConfiguration"]["distributions"]
    here["amiDistributionConfiguration"]["targetAccountIds"] = [OTHER]
    gate.outputs.ami("ami-shared", account=OTHER)
    return gate


def test_an_account_without_a_connection_fails_the_task_by_default() -> None:
    with pytest.raises(OutputsDifferError, match=f"no connection for account {OTHER} in account_conn_ids"):
        shared().run()


def test_what_cannot_be_read_is_accepted_by_parameter_and_reported() -> None:
    gate = shared(fail_on_unverified=False)
    returned = gate.run()
    assert (returned["difference_count"], returned["not_verified_count"]) == (0, 1)
    assert returned["not_verified"][0]["account"] == OTHER
    assert [row["kind"] for row in gate.task.xcoms[DIFFERENCES_KEY]] == ["not verified"]


def test_a_difference_fails_the_task_where_another_account_is_not_verified() -> None:
    gate = shared(fail_on_unverified=False)
    gate.outputs.ami("ami-there", THERE, State="disabled")
    with pytest.raises(OutputsDifferError) as caught:
        gate.run()
    assert [row["kind"] for row in caught.value.differences] == ["state"]


def test_each_account_is_read_with_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = shared(account_conn_ids={OTHER: "aws_target"})
    connections: list[str] = []

    def hook_of(conn_id: str) -> FakeImageBuilder:
        connections.append(conn_id)
        other = FakeImageBuilder()
        other.clients = lambda service, region: gate.outputs.connect(service, region, OTHER)
        return other

    monkeypatch.setattr(gate.operator, "hook_of", hook_of)
    assert gate.run()["outputs"] == 3
    assert connections == ["aws_target"]
    assert (HERE, OTHER, "describe_images") in gate.outputs.calls


def test_another_connection_has_the_other_settings_of_the_operator() -> None:
    gate = Gate(region_name=HERE, verify=False, botocore_config={"read_timeout": 7})
    hook = gate.operator.hook_of("aws_target")
    assert (hook.aws_conn_id, hook._region_name, hook._verify) == ("aws_target", HERE, False)
    assert hook._config.read_timeout == 7


# -- parameters --------------------------------------------------------------------------------------------

BAD: list[tuple[str, Any, str]] = [
    ("image_build_version_arn", "golden", "allowed: "),
    ("account_conn_ids", {"123": "aws"}, "an account id of twelve digits"),
    ("account_conn_ids", ["aws"], "a mapping of account ids"),
    ("account_conn_ids", {OTHER: ""}, "the id of an AWS connection"),
    ("expected", "two", "a list of AWS's Distribution"),
    ("expected", [{"amiDistributionConfiguration": {}}], "give it its region"),
    ("expected", {"distribution": []}, "a list of AWS's Distribution"),
    (
        "expected",
        [{"region": HERE, "amiDistributionConfig": {}}],
        "did you mean amiDistributionConfiguration",
    ),
    ("expected", [{"region": HERE, "amiDistributionConfiguration": {"amiTag": {}}}], "amiTags"),
    ("expected", [{"region": HERE, "amiDistributionConfiguration": "golden"}], "make it a mapping"),
    ("expected", [{"region": HERE, "ssmParameterConfigurations": [{"name": "/golden"}]}], "parameterName"),
    ("require_tags", ["team"], "a mapping of tags"),
    ("require_tags", {"team": 7}, "text"),
    ("require_encryption", "yes", "True or False"),
    ("regions", "eu-west-1", "make it a list: ['eu-west-1']"),
    ("regions", ["Frankfurt"], "a region, such as eu-west-1"),
    ("fail_on_unverified", None, "leave it out for the default"),
    ("patience", "1m", "seconds above 0"),
    ("patience", 0, "write a number above 0"),
]


@pytest.mark.parametrize(("name", "value", "message"), BAD, ids=str)
def test_a_wrong_parameter_is_refused_at_parse(name: str, value: Any, message: str) -> None:
    with pytest.raises(InvalidRequestError, match=name) as caught:
        Gate(**{name: value})
    assert message in str(caught.value)
    with pytest.raises(InvalidRequestError, match=name):
        ImageBuilderVerifyOutputsOperator.partial(task_id="t", **{name: value})


def test_a_placeholder_of_aws_that_jinja_would_read_is_refused_at_parse() -> None:
    def named(name: str) -> list[dict[str, Any]]:
        return [{"region": HERE, "amiDistributionConfiguration": {"name": name}}]

    with pytest.raises(InvalidRequestError, match=r"\{% raw %\}"):
        Gate(expected=named("golden {{ imagebuilder:buildDate }}"))
    with pytest.raises(InvalidRequestError, match="require_tags"):
        Gate(require_tags={"built": "{{imagebuilder:buildDate}}"})
    Gate(expected=named("golden {% raw %}{{ imagebuilder:buildDate }}{% endraw %}"))


def test_all_faults_are_reported_at_once() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        Gate(regions="x", patience=0, require_tags=[])
    assert {fault.field for fault in caught.value.faults} == {"regions", "patience", "require_tags"}


@pytest.mark.parametrize(
    "make", [lambda given: given, json.dumps], ids=["rendered as an object", "rendered as JSON text"]
)
def test_parameters_are_taken_as_a_template_renders_them(make: Callable[[Any], Any]) -> None:
    gate = Gate(patience=timedelta(milliseconds=1))
    gate.operator.require_tags = make({"team": "web"})
    gate.operator.regions = make([HERE, "ap-south-1"])
    gate.operator.account_conn_ids = ""
    gate.operator.expected = "None"
    with pytest.raises(OutputsDifferError) as caught:
        gate.run()
    assert [row["kind"] for row in caught.value.differences] == ["tag", "tag", "missing"]


def test_a_version_without_a_build_is_refused_when_it_is_rendered() -> None:
    gate = Gate()
    gate.operator.image_build_version_arn = IMAGE.rpartition("/")[0]
    with pytest.raises(InvalidRequestError, match="image_build_version_arn"):
        gate.run()


@pytest.mark.parametrize("value", ["{team: web}", '"web"', "7"])
def test_a_parameter_that_a_template_rendered_wrong_is_refused(value: str) -> None:
    gate = Gate()
    gate.operator.require_tags = value
    with pytest.raises(InvalidRequestError, match="require_tags"):
        gate.run()
    assert gate.outputs.calls == []


def test_it_can_be_mapped_over_images() -> None:
    with DAG("d", schedule=None):
        mapped = ImageBuilderVerifyOutputsOperator.partial(task_id="t", patience=5).expand(
            image_build_version_arn=[IMAGE, IMAGE]
        )
    assert mapped.partial_kwargs["patience"] == 5
