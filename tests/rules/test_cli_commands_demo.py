"""Commands of findings, run by the AWS CLI against the demo."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.demo_fleet.account_regions import REGIONS
from fastlaunch_nb.rules.cost_rules import MIN_AGE
from fastlaunch_nb.schema.columns import KEY
from fastlaunch_nb.schema.joins import JOINS
from tests.helpers.aws_cli import install_aws_cli
from tests.helpers.cases import some

CHANGES = ("disable-fast-launch", "delete-snapshot", "request-service-quota-increase")


class Fleet:
    """The demo, its findings, and a shell with the AWS CLI."""

    def __init__(self, demo: Any, program: Path) -> None:
        self.demo, self.program = demo, program
        self.targets = fl.targets(profiles=list(demo.accounts.values()))
        sweep = fl.sweep(self.targets, regions=REGIONS, progress=False, strict=True)
        images = fl.enrich(sweep.images, *JOINS, targets=self.targets)
        earlier = sweep.coverage.assign(observed_at=sweep.coverage["observed_at"] - 2 * MIN_AGE)
        self.findings = fl.findings(
            images,
            coverage=pd.concat([earlier, sweep.coverage]),
            snapshots=fl.snapshots(self.targets, regions=REGIONS),
        )

    def run(self, command: str, account_id: str) -> str:
        """Run a command with the credentials of an account; return what it printed."""
        path = f"{self.program.parent}{os.pathsep}{os.environ['PATH']}"
        profile = self.demo.accounts[account_id]
        done = subprocess.run(
            ["sh", "-c", command],
            env={**self.demo.environment, "PATH": path, "AWS_PROFILE": profile},
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        return done.stdout if done.returncode == 0 else f"failed: {done.stderr}"

    def read_state(self) -> tuple[list[Any], set[str]]:
        """Return the images with their states, and the ids of all snapshots."""
        images = fl.sweep(self.targets, regions=REGIONS, progress=False, strict=True).images
        snapshots = fl.snapshots(self.targets, regions=REGIONS)
        states = images[[*KEY, "state", "state_transition_time"]]
        return states.values.tolist(), set(snapshots["snapshot_id"])


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    """The demo with a finding of each kind, and the AWS CLI."""
    program = install_aws_cli(tmp_path)
    with fl.demo() as demo:
        yield Fleet(demo, program)


def list_rows(findings: pd.DataFrame) -> Sequence[Any]:
    """Return the findings, with their columns as attributes."""
    return list(findings.itertuples())


@pytest.mark.deep
def test_commands_do_what_the_advice_states(fleet: Fleet) -> None:
    """In another account no command does anything; in its own, each works, and few change."""
    commands = fleet.findings.dropna(subset=["command"]).drop_duplicates("finding")
    before = fleet.read_state()
    for row in some(list_rows(commands)):
        other = next(account for account in fleet.demo.accounts if account != row.account_id)
        assert fleet.run(row.command, other).startswith("failed: "), row.finding
    assert fleet.read_state() == before

    by_change = commands["command"].str.contains("|".join(CHANGES))
    for row in some(list_rows(commands[~by_change])):
        assert fleet.run(row.command, row.account_id).startswith(("{", "[")), row.finding
    assert fleet.read_state() == before

    assert set(commands.loc[by_change, "finding"]) == {"image-gone", "orphaned", "over-quota"}
    for row in some(list_rows(commands[by_change])):
        assert not fleet.run(row.command, row.account_id).startswith("failed: "), row.finding
    images, snapshots = fleet.read_state()
    [gone] = commands.loc[commands["finding"].eq("image-gone"), "image_id"]
    [state] = [state for *_, image_id, state, _ in images if image_id == gone]
    assert state == "disabling"
    [orphan] = commands.loc[commands["finding"].eq("orphaned"), "command"]
    deleted = set(orphan.split()) & before[1]
    assert deleted
    assert snapshots == before[1] - deleted
