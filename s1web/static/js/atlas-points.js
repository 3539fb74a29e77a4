// The points of the map as they come from the server (s1web/atlas/points.py), and which of them lie in a polygon.

export const PLACE_STEPS = 65535;
export const CORNER_STEPS = 1000;
export const IS_HARD = 1;
export const IS_CHOSEN = 2;
export const IS_WITHIN = 4;
const MOST_CORNERS = 60;
const TYPES = { uint8: Uint8Array, uint16: Uint16Array };

export function read(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const points = { num: head.num, colours: head.colours };
  let place = 4 + length;
  for (const [name, type] of head.arrays) {
    points[name] = new TYPES[type](buffer, place, head.num);
    place += points[name].byteLength;
  }
  return points;
}

// the same whole numbers as in curation/polygons.py, so that the pool page counts the same questions
export function insideTest(corners) {
  const borders = corners.map((corner, place) => {
    const next = corners[(place + 1) % corners.length];
    return [corner[0] * PLACE_STEPS, corner[1] * PLACE_STEPS, next[0] * PLACE_STEPS, next[1] * PLACE_STEPS];
  });
  return (xStep, yStep) => {
    const x = xStep * CORNER_STEPS;
    const y = yStep * CORNER_STEPS;
    let isInside = false;
    for (const [x1, y1, x2, y2] of borders) {
      if ((y >= y1) !== (y >= y2)) {
        const side = (x - x1) * (y2 - y1) - (y - y1) * (x2 - x1);
        if (y2 > y1 ? side < 0 : side > 0) {
          isInside = !isInside;
        }
      }
    }
    return isInside;
  };
}

export function toText(corners) {
  return corners.map(([x, y]) => `${x}_${y}`).join("-");
}

export function fromText(text) {
  return text ? text.split("-").map((corner) => corner.split("_").map(Number)) : [];
}

// what was drawn, as corners on the map: as few as say the same, sixty at most; null where it encloses nothing
export function toCorners(path) {
  let tolerance = 1.5;
  let kept = path;
  do {
    kept = thinned(path, tolerance);
    tolerance *= 1.4;
  } while (kept.length > MOST_CORNERS);
  const corners = [];
  for (const [x, y] of kept) {
    const corner = [x, y].map((part) => Math.min(Math.max(Math.round(part), 0), CORNER_STEPS));
    const last = corners[corners.length - 1];
    if (!last || last[0] !== corner[0] || last[1] !== corner[1]) {
      corners.push(corner);
    }
  }
  return corners.length < 3 ? null : corners;
}

// Douglas and Peucker: a point stays where the line without it would be further away than the tolerance
function thinned(path, tolerance) {
  const stays = new Uint8Array(path.length);
  stays[0] = stays[path.length - 1] = 1;
  const open = [[0, path.length - 1]];
  while (open.length) {
    const [first, last] = open.pop();
    let furthest = -1;
    let most = tolerance;
    for (let place = first + 1; place < last; place += 1) {
      const away = distance(path[place], path[first], path[last]);
      if (away > most) {
        [furthest, most] = [place, away];
      }
    }
    if (furthest >= 0) {
      stays[furthest] = 1;
      open.push([first, furthest], [furthest, last]);
    }
  }
  return path.filter((_, place) => stays[place]);
}

function distance([x, y], [x1, y1], [x2, y2]) {
  const [dx, dy] = [x2 - x1, y2 - y1];
  const length = dx * dx + dy * dy;
  const along = length ? Math.min(Math.max(((x - x1) * dx + (y - y1) * dy) / length, 0), 1) : 0;
  return Math.hypot(x - x1 - along * dx, y - y1 - along * dy);
}
