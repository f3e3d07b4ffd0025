"""The operator that bakes an image."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.operators.arguments import refuse
from airflow_imagebuilder.operators.base import AWS_FIELDS
from airflow_imagebuilder.operators.options import as_on_retry, option_faults
from airflow_imagebuilder.operators.task_state import TaskStore, this_try
from airflow_imagebuilder.operators.waiting import ImageBuilderWaitingOperator
from airflow_imagebuilder.service.errors import Fault, ImageBuilderError, InvalidRequestError
from airflow_imagebuilder.service.request.fields.templates import is_blank, is_late, never
from airflow_imagebuilder.service.request.image_request import FIELDS, ImageRequest, faults_in
from airflow_imagebuilder.service.request.rules.combinations import surprises
from airflow_imagebuilder.service.request.rules.regions import region_faults
from airflow_imagebuilder.service.request.schema import MEMBERS
from airflow_imagebuilder.service.request.test_choice import choose_tests, faults_in_choice, read_names
from airflow_imagebuilder.service.request.workflows import Workflow
from airflow_imagebuilder.service.submission.ports import Origin, Submitted
from airflow_imagebuilder.service.submission.submission import OnRetry, Submission
from airflow_imagebuilder.xcom import SUBMISSION_KEY, publish_arn, submission_record

if TYPE_CHECKING:
    from airflow.sdk import Context

STRUCTURED = frozenset(
    {
        "enhanced_image_metadata_enabled",
        "image_scanning_configuration",
        "image_tests_configuration",
        "logging_configuration",
        "tags",
        "workflows",
    }
)
"""Members that are no strings, and may be JSON text where a template renders them."""


class ImageBuilderCreateImageOperator(ImageBuilderWaitingOperator):
    """
    Bake an image with EC2 Image Builder's CreateImage, and wait until it can be used.

    The first parameters are the members of CreateImage, all templated. What AWS would refuse is refused
    before anything is sent, all faults at once: when the Dag is parsed where nothing is templated, else when
    the task runs. An optional member that is empty text is as if not given. Instead of single members a whole
    :class:`ImageRequest` may be given.

    Whatever dies, one image is built: see :mod:`airflow_imagebuilder.service.submission.submission`.

    :param request: everything that CreateImage takes, instead of the members below.
    :param infrastructure_configuration_arn: where to build (required).
    :param image_recipe_arn: what to build: an AMI. Exactly one of the two recipes.
    :param container_recipe_arn: what to build: a container image.
    :param distribution_configuration_arn: where to copy the output; without it, it stays in the region.
    :param image_tests_configuration: ``imageTestsEnabled``, ``timeoutMinutes``.
    :param enhanced_image_metadata_enabled: whether to collect operating system and packages.
    :param image_scanning_configuration: ``imageScanningEnabled``, ``ecrConfiguration``.
    :param workflows: at most ten :class:`Workflow` (or AWS's mappings), one build, one distribution.
    :param execution_role: name or ARN; required with workflows.
    :param logging_configuration: ``logGroupName``.
    :param tags: 1 to 50 tags of the Image Builder image.
    :param run_tests: names of the parallel groups and ungrouped tests to run, out of ``workflows``; ``None``
        or empty text, as a form leaves it, runs all. An empty list runs none.
    :param wait_for_completion: ``False`` submits and returns the ARN.
    :param on_retry: what a new try does about an image that an earlier one left FAILED or CANCELLED:
        ``repair`` it where AWS allows it (RetryImage), ``rebuild``, or ``fail``.
    :param deferrable: wait in the triggerer (default), or on the worker.
    :param timeout: how long the image may take, from the submit on; then it is cancelled. The task's
        ``execution_timeout`` counts too, whichever ends first.
    :param poll_interval: seconds (or a timedelta) between two looks; ``None`` takes ``[imagebuilder]
        poll_interval``.
    :param cancel_on_kill: cancel the image when the task is killed, cleared or runs out of time.
    :param delete_outputs_on_kill: then also remove the AMIs and snapshots that the build left behind.
    :param fail_on_test_failure: fail when a test failed, though AWS calls the image AVAILABLE.
    :return: the :class:`ImageResult` as a JSON-safe mapping; the ARN alone without waiting. The ARN is also
        pushed as XCom ``image_build_version_arn`` before the wait begins.
    :raises InvalidRequestError: refused before the call.
    :raises ImageFailedError: the image failed: stage, workflow, step, component, message, log.
    :raises ImageCancelledError: somebody cancelled the image.
    :raises DeadlineExceededError: it was not ready in time.

    .. seealso:: https://docs.aws.amazon.com/imagebuilder/latest/APIReference/API_CreateImage.html
    """

    template_fields: Sequence[str] = tuple(sorted({*AWS_FIELDS, *FIELDS, "on_retry", "run_tests"}))
    template_fields_renderers = dict.fromkeys(sorted(STRUCTURED), "json")

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
        workflows: Sequence[Workflow | Mapping[str, Any]] | str | None = None,
        execution_role: str | None = None,
        logging_configuration: Mapping[str, Any] | str | None = None,
        tags: Mapping[str, str] | str | None = None,
        run_tests: Sequence[str] | str | None = None,
        wait_for_completion: bool = True,
        on_retry: OnRetry | str = OnRetry.REPAIR,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        given = _members(request, of=f"task {self.task_id!r}")
        self.infrastructure_configuration_arn = infrastructure_configuration_arn
        self.image_recipe_arn = image_recipe_arn
        self.container_recipe_arn = container_recipe_arn
        self.distribution_configuration_arn = distribution_configuration_arn
        self.image_tests_configuration = image_tests_configuration
        self.enhanced_image_metadata_enabled = enhanced_image_metadata_enabled
        self.image_scanning_configuration = image_scanning_configuration
        self.workflows = _plain(workflows)
        self.execution_role = execution_role
        self.logging_configuration = logging_configuration
        self.tags: Any = tags
        self.run_tests = run_tests
        self.wait_for_completion = wait_for_completion
        self.on_retry = str(on_retry.value) if isinstance(on_retry, OnRetry) else on_retry
        self._take(given)
        # As they were written, so that a fault names what the user wrote, not AWS's name for it.
        written = given.get("workflows", workflows)
        self._refuse({**self._fields(), "workflows": written})

    def execute(self, context: Context) -> dict[str, Any] | str:
        """Submit, or find again, this task's image; then wait for it."""
        return self.in_time(context, lambda: self._execute(context))

    def _execute(self, context: Context) -> dict[str, Any] | str:
        submitted = self.submit(context)
        self.log.info("Image %s: %s by this try", submitted.arn, submitted.origin.value)
        if self.wait_for_completion:
            return self.await_image(context, submitted)
        self._publish_submission(context, submitted)
        self.announce(context, submitted.arn)
        self.note_finished(context)
        return submitted.arn

    def submit(self, context: Context) -> Submitted:
        """Check the rendered request and submit it; see :class:`Submission` for what earlier tries left."""
        request = self._rendered()
        self._submission = Submission(
            self.hook,
            TaskStore(context),
            on_retry=as_on_retry(self.on_retry),
            cancel=self.cancel_on_kill,
            announce=lambda arn: self._before_repair(context, arn),
        )
        return self._submission.submit(request, this_try(context))

    def _before_repair(self, context: Context, arn: str) -> None:
        """Publish whose image it is now, before RetryImage gives it a new life."""
        if not self.wait_for_completion:
            self._publish_submission(context, Submitted(arn, Origin.REPAIRED))
        publish_arn(context, arn)

    @staticmethod
    def _publish_submission(context: Context, submitted: Submitted) -> None:
        record = submission_record(submitted, this_try(context))
        context["ti"].xcom_push(key=SUBMISSION_KEY, value=record)

    def learn_arn(self) -> str | None:
        """Return this try's image. A CreateImage on its way is sent again: its token gives the same image."""
        if self._submission is None or self._submission.sent is None or self._submission.arn:
            return super().learn_arn()
        try:
            return self.hook.create_image(*self._submission.sent)
        except ImageBuilderError as error:
            self.log.warning("The task is killed, and whether it submitted an image is not known: %s", error)
            return None

    def _rendered(self) -> ImageRequest:
        """Check what is rendered, against the connection too, and return it without the tests left out."""
        fields = {name: _parsed(name, value) for name, value in self._fields().items()}
        # Nothing is to be rendered any more: braces that are left are what AWS would get.
        refuse(faults_in(fields, later=never))
        connected = f"region of the connection {self.aws_conn_id!r}"
        refuse(region_faults(fields, region_of(self.hook), connected))
        for surprise in surprises(fields, never):
            self.log.warning("%s", surprise)
        return choose_tests(ImageRequest(**fields), read_names(self.run_tests))

    def _fields(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in FIELDS}

    def _refuse(self, fields: Mapping[str, Any]) -> None:
        """Refuse what is known to be wrong at parse, and warn of what AWS takes all the same."""
        faults = [*option_faults(vars(self)), *faults_in(fields), *region_faults(fields, self.region_name)]
        refuse(faults or faults_in_choice(fields, self.run_tests), of=f"task {self.task_id!r}")
        for surprise in surprises(fields, is_late):
            warnings.warn(f"Task {self.task_id!r}: {surprise}", stacklevel=2)

    def _take(self, given: Mapping[str, Any]) -> None:
        """Spread a request over the members, where Airflow can render them."""
        once = "either request or single members"
        twice = [name for name in given if not MEMBERS[name].is_unset(getattr(self, name))]
        faults = [Fault(name, getattr(self, name), once, "leave one out") for name in twice]
        refuse(faults, of=f"task {self.task_id!r}")
        for name, value in given.items():
            setattr(self, name, value)


def region_of(hook: Any) -> str | None:
    """Return the region that a hook's client calls, ``None`` where there is no client: the call says why."""
    try:
        region = hook.conn_region_name
    except Exception:  # noqa: BLE001 (a missing connection, role or region is told by the call that needs it)
        return None
    return region if isinstance(region, str) else None


def _members(request: ImageRequest | Mapping[str, Any] | None, of: str) -> dict[str, Any]:
    if request is None:
        return {}
    try:
        made = ImageRequest.from_api(request) if isinstance(request, Mapping) else request
    except InvalidRequestError as error:
        raise InvalidRequestError(error.faults, of=of) from None
    if not isinstance(made, ImageRequest):
        way_out = "give single members instead: each of them takes a template or another task's output"
        raise InvalidRequestError([Fault("request", request, "an ImageRequest", way_out)], of=of)
    members = {name: _plain(getattr(made, name)) for name in FIELDS}
    return {name: value for name, value in members.items() if value not in (None, ())}


def _plain(value: Any) -> Any:
    """Turn workflows into AWS's mappings: Airflow renders templates inside of these, not of our classes."""
    if isinstance(value, (list, tuple)):
        return [item.to_api() if isinstance(item, Workflow) else item for item in value]
    return value


def _parsed(name: str, value: Any) -> Any:
    """Read a structured member that a template rendered to text."""
    if is_blank(value):
        return None
    if name == "workflows" and isinstance(value, Sequence) and not isinstance(value, str):
        return list(value)  # the outputs of mapped tasks come as a sequence of Airflow's own
    if name not in STRUCTURED or not isinstance(value, str):
        return value
    try:
        return json.loads(value.lower() if value in ("True", "False") else value)
    except ValueError:
        allowed = "a template that renders to JSON"
        way_out = "write {{ ... | tojson }}, or render_template_as_native_obj=True on the Dag"
        raise InvalidRequestError([Fault(name, value, allowed, way_out)]) from None
