"""What goes into an image: the recipe, its base image and its components, now and in the last image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.gates.needs.base_image import base_image
from airflow_imagebuilder.service.gates.needs.statement import Statement, Verdict, read
from airflow_imagebuilder.service.gates.needs.versions import Version, compared, version_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_imagebuilder.service.gates.needs.ports import Reads
    from airflow_imagebuilder.service.gates.needs.target import Target

RECIPE, BASE_IMAGE, COMPONENTS = "recipe", "base_image", "components"


def recorded_recipe(image: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the recipe that an image records, with what its wildcards meant; an import has none."""
    found = image.get("imageRecipe") or image.get("containerRecipe")
    return found if found and found.get("arn") else None


def recipe(target: Target, image: Mapping[str, Any]) -> Iterator[Statement]:
    """Compare the recipe that a build would take with that of the last image. No call."""
    now, then = target.recipe or {}, recorded_recipe(image)
    if then is None:
        yield Statement(RECIPE, Verdict.UNKNOWN, f"image {image['arn']} records no recipe (an import?)")
    elif now["arn"] == then["arn"]:
        yield Statement(RECIPE, Verdict.NO, f"{_short(now['arn'])}, as in the last image")
    else:
        text = f"a build takes {_short(now['arn'])}; the last image was built from {_short(then['arn'])}"
        yield Statement(RECIPE, Verdict.BUILD, text)


def base(aws: Reads, target: Target, image: Mapping[str, Any]) -> Iterator[Statement]:
    """Compare the recipe's parent image with the parent that the last image records: at most one call."""
    now, then = target.recipe or {}, recorded_recipe(image)
    recorded = (then or {}).get("parentImage")
    if not recorded:
        text = f"image {image['arn']} does not record its parent image"
        yield Statement(BASE_IMAGE, Verdict.UNKNOWN, text)
        return
    yield base_image(aws, str(now.get("parentImage")), str(recorded), image)


def components(aws: Reads, target: Target, image: Mapping[str, Any]) -> Iterator[Statement]:
    """Compare the recipe's components with those that the last image records: a call for each open one."""
    given = _by_thing((target.recipe or {}).get("components") or ())
    recorded = _by_thing((recorded_recipe(image) or {}).get("components") or ())
    for thing, arn in given.items():
        yield _component(aws, arn, recorded.get(thing))
    for thing in recorded:
        if thing not in given:
            text = f"{thing.rpartition('/')[2]} is in the last image, and not in the recipe"
            yield Statement(COMPONENTS, Verdict.BUILD, text)
    if not given and not recorded:
        yield Statement(COMPONENTS, Verdict.NO, "the recipe has none")


def _component(aws: Reads, arn: str, recorded_arn: str | None) -> Statement:
    given, recorded = version_of(arn), version_of(recorded_arn)
    if given is None:
        return Statement(COMPONENTS, Verdict.UNKNOWN, f"{arn} is not the ARN of a component")
    label = given.name if given.thing.split("/")[0].isdigit() else given.thing.replace("/component", "")
    if recorded_arn is None:
        return Statement(COMPONENTS, Verdict.BUILD, f"{label} is in the recipe, and not in the last image")
    if recorded is None or recorded.is_open:
        text = f"the last image does not record which build of {label} it has ({recorded_arn})"
        return Statement(COMPONENTS, Verdict.UNKNOWN, text)
    now = _resolved(aws, arn, given, label)
    if isinstance(now, Statement):
        return now
    change = compared(now, recorded)
    if change:
        return Statement(COMPONENTS, Verdict.BUILD, f"{label} {change}")
    why = "the newest" if given.is_open else "pinned by the recipe"
    return Statement(COMPONENTS, Verdict.NO, f"{label} {now.text} is {why}")


def _resolved(aws: Reads, arn: str, given: Version, label: str) -> Version | Statement:
    if not given.is_open:
        return given
    found = read(COMPONENTS, f"component {label} {given.text}", lambda: aws.get_component(arn))
    if isinstance(found, Statement):
        return found
    now = version_of(found.get("arn"))
    if now is None or now.is_open:
        text = f"GetComponent answers {arn} without a build number ({found.get('arn')})"
        return Statement(COMPONENTS, Verdict.UNKNOWN, text)
    return now


def _by_thing(items: Any) -> dict[str, str]:
    """Return component ARNs by what they name: a recipe lists each component once (API reference)."""
    arns = [str(item.get("componentArn")) for item in items]
    return {version.thing if (version := version_of(arn)) else arn: arn for arn in arns}


def _short(arn: object) -> str:
    return str(arn).partition("recipe/")[2] or str(arn)
