/* An invisible widget for the headings of the table in its parent box: a click sorts, a drag or
 * Shift with an arrow key moves a column, and pinned columns stay in place side by side.
 *
 * The kernel decides, and draws the table anew: the new heading gets the focus of the old one,
 * unless the user has moved on.
 */

const HEADING = "th button[data-by]";
const FOCUS_MOVES = ["focusin", "pointerdown"];
const DRAG_START = 6; // pixels: a shorter move is a click

class TableHeadings {
  constructor(model, el) {
    this.model = model;
    this.el = el;
    this.focused = null;
    this.drag = null; // the heading that moves, and where its column would go
    this.hasDragged = false; // so that the click that ends a drag does not sort
    this.redraw = new MutationObserver(() => this.onRedraw());
    this.resize = new ResizeObserver(() => this.watch());
    this.handlers = {
      click: (event) => this.onClick(event),
      keydown: (event) => this.onKey(event),
      pointerdown: (event) => this.onPress(event),
      pointermove: (event) => this.onDrag(event),
      pointerup: () => this.onDrop(),
      pointercancel: () => this.endDrag(),
    };
    for (const [type, handler] of Object.entries(this.handlers)) document.addEventListener(type, handler);
    this.onFocus = (event) => this.trackFocus(event);
    for (const type of FOCUS_MOVES) document.addEventListener(type, this.onFocus);
    this.resize.observe(el);
  }

  close() {
    this.redraw.disconnect();
    this.resize.disconnect();
    for (const [type, handler] of Object.entries(this.handlers)) document.removeEventListener(type, handler);
    for (const type of FOCUS_MOVES) document.removeEventListener(type, this.onFocus);
  }

  get box() {
    return this.el.parentElement;
  }

  /* Begin once the widget is in its box, and follow the width of the box. */
  watch() {
    if (!this.box) return;
    this.redraw.observe(this.box, { subtree: true, childList: true });
    this.resize.observe(this.box);
    this.placePinned();
  }

  findHeading(target) {
    const heading = target.closest?.(HEADING) ?? target.closest?.("th")?.querySelector(HEADING);
    return heading && this.box?.contains(heading) ? heading : null;
  }

  listHeadings() {
    return [...this.box.querySelectorAll(HEADING)];
  }

  onRedraw() {
    this.placePinned();
    const { focused } = this;
    if (!focused || focused.isConnected || !document.activeElement?.contains(this.el)) return;
    this.box.querySelector(`${HEADING}[data-by="${CSS.escape(focused.dataset.by)}"]`)?.focus();
  }

  /* Place the pinned columns side by side, as each sticks at an offset of its own. */
  placePinned() {
    let left = 0;
    this.box.querySelectorAll("th.fl-pinned").forEach((heading, index) => {
      this.box.style.setProperty(`--fl-pin-${index + 1}`, `${left}px`);
      left += heading.offsetWidth;
    });
  }

  trackFocus({ type, target }) {
    if (type === "focusin" && target.contains(this.el)) return; // the lost focus moved to a parent
    this.focused = target.closest?.(HEADING) ? this.findHeading(target) : null;
  }

  onClick({ target }) {
    const heading = target.closest?.(HEADING) && this.findHeading(target);
    if (heading && !this.hasDragged) this.model.send({ sort: heading.dataset.by });
    this.hasDragged = false;
  }

  /* --- moving columns ----------------------------------------------------------------- */

  onKey(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const heading = step && event.shiftKey ? this.findHeading(event.target) : null;
    if (!heading) return;
    event.preventDefault();
    const headings = this.listHeadings();
    const index = headings.indexOf(heading) + (step === 1 ? 2 : -1);
    if (index >= 0) this.move(heading, headings[index] ?? null);
  }

  onPress(event) {
    const heading = event.button === 0 ? this.findHeading(event.target) : null;
    this.drag = heading && { heading, start: event.clientX, next: null, isMoving: false };
    this.hasDragged = false;
  }

  onDrag({ clientX }) {
    const { drag } = this;
    if (!drag || (!drag.isMoving && Math.abs(clientX - drag.start) < DRAG_START)) return;
    drag.isMoving = true;
    const cells = this.listHeadings().map((heading) => heading.closest("th"));
    const next = cells.findIndex((cell) => {
      const { left, width } = cell.getBoundingClientRect();
      return clientX < left + width / 2;
    });
    drag.next = next === -1 ? null : cells[next].querySelector(HEADING);
    this.markDrop(cells, next);
  }

  /* Mark the edge to which the column would go. */
  markDrop(cells, next) {
    cells.forEach((cell, index) => {
      cell.classList.toggle("fl-drop-before", index === next);
      cell.classList.toggle("fl-drop-after", next === -1 && index === cells.length - 1);
    });
  }

  onDrop() {
    const { drag } = this;
    this.endDrag();
    if (!drag?.isMoving) return;
    this.hasDragged = true;
    if (drag.heading !== drag.next) this.move(drag.heading, drag.next);
  }

  endDrag() {
    if (this.drag?.isMoving) this.markDrop(this.listHeadings().map((heading) => heading.closest("th")), -2);
    this.drag = null;
  }

  move(heading, next) {
    this.model.send({ move: heading.dataset.by, before: next?.dataset.by ?? null });
  }
}

export default {
  render({ model, el }) {
    const headings = new TableHeadings(model, el);
    return () => headings.close();
  },
};
