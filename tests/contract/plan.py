"""Plan: what a run makes in an account, how long it takes and what it costs, said before it starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.contract.account import PREFIX

if TYPE_CHECKING:
    from tests.contract.account import Account

HOURLY: Final = 0.0832
"""US dollars per hour of a t3.large on demand in us-east-1, as public pages quote EC2's price list; the suite
takes the smaller t3.small."""
INSTANCE_HOURS: Final = 1.0
"""A build and two tests with instances of their own, with room to spare: AWS's example of an approval gate
has 900 s of instance time for one build and test, and a typical image takes 900 to 2,700 s in all."""
REST: Final = 0.10
"""US dollars for disks, snapshots, messages and logs of an hour, rounded up."""

CHEAP = """\
It makes components, recipes, test workflows and configurations{profile}. It starts no instance
and makes no image; an image that AWS should make against expectation is cancelled at once.
Time: 2 to 5 minutes (estimate: Terraform's acceptance tests of recipes take 75 to 104 s).
Costs: nothing (estimate: Image Builder itself is free, and so is what is made here)."""

FULL = """\
Besides all of the cheap part, it makes
  - 3 images that wait for an action in their tests and are stopped or cancelled; they start no instance;
  - 1 image that is really built on {parent}, with t3.small instances and the profile
    {profile}; it is stopped in its test, retried and finished, and then distributed
    once into its own region: 1 or 2 AMIs with their snapshots;
  - 1 queue and 1 rule of EventBridge, for the events of that image.
Time: 40 to 90 minutes (estimate: AWS's skill for Image Builder has 15 to 45 minutes for a typical image).
Costs: less than {dollars:.2f} US dollars (estimate, for us-east-1: {hours:g} hour of a t3.large on demand at
{hourly} per hour, although the instances are smaller, and {rest:.2f} for the rest)."""

WHERE = """\
Account {account}, region {region}, run {run}.
All names begin with {stem}, and all tags are {prefix}={run}. Everything is removed at the end, also
after a failure or Ctrl-C; after a kill, make verify-aws-clean finds what is left and removes it."""


def text(account: Account, number: str, part: str) -> str:
    """
    Return what a run does.

    :param number: the account.
    :param part: ``cheap`` or ``full``.
    """
    profile = account.instance_profile
    made = "" if profile else ", and an empty instance profile"
    parts = [
        WHERE.format(
            account=number, region=account.region, run=account.run, stem=account.stem, prefix=PREFIX
        ),
        CHEAP.format(profile=made),
    ]
    if part == "full":
        parts.append(
            FULL.format(
                parent="Amazon Linux 2023",
                profile=profile,
                dollars=INSTANCE_HOURS * HOURLY + REST,
                hours=INSTANCE_HOURS,
                hourly=HOURLY,
                rest=REST,
            )
        )
    return "\n\n".join(parts)
