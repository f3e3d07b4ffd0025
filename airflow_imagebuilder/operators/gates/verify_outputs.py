"""The operator that verifies the outputs of an image in every region and account."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.assets import update_asset_events
from airflow_imagebuilder.links import BUILD_LINK, ImageBuilderGoldenAmiLink, persist_ami_link
from airflow_imagebuilder.operators.arguments import refuse
from airflow_imagebuilder.operators.base import AWS_FIELDS, ImageBuilderBaseOperator
from airflow_imagebuilder.operators.option_shapes import Boolean, Distributions, Seconds
from airflow_imagebuilder.operators.options import Option, as_seconds, option_faults, read_json
from airflow_imagebuilder.service.errors import Fault, ForbiddenError
from airflow_imagebuilder.service.gates.outputs.asked import More
from airflow_imagebuilder.service.gates.outputs.difference import MOST_ROWS, table
from airflow_imagebuilder.service.gates.outputs.judging import Judge
from airflow_imagebuilder.service.gates.outputs.reading import OutputReader
from airflow_imagebuilder.service.gates.outputs.verification import Verification, verify
from airflow_imagebuilder.service.request.fields.fields import ListOf, MapOf, Text
from airflow_imagebuilder.service.request.fields.templates import is_blank
from airflow_imagebuilder.xcom import ARN_KEY, known_arn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import timedelta

    from airflow.sdk import Context, XComArg
    from typing_extensions import Unpack

    from airflow_imagebuilder.hooks import ImageBuilderHook
    from airflow_imagebuilder.operators.arguments.keywords import AwsArguments

DIFFERENCES_KEY = "output_differences"
"""Key of the XCom with the differences, 100 at most, whether the task succeeds or fails."""

PATIENCE = 60.0
"""Seconds for which outputs that differ are read again by default."""

_STRUCTURED = ("account_conn_ids", "expected", "require_tags", "regions")


_PLACEHOLDER = re.compile(r"\{\{\s*imagebuilder:[^}]{0,100}\}\}")
_ANY = Text(allowed="text")
_OPTIONS: Mapping[str, Option] = {
    "account_conn_ids": Option(
        MapOf(
            key=Text(pattern="[0-9]{12}", allowed="an account id of twelve digits, as text"),
            value=Text(minimum=1, allowed="the id of an AWS connection"),
            allowed="a mapping of account ids to ids of AWS connections",
        ),
        templated=True,
    ),
    "expected": Option(Distributions(), templated=True),
    "require_tags": Option(
        MapOf(key=_ANY, value=_ANY, allowed="a mapping of tags to values"), templated=True
    ),
    "require_encryption": Option(Boolean(), required=True),
    "regions": Option(
        ListOf(
            member=Text(pattern="[a-z]{2,}(-[a-z]+)+-[0-9]+", allowed="a region, such as eu-west-1"),
            allowed="a list of regions",
        ),
        templated=True,
    ),
    "fail_on_unverified": Option(Boolean(), required=True),
    "patience": Option(Seconds()),
}


class ImageBuilderVerifyOutputsOperator(ImageBuilderBaseOperator):
    """
    Verify that an image's outputs are what its distribution configuration asks for, in every region.

    For an AMI: it is there, available, and owned by the account; name and tags (a placeholder such as
    ``{{ imagebuilder:buildDate }}`` can be any text), launch permissions, encryption and KMS key of each
    snapshot, the SSM parameters that hold its id, the launch templates that launch it. For a container image:
    each tag is in each repository, and the tags of a repository name one image.

    This task only reads; a kill of it changes nothing. It does not defer: it waits on the worker, for
    ``patience`` at most, and only for outputs that differ. The event of an outlet asset gets the golden AMIs,
    as that of the operator that builds does: a Dag scheduled on an asset of this task gets verified images
    only.

    :param image_build_version_arn: the image: its ARN, or the :class:`ImageResult` mapping of a task that
        waits for it, such as ``bake.output``. It must be AVAILABLE.
    :param account_conn_ids: for each other account that has AMIs, an AWS connection with which to read them,
        e.g. one with ``role_arn`` in its extra. Default: none.
    :param expected: what counts in place of the configuration that GetImage shows: a list of AWS's
        ``Distribution``, or a mapping with it as ``distributions``. ``None`` (default) takes GetImage's.
    :param require_tags: tags that every AMI must have in addition; an empty value means any value.
    :param require_encryption: whether every snapshot of every AMI must be encrypted (default ``False``).
    :param regions: regions in which the image must have an output in addition. Default: none.
    :param fail_on_unverified: whether the task fails where it may not read an output (default ``True``, since
        a gate cannot vouch for an AMI that it has not read). With ``False`` the log lists them as a warning.
    :param patience: seconds (or a timedelta) for which outputs that differ are read again (default 60), since
        EC2 shows new AMIs, tags and permissions eventually.
    :return: ``image_build_version_arn``, ``outputs`` (their number), ``amis``, ``containers``,
        ``difference_count``, ``differences``, ``not_verified_count``, ``not_verified``, and
        ``configuration_changed``: when the configuration changed after the build had begun. No list has more
        than 100 entries.
    :raises AirflowSkipException: no image was submitted.
    :raises ImageNotAvailableError: the image is not AVAILABLE.
    :raises OutputsDifferError: outputs differ, or could not be read; the message has the table.
    """

    template_fields: Sequence[str] = (
        *AWS_FIELDS,
        "image_build_version_arn",
        *_STRUCTURED,
    )
    template_fields_renderers = dict.fromkeys(_STRUCTURED, "json")
    own_options = _OPTIONS
    operator_extra_links = (BUILD_LINK, ImageBuilderGoldenAmiLink())
    ui_color = "#eef4fb"

    def __init__(
        self,
        *,
        image_build_version_arn: str | Mapping[str, Any] | XComArg,
        account_conn_ids: Mapping[str, str] | str | None = None,
        expected: Mapping[str, Any] | Sequence[Mapping[str, Any]] | str | None = None,
        require_tags: Mapping[str, str] | str | None = None,
        require_encryption: bool = False,
        regions: Sequence[str] | str | None = None,
        fail_on_unverified: bool = True,
        patience: float | timedelta = PATIENCE,
        **kwargs: Unpack[AwsArguments],
    ) -> None:
        super().__init__(**kwargs)
        self.image_build_version_arn = image_build_version_arn
        self.account_conn_ids = account_conn_ids
        self.expected = expected
        self.require_tags = require_tags
        self.require_encryption = require_encryption
        self.regions = regions
        self.fail_on_unverified = fail_on_unverified
        self.patience = patience
        self._refuse_options()
        given = {"expected": expected, "require_tags": require_tags}
        refuse(_unescaped_faults(given), of=f"task {self.task_id!r}")

    def execute(self, context: Context) -> dict[str, Any]:
        """Read the image and its outputs, log the differences, and fail if there are any."""
        arn = known_arn(self.image_build_version_arn)
        given = {name: _parsed(name, getattr(self, name)) for name in _STRUCTURED}
        refuse(option_faults({ARN_KEY: arn, **given}, _OPTIONS))
        verification = self._verify(arn, given)
        self._report(context, verification)
        verification.check(fail_on_unverified=self.fail_on_unverified)
        update_asset_events(context, self.outlets, verification.result)
        return verification.to_dict()

    def _verify(self, arn: str, given: Mapping[str, Any]) -> Verification:
        image, executions = self.hook.get_image(arn), self.hook.list_workflow_executions(arn)
        more = More(
            tags=given["require_tags"] or {},
            encrypted=self.require_encryption,
            regions=given["regions"] or (),
        )
        connections = given["account_conn_ids"] or {}
        return verify(
            image,
            executions,
            Judge(OutputReader(_Clients(self, arn, connections))),
            expected=given["expected"],
            more=more,
            patience=as_seconds(self.patience) or 0.0,
        )

    def _report(self, context: Context, verification: Verification) -> None:
        result, differences = verification.result, verification.differences
        for ami in result.golden_amis[:MOST_ROWS]:
            self.log.info("Golden AMI %s in %s (account %s)", ami.image, ami.region, ami.account_id)
        persist_ami_link(context, self, result)
        context["ti"].xcom_push(key=DIFFERENCES_KEY, value=[one.to_dict() for one in differences[:MOST_ROWS]])
        if verification.changed and not verification.known:
            self.log.warning(
                "The distribution configuration changed at %s, after the build of this image had begun. The "
                "outputs that could be read are as it asks for now.",
                verification.changed,
            )
        if differences:
            self.log.warning("Outputs of %s:\n%s", result.arn, table(differences))
        else:
            count = len(verification.asked)
            self.log.info("%d of %d outputs of %s are as asked for", count, count, result.arn)

    def hook_of(self, conn_id: str) -> ImageBuilderHook:
        """Return the hook of another connection, with this operator's other settings."""
        from airflow_imagebuilder.hooks import ImageBuilderHook

        aws = {**self.aws, "aws_conn_id": conn_id}
        return ImageBuilderHook(config=aws.pop("botocore_config"), **aws)


