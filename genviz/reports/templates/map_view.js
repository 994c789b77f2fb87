// Where the pictures are on the screen, and their drawing. All of them are drawn into a canvas of its own, a few
// milliseconds in each frame; what is on the screen is that canvas, moved and scaled until the next one is complete.

const MARGIN = 0.25; // of the screen, drawn around it
const BUDGET = 6; // milliseconds of drawing in a frame
const STROKES = 32; // between two looks at the clock
const LARGEST = 160; // pixels of a thumbnail on the map
const FAINT = 0.1;

const count = data.names.length;
const { side, across } = data.thumbnails;
const plane = at("plane");
const pen = plane.getContext("2d", { alpha: false });

const layouts = {
  map: { x: data.x, y: data.y, side: 0.7 / Math.sqrt(count), growth: 0.7 },
  grid: {
    x: data.column.map((column) => (column + 0.5) / data.columns),
    y: data.row.map((row) => (row + 0.5) / data.columns),
    side: 0.94 / data.columns,
    growth: 1,
  },
};
const state = { layout: layouts.map, paint: null, only: new Set(), near: -1 };
const view = { scale: 1, x: 0.5, y: 0.5 }; // screen pixels for the unit of length, and what is in the middle
let whole = 1; // the scale at which everything is seen

/** A picture's side on the screen. */
function sideAt(scale) {
  const { side: own, growth } = state.layout;
  const wanted = own * whole * (scale / whole) ** growth;
  return growth === 1 ? wanted : Math.min(Math.max(wanted, 5), LARGEST);
}

/** The thumbnails in several sizes, so that small ones are neither slow nor rough. */
let levels = [];
async function load() {
  const full = await Promise.all(
    data.atlases.map(async (source) => {
      const image = new Image();
      image.src = source;
      await image.decode();
      return image;
    }),
  );
  const halved = (images) =>
    images.map((image) => {
      const small = make("canvas", { width: Math.ceil(image.width / 2), height: Math.ceil(image.height / 2) });
      const brush = small.getContext("2d");
      brush.imageSmoothingQuality = "high";
      brush.drawImage(image, 0, 0, image.width / 2, image.height / 2);
      return small;
    });
  levels = [{ images: full.map((image) => copied(image)), side }];
  while (levels.at(-1).side > 8) levels.push({ images: halved(levels.at(-1).images), side: levels.at(-1).side / 2 });
}

function copied(image) {
  const canvas = make("canvas", { width: image.width, height: image.height });
  canvas.getContext("2d").drawImage(image, 0, 0);
  return canvas;
}

/** Draw the thumbnail of a picture. */
function stamp(brush, index, left, top, size) {
  const level = levels.findLast(({ side: own }) => own >= size) ?? levels[0];
  const place = index % (across * across);
  const x = (place % across) * level.side;
  const y = Math.floor(place / across) * level.side;
  const image = level.images[Math.floor(index / (across * across))];
  brush.drawImage(image, x, y, level.side, level.side, left, top, size, size);
}

const buffers = [0, 1].map(() => {
  const canvas = make("canvas");
  const brush = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
  return { canvas, brush, view: null, next: count };
});
let [front, back] = buffers;
let stale = true; // what is in front is not what is to be seen
let asked = false;

/** Begin to draw everything anew as it is to be seen now. */
function begin() {
  back.view = { ...view, layout: state.layout };
  back.next = 0;
  back.brush.fillStyle = getComputedStyle(document.body).backgroundColor;
  back.brush.fillRect(0, 0, back.canvas.width, back.canvas.height);
  stale = false;
}

/** Draw for a few milliseconds; whether all is done. */
function proceed(until) {
  const { canvas, brush, view: seen } = back;
  const { x, y } = state.layout;
  const size = sideAt(seen.scale) * devicePixelRatio;
  const scale = seen.scale * devicePixelRatio;
  let drawn = 0;
  const frame = state.paint ? Math.max(1, Math.min(4, size / 10)) : 0;
  while (back.next < count) {
    const index = back.next++;
    const left = (x[index] - seen.x) * scale + canvas.width / 2 - size / 2;
    const top = (y[index] - seen.y) * scale + canvas.height / 2 - size / 2;
    if (left > canvas.width || top > canvas.height || left + size < 0 || top + size < 0) continue;
    const faint = state.paint && state.only.size && !state.only.has(state.paint.group[index]);
    brush.globalAlpha = faint ? FAINT : 1;
    if (frame && !faint) {
      brush.fillStyle = state.paint.colours[state.paint.group[index]];
      brush.fillRect(left - frame, top - frame, size + 2 * frame, size + 2 * frame);
    }
    stamp(brush, index, left, top, size);
    if (++drawn % STROKES !== 0) continue;
    brush.getImageData(0, 0, 1, 1); // what is drawn is only noted until somebody looks
    if (performance.now() > until) return false;
  }
  brush.getImageData(0, 0, 1, 1);
  brush.globalAlpha = 1;
  return true;
}

