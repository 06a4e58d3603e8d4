/* The range of the panel: a histogram, and below it a thumb for either end.
 *
 * Thumbs stand at stops. Both ends of a range are included: low is a stop itself, high is the
 * last value before one. So what lies between the thumbs is what is kept, and as low stands to
 * the left of its stop and high to the right, neither ever covers the other. Each is a native
 * input, which keys, touch and screen readers know how to use.
 */

const PAUSE = 200; // milliseconds without a move, and a drag is told to the kernel
const MOST_STOPS = 1000;
const TRAITS = ["label", "edges", "counts", "unknown", "is_time", "low", "high"];
const NUMBER = new Intl.NumberFormat("en-US");

/* What the edges of the bins say: where thumbs may stand, and what is said of a value. */
class Scale {
  constructor(edges, isTime) {
    this.isTime = isTime;
    this.units = isTime ? 1000 : 1; // in 1: a time is in milliseconds, and known to the microsecond
    this.first = edges[0];
    this.span = edges.length ? edges.at(-1) - this.first : 0;
    const whole = !isTime && this.span && this.span <= MOST_STOPS;
    this.stops = whole
      ? Array.from({ length: this.span + 1 }, (_, place) => this.first + place)
      : edges;
    this.last = Math.max(1, this.stops.length - 1);
  }

  before(stop) {
    return (Math.round(stop * this.units) - 1) / this.units;
  }

  /* The place of the stop at which an end is shown, exact as it may be. */
  placeOfLow(low) {
    const place = low === null ? 0 : this.stops.findLastIndex((stop) => stop <= low);
    return Math.min(Math.max(place, 0), this.last - 1);
  }

  placeOfHigh(high) {
    const place = high === null ? -1 : this.stops.findIndex((stop) => stop > high);
    return place === -1 ? this.last : Math.max(place, 1);
  }

  lowAt(place) {
    return place === 0 ? null : this.stops[place];
  }

  highAt(place) {
    return place === this.last ? null : this.before(this.stops[place]);
  }

  /* The percentage of the bars that lie left of a value. */
  left(value) {
    return Math.min(Math.max((100 * (value - this.first)) / this.span, 0), 100);
  }

  say(value) {
    if (!this.isTime) return NUMBER.format(value);
    return `${new Date(Math.floor(value)).toISOString().slice(0, 16).replace("T", " ")} UTC`;
  }

  sayRange(low, high) {
    const [from, to] = [low, high].map((end) => end === null ? null : this.say(end));
    const [since, until] = this.isTime ? ["since", "until"] : ["from", "up to"];
    if (from === to) return from ?? "all";
    if (to === null) return `${since} ${from}`;
    return from === null ? `${until} ${to}` : `${from.replace(" UTC", "")} – ${to}`;
  }
}

function element(tag, name, ...children) {
  const made = document.createElement(tag);
  made.className = name;
  made.append(...children);
  return made;
}

function thumb(name) {
  const input = element("input", name);
  input.type = "range";
  input.min = "0";
  input.step = "1";
  return input;
}

/* Write a range that may be broken into lines behind its dash, but not within a time. */
function write(line, words) {
  const [first, ...second] = words.split(/(?= – )/);
  line.replaceChildren(element("span", "", first, second.length ? " –" : ""));
  for (const rest of second) line.append(" ", element("span", "", rest.slice(3)));
}

/* Give a layer as many bars as there are counts, each as high as its count. */
function drawBars(layer, counts, titles) {
  while (layer.children.length > counts.length) layer.lastChild.remove();
  while (layer.children.length < counts.length) layer.append(element("i", ""));
  const most = Math.max(...counts, 1);
  counts.forEach((count, place) => {
    const bar = layer.children[place];
    bar.style.height = count ? `max(2px, ${(100 * count) / most}%)` : "0";
    bar.title = titles[place];
  });
}

class Range {
  constructor(model) {
    this.model = model;
    this.waiting = null;
    this.build();
    this.follow = () => this.draw();
    for (const trait of TRAITS) model.on(`change:${trait}`, this.follow);
    this.draw();
  }

