"""Effects: what Image Builder does to moto's EC2, SSM, EventBridge, SNS, ECR, Lambda and CloudWatch Logs."""

from __future__ import annotations

import hashlib
import json
import logging
from typing import TYPE_CHECKING, Any

from moto.backends import get_backend
from moto.events.utils import EventTemplateParser

from airflow_imagebuilder.local.emulator.world import amis

if TYPE_CHECKING:
    from airflow_imagebuilder.local.emulator.engine import Effect

log = logging.getLogger(__name__)
_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
# moto leaves the account out of what a target of a rule receives.
EventTemplateParser.DEFAULT_EVENT_INPUT_TEMPLATE = EventTemplateParser.DEFAULT_EVENT_INPUT_TEMPLATE.replace(
    '"region": "<region>"', '"account": "<account>", "region": "<region>"'
)


def backend(service: Any, region: str, account: str) -> Any:
    """Return a service of moto.

    :param region: a region, or a partition for a service without regions.
    """
    return get_backend(service)[account][region]


class Effects:
    """Carries out effects."""

    def __init__(self) -> None:
        self._handlers = {
            "ami": self._ami,
            "container": self._container,
            "launch_permission": self._launch_permission,
            "ami_state": self._ami_state,
            "parameter": self._parameter,
            "launch_template": self._launch_template,
            "event": self._event,
            "notification": self._notification,
            "function": self._function,
            "log": self._log,
        }

    def apply(self, effect: Effect) -> None:
        """Carry out an effect; a failure is logged."""
        try:
            self._handlers[effect.kind](effect)
        # A user may have deleted a topic or a launch template, for which each service of moto has an error of
        # its own. On AWS such a failure does not stop Image Builder; here the next effects must follow, too.
        except Exception as error:  # noqa: BLE001
            what = f"{effect.kind} in {effect.region}"
            log.warning("%s could not be applied: %r: %s", what, error, effect.data)

    def _ami(self, effect: Effect) -> None:
        amis.make(backend("ec2", effect.region, effect.data["account"]), effect.data, effect.at)

    def _container(self, effect: Effect) -> None:
        """Push a container image under its tags; a tag that another image has moves to this one."""
        data = effect.data
        ecr = backend("ecr", effect.region, effect.account)
        digest = hashlib.sha256(data["image"].encode()).hexdigest()
        config = {"mediaType": "application/vnd.docker.container.image.v1+json", "digest": f"sha256:{digest}"}
        manifest = {"schemaVersion": 2, "mediaType": _MANIFEST, "config": config, "layers": []}
        text = json.dumps(manifest)
        # moto gives every image the digest of an empty one.
        pushed = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
        for tag in data["tags"]:
            ecr.put_image(data["repository"], text, tag, _MANIFEST, pushed)

    def _launch_permission(self, effect: Effect) -> None:
        ami = backend("ec2", effect.region, effect.account).amis[effect.data["ami"]]
        ami.launch_permissions += [p for p in effect.data["allowed"] if p not in ami.launch_permissions]

    def _ami_state(self, effect: Effect) -> None:
        amis.change(backend("ec2", effect.region, effect.data["account"]), effect.data)

    def _parameter(self, effect: Effect) -> None:
        backend("ssm", effect.region, effect.data["account"]).put_parameter(
            name=effect.data["name"],
            description="",
            value=effect.data["value"],
            parameter_type="String",
            allowed_pattern=None,
            keyid=None,
            overwrite=True,
            tags=[],
            data_type=effect.data["type"],
            tier=None,
            policies=None,
        )

    def _launch_template(self, effect: Effect) -> None:
        ec2 = backend("ec2", effect.region, effect.data["account"])
        template = ec2.launch_templates[effect.data["id"]]
        newest = dict(template.versions[-1].data) if template.versions else {}
        version = template.create_version({**newest, "ImageId": effect.data["ami"]}, "Image Builder")
        if effect.data["default"]:
            template.default_version_number = version.number

    def _event(self, effect: Effect) -> None:
        # Not through a client: EventBridge refuses events of users whose source begins with "aws.".
        backend("events", effect.region, effect.account).put_events(
            [
                {
                    "Source": "aws.imagebuilder",
                    "DetailType": effect.data["type"],
                    "Detail": json.dumps(effect.data["detail"]),
                    "Resources": effect.data["resources"],
                    # moto expects seconds, and writes the date for the target.
                    "Time": effect.at,
                }
            ]
        )

    def _notification(self, effect: Effect) -> None:
        topic, message = effect.data["topic"], json.dumps(effect.data["message"])
        backend("sns", effect.region, topic.split(":")[4]).publish(message=message, arn=topic)

    def _function(self, effect: Effect) -> None:
        """Call a Lambda function; moto runs it in a container, and fails without Docker."""
        name = effect.data["name"].rsplit(":function:", maxsplit=1)[-1]
        backend("lambda", effect.region, effect.account).invoke(
            function_name=name,
            qualifier=None,
            body=json.dumps(effect.data["event"]),
            headers={},
            response_headers={},
        )

    def _log(self, effect: Effect) -> None:
        data, logs = effect.data, backend("logs", effect.region, effect.account)
        if data["group"] not in logs.groups:
            logs.create_log_group(data["group"], {})
        group = logs.groups[data["group"]]
        if data["stream"] not in group.streams:
            logs.create_log_stream(data["group"], data["stream"])
        at = int(effect.at * 1000)
        # Not through the backend: it refuses events two hours ahead, as virtual time soon is.
        group.put_log_events(data["stream"], [{"timestamp": at, "message": line} for line in data["lines"]])
