// The pool page: filters apply as they are chosen, a range of lengths is drawn, rows are picked, all by keyboard too.
(function () {
  "use strict";

  const form = document.getElementById("filters");
  if (!form) {
    return;
  }

  // --- filters ---

  function address() {
    const query = new URLSearchParams();
    const columns = [];
    const shown = [...form.querySelectorAll('[name="columns"]')];
    for (const [name, value] of new FormData(form)) {
      if (name === "columns") {
        columns.push(value);
      } else if (value !== "" || form.querySelector(`[name="${CSS.escape(name)}"][type="checkbox"][value=""]:checked`)) {
        query.append(name, value);
      }
    }
    const isUsual = shown.every((box) => box.checked === box.defaultChecked) && !new URLSearchParams(location.search).has("columns");
    if (columns.length && !isUsual) {
      query.append("columns", columns.join(","));
    }
    if (!query.get("q")) {
      query.delete("in");
    }
    return `${form.action}?${query}`;
  }

  function apply() {
    sessionStorage.setItem("pool.facets", JSON.stringify(place()));
    location.assign(address());
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    apply();
  });
  form.addEventListener("change", (event) => {
    if (event.target.form === form && event.target.name !== "q" && !(event.target.name === "in" && !form.elements.q.value)) {
      apply();
    }
  });

  // --- what stood open, and how far it was scrolled, stays so from page to page ---

  const facets = document.getElementById("facets");
  const boxes = () => [...facets.querySelectorAll("details[data-facet]")];

  function place() {
    const values = boxes().map((box) => [box.dataset.facet, { isOpen: box.open, top: box.querySelector("ul").scrollTop }]);
    return { top: facets.scrollTop, facets: Object.fromEntries(values) };
  }

  const kept = JSON.parse(sessionStorage.getItem("pool.facets") || "null");
  if (kept) {
    for (const box of boxes()) {
      const before = kept.facets[box.dataset.facet];
      if (before) {
        box.open = before.isOpen || box.querySelector(":checked") !== null;
        box.querySelector("ul").scrollTop = before.top;
      }
    }
    facets.scrollTop = kept.top;
  }
  window.addEventListener("pagehide", () => sessionStorage.setItem("pool.facets", JSON.stringify(place())));
  if (!CSS.supports("selector(::details-content)") && matchMedia("(min-width: 901px)").matches) {
    form.querySelector(".pool__fold").open = true;
  }

  // --- a range of lengths, drawn over the bars ---

  const histogram = form.querySelector("[data-histogram]");
  if (histogram) {
    const hits = [...histogram.querySelectorAll("[data-range]")];
    let first = null;
    let last = null;

    function barAt(event) {
      const box = histogram.getBoundingClientRect();
      const share = (event.clientX - box.left) / box.width;
      return Math.min(Math.max(Math.floor(share * hits.length), 0), hits.length - 1);
    }

    function show() {
      hits.forEach((hit, at) => {
        const isIn = first !== null && at >= Math.min(first, last) && at <= Math.max(first, last);
        hit.nextElementSibling.classList.toggle("histogram__bar--brushed", isIn);
      });
    }

    histogram.addEventListener("pointerdown", (event) => {
      if (event.button === 0) {
        first = last = barAt(event);
        histogram.setPointerCapture(event.pointerId);
        show();
      }
    });
    histogram.addEventListener("pointermove", (event) => {
      if (first !== null) {
        last = barAt(event);
        show();
      }
    });
    histogram.addEventListener("pointerup", () => {
      if (first === null) {
        return;
      }
      const ends = [Math.min(first, last), Math.max(first, last)].map((at) => hits[at].dataset.range.split("-"));
      form.elements.tokens.value = `${ends[0][0]}-${ends[1][1]}`;
      first = null;
      apply();
    });
    histogram.addEventListener("pointercancel", () => {
      first = null;
      show();
    });
    // the drawing decides, not the link below it, which is for those without a script
    histogram.addEventListener("click", (event) => event.preventDefault());
    histogram.addEventListener("dragstart", (event) => event.preventDefault());
  }

  // --- picked rows ---

  const picks = [...document.querySelectorAll('#decide [name="row"]')];
  const scope = document.getElementById("scope");
  let anchor = null;

  function pick(at, isOn, isRange) {
    const from = isRange && anchor !== null ? anchor : at;
    for (let place = Math.min(from, at); place <= Math.max(from, at); place += 1) {
      picks[place].checked = isOn;
    }
    anchor = at;
    count();
  }

  function count() {
    const number = picks.filter((box) => box.checked).length;
    scope.querySelector("[data-picked]").textContent = number === 1 ? "1 picked row" : `${number} picked rows`;
    for (const button of document.querySelectorAll(".decide button")) {
      button.disabled = scope.value === "picked" && number === 0;
    }
  }

  if (scope) {
    picks.forEach((box, at) => box.addEventListener("click", (event) => pick(at, box.checked, event.shiftKey)));
    scope.addEventListener("change", count);
    // what the browser filled in again on the way back counts
    window.addEventListener("pageshow", count);
    count();
  }

  // --- keyboard; j, k and enter are those of every list ---

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) {
      return;
    }
    if (event.target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]")) {
      if (event.key === "Escape") {
        event.target.blur();
      }
      return;
    }
    if (event.key === "/") {
      event.preventDefault();
      form.elements.q.select();
    } else if (event.key.toLowerCase() === "x") {
      const row = document.activeElement.closest("tr");
      const at = row ? picks.indexOf(row.querySelector('[name="row"]')) : -1;
      if (at >= 0) {
        event.preventDefault();
        pick(at, event.shiftKey || !picks[at].checked, event.shiftKey);
      }
    } else if (event.key === "n" || event.key === "p") {
      const link = document.querySelector(`.pages [rel="${event.key === "n" ? "next" : "prev"}"]`);
      if (link) {
        link.click();
      }
    }
  });
})();
