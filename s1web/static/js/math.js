// Mathematics in hostile text: KaTeX sets it when it comes near the window; what cannot be set stays as it is written.
(function () {
  "use strict";

  const STORED = "mathematics";
  const MAX_FORMULA = 4000; // characters; a longer one is rather an unclosed one
  const MAX_NODES = 8000;
  const MAX_DEPTH = 150; // a browser's layout is recursive
  const ENVIRONMENTS =
    /^\\begin\{((?:equation|align|alignat|gather|multline|aligned|gathered|cases|array|split|CD|[pbBvV]?matrix)\*?)\}/;
  // commands that load, link, mark up or write to the console, and definitions, by which few characters become many
  const REFUSED =
    /\\(?:href|url|html[A-Za-z]*|includegraphics|(?:err)?message|show|[egx]?def|(?:re|provide)?(?:new)?command|let|futurelet|global|long)(?![A-Za-z])/;
  const OPTIONS = {
    throwOnError: true, // a formula with an error is shown as it is written
    errorColor: "inherit",
    trust: false,
    strict: "ignore",
    maxSize: 10,
    maxExpand: 200,
  };

  // [text, is it mathematics, as it was written, is it displayed] for each piece of a text
  function pieces(text) {
    const found = [];
    let plain = "";
    let place = 0;
    const signs = /[\\$]/g;
    while (place < text.length) {
      signs.lastIndex = place;
      const sign = signs.exec(text);
      if (!sign) {
        break;
      }
      plain += text.slice(place, sign.index);
      place = sign.index;
      const formula = formulaAt(text, place);
      if (formula) {
        if (plain) {
          found.push({ text: plain });
          plain = "";
        }
        found.push(formula);
        place = formula.end;
      } else if (text.startsWith("\\$", place)) {
        plain += "$";
        place += 2;
      } else {
        const length = text[place] === "\\" ? 2 : 1;
        plain += text.slice(place, place + length);
        place += length;
      }
    }
    plain += text.slice(place);
    if (plain) {
      found.push({ text: plain });
    }
    return found;
  }

  function formulaAt(text, start) {
    const near = text.slice(start, start + MAX_FORMULA);
    for (const [left, right, isDisplayed] of [["\\(", "\\)", false], ["\\[", "\\]", true], ["$$", "$$", true]]) {
      if (near.startsWith(left)) {
        const end = closing(near, left.length, right);
        if (end > left.length && near.slice(left.length, end).trim()) {
          return formula(near, left.length, end, end + right.length, isDisplayed, start);
        }
        return null;
      }
    }
    const environment = ENVIRONMENTS.exec(near);
    if (environment) {
      const right = `\\end{${environment[1]}}`;
      const end = near.indexOf(right);
      return end < 0 ? null : formula(near, 0, end + right.length, end + right.length, true, start);
    }
    if (near[0] === "$") {
      const end = closing(near, 1, "$");
      if (end > 1 && isInline(near.slice(1, end), near[end + 1] || "")) {
        return formula(near, 1, end, end + 1, false, start);
      }
    }
    return null;
  }

  function formula(near, from, to, end, isDisplayed, start) {
    return { math: near.slice(from, to), written: near.slice(0, end), isDisplayed, end: start + end };
  }

  // where a formula closes: outside braces, and not after a backslash; -1 where it does not
  function closing(text, from, right) {
    let depth = 0;
    for (let place = from; place < text.length; place += 1) {
      if (depth <= 0 && text.startsWith(right, place)) {
        return place;
      }
      if (text[place] === "\\") {
        place += 1;
      } else if (text[place] === "{") {
        depth += 1;
      } else if (text[place] === "}") {
        depth -= 1;
      }
    }
    return -1;
  }

  // "$5 and $10" is money: a formula begins and ends without a space, and no digit follows it
  function isInline(math, next) {
    if (/[0-9]/.test(next) || !math.trim()) {
      return false;
    }
    if (/^\s/.test(math) && /\s$/.test(math)) {
      return /[\\^_=<>+]/.test(math) || /^\s+\S{1,12}\s+$/.test(math);
    }
    return !/^\s|\s$/.test(math);
  }

  function set(piece) {
    const place = document.createElement("span");
    if (REFUSED.test(piece.math)) {
      return unset(piece, "not set: it defines, links or marks up");
    }
    try {
      place.append(build(piece));
    } catch (error) {
      return unset(piece, error instanceof window.katex.ParseError ? error.message : "too deep to be set");
    }
    return isBounded(place) ? place : unset(piece, "too large to be set");
  }

  // `katex.render`, but for the few style attributes that it sets (\vec, \pmb, ...): the content security policy stops
  // those, not styles that are set through the DOM
  function build(piece) {
    const tree = window.katex.__renderToDomTree(piece.math, { ...OPTIONS, displayMode: piece.isDisplayed });
    const nodes = [tree];
    while (nodes.length) {
      const node = nodes.pop();
      if (node.attributes && node.attributes.style) {
        node.attributes["data-style"] = node.attributes.style;
        delete node.attributes.style;
      }
      for (const child of node.children || []) {
        nodes.push(child);
      }
    }
    const element = tree.toNode();
    for (const styled of element.querySelectorAll("[data-style]")) {
      styled.style.cssText = styled.dataset.style;
      styled.removeAttribute("data-style");
    }
    return element;
  }

  function unset(piece, reason) {
    const place = document.createElement("span");
    place.className = "mathematics__unset";
    place.title = reason.slice(0, 300);
    place.append(...breakable(piece.written));
    return place;
  }

  function isBounded(root) {
    let count = 0;
    let level = [root];
    for (let depth = 0; level.length; depth += 1) {
      count += level.length;
      if (depth > MAX_DEPTH || count > MAX_NODES) {
        return false;
      }
      level = level.flatMap((node) => [...node.childNodes]);
    }
    return true;
  }

  // a long run without a space, with places to break at: a browser shapes such a run anew for each of its lines
  function breakable(text) {
    const parts = [];
    let place = 0;
    for (const run of text.matchAll(/\S{400,}/g)) {
      parts.push(text.slice(place, run.index));
      for (place = run.index; place < run.index + run[0].length; place += 100) {
        parts.push(text.slice(place, Math.min(place + 100, run.index + run[0].length)), document.createElement("wbr"));
      }
      place = run.index + run[0].length;
    }
    parts.push(text.slice(place));
    return parts;
  }

  const sources = new WeakMap(); // an element's text before anything was set in it

  function render(element) {
    if (sources.has(element) || !/[\\$]/.test(element.textContent)) {
      return;
    }
    sources.set(element, [...element.childNodes].map((node) => node.cloneNode(true)));
    element.querySelectorAll("wbr").forEach((place) => place.remove());
    element.normalize(); // one text, whatever it was split at
    const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    const texts = [];
    while (walker.nextNode()) {
      texts.push(walker.currentNode);
    }
    for (const node of texts) {
      const found = pieces(node.data);
      node.replaceWith(...found.flatMap((piece) => (piece.math === undefined ? breakable(piece.text) : [set(piece)])));
    }
  }

  // what scrolls can be reached by keyboard
  function reach(element) {
    for (const box of [element, ...element.querySelectorAll(".katex-display")]) {
      if (box.scrollWidth > box.clientWidth && box.clientWidth) {
        box.tabIndex = 0;
      }
    }
  }

  function sourceOf(element) {
    const source = sources.get(element);
    return source ? source.map((node) => node.textContent).join("") : element.textContent;
  }

  // the text as it came
  function restore(element) {
    const source = sources.get(element);
    if (source) {
      sources.delete(element);
      element.replaceChildren(...source);
      element.removeAttribute("tabindex");
    }
  }

  function isRaw() {
    try {
      return localStorage.getItem(STORED) === "raw";
    } catch (error) {
      return document.documentElement.dataset.mathematics === "raw";
    }
  }

  function toggle() {
    const raw = !isRaw();
    document.documentElement.dataset.mathematics = raw ? "raw" : "rendered";
    try {
      localStorage.setItem(STORED, raw ? "raw" : "rendered");
    } catch (error) {
      // it holds for this page
    }
    show();
  }

  function watch(element) {
    observer.unobserve(element);
    observer.observe(element);
  }

  function show(root = document) {
    for (const button of document.querySelectorAll("[data-raw]")) {
      button.setAttribute("aria-pressed", String(isRaw()));
    }
    for (const element of root.querySelectorAll(".mathematics")) {
      if (isRaw()) {
        restore(element);
      } else {
        watch(element);
      }
    }
  }

  const observer = new IntersectionObserver(
    (entries) => {
      // a paragraph in which a search marks its hits is shown as written
      const near = entries
        .filter((entry) => entry.isIntersecting && !isRaw() && !entry.target.hasAttribute("data-marked"))
        .map((entry) => entry.target);
      for (const element of near) {
        observer.unobserve(element);
        render(element);
      }
      near.forEach(reach);
    },
    { rootMargin: "600px 0px" },
  );

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-raw]")) {
      toggle();
    }
  });
  document.addEventListener("htmx:afterSettle", (event) => event.target.querySelector(".mathematics") && show(event.target));
  window.addEventListener("storage", (event) => event.key === STORED && show());

  window.s1webMath = { toggle, render, restore, sourceOf, breakable, pieces, again: (element) => !isRaw() && watch(element) };
  if (window.katex) {
    show();
  }
})();
