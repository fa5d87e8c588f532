// What a block does when it is touched: copy its program, switch between devices, unfold long output.
// Without scripts nothing is missing: both outputs are visible, nothing is folded, and the program can be downloaded.
(() => {
  const KEY = "torchproof.device";
  const root = document.documentElement;

  // Material replaces the page's content in place, but not what else stands in the body.
  const status = document.createElement("div");
  status.className = "tp-status";
  status.setAttribute("role", "status");
  document.body.append(status);

  const say = (text) => {
    // The same words twice are announced twice only if they change in between.
    status.textContent = "";
    setTimeout(() => (status.textContent = text), 50);
  };

  const toClipboard = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // Served without encryption from another machine, a page has no clipboard but this one.
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      const done = document.execCommand("copy");
      area.remove();
      return done;
    }
  };

  const copy = async (button) => {
    const block = button.closest(".tp-block");
    const program = [...block.querySelectorAll("pre > code")].map((part) => part.textContent).join("");
    const done = await toClipboard(program);
    button.focus();
    say(done ? `Copied: ${button.textContent}` : "The browser refuses to copy. Use the link Download .py");
    if (!done) return;
    button.classList.add("tp-done");
    setTimeout(() => button.classList.remove("tp-done"), 2000);
  };

  const unfold = (output, open) => {
    output.classList.toggle("tp-open", open);
    output.querySelector(".tp-all").setAttribute("aria-expanded", open);
  };

  // One choice for all blocks of all pages: the style sheet shows the panels of the device that the root names.
  const choose = (device) => {
    root.dataset.tpDevice = device;
    for (const list of document.querySelectorAll(".tp-tabs")) {
      for (const tab of list.children) {
        const selected = tab.dataset.device === device;
        tab.setAttribute("aria-selected", selected);
        tab.tabIndex = selected ? 0 : -1;
      }
    }
  };

  const remembered = () => {
    try {
      return localStorage.getItem(KEY) === "cuda" ? "cuda" : "cpu";
    } catch {
      return root.dataset.tpDevice ?? "cpu";
    }
  };

  const select = (tab) => {
    choose(tab.dataset.device);
    try {
      localStorage.setItem(KEY, tab.dataset.device);
    } catch {
      // A browser that stores nothing forgets the choice with the page.
    }
  };

  // Only what scrolls needs to be reached by keyboard; where no script runs, all of it can be. It is measured when the reader
  // comes near: what is far away has not been laid out.
  const OUTSIDE = "math[display=block], .md-typeset__scrollwrap, .md-typeset pre > code:not(.tp-block *)";
  const SCROLLS = `.tp-block pre > code, .tp-output > pre, .tp-figure, ${OUTSIDE}`;
  const reach = (within) => {
    const boxes = within.flatMap((part) => (part.matches(SCROLLS) ? part : [...part.querySelectorAll(SCROLLS)]));
    const shown = boxes.filter((box) => box.clientWidth);
    const wide = shown.map((box) => box.scrollWidth > box.clientWidth);
    shown.forEach((box, index) => (wide[index] ? (box.tabIndex = 0) : box.removeAttribute("tabindex")));
  };
  const near = new IntersectionObserver(
    (entries) => reach(entries.filter((entry) => entry.isIntersecting).map((entry) => entry.target)),
    { rootMargin: "100% 0%" },
  );
  const watch = () => {
    near.disconnect();
    // What was measured at another width may scroll now.
    for (const box of document.querySelectorAll(SCROLLS)) if (box.tabIndex < 0) box.tabIndex = 0;
    for (const part of document.querySelectorAll(`.tp-block, ${OUTSIDE}`)) near.observe(part);
  };

  document.addEventListener("click", ({ target }) => {
    const button = target.closest?.(".tp-copy, .tp-all, .tp-tabs > button");
    if (!button) return;
    if (button.matches(".tp-copy")) copy(button);
    else if (button.matches(".tp-all")) unfold(button.parentElement, button.getAttribute("aria-expanded") === "false");
    else select(button);
  });

  document.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || !event.target.matches?.(".tp-tabs > button")) return;
    const tabs = [...event.target.parentElement.children];
    const tab = tabs[(tabs.indexOf(event.target) + step + tabs.length) % tabs.length];
    select(tab);
    tab.focus();
    event.preventDefault();
  });

  // Captured, since neither event bubbles. The browser scrolls folded text when it finds a word or jumps to it.
  document.addEventListener(
    "scroll",
    ({ target }) => target.scrollTop && target.matches?.(".tp-long:not(.tp-open) > pre") && unfold(target.parentElement, true),
    true,
  );
  document.addEventListener("toggle", ({ target }) => reach([target]), true);
  addEventListener("resize", watch);

  // The place that a link leads to stays in view while what stands above it takes its true height, until the reader moves on.
  let landing = null;
  const land = () => (landing = document.getElementById(decodeURIComponent(location.hash.slice(1))));
  addEventListener("hashchange", land);
  for (const event of ["wheel", "touchstart", "pointerdown", "keydown"]) {
    addEventListener(event, () => (landing = null), { passive: true });
  }
  document.addEventListener("contentvisibilityautostatechange", () => requestAnimationFrame(() => landing?.scrollIntoView()), true);

  const start = () => {
    choose(remembered());
    land();
    watch();
    // The theme wraps the tables of a page a moment after it has put the page in place.
    setTimeout(watch, 150);
  };
  // The theme says through document$ that it has put another page in place; on pages read from disk it says nothing.
  start();
  if (typeof document$ !== "undefined") document$.subscribe(start);
})();
