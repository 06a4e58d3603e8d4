"""Speed of a sweep, against what a user would write. ``make bench`` prints a table.

Each figure and its alternative are measured in turns, each in a process of its
own, against :mod:`benchmarks.replay`; medians of one run on one machine. Compare
the ratios, and not the seconds of another day.
"""

from __future__ import annotations

import gc
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from xml.parsers import expat

import boto3
import botocore.session
import pandas as pd
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.parsers import create_parser
from urllib3 import PoolManager

import fastlaunch_nb as fl
from benchmarks.replay import Replay, page
from fastlaunch_nb.aws import xml_columns
from fastlaunch_nb.aws.clients import AccountSession
from fastlaunch_nb.schema.arrow import make_batch

T = TypeVar("T")
HOME, ROLE, WORKERS, DELAY = "us-east-1", "FastLaunchReader", 32, 0.1
LIMIT = 10.0  # seconds; the default, 180, would only make the benchmark longer
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "AKIAREPLAY",
    "AWS_SECRET_ACCESS_KEY": "replay",
    "AWS_DEFAULT_REGION": HOME,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


def main() -> None:
    """Measure, and print a Markdown table."""
    for name in [name for name in os.environ if name.startswith("AWS_") or name.endswith("PROXY")]:
        del os.environ[name]
    os.environ.update(ENVIRONMENT)
    print("| what | measured | alternative | ratio | goal |\n|---|---|---|---|---|")
    for measure in MEASURES:
        measure()


def row(what: str, ours: str, theirs: str, ratio: float, goal: str = "") -> None:
    """Print a row of the table."""
    print(f"| {what} | {ours} | {theirs} | {ratio:.2g} | {goal} |", flush=True)


