/* A choice of UTC or the browser's time zone. */

export default {
  render({ model, el }) {
    const local = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
    const select = document.createElement("select");
    select.setAttribute("aria-label", "Time zone");
    const draw = () => {
      const zone = model.get("zone");
      const names = [...new Set(["UTC", local.replace(/^Etc\/(UTC|Universal|Zulu)$/, "UTC"), zone])];
      select.replaceChildren(...names.map((name) => new Option(name)));
      select.value = zone;
      select.title = "Time zone of the times shown; filters, code and files stay in UTC";
      el.hidden = names.length === 1;
    };
    const refuse = ({ error }) => {
      draw();
      select.title = error;
    };
    select.addEventListener("change", () => model.send({ zone: select.value }));
    model.on("change:zone", draw);
    model.on("msg:custom", refuse);
    draw();
    el.append(select);
    return () => {
      model.off("change:zone", draw);
      model.off("msg:custom", refuse);
      select.remove();
    };
  },
};
