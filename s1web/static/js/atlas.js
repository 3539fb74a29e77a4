// The page of the map: fetches the points, paints them, and keeps legend, area, address and links in step.
import { Chart } from "./atlas-canvas.js";
import { Grip } from "./atlas-grip.js";
import { entryButton, poolAddress } from "./atlas-links.js";
import { Over } from "./atlas-over.js";
import {
  CORNER_STEPS, IS_CHOSEN, IS_HARD, IS_WITHIN, fromText, insideTest, read, toCorners, toText,
} from "./atlas-points.js";

const NUM_INKS = 8;
const DWELL_MS = 90;
const MOVE_SHARE = 0.15;
const root = document.getElementById("atlas");
const form = document.getElementById("map-form");
const stage = root.querySelector(".atlas__stage");
const over = root.querySelector(".atlas__over");
const card = root.querySelector(".atlas__card");
const number = new Intl.NumberFormat("en-US");
const state = { colour: "cluster", layers: new Set(), alone: -1, corners: fromText(root.dataset.area), point: -1, path: null };
let chart;
let overlay;
let inks;
let isPinned = false;
let isDue = false;

start();

async function start() {
  const wait = root.querySelector(".atlas__wait");
  const told = setTimeout(() => { wait.textContent = "Fetching the points"; }, 300);
  let points;
  try {
    const answer = await fetch(root.dataset.points, { credentials: "same-origin" });
    if (answer.redirected) {
      location.reload(); // signed out meanwhile
      return;
    }
    if (!answer.ok) {
      throw new Error((await answer.text()).trim().slice(0, 300));
    }
    points = read(await answer.arrayBuffer());
  } catch (error) {
    clearTimeout(told);
    wait.textContent = `The points did not come: ${error.message} Reload the page to try again.`;
    return;
  }
  clearTimeout(told);
  wait.textContent = "";
  chart = new Chart(root.querySelector(".atlas__points"), points);
  overlay = new Over(over, chart);
  readForm();
  readInks();
  new ResizeObserver(resize).observe(stage);
  resize();
  arrange();
  listen();
  showArea();
  stage.dataset.state = "ready";
}

// --- what is asked for ------------------------------------------------------------

function readForm() {
  const asked = new FormData(form);
  state.colour = asked.get("colour");
  state.layers = new Set(asked.getAll("layer"));
}

function entries() {
  return chart.points.colours[state.colour];
}

function arrange() {
  chart.arrange(state.colour, state.layers, state.alone);
  stage.dataset.shown = chart.numShown;
  root.querySelector(".atlas__wait").textContent = chart.numShown ? "" : "No question is in a layer that is on.";
  inks.codes = entries().map((entry, place) => inks.packed[place === state.alone && entry.ink === "other" ? "alone" : entry.ink]);
  if (state.point >= 0 && chart.passes[state.point] === 0) {
    unpin();
  }
  showLegend();
  draw();
}

// the address says what is seen; so do the links that stay on this page
function remember() {
  const asked = new FormData(form);
  const own = new URLSearchParams();
  for (const [name, value] of asked) {
    if (value && !(name === "colour" && value === "cluster")) {
      own.append(name, value);
    }
  }
  if (state.layers.size === form.querySelectorAll("[name=layer]").length) {
    own.delete("layer");
  }
  if (!new URLSearchParams(location.search).has("chosen")) {
    own.delete("chosen");
  }
  history.replaceState(null, "", `${location.pathname}${own.size ? `?${own}` : ""}${location.hash}`);
  for (const link of document.querySelectorAll("a[data-keeps]")) {
    const address = new URL(link.href);
    for (const name of ["colour", "layer", "area"]) {
      address.searchParams.delete(name);
      own.getAll(name).forEach((value) => address.searchParams.append(name, value));
    }
    link.href = address;
  }
}

// --- painting ------------------------------------------------------------

function readInks() {
  inks = { packed: {}, codes: [] };
  for (const probe of root.querySelectorAll("[data-ink]")) {
    const colour = getComputedStyle(probe).color;
    const [red, green, blue] = colour.match(/\d+/g).map(Number);
    inks.packed[probe.dataset.ink] = red | (green << 8) | (blue << 16);
    inks[probe.dataset.ink] = colour;
  }
}

