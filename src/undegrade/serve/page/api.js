// The page of the API, from the service's own description.

const here = location.origin;
document.getElementById("example").textContent =
  `curl -f -F file=@photo.jpg -F strength=0.8 -o restored.jpg -D headers.txt ${here}/restore\ncurl -f -F file=@photo.jpg ${here}/estimate`;

function make(tag, text = "", ...children) {
  const element = document.createElement(tag);
  element.append(text, ...children);
  return element;
}

function fields(api, operation) {
  const reference = operation.requestBody?.content?.["multipart/form-data"]?.schema;
  if (!reference) return [];
  const schema = reference.$ref ? api.components.schemas[reference.$ref.split("/").pop()] : reference;
  return Object.entries(schema.properties).map(([name, one]) => {
    const kind = one.enum?.join(" or ") ?? one.type ?? one.anyOf?.map((other) => other.type).filter((type) => type !== "null").join(" or ") ?? "";
    const value = schema.required?.includes(name) ? "required" : one.default === undefined || one.default === null ? "" : `default ${one.default}`;
    return make("tr", "", make("td", name), make("td", one.contentMediaType || name === "file" ? "file" : kind), make("td", value), make("td", one.description ?? ""));
  });
}

// openapi.json needs the token, where there is one; the page's cookie has it.
const answer = await fetch("/openapi.json");
const calls = document.getElementById("calls");
if (answer.ok) {
  const api = await answer.json();
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const section = make("section", "", make("h2", "", make("span", method.toUpperCase()), path), make("p", operation.description ?? ""));
      const rows = fields(api, operation);
      if (rows.length) section.append(make("table", "", make("tbody", "", ...rows)));
      calls.append(section);
    }
  }
} else {
  calls.append(make("p", "Open the page with its token first; then this page can list the calls."));
}
