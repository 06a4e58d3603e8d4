"""Links to AWS's console: the right host, nothing that AWS does not name."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastlaunch_nb.console_links import link_image, link_launch_template, link_snapshots

IMAGE = "ami-0abcdef1234567890"
LINKS = (link_image, link_launch_template, link_snapshots)


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("ap-southeast-2", "console.aws.amazon.com"),
        ("cn-northwest-1", "console.amazonaws.cn"),
        ("us-gov-east-1", "console.amazonaws-us-gov.com"),
        ("eusc-de-east-1", "console.amazonaws-eusc.eu"),
    ],
)
def test_each_partition_has_its_console(region: str, host: str) -> None:
    """The region decides the host of the console, and is in the address."""
    address = urlsplit(link_image(region, IMAGE) or "")
    assert (address.scheme, address.netloc) == ("https", host)
    assert address.query == f"region={region}"


@pytest.mark.parametrize("region", ["us-iso-east-1", "us-isob-east-1", "", None, "eu-west-1#"])
def test_other_regions_have_no_link(region: str | None) -> None:
    """A secret region, or what is no region, has no link."""
    assert [link(region, IMAGE) for link in LINKS] == [None] * 3


@given(st.text() | st.none(), st.text() | st.none())
def test_no_text_leaves_its_place(region: str | None, resource_id: str | None) -> None:
    """Whatever the region and the id are, a link leads to a console of AWS, or there is none."""
    for link in LINKS:
        for address in (link(region, IMAGE), link("eu-west-1", resource_id)):
            assert address is None or urlsplit(address).hostname == "console.aws.amazon.com"