  close() {
    for (const trait of TRAITS) this.model.off(`change:${trait}`, this.follow);
    this.tell(); // what was moved last is not lost with the view
    this.root.remove();
  }

  build() {
    this.heading = element("h4", "");
    this.layers = [element("div", ""), element("div", "fl-strong")];
    const bars = element("div", "fl-bars", ...this.layers);
    bars.setAttribute("aria-hidden", "true");
    this.low = thumb("fl-from");
    this.high = thumb("fl-to");
    this.said = element("span", "");
    this.unknown = element("span", "");
    this.root = element("div", "fl-slider", this.heading, bars,
      element("div", "fl-thumbs", this.low, this.high),
      element("div", "fl-said", this.said, this.unknown));
    this.root.setAttribute("role", "group");
    for (const input of [this.low, this.high]) {
      input.addEventListener("input", () => this.move(input));
      input.addEventListener("change", () => this.tell());
    }
  }

  /* --- what the kernel says ----------------------------------------------------------- */

  draw() {
    const label = this.model.get("label");
    this.heading.textContent = label;
    this.root.setAttribute("aria-label", label);
    this.low.setAttribute("aria-label", `${label}, from`);
    this.high.setAttribute("aria-label", `${label}, to`);
    const edges = this.model.get("edges");
    this.scale = new Scale(edges, this.model.get("is_time"));
    const unknown = this.model.get("unknown");
    this.unknown.textContent = unknown ? `${NUMBER.format(unknown)} unknown` : "";
    this.drawLayers(edges, this.model.get("counts"));
    if (this.waiting === null) {
      // Else a person is at it, and what the kernel says is of the past.
      this.chosen = { low: this.model.get("low"), high: this.model.get("high") };
    }
    this.drawChosen();
  }

  drawLayers(edges, counts) {
    const titles = counts.map((count, place) => {
      const bin = this.scale.sayRange(edges[place], this.scale.before(edges[place + 1]));
      return `${bin}: ${NUMBER.format(count)}`;
    });
    for (const layer of this.layers) drawBars(layer, counts, titles);
  }

  drawChosen() {
    const { low, high } = this.chosen;
    const some = this.scale.span > 0;
    for (const input of [this.low, this.high]) {
      input.max = this.scale.last;
      input.disabled = this.scale.stops.length < 3; // nowhere to go
    }
    this.low.value = this.scale.placeOfLow(low);
    this.high.value = this.scale.placeOfHigh(high);
    this.low.setAttribute("aria-valuetext", low === null ? "any" : this.scale.say(low));
    this.high.setAttribute("aria-valuetext", high === null ? "any" : this.scale.say(high));
    write(this.said, some ? this.scale.sayRange(low, high) : "no values");
    const left = low === null ? 0 : this.scale.left(low);
    const right = high === null ? 100 : this.scale.left(high + 1 / this.scale.units);
    this.root.style.setProperty("--fl-left", `${some ? left : 100}%`);
    this.root.style.setProperty("--fl-right", `${some ? 100 - right : 0}%`);
  }

  /* --- what a person does ------------------------------------------------------------- */

  /* Take the place of a thumb that was moved; where it meets the other one, it pushes it. */
  move(input) {
    const { scale } = this;
    const place = Number(input.value);
    if (input === this.low) {
      const low = Math.min(place, scale.last - 1);
      this.chosen.low = scale.lowAt(low);
      if (Number(this.high.value) <= low) this.chosen.high = scale.highAt(low + 1);
    } else {
      const high = Math.max(place, 1);
      this.chosen.high = scale.highAt(high);
      if (Number(this.low.value) >= high) this.chosen.low = scale.lowAt(high - 1);
    }
    this.drawChosen();
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.tell(), PAUSE);
  }

  tell() {
    clearTimeout(this.waiting);
    this.waiting = null;
    const changed = ["low", "high"].filter((end) => this.model.get(end) !== this.chosen[end]);
    if (!changed.length) return;
    const { chosen } = this; // as it is before the first to be set has all views draw
    for (const end of changed) this.model.set(end, chosen[end]);
    this.model.save_changes();
  }
}

export default {
  render({ model, el }) {
    const range = new Range(model);
    el.append(range.root);
    return () => range.close();
  },
};
