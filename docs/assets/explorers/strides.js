// <fig-strides>: twelve storage cells, and any header (shape, stride, offset) over them.
(() => {
const {
  Explorer, blocks, button, field, h, indicesOf, mark, numbers, product, rove, s, speaker, tuple,
} = customElements.get("fig-core");

const CELLS = 12;
const DRAWN = 96;
const valueOf = (cell) => (cell < CELLS ? cell + 10 : "?");
const GRID = { shape: [3, 4], stride: [4, 1], offset: 0, code: "grid" };
const TURNED = { shape: [4, 3], stride: [1, 4], offset: 0, code: "grid.t()" };

/** What each operation makes of a header: the new one with its code, or null where there is too little to work on. */
const OPERATIONS = {
  transpose({ shape, stride, offset }) {
    if (shape.length < 2) return null;
    const swap = ([first, second, ...others]) => [second, first, ...others];
    return { shape: swap(shape), stride: swap(stride), offset, code: shape.length === 2 ? ".t()" : ".transpose(0, 1)" };
  },
  slice({ shape, stride, offset }, dim, start, step) {
    if (!(shape[dim] > start && shape[dim] > 1)) return null;
    return {
      shape: shape.with(dim, Math.ceil((shape[dim] - start) / step)),
      stride: stride.with(dim, stride[dim] * step),
      offset: offset + start * stride[dim],
      code: `[${":, ".repeat(dim)}${start || ""}:${step > 1 ? `:${step}` : ""}]`,
    };
  },
  expand({ shape, stride, offset }, size = 4) {
    const dim = shape.indexOf(1);
    const wide = dim < 0 ? [2, ...shape] : shape.with(dim, size);
    return { shape: wide, stride: dim < 0 ? [0, ...stride] : stride.with(dim, 0), offset, code: `.expand(${wide.join(", ")})` };
  },
  unfold({ shape, stride, offset }, dim, size = 2, step = 1) {
    if (!(shape[dim] >= size)) return null;
    return {
      shape: [...shape.with(dim, Math.floor((shape[dim] - size) / step) + 1), size],
      stride: [...stride.with(dim, stride[dim] * step), stride[dim]],
      offset,
      code: `.unfold(${dim}, ${size}, ${step})`,
    };
  },
};

/** What a header reads: the index and the cell of every element, the gap in row-major order, and what is wrong. */
function read({ shape, stride, offset }) {
  let fault = "";
  if (shape.length !== stride.length) fault = `There are ${shape.length} sizes but ${stride.length} strides.`;
  else if (Math.min(...stride) < 0) fault = "PyTorch has no negative strides.";
  else if (Math.min(...shape, offset) < 0) fault = "A size or an offset cannot be negative.";
  const cellOf = (index) => index.reduce((cell, i, d) => cell + i * stride[d], offset);
  const indices = fault || product(shape) > DRAWN ? [] : indicesOf(shape);
  const corner = shape.map((size) => size - 1);
  const missing = !fault && product(shape) && cellOf(corner) >= CELLS ? cellOf(corner) : null;
  if (missing) fault = `Cell ${missing} is missing: element [${corner.join(", ")}] would read it, and the last cell is ${CELLS - 1}.`;
  return { indices, cells: indices.map(cellOf), gap: gap(shape, stride), missing, fault };
}

/** The first dimension, from the last, whose stride is not that of row-major order. */
function gap(shape, stride) {
  let needed = 1;
  for (let d = shape.length - 1; d >= 0 && product(shape); d--) {
    if (shape[d] > 1 && stride[d] !== needed) return { d, needed };
    needed *= shape[d];
  }
  return null;
}

class Strides extends Explorer {
  build() {
    const last = () => this.header.shape.length - 1;
    this.fields = ["shape", "stride", "offset"].map((name) => field(name, "", () => this.edited()));
    const operations = [
      button("transpose", () => this.apply("transpose")),
      button("slice 1:", () => this.apply("slice", 0, 1, 1)),
      button("slice ::2", () => this.apply("slice", last(), 0, 2)),
      button("expand", () => this.apply("expand")),
      button("unfold", () => this.apply("unfold", last())),
      button("reset", () => this.show(GRID)),
    ];
    this.code = h("code", { class: "code" });
    this.elements = h("div", { class: "elements", role: "group", "aria-label": "Elements of the view" });
    this.hops = s("svg", { viewBox: "0 0 12 2", preserveAspectRatio: "none", "aria-hidden": "true" });
    this.strip = h("div", { class: "strip", role: "img" });
    this.address = speaker();
    this.facts = speaker();
    this.target = field("view as", "-1", () => this.tell());
    rove(this.elements, () => this.header.shape.at(-1) ?? 1, (at) => this.choose(at));
    return [
      this.code,
      h("div", { class: "row" }, ...this.fields.map(({ label }) => label)),
      h("div", { class: "row" }, ...operations),
      h("div", { class: "stage" }, h("p", {}, "Elements of the view"), this.elements),
      h("div", {}, this.hops, this.strip, h("p", {}, "Storage: values, and the numbers of their cells")),
      this.address,
      h("div", { class: "row" }, this.target.label, this.facts),
    ];
  }

  ready() {
    this.chosen = 7;
    this.show(TURNED);
  }

  /** Show a header over the twelve cells: `{ shape, stride, offset, code }`. It stays as `header`, what it reads as `reading`. */
  show(header) {
    const values = [header.shape, header.stride, [header.offset]];
    this.fields.forEach(({ input }, at) => (input.value = values[at].join(", ")));
    this.draw(header);
  }

  /** Apply an operation to the view, with the arguments of its button or others. */
  apply(name, ...args) {
    const result = this.reading.fault ? null : OPERATIONS[name](this.header, ...args);
    if (result) this.show({ ...result, code: this.header.code + result.code });
    else this.address.textContent = `There is too little here for ${name}.`;
  }

  /** The strides with which the cells, at least one, take another shape in the same order; null where none can. */
  viewAs(target) {
    const { shape, stride } = this.header;
    // Neighboring dimensions that one stride walks through, from the last.
    const runs = [{ size: shape.at(-1) ?? 1, step: stride.at(-1) ?? 1 }];
    for (let d = shape.length - 2; d >= 0; d--) {
      const run = runs.at(-1);
      if (shape[d] === 1 || stride[d] === run.size * run.step) run.size *= shape[d];
      else runs.push({ size: shape[d], step: stride[d] });
    }
    const result = [];
    let used = 1;
    for (let d = target.length - 1; d >= 0; d--) {
      if (target[d] > 1 && used === runs[0].size) {
        runs.shift();
        used = 1;
      }
      result[d] = used * runs[0].step;
      used *= target[d];
      if (runs[0].size % used) return null;
    }
    return result;
  }

  edited() {
    const [shape, stride, offset] = this.fields.map(({ input }) => numbers(input.value));
    if (shape && stride && offset?.length === 1) {
      const code = `torch.as_strided(grid, ${tuple(shape)}, ${tuple(stride)}, ${offset})`;
      this.draw({ shape, stride, offset: offset[0], code });
    } else this.facts.textContent = "Write whole numbers with commas, and one number for the offset.";
  }

  draw(header) {
    this.header = header;
    this.reading = read(header);
    this.code.textContent = `grid = torch.arange(10, 22).reshape(3, 4)\nview = ${header.code}`;
    for (const { input } of this.fields) input.setAttribute("aria-invalid", this.reading.fault !== "");
    this.drawElements(this.reading);
    this.drawStrip(this.reading);
    this.choose(Math.max(0, Math.min(this.chosen, this.cells.length - 1)));
    this.tell();
  }

  drawElements({ indices, cells }) {
    const { shape } = this.header;
    this.cells = indices.map((index, at) => {
      const value = valueOf(cells[at]);
      const label = `${value}, element [${index.join(", ")}], ${value === "?" ? "missing " : ""}cell ${cells[at]}`;
      return button(value, null, { "data-cell": true, class: `tone${(index[0] ?? 0) % 4}`, "aria-label": label });
    });
    this.elements.replaceChildren(...blocks(this.cells, shape));
    if (product(shape) > DRAWN) this.elements.append(`More than ${DRAWN} elements are not drawn.`);
  }

  drawStrip({ indices, cells }) {
    this.boxes = Array.from({ length: CELLS }, (_, cell) => {
      const reader = indices[cells.indexOf(cell)];
      const times = cells.filter((other) => other === cell).length;
      const tone = reader ? `tone${(reader[0] ?? 0) % 4}` : "unread";
      return h("div", { class: tone }, valueOf(cell), h("small", {}, cell), h("small", {}, times > 1 ? `×${times}` : ""));
    });
    const found = this.boxes.flatMap((_, cell) => (cells.includes(cell) ? cell : []));
    this.strip.setAttribute("aria-label", `Storage of ${CELLS} cells. Cells read: ${found.join(", ") || "none"}.`);
    this.strip.replaceChildren(...this.boxes);
  }

  /** Mark an element, all others that read its cell, and the way along the storage which leads there. */
  choose(at) {
    const { indices, cells } = this.reading;
    const cell = cells[at];
    this.chosen = at;
    mark(this.cells, at);
    mark(this.boxes, cell);
    this.cells.forEach((element, other) => element.classList.toggle("same", other !== at && cells[other] === cell));
    this.hops.replaceChildren();
    this.address.replaceChildren();
    if (!this.cells.length) return;
    const { stride, offset } = this.header;
    let from = this.hop(0, offset, "offset");
    this.address.append(`view[${indices[at].join(", ")}]: `, h("span", { class: "offset" }, `offset ${offset}`));
    for (const [d, i] of indices[at].entries()) {
      for (let step = 0; step < i && from < CELLS; step++) from = this.hop(from, stride[d], `dim${d}`);
      this.address.append(" + ", h("span", { class: `dim${d}` }, `${i} · ${stride[d]}`));
    }
    const others = cells.filter((other) => other === cell).length - 1;
    this.address.append(` = cell ${cell}${cell < CELLS ? `, which holds ${valueOf(cell)}` : ", which does not exist"}.`);
    if (others) this.address.append(` Other elements that read it: ${others}.`);
  }

  hop(from, length, name) {
    const [x, to] = [from + 0.5, from + length + 0.5];
    if (length) this.hops.append(s("path", { d: `M${x} 2Q${(x + to) / 2} ${1.2 - 0.25 * length} ${to} 2`, class: name }));
    return from + length;
  }

  /** Say whether the view is contiguous, and whether it can take the shape in the last field. */
  tell() {
    const { fault, gap } = this.reading;
    const order = gap
      ? `Not contiguous: dimension ${gap.d} has stride ${this.header.stride[gap.d]}, row-major order needs ${gap.needed}. `
      : "Contiguous. ";
    this.facts.textContent = fault || order + this.tellView();
  }

  tellView() {
    const asked = numbers(this.target.input.value);
    const count = product(this.header.shape);
    const given = asked && product(asked.filter((size) => size !== -1));
    const target = asked?.map((size) => (size === -1 ? count / given : size));
    const fits = target && product(target) === count && target.every((size) => Number.isInteger(size) && size > 0);
    this.target.input.setAttribute("aria-invalid", !fits);
    if (!fits) return `A shape for view has as many elements: ${count}.`;
    const strides = this.viewAs(target);
    if (strides) return `view${tuple(target)} works, with stride ${tuple(strides)}.`;
    return `view${tuple(target)} raises an error: no strides reach these cells in this order. reshape copies.`;
  }

  static css = `
    .strip { display: grid; gap: 2px; grid-template-columns: repeat(12, 1fr); text-align: center; }
    .strip div:not(.chosen) { border: 1px solid transparent; }
    .strip div { border-radius: 0.2rem; display: grid; font-family: var(--mono); }
    .strip div.unread { border: 1px dashed var(--tp-muted); }
    svg { fill: none; height: 1.8rem; stroke: currentcolor; }
    path { stroke-width: 2; vector-effect: non-scaling-stroke; }
    path.offset { stroke-dasharray: 1 4; }
    path.dim1 { stroke-dasharray: 6 3; }
    output span { text-decoration: underline 2px; }
    output .offset { text-decoration-style: dotted; }
    output .dim1 { text-decoration-style: dashed; }
  `;
}

customElements.define("fig-strides", Strides);
})();
