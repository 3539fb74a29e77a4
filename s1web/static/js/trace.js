// Reading a trace: search within, folding, and opening what an address points at.
(function () {
  "use strict";

  const MAX_HITS = 20000;
  const searches = new WeakMap(); // of each trace's text

  function textOf(element) {
    return element.closest("[data-trace-text]");
  }

  function pattern(words) {
    return new RegExp(words.replace(/[.*+?^${}()|[\]\\\/]/g, "\\$&"), "giu");
  }

  function search(trace, words) {
    clear(trace);
    const state = { words, hits: [], current: -1, isCut: false };
    searches.set(trace, state);
    if (words) {
      for (const paragraph of trace.querySelectorAll(".para__text")) {
        for (const match of window.s1webMath.sourceOf(paragraph).matchAll(pattern(words))) {
          if (state.hits.length === MAX_HITS) {
            state.isCut = true;
            break;
          }
          state.hits.push({ paragraph, start: match.index, end: match.index + match[0].length });
        }
      }
    }
    if (state.hits.length) {
      go(trace, 1);
    } else {
      count(trace);
    }
  }

  function clear(trace) {
    for (const paragraph of trace.querySelectorAll("[data-marked]")) {
      unmark(paragraph);
    }
    searches.delete(trace);
  }

  const kept = new WeakMap();
  function mark(paragraph, hits, current) {
    window.s1webMath.restore(paragraph);
    const text = kept.has(paragraph) ? kept.get(paragraph).map((node) => node.textContent).join("") : paragraph.textContent;
    if (!kept.has(paragraph)) {
      kept.set(paragraph, [...paragraph.childNodes].map((node) => node.cloneNode(true)));
    }
    paragraph.setAttribute("data-marked", "");
    const nodes = [];
    let place = 0;
    for (const hit of hits) {
      const marked = document.createElement("mark");
      marked.textContent = text.slice(hit.start, hit.end);
      if (hit === current) {
        marked.className = "is-hit";
      }
      nodes.push(...window.s1webMath.breakable(text.slice(place, hit.start)), marked);
      place = hit.end;
    }
    paragraph.replaceChildren(...nodes, ...window.s1webMath.breakable(text.slice(place)));
  }

  function unmark(paragraph) {
    paragraph.removeAttribute("data-marked");
    paragraph.replaceChildren(...(kept.get(paragraph) || []));
    kept.delete(paragraph);
    window.s1webMath.again(paragraph);
  }

  // to the next hit, or the one before; only the paragraph that holds it is marked
  function go(trace, direction) {
    const state = searches.get(trace);
    if (!state || !state.hits.length) {
      return;
    }
    const before = state.hits[state.current];
    state.current = (state.current + direction + state.hits.length) % state.hits.length;
    const hit = state.hits[state.current];
    if (before && before.paragraph !== hit.paragraph) {
      unmark(before.paragraph);
    }
    mark(hit.paragraph, state.hits.filter((other) => other.paragraph === hit.paragraph), hit);
    const step = hit.paragraph.closest("details.step");
    if (step) {
      step.open = true;
    }
    hit.paragraph.querySelector(".is-hit").scrollIntoView({ block: "center" });
    count(trace);
  }

  function count(trace) {
    const state = searches.get(trace);
    const place = trace.querySelector("[data-count]");
    if (!state || !state.words) {
      place.textContent = "";
    } else if (!state.hits.length) {
      place.textContent = "not found";
    } else {
      const total = state.hits.length.toLocaleString("en") + (state.isCut ? " or more" : "");
      place.textContent = `${(state.current + 1).toLocaleString("en")} of ${total}`;
    }
  }

  let waiting = 0;
  document.addEventListener("input", (event) => {
    if (event.target.matches("[data-find]")) {
      clearTimeout(waiting);
      waiting = setTimeout(() => search(textOf(event.target), event.target.value.trim()), 150);
    }
  });

  document.addEventListener("keydown", (event) => {
    if (!event.target.matches("[data-find]")) {
      return;
    }
    if (event.key === "Enter") {
      event.preventDefault();
      clearTimeout(waiting);
      const trace = textOf(event.target);
      const words = event.target.value.trim();
      if ((searches.get(trace) || {}).words === words) {
        go(trace, event.shiftKey ? -1 : 1);
      } else {
        search(trace, words);
      }
    } else if (event.key === "Escape") {
      event.target.value = "";
      search(textOf(event.target), "");
      event.target.blur();
    }
  });

  document.addEventListener("click", (event) => {
    const hit = event.target.closest("[data-hit]");
    if (hit) {
      go(textOf(hit), Number(hit.dataset.hit));
    }
    const fold = event.target.closest("[data-fold]");
    if (fold) {
      for (const step of textOf(fold).querySelectorAll("details.step")) {
        step.open = fold.dataset.fold === "none";
      }
    }
  });

  // an address may point into a trace that is not here yet
  function openTarget() {
    const match = /^#(t\d+)((?:p|a)\d+|attempt)?$/.exec(location.hash);
    const trace = match && document.getElementById(match[1]);
    if (!trace) {
      return;
    }
    trace.open = true;
    const target = document.getElementById(location.hash.slice(1));
    if (target) {
      const step = target.closest("details.step");
      if (step) {
        step.open = true;
      }
      target.scrollIntoView();
    }
  }

  let isPointing = true; // until what the address points at has come
  document.addEventListener("htmx:afterSettle", (event) => {
    if (isPointing && event.target.querySelector && event.target.querySelector("[data-trace-text]")) {
      if (location.hash && document.getElementById(location.hash.slice(1))) {
        // taken anew, so that the browser marks it as what the address points at
        location.replace(location.hash);
        isPointing = false;
      }
      openTarget();
    }
  });
  window.addEventListener("hashchange", openTarget);
  openTarget();

  window.s1webTrace = { go };
})();
