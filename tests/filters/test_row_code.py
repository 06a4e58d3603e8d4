"""Code for rows of a panel: for any filters and selections, it returns exactly these rows."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb.demo_fleet.demo import Demo
from fastlaunch_nb.filters.codegen import KINDS
from fastlaunch_nb.filters.filters import Filters
from fastlaunch_nb.filters.row_code import MAX_IDS, generate_row_code
from fastlaunch_nb.schema.columns import ACCOUNT_REGION, COLUMNS, KEY
from tests.helpers.cases import some
from tests.helpers.histories import make_sweep
from tests.helpers.samples import item
from tests.helpers.selections import IMAGES, find_matches, selections

KNOWN = [column.name for column in COLUMNS]
SHARED = "ami-0000000000000000a"
FLEET = pd.concat(
    [
        IMAGES.assign(image_id=[f"ami-{number:017x}" for number in range(len(IMAGES))]),
        IMAGES.head(2).assign(image_id=SHARED, region="eu-west-1", account_id=["1" * 12, "2" * 12]),
    ],
    ignore_index=True,
).astype(IMAGES.dtypes)
"""Images with joined columns; one is shared between two accounts, one has no account."""
HAS_ACCOUNT = FLEET["account_id"].notna().to_numpy()
ACCOUNTS = sorted(FLEET["account_id"].dropna().unique())
PROFILES = {account: f"profile-{account}" for account in ACCOUNTS}


# --- the fleet, as code finds it ------------------------------------------------------


def read_fleet(targets: Any = None, *, regions: Any = None, filters: Any = None) -> Any:
    """Return what a sweep of the fleet returns: the rows in these accounts, without joins."""
    filters = filters or Filters()
    filters.check_answerable()
    filters.to_request()  # refuses what EC2 refuses
    rows = FLEET[KNOWN]
    accounts = {profile.removeprefix("profile-") for profile in targets or ()}
    rows = rows[rows["account_id"].isin(accounts) & rows["region"].isin(regions)]
    return SimpleNamespace(images=filters.apply(rows))


class FakeBoto3:
    """The part of boto3 that finds profiles: one for each account, and one more."""

    Session = staticmethod(
        lambda: SimpleNamespace(available_profiles=["profile-none", *PROFILES.values()])
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A connection of DuckDB in whose search path is a store of the fleet, and older scans."""
    folder = tmp_path_factory.mktemp("store")
    history = fl.History(folder / "history")
    fleet = FLEET[HAS_ACCOUNT]
    pairs = fleet[list(ACCOUNT_REGION)].drop_duplicates().itertuples(index=False, name=None)
    scans: list[Any] = [(pair, []) for pair in pairs]
    old = [((account, region), [item(99)]) for (account, region), _ in scans]
    history.record(make_sweep(0, *old))
    empty = make_sweep(60, *scans)
    rows = fleet.assign(observed_at=empty.coverage["observed_at"].iloc[0])
    for _ in range(2):  # recorded twice
        history.record(empty._replace(images=rows))
    history.record(make_sweep(90, *((pair, "failed") for pair, _ in scans)))
    connection = duckdb.connect()
    connection.execute(f"SET file_search_path = '{folder}'")
    yield connection
    connection.close()


def run_python(code: str) -> pd.DataFrame:
    """Run code of this package or pandas, and return its rows."""
    names: dict[str, Any] = {"images": FLEET}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "boto3", FakeBoto3)
        patch.setattr(fl, "sweep", read_fleet)
        patch.setattr(fl, "targets", lambda profiles: profiles)
        exec(compile(code, "code", "exec"), names)  # noqa: S102  code of our own
    rows: pd.DataFrame = names.get("chosen", names["images"])
    return rows


def list_keys(rows: pd.DataFrame) -> list[tuple[Any, ...]]:
    """Return the keys of rows, sorted."""
    return sorted(rows[list(KEY)].itertuples(index=False, name=None), key=str)


# --- the law --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["fastlaunch", "pandas", "sql"])
@given(filters=selections(), profiles=st.sampled_from([None, PROFILES]))
@example(filters=Filters(text="straße"), profiles=None)
@example(filters=Filters(text="RUNNER"), profiles=None)
@example(filters=Filters(available_snapshots=(1, 2)), profiles=PROFILES)
@example(filters=Filters(image_id=SHARED, account_id="1" * 12), profiles=None)
def test_code_returns_the_rows_on_the_screen(
    store: Any, kind: str, filters: Filters, profiles: Any
) -> None:
    """Law: for any filters, also on joined columns, the code returns exactly their rows."""
    rows = np.array(find_matches(FLEET, filters))
    arguments = {"profiles": profiles} if kind == "fastlaunch" else {}
    code = generate_row_code(FLEET, rows, filters.active(), kind, **arguments)
    check_rows(store, kind, code, rows)


@pytest.mark.parametrize("kind", ["fastlaunch", "pandas", "sql"])
@given(chosen=st.sets(st.sampled_from(range(len(FLEET))), min_size=1))
@example(chosen={len(FLEET) - 1})
@example(chosen={0, len(FLEET) - 1})
def test_code_returns_the_selected_rows(store: Any, kind: str, chosen: set[int]) -> None:
    """Law: for any selected images, also shared ones, the code returns exactly these."""
    rows = np.isin(np.arange(len(FLEET)), list(chosen))
    check_rows(store, kind, generate_row_code(FLEET, rows, None, kind), rows)


