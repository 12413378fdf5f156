// The two halves in step: modes, zoom and place, the part of another strength, and planes of numbers above.

const $ = (id) => document.getElementById(id);
const view = $("view"), before = $("before"), after = $("after"), part = $("part"), overlay = $("overlay");
const MOST = 32;

const place = { x: 0, y: 0, z: 1, w: 1, h: 1 };
let plane = null; // { values, width, height, low, high, unit, name }
let changed = () => {};

const dots = () => window.devicePixelRatio || 1;
const halves = () => (view.classList.contains("side") ? 2 : 1);
const paneWidth = () => view.clientWidth / halves();

function show() {
  const style = view.style;
  style.setProperty("--x", `${place.x}px`);
  style.setProperty("--y", `${place.y}px`);
  style.setProperty("--z", place.z);
  style.setProperty("--w", place.w);
  style.setProperty("--h", place.h);
  view.classList.toggle("pixels", place.z * dots() >= 2);
  $("percent").textContent = `${Math.round(place.z * dots() * 100)} %`;
  changed();
}

// A picture smaller than the view stays in its middle; a larger one keeps the view filled.
function settle() {
  for (const [axis, size, room] of [["x", place.w * place.z, paneWidth()], ["y", place.h * place.z, view.clientHeight]]) {
    place[axis] = size <= room ? (room - size) / 2 : Math.min(0, Math.max(room - size, place[axis]));
  }
  // On whole pixels of the screen a picture at 100 % is sharp.
  place.x = Math.round(place.x * dots()) / dots();
  place.y = Math.round(place.y * dots()) / dots();
  show();
}

function zoomTo(z, x = paneWidth() / 2, y = view.clientHeight / 2) {
  const least = Math.min(fitting(), 1 / dots()) / 2;
  const next = Math.min(Math.max(z, least), MOST / dots());
  place.x = x - (x - place.x) * (next / place.z);
  place.y = y - (y - place.y) * (next / place.z);
  place.z = next;
  settle();
}

const fitting = () => Math.min(paneWidth() / place.w, view.clientHeight / place.h);

function move(dx, dy) {
  place.x += dx;
  place.y += dy;
  settle();
}

// --- what others use ---

export function onChange(call) { changed = call; }

// A picture's size in pixels of the result, shown at 100 % in its middle; or the place is kept, also where an enlarged
// picture takes the place of the one before.
export function setSize(w, h, keep) {
  const middle = centre(), times = w / place.w;
  place.w = w;
  place.h = h;
  if (keep) {
    place.x = paneWidth() / 2 - middle.x * times * place.z;
    place.y = view.clientHeight / 2 - middle.y * times * place.z;
  } else {
    place.z = 1 / dots();
    place.x = (paneWidth() - w * place.z) / 2;
    place.y = (view.clientHeight - h * place.z) / 2;
  }
  settle();
}

export function setBefore(url) {
  if (url) before.src = url;
  else before.removeAttribute("src");
}

// Shows a result once it is decoded, so that nothing flickers.
export async function setAfter(url, still) {
  if (url === null) {
    after.removeAttribute("src");
    view.classList.add("alone");
    return;
  }
  const loaded = new Image();
  loaded.src = url;
  try {
    await loaded.decode();
  } catch { return; }
  if (!still()) return;
  after.src = url;
  await after.decode().catch(() => {});
  view.classList.remove("alone");
  clearPart();
}

export function setPart(url, rows, columns) {
  part.onload = () => URL.revokeObjectURL(url);
  part.src = url;
  Object.assign(part.style, {
    left: `${columns[0]}px`, top: `${rows[0]}px`, width: `${columns[1] - columns[0]}px`, height: `${rows[1] - rows[0]}px`,
  });
  part.hidden = false;
  view.classList.remove("alone");
}

export function clearPart() {
  part.hidden = true;
  part.removeAttribute("src");
}

// Rows and columns of the square of the picture in the middle of what is seen.
export function middlePart(side) {
  const { x, y } = centre();
  const span = (at, size) => {
    const length = Math.min(side, size);
    const low = Math.round(Math.min(Math.max(at - length / 2, 0), size - length));
    return [low, low + length];
  };
  return { rows: span(y, place.h), columns: span(x, place.w) };
}

function centre() {
  return { x: (paneWidth() / 2 - place.x) / place.z, y: (view.clientHeight / 2 - place.y) / place.z };
}

const RAMPS = {
  map: [[32, 56, 107, 235], [90, 111, 168, 235], [217, 164, 65, 235], [255, 233, 176, 235]],
  sure: [[224, 69, 123, 0], [224, 69, 123, 255]],
};

// Lays a grey picture of numbers over the restored one, in colours; null takes it away.
export async function setPlane(given, still = () => true) {
  if (given === null) {
    plane = null;
    overlay.hidden = true;
    changed();
    return;
  }
  const grey = new Image();
  grey.src = given.url;
  try { await grey.decode(); } catch { return; }
  if (!still()) return;
  overlay.width = grey.naturalWidth;
  overlay.height = grey.naturalHeight;
  const context = overlay.getContext("2d", { willReadFrequently: true });
  context.drawImage(grey, 0, 0);
  const pixels = context.getImageData(0, 0, overlay.width, overlay.height);
  const values = new Uint8Array(overlay.width * overlay.height);
  const ramp = RAMPS[given.kind];
  for (let i = 0; i < values.length; i++) {
    const v = values[i] = pixels.data[4 * i];
    const at = (v / 255) * (ramp.length - 1), low = Math.min(Math.floor(at), ramp.length - 2), share = at - low;
    for (let k = 0; k < 4; k++) pixels.data[4 * i + k] = ramp[low][k] * (1 - share) + ramp[low + 1][k] * share;
  }
  context.putImageData(pixels, 0, 0);
  plane = { ...given, values, width: overlay.width, height: overlay.height };
  overlay.hidden = false;
  changed();
}

