"""The browser that tests and pictures look through: where it is, and how to get one.

``make setup-browser`` runs this file: it finds a Chromium or Chrome, else gets
one, by Playwright's own download or by the system's package manager. Kaleido
does not know of Playwright's: whoever draws pictures tells it by BROWSER_PATH.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, Route, expect, sync_playwright

from tests.helpers.processes import Process, process

SHELL = "chromium-headless-shell"  # without windows, it needs less CPU time
NAMES = (SHELL, "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PLACES = ("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",)
ROOT = Path(__file__).parent.parent.parent
PATIENT = 120_000  # milliseconds: how long a page may take to show something, on a busy machine
SLOW = 300_000  # and a kernel to start and run everything
OUTSIDE = re.compile(r"^https?://(?!127\.0\.0\.1[:/])")
VOILAS_OWN = re.compile("fontawesome")  # Voila's page template asks a CDN for its icons
NBCONVERTS_OWN = re.compile(r"require\.min\.js|mathjax")  # so does nbconvert's, for two libraries
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync")

expect.set_options(timeout=PATIENT)


def find() -> str | None:
    """Return the path of a browser on this machine, Playwright's own download included.

    The one that BROWSER_PATH names comes first: Kaleido, too, looks there. A headless
    shell comes before a browser with windows.
    """
    for name in (os.environ.get("BROWSER_PATH", ""), *NAMES):
        if path := shutil.which(name):
            return path
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return next((path for path in (*PLACES, own) if Path(path).exists()), None)


def get() -> str | None:
    """Try to install one, in the way that asks least of the machine; return its path."""
    sudo = [] if os.name == "nt" or os.geteuid() == 0 else ["sudo", "-n"]
    apt = [*sudo, "apt-get", "-q", "-y"]
    ways = (
        [[sys.executable, "-m", "playwright", "install", "chromium"]],
        [[*apt, "update"], [*apt, "install", SHELL]],
        [[*apt, "install", "chromium"]],
        [["brew", "install", "--cask", "google-chrome"]],
    )
    for way in ways:
        if all(_ran(command) for command in way) and (path := find()):
            return path
    return None


def _ran(command: list[str]) -> bool:
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=900)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


@contextmanager
def launched() -> Iterator[Browser]:
    """Give a running browser; say how to get one where there is none."""
    path = find()
    if path is None:
        raise RuntimeError("No Chromium or Chrome was found. Get one: make setup-browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=list(QUIET), timeout=PATIENT
        )
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(
    browser: Browser,
    width: int = 1280,
    *,
    templates_own: re.Pattern[str] = VOILAS_OWN,
    zone: str | None = None,
) -> Iterator[Page]:
    """Give a page of some width, to a viewer in some time zone.

    Nothing outside this machine is reached, or asked for by us.
    """
    context = browser.new_context(viewport={"width": width, "height": 1000}, timezone_id=zone)
    context.set_default_timeout(PATIENT)
    page = context.new_page()
    outside: list[str] = []

    def refuse(route: Route) -> None:
        outside.append(route.request.url)
        route.abort()

    page.route(OUTSIDE, refuse)
    try:
        yield page
    finally:
        context.close()
    assert [url for url in outside if not templates_own.search(url)] == []


@contextmanager
def started(command: list[str], **options: Any) -> Iterator[str]:
    """Start a server, at a port that it chooses; give the first address it prints; end it.

    By SIGTERM: Ctrl-C can get lost in Jupyter, whose callbacks swallow any error.
    """
    for _ in range(3):  # somebody may take the port that Jupyter has chosen before it listens
        with process(command, stderr=subprocess.STDOUT, **options) as server:
            address = server.find(r"http://127\.0\.0\.1:\S+")
            if _listens(server, int(address.split(":")[2].partition("/")[0])):
                yield address
                return
    raise RuntimeError(f"{command} did not find a port")


def _listens(server: Process, port: int) -> bool:
    """Wait until a server listens, which Jupyter says a little early; False if it ends instead."""
    while server.is_running():
        with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            return True
        time.sleep(0.05)
    return False


def lab_folder(home: Path) -> Path:
    """Return where :func:`lab_started` has the notebooks that read the demo."""
    return home / "lab" / "demo"


@contextmanager
def lab_started(home: Path) -> Iterator[str]:
    """Start JupyterLab as `make lab` does, with no earlier settings; give its address."""
    command = [sys.executable, "-m", "fastlaunch_nb.cli", "lab", "--no-browser", "--port", "0"]
    folders = ["--notebooks", str(ROOT / "notebooks"), "--folder", str(lab_folder(home).parent)]
    with started([*command, *folders], env=_settings_in(home)) as address:
        yield address


@contextmanager
def notebook_started(home: Path) -> Iterator[str]:
    """Start Jupyter Notebook on the same folder of a home; give the address of that folder."""
    options = ["ip=127.0.0.1", "port=0", f"root_dir={lab_folder(home)}", "allow_root=True"]
    settings = [f"--ServerApp.{option}" for option in options]
    command = [sys.executable, "-m", "notebook", "--no-browser", *settings]
    with started(command, env=_settings_in(home)) as address:
        yield address


@contextmanager
def voila_started(folder: Path, **variables: str) -> Iterator[str]:
    """Start Voila on a folder of notebooks, with these variables; give its address.

    It listens at its usual port, or else at the next one that is free.
    """
    where = ["--no-browser", "--Voila.ip=127.0.0.1"]
    command = [sys.executable, "-m", "voila", str(folder), *where]
    with started(command, env={**os.environ, **variables}) as address:
        yield address.rstrip("/")


def _settings_in(home: Path) -> dict[str, str]:
    """Keep settings in this home; have pages as dark as :func:`darkened` says the screen is."""
    themes = home / "@jupyterlab" / "apputils-extension" / "themes.jupyterlab-settings"
    themes.parent.mkdir(parents=True, exist_ok=True)
    themes.write_text(json.dumps({"adaptive-theme": True}))
    places = dict.fromkeys(("JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR"), str(home))
    return {**os.environ, **places}


@contextmanager
def darkened(page: Page) -> Iterator[None]:
    """Have JupyterLab or Notebook dark for a while, as by a person's choice in its menu.

    Voila is told by its address: ``?theme=dark``.
    """

    def follow(scheme: Literal["dark", "light"]) -> None:
        page.emulate_media(color_scheme=scheme)
        light = "true" if scheme == "light" else "false"
        page.locator(f"body[data-jp-theme-light={light}]").wait_for(state="attached")

    follow("dark")
    try:
        yield
    finally:
        follow("light")


PLOT = ".js-plotly-plot"
PANEL = ".fl-facet input[type=checkbox]"


def run_all(page: Page, address: str, *, until: str = PANEL) -> None:
    """Open a notebook in JupyterLab, close the file browser, run all cells until one shows this."""
    page.goto(f"{address}&reset")  # with no other notebook open
    page.locator(".jp-Notebook").wait_for(timeout=SLOW)
    page.get_by_text("(ipykernel) | Idle").wait_for(timeout=SLOW)
    page.locator('[data-id="filebrowser"]').first.click()
    _run_cells(page, until)


def run_all_in_notebook(page: Page, address: str, *, until: str = PANEL) -> None:
    """Open a notebook in Jupyter Notebook, run all cells until one shows this."""
    page.goto(address)
    page.locator(".jp-KernelName", has_text="ipykernel").wait_for(timeout=SLOW)  # else none is idle
    page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for(timeout=SLOW)
    _run_cells(page, until)


def _run_cells(page: Page, until: str) -> None:
    page.locator(".lm-MenuBar-itemLabel", has_text="Run").click()
    page.get_by_text("Run All Cells", exact=True).click()
    page.locator(until).first.wait_for(timeout=SLOW)


def axe(page: Page, selector: str) -> list[str]:
    """Return what keeps people from using a part of a page: which rule, where, and why.

    All that axe-core finds serious or critical there, a line for each element.
    """
    options = {"resultTypes": ["violations"], "preload": False}  # which would load styles again
    found = Axe().run(page, context=selector, options=options).response["violations"]
    return [
        f"{rule['id']} ({rule['impact']}): {node['html'][:160]} – "
        f"{' '.join(node['failureSummary'].split()[2:])}"
        for rule in found
        if rule["impact"] in {"serious", "critical"}
        for node in rule["nodes"]
    ]


def overlaps(plot: Locator, selector: str, marks: str = "") -> list[str]:
    """Return the texts of a chart that lie on one another, or on marks, or reach out of it."""
    found: list[str] = plot.evaluate(
        """(plot, [selector, marks]) => {
            const boxes = selector => [...plot.querySelectorAll(selector)].map(
                element => ({element, box: element.getBoundingClientRect()}));
            const name = ({element}) => element.textContent || element.getAttribute("class");
            const page = plot.getBoundingClientRect();
            const texts = boxes(selector), others = boxes(marks || "none");
            const wrong = texts
                .filter(({box}) => box.left < page.left - 1 || box.right > page.right + 1)
                .map(text => `cut: ${name(text)}`);
            texts.forEach((a, i) => [...texts.slice(i + 1), ...others].forEach(b => {
                const across = Math.min(a.box.right, b.box.right) -
                    Math.max(a.box.left, b.box.left);
                const down = Math.min(a.box.bottom, b.box.bottom) - Math.max(a.box.top, b.box.top);
                if (across > 1 && down > 2) wrong.push(`${name(a)} / ${name(b)}`);
            }));
            return wrong;
        }""",
        [selector, marks],
    )
    return found


if __name__ == "__main__":
    found = find() or get()
    if found is None:
        sys.exit("No browser could be had. Install Chromium or Chrome by hand, then try again.")
    print(found)
