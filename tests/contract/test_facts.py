"""What AWS's documents, models, sources or outputs say: an Image Builder that does otherwise is wrong."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from tests.contract import scenes
from tests.contract.account import refusal
from tests.contract.documents import COMPONENT

if TYPE_CHECKING:
    from tests.contract.account import Account
    from tests.contract.scenes import Built, Failed, Retried

pytestmark = pytest.mark.integration
NOT_FOUND = "ResourceNotFoundException"


@pytest.mark.parametrize("method", ["get_image", "cancel_image_creation", "delete_image"])
def test_an_image_that_does_not_exist_is_not_found(account: Account, recipe: str, method: str) -> None:
    arn = f"{recipe.rpartition('/')[0]}/9.9.9/9".replace(":image-recipe/", ":image/")
    assert refusal(getattr(account.client(), method), imageBuildVersionArn=arn) == NOT_FOUND


def test_a_changed_component_of_the_same_version_is_a_new_build(account: Account) -> None:
    first = scenes.component(account, "builds", "one")
    second = scenes.component(account, "builds", "two")
    assert (first.rsplit("/", 1)[1], second.rsplit("/", 1)[1]) == ("1", "2")


def test_an_identical_component_is_refused(account: Account) -> None:
    scenes.component(account, "twice", "same")
    code = refusal(scenes.component, account=account, label="twice", text="same")
    assert code == "ResourceAlreadyExistsException"


def test_a_recipe_of_the_same_version_is_refused(account: Account, component: str, recipe: str) -> None:
    code = refusal(scenes.recipe, account=account, label="recipe", component_arn=component)
    assert code == "ResourceAlreadyExistsException"


def test_a_recipe_keeps_its_component(account: Account, component: str, recipe: str) -> None:
    code = refusal(account.client().delete_component, componentBuildVersionArn=component)
    assert code == "ResourceDependencyException"


def test_a_dry_run_makes_nothing(account: Account) -> None:
    account.need("CreateComponent", "dryRun")
    client, name = account.client(), f"{account.stem}-dry"
    request = {"semanticVersion": "1.0.0", "platform": "Linux", "data": COMPONENT % "dry", "dryRun": True}
    assert refusal(client.create_component, name=name, **request) == "DryRunOperationException"
    listed = client.list_components(owner="Self", filters=[{"name": "name", "values": [name]}])
    assert listed["componentVersionList"] == []


def test_the_same_token_and_request_make_one_resource(account: Account) -> None:
    request = {
        "semanticVersion": "1.0.0",
        "platform": "Linux",
        "data": COMPONENT % "once",
        "clientToken": str(uuid.uuid4()),
    }
    first = account.create("component", "once", **request)
    assert account.create("component", "once", **request) == first
    changed = {**request, "description": "another", "name": f"{account.stem}-once", "tags": account.tags}
    code = refusal(account.client().create_component, **changed)
    assert code == "IdempotentParameterMismatchException"


def test_a_managed_workflow_is_named_in_its_newest_version_only(
    account: Account, recipe: str, infrastructure: str
) -> None:
    if account.execution_role is None:
        pytest.skip("A request with workflows needs EXECUTION_ROLE.")
    arn = scenes.managed(account, "workflow/test/test-image").replace("x.x.x", "1.0.0/1")
    code = account.refused_image(
        imageRecipeArn=recipe,
        infrastructureConfigurationArn=infrastructure,
        executionRole=account.execution_role,
        workflows=[{"workflowArn": arn}],
    )
    assert code == "InvalidParameterValueException"


def test_what_is_made_has_its_tags(account: Account, recipe: str) -> None:
    assert account.client().list_tags_for_resource(resourceArn=recipe)["tags"] == account.tags


@pytest.mark.images
def test_an_image_in_progress_is_not_deleted(failed: Failed) -> None:
    assert failed.delete_in_progress == "ResourceDependencyException"


@pytest.mark.images
def test_the_reason_of_a_stop_is_in_the_reason_of_the_image(failed: Failed) -> None:
    assert "the contract test stops it" in failed.reason


@pytest.mark.images
def test_an_image_that_has_finished_is_not_cancelled(retried: Retried) -> None:
    assert retried.cancelled_after_end == "InvalidParameterValueException"


@pytest.mark.images
def test_an_ami_has_the_tags_of_image_builder(built: Built) -> None:
    assert built.tags["CreatedBy"] == "EC2 Image Builder"
    assert built.tags["Ec2ImageBuilderArn"] == built.arn
