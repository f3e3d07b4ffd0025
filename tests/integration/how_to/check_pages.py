"""Each Dag of the how-to pages, run by the package's own pytest plugin: what its page promises."""

from __future__ import annotations

import inspect
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo

    from typing_extensions import Self

    from airflow_imagebuilder.testing import ImageBuilder, Run

    RunDag = Callable[..., Run]
    Dags = Callable[[str], Any]


PAGES = Path(__file__).parents[3] / "docs" / "how-to"


class After(datetime):
    """A clock of Airflow that is a year ahead of all images."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return super().now(tz) + timedelta(days=365)


def amis_of(image_builder: ImageBuilder, region: str, account: str | None = None) -> set[str]:
    """Return the AMIs that an account owns in a region, without those that Amazon owns."""
    found = image_builder.client("ec2", region, account).describe_images(Owners=["self"])["Images"]
    return {ami["ImageId"] for ami in found}


# -- scheduled.md ----------------------------------------------------------------------------------------
def test_a_night_repairs_a_test_that_fails_once_and_copies_the_image(
    image_builder: ImageBuilder, run_dag: RunDag, dags: Dags
) -> None:
    pytest.importorskip("boto3", minversion="1.41.1", reason="RetryImage")
    image_builder.fail(workflow="network", times=1)

    run = run_dag(dags("scheduled").golden_each_night)

    assert len(image_builder.calls("RetryImage")) == 1
    (call,) = image_builder.calls("CreateImage")
    assert call.params["tags"] == {"baked-by": "airflow", "airflow-run": f"golden_each_night {run.run_id}"}
    regions = {ami["region"]: ami["image"] for ami in run.xcom("golden_windows.image")["golden_amis"]}
    assert set(regions) == {"us-east-1", "eu-west-1"}
    assert regions["eu-west-1"] in amis_of(image_builder, "eu-west-1")


# -- form.md ---------------------------------------------------------------------------------------------
def test_a_form_with_empty_fields_builds_in_its_region_and_runs_all_tests(
    image_builder: ImageBuilder, run_dag: RunDag, dags: Dags
) -> None:
    run = run_dag(dags("form").image_on_request, {"reason": "OPS-4711"})

    (call,) = image_builder.calls("CreateImage")
    assert "distributionConfigurationArn" not in call.params
    assert call.params["tags"] == {"baked-by": "airflow", "reason": "OPS-4711"}
    tests = [w for w in call.params["workflows"] if ":workflow/test/" in w["workflowArn"]]
    assert len(tests) == 3
    assert [ami["region"] for ami in run.xcom("image.image")["golden_amis"]] == ["us-east-1"]


def test_a_form_whose_regions_are_not_those_of_the_image_builds_nothing(
    image_builder: ImageBuilder, run_dag: RunDag, dags: Dags
) -> None:
    dag = dags("form").image_on_request
    conf = {"reason": "OPS-4711", "distribution": "golden-two-regions"}

    run = run_dag(dag, conf, expect="failed")
    assert "would be in us-east-1, eu-west-1, and the form says us-east-1" in run.errors["confirm"]
    assert image_builder.calls("CreateImage") == []

    run_dag(dag, {**conf, "regions": ["us-east-1", "eu-west-1"], "tests": ["boot"]})
    (call,) = image_builder.calls("CreateImage")
    assert call.params["distributionConfigurationArn"].endswith("/golden-two-regions")
    assert [w["workflowArn"].split("/")[1:3] for w in call.params["workflows"]] == [
        ["build", "golden-build"],
        ["test", "boot"],
    ]


def test_a_form_without_a_reason_is_refused(image_builder: ImageBuilder, run_dag: RunDag, dags: Dags) -> None:
    with pytest.raises(Exception, match="reason"):
        run_dag(dags("form").image_on_request)
    assert image_builder.calls("CreateImage") == []


# -- matrix.md -------------------------------------------------------------------------------------------
def test_a_list_with_an_image_that_fails_reports_the_others(
    image_builder: ImageBuilder, run_dag: RunDag, dags: Dags
) -> None:
    image_builder.fail(component="golden-base-windows", message="no licence")

    run = run_dag(dags("matrix").images_by_list, expect="failed")

    assert [run.states[f"bake[{index}]"] for index in range(3)] == ["success", "success", "failed"]
    assert "step ApplyBuildComponents" in run.errors["bake[2]"]
    assert "Not there: golden-windows-2022. There: {'golden-al2023': 'ami-" in run.errors["report"]


def test_a_loop_draws_each_image_with_its_own_tests(
    image_builder: ImageBuilder, run_dag: RunDag, dags: Dags
) -> None:
    run = run_dag(dags("matrix").images_by_loop)

    assert len(image_builder.images()) == 2
    assert "golden-al2023.functional.test[1]" in run.states
    assert "golden-windows-2022.functional.test[1]" not in run.states


# -- containers.md ---------------------------------------------------------------------------------------
def test_a_container_is_deployed_by_the_digest_that_ecr_has(
    image_builder: ImageBuilder, run_dag: RunDag, dags: Dags
) -> None:
    run = run_dag(dags("containers").bake_container)

    (there,) = image_builder.client("ecr").describe_images(repositoryName="golden-container")["imageDetails"]
    repository, _, digest = run.xcom("digest").partition("@")
    assert digest == there["imageDigest"]
    assert repository.endswith("/golden-container")


# -- accounts.md -----------------------------------------------------------------------------------------
ACCOUNTS = ("222233334444", "333344445555")


@pytest.fixture
def accounts(image_builder: ImageBuilder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connections and the distribution configuration of the page."""
    image_builder.client("imagebuilder").create_distribution_configuration(
        name="golden-accounts", distributions=json.loads((PAGES / "accounts/distributions.json").read_text())
    )
    connection = (PAGES / "accounts/connection.json").read_text()
    monkeypatch.setenv("AIRFLOW_CONN_AWS_STAGING", connection)
    monkeypatch.setenv("AIRFLOW_CONN_AWS_PRODUCTION", connection.replace(ACCOUNTS[0], ACCOUNTS[1]))


