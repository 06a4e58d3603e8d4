"""A control of the panel on a page of its own, with a model in place of a kernel."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

HERE = "http://127.0.0.1:9/"  # never reached: the page is made up
PLAIN = "http://plain.invalid/"  # nor this, to whose pages browsers give no clipboard
MODEL = """async ([source, state]) => {
    const blob = new Blob([source], {type: "text/javascript"});
    const widget = (await import(URL.createObjectURL(blob))).default;
    const heard = {};
    let unsaved = {};
    const fire = (name, ...said) => [...(heard[name] || [])].forEach(hear => hear(...said));
    window.model = {
        state, heard, saved: [], sent: [],
        get: name => state[name],
        set(name, value) {
            if (state[name] === value) return;
            state[name] = unsaved[name] = value;
            fire(`change:${name}`);
        },
        save_changes() { this.saved.push(unsaved); unsaved = {}; },
        send(message) { this.sent.push(message); },
        on(name, hear) { (heard[name] ||= []).push(hear); },
        off(name, hear) { heard[name] = heard[name].filter(other => other !== hear); },
        told(names) {  // by the kernel: all is set, and then all is said
            Object.assign(state, names);
            Object.keys(names).forEach(name => fire(`change:${name}`));
        },
        answer(message, text) {
            fire("msg:custom", message, text === null ? [] : [new TextEncoder().encode(text)]);
        },
    };
    const el = document.querySelector("main");
    window.cleanup = widget.render({model: window.model, el});
}"""


class Staged:
    """A control on a page, with a model that notes what is told to the kernel.

    Where it is to be still, time passes only when the test says so.
    """

    def __init__(
        self, page: Page, widget: Any, address: str = HERE, *, still: bool = False
    ) -> None:
        self.page = page
        if still:
            page.clock.install(time=0)
        style = getattr(widget, "_css", "")
        html = f"<!doctype html><html lang=en><title>A page</title><style>{style}</style><main>"
        page.route(address, lambda route: route.fulfill(body=html, content_type="text/html"))
        page.goto(address)
        if still:
            page.clock.pause_at(3600)
        state = {name: getattr(widget, name) for name in widget.keys if name[0] != "_"}
        plain = {k: v for k, v in state.items() if isinstance(v, str | int | float | list | None)}
        page.evaluate(MODEL, [widget._esm, plain])

    def told(self, **names: Any) -> None:
        """Have the kernel change something."""
        self.page.evaluate("names => model.told(names)", names)


def sent_by(widget: Any) -> list[tuple[dict[str, Any], Any]]:
    """Return a list that gets whatever the widget sends to the browser from now on."""
    sent: list[tuple[dict[str, Any], Any]] = []
    widget.comm.send = lambda data, buffers=None: sent.append((data, buffers))
    return sent
