"""The rules of CreateImage for several members together. AWS's API model has none of them.

They come from the API reference and the user guide, where AWS describes them in words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from airflow_imagebuilder.service.arns.arns import WorkflowArn
from airflow_imagebuilder.service.errors import Fault
from airflow_imagebuilder.service.request.rules.draft import RequestDraft
from airflow_imagebuilder.service.request.rules.regions import one_region
from airflow_imagebuilder.service.request.rules.scans import SCAN_RULES, scan_warnings
from airflow_imagebuilder.service.request.schema import MEMBERS
from airflow_imagebuilder.service.request.workflows import WorkflowType

if TYPE_CHECKING:
    from airflow_imagebuilder.service.request.fields.fields import Later

MAX_WORKFLOWS = 10
"""Workflows of one image, its build and its distribution included (user guide, "Manage image workflows")."""

_ROLE = "the name or ARN of an IAM role that trusts imagebuilder.amazonaws.com"
_NAMESPACE = "/aws/imagebuilder/"


def broken_rules(fields: Mapping[str, object], later: Later) -> Iterator[Fault]:
    """Yield a fault per rule that the members break together.

    A rule does not apply where it depends on a value that is not known yet.

    :param fields: the members of the request, without unset ones.
    :param later: returns whether a value is not known yet.
    """
    draft = RequestDraft(fields, later)
    for rule in RULES:
        yield from rule(draft)


def workflow_faults(fields: Mapping[str, object], later: Later) -> Iterator[Fault]:
    """Yield a fault per rule that the workflows break, and per workflow that AWS would refuse.

    :param fields: ``workflows`` alone.
    :param later: returns whether a value is not known yet.
    """
    yield from MEMBERS["workflows"].faults("workflows", fields["workflows"], later)
    draft = RequestDraft(fields, later)
    for rule in _WORKFLOW_RULES:
        yield from rule(draft)


def request_warnings(fields: Mapping[str, object], later: Later) -> Iterator[str]:
    """Yield a warning for what AWS takes although the user hardly means it.

    .. seealso:: "Manage image workflows": a stage without a workflow is skipped.
        https://docs.aws.amazon.com/imagebuilder/latest/userguide/manage-image-workflows.html
    """
    draft = RequestDraft(fields, later)
    yield from scan_warnings(draft)
    types = {entry.type for entry in draft.listed()}
    if types and None not in types and WorkflowType.BUILD not in types:
        recipe = "container" if fields.get("container_recipe_arn") else "image"
        yield (
            "workflows has no build workflow, so AWS skips the build stage and makes no new image: what it "
            f"tests and returns is the parent image of the recipe. Add a build workflow, such as "
            f"arn:<partition>:imagebuilder:<region>:aws:workflow/build/build-{recipe}/x.x.x."
        )


def _infrastructure(draft: RequestDraft) -> Iterator[Fault]:
    if not draft.is_set("infrastructure_configuration_arn"):
        remedy = "give the configuration of the instances that build the image"
        yield Fault(
            "infrastructure_configuration_arn", None, "the ARN of an infrastructure configuration", remedy
        )


def _one_recipe(draft: RequestDraft) -> Iterator[Fault]:
    names = ("image_recipe_arn", "container_recipe_arn")
    given = [name for name in names if draft.is_set(name)]
    if len(given) == 1 or draft.is_late(*names):
        return
    value = {name: draft.fields[name] for name in given} or None
    remedy = (
        "leave one out" if given else "give image_recipe_arn for an AMI, container_recipe_arn for a container"
    )
    yield Fault(" and ".join(names), value, "exactly one of the two", remedy)


def _role_for_workflows(draft: RequestDraft) -> Iterator[Fault]:
    if draft.is_set("workflows") and not draft.is_late("workflows") and not draft.is_set("execution_role"):
        remedy = "give the role that runs the workflows; its policy is EC2ImageBuilderExecutionPolicy or less"
        yield Fault("execution_role", None, f"{_ROLE}, required with workflows", remedy)


def _role_for_log_group(draft: RequestDraft) -> Iterator[Fault]:
    group = draft.inner("logging_configuration", "logGroupName")
    outside = isinstance(group, str) and not group.startswith(_NAMESPACE)
    if outside and not draft.is_set("execution_role"):
        allowed = f"{_ROLE}, required with a log group outside {_NAMESPACE}"
        remedy = f"give a role that may write to {group!r}, or name a log group that begins with {_NAMESPACE}"
        yield Fault("execution_role", None, allowed, remedy)


def _at_most_ten(draft: RequestDraft) -> Iterator[Fault]:
    count = len(draft.listed())
    if count > MAX_WORKFLOWS:
        allowed = f"at most {MAX_WORKFLOWS} workflows, the build and the distribution included"
        yield Fault("workflows", f"{count} workflows", allowed, f"take out {count - MAX_WORKFLOWS}")


def _one_build_one_distribution(draft: RequestDraft) -> Iterator[Fault]:
    for kind in (WorkflowType.BUILD, WorkflowType.DISTRIBUTION):
        paths = [entry.path for entry in draft.listed() if entry.type is kind]
        if len(paths) > 1:
            allowed = f"at most one {kind.lower()} workflow"
            yield Fault(
                "workflows",
                f"{len(paths)} {kind.lower()} workflows",
                allowed,
                f"keep one of {', '.join(paths)}",
            )


def _tests_only(draft: RequestDraft) -> Iterator[Fault]:
    names = ("parallel_group", "on_failure", "parallelGroup", "onFailure")
    for entry in draft.listed():
        if entry.type in (None, WorkflowType.TEST):
            continue
        for name in names:
            value = entry.members.get(name)
            if value not in (None, "") and not draft.later(value):
                remedy = f"leave it out: this is the {entry.type.lower()} workflow"
                yield Fault(f"{entry.path}.{name}", value, "set on test workflows only", remedy)


def _managed_is_newest(draft: RequestDraft) -> Iterator[Fault]:
    for entry in draft.listed():
        for name in ("arn", "workflowArn"):
            text = entry.members.get(name)
            if not WorkflowArn.accepts(text) or not (arn := WorkflowArn.parse(str(text))).is_managed:
                continue
            if arn != arn.newest:
                allowed = "the newest version of a workflow that Amazon manages"
                remedy = f"AWS takes it in its newest version alone: write {str(arn.newest)!r}"
                yield Fault(f"{entry.path}.{name}", text, allowed, remedy)


def _each_parameter_once(draft: RequestDraft) -> Iterator[Fault]:
    for entry in draft.listed():
        listed = entry.members.get("parameters")
        items = (
            [item for item in listed if isinstance(item, Mapping)]
            if isinstance(listed, (list, tuple))
            else []
        )
        seen: list[object] = []
        for item in items:
            if (name := item.get("name")) in seen:
                yield Fault(
                    f"{entry.path}.parameters", name, "each parameter once", "put its values into one list"
                )
            seen.append(name)


_WORKFLOW_RULES: tuple[Callable[[RequestDraft], Iterator[Fault]], ...] = (
    _at_most_ten,
    _one_build_one_distribution,
    _tests_only,
    _managed_is_newest,
    _each_parameter_once,
)

RULES: tuple[Callable[[RequestDraft], Iterator[Fault]], ...] = (
    _infrastructure,
    _one_recipe,
    _role_for_workflows,
    _role_for_log_group,
    *SCAN_RULES,
    *_WORKFLOW_RULES,
    one_region,
)
