"""Verification: the whole verdict on the outputs of an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.errors import ImageNotAvailableError, OutputsDifferError
from airflow_imagebuilder.service.gates.outputs.asked import (
    AskedAmi,
    AskedContainer,
    More,
    asked_amis,
    asked_containers,
)
from airflow_imagebuilder.service.gates.outputs.difference import (
    MOST_ROWS,
    Difference,
    Kind,
    remedies,
    table,
)
from airflow_imagebuilder.service.results.ami import is_unbuilt, marked
from airflow_imagebuilder.service.results.image import ImageResult
from airflow_imagebuilder.service.results.states import ImageStatus
from airflow_imagebuilder.service.results.workflow import seconds_between

if TYPE_CHECKING:
    from airflow_imagebuilder.service.gates.outputs.judging import Judge


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What was verified, and what differs.

    :param result: the image.
    :param asked: what it was asked for.
    :param differences: every difference, also what could not be read.
    :param changed: when the distribution configuration changed after the build had begun (ISO 8601); ``None``
        if it did not, or if the expectation was given.
    """

    result: ImageResult
    asked: tuple[AskedAmi | AskedContainer, ...] = ()
    differences: tuple[Difference, ...] = field(default=())
    changed: str | None = None

    @property
    def unverified(self) -> tuple[Difference, ...]:
        """What could not be read."""
        return tuple(one for one in self.differences if one.kind is Kind.UNVERIFIED)

    def check(self, *, fail_on_unverified: bool) -> None:
        """Raise an error with all differences.

        :param fail_on_unverified: whether what could not be read counts.
        :raises OutputsDifferError: there are differences.
        """
        counted = self.differences if fail_on_unverified else self.known
        if counted:
            raise OutputsDifferError(
                self.result.arn,
                [one.to_dict() for one in counted[:MOST_ROWS]],
                count=len(counted),
                table=table(counted, _ROWS_IN_MESSAGE),
                remedies=remedies(counted),
            )

    @property
    def known(self) -> tuple[Difference, ...]:
        """The differences of what could be read."""
        return tuple(one for one in self.differences if one.kind is not Kind.UNVERIFIED)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-safe mapping of bounded size."""
        amis = [
            {"region": one.region, "account_id": one.account, "image": one.image}
            for one in self.asked
            if isinstance(one, AskedAmi)
        ]
        return {
            "image_build_version_arn": self.result.arn,
            "outputs": len(self.asked),
            "amis": amis[:MOST_ROWS],
            "containers": {
                one.region: list(one.listed) for one in self.asked if isinstance(one, AskedContainer)
            },
            "difference_count": len(self.known),
            "differences": [one.to_dict() for one in self.known[:MOST_ROWS]],
            "not_verified_count": len(self.unverified),
            "not_verified": [one.to_dict() for one in self.unverified[:MOST_ROWS]],
            "configuration_changed": self.changed,
        }


_ROWS_IN_MESSAGE = 20


def verify(
    image: Mapping[str, Any],
    executions: Sequence[Mapping[str, Any]],
    judge: Judge,
    *,
    expected: object = None,
    more: More | None = None,
    patience: float = 0.0,
) -> Verification:
    """
    Verify the outputs of an image.

    :param image: GetImage's ``image``.
    :param executions: ListWorkflowExecutions' ``workflowExecutions``.
    :param judge: compares the outputs.
    :param expected: the ``distributions`` that count, or a configuration with them; ``None`` (default) takes
        the distribution configuration that GetImage shows.
    :param more: what every AMI must have in addition.
    :param patience: seconds for which outputs that differ are read again (default: 0).
    :raises ImageNotAvailableError: the image is not AVAILABLE.
    """
    status = str(image["state"]["status"])
    if status != ImageStatus.AVAILABLE:
        raise ImageNotAvailableError(str(image["arn"]), status, image["state"].get("reason"))
    result, more = ImageResult.from_api(image, executions), more or More()
    if result.type == "AMI" and is_unbuilt(image, executions):
        return Verification(result=result, differences=(_parent_only(result),))
    configuration = image.get("distributionConfiguration") or {}
    distributions = distributions_in(configuration if expected is None else expected)
    if expected is not None:
        result = _as_expected(result, distributions)
    asked: Sequence[AskedAmi | AskedContainer] = (
        asked_amis(image, result, distributions, more)
        if result.type == "AMI"
        else asked_containers(image, result, distributions, more)
    )
    differences = judge.verdict(asked, patience)
    changed = None if expected is not None else _changed(image, configuration)
    if changed and any(one.kind is not Kind.UNVERIFIED for one in differences):
        differences.insert(0, _configuration(image, result, configuration, changed))
    return Verification(result=result, asked=tuple(asked), differences=tuple(differences), changed=changed)


def _as_expected(result: ImageResult, distributions: Sequence[Mapping[str, Any]]) -> ImageResult:
    """Return the image with the golden AMIs that the given distributions decide; the others stay as they are.

    GetImage may show a configuration without the region of the build, or with other names, by now.
    """
    *_, owner, _ = result.arn.split(":", 5)
    chosen = marked(result.amis, result.arn, result.status, distributions)
    decided = {(ami.region, ami.account_id or owner) for ami in chosen if ami.golden}
    amis = tuple(
        new if (new.region, new.account_id or owner) in decided else old
        for old, new in zip(result.amis, chosen, strict=True)
    )
    return replace(result, amis=amis)


def distributions_in(given: object) -> list[Mapping[str, Any]]:
    """Return the distributions of a configuration, or a list of them as it is."""
    found = given.get("distributions") if isinstance(given, Mapping) else given
    return list(found) if isinstance(found, Sequence) else []


def _changed(image: Mapping[str, Any], configuration: Mapping[str, Any]) -> str | None:
    """Return when the configuration changed, if that was after the build had begun."""
    updated = configuration.get("dateUpdated")
    after = seconds_between(image.get("dateCreated"), updated)
    return str(updated) if after else None


def _configuration(
    image: Mapping[str, Any], result: ImageResult, configuration: Mapping[str, Any], changed: str
) -> Difference:
    _, _, _, region, account, *_ = result.arn.split(":", 5)
    return Difference(
        kind=Kind.CONFIGURATION,
        region=region,
        account=account,
        resource=str(configuration.get("name") or configuration.get("arn")),
        asked=f"as it was at {image.get('dateCreated')}",
        found=f"changed at {changed}",
    )


def _parent_only(result: ImageResult) -> Difference:
    _, _, _, region, account, *_ = result.arn.split(":", 5)
    found = ", ".join(str(ami.image) for ami in result.amis) or "none"
    return Difference(
        kind=Kind.UNBUILT,
        region=region,
        account=account,
        resource="image",
        asked="an AMI that a build workflow made",
        found=f"the parent AMI ({found}): the image has no build workflow",
    )
