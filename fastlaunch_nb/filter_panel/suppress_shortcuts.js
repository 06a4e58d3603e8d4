/* A widget that disables JupyterLab's keyboard shortcuts inside its parent box, names that box for
 * screen readers, and shows that the kernel has ended; until then it is invisible.
 *
 * JupyterLab and Notebook move between cells on arrow keys, space and Enter, even while a
 * checkbox, a button or a row of a table has the focus and needs these keys. They ignore the
 * keys of an element with this attribute.
 */

const ATTRIBUTE = "data-lm-suppress-shortcuts";
const SELECTOR = `:is([tabindex], select, input, button):not([${ATTRIBUTE}])`;

/* Name the panel and its facets for screen readers, which widgets cannot do themselves. */
function name(panel) {
  const set = (element, role, label) => {
    element.setAttribute("role", role);
    element.setAttribute("aria-label", label);
  };
  const isTable = panel.querySelector(":scope > .fl-table"); // alone, perhaps next to a panel
  set(panel, "region", isTable ? "Table of Fast Launch images" : "Fast Launch images");
  for (const facet of panel.querySelectorAll(".fl-facet")) {
    const title = facet.querySelector(".fl-title");
    if (title) set(facet, "group", title.textContent);
  }
}

function mark(panel) {
  name(panel);
  for (const element of panel.querySelectorAll(SELECTOR)) element.setAttribute(ATTRIBUTE, "true");
}

/* Show that the kernel has ended: the widget manager then reports that comms are dead. */
function showLost(el) {
  const note = document.createElement("p");
  note.className = "fl-lost";
  note.setAttribute("role", "alert");
  note.textContent = "Not connected. Load the page again.";
  el.replaceChildren(note);
}

export default {
  render({ model, el }) {
    const onLost = () => showLost(el);
    model.on("comm_live_update", onLost);
    const changes = new MutationObserver(() => mark(el.parentElement)); // such as another page
    const insertion = new ResizeObserver(() => {
      if (!el.parentElement) return;
      insertion.disconnect();
      mark(el.parentElement);
      changes.observe(el.parentElement, { subtree: true, childList: true, attributeFilter: ["tabindex"] });
    });
    insertion.observe(el);
    return () => {
      insertion.disconnect();
      changes.disconnect();
      model.off("comm_live_update", onLost);
    };
  },
};
