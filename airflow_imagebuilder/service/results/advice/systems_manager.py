"""Known reasons why an instance did not reach Systems Manager (SSM), or SSM gave up waiting."""

from __future__ import annotations

from airflow_imagebuilder.service.results.advice.reason import (
    EC2,
    GUIDE,
    KEEP,
    LAUNCHING,
    NO_COMPONENT,
    REACH,
    REPOST,
    SAMPLE,
    TIMED_OUT,
    TROUBLE,
    Mark,
    Reason,
)

SYSTEMS_MANAGER: tuple[Reason, ...] = (
    Reason(
        name="container-device",
        message=r"poll action status for completion",
        cause="Systems Manager gave up waiting for the instance.",
        advice=(
            "With a container recipe this was seen when its block device is not the root device of the "
            "host image. Name it /dev/xvda, as the ECS image does, not /dev/sda1. Otherwise check that the "
            "instance reaches Systems Manager."
        ),
        mark=Mark.SEEN,
        source=(
            "https://github.com/aws-cloudformation/aws-cloudformation-resource-providers-imagebuilder/issues/5"
        ),
        where=r"type=DOCKER",
    ),
    Reason(
        name="inventory",
        message=r"poll action status for completion|AssertInventoryCollection|inventory association",
        cause="Systems Manager gave up waiting.",
        advice=(
            "This was seen where an association collects the inventory of all instances of the account: an "
            "instance can have only one. Set enhancedImageMetadataEnabled to false, or take the build "
            "instances out of that association. Otherwise check that the instance reaches Systems Manager."
        ),
        mark=Mark.SEEN,
        source="https://github.com/aws-samples/immutable-server-pipeline/issues/12",
    ),
    Reason(
        name="inventory-step",
        message=r"",
        cause="The inventory of the instance could not be collected.",
        advice=(
            "An association of the account that collects it from all instances is the usual cause: an "
            "instance can have only one. Set enhancedImageMetadataEnabled to false, or take the build "
            "instances out of that association."
        ),
        mark=Mark.DOCUMENTED,
        source=GUIDE,
        where=r"step=\S*Inventory|action=CollectImageMetadata",
    ),
    Reason(
        name="test-instance",
        message=(
            rf"{TIMED_OUT}|InvalidInstanceId|not in a valid state|terminal state Failed|agent|not connected"
        ),
        cause=(
            "The instance of the new AMI does not reach Systems Manager (SSM): the build may have changed "
            "its network, or removed the SSM agent."
        ),
        advice=f"Compare the changes of the components with the requirements of SSM. {REACH}",
        mark=Mark.DOCUMENTED,
        source=TROUBLE,
        where=rf"stage=TESTING.*{LAUNCHING}",
    ),
    Reason(
        name="status-checks",
        message=(
            r"status checks?.{0,80}(?:fail|impaired|not pass|timed?[ -]?out)|(?:fail|"
            r"impaired).{0,60}status checks?"
        ),
        cause=(
            "The instance started, but failed EC2's status checks: its system does not boot on this instance."
        ),
        advice=(
            "Read its console output (aws ec2 get-console-output). Choose another instance type or parent "
            "image, or undo what a component changed in boot, disk or network."
        ),
        mark=Mark.TEXT_GUESSED,
        source=EC2,
        where=NO_COMPONENT,
    ),
    Reason(
        name="instance-gone",
        message=(
            r"instance.{0,80}(?:was|has been|is|been) (?:\w+ )?(?:terminated|stopped|shut ?down|"
            r"shutting-down)|"
            r"InvalidInstanceID\.NotFound|IncorrectInstanceState|"
            r"instance.{0,60}(?:terminated|stopped|shutting-down) state|spot.{0,40}(?:interrupt|reclaim)"
        ),
        cause="The instance was stopped or terminated while the build used it.",
        advice=(
            "AWS CloudTrail shows who stopped it (StopInstances, TerminateInstances): a person, a clean-up "
            "job of the account, or a component that shuts the system down."
        ),
        mark=Mark.TEXT_GUESSED,
        source=EC2,
        where=NO_COMPONENT,
    ),
    Reason(
        name="ssm-agent",
        message=(
            r"(?:SSM|Systems? Manager)[- ]agent|\bSSM\b.{0,60}(?:verif|regist|connect|unreachab|"
            r"online|unavailable)|"
            r"Systems Manager.{0,60}(?:verif|regist|connect|unreachab|online|unavailable)|InvalidInstanceId|"
            r"(?:reach|register with|connect to|contact)\w* (?:AWS )?(?:SSM|Systems Manager)|"
            r"not in a valid state|TargetNotConnected|Undeliverable|DeliveryTimedOut|ConnectionLost|"
            r"\bagent\b.{0,60}(?:not|never|fail\w*|un\w+|lost|timed?[ -]?out).{0,40}(?:regist|"
            r"connect|reach|respond|"
            r"online|available|verif|ready)|\bagent\b.{0,40}(?:unreachable|unavailable|unresponsive)|"
            r"managed (?:instance|node).{0,80}(?:not|never|fail)|instance.{0,80}(?:not|"
            r"never) (?:regist|report|connect)\w*"
        ),
        cause="The instance did not reach Systems Manager (SSM), or its SSM agent does not run.",
        advice=f"{REACH} {KEEP}",
        mark=Mark.DOCUMENTED,
        source=(
            f"{GUIDE} and {TROUBLE}; with endpoints in place, seen in "
            "https://github.com/aws-samples/amazon-ec2-image-builder-samples/issues/30"
        ),
        where=NO_COMPONENT,
    ),
    Reason(
        name="launch-step",
        message=rf"{TIMED_OUT}|terminal state Failed|ExpectationNotMet",
        cause=(
            "The instance was not ready in time, most often because it did not reach Systems Manager (SSM)."
        ),
        advice=f"{REACH} {KEEP}",
        mark=Mark.DOCUMENTED,
        source=REPOST,
        where=LAUNCHING,
    ),
    Reason(
        name="launch-step-name",
        message=r"terminal state Failed.{0,60}(?:Launch|Bootstrap)\w*Instance",
        cause=(
            "The instance was not ready in time, most often because it did not reach Systems Manager (SSM)."
        ),
        advice=f"{REACH} {KEEP}",
        mark=Mark.DOCUMENTED,
        source=f"{REPOST} and {TROUBLE}",
    ),
    Reason(
        name="automation-timed-out",
        message=rf"SSM (?:execution|automation).{{0,120}}(?:{TIMED_OUT})",
        cause="Systems Manager (SSM) gave up waiting, most often because the instance did not reach it.",
        advice=f"{REACH} {KEEP}",
        mark=Mark.DOCUMENTED,
        source=REPOST,
    ),
    Reason(
        name="automation",
        message=r"(?:can.?t|cannot|could not|unable to|failed to) start (?:the )?SSM automation",
        cause=(
            "Image Builder could not start its automation in Systems Manager: the end of the message gives "
            "the reason."
        ),
        advice="Check the infrastructure configuration, and build again.",
        mark=Mark.SEEN,
        source=SAMPLE,
    ),
)
"""The instance did not reach Systems Manager, or Systems Manager gave up waiting."""
