// Loaded where the site is read from a disk, without a server: what browsers refuse there is done another way.

// A server answers for a folder with its index.html; a disk does not.
document.addEventListener(
  "click",
  ({ target }) => {
    const link = target.closest?.("a[href]");
    if (link?.protocol === "file:" && link.pathname.endsWith("/")) link.pathname += "index.html";
  },
  true,
);

// A worker may not come from a disk. A hidden frame runs the same script, and passes the same messages.
window.Worker = class extends EventTarget {
  constructor(address) {
    super();
    const frame = document.createElement("iframe");
    frame.hidden = true;
    document.body.append(frame);
    const { contentDocument, contentWindow } = frame;
    contentWindow.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
    const script = contentDocument.createElement("script");
    script.src = new URL(address, location);
    const ready = new Promise((resolve) => script.addEventListener("load", resolve));
    contentDocument.body.append(script);
    this.postMessage = (data) => ready.then(() => contentWindow.dispatchEvent(new MessageEvent("message", { data })));
  }
};
