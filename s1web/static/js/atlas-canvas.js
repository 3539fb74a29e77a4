// Painting points: pixels are written one by one into the canvas, which needs no graphics card and no library, and
// takes some milliseconds for sixty thousand of them.
import { IS_CHOSEN, IS_HARD, IS_WITHIN, PLACE_STEPS } from "./atlas-points.js";

const PADDING = 20;
const MOST_ZOOM = 400;
// points lie on one another in this order; what is hidden is in none of them
const FAINT = 0;
const POOL = 1;
const HARD = 2;
const CHOSEN = 3;
const HIDDEN = 4;
const LOOKS = [
  { size: 0.8, opacity: 0.35 },
  { size: 1, opacity: 0.55 },
  { size: 1.15, opacity: 0.85 },
  { size: 1.9, opacity: 1, hasRing: true },
];

export class Chart {
  constructor(canvas, points) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d", { alpha: false });
    this.points = points;
    this.order = new Uint32Array(points.num);
    this.passes = new Uint8Array(points.num);
    this.starts = [0, 0, 0, 0, 0];
    this.width = this.height = 0;
    this.frameMs = 0;
  }

  resize(width, height) {
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    const isFirst = !this.width;
    const middle = isFirst ? null : this.placeOf(this.width / 2, this.height / 2);
    const zoom = isFirst ? 1 : this.zoom;
    [this.width, this.height, this.ratio] = [width, height, ratio];
    this.canvas.width = Math.max(Math.round(width * ratio), 1);
    this.canvas.height = Math.max(Math.round(height * ratio), 1);
    this.image = this.context.createImageData(this.canvas.width, this.canvas.height);
    this.pixels = new Uint32Array(this.image.data.buffer);
    this.fit();
    if (middle && zoom > 1) {
      this.scale *= zoom;
      this.left = width / 2 - middle[0] * this.scale;
      this.top = height / 2 - middle[1] * this.scale;
    }
  }

  // the whole map; places go from 0 to 1, `scale` is its side in CSS pixels
  fit() {
    this.whole = Math.max(Math.min(this.width, this.height) - 2 * PADDING, 40);
    this.scale = this.whole;
    this.left = (this.width - this.scale) / 2;
    this.top = (this.height - this.scale) / 2;
  }

  get zoom() {
    return this.scale / this.whole;
  }

  zoomBy(factor, x = this.width / 2, y = this.height / 2) {
    this.holdAt(this.placeOf(x, y), x, y, this.zoom * factor);
  }

  // a place comes to lie at a spot; the whole map always lies in the middle
  holdAt([px, py], x, y, zoom) {
    const scale = this.whole * Math.min(Math.max(zoom, 1), MOST_ZOOM);
    if (scale === this.whole) {
      this.fit();
      return;
    }
    this.scale = scale;
    this.left = x - px * scale;
    this.top = y - py * scale;
    this.moveBy(0, 0);
  }

  // some of the map stays in sight
  moveBy(dx, dy) {
    const most = (side) => side * 0.75;
    this.left = Math.min(Math.max(this.left + dx, this.width - this.scale - most(this.width)), most(this.width));
    this.top = Math.min(Math.max(this.top + dy, this.height - this.scale - most(this.height)), most(this.height));
  }

  placeOf(x, y) {
    return [(x - this.left) / this.scale, (y - this.top) / this.scale];
  }

  // where a place of the points lies, in CSS pixels
  spotOf(xStep, yStep) {
    return [this.left + (xStep / PLACE_STEPS) * this.scale, this.top + (yStep / PLACE_STEPS) * this.scale];
  }

  // which points are painted, and how: layers that are on, the code of one label alone (-1: all)
  arrange(colour, layers, alone) {
    const { num, marks } = this.points;
    const codes = this.points[colour];
    const counts = [0, 0, 0, 0, 0];
    for (let place = 0; place < num; place += 1) {
      const mark = marks[place];
      let pass = layers.has("pool") ? POOL : HIDDEN;
      if (layers.has("hard") && mark & IS_HARD) {
        pass = HARD;
      }
      if (layers.has("selection") && mark & IS_CHOSEN) {
        pass = CHOSEN;
      }
      if (pass !== HIDDEN && (!(mark & IS_WITHIN) || (alone >= 0 && codes[place] !== alone))) {
        pass = FAINT;
      }
      this.passes[place] = pass;
      counts[pass] += 1;
    }
    for (let pass = 0, start = 0; pass < 5; pass += 1) {
      this.starts[pass] = start;
      start += counts[pass];
    }
    // not in the order of loading: what came last would cover what came before
    const next = this.starts.slice();
    const step = strideFor(num);
    for (let count = 0, place = 0; count < num; count += 1, place = (place + step) % num) {
      this.order[next[this.passes[place]]++] = place;
    }
    this.codes = codes;
  }

  get numShown() {
    return this.starts[HIDDEN];
  }

  // `inks`: a colour for each code, and `faint`, `surface`, `text`, as 0xBBGGRR
  paint(inks) {
    const started = performance.now();
    const { pixels, canvas, ratio, order, codes } = this;
    const { x, y } = this.points;
    const [columns, rows] = [canvas.width, canvas.height];
    pixels.fill(0xff000000 | inks.surface);
    const unit = (this.scale * ratio) / PLACE_STEPS;
    const [left, top] = [this.left * ratio, this.top * ratio];
    const base = this.pointRadius() * ratio;
    for (let pass = FAINT; pass < HIDDEN; pass += 1) {
      const look = LOOKS[pass];
      const ring = look.hasRing ? stamp(base * look.size + ratio, columns, 0.9) : null;
      const dot = stamp(base * look.size, columns, look.opacity);
      const margin = (ring || dot).reach;
      for (let place = this.starts[pass]; place < this.starts[pass + 1]; place += 1) {
        const point = order[place];
        const column = Math.round(left + x[point] * unit);
        const row = Math.round(top + y[point] * unit);
        if (column < margin || row < margin || column >= columns - margin || row >= rows - margin) {
          continue;
        }
        const centre = row * columns + column;
        if (ring) {
          press(pixels, centre, ring, inks.text);
        }
        press(pixels, centre, dot, pass === FAINT ? inks.faint : inks.codes[codes[point]]);
      }
    }
    this.context.putImageData(this.image, 0, 0);
    this.frameMs = performance.now() - started;
  }

  // in CSS pixels: large where there are few, larger as the map comes nearer
  pointRadius() {
    const room = Math.sqrt((this.whole * this.whole) / Math.max(this.points.num, 1));
    const base = Math.min(Math.max(room * 0.32, 1.1), 4.5);
    return Math.min(base * this.zoom ** 0.35, Math.max(base, 6));
  }

  // the point under a pixel, of those that lie on top first; -1 where none is near
  pointAt(px, py, most = 10) {
    const { x, y } = this.points;
    const unit = this.scale / PLACE_STEPS;
    let [best, nearest] = [-1, most * most];
    for (let place = this.starts[HIDDEN] - 1; place >= this.starts[POOL]; place -= 1) {
      const point = this.order[place];
      const dx = this.left + x[point] * unit - px;
      const dy = this.top + y[point] * unit - py;
      const away = dx * dx + dy * dy;
      if (away < nearest) {
        [best, nearest] = [point, away];
      }
    }
    return best;
  }
}