function draw() {
  if (!isDue) {
    isDue = true;
    requestAnimationFrame(() => {
      isDue = false;
      const { missing: faint, surface, text } = inks.packed;
      chart.paint({ codes: inks.codes, faint, surface, text });
      stage.dataset.frameMs = chart.frameMs.toFixed(2);
      drawOver();
    });
  }
}

function drawOver() {
  overlay.paint({ labels: labels(), corners: state.corners, path: state.path, point: state.point, inks });
  stage.classList.toggle("is-zoomed", chart.zoom > 1.001);
}

function labels() {
  const found = entries().map((entry, place) => ({ text: entry.label, at: entry.at, count: entry.count, place }));
  return found
    .filter((label) => chart.numShown && label.at && label.count && (state.alone < 0 || label.place === state.alone))
    .sort((one, other) => other.count - one.count);
}

function resize() {
  chart.resize(stage.clientWidth, stage.clientHeight);
  overlay.resize();
  draw();
}

// --- legend ------------------------------------------------------------

function showLegend() {
  const chosen = form.elements.colour.selectedOptions[0];
  root.querySelector(".atlas__title").textContent = chosen.textContent;
  const [list, rest] = root.querySelectorAll(".atlas__legend");
  const own = [];
  const others = [];
  let numOthers = 0;
  entries().forEach((entry, place) => {
    if (entry.ink === "other") {
      others.push(entryButton(entry, place, place === state.alone));
      numOthers += entry.count;
    } else if (entry.count) {
      own.push(entryButton(entry, place, place === state.alone));
    }
  });
  list.replaceChildren(...own);
  rest.replaceChildren(...others);
  const details = root.querySelector(".atlas__rest");
  details.hidden = !others.length;
  details.open ||= state.alone >= NUM_INKS && entries()[state.alone].ink === "other";
  details.querySelector("summary").textContent = `${number.format(others.length)} others, grey: ${number.format(numOthers)}`;
}

function isolate(place) {
  state.alone = place === state.alone ? -1 : place;
  const hadFocus = document.activeElement && document.activeElement.matches(".atlas__entry");
  arrange();
  if (hadFocus) {
    root.querySelector(`.atlas__entry[data-place="${place}"]`)?.focus();
  }
  showArea();
}

// --- area ------------------------------------------------------------

function setArea(corners) {
  state.corners = corners || [];
  form.elements.area.value = toText(state.corners);
  form.elements.area.disabled = !state.corners.length;
  showArea();
  remember();
  draw();
}

function showArea() {
  const bar = root.querySelector(".atlas__bar");
  bar.hidden = !state.corners.length;
  if (bar.hidden) {
    return;
  }
  const { num, x, y, marks } = chart.points;
  const isInside = insideTest(state.corners);
  const entry = state.alone >= 0 ? entries()[state.alone] : null;
  const codes = chart.points[state.colour];
  const isAlone = entry && entry.query.length > 0;
  const counts = { all: 0, hard: 0, chosen: 0 };
  for (let point = 0; point < num; point += 1) {
    if (marks[point] & IS_WITHIN && (!isAlone || codes[point] === state.alone) && isInside(x[point], y[point])) {
      counts.all += 1;
      counts.hard += marks[point] & IS_HARD ? 1 : 0;
      counts.chosen += marks[point] & IS_CHOSEN ? 1 : 0;
    }
  }
  const isSelectionAlone = state.layers.size === 1 && state.layers.has("selection");
  const shown = isSelectionAlone ? counts.chosen : counts.all;
  const parts = [`${number.format(shown)} ${isSelectionAlone ? "selected " : ""}${shown === 1 ? "question" : "questions"}`];
  if (isAlone) {
    parts.push(entry.label);
  }
  if (!isSelectionAlone && form.querySelector("[name=layer][value=hard]")) {
    parts.push(`${number.format(counts.hard)} hard`);
  }
  if (!isSelectionAlone && root.dataset.chosen !== undefined) {
    parts.push(`${number.format(counts.chosen)} selected`);
  }
  root.querySelector(".atlas__count").textContent = parts.join(" · ");
  const link = root.querySelector("[data-do=open]");
  link.href = poolAddress(
    root.dataset.pool, toText(state.corners), isAlone ? entry.query : [], isSelectionAlone ? root.dataset.chosen : null);
  link.hidden = !shown;
}

