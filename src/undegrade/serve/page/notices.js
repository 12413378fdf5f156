// Sentences that tell what happened: aloud to screen readers, and on the page where something went wrong.

export function say(sentence) {
  document.getElementById("live").textContent = sentence;
}

export function warn(sentence) {
  const alert = document.getElementById("alert");
  alert.textContent = sentence;
  alert.hidden = false;
  clearTimeout(warn.timer);
  warn.timer = setTimeout(() => { alert.hidden = true; }, 8000);
}

// The last warning stays.
export function stay() {
  clearTimeout(warn.timer);
}
