"""Reason: one known reason of failed builds, with its cause, the advice and the source."""

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
TROUBLE, DISTRIBUTION_GUIDE = f"{_SKILL}/troubleshooting.md", f"{_SKILL}/distribution-options.md"

TIMED_OUT = r"timed?[ -]?out|timeout|took too long"
DENIED = (
    r"not authorized|access ?denied|unauthorized ?operation|forbidden|explicit deny|no identity-based policy"
)
GONE = r"(?:does|do) ?n[o']t exist|doesn.t exist|not (?:be )?found|no such|no longer (?:exists|available)"

NOT_DISTRIBUTING = r"^(?!.*stage=(?:DISTRIBUTING|INTEGRATING))"
NO_COMPONENT = r"^(?!.*component=)"  # the output of a component may quote any error
LAUNCHING = r"(?:action=(?:LaunchInstance|WaitForSSMAgent|Bootstrap)|step=(?:Launch|Bootstrap|WaitForSSM))"

REACH = (
    "Give its subnet a route to the internet, or VPC endpoints for ssm, ssmmessages, ec2messages, "
    "imagebuilder, s3 and logs. Allow outbound HTTPS (443) in the security group. Attach "
    "AmazonSSMManagedInstanceCore and EC2InstanceProfileForImageBuilder to the role of the instance "
    "profile."
)
KEEP = (
    "To inspect the instance, set terminateInstanceOnFailure to false in the infrastructure configuration "
    "and build again."
)
LOG = "The component's own output is in the log: search it for Stderr and ExitCode."


class Mark(str, Enum):
    """How well a reason is known."""

    DOCUMENTED = "documented"
    """AWS documents it."""
    SEEN = "seen"
    """A user reported it at the address given."""
    TEXT_GUESSED = "cause documented, text guessed"
    """The cause is documented (EC2, IAM, the operating system); how Image Builder quotes it was not found."""
    GUESSED = "guessed"
    """The cause is a conclusion without a source: the text calls it a guess."""


@dataclass(frozen=True, kw_only=True)
class Reason:
    """One known reason of failed builds.

    :param name: the unique name of the reason.
    :param message: a pattern over AWS's messages without Image Builder's ARNs; it ignores case.
    :param cause: what is wrong, in whole sentences.
    :param advice: what to do, in whole sentences.
    :param mark: how well the reason is known.
    :param source: where the reason is documented or was reported.
    :param where: a pattern over the place of the failure; by default it fits every place. The place is
        ``stage=... step=... action=... component=... type=...``, and AWS may leave out any part.
    """

    name: str
    message: str
    cause: str
    advice: str
    mark: Mark
    source: str
    where: str = ""

    def fits(self, message: str, where: str) -> bool:
        """Return whether the reason fits a failure with this message, at this place."""
        return bool(
            re.search(self.message, message, re.IGNORECASE) and re.search(self.where, where, re.IGNORECASE)
        )
