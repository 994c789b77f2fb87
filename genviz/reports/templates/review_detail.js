// The dialog about one target: the results of all settings, side by side.

const RIGHT = 300; // the curve's width and height, in its own units, which the page stretches
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
    const frame = make("div", { class: "large" }, image);
    image.addEventListener("load", () => {
      frame.style.aspectRatio = `${image.naturalWidth} / ${image.naturalHeight}`;
    });
    sections.push(make("section", {}, make("div", { class: "seen" }, make("h3", {}, "real picture"), frame)));
  }
  at("columns").replaceChildren(...sections);
  at("before").disabled = beside(-1) === undefined;
  at("after").disabled = beside(1) === undefined;
  if (dialog.open) return;
  dialog.showModal();
  dialog.focus(); // rather than its first button, which would show a focus ring
}

/** The target listed before (-1) or after (1) the current one. */
function beside(step) {
  const place = shown.indexOf(current);
  return place < 0 ? undefined : shown[place + step];
}

function column(run, index, others) {
  const facts = data.facts[run.facts];
  const [first] = run.judged;
  const curve = drawn(run.curve);
  const files = ["result.json", "metrics.csv", "config.yaml"];
  const several = run.judged.length > 1; // a row of pictures needs the whole width
  const seen = [make("h3", { title: data.settings[index].name }, title(index)), ...evolution(run, curve.mark)];
  const told = [
    make("p", { class: "judged" }, verdict(first.verdict, first.verdict), ` ${first.explanation}`),
    facts.note ? make("p", { class: "note" }, facts.note) : null,
    several ? pictures(run.judged) : null,
    curve.chart,
    topClasses(first.top_classes),
    units(first.units),
    numbers(run, first, facts),
    settings(data.configs[run.config], others),
    make("div", { class: "links" }, ...files.map((file) => make("a", { href: `${run.folder}/${file}` }, file))),
  ];
  return make(
    "section",
    { class: several ? "several" : null },
    make("div", { class: "seen" }, ...seen),
    make("div", { class: "told" }, ...told.filter(Boolean)),
  );
}

/** The picture, with a slider over its snapshots and a button for the video. */
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
    ["trained", facts.trainable_parameters === null ? null : `${number(facts.trainable_parameters, 15)} parameters`],
    ["weights", facts.weights],
    ["weights SHA-256", facts.weights_sha256],
    ["generator SHA-256", facts.generator_sha256],
    ["display", facts.display],
    ["device", facts.device],
    ["versions", facts.versions],
  ];
  const told = rows.filter(([, value]) => value !== null && value !== "");
  return make("dl", {}, ...told.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, String(value))]));
}

function pictures(judged) {
  const rows = judged.map((one) => [one.file, one.verdict, number(one.activation), number(one.rank)]);
  return table(["picture", "verdict", "activation", "rank"], rows);
}

function topClasses(scores) {
  if (!scores.length) return null;
  const bar = (share) => make("span", { class: "share", style: `--share: ${100 * (share ?? 0)}%` });
  const rows = scores.map(([label, place, share]) => [`${label} (${place ?? "–"})`, bar(share), percent(share)]);
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
  share === null ? "–" : share > 0 && share < 5e-5 ? "< 0.01%" : `${(100 * share).toFixed(2)}%`;

function table(heads, rows) {
  const head = make("tr", {}, ...heads.map((text) => make("th", {}, text)));
  return make("table", {}, head, ...rows.map((cells) => make("tr", {}, ...cells.map((cell) => make("td", {}, cell)))));
}

/** A chart of the activation over the updates, and a function that marks one of them. */
function drawn(curve) {
  if (curve.length < 2) return { chart: null, mark: () => {} };
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
      viewBox: `0 0 ${RIGHT} ${LOW}`,
      preserveAspectRatio: "none",
      role: "img",
      "aria-label": `activation from ${number(values[0])} to ${number(values.at(-1))}`,
    },
    line({ x1: 0, x2: RIGHT, y1: y(0), y2: y(0) }),
    draw("polyline", {
      points: curve.map(([update, value]) => `${x(update).toFixed(1)},${y(value).toFixed(1)}`).join(" "),
    }),
    now,
  );
  const caption = make(
    "figcaption",
    {},
    make("span", {}, `activation, peak ${number(Math.max(...values), 3)}`),
    make("span", {}, `update ${end.toLocaleString("en")}`),
  );
  const chart = make("figure", { class: "curve" }, svg, caption);
  const mark = (update) => {
    now.setAttribute("visibility", update === null ? "hidden" : "visible");
    if (update !== null) for (const name of ["x1", "x2"]) now.setAttribute(name, x(Math.min(update, end)));
  };
  return { chart, mark };
}

/** The lines of the YAML, each with the keys above it in the tree. */
function keyed(yaml) {
  const above = [];
  return yaml.split("\n").map((line) => {
    const depth = line.search(/\S|$/) + (line.trim().startsWith("-") ? 1 : 0); // a list's items need no indent
    while (above.length && above.at(-1)[0] >= depth) above.pop();
    const key = [...above.map(([, name]) => name), line.trim()].join(" ");
    above.push([depth, line.trim()]);
    return [line, key];
  });
}

/** The settings, with the lines marked that another column does not share. */
function settings(yaml, others) {
  if (!yaml) return null;
  const lines = keyed(yaml.trimEnd()).flatMap(([line, key]) => [
    others.every((keys) => keys.has(key)) ? line : make("span", { class: "differs" }, line),
    "\n",
  ]);
  return make(
    "details",
    {},
    make("summary", {}, others.length ? "Settings (differences marked)" : "Settings"),
    make("pre", {}, ...lines),
  );
}

/** Show the target that the address names. */
function follow() {
  let name = "";
  try {
    name = decodeURIComponent(location.hash.slice(2));
  } catch {
    return; // not an address of this page
  }
  const target = byName.get(name);
  if (target) open(target);
  else dialog.close();
}

const go = (target) => target && location.replace(link(target)); // so that Back leads to the overview
at("before").addEventListener("click", () => go(beside(-1)));
at("after").addEventListener("click", () => go(beside(1)));
at("close").addEventListener("click", () => dialog.close());
dialog.addEventListener("close", () => {
  at("columns").replaceChildren(); // ends a video
  if (location.hash.length > 2) history.replaceState(null, "", "#/"); // keeps the scroll position
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
