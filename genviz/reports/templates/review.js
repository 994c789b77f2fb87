// The overview of all targets.

const VERDICTS = [
  "recognised",
  "top five",
  "not reached",
  "improved",
  "not improved",
  "done",
  "dead",
  "flat",
  "saturated",
  "diverged",
];
const AT_ONCE = 60; // cards added each time the end of the page comes near
const WIDEST = 4; // pictures side by side in a card

const number = (value, digits = 4) =>
  value === null ? "–" : value.toLocaleString("en", { maximumSignificantDigits: digits });
const fold = (text) =>
  text
    .normalize("NFKD")
    .toLowerCase()
    .replace(/\p{M}+/gu, "")
    .replace(/[^\p{L}\p{N}]+/gu, " ")
    .trim();

// With one classifier, a setting is called by its generator alone.
const common = new Set(data.settings.map((setting) => setting.name.split("/")[0]));
const title = (index) => {
  const name = data.settings[index].name;
  return common.size === 1 && name.includes("/") ? name.slice(name.indexOf("/") + 1) : name;
};

const everything = data.targets.map((target, order) => {
  const folded = fold(`${target.name} ${target.number ?? ""} ${target.label}`);
  return { ...target, order, words: `${folded} ${folded.replaceAll(" ", "")}` };
});
const byName = new Map(everything.map((target) => [target.name, target]));
const anyReal = everything.some((target) => target.real);

const state = {
  settings: new Set(data.settings.keys()),
  real: anyReal,
  verdicts: new Set(), // empty: all
  reversed: false,
};
let shown = [];
let made = 0;

const chosen = () => [...state.settings].sort((a, b) => a - b);
const runsOf = (target) => chosen().map((index) => target.runs[index]);
const verdictOf = (run) => run.judged[0].verdict;

/** The target's name, with its kind in a softer colour. */
function called({ name, label }) {
  const [, kind, rest] = /^((?:class|filter|neuron|layer):)?(.*)$/s.exec(name);
  const soft = (text) => (text ? [make("span", { class: "kind" }, text)] : []);
  return kind && rest ? [...soft(kind), rest, ...soft(label && ` ${label}`)] : [name];
}

const COLLATOR = new Intl.Collator("en", { numeric: true });
const KEYS = {
  order: (target) => target.order,
  name: null,
  activation: (target) => negative(runsOf(target).find(Boolean)?.judged[0].activation),
  rank: (target) => runsOf(target).find(Boolean)?.judged[0].rank,
};
const negative = (value) => (value === null || value === undefined ? null : -value); // the most active first

function sorted(targets) {
  const key = KEYS[at("sort").value];
  const sign = state.reversed ? -1 : 1;
  if (!key) return targets.sort((a, b) => sign * COLLATOR.compare(a.name, b.name));
  const keys = new Map(targets.map((target) => [target, key(target) ?? null]));
  return targets.sort((a, b) => {
    const [one, other] = [keys.get(a), keys.get(b)];
    if (one === null || other === null) return (one === null) - (other === null); // unknown last, either way round
    return sign * (one - other) || a.order - b.order;
  });
}

/** Choose and sort the targets again. */
function update() {
  const words = fold(at("search").value).split(" ").filter(Boolean);
  shown = sorted(
    everything.filter((target) => {
      const runs = runsOf(target).filter(Boolean);
      const wanted = (run) => state.verdicts.size === 0 || state.verdicts.has(verdictOf(run));
      return runs.some(wanted) && words.every((word) => target.words.includes(word));
    }),
  );
  const byPicture = chosen().length > 1 && ["rank", "activation"].includes(at("sort").value);
  const first = byPicture ? ", sorted by the first picture of each" : "";
  at("count").textContent =
    `${shown.length.toLocaleString("en")} of ${everything.length.toLocaleString("en")} targets${first}`;
  const most = Math.max(1, ...shown.map((target) => slotsOf(target).length));
  at("grid").style.setProperty("--slots", Math.min(WIDEST, most));
  at("grid").replaceChildren();
  made = 0;
  grow();
}

/** What a target's card shows side by side: [setting, run] pairs, and [null, real picture]. */
function slotsOf(target) {
  const slots = [...chosen().map((index) => [index, target.runs[index]]), ...(state.real ? [[null, target.real]] : [])];
  return slots.length > WIDEST ? slots.filter(([, what]) => what) : slots;
}

