"""Pipelines: their runs by schedule and by hand, and their automatic end after failures.

Sources: API reference, ``Schedule`` and ``AutoDisablePolicy``; AWS's skill for Image Builder for what counts
as an update.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_imagebuilder.local.emulator.engine import guesses, identifiers
from airflow_imagebuilder.local.emulator.engine.clock import iso
from airflow_imagebuilder.local.emulator.engine.errors import ApiError, invalid_value
from airflow_imagebuilder.local.emulator.engine.operations.pagination import pick
from airflow_imagebuilder.local.emulator.engine.shelf import Shelf
from airflow_imagebuilder.local.emulator.engine.simulation import schedules

if TYPE_CHECKING:
    from airflow_imagebuilder.local.emulator.engine.operations.images.images import Images
    from airflow_imagebuilder.local.emulator.engine.operations.resources.resources import Resources
    from airflow_imagebuilder.local.emulator.engine.simulation.context import SimulationContext
    from airflow_imagebuilder.local.emulator.engine.state import Doc, Image

ALWAYS = "EXPRESSION_MATCH_ONLY"
ON_UPDATES = "EXPRESSION_MATCH_AND_DEPENDENCY_UPDATES_AVAILABLE"
#: Scheduled failures in a row after which a pipeline without a policy is disabled.
DEFAULT_FAILURES = 5


def check_schedule(params: Doc) -> None:
    """Check the schedule of a request.

    :raises ApiError: the expression or the time zone is invalid.
    """
    schedule = params.get("schedule") or {}
    if "scheduleExpression" in schedule:
        try:
            schedules.parse(schedule["scheduleExpression"], schedule.get("timezone"))
        except schedules.ScheduleError as error:
            fault = invalid_value("schedule.scheduleExpression", str(error))
            raise ApiError(guesses.BAD_SCHEDULE, fault.message) from error


class Pipelines:
    """The runs of pipelines.

    :param context: state and clock.
    :param resources: holds the pipelines, and what they name.
    :param images: builds.
    """

    def __init__(self, context: SimulationContext, resources: Resources, images: Images) -> None:
        self._context = context
        self._resources = resources
        self._images = images
        images.lifecycle.timers["pipeline"] = self.due
        context.pipeline_status = self.follow

    def start(self, params: Doc, region: str) -> Doc:
        """StartImagePipelineExecution; a disabled pipeline can be started, too."""
        pipeline = self._resources.find(params["imagePipelineArn"], region)
        image = self._build(pipeline, region, pick(params, ("tags",)), "USER_INITIATED")
        return {"imageBuildVersionArn": image.arn}

    def schedule(self, arn: str) -> None:
        """Set the next run of a pipeline that is new or changed."""
        pipeline = self._context.state.resources[arn]
        pipeline["revision"] = pipeline.get("revision", 0) + 1
        schedule = pipeline.get("schedule") or {}
        pipeline.pop("dateNextRun", None)
        if pipeline["status"] != "ENABLED" or "scheduleExpression" not in schedule:
            return
        found = schedules.parse(schedule["scheduleExpression"], schedule.get("timezone"))
        now = self._context.clock.now()
        moment = found.next(now)
        if moment is not None:
            pipeline["dateNextRun"] = schedules.iso_of(moment)
            self._context.after(moment - now, "pipeline", arn, pipeline["revision"])

    def due(self, arn: str, revision: int) -> None:
        """Run a pipeline whose moment has come, if its start condition holds."""
        pipeline = self._context.state.resources.get(arn)
        if pipeline is None or pipeline["revision"] != revision:
            return
        try:
            if self._should_start(pipeline):
                self._build(pipeline, identifiers.parse(arn).region, {}, "SCHEDULED")
        # What the pipeline names may be gone; the next moment tries again.
        except ApiError:
            self._failed(pipeline)
        finally:
            self.schedule(arn)

    def _should_start(self, pipeline: Doc) -> bool:
        condition = pipeline["schedule"].get("pipelineExecutionStartCondition", ON_UPDATES)
        if condition == ALWAYS:
            return True
        now = self._dependencies(pipeline)
        return bool(now) and now != pipeline.get("dependencies")

    def _dependencies(self, pipeline: Doc) -> list[str]:
        """Return what the open references of a pipeline's recipe mean now; nothing if all are pinned."""
        region = identifiers.parse(pipeline["arn"]).region
        recipe = self._resources.find(
            pipeline.get("imageRecipeArn") or pipeline["containerRecipeArn"], region
        )
        found = []
        parent = str(recipe["parentImage"])
        if "x" in parent.rpartition(":image/")[2].split("/")[-1] or parent.startswith("ssm:"):
            found.append(self._resources.parents.find(recipe, region).resolved)
        for component in recipe.get("components", ()):
            arn = component["componentArn"]
            if "x" in identifiers.parse(arn).version:
                found.append(str(self._resources.find(arn, region)["arn"]))
        return found

    def _build(self, pipeline: Doc, region: str, more: Doc, build_type: str) -> Image:
        request = {
            k: v for k, v in pipeline.items() if k not in ("tags", "loggingConfiguration", "imageTags")
        }
        group = pipeline.get("loggingConfiguration", {}).get("imageLogGroupName")
        request |= {"loggingConfiguration": {"logGroupName": group}} if group else {}
        if build_type == "SCHEDULED" and pipeline.get("imageTags"):
            request["tags"] = pipeline["imageTags"]
        request |= more
        build = self._images.build_rules.check(request, region)
        image = self._images.new(request, build, region)
        image.doc |= {
            "sourcePipelineArn": pipeline["arn"],
            "sourcePipelineName": pipeline["name"],
            "buildType": build_type,
        }
        self._context.state.by_pipeline.setdefault(pipeline["arn"], Shelf())[image.arn] = image
        pipeline["dateLastRun"] = iso(self._context.clock.now())
        pipeline["dependencies"] = self._dependencies(pipeline)
        self._images.lifecycle.begin(image)
        return image

    def follow(self, image: Image, status: str) -> None:
        """Keep the last status of a pipeline, and count the failures of its scheduled builds."""
        pipeline = self._context.state.resources.get(image.doc.get("sourcePipelineArn", ""))
        if pipeline is None:
            return
        pipeline["lastRunStatus"] = status
        if status == "AVAILABLE":
            pipeline["consecutiveFailures"] = 0
        elif status == "FAILED" and image.doc["buildType"] == "SCHEDULED":
            self._failed(pipeline)

    def _failed(self, pipeline: Doc) -> None:
        pipeline["consecutiveFailures"] = pipeline.get("consecutiveFailures", 0) + 1
        policy = (pipeline.get("schedule") or {}).get("autoDisablePolicy", {})
        if pipeline["consecutiveFailures"] < policy.get("failureCount", DEFAULT_FAILURES):
            return
        pipeline["status"] = "DISABLED"
        pipeline["revision"] = pipeline.get("revision", 0) + 1
        pipeline.pop("dateNextRun", None)
        data = {
            "type": "EC2 Image Builder Image Pipeline Automatically Disabled",
            "resources": [pipeline["arn"]],
            "detail": {"consecutive-failures": str(pipeline["consecutiveFailures"])},
        }
        self._context.emit("event", identifiers.parse(pipeline["arn"]).region, data)
