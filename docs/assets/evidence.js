// Makes a table of runs sortable by its heads and adds fields that filter it. Without scripts it is a table.
{
  const table = document.querySelector(".tp-runs");
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const told = rows.map((row) => [...row.cells].map((cell) => cell.textContent));
  const heads = [...table.tHead.rows[0].cells];

  for (const [column, head] of heads.entries()) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    button.addEventListener("click", () => sort(column));
    head.append(button);
  }

  function sort(column) {
    const down = heads[column].ariaSort === "ascending";
    for (const head of heads) head.removeAttribute("aria-sort");
    heads[column].setAttribute("aria-sort", down ? "descending" : "ascending");
    const order = [...rows.keys()].sort((left, right) => compare(told[left][column], told[right][column]) * (down ? -1 : 1));
    body.append(...order.map((index) => rows[index]));
  }

  function compare(left, right) {
    return left - right || left.localeCompare(right);
  }

  const fields = document.querySelector(".tp-filter");
  fields.hidden = false;
  const count = fields.querySelector("output");
  const choices = new Map();
  for (const choice of fields.querySelectorAll("select")) {
    const column = heads.findIndex((head) => head.textContent === choice.name);
    choices.set(column, choice);
    for (const value of new Set(told.map((cells) => cells[column]))) choice.append(new Option(value));
  }
  fields.addEventListener("input", filter);
  fields.addEventListener("submit", (event) => event.preventDefault());

  function filter() {
    const words = fields.elements.words.value.toLowerCase().split(/\s+/);
    let shown = 0;
    for (const [index, row] of rows.entries()) {
      const line = told[index].join(" ").toLowerCase();
      const chosen = [...choices].every(([column, { value }]) => !value || told[index][column] === value);
      row.hidden = !chosen || !words.every((word) => line.includes(word));
      shown += !row.hidden;
    }
    count.textContent = `${shown} of ${rows.length} ${count.dataset.noun}`;
  }
  filter();
}