@pytest.mark.usefixtures("accounts")
def test_the_copies_are_verified_in_the_accounts_that_own_them(
    image_builder: ImageBuilder, run_dag: RunDag, dags: Dags
) -> None:
    run = run_dag(dags("accounts").images_for_accounts)

    verified = run.xcom("verify")
    places = {(ami["account_id"], ami["region"]) for ami in verified["amis"]}
    assert places >= {(account, region) for account in ACCOUNTS for region in ("us-east-1", "eu-west-1")}
    for ami in verified["amis"]:
        if ami["account_id"] in ACCOUNTS:
            assert ami["image"] in amis_of(image_builder, ami["region"], ami["account_id"])


@pytest.mark.usefixtures("accounts")
def test_a_copy_that_cannot_be_read_fails_the_run(
    image_builder: ImageBuilder, run_dag: RunDag, dags: Dags, monkeypatch: pytest.MonkeyPatch
) -> None:
    dag = dags("accounts").images_for_accounts
    verify = dag.get_task("verify")
    verify.account_conn_ids = {"222233334444": "aws_staging"}

    run = run_dag(dag, expect="failed")

    assert "333344445555" in run.errors["verify"]
    assert "not verified" in run.errors["verify"]


@pytest.mark.usefixtures("accounts")
def test_each_account_builds_its_own_image(image_builder: ImageBuilder, run_dag: RunDag, dags: Dags) -> None:
    amazon = "arn:aws:imagebuilder:us-east-1:aws"
    for account in ACCOUNTS:
        image_builder.client("iam", account=account).create_instance_profile(InstanceProfileName="web")
        theirs = image_builder.client("imagebuilder", account=account)
        theirs.create_image_recipe(
            name="web",
            semanticVersion="1.0.0",
            parentImage=f"{amazon}:image/amazon-linux-2023-x86/x.x.x",
            components=[{"componentArn": f"{amazon}:component/amazon-cloudwatch-agent-linux/x.x.x"}],
        )
        theirs.create_infrastructure_configuration(name="web", instanceProfileName="web")

    run = run_dag(dags("accounts").images_in_accounts)

    for account in ACCOUNTS:
        image = run.xcom(f"bake_in_{account}")
        assert image["arn"].split(":")[4] == account
        assert image["golden_amis"][0]["image"] in amis_of(image_builder, "us-east-1", account)
    assert {call.account for call in image_builder.calls("CreateImage")} == set(ACCOUNTS)


# -- notifications.md ------------------------------------------------------------------------------------
def messages(image_builder: ImageBuilder, client: Any, queue: str) -> list[dict[str, str]]:
    """Return subject and text of the messages that a queue of the topic has."""
    bodies = []
    while found := client.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        for message in found:
            bodies.append(json.loads(message["Body"]))
            client.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return bodies


@pytest.fixture
def inbox(image_builder: ImageBuilder) -> Callable[[], list[dict[str, str]]]:
    """The messages of the topic of the page, through a queue."""
    sns, sqs = image_builder.client("sns"), image_builder.client("sqs")
    topic = sns.create_topic(Name="golden-images")["TopicArn"]
    queue = sqs.create_queue(QueueName="golden-images-inbox")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    messages(image_builder, sqs, queue)
    return lambda: messages(image_builder, sqs, queue)


