"""Lifecycle: deprecates, disables and deletes images, by policy once a day or by StartResourceStateUpdate.

Sources: User Guide, "Lifecycle policies", "How lifecycle rules work"; API reference,
StartResourceStateUpdate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_imagebuilder.local.emulator.engine import guesses, identifiers
from airflow_imagebuilder.local.emulator.engine.shelf import Shelf
from airflow_imagebuilder.local.emulator.engine.state import LifecycleExecution

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow_imagebuilder.local.emulator.engine.simulation.context import SimulationContext
    from airflow_imagebuilder.local.emulator.engine.state import Doc, Image

DAY = 86400.0
UNITS = {"DAYS": DAY, "WEEKS": 7 * DAY, "MONTHS": 30 * DAY, "YEARS": 365 * DAY}
#: The order in which the rules of a policy run; an image gets one action a run.
ORDER = ("DEPRECATE", "DISABLE", "DELETE")
STATUSES = {"DEPRECATE": "DEPRECATED", "DISABLE": "DISABLED", "DELETE": "DELETED", "AVAILABLE": "AVAILABLE"}
#: The statuses from which each action starts.
FROM = {
    "DEPRECATE": frozenset({"AVAILABLE"}),
    "DISABLE": frozenset({"AVAILABLE", "DEPRECATED"}),
    "DELETE": frozenset({"AVAILABLE", "DEPRECATED", "DISABLED", "FAILED", "CANCELLED"}),
    "AVAILABLE": frozenset({"DEPRECATED", "DISABLED"}),
}
#: Images that never became AVAILABLE; they count for no retention, and every DELETE rule takes them.
BROKEN = frozenset({"FAILED", "CANCELLED"})


class Lifecycle:
    """Runs policies and updates on the virtual clock."""

    def __init__(self, context: SimulationContext) -> None:
        self._context = context

    # --- policies ---------------------------------------------------------------------------------------
    def schedule(self, policy: Doc) -> None:
        """Run a policy in a day, and daily from then on, until it changes."""
        policy["revision"] = policy.get("revision", 0) + 1
        if policy.get("status", "ENABLED") == "ENABLED":
            self._context.after(DAY, "lifecycle", policy["arn"], policy["revision"])

    def stop(self, policy: Doc) -> None:
        """Cancel the running execution of a policy, which changed or is deleted."""
        for execution in self._context.state.lifecycle_by_subject.get(policy["arn"], {}).values():
            if not execution.ended:
                self.end(execution, "CANCELLED", "The lifecycle policy was disabled or deleted.")

    def policy_due(self, arn: str, revision: int) -> None:
        """Run a policy whose day has come."""
        policy = self._context.state.resources.get(arn)
        if policy is None or policy["revision"] != revision:
            return
        self._context.after(DAY, "lifecycle", arn, revision)
        now = self._context.clock.now()
        policy["dateLastRun"] = now
        execution = self._begin(arn, identifiers.parse(arn).region, policy=True)
        taken: set[str] = set()
        for action in ORDER:
            for rule in policy["policyDetails"]:
                if rule["action"]["type"] == action:
                    self._apply_rule(execution, policy, rule, taken)
        self._context.after(guesses.LIFECYCLE_SECONDS, "lifecycle-end", execution.id)

    def _begin(self, subject: str, region: str, *, policy: bool) -> LifecycleExecution:
        now = self._context.clock.now()
        execution = LifecycleExecution(f"lce-{self._context.ids.uuid()}", subject, region, now, policy)
        state = self._context.state
        state.lifecycle_executions[execution.id] = execution
        state.lifecycle_by_subject.setdefault(subject, Shelf())[execution.id] = execution
        return execution

    def end_due(self, execution_id: str) -> None:
        """Finish an execution."""
        execution = self._context.state.lifecycle_executions[execution_id]
        if not execution.ended:
            self.end(execution, "SUCCESS")

    def end(self, execution: LifecycleExecution, status: str, reason: str = "") -> None:
        """Set the final status of an execution."""
        execution.status, execution.end, execution.reason = status, self._context.clock.now(), reason

    def _apply_rule(self, execution: LifecycleExecution, policy: Doc, rule: Doc, taken: set[str]) -> None:
        action = rule["action"]["type"]
        for image in self._candidates(policy, rule):
            if image.arn in taken or image.status not in FROM[action]:
                continue
            taken.add(image.arn)
            include = rule["action"].get("includeResources", {})
            exclusions = rule.get("exclusionRules", {}).get("amis", {})
            execution.resources.append(self.act(image, action, include, exclusions, why=_why(rule)))

    def _candidates(self, policy: Doc, rule: Doc) -> list[Image]:
        """Return the images that a rule takes, newest first."""
        region = identifiers.parse(policy["arn"]).region
        selected = [
            image
            for image in self._context.state.images_in(region)
            if image.ended and _is_selected(image, policy)
        ]
        groups: dict[str, list[Image]] = {}
        for image in sorted(selected, key=lambda image: -image.created):
            groups.setdefault(image.arn.rpartition("/")[0], []).append(image)
        found = [image for images in groups.values() for image in self._of_version(images, rule)]
        tags = rule.get("exclusionRules", {}).get("tagMap", {})
        return [image for image in found if not _has_any(image, tags)]

    def _of_version(self, images: list[Image], rule: Doc) -> list[Image]:
        """Return the images of one recipe version that a rule takes."""
        given, deletes = rule["filter"], rule["action"]["type"] == "DELETE"
        broken = [image for image in images if image.status in BROKEN] if deletes else []
        whole = [image for image in images if image.status not in BROKEN]
        if given["type"] == "COUNT":
            return [*whole[given["value"] :], *broken]
        limit = self._context.clock.now() - given["value"] * UNITS[given["unit"]]
        kept = given.get("retainAtLeast", 0)
        return [*(image for image in whole[kept:] if image.created < limit), *broken]

    # --- updates ----------------------------------------------------------------------------------------
    def update(self, image: Image, request: Doc) -> str | None:
        """Change the status of one image.

        :param request: ``StartResourceStateUpdateRequest``, checked.
        :return: the id of the execution; None for a change that was immediate.
        """
        action = next(name for name, status in STATUSES.items() if status == request["state"]["status"])
        include = request.get("includeResources")
        at = request.get("updateAt")
        if include is None and at is None:
            self._set(image, action)
            return None
        execution = self._begin(image.arn, image.region, policy=False)
        image.doc["lifecycleExecutionId"] = execution.id
        if at is not None:
            image.doc["deprecationTime"] = at
            self._tell_amis(image, "deprecation", include or {}, at)
            delay = max(0.0, at - self._context.clock.now())
        else:
            delay = guesses.LIFECYCLE_SECONDS
        exclusions = request.get("exclusionRules", {}).get("amis", {})
        self._context.after(delay, "state-update", execution.id, action, include or {}, exclusions)
        return execution.id

    def update_due(self, execution_id: str, action: str, include: Doc, exclusions: Doc) -> None:
        """Carry out an update whose moment has come."""
        execution = self._context.state.lifecycle_executions[execution_id]
        image = self._context.state.images.get(execution.subject)
        if execution.ended:
            return
        if image is not None and image.status not in FROM[action]:
            # A failed image may have been retried, or deleted, in the meantime.
            self.end(execution, "FAILED", f"The image is {image.status} and cannot be {STATUSES[action]}.")
            return
        if image is not None:
            why = "StartResourceStateUpdate asked for it."
            row = self.act(image, action, include, exclusions, why=why, keep=action == "DELETE")
            execution.resources.append(row)
        self.end(execution, "SUCCESS")

    def act(
        self, image: Image, action: str, include: Doc, exclusions: Doc, *, why: str, keep: bool = True
    ) -> Doc:
        """Carry out an action on an image and its outputs.

        :param include: ``includeResources``.
        :param exclusions: ``exclusionRules.amis``.
        :param why: the reason of the action.
        :param keep: whether an excluded AMI keeps its image as it is. An update to DEPRECATED or DISABLED
            changes the image all the same (API reference, StartResourceStateUpdate).
        :return: ``LifecycleExecutionResource`` of the image, with those of its AMIs under ``amis``.
        """
        now = self._context.clock.now()
        row: Doc = {
            "accountId": image.account,
            "resourceId": image.arn,
            "action": {"name": action, "reason": why},
            "region": image.region,
            "startTime": now,
            "endTime": now,
        }
        amis = [self._act_on_ami(image, key, row["action"], include, exclusions) for key in image.copies]
        row["amis"] = amis if include.get("amis") else []
        skipped = {ami["resourceId"] for ami in row["amis"] if ami["state"]["status"] == "SKIPPED"}
        if skipped and keep:
            row["state"] = {"status": "SKIPPED", "reason": "An exclusion rule keeps an AMI of the image."}
            return row
        if include.get("containers"):
            row["imageUris"] = [
                uri
                for container in image.doc.get("outputResources", {}).get("containers", [])
                for uri in container["imageUris"]
            ]
        self._tell_amis(image, action.lower(), include, now, skipped)
        self._set(image, action)
        row["state"] = {"status": "SUCCESS"}
        return row

    def _act_on_ami(self, image: Image, key: str, action: Doc, include: Doc, exclusions: Doc) -> Doc:
        region, account = key.split("/")
        ami = image.copies[key]
        now = self._context.clock.now()
        row: Doc = {
            "accountId": account,
            "resourceId": ami,
            "action": action,
            "region": region,
            "startTime": now,
            "endTime": now,
            "state": {"status": "SUCCESS"},
        }
        if why := self._excluded(region, account, ami, exclusions):
            row["state"] = {"status": "SKIPPED", "reason": why}
        if include.get("snapshots") and key in image.snapshots:
            row["snapshots"] = [{"snapshotId": image.snapshots[key], "state": row["state"]}]
        return row

    def _excluded(self, region: str, account: str, ami: str, exclusions: Doc) -> str | None:
        known = self._context.world.in_account(account).ami_details(region, ami)
        if region in exclusions.get("regions", ()):
            return f"The AMI is in the Region {region}."
        if exclusions.get("isPublic") and known.get("public"):
            return "The AMI is public."
        tags = exclusions.get("tagMap", {})
        if any(known.get("tags", {}).get(key) == value for key, value in tags.items()):
            return "The AMI has a tag of the exclusion rules."
        if set(exclusions.get("sharedAccounts", ())) & set(known.get("accounts", ())):
            return "The AMI is shared with an account of the exclusion rules."
        return None

    def _tell_amis(
        self, image: Image, what: str, include: Doc, at: float, skipped: Collection[str] = ()
    ) -> None:
        if not include.get("amis"):
            return
        for key, ami in image.copies.items():
            if ami in skipped:
                continue
            region, account = key.split("/")
            data = {
                "ami": ami,
                "account": account,
                "what": what,
                "at": at,
                "snapshots": include.get("snapshots"),
            }
            self._context.emit("ami_state", region, data)

    def _set(self, image: Image, action: str) -> None:
        self._context.set_status(image, STATUSES[action])


def _why(rule: Doc) -> str:
    """Return the reason of an action by a rule."""
    given = rule["filter"]
    if given["type"] == "COUNT":
        return f"There are more than {given['value']} images."
    return f"The image is older than {given['value']} {given['unit'].lower()}."


def _is_selected(image: Image, policy: Doc) -> bool:
    if image.is_ami != (policy["resourceType"] == "AMI_IMAGE"):
        return False
    selection = policy["resourceSelection"]
    if tags := selection.get("tagMap"):
        return _has_any(image, tags)
    version = str(image.recipe.get("version"))
    return any(
        identifiers.normalise(recipe["name"]) == identifiers.normalise(str(image.recipe["name"]))
        and identifiers.matches(version, recipe["semanticVersion"])
        for recipe in selection.get("recipes", ())
    )


def _has_any(image: Image, tags: Doc) -> bool:
    own = image.doc.get("tags", {})
    return any(own.get(key) == value for key, value in tags.items())
