"""Reason: one known reason of failed builds, with its cause, what to do, and who says so."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

GUIDE = "https://docs.aws.amazon.com/imagebuilder/latest/userguide/troubleshooting.html"
ACTIONS = "https://docs.aws.amazon.com/imagebuilder/latest/userguide/wfdoc-step-actions.html"
REPOST = "https://repost.aws/knowledge-center/image-builder-build-timeout"
SAMPLE = "https://github.com/aws/aws-cli, awscli/examples/imagebuilder/list-image-build-versions.rst"
EC2 = "an error of the EC2 API; how Image Builder quotes it was not found"
_SKILL = "https://github.com/aws/agent-toolkit-for-aws, amazon-ec2-image-builder/references"
TROUBLE, SENDING = f"{_SKILL}/troubleshooting.md", f"{_SKILL}/distribution-options.md"

TIMED_OUT = r"timed?[ -]?out|timeout|took too long"
DENIED = (
    r"not authorized|access ?denied|unauthorized ?operation|forbidden|explicit deny|no identity-based policy"
)
GONE = r"(?:does|do) ?n[o']t exist|doesn.t exist|not (?:be )?found|no such|no longer (?:exists|available)"

NOT_SENDING = r"^(?!.*stage=(?:DISTRIBUTING|INTEGRATING))"
NO_COMPONENT = r"^(?!.*component=)"  # the output of a component quotes errors of anything
LAUNCHING = r"(?:action=(?:LaunchInstance|WaitForSSMAgent|Bootstrap)|step=(?:Launch|Bootstrap|WaitForSSM))"

REACH = (
    "Give its subnet a route to the internet, or VPC endpoints for ssm, ssmmessages, ec2messages, "
    "imagebuilder, "
    "s3 and logs. Allow outbound HTTPS (443) in the security group. Attach AmazonSSMManagedInstanceCore and "
    "EC2InstanceProfileForImageBuilder to the role of the instance profile."
)
KEEP = (
    "To see the instance, set terminateInstanceOnFailure to false in the infrastructure configuration and "
    "build "
    "again."
)
LOG = "The component's own output is in the log: search it for Stderr and ExitCode."


class Mark(str, Enum):
    """How well a reason is known."""

    DOCUMENTED = "documented"
    """AWS says it."""
    SEEN = "seen"
    """An account showed it, at the address given."""
    TEXT_GUESSED = "cause documented, text guessed"
    """The cause is documented (EC2, IAM, the operating system); how Image Builder quotes it was not found."""
    GUESSED = "guessed"
    """The cause was concluded, not found: the user reads that it is a guess."""


@dataclass(frozen=True, kw_only=True)
class Reason:
    """One kind of reason.

    :param name: a name for it, unique among all.
    :param said: pattern of what AWS says, without the ARNs of Image Builder in it; case does not matter.
    :param cause: what is wrong then.
    :param advice: what to do about it.
    :param mark: how well that is known.
    :param source: who says it.
    :param where: pattern of where it failed: ``stage=... step=... action=... component=... type=...``, of
        which AWS may leave out any.
    """

    name: str
    said: str
    cause: str
    advice: str
    mark: Mark
    source: str
    where: str = ""

    def fits(self, said: str, where: str) -> bool:
        """Whether a failure is of this kind."""
        return bool(re.search(self.said, said, re.IGNORECASE) and re.search(self.where, where, re.IGNORECASE))
