"""ImageRequest: everything that CreateImage takes, checked when it is made."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from airflow_imagebuilder.service.errors import Fault, InvalidRequestError
from airflow_imagebuilder.service.request.fields.suggestions import refuses_unknown_names, unknown_member
from airflow_imagebuilder.service.request.fields.templates import is_blank, is_late
from airflow_imagebuilder.service.request.rules.combinations import broken_rules
from airflow_imagebuilder.service.request.schema import MEMBERS
from airflow_imagebuilder.service.request.workflows import Workflow

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from airflow_imagebuilder.service.request.schema import CreateImageMembers

FIELDS: tuple[str, ...] = tuple(MEMBERS)
"""The members of :class:`ImageRequest`, in order."""

UNSUPPORTED_PARAMETERS = {
    "client_token": "leave it out: the sender of the request makes the token, a stable one",
    "dry_run": "leave it out: CreateImage has no dry run (CreateImagePipeline has one)",
}
"""Parameters of AWS's API that are not members of a request, and why."""


class CreatesImages(Protocol):
    """What sends the request. The hook has this method."""

    def create_image(self, request: ImageRequest, client_token: str) -> str:
        """Submit CreateImage; return the ARN of the image."""


def faults_in(
    fields: Mapping[str, object], *, later: Callable[[object], bool] = is_late
) -> tuple[Fault, ...]:
    """Check the members of a request, and return all that AWS would refuse.

    :param fields: members by the names of :data:`FIELDS`; ``None`` and empty text are unset.
    :param later: returns whether a value is not known yet (default: templates and other tasks' outputs). Such
        a value is not checked, at any depth, and neither are the rules that depend on it.
    :return: the faults of single members in the order of the members, then those of several members together.

    .. seealso:: https://docs.aws.amazon.com/imagebuilder/latest/APIReference/API_CreateImage.html
    """
    unknown = [_unknown(name, value) for name, value in fields.items() if name not in MEMBERS]
    known = known_members(fields)
    single = [
        fault for name, shape in MEMBERS.items() for fault in shape.faults(name, known.get(name), later)
    ]
    return (*unknown, *single, *broken_rules(known, later))


def known_members(fields: Mapping[str, object]) -> dict[str, object]:
    """Return the members of CreateImage that are set. A form leaves an unset member as empty text."""
    return {name: fields[name] for name in MEMBERS if name in fields and not is_blank(fields[name])}


def _unknown(name: object, value: object) -> Fault:
    known = UNSUPPORTED_PARAMETERS.get(_snake(str(name)))
    if known:
        return Fault(str(name), value, ", ".join(FIELDS), known)
    return unknown_member("", name, value, FIELDS)


def _snake(name: str) -> str:
    return re.sub("([A-Z])", lambda found: f"_{found[1].lower()}", name)


