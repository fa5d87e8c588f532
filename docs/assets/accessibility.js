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
  start();
  if (typeof document$ !== "undefined") document$.subscribe(start);
})();
