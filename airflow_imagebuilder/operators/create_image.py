"""The operator that submits an image with CreateImage and waits for it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.operators.arguments import refuse
from airflow_imagebuilder.operators.base import AWS_FIELDS
from airflow_imagebuilder.operators.options import option_faults
from airflow_imagebuilder.operators.waiting.submitting import (
    STRUCTURED,
    ImageBuilderSubmittingOperator,
    parsed,
    region_of,
)
from airflow_imagebuilder.service.errors import Fault, InvalidRequestError
from airflow_imagebuilder.service.request import ImageRequest, Workflow
from airflow_imagebuilder.service.request.fields.templates import is_late, never
from airflow_imagebuilder.service.request.image_request import FIELDS, faults_in
from airflow_imagebuilder.service.request.rules.combinations import request_warnings
from airflow_imagebuilder.service.request.rules.regions import region_faults
from airflow_imagebuilder.service.request.schema import MEMBERS
from airflow_imagebuilder.service.request.test_choice import choose_tests, faults_in_choice, read_names

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from airflow_imagebuilder.operators.arguments.keywords import SubmittingArguments

_STRUCTURED = sorted(STRUCTURED & set(FIELDS))


class ImageBuilderCreateImageOperator(ImageBuilderSubmittingOperator):
    """
    Bake an image with EC2 Image Builder's CreateImage, and wait until it is finished.

    The members of CreateImage are parameters, all of them templated. Give these, or a whole
    :class:`ImageRequest`, which documents each member. What AWS would refuse is refused before the call, all
    faults at once: when the Dag is parsed where nothing is templated, otherwise when the task runs. Empty
    text leaves an optional member unset.

    One image is built whatever process dies: see :mod:`airflow_imagebuilder.service.submission.submission`.

    :param request: everything that CreateImage takes, instead of single members.
    :param infrastructure_configuration_arn: where to build; required.
    :param image_recipe_arn: the recipe of an AMI. Exactly one of the two recipes is required.
    :param container_recipe_arn: the recipe of a container image.
    :param distribution_configuration_arn: where to copy the output; without it the output stays in the
        region.
    :param image_tests_configuration: ``imageTestsEnabled``, ``timeoutMinutes``.
    :param enhanced_image_metadata_enabled: whether AWS lists operating system and packages.
    :param image_scanning_configuration: ``imageScanningEnabled``, ``ecrConfiguration``,
        ``imageScanningTypes``, ``scanResultCondition``.
    :param workflows: at most ten :class:`Workflow` (or AWS's mappings): at most one build, one distribution.
    :param execution_role: name or ARN; required with workflows.
    :param logging_configuration: ``logGroupName``.
    :param tags: 1 to 50 tags of the Image Builder image.
    :param run_tests: names of the parallel groups and ungrouped tests of ``workflows`` to run. ``None``
        (default) or empty text runs all, an empty list none.
    :param wait_for_completion: ``True`` (default) waits; ``False`` submits and returns the ARN.
    :param on_retry: what a new try does about an image that an earlier try left FAILED or CANCELLED:
        ``repair`` it where AWS allows it (RetryImage; default), ``rebuild`` it, or ``fail``.
    :param deferrable: wait in the triggerer (default), or on the worker.
    :param timeout: how long the image may take after the submit; then it is cancelled. The task's
        ``execution_timeout`` counts too; the earlier of the two applies.
    :param poll_interval: seconds (or a timedelta) between two polls; ``None`` (default) takes
        ``[imagebuilder] poll_interval``.
    :param cancel_on_kill: cancel the image when the task is killed, cleared or runs out of time.
    :param delete_outputs_on_kill: then also remove the AMIs and snapshots that the build left behind.
    :param fail_on_test_failure: fail when a test failed although AWS calls the image AVAILABLE.
    :return: the :class:`ImageResult` as a JSON-safe mapping; without waiting, the ARN alone. The task also
        pushes the ARN as XCom ``image_build_version_arn`` before it begins to wait.
    :raises InvalidRequestError: the request was refused before the call.
    :raises ImageFailedError: the image failed: stage, workflow, step, component, message, log.
    :raises ImageCancelledError: the image was cancelled from outside of this task.
    :raises DeadlineExceededError: the image did not finish in time.

    .. seealso:: https://docs.aws.amazon.com/imagebuilder/latest/APIReference/API_CreateImage.html
    """

    template_fields: Sequence[str] = tuple(sorted({*AWS_FIELDS, *FIELDS, "on_retry", "run_tests"}))
    template_fields_renderers = dict.fromkeys(_STRUCTURED, "json")

    infrastructure_configuration_arn: str | None
    image_recipe_arn: str | None
    container_recipe_arn: str | None
    distribution_configuration_arn: str | None
    image_tests_configuration: Mapping[str, Any] | str | None
    enhanced_image_metadata_enabled: bool | str | None
    image_scanning_configuration: Mapping[str, Any] | str | None
    workflows: Sequence[Mapping[str, Any] | str] | str | None
    execution_role: str | None
    logging_configuration: Mapping[str, Any] | str | None
    tags: Mapping[str, str] | str | None

    def __init__(
        self,
        *,
        request: ImageRequest | Mapping[str, Any] | None = None,
        infrastructure_configuration_arn: str | None = None,
        image_recipe_arn: str | None = None,
        container_recipe_arn: str | None = None,
        distribution_configuration_arn: str | None = None,
        image_tests_configuration: Mapping[str, Any] | str | None = None,
        enhanced_image_metadata_enabled: bool | str | None = None,
        image_scanning_configuration: Mapping[str, Any] | str | None = None,
        workflows: Sequence[Workflow | Mapping[str, Any] | str] | str | None = None,
        execution_role: str | None = None,
        logging_configuration: Mapping[str, Any] | str | None = None,
        tags: Mapping[str, str] | str | None = None,
        run_tests: Sequence[str] | str | None = None,
        **kwargs: Unpack[SubmittingArguments],
    ) -> None:
        arguments = locals()  # before any other name: the members are read from it by name
        super().__init__(**kwargs)
        written = _members(request, {name: arguments[name] for name in FIELDS}, of=f"task {self.task_id!r}")
        for name, value in written.items():
            setattr(self, name, _plain(value))
        self.run_tests = run_tests
        # As written, not as set: a fault then names what the user wrote, not AWS's name for it.
        self._refuse(written)

    def rendered_request(self) -> ImageRequest:
        """Return the rendered request without the tests that are not chosen.

        :raises InvalidRequestError: AWS would refuse it, also for the region of the connection.
        """
        fields = {name: parsed(name, value) for name, value in self._fields().items()}
        # All templates are rendered: braces that are left are text that AWS would get.
        refuse(faults_in(fields, later=never))
        connected = f"region of the connection {self.aws_conn_id!r}"
        refuse(region_faults(fields, region_of(self.hook), connected))
        for warning in request_warnings(fields, never):
            self.log.warning("%s", warning)
        return choose_tests(ImageRequest(**fields), read_names(self.run_tests))

    def _fields(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in FIELDS}

    def _refuse(self, fields: Mapping[str, Any]) -> None:
        """Refuse what is known to be wrong when the Dag is parsed, and warn of what the user hardly means."""
        faults = [*option_faults(vars(self)), *faults_in(fields), *region_faults(fields, self.region_name)]
        refuse(faults or faults_in_choice(fields, self.run_tests), of=f"task {self.task_id!r}")
        for warning in request_warnings(fields, is_late):
            warnings.warn(f"Task {self.task_id!r}: {warning}", stacklevel=2)


def _members(
    request: ImageRequest | Mapping[str, Any] | None, single: Mapping[str, Any], of: str
) -> dict[str, Any]:
    """Return the members of a request, or the single ones; a member that both give is refused."""
    given = {} if request is None else _members_of(request, of)
    once = "either request or single members"
    twice = [name for name in given if not MEMBERS[name].is_unset(single[name])]
    refuse([Fault(name, single[name], once, "leave one out") for name in twice], of=of)
    return {**single, **given}


def _members_of(request: object, of: str) -> dict[str, Any]:
    """Return the members that a request sets."""
    try:
        made = ImageRequest.from_api(request) if isinstance(request, Mapping) else request
    except InvalidRequestError as error:
        raise InvalidRequestError(error.faults, of=of) from None
    if not isinstance(made, ImageRequest):
        remedy = "give single members instead: each of them takes a template or another task's output"
        raise InvalidRequestError([Fault("request", request, "an ImageRequest", remedy)], of=of)
    members = {name: _plain(getattr(made, name)) for name in FIELDS}
    return {name: value for name, value in members.items() if value not in (None, ())}


def _plain(value: Any) -> Any:
    """Return workflows as AWS's mappings: Airflow renders templates in mappings, not in our classes."""
    if isinstance(value, (list, tuple)):
        return [item.to_api() if isinstance(item, Workflow) else item for item in value]
    return value