function takeView() {
  const ends = [chart.placeOf(0, 0), chart.placeOf(chart.width, chart.height)];
  const [[left, top], [right, bottom]] = ends.map((end) =>
    end.map((part) => Math.min(Math.max(Math.round(part * CORNER_STEPS), 0), CORNER_STEPS)));
  setArea([[left, top], [right, top], [right, bottom], [left, bottom]]);
}

// --- the question at a point ------------------------------------------------------------

let dwell = 0;
let asking = null;

function point(found, { pin = false } = {}) {
  if (found === state.point && (!pin || isPinned)) {
    return;
  }
  state.point = found;
  isPinned = pin && found >= 0;
  card.classList.toggle("is-pinned", isPinned);
  stage.classList.toggle("is-over", found >= 0);
  clearTimeout(dwell);
  asking?.abort();
  card.hidden = true;
  drawOver();
  if (found >= 0) {
    dwell = setTimeout(showCard, pin ? 0 : DWELL_MS, found);
  }
}

function unpin() {
  isPinned = false;
  point(-1);
}

async function showCard(found) {
  asking = new AbortController();
  const { x, y } = chart.points;
  const address = new URL(root.dataset.near, location.href);
  address.searchParams.set("x", x[found]);
  address.searchParams.set("y", y[found]);
  let text;
  try {
    const answer = await fetch(address, { credentials: "same-origin", signal: asking.signal });
    if (answer.redirected || !answer.ok) {
      return;
    }
    text = await answer.text();
  } catch (error) {
    return; // another point was meant before this one came, or the network is gone
  }
  if (found === state.point) {
    // the server has escaped what stands in the question
    card.querySelector(".atlas__near").innerHTML = text;
    card.hidden = false;
    placeCard();
  }
}

function placeCard() {
  const [x, y] = chart.spotOf(chart.points.x[state.point], chart.points.y[state.point]);
  const [width, height] = [card.offsetWidth, card.offsetHeight];
  const left = x + 16 + width < chart.width ? x + 16 : x - 16 - width;
  card.style.left = `${Math.min(Math.max(left, 8), Math.max(chart.width - width - 8, 8))}px`;
  card.style.top = `${Math.min(Math.max(y - height / 2, 8), Math.max(chart.height - height - 8, 8))}px`;
}

// --- hands and keys ------------------------------------------------------------

function moved(change) {
  change();
  if (!card.hidden) {
    placeCard();
  }
  draw();
}

