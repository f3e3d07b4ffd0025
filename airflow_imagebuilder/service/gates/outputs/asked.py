"""What an image was asked for: an AMI or container image of each region and account, with its settings.

Sources: API reference, ``Distribution`` and ``AmiDistributionConfiguration``; AWS's skill for Image Builder
(``kmsKeyId`` is for copies only).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from airflow_imagebuilder.service.results.image import ImageResult

PERMISSIONS = {
    "userIds": "UserId",
    "userGroups": "Group",
    "organizationArns": "OrganizationArn",
    "organizationalUnitArns": "OrganizationalUnitArn",
}
"""The members of ``launchPermission``, with EC2's names of them."""


@dataclass(frozen=True, kw_only=True)
class AskedAmi:
    """The AMI of one region and account.

    :param region: the region.
    :param account: the account that owns it.
    :param image: the golden AMI that GetImage lists there; ``None`` if it lists none.
    :param listed: what GetImage lists there in its place, for messages.
    :param name: the template of its name; ``None`` for any name.
    :param tags: its tags with the templates of their values; an empty one means any value.
    :param permissions: its launch permissions as EC2 names them, e.g. ``("UserId", "111122223333")``.
    :param key: the KMS key of its snapshots; ``None`` for any.
    :param encrypted: whether every snapshot must be encrypted.
    :param parameters: the SSM parameters that hold its id.
    :param templates: the launch templates that launch it, each with whether by their default version.
    """

    region: str
    account: str
    image: str | None
    listed: str = ""
    name: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    permissions: tuple[tuple[str, str], ...] = ()
    key: str | None = None
    encrypted: bool = False
    parameters: tuple[str, ...] = ()
    templates: tuple[tuple[str, bool], ...] = ()


@dataclass(frozen=True, kw_only=True)
class AskedContainer:
    """The container image of one region.

    :param region: the region.
    :param account: the account of the registry.
    :param repository: the name of the repository.
    :param tags: the tags, with placeholders.
    :param listed: the tags that GetImage lists there.
    """

    region: str
    account: str
    repository: str
    tags: tuple[str, ...]
    listed: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class More:
    """What every AMI must have, beside what the distribution configuration asks for.

    :param tags: tags; an empty value means any value.
    :param encrypted: whether every snapshot must be encrypted.
    :param regions: regions in which the building account must have an AMI.
    """

    tags: Mapping[str, str] = field(default_factory=dict)
    encrypted: bool = False
    regions: Sequence[str] = ()


def asked_amis(
    image: Mapping[str, Any], result: ImageResult, distributions: Sequence[Mapping[str, Any]], more: More
) -> list[AskedAmi]:
    """
    Return the AMIs that an image was asked for.

    A region with ``targetAccountIds`` needs an AMI in each of these accounts. The AMI of the building account
    is verified there, too, if GetImage lists one. AMIs that GetImage lists beyond the configuration must be
    available.

    :param image: GetImage's ``image``.
    :param result: the same image, with its golden AMIs.
    :param distributions: the ``distributions`` of the configuration; empty means the region of the build.
    :param more: what every AMI must have in addition.
    """
    _, _, _, home, owner, *_ = result.arn.split(":", 5)
    golden = {(ami.region, ami.account_id or owner): ami.image for ami in result.golden_amis}
    asked: dict[tuple[str, str], AskedAmi] = {}
    for item in _items(distributions, home, more):
        region = str(item["region"])
        for account in _accounts(item, owner, with_own=(region, owner) in golden):
            asked[region, account] = _ami(item, region, account, owner, golden, is_raw=region == home)
    for (region, account), ami in golden.items():
        asked.setdefault((region, account), AskedAmi(region=region, account=account, image=ami))
    return [_with(ami, image, owner, more) for ami in asked.values()]


