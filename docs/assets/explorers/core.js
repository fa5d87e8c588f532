// What explorers share: an element with a shadow root, a way to fill it, and arrow keys that move through its cells.
// An explorer is defined after its style is here, so it never shows without.
const shared = sheet(await (await fetch(new URL("core.css", import.meta.url))).text());

/** A style sheet from its text. */
export function sheet(text) {
  const made = new CSSStyleSheet();
  made.replaceSync(text);
  return made;
}

/**
 * A custom element that `build()` fills once, in a style of its own: `static sheet`.
 * Its own children, the words for readers without scripts, are hidden then.
 */
export class Explorer extends HTMLElement {
  connectedCallback() {
    if (this.shadowRoot) return;
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [shared, this.constructor.sheet];
    root.append(...this.build());
    this.ready?.();
  }
}

/** An HTML element: attributes by name, listeners as `onclick` and the like; null and false leave an attribute out. */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
export function s(tag, attributes = {}, ...children) {
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
export function field(label, value, changed, attributes = {}) {
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
export function button(label, pressed, attributes = {}) {
  return h("button", { type: "button", onclick: pressed, ...attributes }, label);
}

/** The number of elements in a shape. */
export const product = (sizes) => sizes.reduce((all, size) => all * size, 1);

/** The index of each element of a shape, in row-major order. */
export function indicesOf(shape) {
  const step = (all, size) => all.flatMap((index) => Array.from({ length: size }, (_, i) => [...index, i]));
  return shape.reduce(step, [[]]);
}

/** Numbers as Python writes a tuple. */
export const tuple = (sizes) => `(${sizes.join(", ")}${sizes.length === 1 ? "," : ""})`;

/** The whole numbers in a text such as "3, 4" or "(3, 4)"; null where there is anything else. */
export function numbers(text) {
  const words = text.replace(/^\s*[([]|[)\]]\s*$/g, "").split(/[\s,]+/).filter(Boolean);
  return words.every((word) => /^-?\d{1,9}$/.test(word)) ? words.map(Number) : null;
}

/** The cells of a tensor, one for each element, as matrices side by side, named by their leading indices. */
export function blocks(cells, shape) {
  const wide = shape.at(-1) ?? 1;
  const tall = shape.at(-2) ?? 1;
  return indicesOf(shape.slice(0, -2)).map((index, at) => {
    const inside = cells.slice(at * wide * tall, (at + 1) * wide * tall);
    const grid = h("div", { class: "grid", style: `--wide: ${wide}` }, ...inside);
    return h("div", {}, index.length ? `[${index.join(", ")}]` : "", grid);
  });
}

/** Give one of several elements the mark, and the Tab key. */
export function mark(elements, chosen) {
  elements.forEach((element, at) => {
    element.classList.toggle("chosen", at === chosen);
    if ("cell" in element.dataset) element.tabIndex = at === chosen ? 0 : -1;
  });
}

/** What the explorer says: read aloud by screen readers when it changes. */
export function speaker() {
  return h("output", { "aria-live": "polite" });
}

/**
 * Make the `[data-cell]` elements inside `group` one stop of the Tab key, with arrow keys, Home and End moving inside.
 * `columns()` is how many cells up and down arrows skip; `chosen(index)` is told which cell has the focus or, unless
 * `hover` is false, the pointer.
 */
export function rove(group, columns, chosen, hover = true) {
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
