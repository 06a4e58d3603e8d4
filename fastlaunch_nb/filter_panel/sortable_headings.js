/* Nothing to see: it tells which heading of the table beside it was clicked, to be sorted by.
 *
 * The table is drawn anew then, and whenever else: a heading that had the focus leaves it to the
 * one in its place, unless somebody has gone elsewhere.
 */

const HEADING = "th button[data-by]";
const MOVES = ["focusin", "pointerdown"];

export default {
  render({ model, el }) {
    let focused = null;
    const headingAt = (target) => {
      const heading = target.closest?.(HEADING);
      return heading && el.parentElement?.contains(heading) ? heading : null;
    };
    const drawn = new MutationObserver(() => {
      if (!focused || focused.isConnected || !document.activeElement?.contains(el)) return;
      const again = `${HEADING}[data-by="${CSS.escape(focused.dataset.by)}"]`;
      el.parentElement.querySelector(again)?.focus();
    });
    const move = ({ type, target }) => {
      if (type === "focusin" && target.contains(el)) return; // what is around it, as it was lost
      focused = headingAt(target);
      if (focused) drawn.observe(el.parentElement, { subtree: true, childList: true });
    };
    const click = ({ target }) => {
      const heading = headingAt(target);
      if (heading) model.send({ by: heading.dataset.by });
    };
    document.addEventListener("click", click);
    for (const type of MOVES) document.addEventListener(type, move);
    return () => {
      drawn.disconnect();
      document.removeEventListener("click", click);
      for (const type of MOVES) document.removeEventListener(type, move);
    };
  },
};
