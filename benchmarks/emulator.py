"""Speed of the EC2 emulator: images, pages, the start of the demo. ``make bench`` prints a table.

Compare the figures of one run with each other and with the goals, not with those of another day.
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

from fastlaunch_nb.emulator.clock import CLOCK
from fastlaunch_nb.emulator.image import FastLaunchImage
from fastlaunch_nb.emulator.moto_extension import get_backend, install, reset_emulator
from fastlaunch_nb.emulator.server import make_application
from tests.helpers.emulator import add_fast_launch_images

ACCOUNT, REGION = "123456789012", "us-east-1"
IMAGES, PAGE = 100_000, 200
NAMESPACE = "{http://ec2.amazonaws.com/doc/2016-11-15/}"
HEADERS = {"Authorization": f"AWS4-HMAC-SHA256 Credential=x/20260115/{REGION}/ec2/aws4_request"}
NEW = "ami-0123456789abcdef0"
START = CLOCK.now()


def main() -> None:
    """Measure, and print a Markdown table."""
    print("| what | measured | goal |\n|---|---|---|")
    install()
    client = Client(make_application())
    first, _ = page(client)
    print(f"| the first answer of a process, which loads EC2's service model | {first:.0f} ms | |")
    print(f"| {IMAGES:,} images in one region, seeded | {seeded():.1f} s | 10 s |")
    for what, milliseconds in pages(client):
        print(f"| {what} | {milliseconds:.1f} ms | 10 ms |")
    ready, week = demo_ready()
    print(f"| demo ready, from a new process | {ready:.1f} s | 3 s |")
    print(f"| the same, its week of history included | {week:.1f} s | 3 s |")


def seeded() -> float:
    """Return the seconds that seeding takes."""
    reset_emulator()
    began = time.perf_counter()
    images = (
        FastLaunchImage(
            f"ami-{number:017x}",
            state="disabling-failed" if number % 20_000 == 7 else "enabled",
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
    add_fast_launch_images(get_backend(ACCOUNT, REGION), images)
    return time.perf_counter() - began


def pages(client: Client) -> Iterator[tuple[str, float]]:
    """Yield kinds of pages, and the milliseconds of the server's own time that one takes."""
    yield f"the first page of {PAGE} after that, the server's own time", page(client)[0]
    times = [page(client, NextToken=token)[0] for token in tokens(client)]
    yield "all pages, median", statistics.median(times)
    yield "all pages, the slowest", max(times)
    for state in ("disabling-failed", "disabling"):
        few = {"Filter.1.Name": "state", "Filter.1.Value.1": state}
        yield f"a page of all that are {state}", page(client, **few)[0]
    ec2 = get_backend(ACCOUNT, REGION)
    ec2.add_windows_image(NEW, name="new", owner_id=ACCOUNT)
    ec2.enable_fast_launch(NEW)
    yield "the first page after EnableFastLaunch", page(client)[0]
    add_fast_launch_images(ec2, [FastLaunchImage("ami-ffffffff")])
    yield "the first page after another is added", page(client)[0]


def tokens(client: Client) -> Iterator[str]:
    """Yield the token of each page but the first."""
    seen, answer = 0, page(client)[1]
    while True:
        root = ElementTree.fromstring(answer)  # noqa: S314  our own answer
        seen += len(root.findall(f"{NAMESPACE}fastLaunchImageSet/{NAMESPACE}item"))
        token = root.findtext(f"{NAMESPACE}nextToken")
        if not token:
            break
        yield token
        answer = page(client, NextToken=token)[1]
    if seen != IMAGES:
        raise RuntimeError(f"The pages have {seen} images, not {IMAGES}.")


def page(client: Client, **parameters: str) -> tuple[float, bytes]:
    """Return the CPU time of a request in milliseconds, without a network, and the response."""
    form = {"Action": "DescribeFastLaunchImages", "Version": "2016-11-15", "MaxResults": str(PAGE)}
    began = time.process_time()
    answer = client.post("/", data={**form, **parameters}, headers=HEADERS)
    return (time.process_time() - began) * 1000, answer.data


def demo_ready() -> tuple[float, float]:
    """Return the seconds from starting Python until the demo is there, and until its week is."""
    demo, week = (
        statistics.median(ready(code) for _ in range(5))
        for code in ("fl.demo()", "fl.demo().history")
    )
    return demo, week


def ready(code: str) -> float:
    """Return the seconds from starting Python until it has run some code; not until its end."""
    script = f"import fastlaunch_nb as fl; {code}; print('ready', flush=True)"
    began = time.perf_counter()
    with subprocess.Popen((sys.executable, "-c", script), stdout=subprocess.PIPE) as process:  # noqa: S603
        assert process.stdout  # noqa: S101  it is a pipe
        process.stdout.readline()
        return time.perf_counter() - began


if __name__ == "__main__":
    main()
