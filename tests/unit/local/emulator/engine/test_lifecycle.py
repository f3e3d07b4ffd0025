"""Lifecycle policies and updates of the state of images."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_imagebuilder.local.emulator.engine import ApiError, Failure
from tests.support.aws_model import is_older
from tests.support.bench import Bench

DAY = 86_400.0
#: An older model has no wildcards there.
RECIPES = {"recipes": [{"name": "golden-al2023", "semanticVersion": "1.0.0" if is_older() else "1.x.x"}]}


def rule(action: str, filter_type: str = "AGE", value: int = 3, **more: Any) -> dict[str, Any]:
    """Return a rule of a policy, for all AMIs."""
    found: dict[str, Any] = {
        "action": {"type": action, "includeResources": {"amis": True}},
        "filter": {"type": filter_type, "value": value},
    }
    if filter_type == "AGE":
        found["filter"]["unit"] = "DAYS"
    found["filter"] |= more.pop("filter", {})
    return {**found, **more}


def create(bench: Bench, *rules: dict[str, Any], **more: Any) -> str:
    request: dict[str, Any] = {
        "name": "tidy",
        "executionRole": "Tidy",
        "resourceType": "AMI_IMAGE",
        "policyDetails": list(rules),
        "resourceSelection": RECIPES,
        **more,
    }
    return str(bench.call("CreateLifecyclePolicy", **request)["lifecyclePolicyArn"])


def bake(bench: Bench, **more: Any) -> str:
    arn = bench.bake(**more)
    bench.finish(arn)
    return arn


def pass_days(bench: Bench, days: float) -> None:
    bench.engine.clock.advance(days * DAY)
    bench.engine.run_due()


def executions(bench: Bench, arn: str) -> list[dict[str, Any]]:
    return list(bench.call("ListLifecycleExecutions", resourceArn=arn)["lifecycleExecutions"])


def test_the_newest_images_of_a_version_are_kept(bench: Bench) -> None:
    images = [bake(bench) for _ in range(4)]
    policy = create(bench, rule("DELETE", "COUNT", 2))
    pass_days(bench, 1.1)
    assert [bench.status(arn) for arn in images] == ["DELETED", "DELETED", "AVAILABLE", "AVAILABLE"]
    (run,) = executions(bench, policy)
    assert (run["state"]["status"], run["lifecyclePolicyArn"]) == ("SUCCESS", policy)
    assert run["resourcesImpactedSummary"] == {"hasImpactedResources": True}
    rows = bench.call("ListLifecycleExecutionResources", lifecycleExecutionId=run["lifecycleExecutionId"])
    assert {row["resourceId"] for row in rows["resources"]} == set(images[:2])
    deleted = [effect.data for effect in bench.world.of("ami_state")]
    assert [data["what"] for data in deleted] == ["delete"] * 4
    assert "dateLastRun" in bench.call("GetLifecyclePolicy", lifecyclePolicyArn=policy)["lifecyclePolicy"]


def test_an_image_gets_one_action_a_day_in_the_order_of_aws(bench: Bench) -> None:
    arn = bake(bench)
    create(bench, rule("DELETE"), rule("DISABLE"), rule("DEPRECATE"))
    seen = []
    for _ in range(6):
        pass_days(bench, 1)
        seen.append(bench.status(arn))
    assert seen == ["AVAILABLE"] * 2 + ["DEPRECATED", "DISABLED", "DELETED", "DELETED"]


def test_an_age_can_keep_some_and_failed_images_take_no_place(bench: Bench) -> None:
    bench.behaviour.failures.append(Failure(workflow="golden-build", times=1))
    broken, *whole = [bake(bench) for _ in range(4)]
    create(bench, rule("DELETE", filter={"retainAtLeast": 2}))
    pass_days(bench, 1.1)
    assert bench.status(broken) == "DELETED"
    pass_days(bench, 4)
    assert [bench.status(arn) for arn in whole] == ["DELETED", "AVAILABLE", "AVAILABLE"]


def test_tags_select_and_exclude(bench: Bench) -> None:
    images = [bake(bench, tags=tags) for tags in ({"team": "a"}, {"team": "a", "keep": "yes"}, {"team": "b"})]
    create(
        bench,
        rule("DEPRECATE", value=1, exclusionRules={"tagMap": {"keep": "yes"}}),
        resourceSelection={"tagMap": {"team": "a"}},
    )
    pass_days(bench, 2.1)
    assert [bench.status(arn) for arn in images] == ["DEPRECATED", "AVAILABLE", "AVAILABLE"]


@pytest.mark.parametrize(
    ("exclusion", "reason"),
    [({"regions": ["eu-west-1"]}, "The AMI is in the Region eu-west-1."), ({"isPublic": True}, None)],
    ids=["a region", "public"],
)
def test_an_excluded_ami_keeps_its_image(bench: Bench, exclusion: dict[str, Any], reason: str | None) -> None:
    arn = bake(bench)
    policy = create(bench, rule("DELETE", value=1, exclusionRules={"amis": exclusion}))
    pass_days(bench, 2.1)
    assert bench.status(arn) == ("AVAILABLE" if reason else "DELETED")
    identifier = executions(bench, policy)[0]["lifecycleExecutionId"]
    answer = bench.call(
        "ListLifecycleExecutionResources", lifecycleExecutionId=identifier, parentResourceId=arn
    )
    skipped = [
        row["state"].get("reason") for row in answer["resources"] if row["state"]["status"] == "SKIPPED"
    ]
    assert skipped == ([reason] if reason else [])


def test_a_policy_that_is_disabled_or_deleted_does_nothing_more(bench: Bench) -> None:
    arn = bake(bench)
    policy = create(bench, rule("DEPRECATE", value=1), status="DISABLED")
    pass_days(bench, 3)
    assert bench.status(arn) == "AVAILABLE"
    request = bench.call("GetLifecyclePolicy", lifecyclePolicyArn=policy)["lifecyclePolicy"]
    wanted = {k: request[k] for k in ("executionRole", "resourceType", "policyDetails", "resourceSelection")}
    bench.call("UpdateLifecyclePolicy", lifecyclePolicyArn=policy, **wanted)
    bench.call("DeleteLifecyclePolicy", lifecyclePolicyArn=policy)
    pass_days(bench, 3)
    assert bench.status(arn) == "AVAILABLE"
    with pytest.raises(ApiError, match="does not exist"):
        bench.call("GetLifecyclePolicy", lifecyclePolicyArn=policy)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"resourceSelection": {}}, "Exactly one of recipes and tagMap"),
        ({"resourceSelection": {**RECIPES, "tagMap": {"a": "b"}}}, "Exactly one of recipes and tagMap"),
        ({"policyDetails": [rule("DELETE"), rule("DELETE")]}, "at most one rule of type DELETE"),
        ({"policyDetails": [rule("DISABLE", "COUNT")]}, "Only rules that delete can count"),
        ({"policyDetails": [rule("DELETE", "COUNT", filter={"unit": "DAYS"})]}, "belong to an age"),
        ({"resourceType": "CONTAINER_IMAGE", "policyDetails": [rule("DISABLE")]}, "can only be deleted"),
        ({"resourceType": "CONTAINER_IMAGE"}, "cannot include amis"),
        (
            {
                "policyDetails": [
                    {**rule("DELETE"), "action": {"type": "DELETE", "includeResources": {"snapshots": True}}}
                ]
            },
            "snapshots need amis",
        ),
        ({"policyDetails": [{**rule("DELETE"), "filter": {"type": "AGE", "value": 1}}]}, "An age has a unit"),
    ],
    ids=range(9),
)
def test_a_policy_that_aws_does_not_take(bench: Bench, change: dict[str, Any], text: str) -> None:
    with pytest.raises(ApiError, match=text):
        create(bench, *change.pop("policyDetails", [rule("DELETE")]), **change)


def test_a_state_alone_changes_at_once(bench: Bench) -> None:
    arn = bake(bench)
    for status in ("DEPRECATED", "DISABLED", "AVAILABLE"):
        answer = bench.call("StartResourceStateUpdate", resourceArn=arn, state={"status": status})
        assert answer == {"resourceArn": arn}
        assert bench.status(arn) == status
    assert executions(bench, arn) == []


def test_a_state_with_amis_changes_in_an_execution(bench: Bench) -> None:
    arn = bake(bench)
    request: dict[str, Any] = {
        "resourceArn": arn,
        "state": {"status": "DELETED"},
        "executionRole": "Tidy",
        "includeResources": {"amis": True, "snapshots": True},
    }
    identifier = bench.call("StartResourceStateUpdate", **request)["lifecycleExecutionId"]
    assert bench.image(arn)["lifecycleExecutionId"] == identifier
    with pytest.raises(ApiError) as caught:
        bench.call("StartResourceStateUpdate", **request)
    assert caught.value.code == "ResourceInUseException"
    pass_days(bench, 0.1)
    assert bench.status(arn) == "DELETED"
    (run,) = executions(bench, arn)
    assert run["state"]["status"] == "SUCCESS"
    assert "lifecyclePolicyArn" not in run


def test_a_deprecation_waits_for_its_moment_and_can_be_cancelled(bench: Bench) -> None:
    arn = bake(bench)
    moment = bench.engine.clock.now() + 2 * DAY
    state = {"status": "DEPRECATED"}
    answer = bench.call("StartResourceStateUpdate", resourceArn=arn, state=state, updateAt=moment)
    identifier = answer["lifecycleExecutionId"]
    assert bench.image(arn)["deprecationTime"] == moment
    pass_days(bench, 1)
    bench.call("CancelLifecycleExecution", lifecycleExecutionId=identifier)
    pass_days(bench, 2)
    assert bench.status(arn) == "AVAILABLE"
    found = bench.call("GetLifecycleExecution", lifecycleExecutionId=identifier)["lifecycleExecution"]
    assert found["state"]["status"] == "CANCELLED"
    with pytest.raises(ApiError, match="is CANCELLED"):
        bench.call("CancelLifecycleExecution", lifecycleExecutionId=identifier)


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        ({"state": {"status": "AVAILABLE"}}, "is AVAILABLE and cannot be AVAILABLE"),
        ({"state": {"status": "DELETED"}}, "DELETED needs includeResources"),
        ({"state": {"status": "DISABLED"}, "executionRole": "Tidy"}, "must be specified together"),
        ({"state": {"status": "DISABLED"}, "updateAt": 9e9}, "for DEPRECATED alone"),
        ({"state": {"status": "DEPRECATED"}, "updateAt": 1.0}, "a moment in the future"),
    ],
    ids=range(5),
)
def test_an_update_that_aws_does_not_take(bench: Bench, request_: dict[str, Any], text: str) -> None:
    arn = bake(bench)
    with pytest.raises(ApiError, match=text):
        bench.call("StartResourceStateUpdate", resourceArn=arn, **request_)
    with pytest.raises(ApiError, match="PENDING"):
        bench.call("StartResourceStateUpdate", resourceArn=bench.bake(), state={"status": "DEPRECATED"})


def test_an_update_does_not_hit_an_image_that_was_retried_in_the_meantime() -> None:
    bench = Bench(Failure(workflow="boot", times=1))
    arn = bench.bake()
    assert bench.finish(arn) == "FAILED"
    update = bench.call(
        "StartResourceStateUpdate",
        resourceArn=arn,
        state={"status": "DELETED"},
        executionRole="lifecycle",
        includeResources={"amis": True},
    )
    bench.call("RetryImage", imageBuildVersionArn=arn)
    assert bench.run_to(arn, "AVAILABLE", "DELETED") == "AVAILABLE"
    identifier = update["lifecycleExecutionId"]
    execution = bench.call("GetLifecycleExecution", lifecycleExecutionId=identifier)["lifecycleExecution"]
    assert execution["state"] == {
        "status": "FAILED",
        "reason": "The image is TESTING and cannot be DELETED.",
    }