class _Clients:
    """The clients of other services, for each region and account."""

    def __init__(
        self, operator: ImageBuilderVerifyOutputsOperator, arn: str, connections: Mapping[str, str]
    ) -> None:
        self._operator = operator
        self._owner = arn.split(":")[4]
        self._connections = connections
        self._hooks: dict[str, ImageBuilderHook] = {}

    def __call__(self, service: str, region: str, account: str, renew: bool) -> Any:
        """Return a new client, with new credentials if they are to be renewed.

        :raises ForbiddenError: no connection reads this account.
        """
        if account == self._owner and account not in self._connections:
            return self._operator.hook.client_of(service, region, renew=renew)
        if account not in self._connections:
            raise ForbiddenError(
                f"read {account}", message=f"no connection for account {account} in account_conn_ids"
            )
        hook = self._hooks.get(account) or self._operator.hook_of(self._connections[account])
        self._hooks[account] = hook
        return hook.client_of(service, region, renew=renew)


def _unescaped_faults(given: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield a fault for a placeholder of AWS that Jinja would take for its own, and fail to read."""
    for name, value in given.items():
        text = json.dumps(value, default=str)
        if (found := _PLACEHOLDER.search(text)) and "{% raw %}" not in text:
            remedy = f"Airflow renders it: write {{% raw %}}{found[0]}{{% endraw %}}"
            yield Fault(name, value, "placeholders of AWS that Jinja leaves alone", remedy)


def _parsed(name: str, value: Any) -> Any:
    """Return a rendered parameter: a template renders structures as JSON text."""
    if value == "None" or is_blank(value):
        return None
    return read_json(name, value) if isinstance(value, str) else value
