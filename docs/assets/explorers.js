// Explorers are custom elements named fig-*; each lives in a file of its own, fetched when the reader comes near one.
// What stands inside the element (a static figure) is all there is until then, and where scripts are off.
const near = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      near.unobserve(target);
      import(new URL(`explorers/${target.localName.replace("fig-", "")}.js`, import.meta.url));
    }
  },
  { rootMargin: "600px" },
);

function watch() {
  for (const element of document.querySelectorAll("[data-explorer]")) {
    if (!customElements.get(element.localName)) near.observe(element);
  }
}

// Material replaces the page's content in place and says so through document$; without it there is one page only.
if (typeof document$ === "undefined") watch();
else document$.subscribe(watch);
