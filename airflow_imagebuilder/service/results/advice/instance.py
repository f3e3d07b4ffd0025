"""Known reasons why an instance did not start."""

from __future__ import annotations

from airflow_imagebuilder.service.results.advice.reason import (
    EC2,
    GONE,
    NO_COMPONENT,
    SAMPLE,
    TROUBLE,
    Mark,
    Reason,
)

THROTTLED: tuple[Reason, ...] = (
    Reason(
        name="throttled",
        message=(
            r"rate (?:limit )?exceeded|throttl|RequestLimitExceeded|TooManyRequests|"
            r"too many requests|SlowDown|"
            r"API rate|request rate"
        ),
        cause=(
            "AWS throttled the account: too many calls to Systems Manager or EC2 at once, often because "
            "many builds started together."
        ),
        advice="Build again later, and start fewer builds at once.",
        mark=Mark.SEEN,
        source=(
            "https://github.com/aws-cloudformation/aws-cloudformation-resource-providers-imagebuilder/issues/6"
        ),
        where=NO_COMPONENT,
    ),
)
"""AWS throttled the calls."""

LIMITS: tuple[Reason, ...] = (
    Reason(
        name="vcpu-quota",
        message=r"VcpuLimitExceeded|\bvCPU\b.{0,80}\blimit|requested more vCPU",
        cause="EC2's quota of vCPUs for this family of instance types is used up.",
        advice=(
            "Wait until other instances stop, choose smaller types in the infrastructure configuration, or "
            "ask for more in Service Quotas (Amazon EC2)."
        ),
        mark=Mark.TEXT_GUESSED,
        source=EC2,
    ),
    Reason(
        name="mac-host",
        message=(
            r"\bmac(?:os|\d[\w-]*)\b.{0,200}\b(?:dedicated host|hosts?\b|capacity|tenancy)|"
            r"\bmac dedicated host|\b(?:dedicated host|hosts?|capacity|tenancy)\b.{0,200}\bmac(?:os|\d)"
        ),
        cause="No Mac dedicated host is available, or the infrastructure configuration names none.",
        advice=(
            "In the infrastructure configuration set the placement to tenancy host with a host id or host "
            "resource group, of the architecture of the image."
        ),
        mark=Mark.TEXT_GUESSED,
        source=f"{TROUBLE} for the cause; the text was not found",
    ),
    Reason(
        name="capacity",
        message=(
            r"Insufficient\w*Capacity|insufficient (?:\w+ )?capacity|(?:not|"
            r"n.t) (?:currently )?have (?:sufficient|enough)"
            r".{0,60}capacity|no (?:\w+ )?capacity|capacity (?:is )?(?:not available|unavailable)"
        ),
        cause="The instance did not start: AWS had no capacity for its type in this Availability Zone.",
        advice=(
            "Name two or three instance types in the infrastructure configuration, or another subnet; or "
            "build again later."
        ),
        mark=Mark.DOCUMENTED,
        source=TROUBLE,
        where=NO_COMPONENT,
    ),
    Reason(
        name="quota",
        message=(
            r"quota|(?<!time )(?<!timeout )limit ?(?:has been |was |is )?(?:exceeded|reached)|"
            r"LimitExceeded|"
            r"(?:reached|exceed\w*|over) (?:the|your|its|an?) (?:\w+ ){0,4}limit|maximum number of"
        ),
        cause="A service quota of this account and Region is used up: the message names it.",
        advice=(
            "Remove resources that are not needed (old AMIs and snapshots, idle instances), or ask for "
            "more in Service Quotas."
        ),
        mark=Mark.TEXT_GUESSED,
        source=EC2,
        where=NO_COMPONENT,
    ),
)
"""A quota is used up, or AWS has no capacity."""

