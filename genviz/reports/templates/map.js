// The map's controls: moving, zooming, colours, and the picture under the pointer.

const COLOURS = [
  ..."#4e79a7 #f28e2b #59a14f #e15759 #76b7b2 #edc948 #b07aa1 #ff9da7 #9c755f #2d2f8f #a8c813 #c13bb4".split(" "),
];
const OTHER = "#8a8a85";
const NEAREST = 40; // times the whole
const peek = at("peek");

function zoom(factor, x = plane.clientWidth / 2, y = plane.clientHeight / 2) {
  const scale = Math.min(Math.max(view.scale * factor, whole / 2), whole * NEAREST);
  const [right, down] = [x - plane.clientWidth / 2, y - plane.clientHeight / 2];
  view.x += right / view.scale - right / scale;
  view.y += down / view.scale - down / scale;
  view.scale = scale;
  ask(true);
}

function move(right, down) {
  view.x -= right / view.scale;
  view.y -= down / view.scale;
  ask(true);
}

/** The picture at a place on the screen, the topmost; -1 if there is none. */
function under(right, down) {
  const { x, y } = state.layout;
  const [left, top] = [
    view.x + (right - plane.clientWidth / 2) / view.scale,
    view.y + (down - plane.clientHeight / 2) / view.scale,
  ];
  const reach = (size) => size / 2 / view.scale;
  const hit = (index, near) => Math.abs(x[index] - left) <= near && Math.abs(y[index] - top) <= near;
  const size = sideAt(view.scale);
  const marked = data.generated.find(([index]) => hit(index, reach(Math.max(size, 40))));
  if (marked) return marked[0];
  for (let index = count - 1; index >= 0; index--) if (hit(index, reach(size))) return index;
  return -1;
}

const facts = (index) =>
  [
    ["folder", data.folders[data.folder[index]]],
    ["predicted", data.labels[data.called[index]]],
  ].filter(([, value]) => value);

function look(index) {
  if (index === state.near) return;
  state.near = index;
  plane.style.cursor = index < 0 ? "" : "pointer";
  peek.hidden = index < 0;
  if (index >= 0) {
    enlarged(at("near"), index);
    peek.lastElementChild.replaceChildren(
      data.names[index],
      ...facts(index).map(([name, value]) => make("div", {}, `${name}: ${value}`)),
    );
  }
  ask();
}

/** The thumbnail on a canvas of its own. */
function enlarged(canvas, index) {
  Object.assign(canvas, { width: side, height: side });
  stamp(canvas.getContext("2d"), index, 0, 0, side);
  return canvas;
}

/** The picture itself, if it is where it was; until it is there, its thumbnail. */
function open(index) {
  const place = at("picture");
  place.replaceChildren(enlarged(make("canvas"), index));
  const image = make("img", { src: data.links[index], alt: data.names[index] });
  image.addEventListener("load", () => place.replaceChildren(image));
  at("name").replaceChildren(data.names[index]);
  at("told").replaceChildren(
    ...facts(index).flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]),
  );
  at("detail").showModal();
}

const fingers = new Map(); // where each is
let dragged = 0;

plane.addEventListener("pointerdown", (event) => {
  plane.setPointerCapture(event.pointerId);
  fingers.set(event.pointerId, [event.offsetX, event.offsetY]);
  if (fingers.size === 1) dragged = 0;
});
plane.addEventListener("pointermove", (event) => {
  const now = [event.offsetX, event.offsetY];
  const before = fingers.get(event.pointerId);
  if (!before) {
    look(under(...now));
    return;
  }
  const step = [now[0] - before[0], now[1] - before[1]];
  dragged += Math.hypot(...step);
  const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
  if (other) {
    const far = (place) => Math.hypot(place[0] - other[0], place[1] - other[1]) || 1;
    zoom(far(now) / far(before), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
  }
  move(step[0] / fingers.size, step[1] / fingers.size);
  fingers.set(event.pointerId, now);
});
for (const end of ["pointerup", "pointercancel"]) {
  plane.addEventListener(end, (event) => {
    const alone = fingers.size === 1 && end === "pointerup" && dragged < 5;
    fingers.delete(event.pointerId);
    const index = alone ? under(event.offsetX, event.offsetY) : -1;
    if (index >= 0) open(index);
  });
}
plane.addEventListener("pointerleave", () => look(-1));
plane.addEventListener(
  "wheel",
  (event) => {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 30 : 1;
    zoom(Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.0015)), event.offsetX, event.offsetY);
  },
  { passive: false },
);
plane.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const keys = {
    ArrowLeft: () => move(80, 0),
    ArrowRight: () => move(-80, 0),
    ArrowUp: () => move(0, 80),
    ArrowDown: () => move(0, -80),
    "+": () => zoom(1.3),
    "-": () => zoom(1 / 1.3),
    0: fit,
  };
  if (!keys[event.key]) return;
  event.preventDefault();
  keys[event.key]();
});
at("whole").addEventListener("click", fit);
at("close").addEventListener("click", () => at("detail").close());
at("detail").addEventListener("click", (event) => event.target === at("detail") && at("detail").close());

at("layouts").addEventListener("click", (event) => {
  const chosen = event.target.value;
  if (!layouts[chosen]) return;
  state.layout = layouts[chosen];
  for (const button of at("layouts").children) button.setAttribute("aria-pressed", button.value === chosen);
  front.view = null; // of other places
  back.next = count;
  fit();
});

/** The groups of a kind, the largest first; twelve of them have a colour of their own. */
function painted(kind) {
  if (kind === "none") return null;
  const [group, names] = kind === "folder" ? [data.folder, data.folders] : [data.called, data.labels];
  const sizes = names.map(() => 0);
  for (const index of group) sizes[index] += 1;
  const order = [...names.keys()].sort((a, b) => sizes[b] - sizes[a]);
  const colours = names.map(() => OTHER);
  for (const [place, index] of order.slice(0, COLOURS.length).entries()) colours[index] = COLOURS[place];
  return { group, names, sizes, order, colours };
}

function legend() {
  const { paint, only } = state;
  const chips = (paint?.order ?? []).map((index) => {
    const told = `${paint.names[index] || "."} ${paint.sizes[index].toLocaleString("en")}`;
    const chip = make("button", { type: "button", "aria-pressed": only.has(index) }, make("i"), told);
    chip.firstChild.style.background = paint.colours[index];
    chip.addEventListener("click", () => {
      if (!only.delete(index)) only.add(index);
      chip.setAttribute("aria-pressed", only.has(index));
      repaint();
    });
    return chip;
  });
  at("legend").replaceChildren(...chips);
}

function repaint() {
  back.next = count;
  ask(true);
}

at("colours").addEventListener("change", () => {
  state.paint = painted(at("colours").value);
  state.only.clear();
  legend();
  repaint();
});
window.addEventListener("resize", resized);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
load().then(() => {
  resized();
  document.body.dataset.ready = "";
});
