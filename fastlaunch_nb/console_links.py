"""Links to AWS's web console: the page of an image, of a launch template, and its snapshots.

AWS documents the hosts of the console, but not the addresses of its pages, so these may change.
The pages of an image and a template are those that the console itself opens. The list of
snapshots takes a search for any text, and the description of a snapshot of Fast Launch has the id
of its image. A link names no role: the console opens in the account that the browser is signed
in to. Regions of AWS's secret partitions have no link, as their consoles are not public.
"""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import quote

_HOSTS: Final = {  # by the start of a region's name; the first that fits
    "us-gov-": "console.amazonaws-us-gov.com",
    "cn-": "console.amazonaws.cn",
    "eusc-": "console.amazonaws-eusc.eu",
    "": "console.aws.amazon.com",
}
_REGION: Final = re.compile(r"(?!.*-iso)[a-z]{2,4}(?:-[a-z]+){1,2}-\d{1,2}")
_ID: Final = re.compile(r"[a-z]+-[0-9a-zA-Z]{4,32}")


def link_image(region: Any, image_id: Any) -> str | None:
    """Return the address of an image's page; None if there is none.

    Examples
    --------
    >>> link_image("eu-west-1", "ami-0abcdef1234567890")
    'https://console.aws.amazon.com/ec2/home?region=eu-west-1#ImageDetails:imageId=ami-0abcdef1234567890'
    >>> link_image("us-iso-east-1", "ami-0abcdef1234567890") is None
    True
    """
    return _make_link(region, "ImageDetails:imageId=", image_id)


def link_launch_template(region: Any, template_id: Any) -> str | None:
    """Return the address of a launch template's page; None if there is none.

    Examples
    --------
    >>> link_launch_template("cn-north-1", "lt-0abcdef1234567890")
    'https://console.amazonaws.cn/ec2/home?region=cn-north-1#LaunchTemplateDetails:launchTemplateId=lt-0abcdef1234567890'
    """
    return _make_link(region, "LaunchTemplateDetails:launchTemplateId=", template_id)


def link_snapshots(region: Any, image_id: Any) -> str | None:
    """Return the address of the list of snapshots that name an image; None if there is none.

    Examples
    --------
    >>> link_snapshots("us-gov-west-1", "ami-0abcdef1234567890")
    'https://console.amazonaws-us-gov.com/ec2/home?region=us-gov-west-1#Snapshots:visibility=owned-by-me;v=3;search=:ami-0abcdef1234567890'
    """
    return _make_link(region, "Snapshots:visibility=owned-by-me;v=3;search=:", image_id)


def _make_link(region: Any, page: str, resource_id: Any) -> str | None:
    """Return the address of a page about a resource; None unless both names are AWS's."""
    texts = (_REGION, region), (_ID, resource_id)
    if not all(isinstance(text, str) and pattern.fullmatch(text) for pattern, text in texts):
        return None
    host = next(host for start, host in _HOSTS.items() if region.startswith(start))
    return f"https://{host}/ec2/home?region={quote(region, '')}#{page}{quote(resource_id, '')}"
