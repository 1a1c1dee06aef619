// Terms as Erlang or Elixir writes them, from the server's JSON (see `codec/json`). It knows no data.

let syntax = "erlang";
/** Chooses the syntax that everything is written in from now on. */
export const speak = (name) => { syntax = name; };

const isPlainErlang = /^[a-z][\w@]*$/, isPlainElixir = /^[a-zA-Z_]\w*[?!]?$/;

function atom(text) {
  if (syntax === "erlang") return isPlainErlang.test(text) ? text : `'${text.replace(/[\\']/g, "\\$&")}'`;
  if (text.startsWith("Elixir.")) return text.slice(7);
  return isPlainElixir.test(text) ? `:${text}` : `:${JSON.stringify(text)}`;
}

/** A key of a map as one names it. */
export const keyText = (key) => (syntax === "erlang" ? atom(key) : atom(key).replace(/^:/, ""));

function map(pairs) {
  const of = (separator) => pairs.map(([key, value]) => `${key}${separator}${termText(value)}`);
  if (syntax === "erlang") return `#{${of(" => ").join(", ")}}`;
  return `%{${of(" => ").join(", ")}}`;
}

function object(json) {
  if (syntax === "erlang") return map(Object.entries(json).map(([key, value]) => [atom(key), value]));
  const { __struct__: struct, ...fields } = json;
  const rest = Object.entries(fields).map(([key, value]) => `${keyText(key)}: ${termText(value)}`);
  return `%${struct ? atom(struct) : ""}{${rest.join(", ")}}`;
}

/** A term as short text. */
export function termText(json) {
  if (json === null) return "nil";
  if (Array.isArray(json)) return `[${json.map(termText).join(", ")}]`;
  if (typeof json === "string") return atom(json);
  if (typeof json !== "object") return String(json);
  const [key] = Object.keys(json);
  if (key === "$tuple") return `{${json.$tuple.map(termText).join(", ")}}`;
  if (key === "$improper") return `[${json.$improper.slice(0, -1).map(termText).join(", ")} | ${termText(json.$improper.at(-1))}]`;
  if (key === "$bin") return syntax === "erlang" ? `<<${JSON.stringify(json.$bin)}>>` : JSON.stringify(json.$bin);
  if (key === "$map") return map(json.$map.map(([key, value]) => [termText(key), value]));
  if (key === "$pid" && syntax === "elixir") return `#PID${json.$pid}`;
  return key?.startsWith("$") ? String(json[key]) : object(json);
}

/** Whether a term has parts to unfold. */
export const isNested = (json) => json !== null && typeof json === "object" && Object.keys(json).length > 0 &&
  !Object.keys(json).some((key) => key.startsWith("$") && !["$map", "$tuple", "$improper"].includes(key));

/** The parts of a nested term: [[name, part, path of it], ..]; paths are those of the server's differences. */
export function parts(json, path) {
  if (Array.isArray(json)) return json.map((item, idx) => [`[${idx}]`, item, `${path}[${idx}]`]);
  const below = (key) => (path ? `${path}.${key}` : key);
  if (json.$map) return json.$map.map(([key, value]) => [termText(key), value, below(termText(key))]);
  const items = json.$tuple || json.$improper;
  if (items) return items.map((item, idx) => [`{${idx}}`, item, `${path}[${idx}]`]);
  return Object.entries(json).map(([key, value]) => [keyText(key), value, below(key)]);
}
