"""The step actions of workflow documents: where they may run, how long, their inputs and outputs.

Source: User Guide, "Supported step actions for your workflow document".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

HOUR = 3600
_EVERYWHERE = frozenset({"BUILD", "TEST", "DISTRIBUTION"})
_DISTRIBUTION = frozenset({"DISTRIBUTION"})


@dataclass(frozen=True)
class StepAction:
    """One step action.

    :param default: its timeout in seconds, if the document gives none.
    :param maximum: the longest timeout that a document may give, in seconds.
    :param required: the inputs that a document must give.
    :param optional: the other inputs that it has.
    :param outputs: what later steps can refer to.
    :param types: the types of workflows that may have it.
    :param undone: whether a rollback undoes it.
    """

    default: int
    maximum: int = 12 * HOUR
    required: tuple[str, ...] = ("instanceId",)
    optional: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ("runCommandId", "status", "output")
    types: frozenset[str] = _EVERYWHERE
    undone: bool = False


STEP_ACTIONS: Final[dict[str, StepAction]] = {
    "ApplyImageConfigurations": StepAction(
        6 * HOUR,
        required=("distributedImages",),
        optional=("configurations",),
        outputs=("configuredImages",),
        types=_DISTRIBUTION,
    ),
    "BootstrapInstanceForContainer": StepAction(HOUR),
    "CollectImageMetadata": StepAction(HOUR // 2, outputs=("osVersion", "associationId"), undone=True),
    "CollectImageScanFindings": StepAction(2 * HOUR, types=frozenset({"TEST"})),
    "CreateImage": StepAction(12 * HOUR, 72 * HOUR, outputs=("imageId",)),
    "CreateImageFromIso": StepAction(12 * HOUR, outputs=("amiName", "snapshotId", "architecture")),
    "DistributeContainerImage": StepAction(
        2 * HOUR, outputs=("status", "succeededRegions", "failedRegions"), types=_DISTRIBUTION
    ),
    "DistributeImage": StepAction(
        6 * HOUR,
        required=(),
        optional=("distributions",),
        outputs=("distributedImages",),
        types=_DISTRIBUTION,
    ),
    "ExecuteComponents": StepAction(12 * HOUR, 24 * HOUR, types=frozenset({"BUILD", "TEST"})),
    "ExecuteStateMachine": StepAction(
        6 * HOUR,
        24 * HOUR,
        required=("stateMachineArn",),
        optional=("input",),
        outputs=("executionArn", "output"),
    ),
    "LaunchInstance": StepAction(
        75 * 60,
        required=("waitFor",),
        optional=("healthCheck", "imageIdOverride", "instanceTypesOverride"),
        # The guide's text on dynamic variables uses instanceType, its table has instanceId alone.
        outputs=("instanceId", "instanceType"),
        undone=True,
    ),
    "ModifyImageAttributes": StepAction(
        2 * HOUR,
        3 * HOUR,
        required=("distributedImages",),
        optional=("attributes",),
        outputs=("modifiedImages",),
        types=_DISTRIBUTION,
    ),
    "RegisterImage": StepAction(
        9 * HOUR,
        required=(),
        optional=(
            *("architecture", "blockDeviceMapping", "bootMode", "description", "enaSupport"),
            *("imageLocation", "imdsSupport", "includeSnapshotTags", "kernelId", "ramdiskId"),
            *("rootDeviceName", "sriovNetSupport", "tpmSupport", "uefiData", "virtualizationType"),
        ),
        outputs=("imageId",),
    ),
    "RunCommand": StepAction(
        12 * HOUR,
        required=("instanceId", "documentName"),
        optional=("parameters", "documentVersion"),
    ),
    "RunSysPrep": StepAction(HOUR),
    "SanitizeInstance": StepAction(HOUR),
    "TerminateInstance": StepAction(HOUR // 2, optional=("waitForTermination",), outputs=()),
    "WaitForAction": StepAction(
        72 * HOUR,
        168 * HOUR,
        required=(),
        optional=("snsTopicArn", "lambdaFunctionName", "payload"),
        outputs=("action", "reason"),
    ),
    "WaitForSSMAgent": StepAction(HOUR, 3 * HOUR, outputs=("status",)),
}
#: The values that an input may have.
INPUT_VALUES: Final = {
    ("LaunchInstance", "waitFor"): ("ssmAgent",),
    ("LaunchInstance", "healthCheck"): ("RUNNING", "STATUS_CHECK_PASSED"),
    ("RegisterImage", "architecture"): ("i386", "x86_64", "arm64", "x86_64_mac", "arm64_mac"),
    ("RegisterImage", "bootMode"): ("legacy-bios", "uefi", "uefi-preferred"),
    ("RegisterImage", "imdsSupport"): ("v2.0",),
    ("RegisterImage", "tpmSupport"): ("v2.0",),
    ("RegisterImage", "virtualizationType"): ("hvm", "paravirtual"),
    ("RegisterImage", "includeSnapshotTags"): (True, False),
    ("TerminateInstance", "waitForTermination"): (True, False),
}
#: The longest ``payload`` and ``input``, in bytes.
MAX_PAYLOAD: Final = 16 * 1024
#: Actions that a workflow with DistributeContainerImage cannot have.
OF_AMIS: Final = ("DistributeImage", "ModifyImageAttributes", "ApplyImageConfigurations")
#: The variables of ``$.imagebuilder``; User Guide, "Use Image Builder system variables". ``dateTime`` is only
#: in an example of that page.
SYSTEM_VARIABLES: Final = (
    *("cloudWatchLogGroup", "cloudWatchLogStream", "collectImageMetadata", "collectImageScanFindings"),
    *("dateTime", "imageBuildNumber", "imageId", "imageName", "imageType", "imageVersionNumber"),
    *("instanceProfileName", "platform", "s3Logs", "securityGroups", "sourceImageARN", "subnetId"),
    *("terminateInstanceOnFailure", "workflowPhase", "workingDirectory"),
)
