"""MotoWorld: moto's EC2, SSM, EventBridge, SNS, IAM and CloudWatch Logs around the local Image Builder.

This is the only module that uses moto's internals.
"""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from typing import Any

from moto.backends import get_backend
from moto.ec2.models.amis import Ami
from moto.iam.exceptions import EntityAlreadyExists
from moto.moto_api._internal.models import moto_api_backend

from airflow_imagebuilder.local.emulator.engine import ACCOUNT, Effect

log = logging.getLogger(__name__)
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "imagebuilder.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}


def _backend(service: Any, region: str, account: str = ACCOUNT) -> Any:
    return get_backend(service)[account][region]


class MotoWorld:
    """The world of an engine, in the moto of this process."""

    def __init__(self) -> None:
        self._handlers = {
            "ami": self._ami,
            "parameter": self._parameter,
            "launch_template": self._launch_template,
            "event": self._event,
            "notification": self._notification,
            "log": self._log,
        }

    def warm_up(self, regions: tuple[str, ...]) -> None:
        """Load the backends that take moto a second, before a client waits for them."""
        for region in regions:
            _backend("ec2", region)
        for service in ("ssm", "events", "logs", "sns", "sqs", "sts", "s3"):
            get_backend(service)

    def seed(self, role: str) -> None:
        """Create the execution role, if it does not exist."""
        iam = _backend("iam", "aws")
        with suppress(EntityAlreadyExists):
            iam.create_role(
                role_name=role,
                assume_role_policy_document=json.dumps(_TRUST),
                path="/",
                permissions_boundary=None,
                description="Execution role of Image Builder",
                tags=[],
                max_session_duration="3600",
            )

    def reset(self) -> None:
        """Delete everything in every service of moto."""
        moto_api_backend.reset()

    def apply(self, effect: Effect) -> None:
        """Carry out an effect; a failure is logged."""
        try:
            self._handlers[effect.kind](effect)
        # A user may have deleted a topic or a launch template, for which each service of moto has an error of
        # its own. On AWS such a failure does not stop Image Builder; here the next effects must follow, too.
        except Exception:
            log.exception("%s in %s could not be applied: %s", effect.kind, effect.region, effect.data)

    def _ami(self, effect: Effect) -> None:
        data, backend = effect.data, _backend("ec2", effect.region, effect.data["account"])
        ami = Ami(
            backend,
            data["id"],
            name=data["name"],
            description=data["description"],
            owner_id=ACCOUNT,
            virtualization_type="hvm",
            architecture="x86_64",
            platform="windows" if data["platform"] == "Windows" else None,
            hypervisor="xen",
            root_device_type="ebs",
            root_device_name="/dev/sda1" if data["platform"] == "Windows" else "/dev/xvda",
            region_name=f"{effect.region}a",
            snapshot_description=f"Created by Image Builder for {data['id']}",
        )
        backend.amis[ami.id] = ami
        snapshot = ami.ebs_snapshot
        # moto makes a random id for the snapshot; a restarted service must show the same id as before.
        backend.snapshots[data["snapshot"]] = backend.snapshots.pop(snapshot.id)
        snapshot.id = data["snapshot"]
        ami.add_tags(data["tags"])
        snapshot.add_tags(data["tags"])

    def _parameter(self, effect: Effect) -> None:
        _backend("ssm", effect.region).put_parameter(
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
        template = _backend("ec2", effect.region).launch_templates[effect.data["id"]]
        newest = dict(template.versions[-1].data) if template.versions else {}
        version = template.create_version({**newest, "ImageId": effect.data["ami"]}, "Image Builder")
        if effect.data["default"]:
            template.default_version_number = version.number

    def _event(self, effect: Effect) -> None:
        # Not through a client: EventBridge refuses events of users whose source begins with "aws.".
        _backend("events", effect.region).put_events(
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
        _backend("sns", effect.region).publish(message=message, arn=topic)

    def _log(self, effect: Effect) -> None:
        data, backend = effect.data, _backend("logs", effect.region)
        if data["group"] not in backend.groups:
            backend.create_log_group(data["group"], {})
        group = backend.groups[data["group"]]
        if data["stream"] not in group.streams:
            backend.create_log_stream(data["group"], data["stream"])
        at = int(effect.at * 1000)
        # Not through the backend: it refuses events two hours ahead, as virtual time soon is.
        group.put_log_events(data["stream"], [{"timestamp": at, "message": line} for line in data["lines"]])

    def has_ami(self, region: str, ami: str) -> bool:
        """Whether EC2 has such an AMI."""
        return ami in _backend("ec2", region).amis

    def parameter(self, region: str, name: str) -> str | None:
        """The value of a parameter in SSM; None if there is none."""
        plain = name.removeprefix("ssm:")
        if plain.startswith("arn:"):
            plain = "/" + plain.split(":parameter/", 1)[-1]
        found = _backend("ssm", region).get_parameter(plain)
        return str(found.value) if found else None

    def session_keys(self) -> set[str]:
        """Return the access keys of every session that STS has issued."""
        sts = _backend("sts", "aws")
        return {role.access_key_id for role in sts.assumed_roles}
