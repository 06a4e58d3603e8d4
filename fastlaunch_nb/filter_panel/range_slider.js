/* The range slider of the panel: a histogram, and below it a thumb for each end.
 *
 * Thumbs stand at stops. Both ends of a range are included: low is a stop, high is the last
 * value before a stop. So the rows between the thumbs are those that match. The low thumb
 * stands to the left of its stop and the high thumb to the right, so neither ever covers the
 * other. Each is a native input, which works with keys, touch and screen readers.
 */

const PAUSE = 200; // milliseconds without a move until the kernel learns of a drag
const MAX_STOPS = 1000;
const TRAITS = ["label", "edges", "counts", "unknown", "is_time", "zone", "low", "high"];
const NUMBER = new Intl.NumberFormat("en-US");

/* The stops of the thumbs, computed from the edges of the bins, and the format of values. */
class Scale {
  constructor(edges, isTime, zone) {
    this.isTime = isTime;
    this.zone = zone;
    this.units = isTime ? 1000 : 1; // in 1: a time is in milliseconds, and exact to a microsecond
    this.first = edges[0];
    this.span = edges.length ? edges.at(-1) - this.first : 0;
    const isStepped = !isTime && this.span && this.span <= MAX_STOPS;
    this.stops = isStepped
      ? Array.from({ length: this.span + 1 }, (_, index) => this.first + index)
      : edges;
    this.last = Math.max(1, this.stops.length - 1);
  }

  valueBefore(stop) {
    return (Math.round(stop * this.units) - 1) / this.units;
  }

  /* The index of the stop that shows an end, which may lie between two stops. */
  indexOfLow(low) {
    const index = low === null ? 0 : this.stops.findLastIndex((stop) => stop <= low);
    return Math.min(Math.max(index, 0), this.last - 1);
  }

  indexOfHigh(high) {
    const index = high === null ? -1 : this.stops.findIndex((stop) => stop > high);
    return index === -1 ? this.last : Math.max(index, 1);
  }

  lowAt(index) {
    return index === 0 ? null : this.stops[index];
  }

  highAt(index) {
    return index === this.last ? null : this.valueBefore(this.stops[index]);
  }

  /* The percentage of the histogram's width to the left of a value. */
  percentLeft(value) {
    return Math.min(Math.max((100 * (value - this.first)) / this.span, 0), 100);
  }

  format(value) {
    if (!this.isTime) return NUMBER.format(value);
    return `${this.formatTime(value)} ${this.zone}`;
  }

  formatTime(value) {
    if (this.zone === "UTC") return new Date(Math.floor(value)).toISOString().slice(0, 16).replace("T", " ");
    const options = { dateStyle: "short", timeStyle: "short", timeZone: this.zone };
    return new Date(Math.floor(value)).toLocaleString("sv-SE", options);
  }

  /* An open end is the end of the scale, so that the range is whole before it is moved. */
  formatRange(low, high) {
    const from = this.format(low ?? this.first);
    const to = this.format(high ?? this.valueBefore(this.first + this.span));
    return from === to ? from : `${from.replace(` ${this.zone}`, "")} – ${to}`;
  }
}

function makeElement(tag, className, ...children) {
  const element = document.createElement(tag);
  element.className = className;
  element.append(...children);
  return element;
}

function makeThumb(className) {
  const input = makeElement("input", className);
  input.type = "range";
  input.min = "0";
  input.step = "1";
  return input;
}

/* Write a range that can wrap after its dash, but not within a time. */
function writeRange(line, text) {
  const [first, ...second] = text.split(/(?= – )/);
  line.replaceChildren(makeElement("span", "", first, second.length ? " –" : ""));
  for (const rest of second) line.append(" ", makeElement("span", "", rest.slice(3)));
}

/* Give a layer a bar for each count. */
function drawBars(layer, counts, titles) {
  while (layer.children.length > counts.length) layer.lastChild.remove();
  while (layer.children.length < counts.length) layer.append(makeElement("i", ""));
  const highest = Math.max(...counts, 1);
  counts.forEach((count, index) => {
    const bar = layer.children[index];
    bar.style.height = count ? `max(2px, ${(100 * count) / highest}%)` : "0";
    bar.title = titles[index];
  });
}

class RangeSliderView {
  constructor(model) {
    this.model = model;
    this.timer = null; // runs while a move waits to be saved
    this.build();
    this.onChange = () => this.draw();
    for (const trait of TRAITS) model.on(`change:${trait}`, this.onChange);
    this.draw();
  }

