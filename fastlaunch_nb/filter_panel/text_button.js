/* A button that asks the kernel for a text, and copies it or saves it as a file. */

const SAID_FOR = 2000; // milliseconds
const BOM = "\ufeff"; // without it, Excel takes UTF-8 for something else
const WORDS = { copy: "Copied", save: "Saved" };
let views = 0;

/* Ask the kernel; every view of the model hears its answer, and each knows its own. */
class Asking {
  constructor(model) {
    this.model = model;
    this.mark = `${Date.now()}-${Math.random()}-${(views += 1)}`;
    this.answered = null;
    this.hear = (message, buffers) => {
      if (message.to === this.mark) this.answered?.(message, buffers);
    };
    model.on("msg:custom", this.hear);
  }

  close() {
    this.model.off("msg:custom", this.hear);
  }

  /* Promise the file's name and its bytes. */
  ask() {
    return new Promise((resolve, reject) => {
      this.answered = (message, buffers) => {
        if (message.error) reject(new Error(message.error));
        else resolve({ name: message.filename, bytes: buffers[0] });
      };
      this.model.send({ ask: this.mark });
    });
  }
}

/* Copy what is promised. To write later than in the click itself is what Safari refuses. */
async function copy(answer) {
  const text = answer.then(({ bytes }) => new TextDecoder().decode(bytes));
  try {
    const blob = () => text.then((known) => new Blob([known], { type: "text/plain" }));
    await navigator.clipboard.write([new ClipboardItem({ "text/plain": blob() })]);
  } catch {
    copyFromPage(await text);
  }
}

/* Copy as browsers did before there was a clipboard for pages, and still do on plain HTTP. */
function copyFromPage(text) {
  const before = document.activeElement;
  const area = document.createElement("textarea");
  area.value = text;
  area.style.cssText = "position: fixed; top: 0; left: -9999px;";
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  before?.focus?.({ preventScroll: true });
  if (!copied) throw new Error("The browser lets nothing be copied here.");
}

async function save(answer) {
  const { name, bytes } = await answer;
  const blob = new Blob([BOM, bytes], { type: "text/csv;charset=utf-8" });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), SAID_FOR); // by then the browser has it
}

class Take {
  constructor(model) {
    this.model = model;
    this.asking = new Asking(model);
    this.build();
    this.rest = () => this.say(model.get("description"), model.get("title"));
    for (const trait of ["description", "title"]) model.on(`change:${trait}`, this.rest);
    this.rest();
  }

  close() {
    for (const trait of ["description", "title"]) this.model.off(`change:${trait}`, this.rest);
    this.asking.close();
    clearTimeout(this.saying);
    this.root.remove();
  }

  build() {
    this.button = document.createElement("button");
    this.button.type = "button";
    this.button.className = "jupyter-widgets jupyter-button widget-button";
    this.button.addEventListener("click", () => this.take());
    this.status = document.createElement("span");
    this.status.setAttribute("role", "status");
    this.status.setAttribute("aria-live", "polite");
    this.root = document.createElement("div");
    this.root.className = "fl-take";
    this.root.append(this.button, this.status);
  }

  say(words, title) {
    this.button.textContent = words;
    this.button.title = title;
  }

  /* Say something for a while, or, if it went wrong, until the next click. */
  announce(words, title, forAWhile) {
    this.say(words, title);
    this.status.textContent = title;
    if (forAWhile) this.saying = setTimeout(() => this.forget(), SAID_FOR);
  }

  forget() {
    clearTimeout(this.saying);
    this.status.textContent = "";
    this.rest();
  }

  async take() {
    const how = this.model.get("how");
    this.forget();
    const focused = this.busy(true);
    try {
      await { copy, save }[how](this.asking.ask());
      this.announce(WORDS[how], WORDS[how], true);
    } catch (error) {
      this.announce(`Failed: ${error.message}`, `Failed: ${error.message}`, false);
    } finally {
      this.busy(false);
      if (focused && document.activeElement === document.body) this.button.focus();
    }
  }

  /* Let nobody ask twice; tell whether keys were on the button, which is then no more so. */
  busy(is) {
    const focused = this.button.matches(":focus");
    this.button.disabled = is;
    this.button.setAttribute("aria-busy", is);
    return focused;
  }
}

export default {
  render({ model, el }) {
    const take = new Take(model);
    el.append(take.root);
    return () => take.close();
  },
};
