// Curation: the stage that a change belongs to, copying a recipe, saving a chart.
(function () {
  "use strict";

  // a changed field shows the rows at its own stage; without scripts the stage is chosen by hand
  const recipe = document.getElementById("recipe");
  if (recipe) {
    recipe.addEventListener("input", (event) => {
      const stage = event.target.dataset.stage;
      const choice = stage && recipe.querySelector(`input[name="stage"][value="${CSS.escape(stage)}"]`);
      if (choice) {
        choice.checked = true;
      }
    }, true);
    document.addEventListener("htmx:afterSettle", () => {
      for (const errors of recipe.querySelectorAll(".field__errors[id]")) {
        const control = document.getElementById(errors.id.replace(/_error$/, ""));
        if (control && control.matches("input, select, textarea")) {
          control.toggleAttribute("aria-invalid", false);
          if (errors.firstElementChild) {
            control.setAttribute("aria-invalid", "true");
          }
        }
      }
    });
  }

  document.addEventListener("click", async (event) => {
    const copy = event.target.closest("[data-copy]");
    if (copy) {
      const source = document.getElementById(copy.dataset.copy);
      try {
        await navigator.clipboard.writeText(source.textContent);
        copy.textContent = "Copied";
      } catch (error) {
        // no right to the clipboard, or no encryption: what is marked can be copied by hand
        getSelection().selectAllChildren(source);
        copy.textContent = "Marked, now copy";
      }
      return;
    }
    const save = event.target.closest("[data-save]");
    if (save) {
      const figure = save.closest("[data-chart]");
      const make = { svg: asSvg, png: asPng, csv: asCsv }[save.dataset.save];
      download(`${figure.dataset.chart}.${save.dataset.save}`, await make(figure));
    }
  });

  function download(name, address) {
    const link = document.createElement("a");
    link.href = address;
    link.download = name;
    link.click();
  }

  // what the style sheet says is written into the drawing, which then stands for itself
  function drawing(figure) {
    const shown = figure.querySelector("svg.chart__drawing");
    const copy = shown.cloneNode(true);
    const originals = [shown, ...shown.querySelectorAll("*")];
    const copies = [copy, ...copy.querySelectorAll("*")];
    copies.forEach((element, place) => {
      const style = getComputedStyle(originals[place]);
      for (const name of ["fill", "stroke", "font-size", "font-family"]) {
        element.setAttribute(name, style.getPropertyValue(name));
      }
      element.removeAttribute("class");
    });
    const { width, height } = shown.viewBox.baseVal;
    copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
    copy.setAttribute("width", width);
    copy.setAttribute("height", height);
    copy.removeAttribute("fill"); // of the whole drawing: black
    return { text: new XMLSerializer().serializeToString(copy), width, height };
  }

  function asSvg(figure) {
    return `data:image/svg+xml;charset=utf-8,${encodeURIComponent(drawing(figure).text)}`;
  }

  async function asPng(figure) {
    const { text, width, height } = drawing(figure);
    const image = new Image();
    image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = 2 * width;
    canvas.height = 2 * height;
    const context = canvas.getContext("2d");
    context.fillStyle = getComputedStyle(document.body).backgroundColor;
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(image, 0, 0, canvas.width, canvas.height);
    return canvas.toDataURL("image/png");
  }

  function asCsv(figure) {
    const rows = [...figure.querySelectorAll("table tr")].map((row) =>
      [...row.cells].map((cell) => quoted(cell.textContent.trim())).join(","));
    return `data:text/csv;charset=utf-8,${encodeURIComponent(rows.join("\r\n") + "\r\n")}`;
  }

  function quoted(text) {
    const plain = /^[\d,]+$/.test(text) ? text.replaceAll(",", "") : text;
    // a spreadsheet takes a cell that starts so for a formula
    const harmless = /^[=+\-@]/.test(plain) ? `'${plain}` : plain;
    return `"${harmless.replaceAll('"', '""')}"`;
  }
})();