  close() {
    for (const trait of TRAITS) this.model.off(`change:${trait}`, this.onChange);
    this.save(); // else the last move would be lost with the view
    this.root.remove();
  }

  build() {
    this.heading = makeElement("div", "fl-title");
    this.layers = [makeElement("div", ""), makeElement("div", "fl-strong")];
    const bars = makeElement("div", "fl-bars", ...this.layers);
    bars.setAttribute("aria-hidden", "true");
    this.lowThumb = makeThumb("fl-from");
    this.highThumb = makeThumb("fl-to");
    this.thumbs = [this.lowThumb, this.highThumb];
    this.range = makeElement("span", "");
    this.unknown = makeElement("span", "");
    this.root = makeElement("div", "fl-slider", this.heading, bars,
      makeElement("div", "fl-thumbs", ...this.thumbs),
      makeElement("div", "fl-caption", this.range, this.unknown));
    this.root.setAttribute("role", "group");
    for (const thumb of this.thumbs) {
      thumb.addEventListener("input", () => this.move(thumb));
      thumb.addEventListener("change", () => this.save());
    }
  }

  /* --- from the kernel ---------------------------------------------------------------- */

  draw() {
    const label = this.model.get("label");
    this.heading.textContent = label;
    this.root.setAttribute("aria-label", label);
    this.lowThumb.setAttribute("aria-label", `${label}, from`);
    this.highThumb.setAttribute("aria-label", `${label}, to`);
    const edges = this.model.get("edges");
    this.scale = new Scale(edges, this.model.get("is_time"), this.model.get("zone"));
    const unknown = this.model.get("unknown");
    this.unknown.textContent = unknown ? `${NUMBER.format(unknown)} unknown` : "";
    this.drawHistogram(edges, this.model.get("counts"));
    if (this.timer === null) {
      // While the user moves a thumb, the kernel's range is out of date.
      this.ends = { low: this.model.get("low"), high: this.model.get("high") };
    }
    this.drawRange();
  }

  drawHistogram(edges, counts) {
    const titles = counts.map((count, index) => {
      const bin = this.scale.formatRange(edges[index], this.scale.valueBefore(edges[index + 1]));
      return `${bin}: ${NUMBER.format(count)}`;
    });
    for (const layer of this.layers) drawBars(layer, counts, titles);
  }

  drawRange() {
    const { low, high } = this.ends;
    const { scale } = this;
    const hasValues = scale.span > 0;
    for (const thumb of this.thumbs) {
      thumb.max = scale.last;
      thumb.disabled = scale.stops.length < 3; // no stop to move to
    }
    this.lowThumb.value = scale.indexOfLow(low);
    this.highThumb.value = scale.indexOfHigh(high);
    this.lowThumb.setAttribute("aria-valuetext", low === null ? "any" : scale.format(low));
    this.highThumb.setAttribute("aria-valuetext", high === null ? "any" : scale.format(high));
    writeRange(this.range, hasValues ? scale.formatRange(low, high) : "no values");
    const left = low === null ? 0 : scale.percentLeft(low);
    const right = high === null ? 100 : scale.percentLeft(high + 1 / scale.units);
    this.root.style.setProperty("--fl-left", `${hasValues ? left : 100}%`);
    this.root.style.setProperty("--fl-right", `${hasValues ? 100 - right : 0}%`);
  }

  /* --- from the user ------------------------------------------------------------------ */

  /* Follow a thumb that the user moves; where it meets the other thumb, it pushes it. */
  move(thumb) {
    const { scale } = this;
    const index = Number(thumb.value);
    if (thumb === this.lowThumb) {
      const low = Math.min(index, scale.last - 1);
      this.ends.low = scale.lowAt(low);
      if (Number(this.highThumb.value) <= low) this.ends.high = scale.highAt(low + 1);
    } else {
      const high = Math.max(index, 1);
      this.ends.high = scale.highAt(high);
      if (Number(this.lowThumb.value) >= high) this.ends.low = scale.lowAt(high - 1);
    }
    this.drawRange();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.save(), PAUSE);
  }

  save() {
    clearTimeout(this.timer);
    this.timer = null;
    const changed = ["low", "high"].filter((end) => this.model.get(end) !== this.ends[end]);
    if (!changed.length) return;
    const { ends } = this; // the first set() draws all views, which replaces this.ends
    for (const end of changed) this.model.set(end, ends[end]);
    this.model.save_changes();
  }
}

export default {
  render({ model, el }) {
    const view = new RangeSliderView(model);
    el.append(view.root);
    return () => view.close();
  },
};
