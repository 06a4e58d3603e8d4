/* An invisible widget that reports clicks on the buttons in the HTML of its parent box.
 *
 * A click in a row of a table counts for the button of that row. Each answer of the kernel draws
 * HTML anew: the new button gets the focus of the old one, unless the user has moved on.
 */

const BUTTON = "button[data-do]";
const MOVES = ["focusin", "pointerdown"];

export default {
  render({ model, el }) {
    let focused = null;
    const find = (target) => {
      const inside = el.parentElement?.contains(target);
      return inside ? target.closest(BUTTON) ?? target.closest("tr")?.querySelector(BUTTON) : null;
    };
    const redraw = new MutationObserver(() => {
      if (!focused || focused.isConnected || !document.activeElement?.contains(el)) return;
      const selector = `${BUTTON}[data-do="${CSS.escape(focused.dataset.do)}"]`;
      el.parentElement.querySelector(selector)?.focus();
    });
    const onMove = ({ type, target }) => {
      if (type === "focusin" && target.contains(el)) return; // the lost focus moved to a parent
      focused = target.closest?.(BUTTON) && find(target);
      if (focused) redraw.observe(el.parentElement, { subtree: true, childList: true });
    };
    const onClick = (event) => {
      const button = event.target.closest && find(event.target);
      const isTextSelected = !event.target.closest?.(BUTTON) && String(getSelection());
      if (!button || isTextSelected || button.getAttribute("aria-disabled") === "true") return;
      const more = event.ctrlKey || event.metaKey || event.shiftKey;
      model.send({ do: button.dataset.do, more });
    };
    document.addEventListener("click", onClick);
    for (const type of MOVES) document.addEventListener(type, onMove);
    return () => {
      redraw.disconnect();
      document.removeEventListener("click", onClick);
      for (const type of MOVES) document.removeEventListener(type, onMove);
    };
  },
};
