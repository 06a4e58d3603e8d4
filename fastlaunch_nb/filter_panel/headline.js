/* The headline: figures of all images, as buttons that filter, and the age of the data. */

const MINUTE = 60_000; // milliseconds
const UNITS = [[1440, "d"], [60, "h"], [1, "min"]]; // in minutes
let viewCount = 0;

/* Return how long ago a time was, by the clock of the browser. */
function formatAge(time) {
  const minutes = Math.floor((Date.now() - time) / MINUTE);
  const unit = UNITS.find(([size]) => minutes >= size);
  return unit ? `${Math.floor(minutes / unit[0]).toLocaleString("en")} ${unit[1]} ago` : "just now";
}

class HeadlineView {
  constructor(model) {
    this.model = model;
    this.id = `fl-headline-${(viewCount += 1)}`; // two views of a model have different ids
    this.root = document.createElement("div");
    this.root.className = "fl-headline-figures";
    this.root.setAttribute("role", "group");
    this.root.setAttribute("aria-label", "All images");
    this.root.addEventListener("keydown", ({ key }) => this.setQuiet(key === "Escape"));
    for (const type of ["focusout", "pointerover"])
      this.root.addEventListener(type, () => this.setQuiet(false));
    this.draw = () => this.root.replaceChildren(...model.get("figures").map(this.make, this));
    this.mark = () => this.root.querySelectorAll("button").forEach((button) =>
      button.setAttribute("aria-pressed", model.get("pressed").includes(button.dataset.name)));
    this.redraw = () => this.keepFocus(() => { this.draw(); this.mark(); this.setAges(); });
    model.on("change:figures", this.redraw);
    model.on("change:pressed", this.mark);
    this.timer = setInterval(() => this.setAges(), MINUTE / 4);
    this.redraw();
  }

  close() {
    clearInterval(this.timer);
    this.model.off("change:figures", this.redraw);
    this.model.off("change:pressed", this.mark);
    this.root.remove();
  }

  make({ name, value, label, tip, colour, time, kind }) {
    const figure = document.createElement(kind === "text" ? "div" : "button");
    figure.className = "fl-figure";
    figure.dataset.name = name;
    if (kind === "text") {
      figure.tabIndex = 0; // so that its tip can be read with the keyboard
      figure.setAttribute("role", "note");
    } else {
      figure.type = "button";
      figure.setAttribute("aria-disabled", kind === "none"); // it still has a tip
      figure.addEventListener("click", () => this.model.send({ name }));
    }
    if (colour) figure.style.borderLeftColor = colour;
    const parts = [["b", value], ["span", label], ["span", tip]].map(([tag, text]) => {
      const part = document.createElement(tag);
      part.textContent = text;
      return part;
    });
    parts[2].className = "fl-tip";
    parts[2].id = `${this.id}-${name}`;
    parts[2].setAttribute("role", "tooltip");
    figure.setAttribute("aria-describedby", parts[2].id);
    figure.append(parts[0], " ", parts[1]);
    if (time !== null) parts[0].dataset.time = time;
    const cell = document.createElement("div"); // a tip inside a button would be part of its name
    cell.className = "fl-figure-cell";
    cell.append(figure, parts[2]);
    return cell;
  }

  setAges() {
    for (const part of this.root.querySelectorAll("[data-time]"))
      part.textContent = formatAge(Number(part.dataset.time));
  }

  setQuiet(isQuiet) {
    this.root.classList.toggle("fl-quiet", isQuiet);
  }

  /* Redraw, and return the focus to the figure that had it. */
  keepFocus(redraw) {
    const focused = document.activeElement;
    const name = this.root.contains(focused) ? focused.dataset.name : null;
    redraw();
    if (name) this.root.querySelector(`[data-name="${name}"]`)?.focus({ preventScroll: true });
  }
}

export default {
  render({ model, el }) {
    const view = new HeadlineView(model);
    el.append(view.root);
    return () => view.close();
  },
};
