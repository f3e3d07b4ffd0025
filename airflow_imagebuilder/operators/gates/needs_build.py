"""The operator that skips what follows if no build is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.links import ImageBuilderImagesLink, ImageBuilderPipelinesLink
from airflow_imagebuilder.operators.arguments import refuse
from airflow_imagebuilder.operators.base import AWS_FIELDS
from airflow_imagebuilder.operators.gates.short_circuit import ImageBuilderShortCircuitOperator
from airflow_imagebuilder.operators.option_shapes import Boolean, Duration, Limits, Wish
from airflow_imagebuilder.operators.options import Option
from airflow_imagebuilder.service.arns.arns import ContainerRecipeArn, ImagePipelineArn, ImageRecipeArn
from airflow_imagebuilder.service.arns.grammar import region_in
from airflow_imagebuilder.service.errors import Fault
from airflow_imagebuilder.service.gates.findings import read_limits
from airflow_imagebuilder.service.gates.needs.answer import Answer
from airflow_imagebuilder.service.gates.needs.question import (
    CHECKS,
    DEFAULT_CHECKS,
    IfBuilding,
    Question,
    WhenUnknown,
)
from airflow_imagebuilder.service.gates.scans.scan import SCAN_TYPES
from airflow_imagebuilder.service.request.fields.fields import ArnText, Choice, ListOf
from airflow_imagebuilder.service.request.fields.templates import is_late, never

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import timedelta

    from airflow.sdk import Context
    from typing_extensions import Unpack

    from airflow_imagebuilder.operators.arguments.keywords import ShortCircuitArguments

TARGETS = ("pipeline_arn", "image_recipe_arn", "container_recipe_arn")
_CHOICES = ("force", "if_building", "when_unknown", "max_findings", "scan_type")


_OPTIONS: Mapping[str, Option] = {
    "pipeline_arn": Option(ArnText(kind=ImagePipelineArn.KIND), templated=True),
    "image_recipe_arn": Option(ArnText(kind=ImageRecipeArn.KIND), templated=True),
    "container_recipe_arn": Option(ArnText(kind=ContainerRecipeArn.KIND), templated=True),
    "checks": Option(ListOf(allowed=f"a list of {', '.join(CHECKS)}", member=Choice(words=CHECKS))),
    "max_age": Option(Duration(unit="days")),
    "max_findings": Option(Limits(allowed="the most findings of each severity"), templated=True),
    "scan_type": Option(Choice(words=SCAN_TYPES), templated=True),
    "force": Option(Wish(), templated=True),
    "if_building": Option(Choice(words=tuple(word.value for word in IfBuilding)), templated=True),
    "when_unknown": Option(Choice(words=tuple(word.value for word in WhenUnknown)), templated=True),
    "ignore_downstream_trigger_rules": Option(Boolean(), required=True),
}


class ImageBuilderNeedsBuildOperator(ImageBuilderShortCircuitOperator):
    """
    Skip what follows, unless a build is needed. It reads AWS, and never builds or changes anything.

    ::

        ImageBuilderNeedsBuildOperator(pipeline_arn=...) >> ImageBuilderTaskGroup(...)

    A build is needed if there is no AVAILABLE image yet, or the newest one (by ``dateCreated``) was built
    from other things than a build would take now: another recipe, base image, component or workflow, also a
    newer version behind an ``x``; if the distribution configuration was changed since; if the image is older
    than ``max_age``, or its scan has more findings than ``max_findings``; or with ``force``. The log has
    every reason, also those that do not ask for a build.

    Give one of ``pipeline_arn``, ``image_recipe_arn`` and ``container_recipe_arn``. The images of a pipeline
    are those that the pipeline built. Those of a recipe are all of its name, however they were built.

    :param pipeline_arn: the pipeline that would build.
    :param image_recipe_arn: the recipe of an AMI; ``x.x.x`` means its newest version.
    :param container_recipe_arn: the recipe of a container image.
    :param checks: what to compare with the last image: a list of ``recipe``, ``base_image``, ``components``,
        ``workflows``, ``distribution`` and ``infrastructure`` (default: all but the infrastructure).
    :param max_age: a build is needed if the last image is older; ``None`` (default): no age counts.
    :param max_findings: a build is needed if the last image has more findings of a severity than this allows,
        e.g. ``{"CRITICAL": 0}``; ``None`` (default): findings do not count.
    :param scan_type: ``TEST_INSTANCE_CVE`` or ``ON_DEMAND_AMI_CVE``: where AWS lists the findings, as
        :class:`ImageBuilderScanGateOperator` takes it. ``None`` (default): as the image shows it.
    :param force: build, whatever the rest says, without a call of AWS: ``True`` or ``False`` (default), also
        as text, e.g. ``"{{ params.force }}"``.
    :param if_building: what an image of the same pipeline or recipe in progress means: ``skip`` (default): no
        second build is needed; ``build``: it does not count.
    :param when_unknown: what it means if something could not be read and nothing else asks for a build:
        ``build`` (default), ``skip`` or ``fail``.
    :param ignore_downstream_trigger_rules: skip every task that follows, whatever its trigger rule (default);
        ``False`` skips only those that follow directly, and the others by their trigger rules.
    :return: ``{"needed": bool, "reasons": [text], "checked": {check: {"verdict": text, "text": text}},
        "last_image": ARN or None, "in_progress": [ARN]}``. It is the XCom in either case.
    :raises InvalidRequestError: an argument is wrong.
    :raises NotFoundError: the pipeline or the recipe does not exist.
    :raises UndecidedError: something could not be read, and ``when_unknown`` is ``fail``.
    :raises TransientError: AWS does not answer for the moment: the task's next try asks again.
    """

    template_fields: Sequence[str] = (*AWS_FIELDS, *TARGETS, *_CHOICES)
    own_options = _OPTIONS
    operator_extra_links = (ImageBuilderPipelinesLink(), ImageBuilderImagesLink())
    ui_color = "#f3eefb"

    def __init__(
        self,
        *,
        pipeline_arn: str | None = None,
        image_recipe_arn: str | None = None,
        container_recipe_arn: str | None = None,
        checks: Sequence[str] | None = DEFAULT_CHECKS,
        max_age: timedelta | None = None,
        max_findings: Mapping[str, int | str] | None = None,
        scan_type: str | None = None,
        force: bool | str = False,
        if_building: IfBuilding | str = IfBuilding.SKIP,
        when_unknown: WhenUnknown | str = WhenUnknown.BUILD,
        **kwargs: Unpack[ShortCircuitArguments],
    ) -> None:
        super().__init__(**kwargs)
        self.pipeline_arn = pipeline_arn
        self.image_recipe_arn = image_recipe_arn
        self.container_recipe_arn = container_recipe_arn
        self.checks = DEFAULT_CHECKS if checks is None else checks
        self.max_age = max_age
        self.max_findings = max_findings
        self.scan_type = scan_type
        self.force = force
        self.if_building = if_building.value if isinstance(if_building, IfBuilding) else if_building
        self.when_unknown = when_unknown.value if isinstance(when_unknown, WhenUnknown) else when_unknown
        self._refuse_options()
        refuse(self._target_faults(), of=f"task {self.task_id!r}")

    def execute(self, context: Context) -> dict[str, Any]:
        """Ask AWS, and skip what follows if no build is needed."""
        question = self._question()
        self._persist_links(context)
        if self._is_forced:
            self.log.info("%s", _FORCED)
            return _FORCED.to_xcom()
        answer = question.ask(self.hook)
        self.log.info("%s", answer)
        for one in answer.unknown:
            self.log.warning("Not known: %s", one)
        result = answer.to_xcom()
        return result if answer.needed else self.skip_downstream(context, result)

    def _question(self) -> Question:
        """Return the question, with its templates rendered, checked."""
        rendered = {name: vars(self)[name] for name in (*TARGETS, *_CHOICES)}
        refuse([*self._rendered_faults(rendered), *self._target_faults()])
        given = {
            name: None if _OPTIONS[name].shape.is_unset(value) else value for name, value in rendered.items()
        }
        return Question(
            pipeline_arn=given["pipeline_arn"],
            recipe_arn=given["image_recipe_arn"] or given["container_recipe_arn"],
            checks=self.checks,
            max_age=self.max_age,
            max_findings=read_limits(self.max_findings) if self.max_findings else None,
            scan_type=given["scan_type"],
            if_building=IfBuilding(given["if_building"] or IfBuilding.SKIP),
            when_unknown=WhenUnknown(given["when_unknown"] or WhenUnknown.BUILD),
        )

    @staticmethod
    def _rendered_faults(rendered: Mapping[str, Any]) -> Iterator[Fault]:
        for name, value in rendered.items():
            if not _is_unset(name, value):
                yield from _OPTIONS[name].shape.faults(name, value, never)

    @property
    def _is_forced(self) -> bool:
        shape = _OPTIONS["force"].shape
        return not shape.is_unset(self.force) and bool(shape.clean(self.force))

    def _target_faults(self) -> Iterator[Fault]:
        given = {
            name: vars(self)[name] for name in TARGETS if not _OPTIONS[name].shape.is_unset(vars(self)[name])
        }
        late = any(is_late(value) for value in given.values())
        if not given:
            yield Fault(", ".join(TARGETS), None, "one of these", "name the pipeline or the recipe")
        elif len(given) > 1 and not late:
            yield Fault(" and ".join(given), list(given.values()), "one of these", "leave the others out")

    def _persist_links(self, context: Context) -> None:
        arn = next(
            vars(self)[name] for name in TARGETS if not _OPTIONS[name].shape.is_unset(vars(self)[name])
        )
        place = {"region_name": region_in(arn), "aws_partition": str(arn).split(":")[1]}
        links = self.operator_extra_links if arn == self.pipeline_arn else (ImageBuilderImagesLink(),)
        for link in links:
            link.persist(context=context, operator=self, **place)


def _is_unset(name: str, value: object) -> bool:
    return _OPTIONS[name].shape.is_unset(value)


_FORCED = Answer(True, ("force: this run was asked to build, so nothing else was checked",))
