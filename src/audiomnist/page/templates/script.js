"use strict";
(() => {
  const clips = JSON.parse(document.getElementById("clips").textContent);
  const audio = document.getElementById("audio");
  let playing = null;

  /* Players: one sound at a time. */
  const stop = () => {
    audio.pause();
    playing?.setAttribute("aria-pressed", "false");
    playing = null;
  };
  const play = (button) => {
    const again = button === playing;
    stop();
    if (again) return;
    audio.src = `data:audio/flac;base64,${clips[button.dataset.clip][1]}`;
    playing = button;
    button.setAttribute("aria-pressed", "true");
    audio.play().catch(stop);
  };
  audio.addEventListener("ended", stop);
  const ready = (button) => {
    button.disabled = clips[button.dataset.clip][1] === null;
    if (button.disabled) button.title = "not embedded";
    return button;
  };
  document.querySelectorAll(".play").forEach(ready);

  /* Confusion matrices: a cell lists its clips. */
  const player = (number) => {
    const item = document.createElement("li");
    const button = document.createElement("button");
    const icon = document.createElement("span");
    const name = clips[number][0];
    Object.assign(button, { type: "button", className: "play" });
    button.dataset.clip = number;
    button.setAttribute("aria-label", `Play ${name}`);
    icon.className = "icon";
    button.append(icon);
    item.append(ready(button), name);
    return item;
  };
  const showClips = (cell) => {
    const panel = document.getElementById(cell.getAttribute("aria-controls"));
    const isOpen = cell.getAttribute("aria-expanded") === "true";
    cell.closest("table").querySelectorAll(".cell").forEach((other) => other.setAttribute("aria-expanded", "false"));
    cell.setAttribute("aria-expanded", String(!isOpen));
    panel.hidden = isOpen;
    const title = document.createElement("p");
    const list = document.createElement("ul");
    title.textContent = cell.dataset.label;
    list.tabIndex = 0;
    list.setAttribute("aria-label", cell.dataset.label);
    list.append(...cell.dataset.clips.split(" ").filter(Boolean).map(player));
    panel.replaceChildren(title, list);
  };

  /* Tables: by the number, or else the text, of a column. */
  const number = (text) => parseFloat(text.replace("−", "-").replace(/[<,×]/g, ""));
  const sort = (button) => {
    const head = button.closest("th");
    const body = button.closest("table").tBodies[0];
    const column = head.cellIndex;
    const direction = head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
    const sign = direction === "ascending" ? 1 : -1;
    const text = (row) => row.cells[column].textContent.trim();
    const rows = [...body.rows];
    const isNumeric = rows.every((row) => text(row) === "-" || !Number.isNaN(number(text(row))));
    const compare = isNumeric
      ? (a, b) => (number(text(a)) || 0) - (number(text(b)) || 0)
      : (a, b) => text(a).localeCompare(text(b), "en");
    head.parentElement.querySelectorAll("th").forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", direction);
    body.append(...rows.sort((a, b) => sign * compare(a, b)));
  };

  document.addEventListener("click", ({ target }) => {
    const button = target.closest("button");
    if (!button) return;
    if (button.matches(".play")) play(button);
    else if (button.matches(".cell")) showClips(button);
    else if (button.closest(".sortable")) sort(button);
  });

  /* Mistakes: filters and order. */
  const form = document.getElementById("filters");
  const chosen = () => {
    const list = document.getElementById("mistake-list");
    const { model, digit, speaker, order, count } = form.elements;
    const all = [...list.children];
    for (const card of all) {
      const isChosen =
        (!model.value || card.dataset.models.split(" ").includes(model.value)) &&
        (!digit.value || card.dataset.digit === digit.value) &&
        (!speaker.value || card.dataset.speaker === speaker.value);
      card.hidden = !isChosen;
    }
    const by = (card) => card.dataset[order.value];
    const isDescending = ["wrong", "confidence"].includes(order.value);
    const byFile = (a, b) => a.dataset.file.localeCompare(b.dataset.file, "en", { numeric: true });
    const compare = isDescending
      ? (a, b) => by(b) - by(a) || b.dataset.confidence - a.dataset.confidence || byFile(a, b)
      : (a, b) => by(a).localeCompare(by(b), "en", { numeric: true }) || byFile(a, b);
    list.append(...all.sort(compare));
    count.value = `${all.filter((card) => !card.hidden).length} of ${all.length} clips`;
  };
  form?.addEventListener("change", chosen);
  form?.addEventListener("submit", (event) => event.preventDefault());

  /* Charts: colours come from the style sheet, so that they follow its light and dark. */
  const text = { labelColor: "var(--ink)", titleColor: "var(--muted)", labelFontSize: 12, titleFontSize: 12, titleFontWeight: 400 };
  const config = {
    background: "transparent",
    font: getComputedStyle(document.body).fontFamily,
    view: { stroke: null },
    axis: { ...text, gridColor: "var(--line)", domainColor: "var(--muted)", tickColor: "var(--muted)", titlePadding: 8 },
    legend: { ...text, symbolSize: 80, rowPadding: 4 },
    text: { color: "var(--ink)" },
  };
  const draw = async () => {
    for (const source of document.querySelectorAll("script[data-chart]")) {
      const place = document.getElementById(source.dataset.chart);
      const spec = {
        autosize: { type: "fit-x", contains: "padding" },
        description: place.getAttribute("aria-label"),
        ...JSON.parse(source.textContent),
      };
      const labels = [...source.textContent.matchAll(/"domain": ?(\[".*?"\])/g)].flatMap((match) => JSON.parse(match[1]));
      const labelPx = 30 + 7 * Math.max(1, ...labels.map((label) => label.length));
      config.legend.columns = Math.max(1, Math.floor((place.clientWidth - 70) / labelPx));
      const options = { renderer: "svg", actions: false, ast: true, config };
      await vegaEmbed(place, spec, options);
      await new Promise((next) => setTimeout(next));
    }
    document.documentElement.dataset.charts = "drawn";
  };
  draw();
})();
