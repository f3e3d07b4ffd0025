"""Accounts: each owns its resources and images, and sees of others only what they share."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_imagebuilder.local.emulator.backend import Backend
from airflow_imagebuilder.local.emulator.engine import ApiError, Recorder
from airflow_imagebuilder.local.emulator.journal import JournalError
from tests.support.bench import HEAD, image_request

if TYPE_CHECKING:
    from pathlib import Path

FIRST, SECOND = "123456789012", "111122223333"
COMPONENT = (
    "name: probe\nschemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n      - name: Run\n"
    "        action: ExecuteBash\n        inputs: {commands: ['true']}\n"
)
HEAD_OF_SECOND = HEAD.replace(FIRST, SECOND)
MINIMAL = {
    "infrastructureConfigurationArn": f"{HEAD_OF_SECOND}infrastructure-configuration/plain",
    "executionRole": "role",
}


class Accounts:
    """A service without a journal, and calls in two accounts."""

    def __init__(self, **options: Any) -> None:
        self.world = Recorder()
        self.backend = Backend(self.world, scenario={"seed": 1}, **options)
        self._tokens = iter(range(1000))

    def call(self, account: str, operation: str, **params: Any) -> dict[str, Any]:
        if not operation.startswith(("Get", "List", "Put", "Tag")):
            params["clientToken"] = f"token-{next(self._tokens)}"
        return dict(self.backend.call(operation, params, "us-east-1", account))

    def configuration(self, account: str, **more: Any) -> str:
        params = {"name": "plain", "instanceProfileName": "profile", **more}
        made = self.call(account, "CreateInfrastructureConfiguration", **params)
        return str(made["infrastructureConfigurationArn"])

    def recipe(self, account: str, parent: str = "ami-0123456789abcdef0", **more: Any) -> str:
        params = {"name": "plain", "semanticVersion": "1.0.0", "parentImage": parent, **more}
        return str(self.call(account, "CreateImageRecipe", **params)["imageRecipeArn"])

    def component(self, account: str) -> str:
        params = {"name": "probe", "semanticVersion": "1.0.0", "platform": "Linux", "data": COMPONENT}
        return str(self.call(account, "CreateComponent", **params)["componentBuildVersionArn"])

    def bake(self, account: str, **over: Any) -> str:
        if account == FIRST:
            return str(self.call(FIRST, "CreateImage", **image_request(**over))["imageBuildVersionArn"])
        return str(self.call(account, "CreateImage", **{**MINIMAL, **over})["imageBuildVersionArn"])

    def image(self, account: str, arn: str) -> dict[str, Any]:
        return dict(self.call(account, "GetImage", imageBuildVersionArn=arn)["image"])

    def share(self, noun: str, arn: str, *actions: str, **more: Any) -> None:
        statement = {
            "Effect": "Allow",
            "Principal": {"AWS": [SECOND]},
            "Action": [f"imagebuilder:{action}" for action in actions],
            "Resource": [arn],
            **more,
        }
        member = f"{noun[0].lower()}{noun[1:]}Arn"
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.call(FIRST, f"Put{noun}Policy", **{member: arn, "policy": policy})


@pytest.fixture
def accounts() -> Accounts:
    return Accounts()


def _refused(accounts: Accounts, operation: str, **params: Any) -> ApiError:
    with pytest.raises(ApiError) as refused:
        accounts.call(SECOND, operation, **params)
    return refused.value


def test_a_new_account_owns_nothing_and_sees_what_amazon_owns(accounts: Accounts) -> None:
    assert accounts.call(FIRST, "ListImageRecipes")["imageRecipeSummaryList"]
    assert accounts.call(SECOND, "ListImageRecipes")["imageRecipeSummaryList"] == []
    assert accounts.call(SECOND, "ListComponents")["componentVersionList"] == []
    managed = accounts.call(SECOND, "ListComponents", owner="Amazon")["componentVersionList"]
    assert managed == accounts.call(FIRST, "ListComponents", owner="Amazon")["componentVersionList"]
    assert managed


def test_two_accounts_may_use_the_same_names_and_tokens(accounts: Accounts) -> None:
    request = {"name": "same", "instanceProfileName": "profile", "clientToken": "one"}
    arns = {
        account: accounts.backend.call("CreateInfrastructureConfiguration", request, "us-east-1", account)
        for account in (FIRST, SECOND)
    }
    assert {a: made["infrastructureConfigurationArn"].split(":")[4] for a, made in arns.items()} == {
        FIRST: FIRST,
        SECOND: SECOND,
    }


def test_an_image_its_ami_its_parameter_and_its_events_belong_to_its_account(accounts: Accounts) -> None:
    accounts.configuration(SECOND)
    distribution = accounts.call(
        SECOND,
        "CreateDistributionConfiguration",
        name="own",
        distributions=[
            {"region": "us-east-1", "ssmParameterConfigurations": [{"parameterName": "/imagebuilder/own"}]}
        ],
    )["distributionConfigurationArn"]
    arn = accounts.bake(
        SECOND, imageRecipeArn=accounts.recipe(SECOND), distributionConfigurationArn=distribution
    )
    accounts.backend.control({"advance": 100_000})
    image = accounts.image(SECOND, arn)
    assert image["state"] == {"status": "AVAILABLE"}
    assert [ami["accountId"] for ami in image["outputResources"]["amis"]] == [SECOND]
    ami = image["outputResources"]["amis"][0]["image"]
    own, other = accounts.world.in_account(SECOND), accounts.world
    assert (own.has_ami("us-east-1", ami), other.has_ami("us-east-1", ami)) == (True, False)
    assert own.parameter("us-east-1", "/imagebuilder/own") == ami
    assert other.parameter("us-east-1", "/imagebuilder/own") is None
    assert {effect.account for effect in accounts.world.of("event")} == {SECOND}
    assert accounts.call(FIRST, "ListImages")["imageVersionList"] == []
    assert [each["owner"] for each in accounts.call(SECOND, "ListImages")["imageVersionList"]] == [SECOND]


def test_records_show_the_account_of_each_image(accounts: Accounts) -> None:
    accounts.configuration(SECOND)
    arns = {
        SECOND: accounts.bake(SECOND, imageRecipeArn=accounts.recipe(SECOND)),
        FIRST: accounts.bake(FIRST),
    }
    shown = {image["account"]: image["arn"] for image in accounts.backend.snapshot()["images"]}
    assert shown == arns


def test_timers_of_all_accounts_run_in_the_order_of_their_moments(accounts: Accounts) -> None:
    accounts.configuration(SECOND)
    recipe = accounts.recipe(SECOND)
    for _ in range(3):
        accounts.bake(FIRST)
        accounts.bake(SECOND, imageRecipeArn=recipe)
    accounts.backend.control({"advance": 100_000})
    moments = [effect.at for effect in accounts.world.effects]
    assert moments == sorted(moments)
    assert {effect.account for effect in accounts.world.effects} == {FIRST, SECOND}


@pytest.mark.parametrize(
    ("operation", "member", "resource"),
    [
        ("GetImageRecipe", "imageRecipeArn", "image-recipe/golden-al2023/1.0.0"),
        ("GetComponent", "componentBuildVersionArn", "component/golden-base/x.x.x"),
        ("GetImage", "imageBuildVersionArn", "image/golden-al2023/1.0.0/1"),
        ("GetImage", "imageBuildVersionArn", "image/golden-al2023/x.x.x"),
        ("GetWorkflow", "workflowBuildVersionArn", "workflow/test/boot/1.0.0/1"),
        ("DeleteImage", "imageBuildVersionArn", "image/golden-al2023/1.0.0/1"),
        ("CancelImageCreation", "imageBuildVersionArn", "image/golden-al2023/1.0.0/1"),
        ("ListWorkflowExecutions", "imageBuildVersionArn", "image/golden-al2023/1.0.0/1"),
    ],
)
def test_an_arn_of_another_account_is_refused(
    accounts: Accounts, operation: str, member: str, resource: str
) -> None:
    accounts.bake(FIRST)
    accounts.backend.control({"advance": 100_000})
    refusal = _refused(accounts, operation, **{member: HEAD + resource})
    assert (refusal.code, refusal.status) == ("AccessDeniedException", 403)
    assert f"on resource: {HEAD}{resource}" in refusal.message


def test_an_arn_of_an_unused_account_is_refused_alike(accounts: Accounts) -> None:
    arn = HEAD.replace(FIRST, "999988887777") + "image/nothing/1.0.0/1"
    assert _refused(accounts, "GetImage", imageBuildVersionArn=arn).code == "AccessDeniedException"


def test_a_shared_component_is_read_listed_and_used(accounts: Accounts) -> None:
    arn = accounts.component(FIRST)
    accounts.share("Component", arn, "GetComponent", "ListComponents")
    assert accounts.call(SECOND, "GetComponent", componentBuildVersionArn=arn)["component"]["owner"] == FIRST
    shared = accounts.call(SECOND, "ListComponents", owner="Shared")["componentVersionList"]
    assert [(each["arn"], each["owner"]) for each in shared] == [(arn.rpartition("/")[0], FIRST)]
    newest = arn.replace("1.0.0/1", "x.x.x")
    recipe = accounts.recipe(SECOND, components=[{"componentArn": newest}])
    accounts.configuration(SECOND)
    accounts.bake(SECOND, imageRecipeArn=recipe)
    accounts.backend.control({"advance": 100_000})
    assert [image["status"] for image in accounts.backend.snapshot()["images"]] == ["AVAILABLE"]


def test_a_shared_recipe_is_built_by_the_other_account(accounts: Accounts) -> None:
    recipe = accounts.recipe(FIRST)
    accounts.configuration(SECOND)
    denied = _refused(accounts, "CreateImage", **MINIMAL, imageRecipeArn=recipe)
    assert denied.code == "AccessDeniedException"
    accounts.share("ImageRecipe", recipe, "GetImageRecipe")
    assert accounts.bake(SECOND, imageRecipeArn=recipe).split(":")[4] == SECOND


def test_a_shared_image_is_read_listed_and_used_as_a_parent(accounts: Accounts) -> None:
    arn = accounts.bake(FIRST)
    accounts.backend.control({"advance": 100_000})
    accounts.share("Image", arn, "GetImage", "ListImages")
    assert accounts.image(SECOND, arn) == accounts.image(FIRST, arn)
    newest = arn.replace("1.0.0/1", "x.x.x")
    assert accounts.image(SECOND, newest)["arn"] == arn
    shared = accounts.call(SECOND, "ListImages", owner="Shared")["imageVersionList"]
    assert [(each["arn"], each["owner"]) for each in shared] == [(arn.rpartition("/")[0], FIRST)]
    accounts.configuration(SECOND)
    child = accounts.bake(SECOND, imageRecipeArn=accounts.recipe(SECOND, newest))
    assert accounts.image(SECOND, child)["platform"] == "Linux"
    assert _refused(accounts, "DeleteImage", imageBuildVersionArn=arn).code == "AccessDeniedException"


@pytest.mark.parametrize(
    "more",
    [
        {"Principal": {"AWS": "arn:aws:iam::999988887777:root"}},
        {"Action": "imagebuilder:ListComponents"},
        {"Resource": f"{HEAD}component/other/1.0.0/1"},
        {"Effect": "Deny"},
        {"Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1234567890"}}},
    ],
)
def test_a_policy_that_says_less_does_not_share(accounts: Accounts, more: dict[str, Any]) -> None:
    arn = accounts.component(FIRST)
    accounts.share("Component", arn, "GetComponent", **more)
    refusal = _refused(accounts, "GetComponent", componentBuildVersionArn=arn)
    assert refusal.code == "AccessDeniedException"


@pytest.mark.parametrize(
    "more",
    [
        {"Principal": "*"},
        {"Principal": {"AWS": f"arn:aws:iam::{SECOND}:role/Builder"}},
        {"Action": "imagebuilder:Get*", "Resource": "*"},
    ],
)
def test_a_policy_may_use_wildcards(accounts: Accounts, more: dict[str, Any]) -> None:
    arn = accounts.component(FIRST)
    accounts.share("Component", arn, "GetComponent", **more)
    assert accounts.call(SECOND, "GetComponent", componentBuildVersionArn=arn)["component"]["arn"] == arn


def test_a_service_may_belong_to_another_account() -> None:
    accounts = Accounts(account=SECOND)
    seeded = accounts.call(SECOND, "ListImageRecipes")["imageRecipeSummaryList"]
    assert {recipe["owner"] for recipe in seeded} == {SECOND}
    made = accounts.backend.call("CreateImage", _request_of(SECOND), "us-east-1")
    assert made["imageBuildVersionArn"].split(":")[4] == SECOND


def _request_of(account: str) -> dict[str, Any]:
    text = json.dumps(image_request()).replace(FIRST, account)
    return {**json.loads(text), "clientToken": "one"}


def test_a_restart_restores_every_account(tmp_path: Path) -> None:
    state = tmp_path / "state.jsonl"
    accounts = Accounts(state=state)
    accounts.configuration(SECOND)
    recipe = accounts.recipe(SECOND)
    arns = {FIRST: accounts.bake(FIRST), SECOND: accounts.bake(SECOND, imageRecipeArn=recipe)}
    accounts.backend.control({"advance": 700})
    before = {account: accounts.image(account, arn) for account, arn in arns.items()}
    accounts.backend.close()
    again = Accounts(state=state)
    assert {account: again.image(account, arn) for account, arn in arns.items()} == before
    again.backend.control({"advance": 100_000})
    assert {again.image(a, arn)["state"]["status"] for a, arn in arns.items()} == {"AVAILABLE"}


def test_a_restart_knows_the_account_of_a_key_that_sts_has_forgotten(tmp_path: Path) -> None:
    first = Backend(state=tmp_path / "state.jsonl")
    assert first.account_of("ASIAEXAMPLE", SECOND) == SECOND
    assert first.account_of("AKIAEXAMPLE", None) == FIRST
    first.close()
    second = Backend(state=tmp_path / "state.jsonl")
    assert second.account_of("ASIAEXAMPLE", None) == SECOND
    assert second.account_of("AKIAEXAMPLE", None) == FIRST


def test_a_state_file_keeps_its_account(tmp_path: Path) -> None:
    state = tmp_path / "state.jsonl"
    Backend(state=state, account=SECOND).close()
    again = Backend(state=state)
    assert again.account == SECOND
    again.close()
    with pytest.raises(JournalError, match=f"belongs to the account {SECOND}, not to {FIRST}"):
        Backend(state=state, account=FIRST)
