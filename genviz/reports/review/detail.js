// A target alone: what each setting has made of it, side by side.

const RIGHT = 300; // the curve's width and height, in its own units
const LOW = 90;

let current = null;
const dialog = at("detail");

function open(target) {
  current = target;
  at("name").replaceChildren(...called(target));
  const some = chosen().filter((index) => target.runs[index]);
  const indices = some.length ? some : [...data.settings.keys()].filter((index) => target.runs[index]);
  const keys = (index) => new Set(keyed(data.configs[target.runs[index].config]).map(([, key]) => key));
  const others = (index) => indices.filter((other) => other !== index).map(keys);
  const sections = indices.map((index) => column(target.runs[index], index, others(index)));
  if (target.real) {
    const image = make("img", { src: target.real, alt: `${target.name}, a real picture` });
    sections.push(
      make("section", { class: "real" }, make("h3", {}, "real picture"), make("div", { class: "large" }, image)),
    );
  }
  at("columns").replaceChildren(...sections);
  at("before").disabled = beside(-1) === undefined;
  at("after").disabled = beside(1) === undefined;
  if (dialog.open) return;
  dialog.showModal();
  dialog.focus(); // not its first button: nobody has chosen that yet
}

/** The target that is shown before (-1) or after (1) the current one. */
function beside(step) {
  const place = shown.indexOf(current);
  return place < 0 ? undefined : shown[place + step];
}

function column(run, index, others) {
  const facts = data.facts[run.facts];
  const [first] = run.judged;
  const curve = drawn(run.curve);
  const files = ["result.json", "metrics.csv", "config.yaml"];
  const parts = [
    make("h3", { title: data.settings[index].name }, title(index)),
    ...evolution(run, curve.mark),
    make("p", {}, verdict(first.verdict, first.verdict), ` ${first.explanation}`),
    facts.note ? make("p", { class: "verdict" }, facts.note) : null,
    pictures(run.judged),
    curve.svg,
    topClasses(first.top_classes),
    units(first.units),
    numbers(run, first, facts),
    settings(data.configs[run.config], others),
    make("div", { class: "links" }, ...files.map((file) => make("a", { href: `${run.folder}/${file}` }, file))),
  ];
  const style = run.judged.length > 1 ? "grid-column: 1 / -1; max-width: none" : null; // a row of pictures needs room
  return make("section", { style }, ...parts.filter(Boolean));
}

/** The picture, a slider over the way to it, and a button for the video. */
function evolution(run, mark) {
  const final = `${run.folder}/${run.picture}`;
  const paths = [
    ...run.snapshots.map((update) => `${run.folder}/snapshots/${String(update).padStart(5, "0")}.png`),
    final,
  ];
  const image = make("img", { src: final, alt: "the picture" });
  const frame = make("div", { class: "large" }, image);
  frame.style.aspectRatio = `${run.size[0] * run.judged.length} / ${run.size[1]}`;
  const last = paths.length - 1;
  const slider = make("input", { type: "range", min: 0, max: last, value: last, "aria-label": "Evolution" });
  const told = make("output", {}, "final");
  slider.addEventListener(
    "pointerdown",
    () =>
      paths.forEach((path) => {
        new Image().src = path;
      }),
    { once: true },
  );
  slider.addEventListener("input", () => {
    const place = Number(slider.value);
    image.src = paths[place];
    frame.replaceChildren(image);
    told.textContent = place === last ? "final" : `update ${run.snapshots[place].toLocaleString("en")}`;
    mark(place === last ? null : run.snapshots[place]);
  });
  const bar = make("div", { class: "evolution" }, ...(last ? [slider, told] : []));
  if (run.video) {
    const play = make("button", { type: "button", title: "Play the video of the evolution" }, "▶ video");
    play.addEventListener("click", () => {
      const video = make("video", { src: `${run.folder}/evolution.mp4`, controls: "", loop: "", playsinline: "" });
      video.muted = true;
      frame.replaceChildren(video);
      video.play().catch(() => {}); // it has controls
    });
    bar.append(play);
  }
  return [frame, bar];
}

function numbers(run, first, facts) {
  const of = first.units.length === 1 && first.units[0][4] ? ` of ${number(first.units[0][4])}` : "";
  const rows = [
    ["activation", number(first.activation, 5)],
    ["rank", first.rank === null ? null : number(first.rank) + of],
    ...Object.entries(first.measures).map(([name, value]) => [name, number(value, 5)]),
    ["updates", facts.updates === null ? null : number(facts.updates, 15)],
    ["seconds per update", run.seconds === null ? null : number(run.seconds)],
    ["seed", facts.seed],
    ["trainable", facts.trainable_parameters === null ? null : `${number(facts.trainable_parameters, 15)} parameters`],
    ["weights", facts.weights],
    ["weights' sha256", facts.weights_sha256],
    ["generator's sha256", facts.generator_sha256],
    ["display", facts.display],
    ["device", facts.device],
    ["versions", facts.versions],
  ];
  const told = rows.filter(([, value]) => value !== null && value !== "");
  return make("dl", {}, ...told.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, String(value))]));
}

