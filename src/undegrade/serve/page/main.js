// The page: its pictures, one of which is shown, and what happens to them.

import * as calls from "./calls.js";
import { say, stay, warn } from "./notices.js";
import * as panel from "./panel.js";
import { forgetPart, steer } from "./steering.js";
import * as strip from "./strip.js";
import { wireTheme } from "./theme.js";
import * as viewer from "./viewer.js";

const $ = (id) => document.getElementById(id);
const SHOWN = ["image/png", "image/jpeg", "image/webp", "image/avif"];
const AT_ONCE = 6; // pictures with the service at a time; the others wait here
const SAMPLES = 8;
const PLAIN = { task: null, strength: 1, sigma: null, quality: null, samples: 0, save_as: "same", strip_metadata: false, uncertainty: false };
const BUSY = ["sending", "looking", "restoring"];
const items = [];
let current = null, models = [], limits = { bytes: Infinity, pictures: Infinity }, sending = false;

// --- pictures come ---

function take(files) {
  for (const file of files) {
    if (items.length >= limits.pictures) return warn(`There are ${items.length} pictures; remove some first.`);
    const item = {
      file, name: file.name || "pasted.png", number: null, state: "waiting", fraction: null, began: 0, reason: "",
      url: SHOWN.includes(file.type) ? URL.createObjectURL(file) : "", before: null, facts: null, found: null,
      quality: null, task: null, choice: "", asked: { ...PLAIN }, result: null, command: "",
      shown: null, gone: false, version: 0,
    };
    item.before = item.url || null;
    items.push(item);
    strip.add(item, show, discard);
    strip.update(item);
    if (file.size > limits.bytes) fail(item, `the file is larger than ${limits.bytes / 1e6} MB; restart with --max-bytes.`);
  }
  document.body.classList.toggle("empty", items.length === 0);
  if (current === null && items.length) show(items[0]);
  sendNext();
}

async function sendNext() {
  if (sending) return;
  sending = true;
  try {
    for (;;) {
      const item = items.find((one) => one.state === "waiting" && one.number === null);
      if (!item || items.filter((one) => BUSY.includes(one.state)).length >= AT_ONCE) return;
      set(item, "sending");
      try {
        const sent = await calls.send(item.file, () => !item.gone);
        item.number = sent.picture;
        if (item.gone) calls.remove(item.number).catch(() => {});
        else if (item.state === "sending") set(item, "looking");
        replay(item);
      } catch (error) {
        fail(item, error.message);
      }
    }
  } finally {
    sending = false;
  }
}

function set(item, state) {
  item.state = state;
  item.fraction = null;
  item.began = performance.now();
  changed(item);
}

function fail(item, reason) {
  item.reason = reason;
  set(item, "failed");
  say(`${item.name}: ${reason}`);
  sendNext();
}

function changed(item) {
  strip.update(item);
  if (item === current) showState();
}

function discard(item) {
  const at = items.indexOf(item);
  item.gone = true;
  items.splice(at, 1);
  strip.remove(item);
  if (item.number !== null) calls.remove(item.number).catch((error) => warn(error.message));
  if (item.url) URL.revokeObjectURL(item.url);
  say(`${item.name} removed`);
  if (item === current) {
    current = null;
    const next = items[Math.min(at, items.length - 1)];
    if (next) { show(next); strip.focus(next); }
  }
  document.body.classList.toggle("empty", items.length === 0);
  if (!items.length) { viewer.setBefore(null); viewer.setAfter(null); $("choose").focus(); }
  showSave();
  sendNext();
}

// --- what the service tells ---

const early = new Map(); // events of pictures whose number is not known yet

function heard(event) {
  const item = items.find((one) => one.number === event.picture);
  if (item) return happened(item, event);
  if (!early.has(event.picture)) early.set(event.picture, []);
  early.get(event.picture).push(event);
}

function replay(item) {
  for (const event of early.get(item.number) ?? []) happened(item, event);
  early.delete(item.number);
}

function happened(item, event) {
  if (event.event === "looked") {
    item.facts = event;
    strip.setThumbnail(item, calls.file(item.number, "thumbnail.png"));
    item.before = event.view ? calls.file(item.number, event.view) : item.url || calls.file(item.number, "source");
    if (item === current) { showPicture(false); showState(); }
  } else if (event.event === "progress") {
    item.fraction = event.fraction;
    changed(item);
  } else if (event.event === "found") {
    Object.assign(item, { found: event.found, quality: event.quality, task: event.task, choice: event.reason });
    if (item === current) { showFound(); panel.showOptions(item, models); }
    restore(item);
  } else if (event.event === "restored") {
    restored(item, event);
  } else if (event.event === "failed") {
    fail(item, event.reason);
  } else if (event.event === "cancelled" && item.stopping) {
    item.stopping = false;
    set(item, "cancelled");
    say(`${item.name}: cancelled`);
    sendNext();
  }
}

