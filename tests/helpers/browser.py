"""The browser of tests and pictures: how it is found, installed and used.

``make setup-browser`` runs this file: it finds a Chromium or Chrome, or installs one with
Playwright or the system's package manager. Kaleido does not find Playwright's browser, so
whoever draws pictures sets BROWSER_PATH.
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

SHELL = "chromium-headless-shell"  # needs less CPU time than a browser with windows
NAMES = (SHELL, "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PLACES = ("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",)
ROOT = Path(__file__).parent.parent.parent
TIMEOUT = 120_000  # milliseconds for a page to show something, on a busy machine
SLOW = 300_000  # milliseconds for a kernel to start and run everything
OUTSIDE = re.compile(r"^https?://(?!127\.0\.0\.1[:/])")
VOILAS_OWN = re.compile("fontawesome")  # which Voila's page template loads from a CDN
NBCONVERTS_OWN = re.compile(r"require\.min\.js|mathjax")  # which nbconvert's template loads
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync")

expect.set_options(timeout=TIMEOUT)


def find_browser() -> str | None:
    """Return the path of a browser on this machine, Playwright's own download included.

    BROWSER_PATH, which Kaleido also uses, comes first. A headless shell comes before a
    browser with windows.
    """
    for name in (os.environ.get("BROWSER_PATH", ""), *NAMES):
        if path := shutil.which(name):
            return path
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return next((path for path in (*PLACES, own) if Path(path).exists()), None)


def install_browser() -> str | None:
    """Try to install a browser, in the least invasive way that works; return its path."""
    sudo = [] if os.name == "nt" or os.geteuid() == 0 else ["sudo", "-n"]
    apt = [*sudo, "apt-get", "-q", "-y"]
    installations = (
        [[sys.executable, "-m", "playwright", "install", "chromium"]],
        [[*apt, "update"], [*apt, "install", SHELL]],
        [[*apt, "install", "chromium"]],
        [["brew", "install", "--cask", "google-chrome"]],
    )
    for commands in installations:
        if all(_try_command(command) for command in commands) and (path := find_browser()):
            return path
    return None


def _try_command(command: list[str]) -> bool:
    """Run a command; return True if it succeeds."""
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=900)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


@contextmanager
def launch_browser() -> Iterator[Browser]:
    """Yield a running browser; raise RuntimeError if none is installed."""
    path = find_browser()
    if path is None:
        raise RuntimeError("No Chromium or Chrome was found. Install one: make setup-browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=list(QUIET), timeout=TIMEOUT
        )
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def open_page(
    browser: Browser,
    width: int = 1280,
    *,
    templates_own: re.Pattern[str] = VOILAS_OWN,
    zone: str | None = None,
) -> Iterator[Page]:
    """Yield a page of some width, in some time zone.

    It cannot reach anything outside this machine, and only page templates may try.
    """
    context = browser.new_context(viewport={"width": width, "height": 1000}, timezone_id=zone)
    context.set_default_timeout(TIMEOUT)
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
def start_server(command: list[str], **options: Any) -> Iterator[str]:
    """Start a server on a port that it chooses; yield the first address it prints; end it.

    It ends with SIGTERM, as Jupyter's callbacks, which swallow any error, may swallow Ctrl-C.
    """
    for _ in range(3):  # another process may take the port before Jupyter listens on it
        with process(command, stderr=subprocess.STDOUT, **options) as server:
            address = server.find(r"http://127\.0\.0\.1:\S+")
            if _listens(server, int(address.split(":")[2].partition("/")[0])):
                yield address
                return
    raise RuntimeError(f"{command} did not find a port")


def _listens(server: Process, port: int) -> bool:
    """Wait until a server listens, as Jupyter prints its address too early; False if it ends."""
    while server.is_running():
        with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            return True
        time.sleep(0.05)
    return False


def lab_folder(home: Path) -> Path:
    """Return the folder in which :func:`start_lab` has the notebooks that read the demo."""
    return home / "lab" / "demo"


@contextmanager
def start_lab(home: Path) -> Iterator[str]:
    """Start JupyterLab as `make lab` does, with new settings; yield its address."""
    command = [sys.executable, "-m", "fastlaunch_nb", "lab", "--no-browser", "--port", "0"]
    folders = ["--notebooks", str(ROOT / "notebooks"), "--folder", str(lab_folder(home).parent)]
    with start_server([*command, *folders], env=_make_settings(home)) as address:
        yield address


@contextmanager
def start_notebook(home: Path) -> Iterator[str]:
    """Start Jupyter Notebook on the same folder; yield the address of that folder."""
    options = ["ip=127.0.0.1", "port=0", f"root_dir={lab_folder(home)}", "allow_root=True"]
    settings = [f"--ServerApp.{option}" for option in options]
    command = [sys.executable, "-m", "notebook", "--no-browser", *settings]
    with start_server(command, env=_make_settings(home)) as address:
        yield address


@contextmanager
def start_voila(folder: Path, **variables: str) -> Iterator[str]:
    """Start Voila on a folder of notebooks, with these variables; yield its address.

    It listens on its default port, or on the next free one.
    """
    options = ["--no-browser", "--Voila.ip=127.0.0.1"]
    command = [sys.executable, "-m", "voila", str(folder), *options]
    with start_server(command, env={**os.environ, **variables}) as address:
        yield address.rstrip("/")


def _make_settings(home: Path) -> dict[str, str]:
    """Return variables for settings in a home; with them pages follow the browser's dark mode."""
    themes = home / "@jupyterlab" / "apputils-extension" / "themes.jupyterlab-settings"
    themes.parent.mkdir(parents=True, exist_ok=True)
    themes.write_text(json.dumps({"adaptive-theme": True}))
    folders = dict.fromkeys(("JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR"), str(home))
    return {**os.environ, **folders}


