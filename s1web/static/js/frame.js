// The frame: theme switch, menus, keyboard shortcuts.
(function () {
  "use strict";

  function showTheme() {
    for (const button of document.querySelectorAll("[data-theme-choice]")) {
      button.setAttribute("aria-pressed", String(button.dataset.themeChoice === window.s1webTheme.current()));
    }
  }

  function closeMenus(except) {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (menu !== except) {
        menu.open = false;
      }
    }
  }

  document.addEventListener("click", (event) => {
    const theme = event.target.closest("[data-theme-choice]");
    if (theme) {
      window.s1webTheme.choose(theme.dataset.themeChoice);
      showTheme();
    }
    const opener = event.target.closest("[data-open]");
    if (opener) {
      closeMenus(null);
      document.getElementById(opener.dataset.open).showModal();
    }
    closeMenus(event.target.closest("details.menu"));
  });

  function isTyping(target) {
    return target.closest("input, textarea, select, [contenteditable]") !== null;
  }

  let wasG = -Infinity;
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      const menu = document.querySelector("details.menu[open]");
      if (menu) {
        menu.open = false;
        menu.querySelector("summary").focus();
      }
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || document.querySelector("dialog[open]")) {
      return;
    }
    if (event.key === "?") {
      const help = document.getElementById("shortcuts");
      if (help) {
        event.preventDefault();
        help.showModal();
      }
      return;
    }
    if (event.key === "g") {
      wasG = event.timeStamp;
      return;
    }
    // g and the letter belong together when they come within a second
    if (event.timeStamp - wasG < 1000) {
      wasG = -Infinity;
      const link = document.querySelector(`.nav__link[data-key="${CSS.escape(event.key)}"]`);
      if (link) {
        event.preventDefault();
        link.click();
      }
    }
  });

  showTheme();
  window.addEventListener("storage", showTheme);
})();
