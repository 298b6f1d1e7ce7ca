// The page as a whole: on paper, in another color scheme or size, and at first.

function paper(isOn) {
  isPrinting = isOn;
  document.documentElement.classList.toggle("print", isOn);
  drawn.first = -1;
  theme();
  rows();
  lay();
  draw();
}
window.addEventListener("beforeprint", () => paper(true));
window.addEventListener("afterprint", () => paper(false));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { theme(); redraw(); });
window.addEventListener("resize", () => { drawn.first = -1; rows(); lay(); });

$("runs").hidden = data.runs.length < 2;
data.runs.forEach((other, index) => {
  run = other;
  const which = `Run ${data.earlier + index + 1} of ${data.earlier + data.runs.length}`;
  const option = element("option", "", [which, clock(0, true), counted(other.tasks.number.length, "task", "tasks")].join(" · "));
  option.value = index;
  $("runs").append(option);
});
$("runs").value = data.runs.length - 1;
$("runs").onchange = () => load(Number($("runs").value));
theme();
load(data.runs.length - 1);
draw();
