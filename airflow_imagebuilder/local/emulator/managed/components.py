"""The components that Amazon manages, as far as public templates, issues and AWS's own examples name them.

AWS lists them with ``aws imagebuilder list-components --owner Amazon``. Versions that were seen in public are
here with every smaller patch of the same minor version; of the others there is 1.0.0. Their documents are not
public, so GetComponent answers a document of the same phases that does nothing. Amazon withdraws old
versions; here they stay, because public templates name them.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class ManagedComponent(NamedTuple):
    """A component of Amazon's.

    :param versions: oldest first.
    :param parameters: their names; each is a text with a default.
    """

    name: str
    platform: str
    type: str = "BUILD"
    versions: tuple[str, ...] = ("1.0.0",)
    parameters: tuple[tuple[str, str], ...] = ()


_UP_TO_1_0_1 = ("1.0.0", "1.0.1")
_UP_TO_1_0_2 = ("1.0.0", "1.0.1", "1.0.2")
_UP_TO_1_0_4 = (*_UP_TO_1_0_2, "1.0.3", "1.0.4")
_STIG = ("1.0.0", "1.0.1", "1.0.5", "2.6.0", "2022.4.0", "2023.4.0")
_STIG_PARAMETERS = (("Level", "High"), ("InstallPackages", "No"), ("SetDoDConsentBanner", "No"))


def _on_both(
    name: str, type_: str = "BUILD", versions: tuple[str, ...] = ("1.0.0",)
) -> list[ManagedComponent]:
    return [
        ManagedComponent(f"{name}-linux", "Linux", type_, versions),
        ManagedComponent(f"{name}-windows", "Windows", type_, versions),
    ]


def _stig(platform: str) -> list[ManagedComponent]:
    stem = f"stig-build-{platform.lower()}"
    levels = [
        ManagedComponent(f"{stem}-{level}", platform, versions=_STIG) for level in ("low", "medium", "high")
    ]
    return [ManagedComponent(stem, platform, versions=_STIG, parameters=_STIG_PARAMETERS), *levels]


MANAGED_COMPONENTS: Final = (
    *_on_both("amazon-cloudwatch-agent", versions=_UP_TO_1_0_1),
    *_on_both("aws-cli-version-2", versions=_UP_TO_1_0_4),
    *_on_both("aws-codedeploy-agent"),
    *_on_both("dcv-server"),
    *_on_both("dotnet-core-runtime", versions=("1.0.0", "3.1.0")),
    *_on_both("dotnet-runtime", versions=("5.0.0", "6.0.0", "8.0.0")),
    *_on_both("dotnet-sdk", versions=("5.0.0", "6.0.0", "8.0.0")),
    *_on_both("ebs-volume-usage-test", "TEST"),
    *_on_both("ec2-network-route-test", "TEST"),
    *_on_both("eni-attachment-test", "TEST", (*_UP_TO_1_0_2, "1.0.3")),
    *_on_both("hello-world", versions=("1.0.0", "2025.1.0")),
    *_on_both("inspector-test", "TEST"),
    *_on_both("powershell", versions=("7.0.5", "7.4.0")),
    *_on_both("python-3", versions=_UP_TO_1_0_2),
    *_on_both("reboot", versions=_UP_TO_1_0_1),
    *_on_both("reboot-test", "TEST"),
    *_on_both("scap-compliance-checker"),
    *_on_both("simple-boot-test", "TEST"),
    *_on_both("update", versions=_UP_TO_1_0_2),
    *_stig("Linux"),
    *_stig("Windows"),
    *(
        ManagedComponent(f"amazon-corretto-{release}{variant}", "Linux")
        for release in ("8", "11", "17", "21")
        for variant in ("", "-headless", "-jdk", "-jre")
    ),
    ManagedComponent("apache-tomcat-9-linux", "Linux"),
    ManagedComponent("chocolatey", "Windows"),
    ManagedComponent("chrony-time-configuration-test", "Linux", "TEST"),
    ManagedComponent("docker-ce-linux", "Linux"),
    ManagedComponent("docker-ce-ubuntu", "Linux"),
    ManagedComponent("ecs-optimized-ami-windows", "Windows"),
    ManagedComponent("go-linux", "Linux"),
    ManagedComponent("install-package-from-repository", "Linux", parameters=(("PackageName", ""),)),
    ManagedComponent("nodejs-12-lts-linux", "Linux", versions=_UP_TO_1_0_1),
    ManagedComponent("php-8-2-linux", "Linux"),
    ManagedComponent("san-sift-linux", "Linux"),
    ManagedComponent("windows-activation-test", "Windows", "TEST"),
    ManagedComponent("windows-is-ready-with-password-generation-test", "Windows", "TEST"),
    ManagedComponent("windows-server-iis", "Windows"),
)


def document(component: ManagedComponent) -> str:
    """Return a document with the phase and the parameters of a component."""
    phase = "test" if component.type == "TEST" else "build"
    action = "ExecutePowerShell" if component.platform == "Windows" else "ExecuteBash"
    declared = "".join(
        f"  - {name}:\n      type: string\n      default: '{default}'\n"
        for name, default in component.parameters
    )
    return (
        f"name: {component.name}\ndescription: The document that Amazon uses is not public.\n"
        f"schemaVersion: 1.0\n{'parameters:' + chr(10) + declared if declared else ''}"
        f"phases:\n  - name: {phase}\n    steps:\n      - name: Run\n        action: {action}\n"
        f"        inputs:\n          commands:\n            - exit 0\n"
    )
