"""How fast the embedded EC2 is: seeding, paging, the demo. ``make bench`` prints a table.

Figures of one run on one machine: compare them with each other, and with what is
to be reached, not with those of another day.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from xml.etree import ElementTree

os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"  # before moto is imported

from werkzeug.test import Client

from fastlaunch_nb import emulator
from fastlaunch_nb.emulator.server import application

ACCOUNT, REGION = "123456789012", "us-east-1"
IMAGES, PAGE = 100_000, 200
NAMESPACE = "{http://ec2.amazonaws.com/doc/2016-11-15/}"
HEADERS = {"Authorization": f"AWS4-HMAC-SHA256 Credential=x/20260115/{REGION}/ec2/aws4_request"}
START = emulator.CLOCK.now()


def main() -> None:
    """Measure, and print a Markdown table."""
    print("| what | measured | to reach |\n|---|---|---|")
    seconds = seeded()
    print(f"| {IMAGES:,} images in one region, seeded | {seconds:.1f} s | 10 s |")
    pages = list(paged())
    middle, slowest = statistics.median(pages), statistics.quantiles(pages, n=100)[-1]
    print(f"| a page of {PAGE} of them, the server's own time, median | {middle:.1f} ms | 10 ms |")
    print(f"| the same, 99 of 100 pages | {slowest:.1f} ms | |")
    ready, week = demo_ready()
    print(f"| demo ready, from a new process | {ready:.1f} s | 3 s |")
    print(f"| the same, its week of history included | {week:.1f} s | 3 s |")


def seeded() -> float:
    """Return the seconds that seeding takes."""
    emulator.install()
    emulator.forget_everything()
    began = time.perf_counter()
    emulator.backend(ACCOUNT, REGION).add_fast_launch_images(
        emulator.FastLaunchImage(
            f"ami-{number:017x}",
            state="enabled",
            state_transition_reason="Client.UserInitiated",
            state_transition_time=START,
            target_resource_count=5,
            max_parallel_launches=6,
            launch_template_name="runner",
            launch_template_version="1",
            owner_id=ACCOUNT,
        )
        for number in range(IMAGES)
    )
    return time.perf_counter() - began


def paged() -> Iterator[float]:
    """Yield the milliseconds of each page, from request to answer, without a network."""
    client = Client(application())
    asked = {"Action": "DescribeFastLaunchImages", "Version": "2016-11-15", "MaxResults": str(PAGE)}
    token, seen = "", 0
    while token or not seen:
        form = {**asked, **({"NextToken": token} if token else {})}
        began = time.perf_counter()
        answer = client.post("/", data=form, headers=HEADERS)
        yield (time.perf_counter() - began) * 1000
        root = ElementTree.fromstring(answer.data)  # noqa: S314  our own answer
        seen += len(root.findall(f"{NAMESPACE}fastLaunchImageSet/{NAMESPACE}item"))
        token = root.findtext(f"{NAMESPACE}nextToken") or ""
    if seen != IMAGES:
        raise RuntimeError(f"The pages have {seen} images, not {IMAGES}.")


def demo_ready() -> tuple[float, float]:
    """Return the seconds from starting Python until the demo is there, and until its week is."""
    times = []
    for code in ("fl.demo()", "fl.demo().history"):
        command = [sys.executable, "-c", f"import fastlaunch_nb as fl; {code}"]
        runs = []
        for _ in range(5):
            began = time.perf_counter()
            subprocess.run(command, check=True)  # noqa: S603
            runs.append(time.perf_counter() - began)
        times.append(statistics.median(runs))
    return times[0], times[1]


if __name__ == "__main__":
    main()
