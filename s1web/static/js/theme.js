// Runs before the first paint: the theme that was chosen here, else the system's; marks that scripts run.
(function () {
  "use strict";
  const root = document.documentElement;
  root.classList.add("has-script");

  function stored() {
    try {
      return localStorage.getItem("theme");
    } catch (error) {
      return null; // storage is switched off: the system's theme it is
    }
  }

  function apply(theme) {
    if (theme === "light" || theme === "dark") {
      root.dataset.theme = theme;
    } else {
      delete root.dataset.theme;
    }
  }

  apply(stored());
  window.s1webTheme = {
    current: () => root.dataset.theme || "system",
    choose(theme) {
      apply(theme);
      try {
        if (theme === "system") {
          localStorage.removeItem("theme");
        } else {
          localStorage.setItem("theme", theme);
        }
      } catch (error) {
        // it holds for this page
      }
    },
  };
  // another tab of the site switched
  window.addEventListener("storage", (event) => {
    if (event.key === "theme") {
      apply(event.newValue);
    }
  });
})();
