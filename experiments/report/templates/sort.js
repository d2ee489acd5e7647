"use strict";
// A click, Enter or Space on the head of a column sorts by it: by number where its cells begin with one, else by text;
// what has neither comes last. Heads are no buttons, because Chromium repeats none on the pages of a print.
for (const button of document.querySelectorAll("th [role=button]")) {
  button.addEventListener("keydown", event => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    button.click();
  });
  button.addEventListener("click", () => {
    const head = button.closest("th"), body = head.closest("table").tBodies[0];
    const down = head.getAttribute("aria-sort") === "ascending", at = head.cellIndex;
    const text = row => row.cells[at].textContent.trim();
    const key = row => parseFloat(text(row).replace(/[,+]/g, "").replace("−", "-"));
    const rows = [...body.rows].map(row => ({ row, text: text(row), number: key(row) }));
    const numeric = rows.some(each => !Number.isNaN(each.number));
    rows.sort((a, b) => {
      const order = numeric ? a.number - b.number : a.text.localeCompare(b.text);
      if (numeric && Number.isNaN(order)) return Number.isNaN(a.number) - Number.isNaN(b.number);
      return down ? -order : order;
    });
    for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    body.append(...rows.map(each => each.row));
  });
}
// A narrow screen begins with the right end of the first chart, where the recommended point is.
for (const chart of document.querySelectorAll(".answer .chart .scroll")) chart.scrollLeft = chart.scrollWidth;
