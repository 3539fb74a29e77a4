// Fragments that replace themselves: what the reader does with them is not torn away.
(function () {
  "use strict";

  let isPressed = false;
  document.addEventListener("pointerdown", () => (isPressed = true), true);
  for (const name of ["pointerup", "pointercancel"]) {
    // the click comes after it, and must find its button
    document.addEventListener(name, () => setTimeout(() => (isPressed = false), 50), true);
  }

  function isInUse(part) {
    const selection = document.getSelection();
    const isSelecting = !selection.isCollapsed && part.contains(selection.anchorNode);
    return isPressed || isSelecting;
  }

  function scrollsOf(part) {
    const places = new Map();
    for (const box of part.querySelectorAll(".table-scroll[id], .log[id]")) {
      const isAtEnd = box.scrollTop + box.clientHeight >= box.scrollHeight - 4;
      places.set(box.id, { left: box.scrollLeft, top: box.scrollTop, isAtEnd });
    }
    return places;
  }

  function showEnds(part) {
    for (const box of part.querySelectorAll("[data-to-end]")) {
      box.scrollTop = box.scrollHeight;
    }
  }

  let kept = null;
  document.addEventListener("htmx:beforeSwap", (event) => {
    const part = event.detail.target;
    if (!part.matches("#board, #job, #workers")) {
      return;
    }
    if (isInUse(part)) {
      event.detail.shouldSwap = false; // the next answer comes soon
      return;
    }
    kept = {
      scrolls: scrollsOf(part),
      open: [...part.querySelectorAll("details[id][open]")].map((details) => details.id),
    };
  });

  document.addEventListener("htmx:afterSwap", () => {
    if (kept === null) {
      return;
    }
    for (const id of kept.open) {
      const details = document.getElementById(id);
      if (details) {
        details.open = true;
      }
    }
    showEnds(document);
    for (const [id, place] of kept.scrolls) {
      const box = document.getElementById(id);
      if (box) {
        box.scrollLeft = place.left;
        // a log that was followed goes on being followed
        box.scrollTop = place.isAtEnd && box.hasAttribute("data-to-end") ? box.scrollHeight : place.top;
      }
    }
    kept = null;
  });

  // filters apply as they are chosen; without scripts their button does it
  for (const form of document.querySelectorAll("form[data-filters]")) {
    form.addEventListener("change", () => form.requestSubmit());
  }

  showEnds(document);
})();
