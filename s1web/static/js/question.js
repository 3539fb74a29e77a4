// The keys of the page of a question, and how much is chosen to be overruled.
(function () {
  "use strict";

  function follow(selector) {
    const link = document.querySelector(selector);
    if (link) {
      link.click();
    }
  }

  // the trace that is read: of those that are open, the one at the window's upper half
  function currentTrace() {
    const open = [...document.querySelectorAll("[data-trace]")].filter((trace) => trace.open !== false);
    const middle = window.innerHeight / 2;
    return open.findLast((trace) => trace.getBoundingClientRect().top < middle) || open[0];
  }

  function otherTrace(direction) {
    const traces = [...document.querySelectorAll("details[data-trace]")];
    const tops = traces.map((trace) => trace.getBoundingClientRect().top);
    // 120: below what sticks to the top
    const other =
      direction > 0
        ? traces.find((_trace, place) => tops[place] > 120)
        : traces.findLast((_trace, place) => tops[place] < 100);
    if (other) {
      other.open = true;
      other.querySelector("summary").focus({ preventScroll: true });
      other.scrollIntoView();
    }
  }

  function find() {
    const trace = currentTrace();
    const field = trace && trace.querySelector("[data-find]");
    if (field) {
      field.focus();
      field.select();
    }
  }

  function hit(direction) {
    const trace = currentTrace();
    const text = trace && trace.querySelector("[data-trace-text]");
    if (text) {
      window.s1webTrace.go(text, direction);
    }
  }

  function overrule() {
    const reason = document.querySelector("#overrule textarea");
    if (reason) {
      reason.focus();
    }
  }

  const KEYS = {
    j: () => follow("[data-next]"),
    k: () => follow("[data-previous]"),
    r: () => window.s1webMath.toggle(),
    "/": find,
    n: () => hit(1),
    N: () => hit(-1),
    "]": () => otherTrace(1),
    "[": () => otherTrace(-1),
    o: overrule,
  };

  let afterG = -1000;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) {
      return;
    }
    if (event.target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]")) {
      return;
    }
    // g and a letter go to a place of the site: the frame does that
    if (event.key === "g") {
      afterG = event.timeStamp;
      return;
    }
    const isPlace = event.timeStamp - afterG < 1000;
    afterG = -1000;
    if (KEYS[event.key] && !isPlace) {
      event.preventDefault();
      KEYS[event.key]();
    }
  });

  function showChosen() {
    const place = document.querySelector("[data-chosen]");
    if (place) {
      const count = document.querySelectorAll("[data-choice]:checked").length;
      place.textContent = `${count} piece${count === 1 ? "" : "s"} of evidence`;
    }
  }
  document.addEventListener("change", (event) => event.target.matches("[data-choice]") && showChosen());
  showChosen();
})();
