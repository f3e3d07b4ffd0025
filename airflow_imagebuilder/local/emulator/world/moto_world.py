"""MotoWorld: moto around the local Image Builder, as one account sees it.

Only this folder uses moto's internals.
"""

from __future__ import annotations

import json
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import botocore.session
from moto.backends import get_backend
from moto.iam.exceptions import EntityAlreadyExists
from moto.moto_api._internal.models import moto_api_backend

from airflow_imagebuilder.local.emulator.engine import ACCOUNT, Effect, partition_of
from airflow_imagebuilder.local.emulator.seed import (
    EXECUTION_ROLE,
    INSTANCE_PROFILE,
    REGIONS,
    REPOSITORIES,
)
from airflow_imagebuilder.local.emulator.world import amis, queues
from airflow_imagebuilder.local.emulator.world.effects import Effects, backend

if TYPE_CHECKING:
    from collections.abc import Callable

queues.quicken()
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


@lru_cache(maxsize=1)
def _regions() -> frozenset[str]:
    session = botocore.session.get_session()
    partitions = session.get_available_partitions()
    return frozenset(
        region for partition in partitions for region in session.get_available_regions("ec2", partition)
    )


class MotoWorld:
    """The world of an engine, in the moto of this process.

    :param account: whose AMIs, parameters and so on it sees; 123456789012 by default.
    :param settle: waits until all effects are carried out; by default they are carried out at once.
    """

    def __init__(self, account: str = ACCOUNT, settle: Callable[[], None] = lambda: None) -> None:
        self.account = account
        self._settle = settle
        self._effects = Effects()
        self._kinds = {
            "topic": self._has_topic,
            "instance profile": self._has_profile,
            "role": self._has_role,
            "repository": self._has_repository,
            "key pair": self._has_key_pair,
            "security group": self._has_group,
            "subnet": self._has_subnet,
            "instance": self._has_instance,
        }

    def in_account(self, account: str) -> MotoWorld:
        """Return what another account sees."""
        return MotoWorld(account, self._settle)

    def _own(self, service: Any, region: str = "aws") -> Any:
        return backend(service, region, self.account)

    def prepare(self) -> None:
        """Make what the golden resources name, unless it is there.

        This also loads the backends that take moto a second, before a client waits for them.
        """
        for region in REGIONS:
            self._own("ec2", region)
        for service in ("ssm", "events", "logs", "sns", "sqs", "sts", "s3"):
            get_backend(service)
        iam = self._own("iam")
        with suppress(EntityAlreadyExists):
            iam.create_instance_profile(INSTANCE_PROFILE, "/", [])
        for name, region in REPOSITORIES.items():
            ecr = self._own("ecr", region)
            if name not in ecr.repositories:
                ecr.create_repository(name, self.account, None, None, "MUTABLE", [])
        with suppress(EntityAlreadyExists):
            iam.create_role(
                role_name=EXECUTION_ROLE,
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
        """Carry out an effect of any account; a failure is logged."""
        self._effects.apply(effect)

    def has_ami(self, region: str, ami: str) -> bool:
        """Whether EC2 has such an AMI."""
        return ami in self._own("ec2", region).amis

    def ami_name(self, region: str, ami: str) -> str | None:
        """The name of an AMI."""
        found = self._own("ec2", region).amis.get(ami)
        return str(found.name) if found else None

    def ami_details(self, region: str, ami: str) -> dict[str, Any]:
        """What EC2 knows of an AMI."""
        found = self._own("ec2", region).amis.get(ami)
        return amis.details(found) if found else {}

    def ami_named(self, region: str, name: str) -> str | None:
        """The id of the account's AMI of a name."""
        self._settle()
        for ami in list(self._own("ec2", region).amis.values()):
            if ami.name == name and ami.owner_id == self.account and ami.state != "deregistered":
                return str(ami.id)
        return None

    def has(self, region: str, kind: str, name: str) -> bool:
        """Whether there is a thing of one of the kinds of :class:`World`."""
        return self._kinds[kind](region, name)

    def _has_topic(self, _region: str, arn: str) -> bool:
        _, _, _, region, account, _ = arn.split(":", 5)
        return arn in backend("sns", region, account).topics

    def _has_profile(self, region: str, name: str) -> bool:
        profiles = self._own("iam", partition_of(region)).instance_profiles
        return any(profile.name == name for profile in list(profiles.values()))

    def _has_role(self, region: str, name: str) -> bool:
        """Whether IAM has a role; an account in which a client has made none is taken to be prepared."""
        roles = list(self._own("iam", partition_of(region)).roles.values())
        return not roles or any(role.name == name for role in roles)

    def _has_repository(self, region: str, name: str) -> bool:
        return name in self._own("ecr", region).repositories

    def _has_key_pair(self, region: str, name: str) -> bool:
        return name in self._own("ec2", region).key_pairs

    def _has_group(self, region: str, name: str) -> bool:
        return any(name in groups for groups in list(self._own("ec2", region).groups.values()))

    def _has_subnet(self, region: str, name: str) -> bool:
        return any(name in subnets for subnets in list(self._own("ec2", region).subnets.values()))

    def _has_instance(self, region: str, name: str) -> bool:
        found = self._own("ec2", region).get_instance_by_id(name)
        return found is not None and found.state == "running"

    def is_region(self, region: str) -> bool:
        """Whether AWS has a region, in any partition."""
        return region in _regions()

    def has_launch_template(self, region: str, template: str) -> bool:
        """Whether EC2 has a launch template of this id."""
        return template in self._own("ec2", region).launch_templates

    def text(self, region: str, uri: str) -> str | None:  # noqa: ARG002  (buckets belong to no region)
        """The text of an object in S3."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        buckets = self._own("s3").buckets
        found = buckets[bucket].keys.get(key) if bucket in buckets else None
        try:
            return bytes(found.value).decode() if found else None
        except UnicodeDecodeError:
            return None

    def parameter(self, region: str, name: str) -> str | None:
        """The value of a parameter in SSM; None if there is none."""
        plain = name.removeprefix("ssm:")
        if plain.startswith("arn:"):
            plain = "/" + plain.split(":parameter/", 1)[-1]
        found = self._own("ssm", region).get_parameter(plain)
        return str(found.value) if found else None

    def session_keys(self) -> set[str]:
        """Return the access keys of every session that STS has issued."""
        return {
            role.access_key_id
            for account in list(get_backend("sts").values())
            for sts in list(account.values())
            for role in sts.assumed_roles
        }

    def account_of(self, key: str) -> str | None:
        """Return the account that an access key of IAM or STS belongs to; None for an unknown key."""
        for account, backends in list(get_backend("iam").items()):
            if any(key in iam.access_keys for iam in list(backends.values())):
                return str(account)
        return None
