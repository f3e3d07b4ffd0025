"""DistributionRules: what AWS refuses in a distribution configuration beside what the service model says.

Sources: API reference, ``AmiDistributionConfiguration.name``; hashicorp/terraform-provider-aws#17390 and
#36610 for the wording.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airflow_imagebuilder.local.emulator.engine.errors import ApiError, invalid_value
from airflow_imagebuilder.local.emulator.engine.identifiers import partition_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_imagebuilder.local.emulator.engine.state import Doc

_BUILD_DATE = re.compile(r"\{\{\s*imagebuilder:buildDate\s*(?::[^{}]*)?\}\}")


def check(distributions: list[Doc], home: str, account: str, is_region: Callable[[str], bool]) -> None:
    """Check the distributions of a request.

    :param home: the region of the request; images stay in its partition.
    :param account: the account of the request.
    :param is_region: whether a region exists.
    :raises ApiError: AWS does not take them; the error names the first fault.
    """
    seen: set[str] = set()
    for index, item in enumerate(distributions):
        where = f"distributions[{index}]"
        region = item["region"]
        if not is_region(region) or partition_of(region) != partition_of(home):
            raise invalid_value(f"{where}.region", f"The Region '{region}' does not exist.")
        if region in seen:
            raise invalid_value("distributions", "A region is given more than once.")
        seen.add(region)
        if refusal := _fault(item, where, account):
            raise refusal


def _fault(item: Doc, where: str, account: str) -> ApiError | None:
    if not any(key != "region" for key in item):
        return invalid_value(
            where, "One or more outputs should be provided for each region in a distribution configuration."
        )
    ami = item.get("amiDistributionConfiguration", {})
    name = ami.get("name")
    if name is not None and not _BUILD_DATE.search(name):
        return invalid_value(
            f"{where}.amiDistributionConfiguration.name",
            "The EC2 AMI name must contain '{{ imagebuilder:buildDate }}' so that it is unique.",
        )
    if set(ami.get("launchPermission", {}).get("userGroups", ())) - {"all"}:
        return invalid_value(
            f"{where}.amiDistributionConfiguration.launchPermission.userGroups",
            "The only user group is 'all'.",
        )
    accounts = {account, *ami.get("targetAccountIds", ())}
    for parameter in item.get("ssmParameterConfigurations", ()):
        if parameter.get("amiAccountId", account) not in accounts:
            return invalid_value(
                f"{where}.ssmParameterConfigurations",
                f"'{parameter['amiAccountId']}' is not a target account of this Region.",
            )
    return None
