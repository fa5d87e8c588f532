// <fig-broadcasting>: two shapes, aligned from their last axes, and the shape of their sum or the reason why there is none.
(() => {
const {
  Explorer, blocks, button, field, h, indicesOf, mark, numbers, product, rove, speaker, tuple,
} = customElements.get("fig-core");

const DRAWN = 48;
const EXAMPLES = [
  ["column + row", "3, 1", "4"],
  ["batch + bias", "2, 3, 4", "4"],
  ["a silent trap", "4, 1", "4"],
  ["refused", "3, 4", "3"],
];

/** Each axis of the result, first to last: sizes `a` and `b`, whether one was added, and what happens to them. */
function align(a, b) {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, d) => {
    const [inA, inB] = [d - rank + a.length, d - rank + b.length];
    const pair = { a: a[inA] ?? 1, b: b[inB] ?? 1, added: inA < 0 ? "a" : inB < 0 ? "b" : "" };
    if (pair.a === pair.b) return { ...pair, size: pair.a, verdict: "equal" };
    if (pair.a === 1) return { ...pair, size: pair.b, verdict: "a repeats" };
    if (pair.b === 1) return { ...pair, size: pair.a, verdict: "b repeats" };
    return { ...pair, size: null, verdict: "no fit" };
  });
}

/** In words what happens to one operand. */
function told(name, dims) {
  const repeats = dims.flatMap(({ verdict, size }, d) => (verdict === `${name} repeats` ? `${size} times along axis ${d}` : []));
  const added = dims.filter((dim) => dim.added === name).length;
  const front = added ? `gets ${added} ax${added > 1 ? "es" : "is"} of size 1 in front` : "";
  const repeated = repeats.length ? `is repeated ${repeats.join(" and ")}` : "";
  return `${name} ${[front, repeated].filter(Boolean).join(" and ") || "stays as it is"}`;
}

class Broadcasting extends Explorer {
  build() {
    this.fields = ["a", "b"].map((name) => field(`shape of ${name}`, "", () => this.edited(), { size: 9 }));
    const examples = EXAMPLES.map(([label, ...shapes]) => button(label, () => this.show(...shapes.map(numbers))));
    this.code = h("code", { class: "code" });
    this.table = h("table");
    this.verdict = speaker();
    this.picture = h("div", { class: "picture" });
    this.sum = speaker();
    rove(this.picture, () => this.reading.result.at(-1) ?? 1, (at) => this.choose(at));
    return [
      h("div", { class: "row" }, ...this.fields.map(({ label }) => label)),
      h("div", { class: "row" }, ...examples),
      this.code,
      this.table,
      this.verdict,
      h("div", { class: "stage" }, this.picture, h("p", {}, "Solid cells exist, dashed ones are repeats that take no memory.")),
      this.sum,
    ];
  }

  ready() {
    this.chosen = 6;
    this.show([3, 1], [4]);
  }

  /** Show two shapes; what follows stays as `reading`: the shape of the result or null, and torch's message. */
  show(a, b) {
    [a, b].forEach((shape, at) => (this.fields[at].input.value = shape.join(", ")));
    this.draw(a, b);
  }

  edited() {
    const shapes = this.fields.map(({ input }) => numbers(input.value));
    const usable = shapes.map((shape) => shape !== null && Math.min(0, ...shape) === 0);
    this.fields.forEach(({ input }, at) => input.setAttribute("aria-invalid", !usable[at]));
    if (usable.every(Boolean)) this.draw(...shapes);
    else this.verdict.textContent = "A shape is whole numbers with commas, none of them negative.";
  }

  draw(a, b) {
    const dims = align(a, b);
    const clash = dims.findLastIndex(({ size }) => size === null);
    const result = clash < 0 ? dims.map(({ size }) => size) : null;
    const { a: left, b: right } = dims[clash] ?? {};
    const message = result ? "" : `The size of tensor a (${left}) must match the size of tensor b (${right}) at non-singleton dimension ${clash}`;
    this.reading = { shapes: { a, b }, result, message };
    for (const { input } of this.fields) input.setAttribute("aria-invalid", !result);
    this.code.textContent = `result = ${[a, b].map((shape) => `torch.zeros(${shape.join(", ") || "()"})`).join(" + ")}`;
    this.verdict.textContent = result
      ? `The result has the shape ${tuple(result)}: ${told("a", dims)}; ${told("b", dims)}.`
      : `RuntimeError: ${message}. In words: ${left} and ${right} differ, and neither of them is 1.`;
    this.drawTable(dims);
    this.drawPicture();
  }

