// What explorers share: an element with a shadow root, a way to fill it, and arrow keys that move through its cells.
// A script from a disk may import nothing. The registry of elements hands out what is here, so no script leaves a name behind.
(() => {
const sheets = new Map();

function sheetOf(owner) {
  if (!sheets.has(owner)) {
    const made = new CSSStyleSheet();
    made.replaceSync(owner.css);
    sheets.set(owner, made);
  }
  return sheets.get(owner);
}

/**
 * A custom element that `build()` fills once, in a style of its own: `static css`.
 * Its own children, the words for readers without scripts, are hidden then.
 */
class Explorer extends HTMLElement {
  connectedCallback() {
    if (this.shadowRoot) return;
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [sheetOf(Explorer), sheetOf(this.constructor)];
    root.append(...this.build());
    this.ready?.();
  }

  // Inside the shadow root the theme's colors and fonts come in through inherited properties.
  static css = `
    :host {
      /* The tones of recorded figures; they carry shapes, never text. */
      --c0: #3b7fd4;
      --c1: #d07a1f;
      --c2: #2f9960;
      --c3: #d0504c;
      --line: var(--tp-border, #bbb);
      --focus: var(--md-typeset-a-color, currentcolor);
      --mono: var(--md-code-font-family, monospace);

      border: 1px solid var(--line);
      border-radius: 0.3rem;
      box-sizing: border-box;
      display: flex;
      flex-direction: column;
      font-size: 0.7rem;
      gap: 0.5rem;
      line-height: 1.4;
      padding: 0.5rem 0.6rem;
      text-align: start;
    }

    * {
      box-sizing: border-box;
    }

    .row {
      align-items: end;
      display: flex;
      flex-wrap: wrap;
      gap: 0.3rem 0.5rem;
    }

    label {
      color: var(--tp-muted);
      display: flex;
      flex-direction: column;
      font-size: 0.6rem;
    }

    input,
    button {
      background: var(--md-default-bg-color);
      border: 1px solid var(--tp-muted);
      border-radius: 0.2rem;
      color: var(--md-default-fg-color);
      font: 0.65rem / 1.4 var(--mono);
      margin: 0;
      min-height: 1.4rem;
      padding: 0.15rem 0.4rem;
    }

    input[aria-invalid="true"] {
      border-color: var(--c3);
      box-shadow: 0 0 0 1px var(--c3);
    }

    button {
      cursor: pointer;
    }

    button:hover {
      background: var(--tp-head);
    }

    :focus-visible {
      outline: 2px solid var(--focus);
      outline-offset: 1px;
    }

    /* Room for two lines, so that nothing moves when one becomes two. */
    output {
      display: block;
      min-height: 2.8em;
    }

    .row > output {
      flex: 1 1 14rem;
    }

    p {
      color: var(--tp-muted);
      font-size: 0.6rem;
      margin: 0;
    }

    small {
      font-size: 0.55rem;
      min-height: 0.8rem;
    }

    svg {
      display: block;
      width: 100%;
    }

    code,
    .mono {
      font-family: var(--mono);
    }

    /* What changes size lives in here: it scrolls rather than move the text below the explorer. */
    .stage {
      align-content: safe center;
      display: grid;
      flex: 1;
      gap: 0.3rem;
      justify-items: safe center;
      min-height: 0;
      overflow: auto;
      position: relative;
    }

    .elements {
      display: flex;
      flex-wrap: wrap;
      gap: 0.4rem 0.8rem;
      justify-content: center;
      max-width: 100%;
    }

    /* Code that an explorer stands for. */
    .code {
      overflow-wrap: anywhere;
      white-space: pre-wrap;
    }

    /* Elements of a tensor, a tone for each row as in recorded figures. */
    .grid {
      display: grid;
      gap: 2px;
      grid-template-columns: repeat(var(--wide), minmax(1.2rem, 1.8rem));
    }

    .grid button {
      border: 1px solid transparent;
      min-width: 0;
      padding: 0.15rem 0;
    }

    .grid .same {
      border: 1px dashed currentcolor;
    }

    .chosen,
    .grid .chosen {
      border: 2px solid currentcolor;
      font-weight: 700;
    }

    .tone0 {
      background: color-mix(in srgb, var(--c0) 28%, transparent);
    }

    .tone1 {
      background: color-mix(in srgb, var(--c1) 28%, transparent);
    }

    .tone2 {
      background: color-mix(in srgb, var(--c2) 28%, transparent);
    }

    .tone3 {
      background: color-mix(in srgb, var(--c3) 28%, transparent);
    }

    @media print {
      :host,
      .stage,
      output {
        height: auto;
        overflow: visible;
      }

      button:not([data-cell]) {
        display: none;
      }
    }
  `;
}

/** An HTML element: attributes by name, listeners as `onclick` and the like; null and false leave an attribute out. */
function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
function s(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

/** A labelled text field; `changed(text)` is called as the reader types. */
function field(label, value, changed, attributes = {}) {
  const input = h("input", {
    value,
    autocomplete: "off",
    spellcheck: "false",
    size: 6,
    oninput: () => changed(input.value),
    ...attributes,
  });
  return { input, label: h("label", {}, label, input) };
}

/** A button which calls `pressed`. */
function button(label, pressed, attributes = {}) {
  return h("button", { type: "button", onclick: pressed, ...attributes }, label);
}

/** The number of elements in a shape. */
const product = (sizes) => sizes.reduce((all, size) => all * size, 1);

/** The index of each element of a shape, in row-major order. */
function indicesOf(shape) {
  const step = (all, size) => all.flatMap((index) => Array.from({ length: size }, (_, i) => [...index, i]));
  return shape.reduce(step, [[]]);
}

/** Numbers as Python writes a tuple. */
const tuple = (sizes) => `(${sizes.join(", ")}${sizes.length === 1 ? "," : ""})`;

/** The whole numbers in a text such as "3, 4" or "(3, 4)"; null where there is anything else. */
function numbers(text) {
  const words = text.replace(/^\s*[([]|[)\]]\s*$/g, "").split(/[\s,]+/).filter(Boolean);
  return words.every((word) => /^-?\d{1,9}$/.test(word)) ? words.map(Number) : null;
}

/** The cells of a tensor, one for each element, as matrices side by side, named by their leading indices. */
function blocks(cells, shape) {
  const wide = shape.at(-1) ?? 1;
  const tall = shape.at(-2) ?? 1;
  return indicesOf(shape.slice(0, -2)).map((index, at) => {
    const inside = cells.slice(at * wide * tall, (at + 1) * wide * tall);
    const grid = h("div", { class: "grid", style: `--wide: ${wide}` }, ...inside);
    return h("div", {}, index.length ? `[${index.join(", ")}]` : "", grid);
  });
}

/** Give one of several elements the mark, and the Tab key. */
function mark(elements, chosen) {
  elements.forEach((element, at) => {
    element.classList.toggle("chosen", at === chosen);
    if ("cell" in element.dataset) element.tabIndex = at === chosen ? 0 : -1;
  });
}

/** What the explorer says: read aloud by screen readers when it changes. */
function speaker() {
  return h("output", { "aria-live": "polite" });
}

/**
 * Make the `[data-cell]` elements inside `group` one stop of the Tab key, with arrow keys, Home and End moving inside.
 * `columns()` is how many cells up and down arrows skip; `chosen(index)` is told which cell has the focus or, unless
 * `hover` is false, the pointer.
 */
function rove(group, columns, chosen, hover = true) {
  const cells = () => [...group.querySelectorAll("[data-cell]")];
  const choose = (event) => {
    const all = cells();
    const at = all.indexOf(event.target.closest("[data-cell]"));
    if (at < 0) return;
    mark(all, at);
    chosen(at);
  };
  group.addEventListener("focusin", choose);
  if (hover) group.addEventListener("pointerover", choose);
  // Safari gives no focus to a button that is clicked.
  group.addEventListener("click", (event) => event.target.closest("[data-cell]")?.focus());
  group.addEventListener("keydown", (event) => {
    const all = cells();
    const at = all.indexOf(event.target.closest("[data-cell]"));
    const row = columns();
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -row, ArrowDown: row, Home: -at, End: all.length - 1 - at };
    if (at < 0 || !(event.key in steps) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    all[at + steps[event.key]]?.focus();
  });
}

Object.assign(Explorer, { Explorer, h, s, field, button, product, indicesOf, tuple, numbers, blocks, mark, speaker, rove });
customElements.define("fig-core", Explorer);
})();
