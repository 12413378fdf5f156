// What the page asks of the service.

let token = new URLSearchParams(location.hash.slice(1)).get("token");
if (token) history.replaceState(null, "", location.pathname); // not left in the address
let desk = null;

export class Refusal extends Error {
  constructor(message, status, wait) {
    super(message);
    this.status = status;
    this.wait = wait;
  }
}

async function call(path, options = {}) {
  const headers = { ...(options.headers ?? {}) };
  if (token) headers.Authorization = `Bearer ${token}`;
  let response;
  try {
    response = await fetch(path, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal("The service does not answer. Start it again and reload this page.", 0);
  }
  if (response.ok) return response;
  let sentence = `The service answers ${response.status}.`;
  try {
    const { detail } = await response.json();
    if (typeof detail === "string") sentence = detail;
  } catch { /* no JSON: the number must do */ }
  throw new Refusal(sentence, response.status, Number(response.headers.get("Retry-After") ?? 0));
}

const json = (value) => ({
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(value),
});
const at = (number, rest = "") => `/desks/${desk}/pictures/${number}${rest}`;
export const pause = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));

// Opens the desk; `heard` gets every event.
export async function open(heard, lost) {
  const opened = await (await call("/desks", { method: "POST" })).json();
  desk = opened.desk;
  const events = new EventSource(`/desks/${desk}/events`);
  events.onmessage = (message) => heard(JSON.parse(message.data));
  events.onerror = () => { if (events.readyState === EventSource.CLOSED) lost(); };
  await new Promise((done) => { events.onopen = done; });
  return opened;
}

// A call that a full queue may refuse for now: waits as long as it is told.
async function patiently(ask, wanted) {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (error.status !== 429 || !wanted()) throw error;
      await pause(Math.min(error.wait || 1, 10));
    }
  }
}

export const models = async () => (await call("/models")).json();
export const send = (file, wanted) => patiently(async () => (
  await call(`/desks/${desk}/pictures?name=${encodeURIComponent(file.name)}`, { method: "POST", body: file })
).json(), wanted);
export const restore = (number, asked, wanted) =>
  patiently(async () => (await call(at(number, "/restore"), json(asked))).json(), wanted);
export const part = async (number, asked, rows, columns) =>
  (await call(at(number, "/part"), json({ asked, rows, columns }))).blob();
export const cancel = (number) => call(at(number, "/cancel"), { method: "POST" });
export const remove = (number) => call(at(number), { method: "DELETE" });
export const file = (number, name) => at(number, `/${name}`);
export const zip = () => `/desks/${desk}/zip`;
export const close = () => desk && fetch(`/desks/${desk}`, { method: "DELETE", keepalive: true });
