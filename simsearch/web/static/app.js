// Small conveniences; every page works without them.
"use strict";

// "/" goes to the search box, as on many sites.
const keysAreOff = () => {
  try {
    return localStorage.getItem("simsearch.keys") === "off"; // as chosen on the page of a review
  } catch {
    return false;
  }
};
document.addEventListener("keydown", (event) => {
  const isTyping = /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName);
  if (event.key !== "/" || isTyping || event.ctrlKey || event.metaKey || event.altKey || keysAreOff()) return;
  const box = document.querySelector("input[type=search]");
  if (box) {
    event.preventDefault();
    box.focus();
    box.select();
  }
});

// Fields of a form that are empty do not clutter its address.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "get") return;
  for (const field of form.elements) {
    if (field.name && field.value === "" && field.type !== "search") field.disabled = true;
  }
  setTimeout(() => {
    for (const field of form.elements) field.disabled = false;
  }, 0);
});
