"""DescribeFastLaunchImages: page sizes, page tokens and resume tokens."""

from __future__ import annotations

import base64
import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

import fastlaunch_nb as fl
from fastlaunch_nb.aws.fast_launch_pages import split_token
from fastlaunch_nb.emulator.fast_launch_backend import FastLaunchBackend, make_page_token
from fastlaunch_nb.emulator.image import FastLaunchImage
from fastlaunch_nb.schema.columns import COMPLETE
from tests.helpers.emulator import add_fast_launch_images
from tests.helpers.samples import REGION

PAGES_OF_200 = [(199, [199]), (200, [200]), (201, [200, 1]), (400, [200, 200])]


@pytest.fixture
def page_sizes(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int | None, int]]:
    """Of each request: its MaxResults, and the number of images in the response."""
    recorded: list[tuple[int | None, int]] = []
    real = FastLaunchBackend.describe_fast_launch_images

    def describe(self: Any, **parameters: Any) -> Any:
        page, token = real(self, **parameters)
        recorded.append((parameters["max_results"], len(page)))
        return page, token

    monkeypatch.setattr(FastLaunchBackend, "describe_fast_launch_images", describe)
    return recorded


def add_images(ec2: Any, count: int) -> list[str]:
    """Add images to the embedded EC2; return their ids."""
    ids = [f"ami-{number:017x}" for number in range(count)]
    add_fast_launch_images(ec2, (FastLaunchImage(image_id) for image_id in ids))
    return ids


# --- pages of 200 ---------------------------------------------------------------------


@pytest.mark.parametrize(("count", "expected"), PAGES_OF_200)
def test_a_read_takes_full_pages(
    ec2: Any, page_sizes: list[tuple[int | None, int]], count: int, expected: list[int]
) -> None:
    """Images come in full pages, each image once, and without a needless request."""
    ids = add_images(ec2, count)
    assert fl.describe(region=REGION)["image_id"].tolist() == ids
    assert page_sizes == [(None, size) for size in expected]
    page_sizes.clear()
    assert fl.describe(region=REGION, page_size=200)["image_id"].tolist() == ids
    assert page_sizes == [(200, size) for size in expected]
    page_sizes.clear()
    swept = fl.sweep(boto3.Session(), regions=REGION, progress=False)
    assert swept.images["image_id"].tolist() == ids
    assert swept.coverage[["rows", "pages"]].values.tolist() == [[count, len(expected)]]
    assert page_sizes == [(200, size) for size in expected]


@pytest.mark.parametrize("count", [200, 400])
def test_an_empty_page_may_be_the_last(
    ec2: Any, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """If a full page has a token and nothing follows, the read ends without an error."""
    ids = add_images(ec2, count)
    real = FastLaunchBackend.describe_fast_launch_images

    def describe(self: Any, **parameters: Any) -> Any:
        page, token = real(self, **parameters)
        return page, token or (make_page_token(page[-1].image_id) if page else None)

    monkeypatch.setattr(FastLaunchBackend, "describe_fast_launch_images", describe)
    images = fl.describe(region=REGION)
    assert (images["image_id"].tolist(), images.attrs["next_token"]) == (ids, None)
    swept = fl.sweep(boto3.Session(), regions=REGION, progress=False)
    assert swept.images["image_id"].tolist() == ids
    assert swept.coverage["status"].tolist() == [COMPLETE]


def test_a_page_has_at_most_200_images(ec2: Any) -> None:
    """MaxResults may be 0, which leaves the size to EC2, to 200; 201 is an error."""
    ids = add_images(ec2, 201)
    client = boto3.client("ec2", aws_access_key_id="x", aws_secret_access_key="x")
    for size, expected in ((0, 200), (1, 1), (199, 199), (200, 200)):
        page = client.describe_fast_launch_images(MaxResults=size)
        assert [image["ImageId"] for image in page["FastLaunchImages"]] == ids[:expected], size
        assert "NextToken" in page, size
    with pytest.raises(ClientError, match="InvalidParameterValue"):
        client.describe_fast_launch_images(MaxResults=201)
    assert len(fl.describe(region=REGION, page_size=0)) == 201
    for wrong in (-1, 201):
        with pytest.raises(fl.InputError, match=f"page_size is {wrong}. .* from 0 to 200"):
            fl.describe(region=REGION, page_size=wrong)


# --- tokens ---------------------------------------------------------------------------


def test_a_token_of_ec2_may_be_json(ec2: Any) -> None:
    """A token of EC2 may be base64 of JSON: it is not mistaken for boto3's, and not dropped."""
    for content in ({"v": "2", "c": "x", "s": "1"}, {}, [1], 5, {"NextToken": [1]}):
        token = base64.b64encode(json.dumps(content).encode()).decode()
        assert split_token(token) == (token, 0)
    assert split_token("token___2")[1] == 2


def test_a_smaller_page_repeats_no_rows(ec2: Any) -> None:
    """A resume token that skips more rows than the next page has repeats none of them."""
    ids = add_images(ec2, 12)
    first = fl.describe(max_items=5)
    rest = fl.describe(starting_token=first.attrs["next_token"], page_size=2)
    assert first["image_id"].tolist() + rest["image_id"].tolist() == ids


def test_tokens_of_boto3_and_of_ec2_are_accepted(ec2: Any) -> None:
    """starting_token accepts boto3's resume tokens and EC2's own, as boto3 does."""
    add_images(ec2, 9)
    client = boto3.client("ec2")
    page = client.describe_fast_launch_images(MaxResults=4)
    assert len(fl.describe(starting_token=page["NextToken"])) == 5
    paginator = client.get_paginator("describe_fast_launch_images")
    result = paginator.paginate(PaginationConfig={"MaxItems": 2}).build_full_result()
    assert len(fl.describe(starting_token=result["NextToken"])) == 7