def test_a_failed_image_sends_its_first_line_and_the_address_of_its_run(
    image_builder: ImageBuilder, run_dag: RunDag, dags: Dags, inbox: Callable[[], list[dict[str, str]]]
) -> None:
    image_builder.fail(workflow="boot", message="kernel {{ panic }}")

    run_dag(dags("notifications").image_with_messages, expect="failed")

    from airflow.sdk.execution_time import supervisor

    subject = "image_with_messages: golden.image failed"
    (failed,) = [message for message in inbox() if message["Subject"] == subject]
    first, _, address = failed["Message"].partition("\n\n")
    # An older dag.test() gives a callback no exception; a worker does.
    if 'context["exception"]' in inspect.getsource(supervisor):
        assert first.startswith(
            "Image golden-al2023 1.0.0/1 failed in TESTING: workflow boot, step RunTests: "
        )
        assert first.endswith("kernel {{ panic }}")
    else:
        assert first == "Its log says why."
    assert address.startswith("http")
    assert "/dags/image_with_messages/runs/manual__" in address
    assert address.endswith("/plugin/image-build")


def test_a_repaired_image_sends_that_it_is_tried_again_and_that_it_is_there(
    image_builder: ImageBuilder, run_dag: RunDag, dags: Dags, inbox: Callable[[], list[dict[str, str]]]
) -> None:
    pytest.importorskip("boto3", minversion="1.41.1", reason="RetryImage")
    image_builder.fail(workflow="boot", times=1)

    run = run_dag(dags("notifications").image_with_messages)

    again, there = inbox()
    assert again["Subject"] == "image_with_messages: golden.image is tried again"
    assert there["Subject"] == "image_with_messages: a new image"
    assert f"us-east-1: {run.xcom('golden.image')['golden_amis'][0]['image']}" in there["Message"]


# -- cost.md ---------------------------------------------------------------------------------------------
DAY = 86400


def bake(image_builder: ImageBuilder, recipe: str = "golden-al2023") -> str:
    """Build an image and return its ARN; the clock is stopped."""
    arn: str = image_builder.client("imagebuilder").create_image(
        imageRecipeArn=image_builder.arn(f"image-recipe/{recipe}/1.0.0"),
        infrastructureConfigurationArn=image_builder.arn("infrastructure-configuration/golden-build"),
    )["imageBuildVersionArn"]
    image_builder.advance(DAY)
    return arn


def ami_of(image_builder: ImageBuilder, arn: str) -> str:
    image = image_builder.client("imagebuilder").get_image(imageBuildVersionArn=arn)["image"]
    ami: str = image["outputResources"]["amis"][0]["image"]
    return ami


def test_old_images_are_listed_and_deleted_only_if_the_form_says_so(
    image_builder: ImageBuilder, run_dag: RunDag, dags: Dags
) -> None:
    image_builder.stop_clock()
    ec2 = image_builder.client("ec2")
    before = amis_of(image_builder, "us-east-1")
    old, launched, templated, tagged = (bake(image_builder) for _ in range(4))
    other = bake(image_builder, "golden-ubuntu-2404")
    newest = [bake(image_builder) for _ in range(2)]
    ec2.run_instances(ImageId=ami_of(image_builder, launched), MinCount=1, MaxCount=1)
    ec2.create_launch_template(
        LaunchTemplateName="web", LaunchTemplateData={"ImageId": ami_of(image_builder, templated)}
    )
    ec2.create_tags(Resources=[ami_of(image_builder, tagged)], Tags=[{"Key": "keep", "Value": "true"}])
    deleted_ami = ami_of(image_builder, old)
    kept = {ami_of(image_builder, arn) for arn in (launched, templated, tagged, other, *newest)}
    image_builder.start_clock()
    module = dags("cost")

    # The clock of the service is ahead of Airflow's: all images are young.
    assert run_dag(module.clean_up_images, {"keep": 1, "delete": True}).xcom("plan") == []
    assert image_builder.calls("StartResourceStateUpdate") == []

    module.datetime = After
    run = run_dag(module.clean_up_images, {"keep": 2})
    assert run.xcom("plan") == [old]
    assert run.xcom("delete") == []
    assert image_builder.calls("StartResourceStateUpdate") == []
    assert amis_of(image_builder, "us-east-1") - before == kept | {deleted_ami}

    run = run_dag(module.clean_up_images, {"keep": 2, "delete": True})
    assert run.xcom("delete") == [old]
    assert amis_of(image_builder, "us-east-1") - before == kept
    (call,) = image_builder.calls("StartResourceStateUpdate")
    assert call.params["resourceArn"] == old


def test_the_lifecycle_policy_of_the_page_is_accepted(image_builder: ImageBuilder) -> None:
    client = image_builder.client("imagebuilder")
    arn = client.create_lifecycle_policy(
        name="golden-images",
        resourceType="AMI_IMAGE",
        executionRole="arn:aws:iam::123456789012:role/ImageBuilderLifecycle",
        policyDetails=json.loads((PAGES / "cost/policy-details.json").read_text()),
        resourceSelection={"recipes": [{"name": "golden-al2023", "semanticVersion": "1.0.0"}]},
    )["lifecyclePolicyArn"]
    policy = client.get_lifecycle_policy(lifecyclePolicyArn=arn)["lifecyclePolicy"]
    assert policy["policyDetails"][0]["filter"]["retainAtLeast"] == 3
