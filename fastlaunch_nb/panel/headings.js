/* Nothing to see: it tells which heading of the table beside it was clicked, to be sorted by.
 *
 * The table is drawn anew then, so that the heading that was clicked gives the focus to its twin.
 */

const HEADING = "th button[data-by]";

export default {
  render({ model, el }) {
    let clicked = null;
    const drawn = new MutationObserver(() => {
      if (clicked.isConnected) return;
      const twin = el.parentElement?.querySelector(`${HEADING}[data-by="${clicked.dataset.by}"]`);
      if (!twin) return;
      drawn.disconnect();
      if (document.activeElement.contains(el)) twin.focus(); // else someone went elsewhere
    });
    const click = ({ target }) => {
      const heading = target.closest?.(HEADING);
      if (!heading || !el.parentElement?.contains(heading)) return;
      clicked = heading;
      drawn.observe(el.parentElement, { subtree: true, childList: true });
      model.send({ by: heading.dataset.by });
    };
    document.addEventListener("click", click);
    return () => {
      drawn.disconnect();
      document.removeEventListener("click", click);
    };
  },
};
