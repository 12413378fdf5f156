// The row of thumbnails: one entry for each picture, with what is done with it.

const list = document.getElementById("pictures");
const entries = new Map();

export function add(item, pick, remove) {
  const entry = document.createElement("li");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "pick";
  const image = document.createElement("img");
  image.alt = "";
  if (item.url) image.src = item.url;
  image.onerror = () => { image.removeAttribute("src"); };
  const name = document.createElement("span");
  name.className = "name";
  name.textContent = item.name;
  name.title = item.name;
  const thumb = document.createElement("span");
  thumb.className = "thumb";
  thumb.append(image);
  button.append(thumb, name);
  button.addEventListener("click", () => pick(item));
  const mark = document.createElement("span");
  mark.className = "mark";
  mark.setAttribute("aria-hidden", "true");
  const away = document.createElement("button");
  away.type = "button";
  away.className = "remove";
  away.textContent = "×";
  away.setAttribute("aria-label", `Remove ${item.name}`);
  away.addEventListener("click", () => remove(item));
  entry.append(button, mark, away);
  list.append(entry);
  entries.set(item, { entry, button, image, mark });
}

const MARKS = {
  waiting: "waiting", sending: "sending", looking: "reading", restoring: "", restored: "", left: "left alone",
  failed: "failed", cancelled: "cancelled",
};

export function update(item) {
  const shown = entries.get(item);
  if (!shown) return;
  const percent = item.fraction === null ? "…" : `${Math.round(100 * item.fraction)} %`;
  const word = item.state === "restoring" ? percent : MARKS[item.state];
  shown.mark.textContent = word;
  shown.mark.classList.toggle("bad", item.state === "failed");
  shown.button.setAttribute("aria-label", `${item.name}, ${item.state === "left" ? "left alone" : item.state}${item.reason && item.state === "failed" ? `: ${item.reason}` : ""}`);
}

export function setThumbnail(item, url) {
  const shown = entries.get(item);
  if (shown) shown.image.src = url;
}

export function setCurrent(item) {
  for (const [other, { button }] of entries) button.setAttribute("aria-current", other === item);
  entries.get(item)?.entry.scrollIntoView({ block: "nearest", inline: "nearest" });
}

export function remove(item) {
  entries.get(item)?.entry.remove();
  entries.delete(item);
}

export const focus = (item) => entries.get(item)?.button.focus();
