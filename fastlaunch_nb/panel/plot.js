// A chart of the panel: drawn by plotly.js, which stands above, when it can be measured.

const CONFIG = { showSendToCloud: false, displaylogo: false };

function render({ model, el }) {
  const plot = document.createElement("div");
  el.classList.add("fl-plot");
  el.append(plot);
  let drawn = false;

  function shapes(layout) {
    return [...(layout.shapes ?? []), ...model.get("bands")];
  }

  function draw() {
    const figure = model.get("figure");
    if (!figure || !plot.clientWidth) return; // hidden: all its texts would be of no size
    const { data, layout } = JSON.parse(figure);
    plot.style.minHeight = `${layout.height}px`;
    const whole = { ...layout, shapes: shapes(layout), width: plot.clientWidth };
    Plotly.react(plot, data, whole, CONFIG);
    if (!drawn) plot.on("plotly_click", clicked);
    drawn = true;
  }

  function mark() {
    if (!drawn) return;
    Plotly.relayout(plot, { shapes: shapes(JSON.parse(model.get("figure")).layout) });
  }

  function clicked({ points, event }) {
    const more = event.ctrlKey || event.metaKey || event.shiftKey;
    model.send({ rows: points.map((point) => point.y), more });
  }

  let width = 0;
  const observer = new ResizeObserver(() => {
    if (plot.clientWidth === width) return;
    width = plot.clientWidth;
    if (drawn && width) Plotly.relayout(plot, { width });
    else draw();
  });
  observer.observe(plot);
  model.on("change:figure", draw);
  model.on("change:bands", mark);

  return () => {
    observer.disconnect();
    model.off("change:figure", draw);
    model.off("change:bands", mark);
    Plotly.purge(plot);
  };
}

export default { render };
