"""Fetching: the warnings about failures."""

from __future__ import annotations

import pytest

from fastlaunch_nb.errors import FastLaunchError, ReadError
from fastlaunch_nb.joins import fetch


@pytest.mark.parametrize(
    ("regions", "expected"),
    [
        ("a", "1 a"),
        ("ab", "1 a, 1 b"),
        ("abc", "1 a, 1 b, 1 c"),
        ("abcd", "1 a, 1 b, 1 c and 1 more"),
        ("abcde", "1 a, 1 b, 1 c and 2 more"),
    ],
)
def test_a_warning_names_three_regions(regions: str, expected: str) -> None:
    """A warning names three accounts and regions, and the number of others."""
    error = FastLaunchError("No.")
    failures = [fetch.Failure("ami", "1", region, error) for region in regions]
    assert fetch.describe_failures(failures) == [f"ami could not be read in {expected}: No."]


def test_failures_with_one_cause_are_one_warning() -> None:
    """Errors that differ only in region and request id are one message without either."""
    failures = [
        fetch.Failure(
            "ami",
            "1",
            region,
            ReadError(
                "No.",
                operation="DescribeImages",
                region=region,
                code="AccessDenied",
                request_id=f"r-{region}",
                remedy="Allow it.",
            ),
        )
        for region in ("eu-west-1", "us-east-1")
    ]
    assert fetch.describe_failures(failures) == [
        "ami could not be read in 1 eu-west-1, 1 us-east-1: "
        "DescribeImages: AWS answered AccessDenied: No. Allow it."
    ]
