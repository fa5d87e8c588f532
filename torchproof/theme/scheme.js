// Runs before anything is painted: the scheme that the reader chose here, or else that of the system.
(() => {
  const KEY = "torchproof.scheme";
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let chosen;
  try {
    chosen = localStorage.getItem(KEY);
  } catch {
    // A browser that stores nothing forgets the choice with the page.
  }
  const show = () => {
    const scheme = chosen ?? (dark.matches ? "slate" : "default");
    document.body.setAttribute("data-md-color-scheme", scheme);
    // Scroll bars, and what shows before a page has come.
    document.documentElement.style.colorScheme = scheme === "slate" ? "dark" : "light";
  };
  show();
  dark.addEventListener("change", show);
  document.addEventListener("click", ({ target }) => {
    const button = target.closest?.(".tp-scheme");
    if (!button) return;
    chosen = button.dataset.tpTo;
    show();
    // The button that was pressed gave way to the other.
    document.querySelector(`.tp-scheme[data-tp-from=${chosen}]`).focus();
    try {
      localStorage.setItem(KEY, chosen);
    } catch {
      // As above.
    }
  });
})();
