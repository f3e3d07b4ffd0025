"""Known reasons of failures in the steps of a workflow, and in the components that it runs."""

from __future__ import annotations

from airflow_imagebuilder.service.results.advice.reason import (
    ACTIONS,
    DENIED,
    GUIDE,
    LOG,
    NO_COMPONENT,
    SAMPLE,
    TIMED_OUT,
    TROUBLE,
    Mark,
    Reason,
)

WAITING_STEPS: tuple[Reason, ...] = (
    Reason(
        name="no-answer",
        message=TIMED_OUT,
        cause="No answer reached WaitForAction in time.",
        advice=(
            "Answer the next request sooner (SendWorkflowStepAction), or raise timeoutSeconds of this step: "
            "3 days by default, 7 at most."
        ),
        mark=Mark.DOCUMENTED,
        source=ACTIONS,
        where=r"action=WaitForAction",
    ),
    Reason(
        name="state-machine",
        message=rf"^(?!.*(?:{DENIED}))",
        cause="The Step Functions state machine failed.",
        advice="Its execution in Step Functions shows which state failed, and on which input.",
        mark=Mark.DOCUMENTED,
        source=ACTIONS,
        where=r"action=ExecuteStateMachine",
    ),
)
"""Steps that wait for an answer or for a state machine."""

COMPONENTS: tuple[Reason, ...] = (
    Reason(
        name="toe-bootstrap",
        message=r"unable to bootstrap TOE|bootstrap.{0,40}AWSTOE|ec2imagebuilder-toe",
        cause="AWSTOE, which runs the components, could not start.",
        advice=(
            "Either the instance cannot read the bucket ec2imagebuilder-toe-<region>-prod: check the "
            "policy of the S3 endpoint. Or the image mounts /tmp with noexec, as hardened images do (CIS, "
            "STIG): name another workingDirectory in the recipe."
        ),
        mark=Mark.DOCUMENTED,
        source=TROUBLE,
    ),
    Reason(
        name="noexec",
        message=r"\bnoexec\b|/tmp\b.{0,80}permission denied",
        cause="Programs cannot run from the working directory: a hardened image mounts /tmp with noexec.",
        advice="Name another workingDirectory in the recipe.",
        mark=Mark.DOCUMENTED,
        source=GUIDE,
    ),
    Reason(
        name="no-endpoint",
        message=(
            r"GetComponent.{0,200}(?:dial tcp|timeout|timed out)|dial tcp.{0,80}(?:i/o timeout|"
            r"no route|refused)"
        ),
        cause="The instance could not reach an AWS endpoint, most often Image Builder's own.",
        advice="Give the subnet a route to the internet, or a VPC endpoint for imagebuilder.",
        mark=Mark.DOCUMENTED,
        source=TROUBLE,
    ),
    Reason(
        name="wrong-binary",
        message=r"exit ?(?:code|status):? ?126|exec format error|cannot execute binary",
        cause="A program is of another architecture than the instance, or is not executable.",
        advice=(
            "Parent image, components and instance types must have one architecture; AWS does not check that."
        ),
        mark=Mark.DOCUMENTED,
        source=TROUBLE,
    ),
    Reason(
        name="reboot-loop",
        message=r"exit(?:ing|ed)?(?: with)? ?(?:code|status):? ?(?:3010|194)\b",
        cause="A step asked for a reboot and runs again after each one.",
        advice="Make the step write a marker file, and exit with code 0 if that file exists.",
        mark=Mark.DOCUMENTED,
        source=TROUBLE,
    ),
    Reason(
        name="component-document",
        message=r"parsing step .{1,200} in phase .{1,200} failed",
        cause=(
            "AWSTOE cannot read the component's document: the end of the message names the fault in that "
            "step."
        ),
        advice="Correct the document in a new version of the component.",
        mark=Mark.SEEN,
        source="https://github.com/CloudSnorkel/cdk-github-runners/issues/964",
    ),
    Reason(
        name="aws-cli-component",
        message=r"",
        cause=(
            "The parent image may have the AWS CLI already (Amazon Linux 2023 has), and this component "
            "conflicts with it."
        ),
        advice="Remove aws-cli-version-2-linux from the recipe.",
        mark=Mark.DOCUMENTED,
        source=TROUBLE,
        where=r"component=\S*aws-cli-version-2-linux",
    ),
    Reason(
        name="hop-limit",
        message=r"unable to locate credentials|no credentials|NoCredentialProviders",
        cause="A container could not reach the instance metadata.",
        advice=(
            "Set httpPutResponseHopLimit to 2 or more in instanceMetadataOptions of the infrastructure "
            "configuration."
        ),
        mark=Mark.GUESSED,
        source="InstanceMetadataOptions.httpPutResponseHopLimit of the API for the rule",
        where=r"type=DOCKER",
    ),
    Reason(
        name="disk-full",
        message=r"no space left on device|not enough (?:disk )?space|disk (?:is )?full",
        cause="The disk of the build instance is full.",
        advice=(
            "Increase volumeSize of the root volume in the recipe's blockDeviceMappings, or make the "
            "component clean up after itself."
        ),
        mark=Mark.TEXT_GUESSED,
        source="the operating system's text",
    ),
)
"""Failures that the output of a component shows."""

