// The controls: what was found, the options, how sure, and saving.

import { say } from "./notices.js";

const $ = (id) => document.getElementById(id);
const number = (value, digits) => (value === null ? "–" : value.toFixed(digits));

// --- what was found ---

export function showFound(item, where) {
  const found = readings(item);
  const soon = !item ? "" : item.state === "failed" ? "Nothing: the picture could not be read." : "This comes when the picture is read.";
  $("summary").textContent = item?.found ? sentence(item) : soon;
  $("summary").classList.toggle("soft", !item?.found);
  $("reason").textContent = why(item);
  const rows = found.map((one, i) => reading(item, one, i, where));
  // Its place is kept, so that nothing jumps when a picture is enlarged.
  if (item?.found && !found.some((one) => one.name === "blur")) rows.push(line("blur", "only read when enlarging"));
  $("found").replaceChildren(...rows);
  const map = found[Number(item?.shown?.slice(4))]?.map;
  $("map-scale").classList.toggle("unseen", !map);
  if (map) setScale($("map-scale"), map.low, map.high, found[Number(item.shown.slice(4))].digits);
}

// What every picture is searched for, and what the model that enlarged it has read.
export const readings = (item) => [...(item?.found ?? []), ...(item?.result?.found ?? [])];

function why(item) {
  if (item?.asked.task) return `The task ${item.asked.task} is your choice.`;
  const reason = item?.choice ?? "";
  if (!reason) return "";
  return reason.startsWith("left alone") ? `L${reason.slice(1)}.` : `Why it is restored: ${reason}.`;
}

function sentence(item) {
  const words = readings(item).filter((one) => one.defined).map((one) => one.words).filter(Boolean);
  if (item.quality !== null) words.push(`the file says JPEG quality ${item.quality}`);
  const text = words.join("; ");
  return text ? `${text[0].toUpperCase()}${text.slice(1)}.` : "";
}

function reading(item, one, i, where) {
  const row = document.createElement("div");
  const name = document.createElement("dt");
  name.textContent = one.name;
  if (one.unit && one.unit !== "QF") {
    const unit = document.createElement("span");
    unit.className = "unit";
    unit.textContent = one.unit;
    name.append(unit);
  }
  if (!one.defined) return line(one.name, one.words);
  const value = document.createElement("dd");
  const large = document.createElement("span");
  large.className = "number";
  large.textContent = number(one.value, one.digits);
  const spread = document.createElement("span");
  spread.className = "spread";
  spread.textContent = one.interval
    ? ` ${one.interval.map((end) => number(end, one.digits)).join(" to ")}`
    : ` ± ${number(one.spread, Math.max(one.digits, 1))}`;
  if (one.interval) spread.title = "holds the true value with a probability of 90 %";
  value.append(large, spread);
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Where";
  button.setAttribute("aria-label", `Show where: ${one.name}`);
  const on = item.shown === `map-${i}`;
  button.setAttribute("aria-pressed", on);
  button.dataset.map = i;
  button.addEventListener("click", () => where(i));
  row.append(name, value, button);
  return row;
}

function line(name, words) {
  const row = document.createElement("div"), term = document.createElement("dt"), value = document.createElement("dd");
  term.textContent = name;
  value.textContent = words;
  row.append(term, value);
  return row;
}

function setScale(line, low, high, digits) {
  line.firstElementChild.textContent = low.toFixed(digits);
  line.lastElementChild.textContent = high.toFixed(digits);
}

// --- the options ---

export function showModels(models) {
  for (const model of models) {
    const option = document.createElement("option");
    option.value = model.task;
    option.textContent = model.task;
    option.title = model.summary;
    $("task").append(option);
  }
}

const optional = (id) => ($(id).value === "" || !$(id).checkValidity() ? null : $(id).valueAsNumber);

export function readAsked(samples, uncertainty = false) {
  const sigma = optional("sigma");
  return {
    task: $("task").value || null,
    strength: $("strength").valueAsNumber,
    sigma,
    quality: sigma === null ? optional("quality") : null,
    samples,
    save_as: $("save-as").value,
    strip_metadata: $("strip-metadata").checked,
    uncertainty,
  };
}

