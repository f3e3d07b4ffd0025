"""How a pipeline builds: workflows, infrastructure and distribution, now and in the last image."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.gates.needs.statement import Statement, Verdict, read
from airflow_imagebuilder.service.gates.needs.versions import Version, compared, version_of
from airflow_imagebuilder.service.results.workflow import seconds_between

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from airflow_imagebuilder.service.gates.needs.ports import Reads
    from airflow_imagebuilder.service.gates.needs.target import Target

WORKFLOWS, DISTRIBUTION, INFRASTRUCTURE = "workflows", "distribution", "infrastructure"

_OF_PIPELINES = "a recipe names none, only a pipeline does"


def workflows(aws: Reads, target: Target, image: Mapping[str, Any]) -> Iterator[Statement]:
    """Compare the pipeline's workflows with those of the last image: a call for each open one, and one."""
    if target.pipeline is None:
        yield Statement(WORKFLOWS, Verdict.NOT_COMPARED, _OF_PIPELINES)
        return
    now: Sequence[Any] = target.pipeline.get("workflows") or ()
    then: Sequence[Any] = image.get("workflows") or ()
    if not now and all(map(_is_managed, then)):
        yield Statement(WORKFLOWS, Verdict.NOT_COMPARED, "the pipeline names none: AWS takes its defaults")
        return
    if list(map(_use, now)) != list(map(_use, then)):
        text = f"the pipeline runs {_names(now)}; the last image ran {_names(then)}"
        more = ", or with other parameters, groups or onFailure" if _names(now) == _names(then) else ""
        yield Statement(WORKFLOWS, Verdict.BUILD, f"{text}{more}")
        return
    yield from _versions(aws, now, then, image)


def _versions(
    aws: Reads, now: Sequence[Any], then: Sequence[Any], image: Mapping[str, Any]
) -> Iterator[Statement]:
    """Compare versions. Where the image records a wildcard, its executions show what it meant."""
    ran: dict[str, Version] | Statement | None = None
    for item, old in zip(now, then, strict=True):
        given, recorded = version_of(item.get("workflowArn")), version_of(old.get("workflowArn"))
        if recorded is not None and recorded.is_open:
            if ran is None:
                ran = read(WORKFLOWS, f"the workflows of {image['arn']}", lambda: _ran(aws, image))
            if isinstance(ran, Statement):
                yield ran
                return
            recorded = ran.get(recorded.thing)
        yield _workflow(aws, str(item.get("workflowArn")), given, recorded)


def _workflow(aws: Reads, arn: str, given: Version | None, recorded: Version | None) -> Statement:
    if given is None:
        return Statement(WORKFLOWS, Verdict.UNKNOWN, f"{arn} is not the ARN of a workflow")
    if recorded is None:
        text = f"{given.name} {given.text}: the last image did not run it, so its version is not known"
        return Statement(WORKFLOWS, Verdict.NOT_COMPARED, text)
    now: Version | None = given
    if given.is_open:
        found = read(WORKFLOWS, f"workflow {given.name} {given.text}", lambda: aws.get_workflow(arn))
        if isinstance(found, Statement):
            return found
        now = version_of(found.get("arn"))
    if now is None or now.is_open:
        return Statement(WORKFLOWS, Verdict.UNKNOWN, f"GetWorkflow answers {arn} without a build number")
    if change := compared(now, recorded):
        return Statement(WORKFLOWS, Verdict.BUILD, f"{now.name} {change}")
    why = "the newest" if given.is_open else "pinned by the pipeline"
    return Statement(WORKFLOWS, Verdict.NO, f"{now.name} {now.text} is {why}")


def _ran(aws: Reads, image: Mapping[str, Any]) -> dict[str, Version]:
    executions = aws.list_workflow_executions(str(image["arn"]))
    found = [version_of(one.get("workflowBuildVersionArn")) for one in executions]
    return {version.thing: version for version in found if version is not None and not version.is_open}


def _use(item: Mapping[str, Any]) -> str:
    """Return how a workflow is used, without its version: AWS's default of onFailure is ABORT."""
    used = (
        _thing(item),
        item.get("parallelGroup"),
        item.get("onFailure") or "ABORT",
        sorted(item.get("parameters") or (), key=lambda one: str(one.get("name"))),
    )
    return json.dumps(used, sort_keys=True, default=str)


def _thing(item: Mapping[str, Any]) -> str:
    version = version_of(item.get("workflowArn"))
    return version.thing if version else str(item.get("workflowArn"))


def _is_managed(item: Mapping[str, Any]) -> bool:
    return _thing(item).startswith("aws/")


def _names(items: Sequence[Any]) -> str:
    return ", ".join(_thing(item).rpartition("/")[2] for item in items) or "AWS's default workflows"


def distribution(aws: Reads, target: Target, image: Mapping[str, Any]) -> Iterator[Statement]:
    """Compare where the pipeline distributes with the last image: at most one call."""
    get = aws.get_distribution_configuration
    yield _configuration(DISTRIBUTION, "distributionConfiguration", get, target, image)


def infrastructure(aws: Reads, target: Target, image: Mapping[str, Any]) -> Iterator[Statement]:
    """Compare where the pipeline builds with the last image: at most one call."""
    get = aws.get_infrastructure_configuration
    yield _configuration(INFRASTRUCTURE, "infrastructureConfiguration", get, target, image)


def _configuration(
    check: str,
    member: str,
    get: Callable[[str], dict[str, Any]],
    target: Target,
    image: Mapping[str, Any],
) -> Statement:
    if target.pipeline is None:
        return Statement(check, Verdict.NOT_COMPARED, _OF_PIPELINES)
    now, then = target.pipeline.get(f"{member}Arn"), (image.get(member) or {}).get("arn")
    if now != then:
        return Statement(check, Verdict.BUILD, f"the pipeline names {now}; the last image used {then}")
    if not now:
        return Statement(check, Verdict.NO, "the pipeline names none, as in the last image")
    found = read(check, str(now), lambda: get(str(now)))
    return found if isinstance(found, Statement) else _since(check, str(now), found, image)


def _since(check: str, arn: str, found: Mapping[str, Any], image: Mapping[str, Any]) -> Statement:
    changed, built = found.get("dateUpdated") or found.get("dateCreated"), image.get("dateCreated")
    name = arn.rpartition("/")[2]
    after = seconds_between(built, changed)
    if after is None:
        text = f"whether {name} was changed since the last image began: its date or the image's is missing"
        return Statement(check, Verdict.UNKNOWN, text)
    text = (
        f"{name} was changed {changed}, after the last image began ({built})"
        if after
        else f"{name} was not changed since the last image began ({built})"
    )
    return Statement(check, Verdict.BUILD if after else Verdict.NO, text)
