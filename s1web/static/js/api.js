// Copies what a button names, and says so.
(function () {
  "use strict";

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) {
      return;
    }
    const source = document.getElementById(button.dataset.copy);
    const said = document.querySelector("[data-copied]");
    const text = source.textContent.trim();
    const choose = () => {
      // without the clipboard (no https) the text is chosen, for the keys to copy
      window.getSelection().selectAllChildren(source);
      said.textContent = "Chosen: copy it with Ctrl+C";
      button.textContent = "Press Ctrl+C";
    };
    if (!navigator.clipboard) {
      choose();
      return;
    }
    navigator.clipboard.writeText(text).then(() => {
      said.textContent = "Copied";
      button.textContent = "Copied";
    }, choose);
  });
})();
