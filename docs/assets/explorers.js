// Explorers are custom elements named fig-*; each lives in a file of its own, fetched when the reader comes near one.
// What stands inside the element (a static figure) is all there is until then, and where scripts are off.
(() => {
  const folder = new URL("explorers/", document.currentScript.src);
  const asked = new Set();

  // Plain scripts, run in the order in which they are asked for: from a disk a browser loads no modules.
  const load = (name) => {
    if (asked.has(name)) return;
    asked.add(name);
    const script = document.createElement("script");
    script.src = new URL(`${name}.js`, folder);
    script.async = false;
    document.body.append(script);
  };

  const near = new IntersectionObserver(
    (entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting) continue;
        near.unobserve(target);
        load("core");
        load(target.localName.replace("fig-", ""));
      }
    },
    { rootMargin: "600px" },
  );

  const watch = () => {
    for (const element of document.querySelectorAll("[data-explorer]")) {
      if (!customElements.get(element.localName)) near.observe(element);
    }
  };

  // The theme says through document$ that it has put another page in place; on pages read from disk it says nothing.
  watch();
  if (typeof document$ !== "undefined") document$.subscribe(watch);
})();
