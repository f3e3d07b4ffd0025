"""In test mode no name of AWS is resolved."""

from __future__ import annotations

import socket

import pytest

from airflow_imagebuilder.testing.network import AwsRequestRefusedError, is_of_aws, without_aws


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("imagebuilder.us-east-1.amazonaws.com", True),
        ("S3.amazonaws.com.", True),
        (b"sts.cn-north-1.amazonaws.com.cn", True),
        ("imagebuilder.eu-west-1.api.aws", True),
        ("notamazonaws.com", False),
        ("amazonaws.com.example.org", False),
        ("localhost", False),
        (None, False),
    ],
)
def test_names_of_aws_are_known(host: object, ours: bool) -> None:
    assert is_of_aws(host) is ours


def test_a_name_of_aws_is_refused_and_others_are_resolved() -> None:
    before = socket.getaddrinfo
    with without_aws():
        with pytest.raises(AwsRequestRefusedError, match=r"sts\.amazonaws\.com"):
            socket.getaddrinfo("sts.amazonaws.com", 443)
        assert socket.getaddrinfo("127.0.0.1", 80)
    assert socket.getaddrinfo is before