@refuses_unknown_names(_unknown)
@dataclass(frozen=True, kw_only=True)
class ImageRequest:
    """Everything that CreateImage takes, except the client token.

    A request is checked when it is made. Members may be Jinja templates or another task's output. Those are
    checked once they are known: the task makes a new request of what they became. Empty text is unset, as
    ``None`` is, because a form leaves an unset member as empty text. Every member is unset by default.

    :param infrastructure_configuration_arn: where to build; required.
    :param image_recipe_arn: the recipe of an AMI. Exactly one of the two recipes is required.
    :param container_recipe_arn: the recipe of a container image.
    :param distribution_configuration_arn: where to copy the output. Without it the output stays in the
        account and region of the build.
    :param image_tests_configuration: ``imageTestsEnabled`` (AWS's default: true) and ``timeoutMinutes``
        (60 to 1440 minutes; AWS stores the value and ignores it).
    :param enhanced_image_metadata_enabled: whether AWS lists operating system and packages (AWS's default:
        true).
    :param image_scanning_configuration: ``imageScanningEnabled``, ``ecrConfiguration``,
        ``imageScanningTypes`` and ``scanResultCondition``. Scans need Amazon Inspector in the account, and
        image tests.
    :param workflows: at most ten :class:`Workflow`, or AWS's mappings; at most one of them for the build and
        one for the distribution. They replace AWS's default workflows; with an empty list AWS runs its
        defaults.
    :param execution_role: name or ARN of the role that runs the workflows; required with workflows, and with
        a log group outside ``/aws/imagebuilder/``.
    :param logging_configuration: ``logGroupName``.
    :param tags: 1 to 50 tags of the Image Builder image. An AMI gets its tags from the distribution
        configuration.
    :raises InvalidRequestError: AWS would refuse it; all faults at once.

    .. seealso:: https://docs.aws.amazon.com/imagebuilder/latest/APIReference/API_CreateImage.html
    """

    infrastructure_configuration_arn: str | None = None
    image_recipe_arn: str | None = None
    container_recipe_arn: str | None = None
    distribution_configuration_arn: str | None = None
    image_tests_configuration: Mapping[str, Any] | None = field(default=None, hash=False)
    enhanced_image_metadata_enabled: bool | None = None
    image_scanning_configuration: Mapping[str, Any] | None = field(default=None, hash=False)
    workflows: tuple[Workflow, ...] = ()
    execution_role: str | None = None
    logging_configuration: Mapping[str, Any] | None = field(default=None, hash=False)
    tags: Mapping[str, str] | None = field(default=None, hash=False)

    if TYPE_CHECKING:
        # It takes more than it holds: AWS's mappings for workflows, and templates for every member.
        def __init__(self, **members: Unpack[CreateImageMembers]) -> None: ...

    def __post_init__(self) -> None:
        given = {name: getattr(self, name) for name in FIELDS}
        if faults := faults_in(given):
            raise InvalidRequestError(faults)
        for name, value in given.items():
            held = None if is_blank(value) else MEMBERS[name].clean(value)
            object.__setattr__(self, name, _held(held) if name == "workflows" else held)

    def to_api(self) -> dict[str, Any]:
        """Return the parameters of CreateImage, without the client token and without unset members.

        Templates stay as they are: render the mapping, and read it with :meth:`from_api`.

        :return: AWS's names and values, such as ``{"imageRecipeArn": ..., "workflows": [...]}``.
        """
        held = {name: getattr(self, name) for name in FIELDS}
        if isinstance(self.workflows, tuple):
            held["workflows"] = [_plain(item) for item in self.workflows] or None
        return {_camel(name): MEMBERS[name].clean(value) for name, value in held.items() if value is not None}

    @classmethod
    def from_api(cls, mapping: Mapping[str, Any]) -> ImageRequest:
        """Make a request of the parameters of CreateImage.

        :param mapping: AWS's names and values, as :meth:`to_api` returns them.
        :raises InvalidRequestError: AWS would refuse them, or CreateImage has no such parameter.
        """
        if not isinstance(mapping, Mapping):
            remedy = "give its members by AWS's names, such as imageRecipeArn"
            raise InvalidRequestError([Fault("request", mapping, "a mapping", remedy)])
        known = {_camel(name): name for name in FIELDS}
        given = {known.get(name, name): value for name, value in mapping.items()}
        if faults := faults_in(given):
            raise InvalidRequestError(faults)
        return cls(**given)

    def send(self, images: CreatesImages, client_token: str) -> str:
        """Submit the request, and return the ARN of the image."""
        return images.create_image(self, client_token)


def _held(workflows: Any) -> Any:
    if not isinstance(workflows, list):
        return workflows or ()
    return tuple(Workflow.from_api(item) if isinstance(item, Mapping) else item for item in workflows)


def _plain(workflow: Any) -> Any:
    return workflow.to_api() if isinstance(workflow, Workflow) else workflow


def _camel(name: str) -> str:
    return re.sub("_([a-z])", lambda found: found[1].upper(), name)
