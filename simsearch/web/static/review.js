// Keys for screening. Each presses a button of the page, so that the page works without them.
"use strict";

(() => {
  const buttons = { k: ".keep", d: ".away", l: ".aside" };
  const box = document.getElementById("keys");
  const cards = [...document.querySelectorAll(".candidate")];
  let at = 0;
  let isSent = false;

  const stored = (value) => {
    try {
      if (value) localStorage.setItem("simsearch.keys", value);
      return localStorage.getItem("simsearch.keys");
    } catch {
      return value; // no storage: the choice holds for this page
    }
  };

  const show = () => {
    cards.forEach((card, n) => card.classList.toggle("current", box.checked && n === at));
    for (const key of document.querySelectorAll("button kbd")) {
      const card = key.closest(".candidate");
      key.hidden = !box.checked || (card !== null && card !== cards[at]);
    }
  };

  const go = (to) => {
    if (!cards[to]) return;
    at = to;
    const details = cards[at].querySelector("details");
    if (details) details.open = true;
    cards[at].querySelector("h3 a").focus({ preventScroll: true });
    cards[at].scrollIntoView({ block: "nearest" });
    show();
  };

  if (!box) return;
  document.querySelector(".keys").hidden = false;
  box.checked = stored() !== "off";
  box.addEventListener("change", () => {
    stored(box.checked ? "on" : "off");
    show();
  });
  document.addEventListener("focusin", (event) => {
    const within = cards.indexOf(event.target.closest(".candidate"));
    if (within >= 0) at = within;
    show();
  });
  document.addEventListener("submit", (event) => {
    if (isSent) event.preventDefault(); // a second press while the page is on its way
    isSent = true;
  });
  window.addEventListener("pageshow", () => {
    isSent = false;
  });
  document.addEventListener("keydown", (event) => {
    const active = document.activeElement;
    const isTyping = active.matches("input:not([type=checkbox]), textarea, select") || active.isContentEditable;
    if (!box.checked || isTyping || event.repeat) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const key = event.key.toLowerCase();
    const button =
      key === "u" ? document.querySelector(".undo") : key in buttons && cards[at]?.querySelector(buttons[key]);
    if (button && !button.disabled) button.click();
    else if (key === "n") go(at + 1);
    else if (key === "p") go(at - 1);
    else return;
    event.preventDefault();
  });
  show();
})();