@contextmanager
def use_dark_theme(page: Page) -> Iterator[None]:
    """Use the dark theme of JupyterLab or Notebook in a block of code.

    Voila has it in its address: ``?theme=dark``.
    """

    def set_scheme(scheme: Literal["dark", "light"]) -> None:
        page.emulate_media(color_scheme=scheme)
        light = "true" if scheme == "light" else "false"
        page.locator(f"body[data-jp-theme-light={light}]").wait_for(state="attached")

    set_scheme("dark")
    try:
        yield
    finally:
        set_scheme("light")


PLOT = ".js-plotly-plot"
PANEL = ".fl-facet input[type=checkbox]"


def run_all(page: Page, address: str, *, until: str = PANEL) -> None:
    """Open a notebook in JupyterLab, and run its cells until a selector is visible."""
    page.goto(f"{address}&reset")  # closes other notebooks
    page.locator(".jp-Notebook").wait_for(timeout=SLOW)
    page.get_by_text("(ipykernel) | Idle").wait_for(timeout=SLOW)
    page.locator('[data-id="filebrowser"]').first.click()
    _run_cells(page, until)


def run_all_in_notebook(page: Page, address: str, *, until: str = PANEL) -> None:
    """Open a notebook in Jupyter Notebook, and run its cells until a selector is visible."""
    page.goto(address)
    page.locator(".jp-KernelName", has_text="ipykernel").wait_for(
        timeout=SLOW
    )  # then it can be idle
    page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for(timeout=SLOW)
    _run_cells(page, until)


def _run_cells(page: Page, until: str) -> None:
    page.locator(".lm-MenuBar-itemLabel", has_text="Run").click()
    page.get_by_text("Run All Cells", exact=True).click()
    page.locator(until).first.wait_for(timeout=SLOW)


def find_violations(page: Page, selector: str) -> list[str]:
    """Return the accessibility violations in a part of a page.

    There is a line for each element, with axe-core's rule, the element and the reason.
    """
    options = {"resultTypes": ["violations"], "preload": False}  # preload would reload styles
    violations = Axe().run(page, context=selector, options=options).response["violations"]
    return [
        f"{rule['id']} ({rule['impact']}): {node['html'][:160]} – "
        f"{' '.join(node['failureSummary'].split()[2:])}"
        for rule in violations
        for node in rule["nodes"]
    ]


def find_overlaps(plot: Locator, selector: str, marks: str = "") -> list[str]:
    """Return the texts of a chart that overlap each other or marks, or extend beyond it."""
    problems: list[str] = plot.evaluate(
        """(plot, [selector, marks]) => {
            const boxes = selector => [...plot.querySelectorAll(selector)].map(
                element => ({element, box: element.getBoundingClientRect()}));
            const name = ({element}) => element.textContent || element.getAttribute("class");
            const page = plot.getBoundingClientRect();
            const texts = boxes(selector), others = boxes(marks || "none");
            const problems = texts
                .filter(({box}) => box.left < page.left - 1 || box.right > page.right + 1)
                .map(text => `cut: ${name(text)}`);
            texts.forEach((a, i) => [...texts.slice(i + 1), ...others].forEach(b => {
                const across = Math.min(a.box.right, b.box.right) -
                    Math.max(a.box.left, b.box.left);
                const down = Math.min(a.box.bottom, b.box.bottom) - Math.max(a.box.top, b.box.top);
                if (across > 1 && down > 2) problems.push(`${name(a)} / ${name(b)}`);
            }));
            return problems;
        }""",
        [selector, marks],
    )
    return problems


if __name__ == "__main__":
    browser_path = find_browser() or install_browser()
    if browser_path is None:
        sys.exit("No browser could be installed. Install Chromium or Chrome yourself, then retry.")
    print(browser_path)