function restored(item, record) {
  item.result = record;
  item.choice = record.choice ?? item.choice;
  item.command = record.command;
  if (record.result.std) item.shown = "sure";
  else if (item.shown === "sure" || !panel.readings(item)[Number(item.shown?.slice(4))]) item.shown = null;
  set(item, record.status === "left" ? "left" : "restored");
  say(`${item.name}: ${record.status === "left" ? "left alone" : `restored in ${record.seconds.toFixed(1)} seconds`}`);
  if (item === current) { showPicture(true); showFound(); }
  showSave();
  sendNext();
}

async function restore(item) {
  const version = ++item.version;
  set(item, "restoring");
  try {
    const { command } = await calls.restore(item.number, item.asked, () => !item.gone && item.version === version);
    if (item.version !== version) return; // an answer to a newer request may be here already
    item.command = command;
    if (item === current) showSave();
  } catch (error) {
    if (item.version === version) fail(item, error.message);
  }
}

// --- what is shown ---

function show(item) {
  current = item;
  strip.setCurrent(item);
  viewer.clearPart();
  $("under").textContent = "";
  panel.showOptions(item, models);
  showPicture(false);
  showFound();
  showState();
}

function size(item) {
  if (item.result) return [item.result.result.width, item.result.result.height];
  return item.facts ? [item.facts.width, item.facts.height] : null;
}

let shownSize = null;
async function showPicture(keep) {
  const item = current, now = size(item);
  viewer.setBefore(item.before);
  $("after-tag").textContent = item.result?.status === "left" ? "unchanged" : "restored";
  if (now) {
    const kept = keep && shownSize?.item === item;
    shownSize = { item };
    viewer.setSize(...now, kept);
  } else if (item.before) {
    const image = new Image(); // the browser's own preview, before the service has looked
    image.src = item.before;
    try { await image.decode(); } catch { return; }
    if (item === current && !size(item)) viewer.setSize(image.naturalWidth, image.naturalHeight, false);
  }
  const file = item.result && (item.result.result.view ?? item.result.file);
  await viewer.setAfter(file ? calls.file(item.number, file) : null, () => item === current);
}

function showFound() {
  panel.showFound(current, where);
  showSure();
  showPlane();
  showSave();
}

function showSure() {
  const item = current, task = item?.asked.task ?? item?.task ?? null;
  const variant = item?.result?.task === task && item?.result?.variant;
  panel.showSure(item, item && panel.knowsIntervals(item, models), task && (variant ? `${task}-${variant}` : task));
}

function showPlane() {
  const item = current, shown = item?.shown ?? null, still = () => item === current && item.shown === shown;
  if (shown === null) return viewer.setPlane(null);
  const sure = shown === "sure";
  const one = sure ? null : panel.readings(item)[Number(shown.slice(4))];
  const from = sure ? item.result.result.std : one.map;
  viewer.setFade(sure ? $("fade").value : 0.72);
  return viewer.setPlane({
    url: calls.file(item.number, from.file), low: from.low, high: from.high, kind: sure ? "sure" : "map",
    name: sure ? (from.kind === "interval" ? "may be off by" : "differs by") : one.name, unit: sure || one.unit.startsWith("8-bit") ? "levels" : one.unit,
  }, still);
}

function where(i) {
  current.shown = current.shown === `map-${i}` ? null : `map-${i}`;
  showFound();
  document.querySelector(`#found button[data-map="${i}"]`)?.focus();
}

const WORDS = { waiting: "Waiting", sending: "Sending", looking: "Reading what was done to it", restoring: "Restoring" };

function showState() {
  const item = current, busy = item && (BUSY.includes(item.state) || item.state === "waiting");
  const state = $("state"), bar = $("progress");
  state.classList.toggle("bad", item?.state === "failed");
  bar.classList.toggle("idle", !busy);
  if (busy && item.fraction === null) bar.removeAttribute("value");
  else bar.value = item?.fraction ?? 0;
  $("cancel").disabled = !busy;
  state.textContent = !item ? "" : busy ? `${WORDS[item.state]}${left(item)}` : ended(item);
  const nothing = item && !item.before && !item.result;
  $("placeholder").hidden = !nothing && !(item?.state === "failed" && !item.facts);
  $("placeholder").classList.toggle("bad", item?.state === "failed");
  $("placeholder").textContent = item?.state === "failed" ? `${item.name}: ${item.reason}` : nothing ? "A preview comes as soon as the file is read." : "";
}