def check_rows(store: Any, kind: str, code: str, rows: Any) -> None:
    """Run code, and compare its rows with those of the fleet in a mask."""
    if is_comment(code):  # nothing to read, or a row without an account
        assert not rows.any() or not HAS_ACCOUNT[rows].all()
        assert kind != "pandas"
        return
    expected = list_keys(FLEET[rows])
    if kind == "sql":
        assert list_keys(store.sql(code).df()) == expected
    else:
        assert list_keys(run_python(code)) == expected


def is_comment(code: str) -> bool:
    """Return True if there is nothing in code but a comment."""
    return all(line.startswith(("#", "--", "REM")) for line in code.splitlines())


# --- accounts -------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Two targets lead to account")  # default, and a profile
def test_code_of_several_accounts_finds_their_profiles(demo: Demo) -> None:
    """Code that gets no profiles reads every account of the panel, not only the caller's own."""
    targets = fl.targets(profiles=[*demo.accounts.values()])
    panel = fl.panel(fl.sweep(targets, regions=demo.regions).images)
    assert panel.filtered["account_id"].nunique() > 1
    first = panel.filtered["account_id"].iloc[-1]
    for filters in (Filters(), Filters(account_id=first), Filters(state="enabled", text="ami")):
        panel.filters = filters
        for kind in ("fastlaunch", "boto3"):
            names: dict[str, Any] = {}
            exec(panel.to_code(kind), names)  # noqa: S102  code of our own
            rows: Any = names.get("images", names.get("chosen"))
            if kind == "boto3":
                columns = {"AccountId": "account_id", "Region": "region", "ImageId": "image_id"}
                rows = pd.DataFrame(rows).rename(columns=columns)
            assert list_keys(rows) == list_keys(panel.filtered)


def test_code_of_one_account_uses_the_callers_credentials() -> None:
    """For a single account the code names it, and selects nothing of another one."""
    images = FLEET[FLEET["account_id"] == ACCOUNTS[0]]
    rows = np.ones(len(images), np.bool_)
    code = generate_row_code(images, rows, {}, "fastlaunch")
    assert code.startswith(f"# With credentials of {ACCOUNTS[0]}\n")
    assert f"account_id=[{ACCOUNTS[0]!r}]" in code
    assert "--profile" not in generate_row_code(images, rows, {}, "cli")


@pytest.mark.parametrize(("kind", "shell"), [("cli", "posix"), ("cli", "cmd"), ("powershell", "")])
def test_commands_without_profiles_name_the_account(kind: str, shell: str) -> None:
    """A command that nobody edited fails, as no profile has the name of an account id."""
    code = generate_row_code(FLEET, HAS_ACCOUNT, {}, kind, shell=shell or "posix")
    [note, *commands] = code.splitlines()
    option = "-ProfileName '{}'" if kind == "powershell" else "--profile {}"
    mark = "REM" if shell == "cmd" else "#"
    assert note.startswith(
        f"{mark} After {option.split(maxsplit=1)[0]}, write the name of your profile"
    )
    for account in some(ACCOUNTS):
        assert any(option.format(account) in command for command in commands)


# --- rows that filters cannot select --------------------------------------------------


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "pandas"])
@pytest.mark.parametrize("filters", [Filters(available_snapshots=(1, 2)), Filters(text="straße")])
def test_rows_by_a_joined_value_are_named_by_their_ids(kind: str, filters: Filters) -> None:
    """A stock or a name that no answer of EC2 has selects images, whose ids are in the code."""
    rows = np.array(find_matches(FLEET, filters)) & HAS_ACCOUNT
    code = generate_row_code(FLEET[HAS_ACCOUNT], rows[HAS_ACCOUNT], filters.active(), kind)
    ids = FLEET.loc[rows, "image_id"]
    assert [image_id for image_id in some(ids) if image_id not in code] == []
    assert "available_snapshots" not in code


def test_too_many_images_are_not_named() -> None:
    """Beyond a limit the code would be longer than a shell takes; the reason is a comment."""
    images = fl.from_pages([item(number) for number in range(MAX_IDS + 1)])
    rows = np.ones(len(images), np.bool_)
    assert generate_row_code(images, rows, None, "cli").startswith("# More than 1,000 images")
    assert is_comment(generate_row_code(images, rows, {"available_snapshots": (0, 9)}, "sql"))
    assert generate_row_code(images, ~rows, None, "cli") == "# No image is selected."


def test_rows_without_an_account_cannot_be_read() -> None:
    """Where only some rows have an account, code for the others is a comment."""
    rows = np.ones(len(FLEET), np.bool_)
    for kind in ("fastlaunch", "boto3", "cli", "powershell", "sql"):
        assert "have no account id" in generate_row_code(FLEET, rows, {}, kind)
    without = FLEET[~HAS_ACCOUNT]
    code = generate_row_code(without, rows[: len(without)], None, "cli")
    assert code == "aws ec2 describe-fast-launch-images --image-ids ami-00000000000000007"
