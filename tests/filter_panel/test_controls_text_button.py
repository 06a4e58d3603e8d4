"""The text button: its messages in the kernel, and its behaviour in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from fastlaunch_nb.errors import InputError
from fastlaunch_nb.filter_panel.controls import TextButton
from tests.helpers.control_page import INSECURE, SECURE, ControlPage, record_messages

# --- in the kernel --------------------------------------------------------------------


def request_text(button: TextButton, view: str) -> None:
    """Request the text as a view does."""
    data = {"method": "custom", "content": {"view": view}}
    button.comm.handle_msg({"content": {"data": data}, "buffers": []})


def test_the_kernel_answers_the_view_that_requests() -> None:
    """Each request makes the text anew and sends it, as UTF-8, to its own view."""
    texts = iter(["é", "ü"])
    button = TextButton("CSV", lambda: ("images.csv", next(texts)), how="save")
    messages = record_messages(button)
    for view in "ab":
        request_text(button, view)
    assert [(message["content"], buffers) for message, buffers in messages] == [
        ({"view": "a", "filename": "images.csv"}, ["é".encode()]),
        ({"view": "b", "filename": "images.csv"}, ["ü".encode()]),
    ]


def test_the_kernel_reports_an_error(caplog: pytest.LogCaptureFixture) -> None:
    """An error reaches the view without the credentials in it; the kernel's log has it all."""

    def make_text() -> tuple[str, str]:
        raise ValueError("no rows of\nAKIAIOSFODNN7EXAMPLE")

    button = TextButton("Copy", make_text)
    messages = record_messages(button)
    request_text(button, "a")
    ((message, _),) = messages
    assert message["content"] == {"view": "a", "error": "ValueError: no rows of ***"}
    assert "Traceback" in caplog.text


def test_how_is_copy_link_or_save() -> None:
    """Another way than copy, link or save is refused; the error names all three."""
    with pytest.raises(InputError, match=r"how is 'print'\. Expected 'copy', 'link' or 'save'"):
        TextButton("Print", lambda: ("", ""), how="print")  # type: ignore[arg-type]


# --- in a browser ---------------------------------------------------------------------

TEXT = "image_id,name\nami-1,\"ü, 'é' <b>\"\n"


class ButtonPage(ControlPage):
    """A page with a text button, and a kernel that answers when the test lets it."""

    def __init__(
        self, page: Page, how: Any, url: str = SECURE, *, pause_clock: bool = False
    ) -> None:
        def make_text() -> tuple[str, str]:
            if self.error:
                raise OSError(self.error)
            return "images.csv", TEXT

        self.error = ""
        self.widget = TextButton("Copy" if how == "copy" else "CSV", make_text, how=how)
        self.messages = record_messages(self.widget)
        super().__init__(page, self.widget, url, pause_clock=pause_clock)
        self.button = page.get_by_role("button")
        self.status = page.get_by_role("status")

    def click(self) -> None:
        """Click, and answer from the kernel."""
        self.button.click()
        self.answer()

    def answer(self) -> None:
        """Answer the last request from the kernel."""
        request_text(self.widget, self.page.evaluate("model.sent.at(-1).view"))
        message, buffers = self.messages[-1]
        text = buffers[0].decode() if buffers else None
        self.page.evaluate("answer => model.answer(...answer)", [message["content"], text])

    def read_clipboard(self) -> str:
        """Paste the clipboard into a text area."""
        self.page.evaluate("document.body.append(document.createElement('textarea'))")
        area = self.page.locator("textarea")
        area.press("ControlOrMeta+v")
        return area.input_value()


@pytest.mark.parametrize("url", [SECURE, INSECURE])
def test_it_copies(page: Page, url: str) -> None:
    """The clipboard has the text unchanged, even where the page gets no clipboard API."""
    page.context.grant_permissions(["clipboard-write"])  # browsers with windows do by themselves
    control = ButtonPage(page, "copy", url)
    if url == SECURE:  # the clipboard API alone does it
        page.evaluate("document.execCommand = () => false")
    control.click()
    page.get_by_role("button", name="Copied", exact=True).wait_for()
    assert control.read_clipboard() == TEXT


def test_it_saves(page: Page) -> None:
    """The file has its name, the mark by which Excel knows UTF-8, and the text unchanged."""
    control = ButtonPage(page, "save")
    with page.expect_download() as download:
        control.click()
    assert download.value.suggested_filename == "images.csv"
    assert Path(download.value.path()).read_bytes() == b"\xef\xbb\xbf" + TEXT.encode()
    page.get_by_role("button", name="Saved").wait_for()


def test_it_shows_its_progress(page: Page) -> None:
    """The button is busy while the kernel works, and then shows for 2 s that it is done."""
    control = ButtonPage(page, "save", pause_clock=True)
    assert control.button.get_attribute("title") == "Save as a file"
    control.button.focus()
    page.keyboard.press("Enter")
    assert control.button.is_disabled()
    assert control.button.get_attribute("aria-busy") == "true"
    control.answer()
    page.get_by_role("button", name="Saved").wait_for()
    assert control.status.text_content() == "Saved"
    assert control.button.get_attribute("aria-busy") == "false"
    assert control.button.evaluate("e => e.matches(':focus')")
    page.clock.run_for(1999)
    assert control.button.inner_text() == "Saved"
    page.clock.run_for(1)
    assert (control.button.inner_text(), control.status.text_content()) == ("CSV", "")


@pytest.mark.parametrize("how", ["copy", "save"])
def test_it_shows_an_error(page: Page, how: str) -> None:
    """The button shows an error until the next click, which works at once."""
    control = ButtonPage(page, how, pause_clock=True)
    control.error = "disk <b>full</b>"
    control.click()
    error = "Failed: OSError: disk <b>full</b>"
    page.get_by_role("button", name=error).wait_for()
    page.clock.run_for(60_000)
    assert (control.button.inner_text(), control.status.text_content()) == (error, error)
    control.error = ""
    control.click()
    page.get_by_role("button", name="Copied" if how == "copy" else "Saved", exact=True).wait_for()


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        ("document.execCommand = () => false", "The browser does not allow this page to copy."),
        ("model.send = () => { throw new Error('no kernel'); }", "no kernel"),
    ],
)
def test_it_shows_why_it_cannot_copy(page: Page, failure: str, error: str) -> None:
    """The button shows that the browser refuses to copy, or that no kernel answers."""
    control = ButtonPage(page, "copy", INSECURE)
    page.evaluate(f"() => {{ {failure}; }}")
    control.button.click()
    if page.evaluate("model.sent.length"):
        control.answer()
    page.get_by_role("button", name=f"Failed: {error}").wait_for()


def test_a_view_ignores_the_answers_to_another(page: Page) -> None:
    """All views of a button receive each answer; only the view that requested it copies it."""
    control = ButtonPage(page, "copy")
    control.button.click()
    page.evaluate("model.answer({view: 'another', filename: 'x'}, 'wrong')")
    assert control.button.is_disabled()
    control.answer()
    page.get_by_role("button", name="Copied", exact=True).wait_for()
    assert control.read_clipboard() == TEXT


def test_a_closed_button_leaves_nothing(page: Page) -> None:
    """A closed view removes its button and its listeners."""
    control = ButtonPage(page, "copy")
    page.evaluate("cleanup()")
    assert control.count_listeners() == 0
    assert control.button.count() == 0
