"""Columns: the schema of images, with and without rows, and the service model that it follows."""

from __future__ import annotations

from typing import Any

import boto3

import fastlaunch_nb as fl
from fastlaunch_nb.schema.columns import COLUMNS
from fastlaunch_nb.sources.pages import empty_images
from tests.helpers.samples import item, list_dtypes

DTYPES = {column.name: column.dtype for column in COLUMNS}


def test_an_empty_dataframe_has_the_schema() -> None:
    """A DataFrame without rows has the same columns and dtypes as one with rows."""
    assert list_dtypes(empty_images()) == DTYPES
    assert list_dtypes(fl.from_pages([item(1)])) == DTYPES
    assert len(empty_images()) == 0


def test_all_nulls_have_the_schema() -> None:
    """An item without fields keeps the dtypes; every column is null."""
    images = fl.from_pages({"FastLaunchImages": [{}]})
    assert list_dtypes(images) == DTYPES
    assert images.isna().values.tolist() == [[True] * len(DTYPES)]


def test_the_schema_follows_the_service_model() -> None:
    """The schema has every field of botocore's output shape, and no other."""
    client = boto3.client("ec2", "us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    shape = client.meta.service_model.operation_model("DescribeFastLaunchImages").output_shape

    def list_paths(structure: Any, parent: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
        paths: set[tuple[str, ...]] = set()
        for name, member in structure.members.items():
            path = (*parent, name)
            paths |= list_paths(member, path) if member.type_name == "structure" else {path}
        return paths

    expected = list_paths(shape.members["FastLaunchImages"].member)
    assert {column.path for column in COLUMNS if column.path} == expected
