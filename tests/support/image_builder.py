"""A small Image Builder in memory, with the methods of the hook."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import NoRegionError

from airflow_imagebuilder.service.errors import (
    NotFoundError,
    ParametersChangedError,
    RefusedError,
    ThrottledError,
)
from airflow_imagebuilder.service.results.states import is_image_terminal
from tests.support.arns import IMAGE
from tests.support.fault_plan import ALWAYS, FaultPlan

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from airflow_imagebuilder.hooks import Patience
    from airflow_imagebuilder.service.request.image_request import ImageRequest
    from airflow_imagebuilder.service.request.pipeline_request import PipelineRequest
    from airflow_imagebuilder.service.submission.ports import ImageBuilder

PATIENCE = timedelta(minutes=2)
"""The hook's default; a test compares the signatures."""


class Call(NamedTuple):
    """A call of the fake, whatever came of it. ``target`` is the ARN or the id that the call names."""

    method: str
    target: str = ""
    token: str = ""


def no_client(service: str, region: str) -> Any:
    """Refuse: a test that calls other services sets :attr:`Controls.clients`."""
    raise AssertionError(f"no client of {service} in {region}")


class Controls(FaultPlan):
    """
    What a test sets and reads, and the hook does not have.

    :param status: the status of an image that is there from the start, as the first CreateImage returns it;
        ``None`` starts without an image.
    :param state: further members of that image's ``state``.
    :param clock: seconds; a cancel takes effect :attr:`cancel_takes` seconds after it was accepted.
    """

    def __init__(
        self, status: str | None = None, *, clock: Callable[[], float] = lambda: 0.0, **state: Any
    ) -> None:
        super().__init__()
        self.clock = clock
        self.region: str | None = "us-east-1"
        """``None``: the connection has no region."""
        self.images: dict[str, dict[str, Any]] = {}
        self.pipelines: dict[str, dict[str, Any]] = {}
        """GetImagePipeline's ``imagePipeline`` of each pipeline that exists."""
        self.executions: list[dict[str, Any]] = []
        self.steps: list[dict[str, Any]] = []
        self.listed: list[dict[str, Any]] = []
        """What the lists of builds show: AWS's ``ImageSummary``."""
        self.versions: list[dict[str, Any]] = []
        """What ListImages shows: AWS's ``ImageVersion``."""
        self.resources: dict[str, dict[str, Any]] = {}
        """What the Get operations answer, by the ARN (or the id, or the tag) that a call names."""
        self.parameters: dict[str, str] = {}
        """Values of Systems Manager parameters."""
        self.findings: list[dict[str, Any]] = []
        self.finding_counts: dict[str, int] | None = None
        """What ListImageScanFindingAggregations counts; ``None``: it has no counts of the image."""
        self.ami_findings: list[dict[str, Any]] = []
        """What EC2's GetImageFindings lists."""
        self.lives: dict[str, int] = {}
        """How many RetryImage calls AWS has accepted, per image."""
        self.calls: list[Call] = []
        self.requests: list[dict[str, Any]] = []
        self.tokens: dict[str, tuple[dict[str, Any], str]] = {}
        """Each client token of CreateImage, with its request and the image that it gave."""
        self.pipeline_tokens: dict[str, tuple[dict[str, Any], str]] = {}
        """The same of StartImagePipelineExecution: AWS keeps the tokens of each operation."""
        self.retry_tokens: set[str] = set()
        self.cancelled: list[str] = []
        """The images whose cancel was accepted, in order."""
        self.deleted: list[str] = []
        """The images whose outputs were deleted."""
        self.clients: Callable[[str, str], Any] = no_client
        """Returns a client of another service for its name and a region."""
        self.cancel_takes = 0.0
        self.cancelled_state: dict[str, Any] = {"status": "CANCELLED"}
        self.still_shown: list[dict[str, Any]] = []
        """What the next GetImage calls answer before they answer with the image as it is."""
        self._cancelling: dict[str, float] = {}
        self._first: str | None = None
        if status:
            self._first = IMAGE
            self._add(IMAGE, {"status": status, **state})

    @property
    def image(self) -> dict[str, Any]:
        """The only image, or the first one."""
        return next(iter(self.images.values()))

    def called(self, method: str) -> list[Call]:
        """Return the calls of one method, also those that failed."""
        return [call for call in self.calls if call.method == method]

    def targets(self, method: str) -> list[str]:
        """Return the ARNs or ids that the calls of one method named."""
        return [call.target for call in self.called(method)]

    def fail_after_create(self, error: Exception) -> None:
        """Let every call fail but CreateImage."""
        for method in ("get_image", "cancel_image", "list_workflow_executions"):
            self.before(method, error, times=ALWAYS)

    def in_progress(self) -> list[str]:
        """Return the ARNs of the images in progress."""
        return [arn for arn, image in self.images.items() if not is_image_terminal(image["state"]["status"])]

    def finish(
        self, arn: str, status: str, *, stage: str | None = "TESTING", execution_id: str | None = None
    ) -> None:
        """
        Let an image finish.

        :param stage: where a FAILED image failed; ``None`` leaves ``failureContext`` out.
        :param execution_id: the workflow execution that failed; by default one of the image's present life.
        """
        state: dict[str, Any] = {"status": status}
        if status == "FAILED" and stage:
            failed = execution_id or f"wf-{arn[-1]}-{self.lives.get(arn, 0)}"
            state["failureContext"] = {"imageStatus": stage, "workflowExecutionId": failed}
        self.images[arn]["state"] = state
        self._cancelling.pop(arn, None)

    def _add(self, arn: str, state: dict[str, Any]) -> str:
        name, version = arn.split(":image/")[1].split("/", maxsplit=1)
        self.images[arn] = {"arn": arn, "name": name, "version": version, "type": "AMI", "state": state}
        return arn

    def _new_image(self, recipe: str) -> str:
        if self._first:
            arn, self._first = self._first, None
            return arn
        version = recipe.replace(":image-recipe/", ":image/").replace(":container-recipe/", ":image/")
        return self._add(f"{version}/{len(self.images) + 1}", {"status": "BUILDING"})

    def _pipeline(self, arn: str, operation: str) -> dict[str, Any]:
        pipeline = self.pipelines.get(arn) or self.resources.get(arn)
        if pipeline is None:
            raise NotFoundError(operation, "ResourceNotFoundException", 404, arn)
        return pipeline

    def _made(self, operation: str, params: dict[str, Any], token: str, recipe: str) -> str:
        """Return the image of a request: a known token of the operation returns its first image."""
        tokens = self.tokens if operation == "CreateImage" else self.pipeline_tokens
        if token not in tokens:
            tokens[token] = (params, self._new_image(recipe))
        known, arn = tokens[token]
        if known != params:
            raise ParametersChangedError(operation, "IdempotentParameterMismatch", 400)
        return arn

    def _get(self, method: str, name: str) -> dict[str, Any]:
        self._begin(method, name)
        self._meet("before", method)
        if name not in self.resources:
            raise NotFoundError(method, "ResourceNotFoundException", 404, name)
        return self.resources[name]

    def _begin(self, method: str, target: str = "", token: str = "") -> None:
        self.calls.append(Call(method, target, token))

    def _accept_cancel(self, arn: str) -> str:
        if is_image_terminal(self._shown(arn)["state"]["status"]):
            raise RefusedError("CancelImageCreation", "InvalidRequestException", 400, "it has ended")
        self.cancelled.append(arn)
        self._cancelling[arn] = self.clock()
        self._shown(arn)
        return arn

    def _shown(self, arn: str) -> dict[str, Any]:
        if arn not in self.images:
            raise NotFoundError("GetImage", "ResourceNotFoundException", 404, arn)
        if arn in self._cancelling and self.clock() - self._cancelling[arn] >= self.cancel_takes:
            del self._cancelling[arn]
            self.images[arn]["state"] = dict(self.cancelled_state)
        return dict(self.images[arn])