  drawTable(dims) {
    const row = (name, cells) => h("tr", {}, h("th", { scope: "row" }, name), ...cells);
    const sizes = (name) => dims.map((dim) => h("td", { class: dim.added === name ? "repeat" : "" }, dim[name], dim.added === name ? h("small", {}, " added") : ""));
    this.table.replaceChildren(
      h("tr", {}, h("th", { scope: "col" }, "axis"), ...dims.map((_, d) => h("th", { scope: "col" }, d))),
      row("a", sizes("a")),
      row("b", sizes("b")),
      row("fit", dims.map(({ verdict, size }) => h("td", { class: size === null ? "clash" : "" }, h("small", {}, verdict)))),
      row("result", dims.map(({ size }) => h("td", { class: size === null ? "clash" : "tone2" }, size ?? "✗"))),
    );
  }

  drawPicture() {
    const { shapes, result } = this.reading;
    this.cells = [];
    this.sources = {};
    if (!result || result.length > 3 || product(result) > DRAWN || !product(result)) {
      this.picture.replaceChildren(result ? `A result of ${product(result)} elements along ${result.length} axes is not drawn.` : "");
      return this.choose(0);
    }
    const places = indicesOf(result);
    // For each element of the result the element that it reads of an operand, at index 0 along every repeated axis, and
    // where that one is drawn itself, at the first of the places that read it.
    for (const [name, shape] of Object.entries(shapes)) {
      const homes = new Map();
      this.sources[name] = places.map((index, at) => {
        const read = index.slice(result.length - shape.length).map((i, d) => (shape[d] === 1 ? 0 : i));
        const flat = read.reduce((sum, i, d) => sum * shape[d] + i, 0);
        if (!homes.has(flat)) homes.set(flat, at);
        return { read, value: name === "a" ? 10 * flat : flat + 1, home: homes.get(flat) };
      });
    }
    const { a, b } = this.sources;
    const operand = (source, tone) => source.map(({ value, home }, at) => h("span", { class: home === at ? tone : "repeat" }, value));
    this.operands = [operand(a, "tone0"), operand(b, "tone1")];
    this.cells = places.map((index, at) => {
      const value = a[at].value + b[at].value;
      return button(value, null, { "data-cell": true, class: "tone2", "aria-label": `${value}, result at [${index.join(", ")}]` });
    });
    const panel = (name, cells) => h("div", { role: "group", "aria-label": name }, h("p", {}, name), ...blocks(cells, result));
    this.picture.replaceChildren(panel("a", this.operands[0]), "+", panel("b", this.operands[1]), "=", panel("result", this.cells));
    this.choose(Math.min(this.chosen, places.length - 1));
  }

  /** Mark an element of the result and the two elements that it adds. */
  choose(at) {
    if (!this.cells.length) return void (this.sum.textContent = "");
    this.chosen = at;
    mark(this.cells, at);
    const terms = Object.entries(this.sources).map(([name, source], which) => {
      const { read, value, home } = source[at];
      mark(this.operands[which], home);
      this.operands[which].forEach((cell, place) => cell.classList.toggle("same", place === at && at !== home));
      return { text: read.length ? `${name}[${read.join(", ")}]` : name, value };
    });
    const index = indicesOf(this.reading.result)[at].join(", ");
    const [left, right] = terms;
    this.sum.textContent = `result[${index}] = ${left.text} + ${right.text} = ${left.value} + ${right.value} = ${left.value + right.value}`;
  }

  static css = `
    table { border-collapse: separate; border-spacing: 3px; margin-inline: auto; }
    th, td { border: 1px solid transparent; border-radius: 0.2rem; font-size: 0.7rem; min-width: 3.2rem; padding: 0 0.3rem; text-align: center; }
    th { color: var(--tp-muted); font-weight: 400; }
    td { font-family: var(--mono); }
    td small { font-family: var(--md-text-font-family, sans-serif); }
    .clash { border: 2px solid var(--c3); font-weight: 700; }
    .picture { align-items: center; display: flex; flex-wrap: wrap; gap: 0.3rem 0.6rem; justify-content: center; }
    .grid { grid-template-columns: repeat(var(--wide), 1.25rem); }
    .grid button, .grid span { border-radius: 0.2rem; font: 0.6rem/1.9 var(--mono); height: 1.25rem; min-height: 0; padding: 0; text-align: center; }
    .grid span { border: 1px solid transparent; }
    .grid span.same { font-weight: 700; outline: 1px dashed; }
    .grid span.repeat:not(.chosen), td.repeat { border: 1px dashed var(--tp-muted); color: var(--tp-muted); }
  `;
}

customElements.define("fig-broadcasting", Broadcasting);
})();
