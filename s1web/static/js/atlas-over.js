// What lies over the points: the labels of clusters, what was drawn around questions, the point that is meant.
import { CORNER_STEPS, PLACE_STEPS } from "./atlas-points.js";

const FONT_PX = 12;
const MOST_CHARACTERS = 30;

export class Over {
  constructor(canvas, chart) {
    this.canvas = canvas;
    this.chart = chart;
    this.context = canvas.getContext("2d");
  }

  resize() {
    this.canvas.width = this.chart.canvas.width;
    this.canvas.height = this.chart.canvas.height;
  }

  // `labels`: [{text, at}], the more important first; `corners` of an area; `path` being drawn, in CSS pixels
  paint({ labels, corners, path, point, inks }) {
    const { context, chart } = this;
    context.setTransform(chart.ratio, 0, 0, chart.ratio, 0, 0);
    context.clearRect(0, 0, chart.width, chart.height);
    const drawn = path || corners.map(([x, y]) => chart.spotOf(
      (x / CORNER_STEPS) * PLACE_STEPS, (y / CORNER_STEPS) * PLACE_STEPS));
    if (drawn.length > 1) {
      this.area(drawn, !path, inks.accent);
    }
    this.labels(labels, inks);
    if (point >= 0) {
      this.ring(chart.spotOf(chart.points.x[point], chart.points.y[point]), inks);
    }
  }

  area(drawn, isClosed, ink) {
    const { context } = this;
    context.beginPath();
    drawn.forEach(([x, y], place) => (place ? context.lineTo(x, y) : context.moveTo(x, y)));
    if (isClosed) {
      context.closePath();
    }
    context.fillStyle = context.strokeStyle = ink;
    context.globalAlpha = 0.12;
    context.fill("evenodd");
    context.globalAlpha = 1;
    context.lineWidth = 2;
    context.stroke();
  }

  ring([x, y], inks) {
    const { context } = this;
    const radius = this.chart.pointRadius() + 4;
    for (const [ink, width] of [[inks.surface, 5], [inks.text, 2]]) {
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      context.strokeStyle = ink;
      context.lineWidth = width;
      context.stroke();
    }
  }

  // a label that would lie on one before it is left out
  labels(labels, inks) {
    const { context, chart } = this;
    context.font = `600 ${FONT_PX}px ${getComputedStyle(this.canvas).fontFamily}`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineJoin = "round";
    const taken = [];
    for (const label of labels) {
      const [x, y] = chart.spotOf(...label.at);
      const text = shortened(label.text);
      const half = context.measureText(text).width / 2 + 4;
      const box = [x - half, y - FONT_PX, x + half, y + FONT_PX];
      const isOutside = box[0] < 0 || box[1] < 36 || box[2] > chart.width || box[3] > chart.height;
      if (isOutside || taken.some((other) =>
        box[0] < other[2] && other[0] < box[2] && box[1] < other[3] && other[1] < box[3])) {
        continue;
      }
      taken.push(box);
      context.strokeStyle = inks.surface;
      context.lineWidth = 4;
      context.globalAlpha = 0.85;
      context.strokeText(text, x, y);
      context.globalAlpha = 1;
      context.fillStyle = inks.text;
      context.fillText(text, x, y);
    }
  }
}

// as many whole terms as there is room for
function shortened(text) {
  const terms = text.split(", ");
  let found = terms[0];
  for (const term of terms.slice(1, 3)) {
    if (found.length + term.length + 2 > MOST_CHARACTERS) {
      break;
    }
    found += `, ${term}`;
  }
  return found.length > MOST_CHARACTERS ? `${found.slice(0, MOST_CHARACTERS - 1)}…` : found;
}
