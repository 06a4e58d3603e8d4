/* Nothing to see: it has JupyterLab leave keys to whatever of the panel has the focus.
 *
 * JupyterLab and Notebook walk through their cells by arrows, space and Enter, also where a box, a
 * button or a row of a table would need them. They let be what bears this attribute itself.
 */

const MARK = "data-lm-suppress-shortcuts";
const NEEDS = `:is([tabindex], select, input, button):not([${MARK}])`;

function mark(panel) {
  for (const part of panel.querySelectorAll(NEEDS)) part.setAttribute(MARK, "true");
}

export default {
  render({ el }) {
    const later = new MutationObserver(() => mark(el.parentElement)); // as a page of a table
    const placed = new ResizeObserver(() => {
      if (!el.parentElement) return;
      placed.disconnect();
      mark(el.parentElement);
      later.observe(el.parentElement, { subtree: true, childList: true, attributeFilter: ["tabindex"] });
    });
    placed.observe(el);
    return () => {
      placed.disconnect();
      later.disconnect();
    };
  },
};
