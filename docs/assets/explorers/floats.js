// <fig-floats>: one number in five float formats, with the bits under the reader's hands.
(() => {
const { Explorer, button, field, h, rove, speaker } = customElements.get("fig-core");

// The last one has no infinity: torch 2.15 keeps what is too large at the largest number.
const FORMATS = [
  { name: "float32", exponent: 8, fraction: 23 },
  { name: "bfloat16", exponent: 8, fraction: 7 },
  { name: "float16", exponent: 5, fraction: 10 },
  { name: "float8_e5m2", exponent: 5, fraction: 2 },
  { name: "float8_e4m3fn", exponent: 4, fraction: 3, finite: true },
].map((format) => {
  const { exponent, fraction, finite } = format;
  const signless = 2 ** (exponent + fraction);
  const infinity = signless - 2 ** fraction;
  return {
    ...format,
    bias: 2 ** (exponent - 1) - 1,
    signless,
    // The largest pattern that is a number, infinity included, and the nan that torch writes.
    top: finite ? signless - 2 : infinity,
    nan: exponent + fraction > 7 ? infinity + 2 ** (fraction - 1) : signless - 1,
  };
});

const TRY = ["0.1", "257", "65520", "1e-8", "-0.0", "inf", "nan"];

/** Whole number nearest to `units`; of two that are equally near, the even one. */
function nearestEven(units) {
  const below = Math.floor(units);
  const rest = units - below;
  return rest > 0.5 || (rest === 0.5 && below % 2) ? below + 1 : below;
}

/** The pattern that torch stores for a Python float: it rounds to float32 first, then to the format. */
function encode(number, { bias, fraction, signless, top, nan }) {
  const single = Math.fround(number);
  if (Number.isNaN(single)) return nan;
  const sign = single < 0 || Object.is(single, -0) ? signless : 0;
  const size = Math.abs(single);
  if (size === Infinity) return sign + top;
  const lowest = 1 - bias;
  const power = Math.max(Math.floor(Math.log2(size)), lowest);
  // The hidden 1 adds one to the exponent field, and so does rounding up to the next power of two.
  const pattern = (power - lowest) * 2 ** fraction + nearestEven(size / 2 ** (power - fraction));
  return sign + Math.min(pattern, top);
}

function split(pattern, { fraction, signless }) {
  const rest = pattern % signless;
  return { negative: pattern >= signless, rest, field: Math.floor(rest / 2 ** fraction), share: rest % 2 ** fraction };
}

/** The number a pattern stands for; a 64-bit float holds each one exactly. */
function decode(pattern, format) {
  const { bias, fraction, finite, top } = format;
  const { negative, rest, field, share } = split(pattern, format);
  let size = (share + (field && 2 ** fraction)) * 2 ** ((field || 1) - bias - fraction);
  if (rest > top) size = NaN;
  else if (rest === top && !finite) size = Infinity;
  return negative ? -size : size;
}

/** The next number up (1) or down (-1) as `torch.nextafter` finds it; null at the ends and for nan. */
function neighbor(pattern, way, format) {
  const { negative, rest } = split(pattern, format);
  if (rest > format.top) return null;
  const place = (negative ? -rest : rest) + way;
  if (Math.abs(place) > format.top) return null;
  const sign = place < 0 || (place === 0 && negative) ? format.signless : 0;
  return decode(sign + Math.abs(place), format);
}

/** A number as Python prints it, nearly: shortest digits that give it back. */
function text(number) {
  if (Number.isNaN(number)) return "nan";
  if (!Number.isFinite(number)) return number < 0 ? "-inf" : "inf";
  if (Object.is(number, -0)) return "-0.0";
  if (Math.abs(number) >= 1e16) return number.toExponential();
  return Number.isInteger(number) ? `${number}.0` : `${number}`;
}

/** What Python's `float()` makes of a text, and undefined where it raises. */
function parse(typed) {
  const words = typed.trim().replace("\u2212", "-").toLowerCase();
  const special = /^([+-]?)(inf|infinity|nan)$/.exec(words);
  if (special) return special[2] === "nan" ? NaN : special[1] === "-" ? -Infinity : Infinity;
  if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/.test(words)) return Number(words);
}

/** What became of the number, as the start of a list of formats. */
function fate(number, pattern, format) {
  const value = decode(pattern, format);
  if (Number.isNaN(value)) return "Not a number in";
  if (Object.is(number, value)) return "Exact in";
  if (!Number.isFinite(value)) return "Infinity in";
  const step = value - neighbor(pattern, value < 0 ? 1 : -1, format);
  if (Math.abs(number - value) > Math.abs(step)) return "Kept at the largest in";
  return value === 0 ? "Zero in" : "Rounded in";
}

class Floats extends Explorer {
  build() {
    this.typed = field("number", "0.1", () => this.type(), { size: 24 });
    const examples = TRY.map((example) => button(example, () => this.type(example)));
    this.said = speaker();
    this.hint = h("div", { class: "hint" }, "Each bit says here what it is worth.");
    this.rows = FORMATS.map((format) => this.row(format));
    const key = ["sign", "exponent", "fraction"].map((part) => h("span", { class: part }, part));
    return [
      h("div", { class: "row" }, this.typed.label, ...examples),
      this.said,
      ...this.rows.map(({ element }) => element),
      h("div", { class: "row key" }, ...key),
      this.hint,
    ];
  }

  ready() {
    this.type();
  }

  /** The elements of one format. */
  row(format) {
    const { name, exponent, fraction } = format;
    const row = { format, value: h("b"), error: h("span"), product: h("span") };
    row.parts = Object.entries({ sign: 1, exponent, fraction }).flatMap(([part, length]) =>
      Array.from({ length }, (_, at) => ({ part, at, length, label: length > 1 ? `${part} bit ${at + 1} of ${length}` : part })),
    );
    row.cells = row.parts.map(({ part }, at) =>
      button("", () => this.flip(row, at), { "data-cell": true, class: part, tabindex: at ? -1 : 0 }),
    );
    row.bits = h("div", { class: "bits", role: "group", "aria-label": `bits of ${name}` }, ...row.cells);
    rove(row.bits, () => getComputedStyle(row.bits).gridTemplateColumns.split(" ").length, (at) => this.explain(row, at));
    row.bits.addEventListener("keydown", ({ key }) => {
      const at = row.cells.indexOf(this.shadowRoot.activeElement);
      if ((key === "0" || key === "1") && row.cells[at].textContent !== key) this.flip(row, at);
    });
    row.ways = ["lower", "higher"].map((word) => {
      const way = { word, text: h("span"), to: null };
      way.button = button(h("span", { class: "muted" }, `${word} `), () => way.to === null || this.type(text(way.to)));
      way.button.append(way.text);
      return way;
    });
    row.element = h(
      "div",
      { class: "format", role: "group", "aria-label": name },
      h("div", { class: "head" }, h("span", { class: "name" }, name), row.value, row.error),
      h("div", { class: "body" }, row.bits, row.product),
      h("div", { class: "ways" }, ...row.ways.map((way) => way.button)),
    );
    return row;
  }

  /** Take the number in the field, or the one given, which goes into the field. */
  type(typed = this.typed.input.value) {
    if (typed !== this.typed.input.value) this.typed.input.value = typed;
    const number = parse(typed);
    if (number !== undefined) return this.show(number);
    this.typed.input.setAttribute("aria-invalid", true);
    this.said.textContent = "Write a number, such as 0.1, 1e-8 or inf.";
  }

  /** Turn one bit over; what the new pattern stands for becomes the number. */
  flip(row, at) {
    const weight = 2 ** (row.cells.length - 1 - at);
    const pattern = row.pattern + (row.cells[at].textContent === "1" ? -weight : weight);
    const number = decode(pattern, row.format);
    this.typed.input.value = text(number);
    this.show(number, row, pattern);
    this.explain(row, at);
  }

  /** Show a number in all formats; `row` keeps the pattern that was made by hand, as there are many for nan. */
  show(number, edited, pattern) {
    this.number = number;
    this.typed.input.setAttribute("aria-invalid", false);
    const lists = new Map();
    for (const row of this.rows) {
      row.pattern = row === edited ? pattern : encode(number, row.format);
      this.fill(row);
      const become = fate(number, row.pattern, row.format);
      lists.set(become, [...(lists.get(become) ?? []), row.format.name]);
    }
    const told = [...lists].map(([become, names]) => `${become} ${names.length === this.rows.length ? "all five" : names.join(", ")}.`);
    const made = edited ? `${edited.format.name} holds ${text(number)}. ` : "";
    this.said.textContent = made + told.join(" ");
  }

  fill(row) {
    const { format, pattern, cells, parts } = row;
    const value = decode(pattern, format);
    const { negative, rest, field: power, share } = split(pattern, format);
    [...pattern.toString(2).padStart(cells.length, "0")].forEach((bit, at) => {
      cells[at].textContent = bit;
      cells[at].classList.toggle("on", bit === "1");
      cells[at].setAttribute("aria-label", `${bit}, ${parts[at].label}`);
    });
    row.value.textContent = text(value);
    const error = value - this.number;
    row.error.textContent = Object.is(value, this.number) ? "exact" : Number.isFinite(error) ? `off by ${error.toExponential(2)}` : "";
    const significand = share / 2 ** format.fraction + (power ? 1 : 0);
    const special = rest > format.top || !Number.isFinite(value) || rest === 0;
    row.product.textContent = special ? "" : `${negative ? "-" : ""}${significand} * 2**${(power || 1) - format.bias}`;
    row.ways.forEach((way, at) => {
      way.to = neighbor(pattern, at ? 1 : -1, format);
      way.text.textContent = way.to === null ? "none" : text(way.to);
      way.button.setAttribute("aria-disabled", way.to === null);
    });
  }

  /** What the bit under the focus or the pointer is worth. */
  explain({ format, parts, pattern }, at) {
    const { part, at: place, length, label } = parts[at];
    const power = (split(pattern, format).field || 1) - format.bias;
    const worth = {
      sign: "1 makes the number negative",
      exponent: `a factor of 2**${2 ** (length - 1 - place)}`,
      fraction: `worth 2**${power - place - 1}`,
    };
    this.hint.textContent = `${format.name}, ${label}: ${worth[part]}`;
  }

  /** What each format shows: its pattern, its number, and the numbers below and above. */
  get reading() {
    return this.rows.map(({ format, pattern, value, ways }) => ({
      name: format.name,
      pattern,
      value: value.textContent,
      next: ways.map(({ text }) => text.textContent),
    }));
  }

  static css = `
    :host { container-type: inline-size; justify-content: space-between; }
    .format { border-top: 1px solid var(--line); display: grid; gap: 0.25rem; padding-top: 0.35rem; }
    .head, .body, .ways { align-items: center; display: flex; gap: 0.25rem 0.8rem; }
    .name { font-weight: 700; min-width: 6.5rem; }
    .head b, .body span { font-family: var(--mono); font-weight: 400; white-space: nowrap; }
    .body span { font-size: 0.6rem; min-height: 1.4em; }
    .bits { display: grid; grid-template-columns: repeat(16, 1.25rem); }
    .bits button { border-color: var(--tone); border-radius: 0; padding: 0; }
    .bits .on { background: color-mix(in srgb, var(--tone) 35%, transparent); font-weight: 700; }
    .sign { --tone: var(--c3); }
    .exponent { --tone: var(--c1); }
    .fraction { --tone: var(--c0); }
    .key span { border-bottom: 3px solid var(--tone); }
    .ways button { font-size: 0.6rem; text-align: start; }
    .ways [aria-disabled="true"] { border-style: dashed; cursor: default; }
    output { min-height: 2.8em; }
    @container (max-width: 31rem) {
      .head { flex-wrap: wrap; }
      .name { min-width: 6rem; }
      .head b { order: 1; width: 100%; }
      .body, .ways { align-items: start; flex-direction: column; }
    }
    @container (max-width: 22rem) {
      .bits { grid-template-columns: repeat(8, 1.5rem); }
      output { min-height: 5.6em; }
      .hint { min-height: 2.8em; }
    }
  `;
}

customElements.define("fig-floats", Floats);
})();
