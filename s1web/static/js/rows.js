// Rows of a list by keyboard: j and k go through them, enter opens one, as its link has the focus.
(function () {
  "use strict";

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !["j", "k"].includes(event.key)) {
      return;
    }
    if (event.target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]") || document.querySelector("dialog[open]")) {
      return;
    }
    const links = [...document.querySelectorAll("[data-row]")];
    const place = links.indexOf(document.activeElement);
    const next = links[event.key === "j" ? place + 1 : Math.max(place - 1, 0)];
    if (next) {
      event.preventDefault();
      next.focus();
    }
  });
})();
