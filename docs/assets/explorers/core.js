// What explorers share: an element with a shadow root, a way to fill it, and arrow keys that move through its cells.
const sheet = new CSSStyleSheet();
// An explorer is defined after its style is here, so it never shows without.
sheet.replaceSync(await (await fetch(new URL("core.css", import.meta.url))).text());

/** A custom element that `build()` fills once. Its own children, the static words for readers without scripts, are hidden. */
export class Explorer extends HTMLElement {
  connectedCallback() {
    if (this.shadowRoot) return;
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [sheet];
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
    oninput: () => changed(input.value),
    ...attributes,
  });
  return { input, label: h("label", {}, label, input) };
}

export function button(label, pressed, attributes = {}) {
  return h("button", { type: "button", onclick: pressed, ...attributes }, label);
}

/** What the explorer says: read aloud by screen readers when it changes. */
export function speaker() {
  return h("output", { "aria-live": "polite" });
}

/**
 * Make the `[data-cell]` elements inside `group` one stop of the Tab key, with arrow keys, Home and End moving inside.
 * `columns()` is how many cells up and down arrows skip; `chosen(index)` is told which cell has the focus or the pointer.
 */
export function rove(group, columns, chosen) {
  const cells = () => [...group.querySelectorAll("[data-cell]")];
  const choose = (event) => {
    const all = cells();
    const at = all.indexOf(event.target.closest("[data-cell]"));
    if (at < 0) return;
    all.forEach((cell, index) => cell.setAttribute("tabindex", index === at ? 0 : -1));
    chosen(at);
  };
  group.addEventListener("focusin", choose);
  group.addEventListener("pointerover", choose);
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