function listen() {
  const fingers = new Map();
  let grip = null;
  let travelled = 0;
  let isDrawing = false;
  const lasso = root.querySelector("[data-do=lasso]");

  const setDrawing = (isOn) => {
    isDrawing = isOn;
    lasso.setAttribute("aria-pressed", String(isOn));
    stage.classList.toggle("is-drawing", isOn);
  };
  const takeGrip = () => {
    grip = fingers.size === 2 ? new Grip(chart, [...fingers.values()]) : null;
  };
  const spot = (event) => {
    const box = over.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };

  over.addEventListener("pointerdown", (event) => {
    if (event.button) {
      return;
    }
    over.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, spot(event));
    takeGrip();
    travelled = 0;
    if (fingers.size === 1 && (isDrawing || event.shiftKey)) {
      setDrawing(true);
      unpin();
      state.path = [spot(event)];
    } else {
      state.path = null;
    }
  });

  over.addEventListener("pointermove", (event) => {
    const now = spot(event);
    const before = fingers.get(event.pointerId);
    if (!before) {
      if (event.pointerType === "mouse" && !isPinned && !isDrawing) {
        point(chart.pointAt(...now));
      }
      return;
    }
    travelled += Math.hypot(now[0] - before[0], now[1] - before[1]);
    if (state.path) {
      state.path.push(now);
      fingers.set(event.pointerId, now);
      drawOver();
    } else if (grip) {
      fingers.set(event.pointerId, now);
      moved(() => grip.move([...fingers.values()]));
    } else if (fingers.size === 1 && travelled > 3) {
      stage.classList.add("is-moving");
      moved(() => chart.moveBy(now[0] - before[0], now[1] - before[1]));
      fingers.set(event.pointerId, now);
    }
  });

  const lift = (event) => {
    if (!fingers.delete(event.pointerId)) {
      return;
    }
    takeGrip();
    stage.classList.remove("is-moving");
    if (state.path) {
      const path = state.path.map(([x, y]) => chart.placeOf(x, y).map((part) => part * CORNER_STEPS));
      state.path = null;
      setDrawing(false);
      setArea(event.type === "pointerup" ? toCorners(path) : null);
    } else if (travelled <= 3 && event.type === "pointerup") {
      const found = chart.pointAt(...spot(event), event.pointerType === "mouse" ? 10 : 20);
      if (found >= 0) {
        point(found, { pin: true });
      } else {
        unpin();
      }
    }
  };
  over.addEventListener("pointerup", lift);
  over.addEventListener("pointercancel", lift);
  over.addEventListener("pointerleave", () => {
    if (!isPinned) {
      point(-1);
    }
  });

  over.addEventListener("wheel", (event) => {
    const factor = Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0016));
    if (factor < 1 && chart.zoom <= 1) {
      return; // all is in sight: the wheel scrolls the page
    }
    event.preventDefault();
    moved(() => chart.zoomBy(factor, ...spot(event)));
  }, { passive: false });

  const acts = {
    in: () => moved(() => chart.zoomBy(1.5)),
    out: () => moved(() => chart.zoomBy(1 / 1.5)),
    whole: () => moved(() => chart.fit()),
    lasso: () => setDrawing(!isDrawing),
    view: takeView,
    clear: () => setArea(null),
    close: () => { unpin(); over.focus(); },
  };
  root.addEventListener("click", (event) => {
    const button = event.target.closest("[data-do]");
    const entry = event.target.closest(".atlas__entry");
    if (button && acts[button.dataset.do]) {
      acts[button.dataset.do]();
    } else if (entry) {
      isolate(Number(entry.dataset.place));
    }
  });

  const [dx, dy] = [() => chart.width * MOVE_SHARE, () => chart.height * MOVE_SHARE];
  const keys = {
    "+": acts.in,
    "=": acts.in,
    "-": acts.out,
    0: acts.whole,
    ArrowLeft: () => moved(() => chart.moveBy(dx(), 0)),
    ArrowRight: () => moved(() => chart.moveBy(-dx(), 0)),
    ArrowUp: () => moved(() => chart.moveBy(0, dy())),
    ArrowDown: () => moved(() => chart.moveBy(0, -dy())),
    Enter: () => point(chart.pointAt(chart.width / 2, chart.height / 2, Infinity), { pin: true }),
  };
  over.addEventListener("keydown", (event) => {
    const act = event.ctrlKey || event.metaKey || event.altKey ? null : keys[event.key];
    if (act) {
      event.preventDefault();
      act();
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || document.querySelector("dialog[open], details.menu[open]")) {
      return;
    }
    if (state.path || isDrawing) {
      state.path = null;
      setDrawing(false);
      drawOver();
    } else if (isPinned) {
      acts.close();
    } else if (state.corners.length) {
      setArea(null);
    }
  });

  form.addEventListener("change", (event) => {
    if (event.target.name === "chosen") {
      form.requestSubmit();
      return;
    }
    if (event.target.name === "colour") {
      state.alone = -1;
    }
    readForm();
    arrange();
    showArea();
    remember();
  });
  form.addEventListener("submit", () => {
    form.elements.area.disabled = !state.corners.length;
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-isolate]");
    if (button) {
      form.elements.colour.value = state.colour = "cluster";
      state.alone = entries().findIndex((entry) => entry.query.some(([name, value]) =>
        name === "cluster" && value === button.dataset.isolate));
      remember();
      arrange();
      showArea();
      root.scrollIntoView({ block: "start" });
    }
  });

  const repaint = () => {
    readInks();
    arrange();
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
  new MutationObserver(repaint).observe(document.documentElement, { attributeFilter: ["data-theme"] });
}
