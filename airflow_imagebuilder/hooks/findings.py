"""What the hook reads of scans: findings, and AWS's counts of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.hooks.calls import ImageBuilderCalls
from airflow_imagebuilder.service.client.pages import Pages, mappings

if TYPE_CHECKING:
    from collections.abc import Iterator

FINDING_PAGES = 400
"""More pages than a scan has of findings: 40,000 of them, unless AWS's pages are short."""


class FindingReader(ImageBuilderCalls):
    """Reads the findings of scans."""

    def list_image_scan_findings(self, arn: str) -> Iterator[dict[str, Any]]:
        """
        Yield the findings of an image's scan, page by page, as ListImageScanFindings has them.

        It has those of scans of a test instance and of a container image. Those of a scan of the AMI itself
        (``ON_DEMAND_AMI_CVE``) are in :meth:`get_image_findings`.

        :param arn: image build version ARN.
        :raises MalformedAnswerError: the list has no end: a page token repeats, or there are more than
            :data:`FINDING_PAGES` pages.
        """
        wanted = {"name": "imageBuildVersionArn", "values": [arn]}
        return self._pages(
            "list_image_scan_findings", "findings", most=FINDING_PAGES, filters=[wanted], maxResults=100
        )

    def count_image_scan_findings(self, arn: str) -> dict[str, int] | None:
        """
        Return AWS's own counts of an image's findings (ListImageScanFindingAggregations).

        :param arn: image build version ARN.
        :return: ``all``, ``critical``, ``high`` and ``medium``: AWS counts no others. ``None`` if AWS has no
            counts of this image.
        """
        wanted = {"name": "imageBuildVersionArn", "values": [arn]}
        for record in self._pages("list_image_scan_finding_aggregations", "responses", filter=wanted):
            found = record.get("imageAggregation") or {}
            if found.get("imageBuildVersionArn") == arn:
                return dict(found.get("severityCounts") or {})
        return None

    def get_image_findings(self, ami: str, region: str) -> Iterator[dict[str, Any]]:
        """
        Yield the findings of a scan of an AMI, page by page, as EC2's GetImageFindings has them.

        :param ami: the AMI's id.
        :param region: the AMI's region.
        :raises OutdatedBoto3Error: the installed boto3 lacks GetImageFindings; nothing was sent.
        :raises MalformedAnswerError: as of :meth:`list_image_scan_findings`.
        """
        operation, member = "get_image_findings", "ImageFindings"
        pages, token = Pages(operation, member, most=FINDING_PAGES), dict[str, Any]()
        while True:
            given = {"ImageId": ami, "MaxResults": 1000, **token}
            answer = self._of("ec2", operation, member, region=region, **given)
            for record in mappings(pages.records(answer), operation, member):
                yield dict(record)
            following = pages.after({"nextToken": answer.get("NextToken")})
            if not following:
                return
            token = {"NextToken": following["nextToken"]}
