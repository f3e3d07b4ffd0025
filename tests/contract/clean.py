"""Clean: finds what runs have left in an account, by name and tag, and removes it."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

from tests.contract.account import ENDED, PREFIX, NotReadyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.contract.account import Account

    Finder = Callable[[Account, str], Iterator["Leftover"]]

ROUNDS = 4
"""How often what is left is tried again: one resource keeps another."""

KINDS = (
    ("image_pipeline", "list_image_pipelines", "imagePipelineList", "imagePipelineArn"),
    ("image_recipe", "list_image_recipes", "imageRecipeSummaryList", "imageRecipeArn"),
    (
        "infrastructure_configuration",
        "list_infrastructure_configurations",
        "infrastructureConfigurationSummaryList",
        "infrastructureConfigurationArn",
    ),
    (
        "distribution_configuration",
        "list_distribution_configurations",
        "distributionConfigurationSummaryList",
        "distributionConfigurationArn",
    ),
)
"""Noun, method, key and member of the resources without builds."""
BUILD_KINDS = (
    ("component", "componentVersionList", "componentSummaryList"),
    ("workflow", "workflowVersionList", "workflowSummaryList"),
)
"""Noun and keys of the resources with builds."""


class Leftover(NamedTuple):
    """
    One thing that a run has made.

    :param remove: removes it.
    """

    kind: str
    id: str
    remove: Callable[[], Any]


def find(account: Account, stem: str = PREFIX) -> list[Leftover]:
    """
    Return what is left of runs, in an order in which it can be removed.

    :param stem: how the names begin; that of all runs by default.
    """
    finders: tuple[Finder, ...] = (
        _images,
        *(partial(_resources, kind=kind) for kind in KINDS),
        *(partial(_builds, kind=kind) for kind in BUILD_KINDS),
        *(_amis, _snapshots, _instances, _rules, _queues, _profiles, _logs),
    )
    return [leftover for finder in finders for leftover in _listed(finder(account, stem))]


def _listed(found: Iterator[Leftover]) -> Iterator[Leftover]:
    """Yield what is found; a list that the account refuses must not keep what the others hold."""
    try:
        yield from found
    except ClientError as error:
        yield Leftover(f"{_snake(error.operation_name)}, which the account refuses:", str(error), _nothing)


def _snake(operation: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", operation).lower()


def _nothing() -> None:
    """Remove nothing: it is not known what there is."""


def remove(account: Account, stem: str = PREFIX) -> list[Leftover]:
    """Remove what is left of runs, and return what could not be removed."""
    with suppress(NotReadyError, ClientError):
        cancel(account, stem)
    left = find(account, stem)
    for round_ in range(ROUNDS):
        for leftover in left:
            with suppress(ClientError):
                leftover.remove()
        left = find(account, stem)
        if not left:
            break
        time.sleep(min(account.poll, 1.0) * round_)  # IAM and EC2 show a removal a moment later
    return left


def cancel(account: Account, stem: str) -> None:
    """
    Cancel the images that are being made, and wait until they have finished.

    :raises NotReadyError: they have not.
    """
    client = account.client()
    for arn, status in _own_images(account, stem):
        if status not in ENDED:
            with suppress(ClientError):
                client.cancel_image_creation(imageBuildVersionArn=arn)
    for _ in account.polls("the end of the images"):
        if all(status in ENDED for _, status in _own_images(account, stem)):
            return


def _pages(client: Any, method: str, key: str, **params: Any) -> Iterator[dict[str, Any]]:
    token: dict[str, str] = {}
    while True:
        answer = getattr(client, method)(**params, **token)
        yield from answer.get(key, [])
        if not answer.get("nextToken"):
            return
        token = {"nextToken": answer["nextToken"]}


def _own_images(account: Account, stem: str) -> list[tuple[str, str]]:
    client = account.client()
    versions = [
        item["arn"]
        for item in _pages(client, "list_images", "imageVersionList", owner="Self")
        if item["name"].startswith(stem)
    ]
    return [
        (image["arn"], image["state"]["status"])
        for version in versions
        for image in _pages(client, "list_image_build_versions", "imageSummaryList", imageVersionArn=version)
        if image["state"]["status"] != "DELETED"
    ]


def _images(account: Account, stem: str) -> Iterator[Leftover]:
    delete = account.client().delete_image
    for arn, _ in _own_images(account, stem):
        yield Leftover("image", arn, partial(delete, imageBuildVersionArn=arn))


def _resources(account: Account, stem: str, *, kind: tuple[str, str, str, str]) -> Iterator[Leftover]:
    noun, method, key, member = kind
    client = account.client()
    delete = getattr(client, f"delete_{noun}")
    for item in _pages(client, method, key):
        if item["arn"].rsplit(":", 1)[1].split("/")[1].startswith(stem):
            arn = item["arn"]
            yield Leftover(noun, arn, partial(delete, **{member: arn}))


def _builds(account: Account, stem: str, *, kind: tuple[str, str, str]) -> Iterator[Leftover]:
    noun, versions, builds = kind
    client = account.client()
    delete = getattr(client, f"delete_{noun}")
    for version in _pages(client, f"list_{noun}s", versions, owner="Self"):
        if not version["name"].startswith(stem):
            continue
        given = {f"{noun}VersionArn": version["arn"]}
        for item in _pages(client, f"list_{noun}_build_versions", builds, **given):
            arn = {f"{noun}BuildVersionArn": item["arn"]}
            yield Leftover(noun, item["arn"], partial(delete, **arn))


def _of_image_builder(tags: list[dict[str, str]], stem: str) -> bool:
    own = {tag["Key"]: tag["Value"] for tag in tags}
    return f":image/{stem}" in own.get("Ec2ImageBuilderArn", "")


def _amis(account: Account, stem: str) -> Iterator[Leftover]:
    """Yield the AMIs with their snapshots; EC2 keeps a snapshot as long as its AMI."""
    ec2 = account.client("ec2")
    for image in ec2.describe_images(Owners=["self"])["Images"]:
        if _of_image_builder(image.get("Tags", []), stem):
            yield Leftover("ami", image["ImageId"], partial(_deregister, ec2, image))


def _deregister(ec2: Any, image: dict[str, Any]) -> None:
    ec2.deregister_image(ImageId=image["ImageId"])
    for disk in image.get("BlockDeviceMappings", []):
        if snapshot := disk.get("Ebs", {}).get("SnapshotId"):
            with suppress(ClientError):
                ec2.delete_snapshot(SnapshotId=snapshot)


def _snapshots(account: Account, stem: str) -> Iterator[Leftover]:
    ec2 = account.client("ec2")
    tagged = [{"Name": "tag-key", "Values": ["Ec2ImageBuilderArn"]}]
    for found in ec2.describe_snapshots(OwnerIds=["self"], Filters=tagged)["Snapshots"]:
        if _of_image_builder(found.get("Tags", []), stem):
            id_ = found["SnapshotId"]
            yield Leftover("snapshot", id_, partial(ec2.delete_snapshot, SnapshotId=id_))


def _instances(account: Account, stem: str) -> Iterator[Leftover]:
    ec2 = account.client("ec2")
    states = [{"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]}]
    for reservation in ec2.describe_instances(Filters=states)["Reservations"]:
        for found in reservation["Instances"]:
            if _of_image_builder(found.get("Tags", []), stem):
                ids = [found["InstanceId"]]
                yield Leftover("instance", ids[0], partial(ec2.terminate_instances, InstanceIds=ids))


def _rules(account: Account, stem: str) -> Iterator[Leftover]:
    events = account.client("events")
    for rule in events.list_rules(NamePrefix=stem)["Rules"]:
        yield Leftover("rule", rule["Name"], partial(_delete_rule, events, rule["Name"]))


def _delete_rule(events: Any, name: str) -> None:
    targets = [target["Id"] for target in events.list_targets_by_rule(Rule=name)["Targets"]]
    if targets:
        events.remove_targets(Rule=name, Ids=targets)
    events.delete_rule(Name=name)


def _queues(account: Account, stem: str) -> Iterator[Leftover]:
    sqs = account.client("sqs")
    for url in sqs.list_queues(QueueNamePrefix=stem).get("QueueUrls", []):
        yield Leftover("queue", url.rsplit("/", 1)[1], partial(sqs.delete_queue, QueueUrl=url))


def _profiles(account: Account, stem: str) -> Iterator[Leftover]:
    iam = account.client("iam")
    for page in iam.get_paginator("list_instance_profiles").paginate(PathPrefix=f"/{PREFIX}/"):
        for profile in page["InstanceProfiles"]:
            name = profile["InstanceProfileName"]
            if name.startswith(stem):
                yield Leftover(
                    "instance profile",
                    name,
                    partial(iam.delete_instance_profile, InstanceProfileName=name),
                )


def _logs(account: Account, stem: str) -> Iterator[Leftover]:
    logs = account.client("logs")
    pages = logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=f"/aws/imagebuilder/{stem}")
    for page in pages:
        for group in page["logGroups"]:
            name = group["logGroupName"]
            yield Leftover("log group", name, partial(logs.delete_log_group, logGroupName=name))
