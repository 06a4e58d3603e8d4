/* A chart of the panel, which plotly.js draws as soon as the element has a size.
 *
 * One widget carries plotly.js for all charts of a kernel; each page runs it once.
 */

let Plotly; // set before the first chart renders
/* plotly takes a second click within 0.3 s for a double click, wherever it is: that may undo a
 * zoom, but must not move the rows away under the pointer.
 */
const CONFIG = { showSendToCloud: false, displaylogo: false, doubleClick: "reset" };

async function loadPlotly(model) {
  const library = await model.widget_manager.get_model(model.get("library").split("_").pop());
  const name = `fastlaunchPlotly ${library.get("version")}`;
  return (globalThis[name] ??= importSource(library.get("source")));
}

async function importSource(source) {
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  try {
    return (await import(url)).default;
  } finally {
    URL.revokeObjectURL(url);
  }
}

class ChartView {
  constructor(model, el) {
    this.model = model;
    this.el = el;
    this.plot = null; // until the first drawing
    this.width = 0;
    this.onFigure = () => this.runIfVisible(() => this.drawFigure());
    this.onBands = () => this.runIfVisible(() => this.drawBands());
    model.on("change:figure", this.onFigure);
    model.on("change:bands", this.onBands);
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(el);
  }

  close() {
    this.observer.disconnect();
    this.model.off("change:figure", this.onFigure);
    this.model.off("change:bands", this.onBands);
    if (this.plot) Plotly.purge(this.plot);
  }

  /* A hidden element has no size to draw in: resize() draws once it is visible. */
  runIfVisible(draw) {
    if (this.el.clientWidth) draw();
    else this.width = 0;
  }

  resize() {
    const width = this.el.clientWidth;
    const widthBefore = this.width;
    this.width = width;
    if (!width || width === widthBefore) return;
    if (widthBefore && this.plot) Plotly.relayout(this.plot, { width });
    else this.drawFigure();
  }

  getLayout() {
    const { layout } = JSON.parse(this.model.get("figure"));
    return { ...layout, shapes: [...(layout.shapes ?? []), ...this.model.get("bands")] };
  }

  drawFigure() {
    const figure = this.model.get("figure");
    if (!figure) return;
    const layout = { ...this.getLayout(), width: this.el.clientWidth };
    const isFirst = !this.plot;
    if (isFirst) {
      this.plot = document.createElement("div");
      this.el.append(this.plot);
    }
    this.plot.style.minHeight = `${layout.height}px`;
    Plotly.react(this.plot, JSON.parse(figure).data, layout, CONFIG);
    if (isFirst) this.plot.on("plotly_click", (click) => this.sendRow(click));
  }

  drawBands() {
    if (this.plot) Plotly.relayout(this.plot, { shapes: this.getLayout().shapes });
  }

  /* Send the row under the pointer. plotly reports the point that it last found under the
   * pointer, and it looks at most every 50 ms: that point may be in another row.
   */
  sendRow({ event }) {
    const axis = this.plot._fullLayout.yaxis;
    const y = event.clientY - this.plot.getBoundingClientRect().top - axis._offset;
    if (y < 0 || y > axis._length) return; // in the strip above the rows
    const more = event.ctrlKey || event.metaKey || event.shiftKey;
    this.model.send({ row: Math.round(axis.p2c(y)), more });
  }
}

export default {
  async render({ model, el }) {
    el.classList.add("fl-plot");
    Plotly = await loadPlotly(model);
    const view = new ChartView(model, el);
    return () => view.close();
  },
};
