"""The button that hands a text over: what it asks of the kernel, what it does with the answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from fastlaunch_nb.errors import InputError
from fastlaunch_nb.filter_panel.controls import TextButton
from tests.helpers.control_page import HERE, PLAIN, Staged, sent_by

# --- what the button does in the kernel ------------------------------------------------


def ask(take: TextButton, mark: str) -> None:
    """Ask as a view does."""
    data = {"method": "custom", "content": {"ask": mark}}
    take.comm.handle_msg({"content": {"data": data}, "buffers": []})


def test_the_kernel_answers_the_view_that_asks() -> None:
    """What is made is sent as UTF-8, to the view that asked, and is made anew each time."""
    texts = iter(["é", "ü"])
    take = TextButton("CSV", lambda: ("images.csv", next(texts)), how="save")
    sent = sent_by(take)
    for mark in "ab":
        ask(take, mark)
    assert [(message["content"], buffers) for message, buffers in sent] == [
        ({"to": "a", "filename": "images.csv"}, ["é".encode()]),
        ({"to": "b", "filename": "images.csv"}, ["ü".encode()]),
    ]


def test_the_kernel_says_what_went_wrong(caplog: pytest.LogCaptureFixture) -> None:
    """An error reaches the view, without keys that were in it, and the kernel's log with all."""

    def make() -> tuple[str, str]:
        raise ValueError("no rows of\nAKIAIOSFODNN7EXAMPLE")

    take = TextButton("Copy", make)
    sent = sent_by(take)
    ask(take, "a")
    ((message, _),) = sent
    assert message["content"] == {"to": "a", "error": "ValueError: no rows of ***"}
    assert "Traceback" in caplog.text


def test_there_are_two_ways_to_take() -> None:
    """Whoever asks for another way is told which there are."""
    with pytest.raises(InputError, match=r"how is 'print'\. Expected 'copy' or 'save'"):
        TextButton("Print", lambda: ("", ""), how="print")  # type: ignore[arg-type]


# --- the button in a browser ----------------------------------------------------------

TEXT = "image_id,name\nami-1,\"ü, 'é' <b>\"\n"


class Pressed(Staged):
    """A button on a page, with a kernel that answers as soon as the test lets it."""

    def __init__(self, page: Page, how: Any, address: str = HERE, *, still: bool = False) -> None:
        def make() -> tuple[str, str]:
            if self.error:
                raise OSError(self.error)
            return "images.csv", TEXT

        self.error = ""
        self.widget = TextButton("Copy" if how == "copy" else "CSV", make, how=how)
        self.sent = sent_by(self.widget)
        super().__init__(page, self.widget, address, still=still)
        self.button = page.get_by_role("button")
        self.status = page.get_by_role("status")

    def click(self) -> None:
        """Click, and have the kernel answer."""
        self.button.click()
        self.answer()

    def answer(self) -> None:
        """Answer, from the kernel, what was asked last."""
        ask(self.widget, self.page.evaluate("model.sent.at(-1).ask"))
        message, buffers = self.sent[-1]
        text = buffers[0].decode() if buffers else None
        self.page.evaluate("said => model.answer(...said)", [message["content"], text])

    @property
    def clipboard(self) -> str:
        """What somebody would paste by now."""
        self.page.evaluate("document.body.append(document.createElement('textarea'))")
        area = self.page.locator("textarea")
        area.press("ControlOrMeta+v")
        return area.input_value()


@pytest.mark.parametrize("address", [HERE, PLAIN])
def test_it_copies(page: Page, address: str) -> None:
    """The text is on the clipboard as it was made, also where pages get none, in the old way."""
    page.context.grant_permissions(["clipboard-write"])  # as browsers with windows do by themselves
    pressed = Pressed(page, "copy", address)
    if address == HERE:  # where it is not needed
        page.evaluate("document.execCommand = () => false")
    pressed.click()
    page.get_by_role("button", name="Copied", exact=True).wait_for()
    assert pressed.clipboard == TEXT


def test_it_saves(page: Page) -> None:
    """The file has its name, a mark by which Excel knows UTF-8, and the text as it was made."""
    pressed = Pressed(page, "save")
    with page.expect_download() as download:
        pressed.click()
    assert download.value.suggested_filename == "images.csv"
    assert Path(download.value.path()).read_bytes() == b"\xef\xbb\xbf" + TEXT.encode()
    page.get_by_role("button", name="Saved").wait_for()


def test_it_says_what_it_does(page: Page) -> None:
    """While the kernel works the button is busy; then it says for 2 s that it is done."""
    pressed = Pressed(page, "save", still=True)
    assert pressed.button.get_attribute("title") == "Save as a file"
    pressed.button.focus()
    page.keyboard.press("Enter")
    assert pressed.button.is_disabled()
    assert pressed.button.get_attribute("aria-busy") == "true"
    pressed.answer()
    page.get_by_role("button", name="Saved").wait_for()
    assert pressed.status.text_content() == "Saved"
    assert pressed.button.get_attribute("aria-busy") == "false"
    assert pressed.button.evaluate("e => e.matches(':focus')")
    page.clock.run_for(1999)
    assert pressed.button.inner_text() == "Saved"
    page.clock.run_for(1)
    assert (pressed.button.inner_text(), pressed.status.text_content()) == ("CSV", "")


@pytest.mark.parametrize("how", ["copy", "save"])
def test_it_says_what_went_wrong(page: Page, how: str) -> None:
    """An error is said on the button until somebody tries again, which they can at once."""
    pressed = Pressed(page, how, still=True)
    pressed.error = "disk <b>full</b>"
    pressed.click()
    said = "Failed: OSError: disk <b>full</b>"
    page.get_by_role("button", name=said).wait_for()
    page.clock.run_for(60_000)
    assert (pressed.button.inner_text(), pressed.status.text_content()) == (said, said)
    pressed.error = ""
    pressed.click()
    page.get_by_role("button", name="Copied" if how == "copy" else "Saved", exact=True).wait_for()


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("document.execCommand = () => false", "The browser lets nothing be copied here."),
        ("model.send = () => { throw new Error('no kernel'); }", "no kernel"),
    ],
)
def test_it_says_who_refuses(page: Page, broken: str, said: str) -> None:
    """Where the browser lets nothing be copied, or no kernel can be asked, the button says so."""
    pressed = Pressed(page, "copy", PLAIN)
    page.evaluate(f"() => {{ {broken}; }}")
    pressed.button.click()
    if page.evaluate("model.sent.length"):
        pressed.answer()
    page.get_by_role("button", name=f"Failed: {said}").wait_for()


def test_another_views_answer_is_not_taken(page: Page) -> None:
    """Two views of a button hear each other's answers, and only the one that asked takes it."""
    pressed = Pressed(page, "copy")
    pressed.button.click()
    page.evaluate("model.answer({to: 'another', filename: 'x'}, 'wrong')")
    assert pressed.button.is_disabled()
    pressed.answer()
    page.get_by_role("button", name="Copied", exact=True).wait_for()
    assert pressed.clipboard == TEXT


def test_a_button_that_goes_leaves_nothing(page: Page) -> None:
    """A closed view listens no more."""
    pressed = Pressed(page, "copy")
    page.evaluate("cleanup()")
    assert page.evaluate("Object.values(model.heard).flat().length") == 0
    assert pressed.button.count() == 0