/** Add the next cards; the observer calls this when the end of the page comes near. */
function grow() {
  const next = shown.slice(made, made + AT_ONCE);
  made += next.length;
  at("grid").append(...next.map(card));
  watch.unobserve(at("more"));
  if (made < shown.length) watch.observe(at("more"));
}
const watch = new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && grow(), {
  rootMargin: "900px",
});

function card(target) {
  const slots = slotsOf(target);
  const pictures = slots.map(([index, what]) => {
    const caption = index === null ? "real picture" : title(index);
    if (!what) {
      const none = make("div", { class: "frame none" }, index === null ? "no picture" : "no run");
      return make("figure", {}, none, make("figcaption", {}, caption));
    }
    const source = index === null ? what : `${what.folder}/${what.small}`;
    const image = make("img", { src: source, loading: "lazy", decoding: "async", alt: `${target.name}, ${caption}` });
    const lines = slots.length > 1 ? [make("figcaption", { title: caption }, caption)] : [];
    if (index !== null) lines.push(make("figcaption", {}, ...remark(what.judged[0])));
    return make("figure", {}, make("div", { class: "frame" }, image), ...lines);
  });
  const name = make("div", { class: "name", title: target.name }, ...called(target));
  return make("li", {}, make("a", { href: link(target) }, name, make("div", { class: "pictures" }, ...pictures)));
}

/** The verdict, with the value that the cards are sorted by. */
function remark(judged) {
  const said = { activation: ` ${number(judged.activation)}`, rank: ` rank ${number(judged.rank)}` }[at("sort").value];
  return said ? [verdict(judged.verdict, judged.verdict), said] : [verdict(judged.remark, judged.verdict)];
}

const verdict = (text, word) => make("span", { class: "verdict", "data-verdict": word }, text);
const link = (target) => `#/${encodeURIComponent(target.name)}`;

/** A toggle button. */
function chip(text, pressed, toggle, hint) {
  const button = make("button", { type: "button", "aria-pressed": pressed, title: hint }, text);
  button.addEventListener("click", toggle);
  return button;
}

function settingChips() {
  const toggle = (index) => (event) => {
    if (event.altKey) state.settings = new Set([index]);
    else if (!state.settings.delete(index)) state.settings.add(index);
    if (state.settings.size === 0) state.settings = new Set(data.settings.keys());
    chips();
  };
  const chipsOf = data.settings.map(({ name }, index) =>
    chip(title(index), state.settings.has(index), toggle(index), `${name} (Alt-click: only this setting)`),
  );
  if (anyReal)
    chipsOf.push(
      chip("real pictures", state.real, () => {
        state.real = !state.real;
        chips();
      }),
    );
  at("settings").replaceChildren(...(chipsOf.length > 1 ? chipsOf : []));
}

function verdictChips() {
  const counts = new Map();
  for (const run of everything.flatMap(runsOf).filter(Boolean))
    counts.set(verdictOf(run), (counts.get(verdictOf(run)) ?? 0) + 1);
  for (const word of state.verdicts) if (!counts.has(word)) state.verdicts.delete(word);
  const place = (word) => (VERDICTS.includes(word) ? VERDICTS.indexOf(word) : VERDICTS.length);
  const words = [...counts.keys()].sort((a, b) => place(a) - place(b) || COLLATOR.compare(a, b));
  const toggle = (word) => () => {
    if (!state.verdicts.delete(word)) state.verdicts.add(word);
    chips();
  };
  at("verdicts").replaceChildren(
    ...words.map((word) =>
      chip(`${word} ${counts.get(word).toLocaleString("en")}`, state.verdicts.has(word), toggle(word)),
    ),
  );
}

/** Redraw the toggle buttons, keep the focus where it was, and update the cards. */
function chips() {
  const group = document.activeElement?.parentElement;
  const index = group ? [...group.children].indexOf(document.activeElement) : -1;
  settingChips();
  verdictChips();
  if (group?.classList.contains("chips")) group.children[index]?.focus();
  update();
}

at("search").addEventListener("input", update);
at("sort").addEventListener("change", update);
at("reverse").addEventListener("click", () => {
  state.reversed = !state.reversed;
  at("reverse").setAttribute("aria-pressed", state.reversed);
  at("reverse").textContent = state.reversed ? "↑" : "↓";
  update();
});
chips();
