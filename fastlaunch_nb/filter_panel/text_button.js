/* A button that requests a text or a file from the kernel: it copies it, or a link with it, or
 * saves it.
 */

const STATUS_TIME = 2000; // milliseconds
const BOM = "\ufeff"; // without it, Excel does not read UTF-8
const DONE = { copy: "Copied", link: "Copied", save: "Saved" };
let viewCount = 0;

/* Requests of one view. All views of a model receive each answer; an id tells them apart. */
class KernelRequests {
  constructor(model) {
    this.model = model;
    this.view = `${Date.now()}-${Math.random()}-${(viewCount += 1)}`;
    this.settle = null;
    this.onMessage = (message, buffers) => {
      if (message.view === this.view) this.settle?.(message, buffers);
    };
    model.on("msg:custom", this.onMessage);
  }

  close() {
    this.model.off("msg:custom", this.onMessage);
  }

  /* Return a promise of the file's name and its bytes. */
  send() {
    return new Promise((resolve, reject) => {
      this.settle = (message, buffers) => {
        if (message.error) reject(new Error(message.error));
        else resolve({ name: message.filename, bytes: buffers[0] });
      };
      this.model.send({ view: this.view });
    });
  }
}

/* Copy a promised text. Safari refuses to write to the clipboard later than in the click. */
async function copy(answer) {
  const promise = answer.then(({ bytes }) => new TextDecoder().decode(bytes));
  try {
    const toBlob = () => promise.then((text) => new Blob([text], { type: "text/plain" }));
    await navigator.clipboard.write([new ClipboardItem({ "text/plain": toBlob() })]);
  } catch {
    copyFromPage(await promise);
  }
}

/* Copy the address of this page with a view, and with nothing else: a token is a secret. */
function link(answer) {
  return copy(answer.then(({ name, bytes }) => {
    const address = new URL(location.pathname, location.origin);
    address.searchParams.set(name, new TextDecoder().decode(bytes));
    return { bytes: new TextEncoder().encode(address.href) };
  }));
}

/* Copy without the clipboard API, which browsers do not offer on plain HTTP. */
function copyFromPage(text) {
  const focused = document.activeElement;
  const area = document.createElement("textarea");
  area.value = text;
  area.style.cssText = "position: fixed; top: 0; left: -9999px;";
  document.body.append(area);
  area.select();
  const isCopied = document.execCommand("copy");
  area.remove();
  focused?.focus?.({ preventScroll: true });
  if (!isCopied) throw new Error("The browser does not allow this page to copy.");
}

async function save(answer) {
  const { name, bytes } = await answer;
  const blob = name.endsWith(".csv")
    ? new Blob([BOM, bytes], { type: "text/csv;charset=utf-8" })
    : new Blob([bytes], { type: "application/octet-stream" });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), STATUS_TIME); // the download has begun by then
}

class TextButtonView {
  constructor(model) {
    this.model = model;
    this.requests = new KernelRequests(model);
    this.build();
    this.reset = () => this.setText(model.get("description"), model.get("title"));
    for (const trait of ["description", "title"]) model.on(`change:${trait}`, this.reset);
    this.reset();
  }

  close() {
    for (const trait of ["description", "title"]) this.model.off(`change:${trait}`, this.reset);
    this.requests.close();
    clearTimeout(this.timer);
    this.root.remove();
  }

  build() {
    this.button = document.createElement("button");
    this.button.type = "button";
    this.button.className = "jupyter-widgets jupyter-button widget-button";
    this.button.addEventListener("click", () => this.run());
    this.status = document.createElement("span");
    this.status.setAttribute("role", "status");
    this.status.setAttribute("aria-live", "polite");
    this.root = document.createElement("div");
    this.root.className = "fl-text-button";
    this.root.append(this.button, this.status);
  }

  setText(text, title) {
    this.button.textContent = text;
    this.button.title = title;
  }

  setStatus(text) {
    this.setText(text, text);
    this.status.textContent = text;
  }

  clearStatus() {
    clearTimeout(this.timer);
    this.status.textContent = "";
    this.reset();
  }

  async run() {
    const how = this.model.get("how");
    this.clearStatus();
    const hadFocus = this.button.matches(":focus"); // which a disabled button loses
    this.setBusy(true);
    try {
      await { copy, link, save }[how](this.requests.send());
      this.setStatus(DONE[how]);
      this.timer = setTimeout(() => this.clearStatus(), STATUS_TIME);
    } catch (error) {
      this.setStatus(`Failed: ${error.message}`); // until the next click
    } finally {
      this.setBusy(false);
      if (hadFocus && document.activeElement === document.body) this.button.focus();
    }
  }

  setBusy(isBusy) {
    this.button.disabled = isBusy; // no second request while one runs
    this.button.setAttribute("aria-busy", isBusy);
  }
}

export default {
  render({ model, el }) {
    const view = new TextButtonView(model);
    el.append(view.root);
    return () => view.close();
  },
};
