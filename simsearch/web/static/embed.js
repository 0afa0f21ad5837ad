// Puts the related trials where <div data-simsearch="NCT03540472"></div> stands.
// Attributes: data-k, data-theme (auto, light, dark, inherit), data-lang, data-links (here, registry),
// data-status and data-phase.
(() => {
  "use strict";
  const script = document.currentScript;
  const home = new URL(".", script.src);
  const frames = new Map();

  const put = (place) => {
    if (place.dataset.simsearchDone) return;
    place.dataset.simsearchDone = "1";
    const query = new URLSearchParams();
    for (const name of ["k", "theme", "lang", "links", "status", "phase"]) {
      if (place.dataset[name]) query.set(name, place.dataset[name]);
    }
    const frame = document.createElement("iframe");
    frame.src = `${home.href}embed/${encodeURIComponent(place.dataset.simsearch)}?${query}`;
    frame.title = place.dataset.title || "More related trials";
    frame.loading = "lazy";
    frame.referrerPolicy = "no-referrer";
    frame.setAttribute("sandbox", "allow-scripts allow-same-origin allow-popups allow-top-navigation-by-user-activation");
    Object.assign(frame.style, { border: "0", width: "100%", height: "24rem", colorScheme: "auto" });
    place.replaceChildren(frame);
    frames.set(frame, place);
  };

  const look = (frame, place) => {
    const { color, fontFamily, fontSize } = getComputedStyle(place);
    frame.contentWindow.postMessage({ simsearchLook: { ink: color, font: fontFamily, size: fontSize } }, home.origin);
  };

  addEventListener("message", (event) => {
    if (event.origin !== home.origin || !event.data || !event.data.simsearch) return;
    for (const [frame, place] of frames) {
      if (frame.contentWindow !== event.source) continue;
      const { height, ready } = event.data.simsearch;
      if (ready) look(frame, place);
      if (height > 0 && height < 20000) frame.style.height = `${height}px`;
    }
  });

  const all = () => document.querySelectorAll("[data-simsearch]").forEach(put);
  if (document.readyState === "loading") addEventListener("DOMContentLoaded", all);
  else all();
})();
