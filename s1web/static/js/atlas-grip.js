// Two fingers on the map: what lay between them when both were down stays between them, and grows as they part.
// Reckoned from that moment and not from move to move, so that nothing adds up while they go side by side.

export class Grip {
  constructor(chart, fingers) {
    this.chart = chart;
    const { middle, span } = measure(fingers);
    this.place = chart.placeOf(...middle);
    this.zoomPerPixel = chart.zoom / span;
  }

  move(fingers) {
    const { middle, span } = measure(fingers);
    this.chart.holdAt(this.place, ...middle, this.zoomPerPixel * span);
  }
}

// `fingers`: where the two are, in CSS pixels
function measure([[ax, ay], [bx, by]]) {
  return { middle: [(ax + bx) / 2, (ay + by) / 2], span: Math.max(Math.hypot(ax - bx, ay - by), 1) };
}