export const setFade = (opacity) => view.style.setProperty("--fade", opacity);

// The place and, where a plane is shown, its number under the pointer; else in the middle of the view.
export function under(event) {
  let at = centre();
  if (event) {
    const box = view.getBoundingClientRect();
    at = { x: (((event.clientX - box.left) % paneWidth()) - place.x) / place.z, y: (event.clientY - box.top - place.y) / place.z };
  }
  const x = Math.floor(at.x), y = Math.floor(at.y);
  if (x < 0 || y < 0 || x >= place.w || y >= place.h) return "";
  if (!plane) return `x ${x}, y ${y}`;
  const column = Math.min(Math.floor((x / place.w) * plane.width), plane.width - 1);
  const row = Math.min(Math.floor((y / place.h) * plane.height), plane.height - 1);
  const value = plane.low + (plane.values[row * plane.width + column] / 255) * (plane.high - plane.low);
  const digits = Math.abs(plane.high) < 2 ? 2 : 1;
  return `x ${x}, y ${y}: ${plane.name} ${value.toFixed(digits)} ${plane.unit}`;
}

// --- hands ---

function setMode(mode) {
  const old = centre();
  view.classList.remove("slide", "side", "hold");
  view.classList.add(mode);
  place.x = paneWidth() / 2 - old.x * place.z;
  place.y = view.clientHeight / 2 - old.y * place.z;
  settle();
}

function peek(on) {
  view.classList.toggle("peek", on);
  $("peek").setAttribute("aria-pressed", on);
}

export function begin() {
  for (const input of document.querySelectorAll("#modes input")) input.addEventListener("change", () => setMode(input.value));
  const split = $("split");
  // The handle's middle runs from half its width to the other end's: the line follows it.
  const line = () => {
    const handle = 40, share = split.value / 100;
    view.style.setProperty("--split", `${handle / 2 + share * (view.clientWidth - handle)}px`);
  };
  split.addEventListener("input", line);
  new ResizeObserver(() => { line(); settle(); }).observe(view);

  const button = $("peek");
  button.addEventListener("pointerdown", () => peek(true));
  for (const end of ["pointerup", "pointerleave", "pointercancel", "blur"]) button.addEventListener(end, () => peek(false));
  button.addEventListener("keydown", (event) => { if (event.key === " " || event.key === "Enter") peek(true); });
  button.addEventListener("keyup", () => peek(false));

  $("in").addEventListener("click", () => zoomTo(place.z * 2));
  $("out").addEventListener("click", () => zoomTo(place.z / 2));
  $("one").addEventListener("click", () => zoomTo(1 / dots()));
  $("fit").addEventListener("click", () => { place.z = Math.min(fitting(), 1 / dots()); settle(); });

  view.addEventListener("keydown", (event) => {
    if (event.target !== view || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = 60;
    const keys = {
      ArrowLeft: () => move(step, 0), ArrowRight: () => move(-step, 0), ArrowUp: () => move(0, step), ArrowDown: () => move(0, -step),
      "+": () => zoomTo(place.z * 2), "=": () => zoomTo(place.z * 2), "-": () => zoomTo(place.z / 2),
      0: () => zoomTo(1 / dots()), f: () => $("fit").click(),
    };
    if (!keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
  view.addEventListener("wheel", (event) => {
    event.preventDefault();
    const box = view.getBoundingClientRect();
    zoomTo(place.z * Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.002)), (event.clientX - box.left) % paneWidth(), event.clientY - box.top);
  }, { passive: false });

  const pointers = new Map();
  view.addEventListener("pointerdown", (event) => {
    if (event.target === split || event.button > 0) return;
    view.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, event);
  });
  view.addEventListener("pointermove", (event) => {
    const last = pointers.get(event.pointerId);
    if (!last) return;
    pointers.set(event.pointerId, event);
    if (pointers.size === 1) {
      move(event.clientX - last.clientX, event.clientY - last.clientY);
    } else if (pointers.size === 2) {
      const [other] = [...pointers.values()].filter((p) => p.pointerId !== event.pointerId);
      const reach = (p) => Math.hypot(p.clientX - other.clientX, p.clientY - other.clientY);
      const box = view.getBoundingClientRect();
      const middle = { x: ((event.clientX + other.clientX) / 2 - box.left) % paneWidth(), y: (event.clientY + other.clientY) / 2 - box.top };
      zoomTo((place.z * reach(event)) / Math.max(reach(last), 1), middle.x, middle.y);
      move((event.clientX - last.clientX) / 2, (event.clientY - last.clientY) / 2);
    }
  });
  for (const end of ["pointerup", "pointercancel"]) view.addEventListener(end, (event) => pointers.delete(event.pointerId));
  setMode("slide");
  line();
}
