/* An invisible widget that sends the keys of the panel that it is in: undo, redo, ? and Escape.
 *
 * It also closes a menu on a click outside, and moves the focus on from what has closed.
 */

const TYPING = "input:not([type=checkbox], [type=range]), textarea, [contenteditable=true]";
const ROW = ".fl-views tbody[tabindex], .fl-views tbody [tabindex]";

function findAction({ key, target, ctrlKey, metaKey, altKey, shiftKey }) {
  if (key === "Escape") return "close";
  if (altKey || target.closest(TYPING)) return null;
  if (!ctrlKey && !metaKey) return key === "?" ? "keys" : null;
  const letter = key.toLowerCase();
  if (letter === "z") return shiftKey ? "redo" : "undo";
  return letter === "y" ? "redo" : null;
}

/* Return what gets the focus if an element with it goes away. */
function findNext(panel, element) {
  if (element.closest(".fl-detail")) return panel.querySelector(ROW);
  return element.closest(".fl-menu")?.querySelector("button");
}

export default {
  render({ model, el }) {
    let next = null;
    const isInside = (target) => el.parentElement?.contains(target);
    const onKey = (event) => {
      const action = isInside(event.target) && findAction(event);
      if (!action) return;
      if (action !== "close") {
        event.preventDefault();
        event.stopPropagation();
      }
      model.send({ action });
    };
    const onFocus = ({ target }) => {
      if (target.contains(el)) return; // the lost focus moved to a parent
      next = isInside(target) ? findNext(el.parentElement, target) : null;
      if (next) redraw.observe(el.parentElement, { subtree: true, childList: true });
    };
    const onPointer = ({ target }) => {
      next = null;
      const isOpen = el.parentElement?.querySelector(".fl-popover");
      if (isOpen && !target.closest(".fl-menu")) model.send({ action: "close" });
    };
    const redraw = new MutationObserver(() => {
      if (next?.isConnected && document.activeElement?.contains(el)) next.focus();
    });
    const listeners = { keydown: onKey, focusin: onFocus, pointerdown: onPointer };
    for (const [type, listener] of Object.entries(listeners))
      document.addEventListener(type, listener, true);
    return () => {
      redraw.disconnect();
      for (const [type, listener] of Object.entries(listeners))
        document.removeEventListener(type, listener, true);
    };
  },
};