export function showOptions(item, models) {
  const asked = item?.asked ?? { task: null, strength: 1, sigma: null, quality: null, save_as: "same", strip_metadata: false };
  $("strength").value = asked.strength;
  showStrength();
  $("task").value = asked.task ?? "";
  $("sigma").value = asked.sigma ?? "";
  $("quality").value = asked.quality ?? "";
  $("save-as").value = asked.save_as;
  $("strip-metadata").checked = asked.strip_metadata;
  enable(item, models);
}

export function showStrength() {
  $("strength-value").textContent = $("strength").valueAsNumber.toFixed(2);
}

// What has an effect can be used: an enlarging model has no strength, a picture that is left alone neither.
function enable(item, models) {
  const given = item?.asked?.task ?? null;
  const task = given ?? item?.task ?? null;
  const replaced = item?.asked && (item.asked.sigma !== null || item.asked.quality !== null);
  const enlarges = models.some((model) => model.task === task && model.scale > 1);
  const alone = item?.found && task === null && !replaced;
  const ready = Boolean(item?.found);
  $("strength").disabled = !ready || enlarges || Boolean(alone);
  $("strength-hint").textContent = enlarges
    ? "Enlarging has no strength."
    : alone
      ? "Left alone, as there is nothing to remove. Under More you can choose a task nevertheless."
      : "The frame in the middle answers at once; the whole picture follows.";
  if (alone) $("more").open = true;
  for (const id of ["task", "sigma", "quality", "strip-metadata", "save-as"]) $(id).disabled = !ready;
  $("measure").disabled = !ready || Boolean(alone);
}

// --- how sure, and saving ---

const EIGHT = "“Measure” shows where eight restorations from draws of the latent differ. It takes eight times as long.";

// `known`: whether the model knows how far off its pixels may be, "here" if also at this strength.
export function showSure(item, known, model) {
  const std = item?.result?.result.std ?? null;
  $("measure").textContent = std === null ? "Measure" : item.shown === "sure" ? "Hide" : "Show";
  $("measure").setAttribute("aria-pressed", item?.shown === "sure");
  $("fade").disabled = std === null || item.shown !== "sure";
  $("sure-text").textContent = std === null
    ? !model
      ? EIGHT
      : known === "here"
        ? "“Measure” shows how far off each pixel may be: by no more than that, with a probability of 90 %."
        : known
          ? `How far off a pixel may be is known at strength 1 and with the values that were found. ${EIGHT}`
          : `The model ${model} cannot tell how far off a pixel may be: its weights have no scale head yet. ${EIGHT}`
    : std.kind === "interval"
    ? `With a probability of 90 % a pixel is off by no more than ${std.mean.toFixed(1)} levels of 255, on average; ${item.result.uncertainty.words}.`
    : `Eight restorations differ by ${std.mean.toFixed(2)} levels of 255 on average. A pixel that differs more is less certain; its error can be larger than the number.`;
  const line = $("sure-scale");
  line.classList.toggle("unseen", std === null || item.shown !== "sure");
  if (std !== null) {
    line.firstElementChild.textContent = "0";
    line.lastElementChild.textContent = `${std.high.toFixed(1)} levels`;
  }
}

export function showSave(item, link, zip, command) {
  setLink($("download"), item?.result ? link : null);
  const size = item?.result ? ` (${bytes(item.result.result.bytes)})` : "";
  $("download").textContent = `Download${size}`;
  setLink($("zip"), zip);
  $("command").textContent = command;
  $("copy").disabled = !command;
}

const bytes = (n) => (n < 1e6 ? `${Math.max(Math.round(n / 1e3), 1)} kB` : `${(n / 1e6).toFixed(1)} MB`);

function setLink(link, target) {
  link.setAttribute("aria-disabled", target === null);
  if (target === null) link.removeAttribute("href");
  else link.href = target;
  link.download = "";
}

// Whether the model that restores a picture knows how far off it may be: "here", or only with other options, as its
// intervals are those of strength 1 and of its own estimate; or "".
export function knowsIntervals(item, models) {
  const task = item.asked.task ?? item.result?.task ?? item.task;
  if (!models.some((model) => model.task === task && model.intervals)) return "";
  const { strength, sigma, quality } = item.asked;
  return strength === 1 && sigma === null && quality === null ? "here" : "elsewhere";
}

// The command line that does the same, to the clipboard.
export function wireCopy() {
  $("copy").addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText($("command").textContent);
      say("copied");
      $("copy").textContent = "Copied";
      setTimeout(() => { $("copy").textContent = "Copy"; }, 1500);
    } catch { getSelection().selectAllChildren($("command")); }
  });
}