LAUNCH: tuple[Reason, ...] = (
    Reason(
        name="architecture",
        message=r"architecture.{0,160}(?:does not match|mismatch|not supported|incompatible|not compatible)",
        cause="The instance type and the parent image are of different architectures (x86_64, arm64).",
        advice=(
            "Choose instance types of the image's architecture in the infrastructure configuration; AWS "
            "checks this at launch only."
        ),
        mark=Mark.TEXT_GUESSED,
        source=EC2,
    ),
    Reason(
        name="unsupported-type",
        message=(
            r"(?:instance type|configuration|t\d\w*\.\w+).{0,120}not supported|"
            r"Unsupported.{0,80}(?:zone|instance)|"
            r"InvalidInstanceType|InvalidParameterCombination.{0,200}instance"
        ),
        cause=(
            "The instance did not start: this instance type is not offered there, or does not fit the image."
        ),
        advice="Choose other instance types or another subnet in the infrastructure configuration.",
        mark=Mark.TEXT_GUESSED,
        source=EC2,
    ),
    Reason(
        name="instance-profile",
        message=(
            r"iamInstanceProfile|(?:invalid|unknown|missing|without an?) (?:IAM )?instance ?profile|"
            rf"instance ?profile.{{0,160}}(?:{GONE}|invalid|null|missing)"
        ),
        cause=(
            "The instance did not start: the infrastructure configuration names no instance profile that "
            "works."
        ),
        advice=(
            "Set instanceProfileName to an instance profile that exists and holds a role. EC2 accepts a new "
            "profile only some seconds after its creation."
        ),
        mark=Mark.SEEN,
        source=SAMPLE,
    ),
    Reason(
        name="network",
        message=(
            rf"InvalidSubnet|InvalidGroup|InvalidSecurityGroup|subnets?\b.{{0,160}}(?:{GONE}|"
            r"free|enough|insufficient)|"
            rf"security groups?\b.{{0,160}}(?:{GONE}|belong|invalid)|default (?:VPC|subnet)|"
            r"VPCIdNotSpecified|"
            r"InsufficientFreeAddresses|not enough (?:free )?(?:IP )?addresses|InvalidVpc"
        ),
        cause=(
            "The instance did not start: its subnet or security group is missing, is full, or belongs to "
            "another VPC."
        ),
        advice=(
            "Set subnetId and securityGroupIds in the infrastructure configuration. An account without a "
            "default VPC needs both."
        ),
        mark=Mark.TEXT_GUESSED,
        source=EC2,
        where=NO_COMPONENT,
    ),
    Reason(
        name="key-pair",
        message=rf"InvalidKeyPair|key ?pair.{{0,120}}(?:{GONE})",
        cause=(
            "The instance did not start: the key pair of the infrastructure configuration does not exist "
            "in this Region."
        ),
        advice="Correct keyPair, or leave it out: Image Builder does not need it.",
        mark=Mark.TEXT_GUESSED,
        source=EC2,
    ),
    Reason(
        name="volume",
        message=(
            r"InvalidBlockDeviceMapping|smaller than (?:the )?snapshot|"
            r"volume size.{0,80}(?:invalid|too|small)|"
            r"device name.{0,80}(?:invalid|already|duplicate)"
        ),
        cause=(
            "The instance did not start: a volume of the recipe's blockDeviceMappings does not fit the "
            "parent image."
        ),
        advice=(
            "The volume must be at least as large as the parent's snapshot, and the root device must have "
            "the same name as in the parent image (/dev/xvda or /dev/sda1)."
        ),
        mark=Mark.TEXT_GUESSED,
        source=EC2,
    ),
    Reason(
        name="run-instances",
        message=(
            r"RunInstances|instance.{0,60}(?:failed|unable|could not|did not) (?:to )?(?:launch|start)|"
            r"(?:failed|unable|could not) (?:to )?(?:launch|start).{0,40}instance"
        ),
        cause="The instance did not start.",
        advice=(
            "Check the instance types, subnet and instance profile of the infrastructure configuration, "
            "and the EC2 quotas."
        ),
        mark=Mark.TEXT_GUESSED,
        source=EC2,
        where=NO_COMPONENT,
    ),
)
"""The instance did not start."""
