// What leads on from the map: the labels of the legend, and the address of the pool page.

const number = new Intl.NumberFormat("en-US");

// what stands in the data is text, never markup
export function entryButton(entry, place, isAlone) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "atlas__entry";
  button.dataset.place = place;
  button.title = `${entry.label}: show alone`;
  button.setAttribute("aria-pressed", String(isAlone));
  const swatch = document.createElement("span");
  swatch.className = `ink ink--${isAlone && entry.ink === "other" ? "alone" : entry.ink}`;
  const [label, count] = [document.createElement("span"), document.createElement("span")];
  label.textContent = entry.label;
  count.textContent = number.format(entry.count);
  button.append(swatch, label, count);
  const item = document.createElement("li");
  item.append(button);
  return item;
}

// the pool page of an area: `query` are the conditions of a label shown alone, `selection` its name or null
export function poolAddress(base, area, query, selection) {
  const address = new URL(base, location.href);
  for (const [name, value] of query) {
    const before = name === "tokens" && address.searchParams.get(name);
    address.searchParams.set(name, before ? common(before, value) : value);
  }
  if (selection !== null) {
    address.searchParams.append("selection", selection);
  }
  address.searchParams.set("area", area);
  return address;
}

// the lengths that two ranges share: "600-", "512-1023" -> "600-1023"
function common(one, other) {
  const [[low1, high1], [low2, high2]] = [one, other].map((range) => range.split("-").map((end) => (end ? Number(end) : null)));
  const highs = [high1, high2].filter((high) => high !== null);
  return `${Math.max(low1 ?? 0, low2 ?? 0)}-${highs.length ? Math.min(...highs) : ""}`;
}