function left(item) {
  if (item.fraction === null || item.fraction < 0.02) return "…";
  const seconds = ((performance.now() - item.began) / 1000) * (1 / item.fraction - 1);
  const time = seconds < 90 ? `${Math.max(Math.round(seconds), 1)} s` : `${Math.round(seconds / 60)} min`;
  return `, ${Math.round(100 * item.fraction)} %, about ${time} left`;
}

function ended(item) {
  if (item.state === "failed") return item.facts ? item.reason : "This file cannot be used."; // the reason is above
  if (item.state === "cancelled") return item.result ? "Cancelled; the result before is shown." : "Cancelled. Move the strength to begin again.";
  const { result } = item;
  if (!result) return "";
  const { width, height, format } = result.result;
  const facts = `${width} × ${height}, ${result.bits} bit ${format.toUpperCase()}`;
  if (item.state === "left") return `Left alone: the result is the file itself. ${facts}`;
  return `${width > result.width ? "Enlarged" : "Restored"} by ${result.task}-${result.variant} in ${result.seconds.toFixed(1)} s. ${facts}`;
}

function showSave() {
  const link = current?.result ? `${calls.file(current.number, current.result.file)}?download=true` : null;
  panel.showSave(current, link, items.some((item) => item.result) ? calls.zip() : null, current?.command ?? "");
}

// --- the options change ---

function ask(samples = 0, uncertainty = false) {
  const item = current;
  if (!item || item.number === null) return;
  for (const id of ["sigma", "quality"]) if (!$(id).reportValidity()) return;
  item.asked = panel.readAsked(samples, uncertainty);
  panel.showOptions(item, models);
  showFound();
  restore(item);
}

// --- hands ---

function wire() {
  const files = $("files");
  for (const id of ["choose", "more-pictures"]) $(id).addEventListener("click", () => files.click());
  files.addEventListener("change", () => { take(files.files); files.value = ""; });
  document.addEventListener("paste", (event) => { if (event.clipboardData?.files.length) take(event.clipboardData.files); });
  document.addEventListener("dragover", (event) => { event.preventDefault(); document.body.classList.add("dragging"); });
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) document.body.classList.remove("dragging"); });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dragging");
    take(event.dataTransfer.files);
  });
  $("cancel").addEventListener("click", () => {
    if (current.number === null) return discard(current);
    current.stopping = true;
    current.version++;
    return calls.cancel(current.number).catch((error) => warn(error.message));
  });
  const strength = $("strength");
  strength.addEventListener("input", () => steer(current, (item) => item === current));
  strength.addEventListener("change", () => { forgetPart(); ask(); });
  for (const id of ["task", "save-as", "strip-metadata"]) $(id).addEventListener("change", () => ask());
  for (const [id, other] of [["sigma", "quality"], ["quality", "sigma"]]) {
    $(id).addEventListener("change", () => { if ($(id).value) $(other).value = ""; ask(); });
  }
  $("measure").addEventListener("click", () => {
    if (!current.result?.result.std) return panel.knowsIntervals(current, models) === "here" ? ask(0, true) : ask(SAMPLES);
    current.shown = current.shown === "sure" ? null : "sure";
    return showFound();
  });
  $("fade").addEventListener("input", () => viewer.setFade($("fade").value));
  panel.wireCopy();
  let pointer = null;
  const under = () => { $("under").textContent = current && shownSize?.item === current ? viewer.under(pointer) : ""; };
  $("view").addEventListener("pointermove", (event) => { pointer = event; under(); });
  $("view").addEventListener("pointerleave", () => { pointer = null; under(); });
  viewer.onChange(under);
  wireTheme($("theme"));
  addEventListener("pagehide", () => calls.close());
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); }); // its pictures are gone
}

wire();
viewer.begin();
panel.showOptions(null, models);
panel.showSave(null, null, null, "");
try {
  limits = (await calls.open(heard, () => warn("The service has stopped. Start it again and reload this page."))).limits;
  document.body.dataset.ready = "yes";
  sendNext();
  models = await calls.models();
  panel.showModels(models);
  panel.showOptions(current, models);
  showSure();
} catch (error) {
  warn(error.status === 401 ? "This service needs its token: open this page with #token=TOKEN at the end of the address." : error.message);
  stay(); // nothing works without
}
