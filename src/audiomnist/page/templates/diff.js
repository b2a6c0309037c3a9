"use strict";
(() => {
  const form = document.getElementById("changed-filters");
  const { model, direction, digit, speaker, count } = form.elements;
  const groups = [...document.querySelectorAll(".changed")];
  const filter = () => {
    let shown = 0;
    let all = 0;
    for (const group of groups) {
      const rows = [...group.querySelectorAll("tbody tr")];
      for (const row of rows) {
        row.hidden = [direction, digit, speaker].some(({ name, value }) => value && row.dataset[name] !== value);
      }
      const found = rows.filter((row) => !row.hidden).length;
      const isFiltered = direction.value || digit.value || speaker.value;
      const isOther = Boolean(model.value) && group.dataset.model !== model.value;
      group.hidden = isOther || Boolean(isFiltered && !found);
      shown += isOther ? 0 : found;
      all += rows.length;
    }
    count.value = `${shown} of ${all} answers`;
  };
  form.addEventListener("change", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
})();
