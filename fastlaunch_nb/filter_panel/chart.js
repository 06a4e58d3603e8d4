/* A chart of the panel, drawn by plotly.js as soon as it can be measured.
 *
 * One widget holds plotly.js for all charts of a kernel; it is run once a page.
 */

let Plotly; // once a chart is rendered
/* A second click within 0.3 s counts as a double one wherever it is: it may undo a zoom, but not
 * move the rows away under the pointer.
 */
const CONFIG = { showSendToCloud: false, displaylogo: false, doubleClick: "reset" };

async function loaded(model) {
  const held = await model.widget_manager.get_model(model.get("library").split("_").pop());
  const name = `fastlaunchPlotly ${held.get("version")}`;
  return (globalThis[name] ??= run(held.get("source")));
}

async function run(source) {
  const address = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  try {
    return (await import(address)).default;
  } finally {
    URL.revokeObjectURL(address);
  }
}

class Plot {
  constructor(model, el) {
    this.model = model;
    this.el = el;
    this.plot = null; // until it is drawn
    this.width = 0;
    this.draw = () => this.follow(() => this.react());
    this.mark = () => this.follow(() => this.relayout());
    model.on("change:figure", this.draw);
    model.on("change:bands", this.mark);
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(el);
  }

  close() {
    this.observer.disconnect();
    this.model.off("change:figure", this.draw);
    this.model.off("change:bands", this.mark);
    if (this.plot) Plotly.purge(this.plot);
  }

  /* Do it, unless it is hidden, where no text has a size: then it is drawn when it is seen. */
  follow(work) {
    if (this.el.clientWidth) work();
    else this.width = 0;
  }

  resize() {
    const width = this.el.clientWidth;
    const [before, seen] = [this.width, this.plot];
    this.width = width;
    if (!width || width === before) return;
    if (before && seen) Plotly.relayout(this.plot, { width });
    else this.react();
  }

  layout() {
    const { layout } = JSON.parse(this.model.get("figure"));
    return { ...layout, shapes: [...(layout.shapes ?? []), ...this.model.get("bands")] };
  }

  react() {
    const figure = this.model.get("figure");
    if (!figure) return;
    const layout = { ...this.layout(), width: this.el.clientWidth };
    const first = !this.plot;
    if (first) {
      this.plot = document.createElement("div");
      this.el.append(this.plot);
    }
    this.plot.style.minHeight = `${layout.height}px`;
    Plotly.react(this.plot, JSON.parse(figure).data, layout, CONFIG);
    if (first) this.plot.on("plotly_click", (click) => this.clicked(click));
  }

  relayout() {
    if (this.plot) Plotly.relayout(this.plot, { shapes: this.layout().shapes });
  }

  /* Tell which row the pointer is in. What plotly says was clicked is what it last looked for
   * under the pointer, and it looks at most each 50 ms: that may be another row.
   */
  clicked({ event }) {
    const axis = this.plot._fullLayout.yaxis;
    const below = event.clientY - this.plot.getBoundingClientRect().top - axis._offset;
    if (below < 0 || below > axis._length) return; // in the strip above the rows
    const more = event.ctrlKey || event.metaKey || event.shiftKey;
    this.model.send({ row: Math.round(axis.p2c(below)), more });
  }
}

export default {
  async render({ model, el }) {
    el.classList.add("fl-plot");
    Plotly = await loaded(model);
    const plot = new Plot(model, el);
    return () => plot.close();
  },
};
