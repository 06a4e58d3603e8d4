"""A page with one control of the panel, and a model in place of the kernel."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

from fastlaunch_nb.filter_panel.panel import _STYLE

SECURE = "http://127.0.0.1:9/"  # no server needed: the test fulfils the request
INSECURE = "http://plain.invalid/"  # browsers give its pages no clipboard
MODEL = """async ([source, state]) => {
    const blob = new Blob([source], {type: "text/javascript"});
    const widget = (await import(URL.createObjectURL(blob))).default;
    const listeners = {};
    let unsaved = {};
    const fire = (name, ...values) =>
        [...(listeners[name] || [])].forEach(listener => listener(...values));
    window.model = {
        state, listeners, saved: [], sent: [],
        get: name => state[name],
        set(name, value) {
            if (state[name] === value) return;
            state[name] = unsaved[name] = value;
            fire(`change:${name}`);
        },
        save_changes() { this.saved.push(unsaved); unsaved = {}; },
        send(message) { this.sent.push(message); },
        on(name, listener) { (listeners[name] ||= []).push(listener); },
        off(name, listener) {
            listeners[name] = listeners[name].filter(other => other !== listener);
        },
        receive(traits) {  // from the kernel: sets all traits, then fires all events
            Object.assign(state, traits);
            Object.keys(traits).forEach(name => fire(`change:${name}`));
        },
        answer(message, text) {
            fire("msg:custom", message, text === null ? [] : [new TextEncoder().encode(text)]);
        },
    };
    const el = document.querySelector("main");
    window.cleanup = widget.render({model: window.model, el});
}"""


class ControlPage:
    """A page with a control, and a model that records what the control sends to the kernel.

    Where the clock is paused, time passes only when the test runs it.
    """

    def __init__(
        self, page: Page, widget: Any, url: str = SECURE, *, pause_clock: bool = False
    ) -> None:
        self.page = page
        if pause_clock:
            page.clock.install(time=0)
        style = f"<style>{getattr(widget, '_css', '')}</style>{_STYLE}"
        html = f"<!doctype html><html lang=en><title>A page</title>{style}<main>"
        page.route(url, lambda route: route.fulfill(body=html, content_type="text/html"))
        page.goto(url)
        if pause_clock:
            page.clock.pause_at(3600)
        traits = {name: getattr(widget, name) for name in widget.keys if name[0] != "_"}
        plain = {k: v for k, v in traits.items() if isinstance(v, str | int | float | list | None)}
        page.evaluate(MODEL, [widget._esm, plain])

    def receive(self, **traits: Any) -> None:
        """Change traits from the kernel."""
        self.page.evaluate("traits => model.receive(traits)", traits)

    def count_listeners(self) -> int:
        """Count the listeners that the control has left on the model."""
        count: int = self.page.evaluate("Object.values(model.listeners).flat().length")
        return count


def record_messages(widget: Any) -> list[tuple[dict[str, Any], Any]]:
    """Return a list that collects each message of a widget to the browser from now on."""
    messages: list[tuple[dict[str, Any], Any]] = []
    widget.comm.send = lambda data, buffers=None: messages.append((data, buffers))
    return messages
