// The table of tasks: searched, sorted, and with elements only for the rows in sight.

const ROW = 28, PRINTED_ROWS = 1000;

const COLUMNS = [
  ["number", "#", "right figure", (task) => tasks.number[task]],
  ["name", "Task", "foreign", (task) => tasks.name[task]],
  ["state", "State", "", (task) => STATES[tasks.state[task]][0]],
  ["began", "Began", "right figure", (task) => tasks.began[task] === Infinity ? "–" : span(tasks.began[task])],
  ["took", "Took", "right figure", (task) => span(tasks.took[task])],
  ["tries", "Tries", "right figure", (task) => tasks.tries[task] || "–"],
  ["processor", "CPU", "right figure", (task) => tasks.processor[task] ? span(tasks.processor[task]) : "–"],
  ["memory", "Memory", "right figure", (task) => tasks.memory[task] ? bytes(tasks.memory[task]) : "–"],
];

function columns() {
  $("columns").replaceChildren(...COLUMNS.map(([key, title, className]) => {
    const button = element("button", "", title + (sort.key === key ? (sort.up ? " ↑" : " ↓") : ""));
    button.type = "button";
    button.id = `sort-${key}`;
    button.onclick = () => {
      // Of figures, the largest are looked for first; of the others, the first.
      sort = { key, up: sort.key === key ? !sort.up : !["took", "tries", "processor", "memory"].includes(key) };
      list();
      $(`sort-${key}`).focus();
    };
    const cell = element("th", `c-${key} ${className.includes("right") ? "right" : ""}`, undefined, button);
    cell.scope = "col";
    if (sort.key === key) cell.setAttribute("aria-sort", sort.up ? "ascending" : "descending");
    return cell;
  }));
}

const collator = new Intl.Collator("en", { numeric: true });

// The tasks that are looked for, in the order that is asked for.
function list() {
  const wanted = $("search").value.trim().toLowerCase();
  shown = [];
  isShown = new Uint8Array(tasks.count);
  for (let task = 0; task < tasks.count; task += 1) {
    const isOfState = !states.size || states.has(tasks.state[task]) || states.has(RETRIED) && tasks.tries[task] > 1;
    if (isOfState && texts[task].includes(wanted)) { shown.push(task); isShown[task] = 1; }
  }
  const column = tasks[sort.key];
  const compare = sort.key === "name" ? (one, other) => collator.compare(column[one], column[other])
    : sort.key === "state" ? (one, other) => (WELL(column[one]) - WELL(column[other])) || column[one] - column[other]
      : (one, other) => column[one] - column[other] || 0;
  const sign = sort.up ? 1 : -1;
  shown.sort((one, other) => sign * compare(one, other) || one - other);
  const [found, all] = [shown.length.toLocaleString("en"), tasks.count.toLocaleString("en")];
  $("found").textContent = found === all ? "" : `${found} of ${all}`;
  $("table").setAttribute("aria-rowcount", shown.length + 1);
  columns();
  // Where the last rows were, there may be none now.
  $("scroll").scrollTop = 0;
  drawn.first = -1;
  rows();
  lay();
}

// Only the rows in sight are elements; two high rows stand for those above and below.
const drawn = { first: -1, last: -1, rows: new Map(), columns: 1 };
drawn.above = element("tr", "", undefined, element("td", "room"));
drawn.below = element("tr", "", undefined, element("td", "room"));
function rows() {
  const box = $("scroll");
  const height = box.clientHeight || 600;
  // Some more above and below, so that not every step of a wheel changes them.
  let first = Math.max(0, Math.floor(box.scrollTop / ROW / 8) * 8 - 8);
  let last = Math.min(shown.length, first + Math.ceil(height / ROW) + 24);
  if (isPrinting) [first, last] = [0, Math.min(shown.length, PRINTED_ROWS)];
  if (first === drawn.first && last === drawn.last) return;
  // Not more columns than there are in sight: a narrow page would make room for the others.
  if (drawn.first < 0) drawn.columns = [...$("columns").children].filter((column) => column.offsetWidth).length || 1;
  Object.assign(drawn, { first, last });
  const before = drawn.rows;
  drawn.rows = new Map();
  const room = (row, count) => {
    row.setAttribute("aria-hidden", "true");
    row.firstChild.colSpan = drawn.columns;
    row.firstChild.style.height = `${count * ROW}px`;
    return row;
  };
  const made = [];
  for (let index = first; index < last; index += 1) {
    const task = shown[index], row = before.get(task) ?? tableRow(task);
    row.setAttribute("aria-rowindex", index + 2);
    row.setAttribute("aria-selected", task === selected);
    drawn.rows.set(task, row);
    made.push(row);
  }
  if (isPrinting && last < shown.length) {
    const cell = element("td", "", `and ${(shown.length - last).toLocaleString("en")} more`);
    cell.colSpan = COLUMNS.length;
    made.push(element("tr", "", undefined, cell));
  } else if (!isPrinting) {
    made.unshift(room(drawn.above, first));
    made.push(room(drawn.below, shown.length - last));
  }
  // The rows that stay are not touched: the browser would lay them out again.
  const body = $("rows"), stays = new Set(made);
  for (const row of [...body.children]) if (!stays.has(row)) row.remove();
  made.forEach((row, index) => {
    if (body.children[index] !== row) body.insertBefore(row, body.children[index] ?? null);
  });
  point();
}

function tableRow(task) {
  const row = element("tr");
  row.id = `task-${task}`;
  for (const [key, , className, text] of COLUMNS) {
    const cell = element("td", `c-${key} ${className}`);
    if (key === "state") {
      cell.append(mark(tasks.state[task]), element("span", "word", text(task)));
      cell.title = how(task);
    } else {
      cell.textContent = text(task);
      if (key === "name") cell.title = tasks.command[task];
    }
    row.append(cell);
  }
  row.onclick = () => select(task, "table");
  row.ondblclick = () => zoomTo(task);
  return row;
}

// Says which row the table's focus is on.
function point() {
  const isThere = selected >= 0 && document.getElementById(`task-${selected}`);
  if (isThere) $("table").setAttribute("aria-activedescendant", `task-${selected}`);
  else $("table").removeAttribute("aria-activedescendant");
}

function reveal(task) {
  const index = shown.indexOf(task);
  if (index < 0) return;
  const box = $("scroll"), top = index * ROW, room = box.clientHeight - 2 * ROW;
  if (top < box.scrollTop) box.scrollTop = top;
  else if (top > box.scrollTop + room) box.scrollTop = top - room;
}
