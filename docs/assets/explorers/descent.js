// <fig-descent from="module.name">: gradient descent down a valley, whose numbers are the output of that block on the page.
(() => {
const { Explorer, button, h, s, speaker } = customElements.get("fig-core");

const STEPS = 200;
const RATES = { min: 0.0005, max: 0.032, step: 0.0001 };
const TRY = [0.0005, 0.005, 0.0149, 0.028, 0.0297, 0.03];
// The drawn part of the valley on both sides of the best line, and of the losses in powers of ten.
const VIEW = { intercept: 14, slope: 6, lowest: -3, highest: 6 };
const [WIDE, HIGH] = [300, 220];

/** The numbers in the line of a text that starts with a word. */
function numbersAfter(text, word) {
  const line = text.split("\n").find((line) => line.startsWith(word));
  return line.slice(word.length).match(/-?\d+(\.\d+)?/g).map(Number);
}

/** Curvatures of a symmetric matrix, the smaller first, and the direction of the larger one. */
function curvatures([[a, b], [, d]]) {
  const [mean, half] = [(a + d) / 2, Math.hypot((a - d) / 2, b)];
  const angle = Math.atan2(mean + half - a, b);
  return { along: mean - half, across: mean + half, direction: [Math.cos(angle), Math.sin(angle)] };
}

/** A number with three digits that count, and a real minus sign. */
const short = (number) =>
  (Math.abs(number) >= 1e4 || Math.abs(number) < 1e-3 ? number.toExponential(1) : number.toPrecision(3)).replace("-", "\u2212");

class Descent extends Explorer {
  build() {
    const text = document.getElementById(this.getAttribute("from")).querySelector("samp").textContent;
    const hessian = numbersAfter(text, "Hessian:");
    this.start = numbersAfter(text, "start:");
    this.best = numbersAfter(text, "best:");
    this.least = numbersAfter(text, "least loss:")[0];
    this.threshold = numbersAfter(text, "threshold:")[0];
    this.hessian = [hessian.slice(0, 2), hessian.slice(2)];
    this.valley = curvatures(this.hessian);
    this.slider = h("input", { type: "range", ...RATES, oninput: () => this.show(Number(this.slider.value)) });
    this.value = h("b", { class: "mono" });
    this.said = speaker();
    this.path = s("path", { class: "path" });
    this.dots = s("path", { class: "dots" });
    this.curve = s("path", { class: "path" });
    const place = (this.threshold - RATES.min) / (RATES.max - RATES.min);
    return [
      h("label", {}, h("span", {}, "learning rate ", this.value), this.slider),
      h("div", { class: "mark", style: `--place: ${place}` }, h("span", {}, `2/λₘₐₓ ≈ ${this.threshold.toFixed(4)}`)),
      h("div", { class: "row" }, ...TRY.map((rate) => button(`${rate}`, () => this.show(rate)))),
      h("div", { class: "plots" }, this.drawValley(), this.drawLosses()),
      this.said,
    ];
  }

  ready() {
    this.show(0.028);
  }

  /** The line after each step: `[intercept, slope]`, the start first. */
  walk(rate) {
    const [[a, b], [c, d]] = this.hessian;
    const visited = [this.start];
    for (let [u, v] = this.start, step = 0; step < STEPS; step++) {
      const [x, y] = [u - this.best[0], v - this.best[1]];
      [u, v] = [u - rate * (a * x + b * y), v - rate * (c * x + d * y)];
      visited.push([u, v]);
    }
    return visited;
  }

  /** The loss of a line above the least one. */
  excess([u, v]) {
    const [[a, b], [, d]] = this.hessian;
    const [x, y] = [u - this.best[0], v - this.best[1]];
    return (a * x * x + 2 * b * x * y + d * y * y) / 2;
  }

  /** Where a line is in the picture of the valley. */
  at([u, v]) {
    const x = ((u - this.best[0]) / VIEW.intercept + 1) / 2;
    const y = (1 - (v - this.best[1]) / VIEW.slope) / 2;
    return `${(x * WIDE).toFixed(1)} ${(y * HIGH).toFixed(1)}`;
  }

  /** Where a loss is in the picture of losses. */
  height(excess) {
    const power = Math.log10(Math.max(excess, 1e-9));
    return (HIGH * (VIEW.highest - power)) / (VIEW.highest - VIEW.lowest);
  }

  drawValley() {
    const { along, across, direction } = this.valley;
    const [cos, sin] = direction;
    const ring = (excess) => {
      const [wide, long] = [Math.sqrt((2 * excess) / across), Math.sqrt((2 * excess) / along)];
      const points = Array.from({ length: 73 }, (_, part) => {
        const [x, y] = [wide * Math.cos((part * Math.PI) / 36), long * Math.sin((part * Math.PI) / 36)];
        return this.at([this.best[0] + x * cos - y * sin, this.best[1] + x * sin + y * cos]);
      });
      return s("path", { class: "ring", d: `M${points.join("L")}` });
    };
    const rings = Array.from({ length: 12 }, (_, power) => 1.5 * 2 ** power - this.least).map(ring);
    const [x, y] = this.at(this.best).split(" ");
    const label = "The path over lines of equal loss: intercept from left to right, slope upwards";
    return plot("intercept →, slope ↑", label, ...rings, this.path, this.dots, s("circle", { class: "best", cx: x, cy: y, r: 5 }));
  }

  drawLosses() {
    const lines = [];
    for (let power = VIEW.lowest + 1; power < VIEW.highest; power += 2) {
      const y = this.height(10 ** power);
      lines.push(s("path", { class: "ring", d: `M0 ${y}H${WIDE}` }), s("text", { x: 4, y: y - 4 }, `${10 ** power}`));
    }
    const label = `Loss above the least in ${STEPS} steps, on a logarithmic scale`;
    return plot(`loss above the least, ${STEPS} steps →`, label, ...lines, this.curve);
  }

  /** Show the walk of a learning rate. */
  show(rate) {
    const explodes = rate > this.threshold;
    this.slider.value = rate;
    this.slider.setAttribute("aria-valuetext", `${rate}`);
    this.value.textContent = `${rate}`;
    this.reading = { rate, visited: this.walk(rate) };
    const { visited } = this.reading;
    const losses = visited.map((line) => this.excess(line));
    // A walk that explodes would fill the picture after it has left it.
    const gone = visited.findIndex(([, slope]) => Math.abs(slope - this.best[1]) > 1.2 * VIEW.slope);
    const seen = visited.slice(0, gone < 0 ? STEPS + 1 : gone + 1).map((line) => this.at(line));
    this.path.setAttribute("d", `M${seen.join("L")}`);
    this.dots.setAttribute("d", seen.map((place) => `M${place}h0`).join(""));
    this.curve.setAttribute("d", `M${losses.map((loss, step) => `${(step * WIDE) / STEPS} ${this.height(loss).toFixed(1)}`).join("L")}`);
    for (const path of [this.path, this.dots, this.curve]) path.classList.toggle("explodes", explodes);
    const [across, along] = [this.valley.across, this.valley.along].map((curvature) => (1 - rate * curvature).toFixed(3).replace("-", "\u2212"));
    const end = explodes ? "The steps across grow: it explodes." : Math.abs(across) < 0.1 ? "It is across at once." : "It converges.";
    this.said.textContent =
      `Each step multiplies the distance from the best line by ${across} across the valley and by ${along} along it. ${end} ` +
      `Loss above the least: ${short(losses[0])} at the start, ${short(losses.at(-1))} after ${STEPS} steps.`;
  }

  static css = `
    :host { container-type: inline-size; justify-content: space-between; }
    label b { color: var(--md-default-fg-color); font-size: 0.8rem; }
    input { accent-color: var(--focus); padding: 0; width: 100%; }
    .mark { font-size: 0.6rem; height: 1.2rem; margin: 0 0.4rem; position: relative; }
    .mark::before { border-left: 2px solid var(--c3); content: ""; height: 2.1rem; left: calc(100% * var(--place)); position: absolute; top: -1.1rem; }
    .mark span { position: absolute; right: calc(100% * (1 - var(--place)) + 0.3rem); }
    .plots { display: grid; gap: 0.6rem; grid-template-columns: 1fr 1fr; }
    .plots div { color: var(--tp-muted); font-size: 0.6rem; }
    svg { border: 1px solid var(--line); display: block; height: 11.6rem; width: 100%; }
    path { fill: none; stroke: var(--c0); stroke-linejoin: round; stroke-width: 1.5; vector-effect: non-scaling-stroke; }
    .dots { stroke-linecap: round; stroke-width: 4; }
    .explodes { stroke: var(--c3); }
    .ring { opacity: 0.6; stroke: var(--tp-muted); stroke-width: 0.6; }
    .best { fill: var(--c2); }
    text { fill: var(--tp-muted); font-size: 10px; }
    output { min-height: 4.2em; }
    @container (max-width: 27rem) {
      .plots { grid-template-columns: 1fr; }
      output { min-height: 8.4em; }
    }
  `;
}

/** A picture with a line of words below it. */
function plot(title, label, ...shapes) {
  return h("div", {}, s("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img", "aria-label": label }, ...shapes), title);
}

customElements.define("fig-descent", Descent);
})();