def afresh(function: Callable[..., T], *arguments: Any) -> T:
    """Return what a function returns in a new process, which has imported this file."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def in_turns(runs: int, *functions: Callable[[], Any]) -> list[Any]:
    """Return the median of what each function returns; they take turns."""
    rounds = [[function() for function in functions] for _ in range(runs)]
    return [statistics.median_low(results) for results in zip(*rounds, strict=True)]


# --- a sweep, and what a user would write ---------------------------------------------


class Spent(NamedTuple):
    """The time, the CPU time and the images of a read."""

    seconds: float
    cpu: float
    images: pd.DataFrame


def spent(read: Callable[[list[str]], pd.DataFrame], accounts: int) -> Spent:
    """Read some accounts, and return the times."""
    ids = [f"{200_000_000_000 + number}" for number in range(accounts)]
    began, cpu = time.perf_counter(), time.process_time()
    images = read(ids)
    return Spent(time.perf_counter() - began, time.process_time() - cpu, images)


def sweep(accounts: list[str]) -> pd.DataFrame:
    """Read with a sweep."""
    targets = fl.targets(accounts=accounts, role=ROLE)
    return fl.sweep(targets, max_workers=WORKERS, progress=False, strict=True).images


def loop(accounts: list[str]) -> pd.DataFrame:
    """Read with boto3, one after the other."""
    rows = []
    sts = boto3.Session().client("sts")
    for account in accounts:
        arn = f"arn:aws:iam::{account}:role/{ROLE}"
        keys = sts.assume_role(RoleArn=arn, RoleSessionName="loop")["Credentials"]
        session = boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
        for region in session.client("ec2").describe_regions()["Regions"]:
            client = session.client("ec2", region_name=region["RegionName"])
            for answer in client.get_paginator("describe_fast_launch_images").paginate():
                for image in answer["FastLaunchImages"]:
                    rows.append({"account": account, "region": region["RegionName"], **image})  # noqa: PERF401  as a user would
    return pd.DataFrame(rows)


def measured(
    read: Callable[[list[str]], pd.DataFrame], accounts: int, url: str
) -> Callable[[], Spent]:
    """Return a function that reads some accounts at a server in a new process."""

    def run() -> Spent:
        os.environ["AWS_ENDPOINT_URL"] = url
        return afresh(spent, read, accounts)

    return run


# --- time, processor, memory ----------------------------------------------------------


def latency() -> None:
    """Compare the time of a sweep with that of a loop, and with that of the calls alone."""
    accounts, part, regions = 20, 3, 17
    with Replay(delay=DELAY, regions=regions) as server:
        ours, theirs = (measured(sweep, accounts, server.url), measured(loop, part, server.url))
        fleet, looped = in_turns(3, lambda: ours().seconds, lambda: theirs().seconds)
    looped *= accounts / part
    calls = accounts * (2 + regions)
    alone = DELAY * calls / WORKERS
    what = f"{accounts} accounts × {regions} regions, {DELAY * 1000:.0f} ms a call"
    from_part = f"boto3 in a loop: {looped:.1f} s ({part} accounts, scaled)"
    row(what, f"{fleet:.2f} s", from_part, looped / fleet, "20 × faster")
    lower = f"latency × {calls} calls / {WORKERS} workers: {alone:.2f} s"
    row("the same", f"{fleet:.2f} s", lower, fleet / alone, "within 3 ×")


def sweep_with_limit(accounts: list[str]) -> pd.DataFrame:
    """Read with a sweep, and leave out what takes longer than a short time limit."""
    targets = fl.targets(accounts=accounts, role=ROLE)
    return fl.sweep(targets, max_workers=WORKERS, progress=False, timeout=LIMIT).images


def hanging() -> None:
    """Compare a sweep in which one region never answers with one in which all do."""
    accounts, regions = 50, 20
    healthy, hung = (
        Replay(delay=DELAY, regions=regions),
        Replay(delay=DELAY, regions=regions, hung="eu-west-1"),
    )
    with healthy, hung:
        reads = [measured(sweep_with_limit, accounts, server.url) for server in (hung, healthy)]
        ours, theirs = in_turns(3, *(lambda read=read: read().seconds for read in reads))
    what = f"{accounts} accounts × {regions} regions, one region hangs, time limit {LIMIT:g} s"
    alone = f"no region hangs: {theirs:.1f} s, and {LIMIT:g} s"
    row(what, f"{ours:.1f} s", alone, (ours - LIMIT) / theirs, "within 1.5 ×")


def processor() -> None:
    """Compare the CPU that a region of an account takes, where most are empty."""
    accounts, part, regions = 100, 3, 20
    with Replay(regions=regions, every=10) as server:
        os.environ["AWS_ENDPOINT_URL"] = server.url
        fleet, looped = in_turns(
            3, lambda: afresh(steady_cpu, sweep, accounts), lambda: afresh(steady_cpu, loop, part)
        )
    fleet, looped = fleet * 1000 / accounts / regions, looped * 1000 / part / regions
    what = f"CPU a region of an account ({accounts} of 1,000 accounts × {regions}, 9 in 10 empty)"
    theirs_too = f"boto3 in a loop: {looped:.1f} ms ({part} accounts)"
    row(what, f"{fleet:.1f} ms", theirs_too, looped / fleet, "3.5 ms")
    with Replay() as server:
        alone = afresh(signed, server.url)
    row("the same", f"{fleet:.1f} ms", f"signing and urllib3: {alone:.2f} ms", fleet / alone)


def steady_cpu(read: Callable[[list[str]], pd.DataFrame], accounts: int) -> float:
    """Return the CPU time of a read, after one that imports and loads what all reads need."""
    spent(read, 1)
    return spent(read, accounts).cpu


def signed(url: str) -> float:
    """Return the milliseconds of CPU that a signed request over an open connection takes."""
    connections, signer = PoolManager(), SigV4Auth(Credentials("AKIAREPLAY", "replay"), "ec2", HOME)
    form = "Action=DescribeFastLaunchImages&Version=2016-11-15&MaxResults=200"
    kind = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}

    def request() -> None:
        prepared = AWSRequest("POST", f"{url}/", dict(kind), form)
        signer.add_auth(prepared)
        connections.request("POST", f"{url}/", body=form, headers=dict(prepared.headers))

    return each(request, 400)


def describing() -> None:
    """Compare describe with what a user would write for one account and region."""
    images = 10_000
    with Replay(images=images) as server:
        os.environ["AWS_ENDPOINT_URL"] = server.url
        ours, theirs = in_turns(5, lambda: each(described, 1), lambda: each(normalized, 1))
    taken = f"boto3 and json_normalize: {theirs:.0f} ms"
    row(f"CPU of describe, {images:,} images", f"{ours:.0f} ms", taken, theirs / ours, "5 × faster")


def described() -> pd.DataFrame:
    """Read a region with describe, in a session of its own."""
    return fl.describe(boto3.Session(), region=HOME)


def normalized() -> pd.DataFrame:
    """Read a region with boto3, likewise."""
    paginator = boto3.Session().client("ec2", HOME).get_paginator("describe_fast_launch_images")
    pages = paginator.paginate(PaginationConfig={"PageSize": 200})
    return pd.json_normalize([image for page in pages for image in page["FastLaunchImages"]])


def memory() -> None:
    """Compare the memory that a large sweep takes at most with that of its frame."""
    with Replay(regions=20, images=1000) as server:
        os.environ["AWS_ENDPOINT_URL"] = server.url
        peak, size = afresh(grown, sweep)
        looped, _ = afresh(grown, loop)
    row(
        "memory at most, 200,000 images",
        f"{peak:.0f} MB",
        f"its frame: {size:.0f} MB",
        peak / size,
        "within 3 ×",
    )
    row("the same", f"{peak:.0f} MB", f"boto3 in a loop: {looped:.0f} MB", looped / peak)


def grown(read: Callable[[list[str]], pd.DataFrame]) -> tuple[float, float]:
    """Return by how many MB reading makes this process grow at most, and how many its frame has."""
    spent(read, 1)
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = resident("VmRSS")
    images = spent(read, 10).images
    return resident("VmHWM") - before, images.memory_usage(deep=True).sum() / 1e6


def resident(name: str) -> float:
    """Return the MB that this process has in memory, now or at most, as Linux reports."""
    lines = Path("/proc/self/status").read_text().splitlines()
    [kilobytes] = [line.split()[1] for line in lines if line.startswith(name)]
    return int(kilobytes) * 1024 / 1e6


def imports() -> None:
    """Compare the time until Python has imported us, and pandas."""
    ours, theirs = in_turns(
        9, lambda: started("import fastlaunch_nb"), lambda: started("import pandas")
    )
    taken = f"import pandas: {theirs * 1000:.0f} ms"
    row("import fastlaunch_nb", f"{ours * 1000:.0f} ms", taken, ours / theirs, "within 1.05 ×")


def started(code: str) -> float:
    """Return the seconds from starting Python until it has run some code and loaded no more."""
    heavy = "{'boto3', 'plotly', 'ipywidgets', 'moto'}"
    began = time.perf_counter()
    command = [sys.executable, "-c", f"{code}\nimport sys; assert not {heavy} & sys.modules.keys()"]
    subprocess.run(command, check=True)  # noqa: S603
    return time.perf_counter() - began


# --- parts ----------------------------------------------------------------------------


def connections() -> None:
    """Compare clients that share their connections with clients that have their own."""
    with Replay(delay=DELAY) as server:
        os.environ["AWS_ENDPOINT_URL"] = server.url
        session = boto3.Session()

        def shared() -> tuple[float, float]:
            return measure_connections(server, [AccountSession(session, connections=WORKERS)] * 100)

        def own() -> tuple[float, float]:
            return measure_connections(server, [AccountSession(session) for _ in range(100)])

        (ours, soon), (theirs, late) = in_turns(3, shared, own)
    what = f"connections of 100 clients, {WORKERS} at a time"
    row(what, f"{ours:.0f}", f"a pool each: {theirs:.0f}", theirs / ours)
    row("their time, without TLS", f"{soon:.2f} s", f"a pool each: {late:.2f} s", late / soon)


def measure_connections(server: Replay, accesses: list[AccountSession]) -> tuple[float, float]:
    """Return the connections that clients open for one request each, and the seconds."""
    before, began = server.counts().connections, time.perf_counter()

    def request(access: AccountSession) -> None:
        access.client("ec2", HOME).describe_fast_launch_images()

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(request, accesses))
    return server.counts().connections - before, time.perf_counter() - began


def clients() -> None:
    """Compare the creation of a client of ours with that of a full one of boto3."""
    session = boto3.Session()
    access = AccountSession(session)
    ours, theirs = in_turns(
        5, lambda: each(lambda: access.client("ec2", HOME)), lambda: each(lambda: full(session))
    )
    boto = f"boto3's: {theirs:.1f} ms"
    row("CPU of another EC2 client", f"{ours:.1f} ms", boto, theirs / ours)


def full(session: boto3.Session) -> Any:
    """Return a client of boto3's."""
    return session.client("ec2", HOME)