// a step that visits every place once, in an order that looks like none
function strideFor(num) {
  const divides = (a, b) => (b ? divides(b, a % b) : a);
  let step = Math.max(Math.floor(num * 0.618), 1);
  while (divides(step, num) !== 1) {
    step += 1;
  }
  return step;
}

// a round dot: how far its pixels are from the middle one in memory, and how much each takes of the colour, of 256
function stamp(radius, columns, opacity) {
  const reach = Math.ceil(radius);
  const offsets = [];
  const shares = [];
  for (let row = -reach; row <= reach; row += 1) {
    for (let column = -reach; column <= reach; column += 1) {
      const share = Math.min(Math.max(radius + 0.5 - Math.hypot(row, column), 0), 1) * opacity;
      if (share > 0.02) {
        offsets.push(row * columns + column);
        shares.push(Math.round(share * 256));
      }
    }
  }
  return { reach: reach + 1, offsets: Int32Array.from(offsets), shares: Int32Array.from(shares) };
}

function press(pixels, centre, dot, ink) {
  const { offsets, shares } = dot;
  const [redBlue, green] = [ink & 0xff00ff, ink & 0x00ff00];
  for (let place = 0; place < offsets.length; place += 1) {
    const at = centre + offsets[place];
    const share = shares[place];
    const under = pixels[at];
    const rest = 256 - share;
    pixels[at] = 0xff000000
      | (((Math.imul(redBlue, share) + Math.imul(under & 0xff00ff, rest)) >>> 8) & 0xff00ff)
      | (((Math.imul(green, share) + Math.imul(under & 0x00ff00, rest)) >>> 8) & 0x00ff00);
  }
}
