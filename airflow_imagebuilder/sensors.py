"""The sensor that waits for an image which another one builds: a schedule, Terraform, a colleague."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.compat import stores_in_variables
from airflow_imagebuilder.operators.arguments import partial_faults, refuse
from airflow_imagebuilder.operators.base import AWS_FIELDS, ImageBuilderBaseOperator
from airflow_imagebuilder.operators.options import option_faults
from airflow_imagebuilder.operators.waiting.observation import Choice
from airflow_imagebuilder.operators.waiting.sensor import ImageBuilderWaitingSensor
from airflow_imagebuilder.operators.waiting.source import SOURCE_OPTIONS, source_faults
from airflow_imagebuilder.operators.waiting.task_state import forget
from airflow_imagebuilder.xcom import is_missing, known_arn

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from airflow.sdk import Context
    from typing_extensions import Unpack

    from airflow_imagebuilder.operators.arguments.keywords import SensorArguments
    from airflow_imagebuilder.service.gates.newest_image import Wanted

_SEARCHED = ("image_build_version_arn", "pipeline_arn", "image_name", "version", "since")


class ImageBuilderImageSensor(ImageBuilderWaitingSensor):
    """
    Wait for an image that another one builds, and return it. This task never builds and never cancels.

    Exactly one of ``image_build_version_arn``, ``pipeline_arn`` and ``image_name`` names the image. For the
    last two the newest image counts, by AWS's ``dateCreated``, that is not DEPRECATED, DISABLED or DELETED.
    The task decides once: an image that another one starts later does not replace it, unless the first one
    ends badly. A new try decides again.

    :param image_build_version_arn: this image.
    :param pipeline_arn: the newest image of this pipeline, whatever started it.
    :param image_name: the newest image of this name: that of its recipe.
    :param version: with ``image_name``: only images of this version, ``1.2.3`` or ``1.x.x``; ``None``
        (default) for all.
    :param since: only images created at or after this time: a datetime, or ISO text; without a zone it is
        UTC. ``None`` (default): images that were created since the run was due (``dag_run.run_after``), or
        are still in progress. So an old image never counts, a retry or a clear finds the same images, and
        a build that began shortly before the run does count.
    :param wait_for_completion: ``True`` (default) waits until the image has finished; ``False`` only until
        there is one, and returns its ARN: for monitors of an image that another one started.
    :param fail_on_test_failure: fail when a test failed although AWS calls the image AVAILABLE (default: no).
    :param deferrable: wait in the triggerer (default), or on the worker as ``mode`` says.
    :param poll_interval: seconds (or a timedelta) between two polls in the triggerer, and in mode ``poke``;
        ``None`` (default) takes ``[imagebuilder] poll_interval``.
    :param timeout: seconds (or a timedelta) for which the task waits (default: ``[sensors]
        default_timeout``, a week), from the start of its try; then it fails without another try.
    :param mode: on the worker: ``poke`` (default) keeps the worker, ``reschedule`` frees it for
        ``poke_interval``.
    :param soft_fail: skip the task where the image ends badly, or in time none does (default: fail).
    :return: the :class:`ImageResult` as a JSON-safe mapping; without waiting, the ARN alone. The
        task also pushes the ARN as XCom ``image_build_version_arn`` as soon as it knows the image.
    :raises ImageFailedError: (or ImageCancelledError) the image did not end well.
    :raises TestsFailedError: a test failed, and ``fail_on_test_failure`` is on.
    :raises AirflowSensorTimeout: there was no image in time, or it had not finished.
    :raises SearchInterruptedError: AWS refused the calls for longer than ``[imagebuilder] grace``.
    """

    template_fields: Sequence[str] = (*AWS_FIELDS, *_SEARCHED)
    own_options = SOURCE_OPTIONS

    def __init__(
        self,
        *,
        image_build_version_arn: str | None = None,
        pipeline_arn: str | None = None,
        image_name: str | None = None,
        version: str | None = None,
        since: datetime | str | None = None,
        wait_for_completion: bool = True,
        fail_on_test_failure: bool = False,
        deferrable: bool = True,
        poll_interval: float | timedelta | None = None,
        **kwargs: Unpack[SensorArguments],
    ) -> None:
        passed: dict[str, Any] = {**kwargs}
        super().__init__(**passed)
        self.image_build_version_arn = image_build_version_arn
        self.pipeline_arn = pipeline_arn
        self.image_name = image_name
        self.version = version
        self.since = since
        self.wait_for_completion = wait_for_completion
        self.fail_on_test_failure = fail_on_test_failure
        self.deferrable = deferrable
        self.poll_interval = poll_interval
        refuse(
            [*option_faults(self._options(), self.own_options), *source_faults(self._options())],
            of=f"task {self.task_id!r}",
        )
        if self.reschedule and stores_in_variables():
            # Set here: as an argument it would replace the callbacks of the Dag's default_args.
            self.on_success_callback = [*self.on_success_callback, forget]

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        """Check what is known at parse, but for ``timeout``: Airflow's sensors take seconds, too."""
        own = {name: value for name, value in kwargs.items() if name != "timeout"}
        refuse(partial_faults(cls, own), of=f"task {kwargs.get('task_id')!r}")
        return super(ImageBuilderBaseOperator, cls).partial(**kwargs)

    def _refuse_options(self) -> None:
        refuse(option_faults(self._options(), self.own_options), of=f"task {self.task_id!r}")

    def _options(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "timeout"}

    def _choice(self, context: Context) -> Choice:
        """Return which image this task waits for, as templates have rendered it."""
        given = {name: getattr(self, name) for name in _SEARCHED}
        others = ("pipeline_arn", "image_name")
        if self.image_build_version_arn is not None and all(is_missing(given[name]) for name in others):
            return Choice(self.hook, arn=known_arn(self.image_build_version_arn), log=self.log)
        refuse(source_faults(given, rendered=True))
        return Choice(self.hook, wanted=self._wanted(context), log=self.log)

    def _wanted(self, context: Context) -> Wanted:
        from airflow_imagebuilder.service.gates.newest_image import Source, Wanted, as_utc, moment

        source = Source(
            pipeline_arn=self.pipeline_arn or None,
            image_name=self.image_name or None,
            version=self.version or None,
        )
        since, run = self.since, context["dag_run"]
        if since is None or is_missing(since):
            return Wanted(source=source, since=as_utc(run.run_after), in_progress=True)
        return Wanted(source=source, since=moment(since) if isinstance(since, str) else as_utc(since))
