"""The question: is a build needed? It reads AWS, and never changes anything there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import TYPE_CHECKING

from airflow_imagebuilder.service.errors import UndecidedError
from airflow_imagebuilder.service.gates.needs import configuration, inputs
from airflow_imagebuilder.service.gates.needs.answer import Answer
from airflow_imagebuilder.service.gates.needs.image import age, findings
from airflow_imagebuilder.service.gates.needs.statement import Statement, Verdict
from airflow_imagebuilder.service.gates.needs.target import LAST_IMAGE, Built, built_of, target_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from airflow_imagebuilder.service.gates.needs.ports import Reads
    from airflow_imagebuilder.service.gates.needs.target import Target

CHECKS = (
    inputs.RECIPE,
    inputs.BASE_IMAGE,
    inputs.COMPONENTS,
    configuration.WORKFLOWS,
    configuration.DISTRIBUTION,
    configuration.INFRASTRUCTURE,
)
"""What can be compared with the last image."""

DEFAULT_CHECKS = tuple(check for check in CHECKS if check != configuration.INFRASTRUCTURE)
"""Without the infrastructure: a larger build instance does not change what is in the image."""

IN_PROGRESS = "in_progress"


class WhenUnknown(str, Enum):
    """What to do if a check could not be read, and no other one asks for a build."""

    BUILD = "build"
    SKIP = "skip"
    FAIL = "fail"


class IfBuilding(str, Enum):
    """What to do if an image of the same pipeline or recipe is in progress."""

    SKIP = "skip"
    BUILD = "build"


@dataclass(frozen=True, kw_only=True)
class Question:
    """
    What is asked.

    :param pipeline_arn: the pipeline to build with; or
    :param recipe_arn: the recipe of an AMI or a container image.
    :param checks: which of :data:`CHECKS` count.
    :param max_age: an older AVAILABLE image asks for a build; ``None`` (default): no age does.
    :param max_findings: more findings of a severity ask for a build; ``None`` (default): none do.
    :param scan_type: where AWS lists the findings; ``None`` (default): as the image shows it.
    :param if_building: see :class:`IfBuilding`.
    :param when_unknown: see :class:`WhenUnknown`.
    """

    pipeline_arn: str | None = None
    recipe_arn: str | None = None
    checks: Collection[str] = DEFAULT_CHECKS
    max_age: timedelta | None = None
    max_findings: Mapping[str, int] | None = None
    scan_type: str | None = None
    if_building: IfBuilding = IfBuilding.SKIP
    when_unknown: WhenUnknown = WhenUnknown.BUILD

    def ask(self, aws: Reads, now: datetime | None = None) -> Answer:
        """
        Read AWS and decide.

        It makes at most 9 calls, one for each page of the images (25), one for each component and workflow
        that is open (``x``, or no build number), and with ``max_findings`` one for each page of the findings.

        :param now: the present moment; ``None`` (default) takes the machine's clock.
        :raises NotFoundError: the pipeline or the recipe does not exist.
        :raises UndecidedError: ``when_unknown`` is ``fail``, and something could not be read.
        :raises TransientError: AWS does not answer for the moment.
        """
        target = target_of(aws, pipeline_arn=self.pipeline_arn, recipe_arn=self.recipe_arn)
        if target.recipe is None and target.pipeline is None:
            return self._decided(list(target.problems), Built())
        built = built_of(aws, target)
        if built.in_progress and self.if_building is IfBuilding.SKIP:
            return _wait_for(built)
        if built.in_progress:
            text = f"{', '.join(built.in_progress)}: if_building is build, so it does not count"
        else:
            text = "no image in progress"
        statements = [Statement(IN_PROGRESS, Verdict.NO, text), *target.problems]
        if built.problem is not None:
            return self._decided([*statements, built.problem], built)
        if built.last is None:
            text = f"no AVAILABLE image of {target.arn} yet"
            return self._decided([*statements, Statement(LAST_IMAGE, Verdict.BUILD, text)], built)
        moment = now or datetime.now(timezone.utc)
        return self._decided([*statements, *self._compared(aws, target, built.last, moment)], built)

    def _compared(
        self, aws: Reads, target: Target, image: Mapping[str, object], now: datetime
    ) -> Iterator[Statement]:
        created = f"{image['arn']}, created {image.get('dateCreated')}"
        yield Statement(LAST_IMAGE, Verdict.NO, created)
        yield age(image, self.max_age, now)
        yield from self._checked(aws, target, image)
        yield findings(aws, image, self.max_findings, self.scan_type)

    def _checked(self, aws: Reads, target: Target, image: Mapping[str, object]) -> Iterator[Statement]:
        of_recipe: dict[str, Callable[[], Iterable[Statement]]] = {
            inputs.RECIPE: lambda: inputs.recipe(target, image),
            inputs.BASE_IMAGE: lambda: inputs.base(aws, target, image),
            inputs.COMPONENTS: lambda: inputs.components(aws, target, image),
        }
        of_pipeline: dict[str, Callable[[], Iterable[Statement]]] = {
            configuration.WORKFLOWS: lambda: configuration.workflows(aws, target, image),
            configuration.DISTRIBUTION: lambda: configuration.distribution(aws, target, image),
            configuration.INFRASTRUCTURE: lambda: configuration.infrastructure(aws, target, image),
        }
        readable = of_pipeline if target.recipe is None else {**of_recipe, **of_pipeline}
        for check, statements in readable.items():
            if check in self.checks:
                yield from statements()
            else:
                yield Statement(check, Verdict.NOT_COMPARED, "not among the checks of this task")

    def _decided(self, statements: list[Statement], built: Built) -> Answer:
        asking = [str(one) for one in statements if one.verdict is Verdict.BUILD]
        unknown = [str(one) for one in statements if one.verdict is Verdict.UNKNOWN]
        last = str(built.last["arn"]) if built.last else None
        if asking:
            return Answer(True, (*asking, *unknown), tuple(statements), last, built.in_progress)
        if not unknown:
            why = f"nothing has changed since {last}" if last else "nothing asks for one"
            return Answer(False, (why,), tuple(statements), last, built.in_progress)
        if self.when_unknown is WhenUnknown.FAIL:
            raise UndecidedError(unknown)
        reasons = tuple(f"{one}; when_unknown is {self.when_unknown.value}" for one in unknown)
        needed = self.when_unknown is WhenUnknown.BUILD
        return Answer(needed, reasons, tuple(statements), last, built.in_progress)


def _wait_for(built: Built) -> Answer:
    text = f"{', '.join(built.in_progress)} is in progress, so no second build begins"
    statement = Statement(IN_PROGRESS, Verdict.NO, text)
    last = str(built.last["arn"]) if built.last else None
    return Answer(False, (str(statement),), (statement,), last, built.in_progress)