def asked_containers(
    image: Mapping[str, Any], result: ImageResult, distributions: Sequence[Mapping[str, Any]], more: More
) -> list[AskedContainer]:
    """Return the container images that an image was asked for; without a configuration that of the build.

    :param image: GetImage's ``image``.
    :param result: the same image.
    :param distributions: the ``distributions`` of the configuration; empty means the region of the build.
    :param more: ``regions`` counts; container images have no tags and no encryption of their own.
    """
    _, _, _, home, owner, *_ = result.arn.split(":", 5)
    listed = {item.region: item.image_uris for item in result.containers}
    own = (image.get("containerRecipe") or {}).get("targetRepository") or {}
    found = []
    for item in _items(distributions, home, more):
        configuration = item.get("containerDistributionConfiguration") or {}
        repository = (configuration.get("targetRepository") or own).get("repositoryName") or ""
        tags = tuple(configuration.get("containerTags") or [result.version.replace("/", "-")])
        uris = [uri.rpartition(":") for uri in listed.get(item["region"], ())]
        shown = tuple(tag for path, _, tag in uris if path.partition("/")[2] == repository)
        found.append(
            AskedContainer(
                region=item["region"], account=owner, repository=repository, tags=tags, listed=shown
            )
        )
    return found


def _items(distributions: Sequence[Mapping[str, Any]], home: str, more: More) -> list[Mapping[str, Any]]:
    """Return the distributions, with one more for each region that only the parameters name."""
    items = list(distributions) or [{"region": home}]
    known = {item["region"] for item in items}
    return [*items, *({"region": region} for region in dict.fromkeys(more.regions) if region not in known)]


def _accounts(item: Mapping[str, Any], owner: str, *, with_own: bool) -> Iterable[str]:
    configuration = item.get("amiDistributionConfiguration") or {}
    targets = [str(account) for account in configuration.get("targetAccountIds") or ()]
    used = [p.get("amiAccountId") or owner for p in item.get("ssmParameterConfigurations") or ()]
    used += [t.get("accountId") or owner for t in item.get("launchTemplateConfigurations") or ()]
    own = [owner] if with_own or not targets else []
    return dict.fromkeys([*own, *targets, *used])


def _ami(
    item: Mapping[str, Any],
    region: str,
    account: str,
    owner: str,
    golden: Mapping[tuple[str, str], str | None],
    *,
    is_raw: bool,
) -> AskedAmi:
    configuration = item.get("amiDistributionConfiguration") or {}
    own = account == owner
    return AskedAmi(
        region=region,
        account=account,
        image=golden.get((region, account)),
        name=configuration.get("name"),
        tags=dict(configuration.get("amiTags") or {}),
        # EC2 shows launch permissions to the owner alone; no document says whether the copies that other
        # accounts own get them.
        permissions=tuple(_permissions(configuration)) if own else (),
        # The key of the AMI of the build is that of the recipe.
        key=None if own and is_raw else configuration.get("kmsKeyId"),
        parameters=tuple(
            str(given["parameterName"])
            for given in item.get("ssmParameterConfigurations") or ()
            if (given.get("amiAccountId") or owner) == account
        ),
        templates=tuple(
            (str(given["launchTemplateId"]), given.get("setDefaultVersion") is not False)
            for given in item.get("launchTemplateConfigurations") or ()
            if (given.get("accountId") or owner) == account
        ),
    )


def _permissions(configuration: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    given = configuration.get("launchPermission") or {}
    for member, name in PERMISSIONS.items():
        for value in given.get(member) or ():
            yield name, str(value)


def _with(asked: AskedAmi, image: Mapping[str, Any], owner: str, more: More) -> AskedAmi:
    outputs = (image.get("outputResources") or {}).get("amis") or ()
    listed = [
        " ".join(str(part) for part in (ami.get("image"), (ami.get("state") or {}).get("reason")) if part)
        for ami in outputs
        if (ami.get("region"), ami.get("accountId") or owner) == (asked.region, asked.account)
    ]
    return replace(
        asked,
        listed=", ".join(filter(None, listed)),
        tags={**asked.tags, **more.tags},
        encrypted=asked.encrypted or more.encrypted,
    )