COMMANDS: tuple[Reason, ...] = (
    Reason(
        name="sysprep",
        message=r"sysprep",
        cause="Windows Sysprep did not finish.",
        advice=(
            "Read C:\\Windows\\System32\\Sysprep\\Panther\\setuperr.log on the instance. Packages that are "
            "installed for one user only are the usual cause: remove them in a component."
        ),
        mark=Mark.GUESSED,
        source="Windows' general rule; no public report of Image Builder was found",
    ),
    Reason(
        name="no-internet",
        message=(
            r"could not resolve host|temporary failure in name resolution|"
            r"name or service not known|no route to host|"
            r"network is unreachable|connection timed out"
        ),
        cause="A command could not reach a host.",
        advice=(
            "Check the DNS, the route to the internet (or the proxy) and the security group of the subnet "
            "in the infrastructure configuration."
        ),
        mark=Mark.TEXT_GUESSED,
        source="the operating system's text",
    ),
    Reason(
        name="component-timed-out",
        message=rf"{TIMED_OUT}",
        cause="The components ran longer than their timeout allows.",
        advice=(
            "Raise timeoutSeconds of the component's step (7,200 s by default; Windows updates need more) or "
            f"of the workflow's step, or find what hangs. {LOG}"
        ),
        mark=Mark.SEEN,
        source="https://dev.classmethod.jp/articles/ec2-imagebuilder-windows-update-timeout-troubleshooting/",
        where=r"action=ExecuteComponents|action=(?:UpdateOS|Execute\w+)|step=Apply\w*Components",
    ),
    Reason(
        name="terminal-state",
        message=(
            r"(?:Command\w*Invocations?|ExpectationNotMet|"
            r"command\b.{0,80}).{0,80}(?:terminal )?state:? ?'?Failed|"
            r"unexpected invocation result|action failed for step"
        ),
        cause="A command of a component failed, or rebooted the instance on its own (Windows updates do).",
        advice=f"{LOG} A reboot needs exit code 194 (Linux) or 3010 (Windows), or the action Reboot.",
        mark=Mark.DOCUMENTED,
        source=f"{TROUBLE}; {SAMPLE}",
    ),
)
"""Failures of components whose output shows no exact reason."""

OTHERS: tuple[Reason, ...] = (
    Reason(
        name="internal",
        message=(
            r"internal (?:service |server )?(?:error|failure)|InternalError|InternalFailure|ServiceException|"
            r"service unavailable"
        ),
        cause="AWS had an internal error and gives no details.",
        advice=(
            "Build again. If the error persists, ask AWS Support and give the ARN. AMIs made before the "
            "error still exist."
        ),
        mark=Mark.SEEN,
        source=SAMPLE,
        where=NO_COMPONENT,
    ),
    Reason(
        name="step-timed-out",
        message=TIMED_OUT,
        cause="A step took longer than its timeout allows.",
        advice=(
            "Find in the log what the step waited for. If it only needs more time, raise its "
            "timeoutSeconds in the workflow document."
        ),
        mark=Mark.DOCUMENTED,
        source=ACTIONS,
    ),
)
"""Reasons so general that every other reason goes before them."""
