"""The demo's images, read one account and region at a time, to compare sweeps with."""

from __future__ import annotations

import boto3
import pandas as pd

import fastlaunch_nb as fl
from fastlaunch_nb.demo_fleet.demo import Demo

OTHER = "111122223333"
"""The demo's account that is not the default one."""


def read_fleet(demo: Demo) -> pd.DataFrame:
    """Return all images of the demo, in the order of a sweep."""
    frames = [
        fl.describe(boto3.Session(profile_name=profile), region=region)
        for profile in demo.accounts.values()
        for region in sorted(demo.regions)
    ]
    return pd.concat(frames, ignore_index=True)


def assert_same_images(images: pd.DataFrame, expected: pd.DataFrame) -> None:
    """Compare images in all columns that a page has."""
    assert len(expected) > 0
    pd.testing.assert_frame_equal(
        images.drop(columns="account_name", errors="ignore"), expected, check_flags=False
    )