class FakeImageBuilder(Controls):
    """
    The methods of :class:`airflow_imagebuilder.hooks.ImageBuilderHook`, with its signatures.

    CreateImage with a known token returns the first image, CancelImageCreation and RetryImage refuse what AWS
    refuses, and an image keeps its ARN through its lives. Every call is recorded.
    """

    @property
    def conn_region_name(self) -> str:
        if self.region is None:
            raise NoRegionError
        return self.region

    def create_image(self, request: ImageRequest, client_token: str) -> str:
        self._begin("create_image", token=client_token)
        self.requests.append(request.to_api())
        self._meet("before", "create_image")
        arn = self._made("CreateImage", request.to_api(), client_token, str(request.image_recipe_arn))
        self._meet("after", "create_image")
        return arn

    def start_pipeline(self, request: PipelineRequest, client_token: str) -> str:
        self._begin("start_pipeline", request.pipeline_arn, client_token)
        self.requests.append(request.to_api())
        self._meet("before", "start_pipeline")
        pipeline = self._pipeline(request.pipeline_arn, "StartImagePipelineExecution")
        recipe = pipeline.get("imageRecipeArn") or pipeline["containerRecipeArn"]
        arn = self._made("StartImagePipelineExecution", request.to_api(), client_token, str(recipe))
        self._meet("after", "start_pipeline")
        return arn

    def get_image_pipeline(self, arn: str, *, patience: Patience = PATIENCE) -> dict[str, Any]:
        self._begin("get_image_pipeline", arn)
        self._meet("before", "get_image_pipeline")
        return dict(self._pipeline(arn, "GetImagePipeline"))

    def retry_image(self, arn: str, client_token: str) -> str:
        self._begin("retry_image", arn, client_token)
        self._meet("before", "retry_image")
        if client_token not in self.retry_tokens:
            if self._shown(arn)["state"]["status"] not in ("FAILED", "CANCELLED"):
                raise RefusedError("RetryImage", "InvalidRequestException", 400)
            self.retry_tokens.add(client_token)
            self.images[arn]["state"] = {"status": "TESTING"}
            self.lives[arn] = self.lives.get(arn, 0) + 1
        self._meet("after", "retry_image")
        return arn

    def cancel_image(self, arn: str, client_token: str, *, patience: Patience = PATIENCE) -> str:
        self._begin("cancel_image", arn, client_token)
        self._meet("before", "cancel_image")
        self._accept_cancel(arn)
        self._meet("after", "cancel_image")
        return arn

    def get_image(self, arn: str, *, patience: Patience = PATIENCE) -> dict[str, Any]:
        self._begin("get_image", arn)
        self._meet("before", "get_image")
        return self.still_shown.pop(0) if self.still_shown else self._shown(arn)

    def list_image_pipeline_images(
        self, pipeline_arn: str, *, patience: Patience = PATIENCE
    ) -> list[dict[str, Any]]:
        self._begin("list_image_pipeline_images", pipeline_arn)
        self._meet("before", "list_image_pipeline_images")
        return list(self.listed)

    def list_images(
        self, names: Sequence[str] = (), *, owner: str = "Self", patience: Patience = PATIENCE
    ) -> list[dict[str, Any]]:
        self._begin("list_images", ",".join(names))
        self._meet("before", "list_images")
        return list(self.versions)

    def list_image_build_versions(
        self,
        version_arn: str | None = None,
        *,
        names: Sequence[str] = (),
        patience: Patience = PATIENCE,
    ) -> list[dict[str, Any]]:
        self._begin("list_image_build_versions", version_arn or ",".join(names))
        self._meet("before", "list_image_build_versions")
        return [one for one in self.listed if version_arn is None or one["arn"].startswith(f"{version_arn}/")]

    def delete_outputs(self, image: Mapping[str, Any]) -> list[str]:
        self._begin("delete_outputs", image["arn"])
        self.deleted.append(image["arn"])
        return []

    def list_workflow_executions(self, arn: str, *, include_retried: bool = False) -> list[dict[str, Any]]:
        self._begin("list_workflow_executions", arn)
        self._meet("before", "list_workflow_executions")
        return [e for e in self.executions if include_retried or not e.get("retried")]

    def list_workflow_step_executions(self, workflow_execution_id: str) -> list[dict[str, Any]]:
        self._begin("list_workflow_step_executions", workflow_execution_id)
        self._meet("before", "list_workflow_step_executions")
        return self.steps

    def get_image_recipe(self, arn: str) -> dict[str, Any]:
        return self._get("get_image_recipe", arn)

    def get_container_recipe(self, arn: str) -> dict[str, Any]:
        return self._get("get_container_recipe", arn)

    def get_component(self, arn: str) -> dict[str, Any]:
        return self._get("get_component", arn)

    def get_workflow(self, arn: str) -> dict[str, Any]:
        return self._get("get_workflow", arn)

    def get_infrastructure_configuration(self, arn: str) -> dict[str, Any]:
        return self._get("get_infrastructure_configuration", arn)

    def get_distribution_configuration(self, arn: str) -> dict[str, Any]:
        return self._get("get_distribution_configuration", arn)

    def get_parameter(self, name: str) -> str:
        self._begin("get_parameter", name)
        self._meet("before", "get_parameter")
        return self.parameters[name]

    def describe_ami(self, ami: str) -> dict[str, Any] | None:
        self._begin("describe_ami", ami)
        self._meet("before", "describe_ami")
        return self.resources.get(ami)

    def describe_ecr_image(self, region: str, account: str, repository: str, tag: str) -> dict[str, Any]:
        return self._get("describe_ecr_image", f"{region}/{account}/{repository}:{tag}")

    def list_image_scan_findings(self, arn: str) -> Iterator[dict[str, Any]]:
        self._begin("list_image_scan_findings", arn)
        self._meet("before", "list_image_scan_findings")
        yield from self.findings

    def count_image_scan_findings(self, arn: str) -> dict[str, int] | None:
        self._begin("count_image_scan_findings", arn)
        self._meet("before", "count_image_scan_findings")
        return self.finding_counts

    def get_image_findings(self, ami: str, region: str) -> Iterator[dict[str, Any]]:
        self._begin("get_image_findings", f"{region}/{ami}")
        self._meet("before", "get_image_findings")
        yield from self.ami_findings

    def client_of(self, service: str, region: str, *, renew: bool = False) -> Any:
        return self.clients(service, region)

    async def connect(self) -> AbstractAsyncContextManager[Any]:
        @asynccontextmanager
        async def client() -> AsyncIterator[FakeImageBuilder]:
            yield self

        return client()

    async def acancel_image(
        self,
        arn: str,
        client_token: str,
        *,
        patience: float = 20.0,
        settle: float = 0.0,
        before_each: Callable[[], Awaitable[None]] | None = None,
    ) -> dict[str, Any]:
        # Each attempt is a call of its own; a throttled one is made again.
        while True:
            if before_each is not None:
                await before_each()
            self._begin("acancel_image", arn, client_token)
            try:
                await self._ameet("before", "acancel_image")
                self._accept_cancel(arn)
            except ThrottledError:
                continue
            except RefusedError:
                if not is_image_terminal(self._shown(arn)["state"]["status"]):
                    raise
            await self._ameet("after", "acancel_image")
            return self._shown(arn)


_: ImageBuilder = FakeImageBuilder()
