// What the theme leaves unsaid to those who do not see the page.
(() => {
  const start = () => {
    document.querySelector(".md-search")?.setAttribute("aria-label", "Search");
    // A section of the table of contents is no landmark of its own; as one it takes the name of another.
    for (const nav of document.querySelectorAll("[data-md-component=toc] nav")) {
      nav.setAttribute("role", "presentation");
      nav.removeAttribute("aria-label");
    }
  };
  // The theme's copy button stands in a landmark of its own in every block of code, some time after the page has come.
  const quiet = () => {
    for (const nav of document.querySelectorAll(".md-code__nav:not([role])")) nav.setAttribute("role", "presentation");
  };
  new MutationObserver(quiet).observe(document.body, { childList: true, subtree: true });
  start();
  if (typeof document$ !== "undefined") document$.subscribe(start);
})();
