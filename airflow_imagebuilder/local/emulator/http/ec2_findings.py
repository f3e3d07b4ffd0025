"""GetImageFindings of EC2, which moto does not have: the findings of on-demand scans of AMIs.

Source: EC2's service model, GetImageFindings (botocore 1.43.120).
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from airflow_imagebuilder.local.emulator.engine import ApiError, iso

if TYPE_CHECKING:
    from airflow_imagebuilder.local.emulator.engine import Doc

ACTION = "GetImageFindings"
_MOST = 1000
_NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"


def request_of(body: bytes) -> dict[str, str] | None:
    """Return the parameters of a request, if it asks for GetImageFindings.

    :param body: the body of a request to EC2.
    """
    if ACTION.encode() not in body:
        return None
    params = dict(parse_qsl(body.decode("utf-8", "replace")))
    return params if params.get("Action") == ACTION else None


def answer(
    params: Mapping[str, str], has_ami: Callable[[str], bool], findings: Callable[[str], list[Doc]]
) -> tuple[int, bytes]:
    """Return status and body of the answer.

    :param params: the parameters of the request.
    :param has_ami: whether EC2 has an AMI of an id.
    :param findings: returns the findings of an AMI, by the names of EC2's XML.
    """
    try:
        return 200, _page(params, has_ami, findings)
    except ApiError as error:
        text = f"<Error><Code>{error.code}</Code><Message>{escape(error.message)}</Message></Error>"
        body = f"<Response><Errors>{text}</Errors><RequestID>{uuid.uuid4()}</RequestID></Response>"
        return error.status or 400, body.encode()


def _page(
    params: Mapping[str, str], has_ami: Callable[[str], bool], findings: Callable[[str], list[Doc]]
) -> bytes:
    ami, size = params.get("ImageId", ""), params.get("MaxResults", str(_MOST))
    if not ami:
        raise ApiError("MissingParameter", "The request must contain the parameter ImageId", 400)
    if not 1 <= _number(size) <= _MOST:
        raise ApiError("InvalidParameterValue", f"Value ({size}) for parameter MaxResults is invalid.", 400)
    if not has_ami(ami):
        raise ApiError("InvalidAMIID.NotFound", f"The image id '[{ami}]' does not exist", 400)
    if params.get("DryRun", "").lower() == "true":
        raise ApiError("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", 412)
    found, start = findings(ami), _number(params.get("NextToken") or "0")
    if not 0 <= start <= len(found):
        raise ApiError("InvalidPaginationToken", "The pagination token is not valid or has expired.", 400)
    end = start + _number(size)
    more = {"nextToken": end} if end < len(found) else {}
    members = {"requestId": str(uuid.uuid4()), "imageFindingSet": found[start:end], **more}
    return f'<{ACTION}Response xmlns="{_NAMESPACE}">{_xml(members)}</{ACTION}Response>'.encode()


def _number(text: str) -> int:
    """Return a number of a request; -1 for any other text."""
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else -1


def _xml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "".join(f"<{name}>{_xml(_moment(name, item))}</{name}>" for name, item in value.items())
    if isinstance(value, list):
        return "".join(f"<item>{_xml(item)}</item>" for item in value)
    return str(value).lower() if isinstance(value, bool) else escape(str(value))


def _moment(name: str, value: Any) -> Any:
    return iso(value) if name.endswith("At") and isinstance(value, float) else value
