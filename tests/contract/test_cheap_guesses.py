"""The guesses that can be seen without an image."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.contract import scenes
from tests.contract.account import refusal
from tests.contract.documents import COMPONENT

if TYPE_CHECKING:
    from tests.contract.account import Account
    from tests.contract.verification import Observer

pytestmark = pytest.mark.integration


@pytest.fixture
def request_of_image(account: Account, recipe: str, infrastructure: str) -> dict[str, Any]:
    return {"imageRecipeArn": recipe, "infrastructureConfigurationArn": infrastructure}


@pytest.fixture
def own(account: Account, observe: Observer, waiting_test: str) -> dict[str, Any]:
    """Return the members of a request with a workflow of its own."""
    if account.execution_role is None:
        observe.not_tried("A request with own workflows needs EXECUTION_ROLE.")
    return {"executionRole": account.execution_role, "workflows": [{"workflowArn": waiting_test}]}


def version(arn: str) -> tuple[int, int, int]:
    major, minor, patch = arn.split("/")[2].split(".")
    return int(major), int(minor), int(patch)


@pytest.mark.guess("MALFORMED_REQUEST")
def test_a_request_without_a_required_member(account: Account, observe: Observer) -> None:
    create = account.client(unchecked=True).create_component
    request = {"name": f"{account.stem}-malformed", "platform": "Linux", "data": COMPONENT % "x"}
    observe(refusal(create, **request, tags=account.tags))


@pytest.mark.guess("UNKNOWN_REFERENCE")
def test_a_request_that_names_a_recipe_that_does_not_exist(
    account: Account, observe: Observer, request_of_image: dict[str, Any]
) -> None:
    stem, _, _ = request_of_image["imageRecipeArn"].rpartition("/")
    observe(account.refused_image(**{**request_of_image, "imageRecipeArn": f"{stem}/9.9.9"}))


@pytest.mark.guess("RECIPE_COUNT")
def test_a_request_without_a_recipe(
    account: Account, observe: Observer, request_of_image: dict[str, Any]
) -> None:
    infrastructure = request_of_image["infrastructureConfigurationArn"]
    observe(account.refused_image(infrastructureConfigurationArn=infrastructure))


@pytest.mark.guess("ROLE_MISSING")
def test_a_request_with_workflows_but_without_a_role(
    account: Account, observe: Observer, request_of_image: dict[str, Any], waiting_test: str
) -> None:
    observe(account.refused_image(**request_of_image, workflows=[{"workflowArn": waiting_test}]))


@pytest.mark.guess("WORKFLOW_COUNT")
def test_a_request_with_eleven_workflows(
    account: Account, observe: Observer, request_of_image: dict[str, Any], own: dict[str, Any]
) -> None:
    observe(account.refused_image(**request_of_image, **{**own, "workflows": own["workflows"] * 11}))


@pytest.mark.guess("WORKFLOW_PARAMETERS")
def test_a_request_with_a_parameter_that_its_workflow_lacks(
    account: Account, observe: Observer, request_of_image: dict[str, Any], own: dict[str, Any]
) -> None:
    given = {**own["workflows"][0], "parameters": [{"name": "unknown", "value": ["x"]}]}
    observe(account.refused_image(**request_of_image, **{**own, "workflows": [given]}))


@pytest.mark.guess("BAD_SCHEDULE")
def test_a_pipeline_with_a_cron_expression_that_is_not_valid(
    account: Account, observe: Observer, request_of_image: dict[str, Any]
) -> None:
    # Disabled: should AWS take the expression, nothing runs by it.
    create = account.client().create_image_pipeline
    schedule = {"scheduleExpression": "cron(99 99 * * ? *)"}
    name = f"{account.stem}-schedule"
    given = {**request_of_image, "tags": account.tags}
    observe(refusal(create, name=name, status="DISABLED", schedule=schedule, **given))


@pytest.mark.guess("BAD_VERSION")
def test_a_version_with_a_misplaced_wildcard(account: Account, observe: Observer, component: str) -> None:
    account.need_wildcards()
    observe(refusal(scenes.recipe, account=account, label="bad", component_arn=component, version="x.2.x"))


@pytest.mark.guess("TOKEN_PER_OPERATION")
def test_a_client_token_of_another_operation(
    account: Account, observe: Observer, infrastructure: str
) -> None:
    client, token = account.client(), str(uuid.uuid4())
    account.create(
        "component",
        "token",
        semanticVersion="1.0.0",
        platform="Linux",
        data=COMPONENT % "token",
        clientToken=token,
    )
    distributions = [
        {
            "region": account.region,
            "amiDistributionConfiguration": {"name": "verify {{ imagebuilder:buildDate }}"},
        }
    ]
    code = refusal(
        client.create_distribution_configuration,
        name=f"{account.stem}-token",
        distributions=distributions,
        clientToken=token,
        tags=account.tags,
    )
    free = {"accepted": True, "IdempotentParameterMismatchException": False}
    observe(free.get(code, code))


@pytest.mark.guess("FIRST_PATCH")
def test_the_first_version_that_is_counted(account: Account, observe: Observer, component: str) -> None:
    account.need_wildcards()
    observe(version(scenes.recipe(account, "counted", component, "1.0.x"))[2])


@pytest.mark.guess("FIRST_WILDCARD_COUNTS")
def test_which_of_two_wildcards_counts(account: Account, observe: Observer, component: str) -> None:
    account.need_wildcards()
    scenes.recipe(account, "wildcards", component, "1.0.0")
    found = version(scenes.recipe(account, "wildcards", component, "1.x.x"))
    observe({(1, 1, 0): True, (1, 0, 1): False}.get(found, str(found)))


@pytest.mark.guess("PARENT_DECIDES_THE_SYSTEM")
def test_platform_and_system_of_one_of_amazons_images(
    account: Account, observe: Observer, recipe: str
) -> None:
    client = account.client()
    platform = client.get_image_recipe(imageRecipeArn=recipe)["imageRecipe"]["platform"]
    filters = [{"name": "name", "values": ["Amazon Linux 2023 x86", scenes.MANAGED_PARENT]}]
    images = client.list_images(owner="Amazon", filters=filters)["imageVersionList"]
    if not images:
        observe.not_tried("ListImages does not find the image by its name.")
    observe(f"{platform}, {images[0]['osVersion']}")


@pytest.mark.guess("SUSE_SYSTEM")
def test_the_system_of_an_image_of_suse(account: Account, observe: Observer) -> None:
    filters = [
        {
            "name": "name",
            "values": ["SUSE Linux Enterprise Server 15 x86", "suse-linux-enterprise-server-15-x86"],
        }
    ]
    images = account.client().list_images(owner="Amazon", filters=filters)["imageVersionList"]
    if not images:
        observe.not_tried("ListImages does not find the image by its name.")
    observe(images[0]["osVersion"])


@pytest.mark.guess("MANAGED_IMAGE_DAYS")
def test_a_day_of_one_of_amazons_images_that_was_never_seen(
    account: Account, observe: Observer, component: str
) -> None:
    head = ":".join(component.split(":")[:4])
    arn = f"{head}:aws:image/amazon-linux-2-x86/2021.3.5/1"
    observe(refusal(account.client().get_image, imageBuildVersionArn=arn))


@pytest.mark.guess("MANAGED_STEPS")
def test_the_actions_of_amazons_own_distribution_workflow(account: Account, observe: Observer) -> None:
    arn = scenes.managed(account, "workflow/distribution/distribute-image")
    text = account.client().get_workflow(workflowBuildVersionArn=arn)["workflow"].get("data")
    if not text:
        observe.not_tried("GetWorkflow does not show the document of a managed workflow.")
    observe(", ".join(step["action"] for step in yaml.safe_load(text)["steps"]))


@pytest.mark.guess("NOT_SHARED")
def test_a_component_of_another_account(account: Account, observe: Observer, component: str) -> None:
    # The account of AWS's own examples; the ARN has the right form, and its owner shares nothing.
    other = re.sub(r":[0-9]{12}:", ":111122223333:", component)
    observe(refusal(account.client().get_component, componentBuildVersionArn=other))


@pytest.mark.guess("LAUNCH_CHECKS")
def test_a_configuration_with_a_key_pair_that_does_not_exist(
    account: Account, observe: Observer, infrastructure: str
) -> None:
    client = account.client()
    found = client.get_infrastructure_configuration(infrastructureConfigurationArn=infrastructure)
    profile = found["infrastructureConfiguration"]["instanceProfileName"]
    observe(
        refusal(
            client.create_infrastructure_configuration,
            name=f"{account.stem}-key-pair",
            instanceProfileName=profile,
            keyPair=f"{account.stem}-none",
            tags=account.tags,
        )
    )


@pytest.mark.guess("ABANDONED_SCAN")
def test_the_reason_of_a_scan_whose_image_ended(observe: Observer) -> None:
    observe.not_tried("It needs Amazon Inspector, and a build that is cancelled while its instance runs.")


@pytest.mark.guess("FAILED_SCAN")
def test_the_reason_of_an_image_whose_scan_fails_it(observe: Observer) -> None:
    observe.not_tried("It needs a second build, of an image with known findings.")


@pytest.mark.guess("SCANNED_AMI_IS_OF_ITS_OWN_REGION")
def test_which_ami_of_an_image_was_scanned(observe: Observer) -> None:
    observe.not_tried("It needs a second build, of an image with known findings, in two regions.")


@pytest.mark.guess("SHARED_RECIPE_COMPONENTS")
def test_a_shared_recipe_whose_components_are_not_shared(observe: Observer) -> None:
    observe.not_tried("It needs a second account.")


@pytest.mark.guess("SHARED_WITHOUT_RAM")
def test_what_a_policy_shares_without_ram(observe: Observer) -> None:
    observe.not_tried("It needs a second account.")


@pytest.mark.guess("MISSING_TARGET_WORDING")
def test_the_reason_of_a_distribution_to_an_account_without_the_role(observe: Observer) -> None:
    observe.not_tried("It needs a second account.")


@pytest.mark.guess("TAKEN_AMI_NAME")
def test_the_ami_of_a_build_whose_name_is_taken(observe: Observer) -> None:
    observe.not_tried("It needs a second build, which leaves an AMI that nothing names.")


@pytest.mark.guess("WAITING_MESSAGE")
def test_what_a_step_that_waits_publishes(observe: Observer) -> None:
    observe.not_tried("It needs a topic, a queue that receives it, and a build that waits.")


@pytest.mark.guess("TOKEN_LIFE")
def test_how_long_a_client_token_lives(observe: Observer) -> None:
    observe.not_tried("It takes longer than a day.")


@pytest.mark.guess("STEP_SHARES")
def test_how_long_a_step_takes(observe: Observer) -> None:
    observe.not_tried("A duration is neither the same nor another one.")


@pytest.mark.guess("LIFECYCLE_SECONDS")
def test_how_long_an_update_of_a_state_takes(observe: Observer) -> None:
    observe.not_tried("A duration is neither the same nor another one.")


@pytest.mark.guess("ROLLBACK_SECONDS")
def test_how_long_a_rollback_takes(observe: Observer) -> None:
    observe.not_tried("It needs a build that fails while its instance runs, for a duration alone.")