def each(function: Callable[[], Any], times: int = 40) -> float:
    """Return the milliseconds of CPU that a function takes, garbage included."""
    function()
    gc.collect()
    began = time.process_time()
    for _ in range(times):
        function()
    return (time.process_time() - began) * 1000 / times


def parsing() -> None:
    """Compare ways to turn a page of 200 images into columns."""
    shape = (
        botocore.session.get_session()
        .get_service_model("ec2")
        .operation_model("DescribeFastLaunchImages")
        .output_shape
    )
    body = page(0, 200, 200).encode()
    parser = create_parser("ec2")
    key: Mapping[str, Any] = {"account_id": "200000000000", "region": HOME, "observed_at": None}

    def columns() -> None:
        extracted = xml_columns.extract_columns(body, shape, "FastLaunchImages")
        assert extracted is not None  # noqa: S101  for mypy
        make_batch(extracted.columns, **key)

    def items() -> None:
        answer = {"status_code": 200, "headers": {}, "body": body}
        pd.json_normalize(parser.parse(answer, shape)["FastLaunchImages"])

    def alone() -> None:
        expat.ParserCreate("utf-8").Parse(body, True)

    ours, theirs, limit = in_turns(
        5, *(lambda way=way: each(way) for way in (columns, items, alone))
    )
    what = "CPU to parse a page of 200 images into Arrow"
    row(what, f"{ours:.1f} ms", f"expat alone: {limit:.1f} ms", ours / limit, "within 3 ×")
    peer = f"botocore and json_normalize: {theirs:.1f} ms"
    row("the same", f"{ours:.1f} ms", peer, theirs / ours)


MEASURES = (
    *(latency, hanging, processor, describing, memory),
    *(imports, connections, clients, parsing),
)

if __name__ == "__main__":
    main()
