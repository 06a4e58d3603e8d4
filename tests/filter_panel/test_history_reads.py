"""What a panel reads of a history agrees with the history, and knows nothing later."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb.filter_panel.history_reads import (
    check_history,
    list_scans,
    read_changes,
    read_past,
)
from fastlaunch_nb.formatting import state_rank
from tests.helpers.cases import some
from tests.helpers.histories import make_small_sweep, make_sweep

FIRST = pd.Timestamp("2026-01-08T12:00Z")
MINUTES = st.integers(0, 7 * 24 * 60)
AT = pd.Timestamp("2026-01-12T09:00Z")


@settings(max_examples=10)
@given(minute=MINUTES)
def test_the_past_knows_nothing_later(week: fl.History, minute: int) -> None:
    """At any minute the past has the history's images, and no time after it, nor a command."""
    at = FIRST + pd.Timedelta(minutes=minute)
    past = read_past(week, at)
    pd.testing.assert_frame_equal(past.images, week.images(at=at))
    for times in some(
        [
            past.images["observed_at"],
            past.intervals["start"],
            past.intervals["last_seen"],
            past.intervals["end"],
            past.coverage["observed_at"],
        ]
    ):
        assert not (times > at).any()
    assert past.findings["command"].isna().all()
    assert past.last_scan == FIRST + (at - FIRST).floor("6h")
    present = past.intervals[past.intervals["end"].isna()]
    states = present.set_index(["account_id", "region", "image_id"])["state"]
    listed = past.images.set_index(["account_id", "region", "image_id"])["state"]
    pd.testing.assert_series_equal(states.reindex(listed.index), listed)


def test_scans_are_listed_once_a_sweep(tmp_path: Any, week: fl.History) -> None:
    """The times have one of each sweep that read anything, in order."""
    assert list_scans(week) == list(pd.date_range(FIRST, periods=29, freq="6h"))
    history = fl.History(tmp_path)
    region = ("111122223333", "eu-west-1")
    history.record(make_small_sweep(5))
    history.record(make_sweep(9, (region, "failed")))
    assert [f"{time:%H:%M}" for time in list_scans(history)] == ["23:05"]


def test_changes_are_those_of_the_history_worst_first(week: fl.History) -> None:
    """The rows are those of diff(): new states from the worst, then other values."""
    changes = read_changes(week, pd.Timedelta(days=3), AT)
    assert (changes.since, changes.until) == (AT - pd.Timedelta(days=3), AT)
    expected = week.diff(changes.since, AT)
    columns = [str(name) for name in expected]
    pd.testing.assert_frame_equal(
        changes.rows.sort_values(columns, ignore_index=True),
        expected.sort_values(columns, ignore_index=True),
    )
    is_state = ~changes.rows["change"].isin(["target", "parallel launches", "template"])
    ranks = [state_rank(state) for state in some(changes.rows.loc[is_state, "after"])]
    assert ranks == sorted(ranks)
    assert not is_state.iloc[len(ranks) :].any()


def test_changes_begin_with_the_history(week: fl.History) -> None:
    """What was before the first sweep is unknown, so that it is no change."""
    changes = read_changes(week, pd.Timedelta(days=30), None)
    assert (changes.since, changes.is_all) == (FIRST, True)
    assert changes.until == pd.Timestamp("2026-01-15T12:00Z")
    assert not read_changes(week, pd.Timedelta(days=1), None).is_all


def test_a_day_after_the_last_scan_is_refused(tmp_path: Any, week: fl.History) -> None:
    """Times in the wrong order, and an empty history, are sentences."""
    with pytest.raises(fl.InputError, match="Choose a day before 2026-01-12 09:00 UTC"):
        read_changes(week, AT + pd.Timedelta(days=1), AT)
    empty = fl.History(tmp_path)
    empty.record(make_sweep(9, (("111122223333", "eu-west-1"), "failed")))
    with pytest.raises(fl.InputError, match="no scan yet"):
        read_changes(empty, pd.Timedelta(days=1), None)


@pytest.mark.parametrize("wrong", [5, "history", fl.History, None])
def test_an_object_that_is_no_history_is_refused(wrong: Any) -> None:
    """A path, a class and other objects are refused with what is expected."""
    with pytest.raises(fl.InputError, match=r"Expected fl\.History"):
        check_history(wrong)
