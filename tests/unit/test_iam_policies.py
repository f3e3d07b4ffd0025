"""The IAM policies of docs/security.md: their form, and that the page shows them as they are."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore import xform_name
from moto.iam.policy_validation import IAMPolicyDocumentValidator, IAMTrustPolicyDocumentValidator

from tests.support.iam import ACTIONS, POLICIES, QUEUE, TYPES, Policy, Request, document, listed

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "security.md").read_text("utf-8")
SHOWN = re.compile(r"^`(security/[\w./-]+)`:\n+```json\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FILES = sorted(POLICIES.rglob("*.json"))
NAMES = [str(path.relative_to(POLICIES).with_suffix("")) for path in FILES]
ALLOWING = [*(name for name in NAMES if not name.endswith("trust")), "queue"]
ROLE_LIMIT, MANAGED_LIMIT = 10_240, 6_144
"""Characters of all inline policies of a role, and of a managed policy (IAM quotas)."""


def statements(name: str) -> list[dict[str, Any]]:
    return list(document(name)["Statement"])


def allowing() -> list[tuple[str, dict[str, Any]]]:
    return [(name, statement) for name in ALLOWING for statement in statements(name)]


def test_the_page_shows_each_file_as_it_is() -> None:
    shown = dict(SHOWN.findall(PAGE))
    assert shown == {str(path.relative_to(DOCS)): path.read_text("utf-8") for path in FILES}


def test_the_page_of_mwaa_shows_the_same_files() -> None:
    shown = SHOWN.findall((DOCS / "mwaa.md").read_text("utf-8"))
    assert {name for name, _ in shown} == {"security/caller/wait.json", "security/caller/build.json"}
    assert all(text == (DOCS / name).read_text("utf-8") for name, text in shown)


def test_each_file_of_the_caller_is_a_row_of_both_tables() -> None:
    for page, column in ((PAGE, 2), ((DOCS / "mwaa.md").read_text("utf-8"), 1)):
        cells = [line.split("|")[column] for line in page.splitlines() if line.startswith("| ")]
        named = {name for cell in cells for name in re.findall(r"`([a-z-]+)`", cell)}
        ours = {path.stem for path in POLICIES.glob("caller/*.json")}
        for_builds = {"wait", "build", "workflows", "cancel", "repair", "tags", "pipeline", "delete-outputs"}
        assert (ours if column == 2 else for_builds) <= named


@pytest.mark.parametrize("name", [*NAMES, "queue"])
def test_a_policy_has_the_grammar_of_iam(name: str) -> None:
    policy = document(name)
    assert (set(policy), policy["Version"]) == ({"Version", "Statement"}, "2012-10-17")
    sids = [statement.get("Sid") for statement in policy["Statement"]]
    assert len(sids) == len(set(sids))
    for statement in policy["Statement"]:
        about = {"Principal"} if name.endswith("trust") else {"Resource"}
        assert about <= set(statement) <= about | {"Sid", "Effect", "Action", "Condition"}
        assert statement["Effect"] == "Allow"
        assert re.fullmatch(r"[A-Za-z0-9]*", statement.get("Sid", ""))
    # moto refuses what IAM refuses as a malformed policy.
    check = IAMTrustPolicyDocumentValidator if name.endswith("trust") else IAMPolicyDocumentValidator
    check(json.dumps(policy)).validate()


def test_all_files_of_the_caller_make_one_policy_that_iam_takes() -> None:
    joined = [s for name in ALLOWING if name.startswith("caller/") for s in statements(name)]
    IAMPolicyDocumentValidator(json.dumps({"Version": "2012-10-17", "Statement": joined})).validate()


def test_no_two_files_have_the_same_sid() -> None:
    seen: dict[str, set[str]] = {}
    for name, statement in allowing():
        seen.setdefault(statement["Sid"], set()).add(name)
    # jq joins files into one policy, in which IAM refuses a Sid that comes twice.
    assert {sid: names for sid, names in seen.items() if len(names) > 1} == {}


def test_each_action_is_one_of_aws() -> None:
    unknown = {action for _, one in allowing() for action in listed(one["Action"])} - set(ACTIONS)
    assert unknown == set()


def test_each_action_of_image_builder_is_an_operation_of_botocore() -> None:
    model = botocore.session.get_session().get_service_model("imagebuilder")
    ours = {action.partition(":")[2] for action in ACTIONS if action.startswith("imagebuilder:")}
    # An older botocore lacks the newest operations.
    assert ours - set(model.operation_names) <= {"RetryImage"}


@pytest.mark.parametrize(("name", "statement"), allowing(), ids=lambda value: str(value)[:30])
def test_a_resource_is_of_a_type_that_each_action_takes(name: str, statement: dict[str, Any]) -> None:
    for action in listed(statement["Action"]):
        types = ACTIONS[action]["resources"]
        resources = listed(statement["Resource"])
        if not types:
            assert resources == ("*",), f"{name}: AWS has no resource type for {action}"
        elif resources != ("*",):
            forms = [_form(action.partition(":")[0], kind) for kind in types]
            assert any(_may_be(resource, form) for resource in resources for form in forms), (name, action)


@pytest.mark.parametrize(("name", "statement"), allowing(), ids=lambda value: str(value)[:30])
def test_a_resource_is_of_a_type_of_some_action(name: str, statement: dict[str, Any]) -> None:
    actions = listed(statement["Action"])
    forms = [_form(a.partition(":")[0], kind) for a in actions for kind in ACTIONS[a]["resources"]]
    for resource in listed(statement["Resource"]):
        assert resource == "*" or any(_may_be(resource, form) for form in forms), (name, resource)


def test_the_page_gives_the_reason_for_each_action_with_a_star() -> None:
    section = PAGE.partition("## Which statements have `*`")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    named = {word for row in rows for word in re.findall(r"`(?:\w+:)?(\w+)`", row.split("|")[1])}
    starred = {
        action.partition(":")[2]
        for _, statement in allowing()
        for action in listed(statement["Action"])
        if statement["Resource"] == "*"
    }
    assert starred == named


def test_what_writes_names_its_resources() -> None:
    for _, statement in allowing():
        writes = [
            a for a in listed(statement["Action"]) if not re.match(r"\w+:(Get|List|Describe|BatchGet)", a)
        ]
        assert not writes or statement["Resource"] != "*", writes


def test_a_role_is_passed_and_made_for_image_builder_alone() -> None:
    keys = {"iam:PassRole": "iam:PassedToService", "iam:CreateServiceLinkedRole": "iam:AWSServiceName"}
    found = [(a, one) for _, one in allowing() for a in listed(one["Action"]) if a in keys]
    assert {action for action, _ in found} == set(keys)
    for action, statement in found:
        assert statement["Condition"] == {"StringEquals": {keys[action]: "imagebuilder.amazonaws.com"}}
        assert keys[action] in ACTIONS[action]["conditions"]


def test_each_condition_key_is_one_that_the_action_has() -> None:
    for _, statement in allowing():
        for key in statement.get("Condition", {}).get("StringEquals", {}):
            known = {
                c.partition("$")[0] for a in listed(statement["Action"]) for c in ACTIONS[a]["conditions"]
            }
            assert any(key == one or (one.endswith("/") and key.startswith(one)) for one in known), key


def test_the_policies_of_the_caller_fit_into_the_inline_policies_of_a_role() -> None:
    every = {"Statement": [s for name in ALLOWING if name.startswith("caller/") for s in statements(name)]}
    size = len(json.dumps({"Version": "2012-10-17", **every}, separators=(",", ":")).replace(" ", ""))
    assert MANAGED_LIMIT < size < ROLE_LIMIT


def test_the_roles_trust_the_service_that_assumes_them() -> None:
    found = {name: statements(name)[0]["Principal"]["Service"] for name in NAMES if name.endswith("trust")}
    assert found == {
        "execution-role/trust": "imagebuilder.amazonaws.com",
        "instance-profile/trust": "ec2.amazonaws.com",
    }


def test_the_policy_of_the_queue_is_that_of_the_how_to_page() -> None:
    assert f"`events/{QUEUE.name}`:" in (DOCS / "how-to" / "events.md").read_text("utf-8")


# -- the evaluation of a policy ------------------------------------------------------------------------------

ROLE = "arn:aws:iam::111122223333:role/ImageBuilderExecution"
PASSED = {"iam:PassedToService": "imagebuilder.amazonaws.com"}


@pytest.mark.parametrize(
    ("request_", "allowed"),
    [
        (Request("iam:PassRole", ROLE, PASSED), True),
        (Request("iam:passrole", ROLE, PASSED), True),
        (Request("iam:PassRole", ROLE), False),
        (Request("iam:PassRole", ROLE, {"iam:PassedToService": "ec2.amazonaws.com"}), False),
        (Request("iam:PassRole", ROLE + "2", PASSED), False),
        (Request("iam:GetRole", ROLE, PASSED), False),
        (
            Request("imagebuilder:GetWorkflow", "arn:aws:imagebuilder:eu-west-1:aws:workflow/test/x/1.0.0/1"),
            True,
        ),
        (
            Request("imagebuilder:GetWorkflow", "arn:aws:imagebuilder:us-east-1:aws:workflow/test/x/1.0.0/1"),
            False,
        ),
    ],
    ids=str,
)
def test_a_request_needs_an_action_a_resource_and_the_conditions(request_: Request, allowed: bool) -> None:
    assert Policy.of([document("caller/workflows")]).allows(request_) is allowed


def test_a_deny_counts_more_than_an_allow() -> None:
    deny = {"Statement": [{"Effect": "Deny", "Action": "imagebuilder:*", "Resource": "*"}]}
    request = Request(
        "imagebuilder:CancelImageCreation", "arn:aws:imagebuilder:eu-west-1:111122223333:image/a/1.0.0/1"
    )
    assert Policy.of([document("caller/cancel")]).allows(request)
    assert not Policy.of([document("caller/cancel"), deny]).allows(request)


def _form(service: str, kind: str) -> str:
    return TYPES[f"{service}:{kind.rstrip('*')}"]


def _may_be(resource: str, form: str) -> bool:
    """Return whether an ARN, which may hold ``*``, can be one of a type."""
    given, wanted = resource.split(":", 5), form.split(":", 5)
    if given[2] != wanted[2] or any(
        bool(g) != bool(w) and w == "" for g, w in zip(given[3:5], wanted[3:5], strict=True)
    ):
        return False
    fixed = wanted[5].partition("$")[0]
    return given[5].startswith(fixed) if fixed else True


# -- the whole package ---------------------------------------------------------------------------------------

PACKAGE = Path(__file__).parents[2] / "airflow_imagebuilder"
NO_CALLER = {"local", "testing", "ui"}
"""Folders that call no AWS with the connection of a task."""

OTHER_MEANINGS = {"verify", "get_user"}
"""Names of operations that mean something else here: the check of TLS certificates, Airflow's user."""

SERVICES = ("imagebuilder", "ec2", "ecr", "events", "iam", "kms", "logs", "s3", "sns", "sqs", "ssm", "sts")


def operations_named_in_the_package() -> set[str]:
    """Return the names of operations, as botocore's methods, that the code names: as text or as a method."""
    session = botocore.session.get_session()
    known = {xform_name(name) for one in SERVICES for name in session.get_service_model(one).operation_names}
    found: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        if path.relative_to(PACKAGE).parts[0] in NO_CALLER:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            name = getattr(node, "attr", None) or getattr(node, "value", None)
            if isinstance(name, str) and name in known:
                found.add(name)
    return found


def test_every_operation_that_the_code_names_is_an_action_of_the_policies() -> None:
    given = {xform_name(a.partition(":")[2]) for _, one in allowing() for a in listed(one["Action"])}
    named = {name.removesuffix("_batch") for name in operations_named_in_the_package()}
    assert {"create_image", "deregister_image", "receive_message", "describe_key"} <= named
    assert named - given == OTHER_MEANINGS
