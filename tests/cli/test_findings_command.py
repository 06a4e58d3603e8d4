"""The command findings: of accounts and of a store, in each form, and what was not checked."""

from __future__ import annotations

import csv
import io
import json

import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.cli.main import main
from fastlaunch_nb.demo_fleet.demo import Demo
from tests.helpers.cases import some
from tests.helpers.command_line import run_command
from tests.helpers.emulator import inject_faults

US = ("findings", "--region", "us-east-1", "--profile", "build-farm")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a store with a sweep of the demo."""
    folder = str(tmp_path_factory.mktemp("history") / "store")
    assert main(["record", folder, "--demo", "--no-progress"]) == 0
    return folder


def test_a_table_then_what_to_do(demo: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    """A line for each finding, then the advice of each rule with its commands; a summary."""
    out, err = run_command(capsys, *US)
    table, advice = out.split("\n\nWhat to do. ")
    heading, *lines = table.splitlines()
    assert heading.split() == ["Severity", "Finding", "Account", "Region", "Image", "Evidence"]
    (failed,) = (line for line in lines if " failed " in line)
    assert "win2022-vs2022-agent-2026.01" in failed
    assert "disabling-failed since 2026-01-12" in failed
    assert "failed: List what is left: you pay for 5 snapshots." in advice
    assert '  test "$(aws sts get-caller-identity' in advice
    summary = err.splitlines()[-1]
    assert summary.startswith(f"{len(lines)} findings: ")
    assert summary.endswith("Use --unchecked to see why.")


@pytest.mark.deep
def test_rows_equal_those_of_findings(demo: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON and CSV have the findings of all joins; a filter leaves rules and severities."""
    targets = fl.targets(profiles="build-farm")
    sweep = fl.sweep(targets, regions="us-east-1", progress=False)
    images = fl.enrich(sweep.images, *fl.schema.joins.JOINS, targets=targets)
    snapshots = fl.snapshots(targets, regions="us-east-1")
    expected = fl.findings(images, coverage=sweep.coverage, snapshots=snapshots)
    records = json.loads(run_command(capsys, *US, "--json")[0])
    key = ["severity", "finding", "image_id", "evidence"]
    assert [[record[name] for name in key] for record in records] == (
        expected[key].astype(object).where(expected[key].notna(), None).to_numpy().tolist()
    )
    text, _ = run_command(capsys, *US, "--csv", "--severity", "medium", "info", "--rule", "unused")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["finding"] for row in rows] == ["unused"] * expected["finding"].eq("unused").sum()


@pytest.mark.parametrize(
    ("shell", "start"),
    [("posix", 'test "$('), ("powershell", "if (("), ("cmd", 'for /f "delims="')],
)
def test_commands_for_a_shell(
    shell: str, start: str, store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Commands are those of the shell that --shell names."""
    options = ("findings", "--store", store, "--rule", "failed", "--shell", shell)
    out, _ = run_command(capsys, *options)
    commands = [line.strip() for line in out.splitlines() if "aws sts" in line]
    assert len(commands) == 8
    assert all(command.startswith(start) for command in some(commands))


def test_json_for_a_shell(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON has commands for a POSIX shell unless another one is named; null stays null."""
    options = ("findings", "--store", store, "--json")
    plain, other = (
        json.loads(run_command(capsys, *options, *more)[0]) for more in ([], ["--shell", "cmd"])
    )
    for before, after in some(zip(plain, other, strict=True)):
        command = before.pop("command")
        assert after.pop("command") == (command and fl.render_command(command, "cmd"))
        assert after == before


def test_findings_of_a_store(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A store is judged without AWS: by its last scans and their intervals."""
    out, _ = run_command(capsys, "findings", "--store", store, "--json")
    history = fl.History(store)
    expected = fl.findings(history.images(), intervals=history.intervals())
    assert [record["evidence"] for record in json.loads(out)] == expected["evidence"].tolist()


def test_unchecked_lists_each_rule(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A line for each rule and cause names the accounts with their regions, and what to do."""
    options = ("findings", "--store", store, "--unchecked")
    out, err = run_command(capsys, *options, "--rule", "kms-key")
    assert out.splitlines()[0].split("  ")[0] == "Rule"
    assert "kms-key  join" in out
    assert "111122223333: ap-southeast-2, eu-west-1, us-east-1" in out
    assert "123456789012: ap-southeast-2, eu-west-1, us-east-1" in out
    assert 'fl.enrich(images, "kms")' in out
    assert err == f"1 of {len(fl.RULES)} rules could not judge all images.\n"
    rows = json.loads(run_command(capsys, *options, "--json")[0])
    names = list(dict.fromkeys(row["rule"] for row in rows))
    assert "stuck" not in names
    assert {"kms-key", "orphaned"} < set(names)


def test_all_was_checked(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A rule that could judge all images is not listed; no finding is a sentence."""
    rule = ("findings", "--store", store, "--rule", "stuck")
    assert run_command(capsys, *rule, "--severity", "low") == ("", "No finding.\n")
    assert run_command(capsys, *rule, "--unchecked") == ("", "All rules could judge all images.\n")


def test_without_images_there_is_nothing_to_check(
    demo: Demo, capsys: pytest.CaptureFixture[str]
) -> None:
    """An empty region has no finding, and that is not good news."""
    out, err = run_command(capsys, "findings", "--region", "sa-east-1")
    assert (out, err) == ("", "There are no images to check.\n")


def test_what_was_not_read_counts(demo: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    """The code is 3 if a part was read, with the findings of that part; 1 if nothing was read."""
    options = ("findings", "--region", "sa-east-1", "xx-nowhere-1", "--rule", "failed")
    out, err = run_command(capsys, *options, code=3)
    assert "xx-nowhere-1: failed: " in err.splitlines()[-1]
    with inject_faults(unauthorized=["123456789012"]):
        out, err = run_command(capsys, *US, code=1)
    assert out == ""
    assert "Allow the IAM action ec2:DescribeFastLaunchImages" in err


def test_an_old_name_of_a_rule(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A name of the last release works, with a note that has the new one."""
    _, err = run_command(capsys, "findings", "--store", store, "--rule", "passed-by")
    assert "The rule 'passed-by' is now 'pool-bypassed'." in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--rule", "failde"], "--rule has 'failde'. Did you mean 'failed'?"),
        (["--severity", "urgent"], "--severity has 'urgent'. Expected one of high, medium, low,"),
        (["--shell", "bash"], "--shell has 'bash'. Expected one of posix, powershell, cmd."),
        (["--store", "here", "--demo"], "--store does not read AWS, so --demo has no effect."),
    ],
)
def test_wrong_options_are_refused(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong name is refused with the right ones, before anything is read."""
    out, err = run_command(capsys, "findings", *options, code=2)
    assert out == ""
    assert message in err
