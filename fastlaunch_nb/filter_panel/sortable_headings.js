/* An invisible widget that sends the heading that the user clicks in the table of its parent box.
 *
 * Each sort redraws the table: the new heading gets the focus of the old one, unless the user
 * has moved on.
 */

const HEADING = "th button[data-by]";
const MOVES = ["focusin", "pointerdown"];

export default {
  render({ model, el }) {
    let focused = null;
    const findHeading = (target) => {
      const heading = target.closest?.(HEADING);
      return heading && el.parentElement?.contains(heading) ? heading : null;
    };
    const redraw = new MutationObserver(() => {
      if (!focused || focused.isConnected || !document.activeElement?.contains(el)) return;
      const selector = `${HEADING}[data-by="${CSS.escape(focused.dataset.by)}"]`;
      el.parentElement.querySelector(selector)?.focus();
    });
    const onMove = ({ type, target }) => {
      if (type === "focusin" && target.contains(el)) return; // the lost focus moved to a parent
      focused = findHeading(target);
      if (focused) redraw.observe(el.parentElement, { subtree: true, childList: true });
    };
    const onClick = ({ target }) => {
      const heading = findHeading(target);
      if (heading) model.send({ by: heading.dataset.by });
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
