// Runs before the theme's own script, which makes requests and changes that this one knows better.
(() => {
  // What it would change later, when the whole page would have to be styled anew.
  document.documentElement.classList.replace("no-js", "js");
  document.documentElement.classList.add("js-focus-visible");

  const { open, send } = XMLHttpRequest.prototype;
  const searched = new Promise((resolve) => {
    if (/[?&][qh]=/.test(location.search)) resolve();
    for (const event of ["focusin", "pointerdown", "keydown"]) {
      document.addEventListener(event, ({ key, target }) => {
        if (key === "/" || key === "f" || key === "s" || target.closest?.("[for=__search], .md-search")) resolve();
      });
    }
  });
  XMLHttpRequest.prototype.open = function (method, address, ...rest) {
    this.address = `${address}`;
    return open.call(this, method, address, ...rest);
  };
  XMLHttpRequest.prototype.send = function (body) {
    // The index of all words outweighs every page, and few visits search: it is fetched when one does.
    if (this.address.endsWith("/search_index.json")) searched.then(() => send.call(this, body));
    // The theme takes a page's Markdown for a translation of the site and asks for its sitemap, which is not there.
    else if (!this.address.endsWith("/sitemap.xml") || this.address === `${new URL("sitemap.xml", __md_scope)}`) send.call(this, body);
  };
})();
