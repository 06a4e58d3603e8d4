"""Image rows: what the toolkit wrote gives the same rows again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb.cli.main import main
from fastlaunch_nb.export import save, to_json
from fastlaunch_nb.formatting import remove_guards, to_csv
from fastlaunch_nb.schema.columns import COLUMNS
from tests.helpers.samples import ZOO, item

IMAGES = pd.concat(
    [
        fl.from_pages(items, account_id=account, region=region, observed_at="2026-01-15T12:00:03Z")
        for account, region, items in ZOO
    ],
    ignore_index=True,
)


@pytest.mark.parametrize("suffix", [".json", ".csv", ".parquet"])
def test_files_of_a_sweep(tmp_path: Path, suffix: str) -> None:
    """A file that was saved gives the same rows, without the columns of joins."""
    path = tmp_path / f"images{suffix}"
    save(IMAGES.assign(account_name="Team A", monthly_usd_low=1.5), path)
    pd.testing.assert_frame_equal(fl.from_pages(path), IMAGES)
    pd.testing.assert_frame_equal(fl.from_pages(path.read_bytes()), IMAGES)


def test_a_folder_of_sweeps(tmp_path: Path) -> None:
    """Files of several sweeps come one after the other; a coverage among them is left out."""
    for number, suffix in enumerate((".json", ".csv", ".parquet")):
        save(IMAGES, tmp_path / f"{number}{suffix}")
    pd.testing.assert_frame_equal(
        fl.from_pages(tmp_path), pd.concat([IMAGES] * 3, ignore_index=True)
    )
    save(pd.DataFrame({"account_id": ["1"], "status": ["failed"]}), tmp_path / "coverage.csv")
    with pytest.warns(fl.FastLaunchWarning, match="Left out 1 file .* 'account_id', 'status'"):
        assert len(fl.from_pages(tmp_path)) == 3 * len(IMAGES)


@pytest.mark.parametrize("option", ["--json", "--csv"])
def test_the_output_of_show(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The output of the command gives the images that it prints."""
    assert main(["show", "--demo", "--region", "eu-west-1", option]) in (None, 0)
    images = fl.from_pages(capsys.readouterr().out)
    assert set(images["region"]) == {"eu-west-1"}
    assert images[["account_id", "image_id", "state", "observed_at"]].notna().sum().min() > 3


WRITERS: list[Callable[[pd.DataFrame], str]] = [to_json, to_csv, lambda it: to_csv(it, ";")]
TEXTS = st.text(st.characters(exclude_characters="\r\0", exclude_categories=["Cs"]), min_size=1)


@given(TEXTS | st.sampled_from(["=1", "-1", " =x", "a;=b", "x\n+1", "''", ";;-"]))
def test_hostile_text_comes_back(text: str) -> None:
    """Law: whatever text a row has, its file has it too, also where CSV guards a formula."""
    images = fl.from_pages([item(1, StateTransitionReason=text)])
    for write in WRITERS:
        back = fl.from_pages(write(images).encode())["state_transition_reason"].tolist()
        is_guarded = write is not to_json and remove_guards(text) != text
        assert back == [remove_guards(text) if is_guarded else text]


def test_only_rows_of_images_are_taken() -> None:
    """Rows of events, findings and intervals have an image, too, but are no images."""
    events = {"event_id": "e1", **json.loads(to_json(IMAGES))[0]}
    other = {"image_id": "ami-1", "finding": "unused"}
    interval = {"image_id": "ami-1", "state": "enabled", "start": None}
    for row in (events, other, interval):
        with pytest.raises(fl.SourceError, match="Got a dict with the keys"):
            fl.from_pages([row])


def test_rows_may_lack_columns() -> None:
    """Rows with an image and a state are enough; the caller knows the rest, as for pages."""
    row: dict[str, Any] = {"image_id": "ami-1", "state": None}
    images = fl.from_pages([row], region="eu-west-1", observed_at="2026-01-15T12:00:03Z")
    assert list(images) == [column.name for column in COLUMNS]
    assert images.iloc[0].dropna().to_dict() == {
        "region": "eu-west-1",
        "image_id": "ami-1",
        "observed_at": pd.Timestamp("2026-01-15T12:00:03Z"),
    }
    both = fl.from_pages([{**row, "observed_at": "2026-01-14T00:00:00Z"}, row], observed_at="2026")
    assert both["observed_at"].dt.day.tolist() == [14, 1]