function pictures(judged) {
  if (judged.length === 1) return null;
  const rows = judged.map((one) => [one.file, one.verdict, number(one.activation), number(one.rank)]);
  return table(["picture", "verdict", "activation", "rank"], rows);
}

function topClasses(scores) {
  if (!scores.length) return null;
  const bar = (label, share) => make("meter", { value: share ?? 0, "aria-label": label });
  const rows = scores.map(([label, place, share]) => [`${label} (${place ?? "–"})`, bar(label, share), percent(share)]);
  return table(["top classes", "", "probability"], rows);
}

function units(all) {
  if (all.length < 2) return null;
  const place = (rank, of) => `${number(rank)} of ${number(of)}`;
  const rows = all.map(([name, weight, activation, rank, of]) => [
    name,
    number(weight),
    number(activation),
    place(rank, of),
  ]);
  return table(["unit", "weight", "activation", "rank"], rows);
}

const percent = (share) =>
  share === null ? "–" : share > 0 && share < 5e-5 ? "< 0.01 %" : `${(100 * share).toFixed(2)} %`;

function table(heads, rows) {
  const head = make("tr", {}, ...heads.map((text) => make("th", {}, text)));
  return make("table", {}, head, ...rows.map((cells) => make("tr", {}, ...cells.map((cell) => make("td", {}, cell)))));
}

/** The activation over the updates, and what marks one of them. */
function drawn(curve) {
  if (curve.length < 2) return { svg: null, mark: () => {} };
  const draw = (tag, attributes, ...children) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };
  const end = curve.at(-1)[0];
  const values = curve.map(([, value]) => value);
  const [least, most] = [Math.min(0, ...values), Math.max(0, ...values)];
  const x = (update) => (RIGHT * update) / end;
  const y = (value) => LOW - (LOW * (value - least)) / (most - least || 1);
  const line = (attributes) => draw("line", attributes);
  const now = line({ class: "now", x1: 0, x2: 0, y1: 0, y2: LOW, visibility: "hidden" });
  const svg = draw(
    "svg",
    {
      viewBox: `-2 -12 ${RIGHT + 4} ${LOW + 26}`,
      role: "img",
      "aria-label": `activation from ${number(values[0])} to ${number(values.at(-1))}`,
    },
    line({ x1: 0, x2: RIGHT, y1: y(0), y2: y(0) }),
    draw("polyline", {
      points: curve.map(([update, value]) => `${x(update).toFixed(1)},${y(value).toFixed(1)}`).join(" "),
    }),
    now,
    draw("text", { x: 0, y: -3 }, `activation, ${number(most, 3)} at most`),
    draw("text", { x: RIGHT, y: LOW + 11, "text-anchor": "end" }, `update ${end.toLocaleString("en")}`),
  );
  const mark = (update) => {
    now.setAttribute("visibility", update === null ? "hidden" : "visible");
    if (update !== null) for (const name of ["x1", "x2"]) now.setAttribute(name, x(Math.min(update, end)));
  };
  return { svg, mark };
}

/** The lines of the YAML, each with the names that it stands under. */
function keyed(yaml) {
  const above = [];
  return yaml.split("\n").map((line) => {
    const depth = line.search(/\S|$/) + (line.trim().startsWith("-") ? 1 : 0); // a list's items are not set in
    while (above.length && above.at(-1)[0] >= depth) above.pop();
    const key = [...above.map(([, name]) => name), line.trim()].join(" ");
    above.push([depth, line.trim()]);
    return [line, key];
  });
}

/** The settings, what another column has otherwise marked. */
function settings(yaml, others) {
  if (!yaml) return null;
  const lines = keyed(yaml.trimEnd()).flatMap(([line, key]) => [
    others.every((keys) => keys.has(key)) ? line : make("span", { class: "differs" }, line),
    "\n",
  ]);
  return make(
    "details",
    {},
    make("summary", {}, others.length ? "Settings, and where they differ" : "Settings"),
    make("pre", {}, ...lines),
  );
}

/** Show what the address names. */
function follow() {
  let name = "";
  try {
    name = decodeURIComponent(location.hash.slice(2));
  } catch {
    return; // no address of ours
  }
  const target = byName.get(name);
  if (target) open(target);
  else dialog.close();
}

const go = (target) => target && location.replace(link(target)); // Back leads to the overview, not through all targets
at("before").addEventListener("click", () => go(beside(-1)));
at("after").addEventListener("click", () => go(beside(1)));
at("close").addEventListener("click", () => dialog.close());
dialog.addEventListener("close", () => {
  at("columns").replaceChildren(); // no video goes on
  if (location.hash.length > 2) history.replaceState(null, "", "#/"); // the page stays where it was scrolled to
});
dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
window.addEventListener("hashchange", follow);
document.addEventListener("keydown", (event) => {
  const typing = ["INPUT", "SELECT", "VIDEO"].includes(document.activeElement?.tagName);
  if (typing || event.ctrlKey || event.altKey || event.metaKey) return;
  if (dialog.open) {
    if (event.key === "ArrowLeft") go(beside(-1));
    if (event.key === "ArrowRight") go(beside(1));
  } else if (event.key === "/") {
    event.preventDefault();
    at("search").focus();
  }
});
follow();