/** What is in front, at the place and size that it has by now. */
function show() {
  pen.fillStyle = getComputedStyle(document.body).backgroundColor;
  pen.fillRect(0, 0, plane.width, plane.height);
  if (front.view === null) return;
  const factor = view.scale / front.view.scale;
  const [wide, high] = [front.canvas.width * factor, front.canvas.height * factor];
  const left = (front.view.x - view.x) * view.scale * devicePixelRatio + (plane.width - wide) / 2;
  const top = (front.view.y - view.y) * view.scale * devicePixelRatio + (plane.height - high) / 2;
  pen.imageSmoothingEnabled = factor !== 1 && back.next >= count && !stale;
  if (factor === 1) pen.drawImage(front.canvas, Math.round(left), Math.round(top));
  else pen.drawImage(front.canvas, left, top, wide, high);
  marks();
}

/** The generated pictures and the one under the pointer, over all others. */
function marks() {
  const accent = getComputedStyle(document.documentElement).getPropertyValue("--accent");
  pen.font = `${13 * devicePixelRatio}px system-ui, sans-serif`;
  pen.textAlign = "center";
  const { x, y } = state.layout;
  const draw = (index, size, name) => {
    const own = size * devicePixelRatio;
    const left = (x[index] - view.x) * view.scale * devicePixelRatio + plane.width / 2 - own / 2;
    const top = (y[index] - view.y) * view.scale * devicePixelRatio + plane.height / 2 - own / 2;
    const frame = 3 * devicePixelRatio;
    pen.fillStyle = accent;
    pen.fillRect(left - frame, top - frame, own + 2 * frame, own + 2 * frame);
    stamp(pen, index, left, top, own);
    if (!name) return;
    const [middle, foot] = [left + own / 2, top + own + 18 * devicePixelRatio];
    pen.lineWidth = 4 * devicePixelRatio;
    pen.strokeStyle = getComputedStyle(document.body).backgroundColor;
    pen.strokeText(name, middle, foot);
    pen.fillText(name, middle, foot);
  };
  pen.imageSmoothingEnabled = true;
  const size = sideAt(view.scale);
  for (const [index, name] of data.generated) draw(index, state.layout.growth === 1 ? size : Math.max(size, 40), name);
  if (state.near >= 0) draw(state.near, Math.max(size * 1.2, 24));
}

function frame() {
  asked = false;
  if (stale && back.next >= count) begin();
  if (back.next < count && proceed(performance.now() + BUDGET)) {
    [front, back] = [back, front];
    back.next = count;
  }
  show();
  if (stale || back.next < count) ask();
}

/** Draw in the next frame; ``again``: what is seen has changed. */
function ask(again = false) {
  stale ||= again;
  if (asked || !levels.length) return;
  asked = true;
  requestAnimationFrame(frame);
}

/** The whole plane, in the window as it is. */
function fit() {
  const [wide, high] = [plane.clientWidth, plane.clientHeight];
  const { x, y } = state.layout;
  const ends = [x, y].map((values) => values.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [1, 0]));
  const [width, height] = ends.map(([low, high]) => high - low);
  whole = 0.92 * Math.min(wide / (width + state.layout.side), high / (height + state.layout.side));
  Object.assign(view, { scale: whole, x: (ends[0][0] + ends[0][1]) / 2, y: (ends[1][0] + ends[1][1]) / 2 });
  ask(true);
}

function resized() {
  plane.width = plane.clientWidth * devicePixelRatio;
  plane.height = plane.clientHeight * devicePixelRatio;
  for (const { canvas } of buffers) {
    canvas.width = Math.ceil(plane.width * (1 + 2 * MARGIN));
    canvas.height = Math.ceil(plane.height * (1 + 2 * MARGIN));
  }
  front.view = null;
  back.next = count;
  fit();
}
