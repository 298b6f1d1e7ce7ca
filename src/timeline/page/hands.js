// What the pointer and the keyboard do.

let drag = null, isMoving = false;
$("chart").onpointermove = (event) => {
  const box = $("chart").getBoundingClientRect(), position = event.clientX - box.left;
  if (drag && Math.abs(position - drag) > 4) {
    $("range").hidden = false;
    $("range").style.left = `${Math.min(position, drag)}px`;
    $("range").style.width = `${Math.abs(position - drag)}px`;
  }
  at = Math.max(0, Math.min(run.end, timeAt(position)));
  if (isMoving) return;
  isMoving = true;
  requestAnimationFrame(() => { isMoving = false; draw(); now(); });
};
$("chart").onpointerdown = (event) => {
  if (event.button !== 0) return;
  drag = event.clientX - $("chart").getBoundingClientRect().left;
};
window.addEventListener("pointerup", (event) => {
  if (drag === null) return;
  const box = $("chart").getBoundingClientRect(), position = event.clientX - box.left, start = drag;
  drag = null;
  $("range").hidden = true;
  if (Math.abs(position - start) > 4) {
    if (event.pointerType === "mouse") view(timeAt(Math.min(position, start)), timeAt(Math.max(position, start)));
    return;
  }
  at = Math.max(0, Math.min(run.end, timeAt(position)));
  select(taskAt(position, event.clientY - box.top), "cursor");
});
$("chart").ondblclick = () => view(0, run.end);
$("chart").addEventListener("wheel", (event) => {
  if (event.ctrlKey || event.metaKey) {
    event.preventDefault();
    zoom(event.deltaY < 0 ? 0.8 : 1.25, timeAt(event.clientX - $("chart").getBoundingClientRect().left));
  } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
    event.preventDefault();
    const step = (event.deltaX || event.deltaY) / width * (to - from);
    view(from + step, to + step);
  }
}, { passive: false });
$("lanes").onscroll = redraw;

$("chart").onkeydown = (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const step = (to - from) / 10;
  const actions = {
    ArrowLeft: () => event.shiftKey ? view(from - step, to - step) : move(-1, 0),
    ArrowRight: () => event.shiftKey ? view(from + step, to + step) : move(1, 0),
    ArrowUp: () => move(0, -1),
    ArrowDown: () => move(0, 1),
    Home: () => move(-Infinity, 0),
    End: () => move(Infinity, 0),
    Enter: () => selected >= 0 && zoomTo(selected),
  };
  if (mode === "tasks") {
    actions.Home = () => shown.length && select(shown[0]);
    actions.End = () => shown.length && select(shown[shown.length - 1]);
  }
  if (actions[event.key]) { event.preventDefault(); actions[event.key](); }
};

$("table").onkeydown = (event) => {
  if (event.target !== $("table") || !shown.length) return;
  const page = Math.max(1, Math.floor($("scroll").clientHeight / ROW) - 2);
  const steps = { ArrowUp: -1, ArrowDown: 1, PageUp: -page, PageDown: page, Home: -Infinity, End: Infinity };
  if (event.key === "Enter" && selected >= 0) zoomTo(selected);
  if (!(event.key in steps)) return;
  event.preventDefault();
  const place = shown.indexOf(selected);
  const next = place < 0 && Math.abs(steps[event.key]) !== Infinity ? 0 : place + steps[event.key];
  const task = shown[Math.max(0, Math.min(shown.length - 1, next))];
  select(task, "table");
  reveal(task);
};

document.addEventListener("keydown", (event) => {
  const isTyping = event.target.matches?.("input, select, dialog *");
  if (event.ctrlKey || event.metaKey || event.altKey || $("help").open) return;
  if (event.key === "Escape") {
    if ($("search").value || states.size) {
      $("search").value = "";
      states.clear();
      for (const button of $("states").children) button.setAttribute("aria-pressed", "false");
      list();
    } else {
      at = null;
      select(-1);
    }
    return;
  }
  if (isTyping) return;
  const actions = {
    "/": () => $("search").focus(),
    f: () => nextUnwell(1),
    F: () => nextUnwell(-1),
    "+": () => zoom(0.5),
    "=": () => zoom(0.5),
    "-": () => zoom(2),
    0: () => view(0, run.end),
    l: () => run.single || setMode(mode === "slots" ? "tasks" : "slots"),
    "?": () => $("help").showModal(),
  };
  if (actions[event.key]) { event.preventDefault(); actions[event.key](); }
});

$("search").oninput = list;
$("search").onkeydown = (event) => {
  if (event.key !== "Enter" && event.key !== "ArrowDown" || !shown.length) return;
  event.preventDefault();
  select(shown[0], "table");
  $("table").focus();
};
let isScrolling = false;
$("scroll").onscroll = () => {
  if (isScrolling) return;
  isScrolling = true;
  requestAnimationFrame(() => { isScrolling = false; rows(); });
};
$("in").onclick = () => zoom(0.5);
$("out").onclick = () => zoom(2);
$("fit").onclick = () => view(0, run.end);
$("mode").onclick = () => setMode(mode === "slots" ? "tasks" : "slots");
$("keys").onclick = () => $("help").showModal();
$("more").onclick = () => { cardsShown += 100; failures(); };
