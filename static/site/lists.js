// The admin's lists: all rows of a page chosen at once, never more than one page of what is done can take; rows sorted.

const all = document.getElementById("choose-all");
const boxes = [...document.querySelectorAll("#result_list tbody .chosen input")];

if (all) {
  const most = Number(all.dataset.most);
  const buttons = [...document.querySelectorAll(".record-selection [type=submit]")];
  const warning = document.querySelector(".record-selection output");

  const count = () => {
    const many = boxes.filter((box) => box.checked).length;
    for (const button of buttons) button.disabled = many > most;
    warning.textContent = many > most ? `${many} are chosen: at most ${most} at once` : "";
    all.checked = many > 0 && many === boxes.length;
    all.indeterminate = many > 0 && many < boxes.length;
  };
  all.closest("label").hidden = false;
  all.addEventListener("change", () => {
    for (const box of boxes) box.checked = all.checked;
    count();
  });
  for (const box of boxes) box.addEventListener("change", count);
  count(); // a browser that comes back keeps what was ticked
}

// A click on a column's header sorts the rows of this page: up, down, and as they came.

const table = document.getElementById("result_list");
const told = document.querySelector(".record-sorted");
const SORTS = ["ascending", "descending", "none"];

// What a cell is sorted by: a number where the page says one, else its text; nothing is null, and comes last.
function key(row, column) {
  const cell = row.cells[column];
  if (cell.dataset.order !== undefined) return Number(cell.dataset.order);
  const text = cell.textContent.trim();
  return text === "" || text === "–" ? null : text;
}

function compare(one, other) {
  if (typeof one === "number" && typeof other === "number") return one - other;
  if (typeof one !== typeof other) return typeof one === "number" ? -1 : 1;
  return one.localeCompare(other, undefined, { numeric: true });
}

function sorted(rows, column, sort) {
  if (sort === "none") return rows;
  const keys = new Map(rows.map((row) => [row, key(row, column)]));
  const direction = sort === "ascending" ? 1 : -1;
  return [...rows].sort((one, other) => {
    const [a, b] = [keys.get(one), keys.get(other)];
    if (a === null || b === null) return (a === null) - (b === null);
    return direction * compare(a, b);
  });
}

function sortable(header, body, rows) {
  const button = document.createElement("button");
  const label = header.querySelector("span");
  button.type = "button";
  button.className = "record-sort";
  label.replaceWith(button);
  button.append(label);
  header.setAttribute("aria-sort", "none");
  button.addEventListener("click", () => {
    const sort = SORTS[(SORTS.indexOf(header.getAttribute("aria-sort")) + 1) % SORTS.length];
    for (const one of header.parentElement.querySelectorAll("[aria-sort]")) one.setAttribute("aria-sort", "none");
    header.setAttribute("aria-sort", sort);
    body.append(...sorted(rows, header.cellIndex, sort));
    if (told) told.textContent = sort === "none" ? "" : told.dataset.text;
  });
}

if (table) {
  const body = table.tBodies[0];
  const rows = [...body.rows]; // as they came
  for (const header of table.tHead.rows[0].cells) {
    if (!header.classList.contains("chosen")) sortable(header, body, rows);
  }
}
