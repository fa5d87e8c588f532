// <fig-graph>: the steps of a `backward` that ran, read from the output of a block on the page.
// The first line of that output holds values by name, each further line one node in the order in which they ran.
(() => {
const { Explorer, button, h, mark, rove, s, speaker } = customElements.get("fig-core");

/** What a node does with the gradient that arrives, by the name torch gives it. */
const RULES = {
  AccumulateGrad: "It adds what arrives to the .grad of its leaf, and sends nothing on.",
  AddBackward0: "A sum hands the gradient to each operand as it is; an operand that was broadcast gets the total.",
  MeanBackward0: "A mean hands each element the gradient divided by the number of elements.",
  MulBackward0: "A product hands each factor the gradient times the other factor; a factor that was broadcast gets the total.",
  SubBackward0: "A difference hands the gradient to the first operand as it is, and its negative to the second.",
};

/** A number or nested lists of numbers; -0.0 keeps its sign. */
function written(value) {
  if (Array.isArray(value)) return `[${value.map(written).join(", ")}]`;
  return Object.is(value, -0) ? "-0.0" : String(value);
}

class Graph extends Explorer {
  build() {
    this.where = h("span", { class: "where" });
    this.lines = s("svg", { preserveAspectRatio: "none", "aria-hidden": "true" });
    this.list = h("div", { class: "list", role: "group", "aria-label": "Nodes in the order in which they ran" });
    this.story = speaker();
    // A pointer on its way to a button must not change the step.
    rove(this.list, () => 1, (at) => this.choose(at), false);
    const to = (place) => () => this.choose(Math.max(0, Math.min(place(), this.steps.length - 1)));
    return [
      h(
        "div",
        { class: "row" },
        button("start", to(() => 0)),
        button("back", to(() => this.chosen - 1)),
        button("next", to(() => this.chosen + 1)),
        button("all", to(() => this.steps.length - 1)),
        this.where,
      ),
      h("div", { class: "stage" }, h("div", { class: "graph" }, this.lines, this.list)),
      this.story,
    ];
  }

  ready() {
    const block = document.querySelector(`[data-snippet="${this.dataset.from}"]`);
    const output = block?.querySelector("samp")?.textContent;
    this.code = [...(block?.querySelectorAll("code.language-python") ?? [])].map((code) => code.textContent).join("\n");
    if (output) this.load(output, 1);
    else this.story.textContent = `The recorded run ${this.dataset.from} is not on this page.`;
  }

  /** Show a record, one JSON object a line, at one of its steps. */
  load(text, chosen) {
    const [values, ...steps] = text.trim().split("\n").map((line) => JSON.parse(line));
    this.values = values;
    this.steps = steps;
    this.rowOf = Object.fromEntries(steps.map(({ node }, row) => [node, row]));
    this.draw();
    this.choose(chosen);
  }

  draw() {
    this.gradients = this.steps.map(() => h("span"));
    this.rows = this.steps.map(({ name, of }, row) => {
      const value = of in this.values ? `${of} = ${written(this.values[of])}` : of;
      return h("button", { type: "button", "data-cell": true }, h("b", {}, name), " ", h("span", {}, value), " ", this.gradients[row]);
    });
    this.list.replaceChildren(...this.rows);
    this.lines.setAttribute("viewBox", `0 0 4 ${this.steps.length}`);
    this.edges = this.steps.flatMap(({ sends }, row) =>
      sends.map(([target], number) => {
        const end = this.rowOf[target];
        const twins = sends.slice(0, number).filter(([other]) => other === target).length;
        // An edge that passes other rows, or is the second one between two, swings out to the left.
        const swing = 3 - Math.min(3, 0.8 * (end - row - 1) + 1.5 * twins);
        const path = s("path", { d: `M3 ${row + 0.5}C${swing} ${row + 0.8} ${swing} ${end + 0.2} 3 ${end + 0.5}` });
        return { row, path };
      }),
    );
    this.dots = this.steps.map((_, row) => s("path", { d: `M3 ${row + 0.5}h0`, class: "dot" }));
    this.lines.replaceChildren(...this.edges.map(({ path }) => path), ...this.dots);
  }

  /** Show the moment when the node of a row ran: what has flowed by then, and what it does. */
  choose(at) {
    this.chosen = at;
    mark(this.rows, at);
    const known = new Set([this.steps[0].node]);
    for (const { sends } of this.steps.slice(0, at + 1)) for (const [target] of sends) known.add(target);
    this.steps.forEach(({ node, arrives }, row) => {
      const complete = row <= at || this.waits(node, at) === 0;
      const shown = known.has(node) && complete;
      this.gradients[row].textContent = shown ? `gradient ${written(arrives)}` : "no gradient yet";
      this.rows[row].classList.toggle("later", row > at);
      this.dots[row].classList.toggle("now", row === at);
    });
    for (const { row, path } of this.edges) {
      path.classList.toggle("later", row > at);
      path.classList.toggle("now", row === at);
    }
    this.where.textContent = `step ${at + 1} of ${this.steps.length}`;
    this.tell(this.steps[at]);
  }

  /** How many edges into a node have carried nothing when the node of row `at` has run. */
  waits(node, at) {
    return this.steps.slice(at + 1).flatMap(({ sends }) => sends.filter(([target]) => target === node)).length;
  }

  tell({ node, name, of, arrives, sends }) {
    const parts = this.steps.flatMap((step) => step.sends.filter(([target]) => target === node));
    const line = this.code.match(new RegExp(`^\\s*${of} = .*$`, "m"))?.[0].trim();
    const inputs = (line?.match(/\w+/g) ?? []).slice(1).filter((word) => word in this.values);
    const known = [...new Set(inputs)].map((word) => `${word} is ${written(this.values[word])}`);
    const paragraph = (...words) => h("p", {}, ...words);
    const sum = parts.length > 1 ? ` It is the sum of ${parts.length} that came along its edges: ${parts.map(([, part]) => written(part)).join(" and ")}.` : "";
    const start = parts.length ? "" : " Every backward starts with the gradient 1 of the loss with respect to itself.";
    this.story.replaceChildren(
      paragraph(h("b", {}, name), sends.length ? " was left by " : " belongs to ", h("code", {}, line ?? of), known.length && sends.length ? `, where ${known.join(", ")}.` : "."),
      paragraph(`Arrives: ${written(arrives)}.${sum}${start}`),
      paragraph(RULES[name] ?? "It multiplies by the derivative of its operation."),
    );
    for (const [target, gradient] of sends) {
      const next = this.steps[this.rowOf[target]];
      this.story.append(paragraph(`Sends ${written(gradient)} to ${next.name} of ${next.of}.`));
    }
  }

  static css = `
    .where { align-self: center; color: var(--tp-muted); }
    .graph { align-items: stretch; display: grid; grid-template-columns: 3rem 1fr; width: min(32rem, 100%); }
    .list { display: grid; gap: 2px; grid-auto-rows: 1fr; }
    .list button { border-color: transparent; display: grid; gap: 0 0.6rem; grid-template-columns: 8rem 1fr 1fr; padding: 0.15rem 0.4rem; text-align: start; }
    .list .chosen { border: 2px solid currentcolor; font-weight: 400; }
    .list .later span:last-child { color: var(--tp-muted); }
    svg { fill: none; height: 100%; stroke: currentcolor; }
    path { stroke-linecap: round; stroke-width: 2; vector-effect: non-scaling-stroke; }
    path.later { stroke: var(--tp-muted); stroke-dasharray: 2 4; }
    path.now { stroke: var(--c1); stroke-width: 3; }
    path.dot { stroke-dasharray: none; stroke-width: 9; }
    path.dot.now { stroke-width: 13; }
    output { min-height: 9rem; }
    output p { color: inherit; font-size: 0.7rem; }
    @media (max-width: 45em) {
      .graph { grid-template-columns: 2rem 1fr; }
      .list button { grid-template-columns: 1fr; }
    }
  `;
}

customElements.define("fig-graph", Graph);
})();
