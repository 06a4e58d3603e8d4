"""Secrets in the messages of a store: they go, and nothing else does."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb.history.file_rows import MESSAGES
from fastlaunch_nb.history.store import ParquetStore
from tests.helpers.histories import (
    ACCOUNT_REGIONS,
    START,
    assert_same,
    assert_same_answers,
    list_files,
    make_event,
    make_small_sweep,
    make_sweep,
)
from tests.helpers.samples import item

SECRET = "hunter2"
KNOWN = "http://me:pass@proxy refused,  AKIAIOSFODNN7EXAMPLE"


def record_message(folder: Path, message: str) -> fl.History:
    """Return a history with a message of a failed scan, of an image and of an event."""
    history = fl.History(folder)
    history.record(make_small_sweep(0))
    images = [item(1), item(2, "enabled-failed", StateTransitionReason=message)]
    regions = ((ACCOUNT_REGIONS[0], images), (ACCOUNT_REGIONS[1], "failed"))
    sweep = make_sweep(120, *regions)
    sweep.coverage.loc[sweep.coverage["status"] == "failed", "error_message"] = message
    history.record(sweep)
    event = make_event(ACCOUNT_REGIONS[0], 1, "enabling-failed", START)
    event["detail"]["stateTransitionReason"] = message
    history.record(fl.from_events([event]))
    return history


def read_rows(history: fl.History) -> list[pd.DataFrame]:
    """Return all rows of a history."""
    return list(history._load()[:3])


def replace_messages(frames: list[pd.DataFrame], message: str, new: str) -> list[pd.DataFrame]:
    """Return frames with another message."""
    return [
        frame.assign(**{name: frame[name].replace(message, new) for name in MESSAGES & {*frame}})
        for frame in frames
    ]


def find_texts(folder: Path) -> set[str]:
    """Return all texts in the messages of the stored files, but the usual reason."""
    tables = [pq.ParquetFile(path).read().to_pandas() for path in list_files(folder)]
    texts = [table[name].dropna() for table in tables for name in MESSAGES & {*table}]
    return set(pd.concat(texts)) - {item(1)["StateTransitionReason"]}


secrets = st.text(min_size=1).filter(lambda secret: secret.strip() and "*" not in secret)


@given(secrets, st.text(max_size=5))
@example("a", "A map")
@example("pass word", "pass+word")
def test_only_secrets_change(secret: str, other: str) -> None:
    """Law: no message has the secret afterwards, and all other values are equal."""
    with tempfile.TemporaryDirectory() as folder:
        history = record_message(Path(folder), f"{other}{secret}{other}")
        before = read_rows(history)
        assert history.redact(secret) >= 3
        after = read_rows(fl.History(folder))
        assert history.redact(secret) == 0
    messages = {name for frame in before for name in MESSAGES & {*frame}}
    for old, new in zip(before, after, strict=True):
        assert_same(old.drop(columns=messages & {*old}), new.drop(columns=messages & {*old}))
        for name in messages & {*old}:
            assert old[name].isna().equals(new[name].isna())
            for text, redacted in zip(old[name].dropna(), new[name].dropna(), strict=True):
                assert all(secret not in part for part in redacted.split("***"))
                assert text == redacted or "***" in redacted


def test_known_secrets_need_no_argument(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys, addresses and this machine's proxies are redacted; spaces of a message stay."""
    monkeypatch.setenv("https_proxy", "http://me:pa/ss@proxy:3128")
    history = record_message(tmp_path, f"{KNOWN},  no port 'pa'")
    expected = "http://***proxy refused,  ***,  no port '***'"
    assert history.redact() == 3
    assert find_texts(tmp_path) == {expected}
    files = {path: path.stat().st_mtime_ns for path in list_files(tmp_path)}
    assert history.redact() == 0
    assert {path: path.stat().st_mtime_ns for path in list_files(tmp_path)} == files


@pytest.mark.parametrize("method", ["write", "remove"])
@pytest.mark.parametrize("step", [1, 2, 3])
def test_an_interrupted_redact_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, step: int
) -> None:
    """Wherever it ends, every row is there once, redacted or not; another call completes it."""
    history = record_message(tmp_path, SECRET)
    rows = read_rows(history)
    real, calls = getattr(ParquetStore, method), list[object]()

    def fail(*arguments: Any) -> None:
        calls.append(arguments)
        if len(calls) == step:
            raise fl.StoreError("killed")
        real(*arguments)

    monkeypatch.setattr(ParquetStore, method, fail)
    with pytest.raises(fl.StoreError, match="killed"):
        history.redact(SECRET)
    expected = replace_messages(rows, SECRET, "***")
    interrupted = read_rows(fl.History(tmp_path))
    assert_same_answers(replace_messages(interrupted, SECRET, "***"), expected)
    assert history.redact(SECRET) > 0
    assert find_texts(tmp_path) == {"***"}
    assert_same_answers(read_rows(history), expected)


def test_files_that_another_process_merges_are_redacted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that vanishes is found again in the file that replaces it."""
    history = record_message(tmp_path, SECRET)
    real = ParquetStore.read
    merges: list[Callable[[], None]] = [fl.History(tmp_path).compact]

    def read(*arguments: Any) -> Any:
        while merges:
            merges.pop()()
        return real(*arguments)

    monkeypatch.setattr(ParquetStore, "read", read)
    assert history.redact(SECRET) == 3
    assert find_texts(tmp_path) == {"***"}


def test_files_that_cannot_be_redacted_are_named(tmp_path: Path) -> None:
    """A damaged file stays, and so does one of a later version, if it has a secret."""
    history = record_message(tmp_path, SECRET)
    later, other = list_files(tmp_path, "events")[0], list_files(tmp_path, "coverage")[0]
    damaged = list_files(tmp_path, "images")[0]
    for path in (later, other):
        table = pq.ParquetFile(path).read()
        pq.write_table(table.append_column("new", table["region"]), path)
    damaged.write_bytes(b"damaged")
    with pytest.warns(fl.FastLaunchWarning, match="left as they are") as caught:
        assert history.redact(SECRET) == 2
    [warning] = caught
    named = str(warning.message).partition(": ")[2].split(", ")
    assert sorted(named) == sorted(map(str, (damaged, later)))
    assert SECRET in pq.ParquetFile(later).read()["state_transition_reason"].to_pylist()


@pytest.mark.parametrize("text", ["", " ", None, b"hunter2"])
def test_a_text_to_redact_is_text(tmp_path: Path, text: Any) -> None:
    """An empty text would match everywhere, so it is refused before the store is read."""
    with pytest.raises(fl.InputError, match="Expected secrets as text"):
        fl.History(tmp_path / "none").redact("hunter2", text)
