// Numbers, times and small pieces of HTML. It knows no state.

export const number = (n) => Number(n).toLocaleString("en").replaceAll(",", "\u202f");

/** Nanoseconds with a unit and three digits. */
export function duration(ns) {
  if (ns === null || ns === undefined) return "";
  if (ns === 0) return "0";
  const size = Math.abs(ns);
  const [value, unit] =
    size < 1e3 ? [ns, "ns"] : size < 1e6 ? [ns / 1e3, "µs"] : size < 1e9 ? [ns / 1e6, "ms"] : size < 120e9 ? [ns / 1e9, "s"]
      : size < 7200e9 ? [ns / 60e9, "min"] : [ns / 3600e9, "h"];
  const digits = Math.abs(value) < 10 ? 2 : Math.abs(value) < 100 ? 1 : 0;
  return `${String(Number(value.toFixed(unit === "ns" ? 0 : digits)))} ${unit}`;
}

/** Digits in groups of three: 108.412 317. */
const grouped = (digits) => digits.replace(/(\d{3})(?=\d)/g, "$1\u202f");
const UNITS = [["s", 9], ["ms", 6], ["µs", 3]];
const unitOf = (ns) => UNITS[ns >= 1e9 ? 0 : ns >= 1e6 ? 1 : 2];

/** A point of time to the nanosecond; groups of zeros at its end are left out. */
export function exact(ns) {
  const [unit, n] = unitOf(Math.abs(ns));
  return fixed(ns, unit, n).replace(/(\u202f000)+ /, " ").replace(/\.000 /, " ");
}

function fixed(ns, unit, digits) {
  const power = UNITS.find(([name]) => name === unit)[1];
  const [whole, rest = ""] = (Math.abs(ns) / 10 ** power).toFixed(power).split(".");
  return `${ns < 0 ? "−" : ""}${number(whole)}${digits ? `.${grouped(rest.slice(0, digits))}` : ""} ${unit}`;
}

/** Writes points of time below each other: in one unit, with as many digits as tell each from the next. */
export function aligned(times_ns) {
  const [unit, power] = unitOf(Math.max(0, ...times_ns.map(Math.abs)));
  const distinct = [...new Set(times_ns)];
  const digits = [0, 3, 6, 9].find((n) => n >= power || new Set(distinct.map((ns) => fixed(ns, unit, n))).size === distinct.length);
  return (ns) => fixed(ns, unit, Math.min(digits, power));
}

export const bytes = (n) => (n < 1024 ? `${n} B` : n < 1 << 20 ? `${(n / 1024).toFixed(1)} KB` : `${(n / (1 << 20)).toFixed(1)} MB`);

export const wallTime = (ns) => new Date(ns / 1e6).toISOString().replace("T", " ").replace("Z", "");

const GROUPS = {
  message: "send receive reply timer_start timer_fire timer_cancel",
  work: "handle_start handle_end state_change gc log",
  trouble: "crash supervisor_restart timeout late_reply send_to_dead loss",
};
const groupOfKind = new Map(Object.entries(GROUPS).flatMap(([group, kinds]) => kinds.split(" ").map((kind) => [kind, group])));
export const groupOf = (kind) => groupOfKind.get(kind) || "life";

export const clip = (text, n) => (text.length > n ? `${text.slice(0, n - 1)}…` : text);

/** Replaces what is in an element; nothing stands for null and false. */
export const put = (element, ...rest) => element.replaceChildren(...rest.flat(3).filter((item) => item !== null && item !== undefined && item !== false));

/** Scrolls a box so far that an element in it is in sight. */
export function reveal(element, box) {
  if (!element) return;
  const [inner, outer] = [element.getBoundingClientRect(), box.getBoundingClientRect()];
  if (inner.top >= outer.top && inner.bottom <= outer.bottom) return;
  box.scrollTop += inner.top - outer.top - (outer.height - inner.height) / 2;
}

/** An element: h("button.small", {title}, "text", child ..). Text is text, never markup. */
export function h(tag, ...rest) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name);
  if (classes.length) element.className = classes.join(" ");
  return fill(element, rest);
}

const SVG = "http://www.w3.org/2000/svg";
export function s(tag, ...rest) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElementNS(SVG, name);
  if (classes.length) element.setAttribute("class", classes.join(" "));
  return fill(element, rest);
}

/** A line of a legend. */
export function legendLine(name, stroke, dash, width) {
  const line = s("line", { x1: 0, x2: 26, y1: 4, y2: 4, stroke, "stroke-width": width, "stroke-dasharray": dash });
  return h("span", s("svg", { "aria-hidden": "true" }, line), name);
}

function fill(element, rest) {
  for (const item of rest.flat(3)) {
    if (item === null || item === undefined || item === false) continue;
    if (item instanceof Node || typeof item !== "object") element.append(item);
    else for (const [key, value] of Object.entries(item)) set(element, key, value);
  }
  return element;
}

function set(element, key, value) {
  if (value === null || value === undefined || value === false) return;
  if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
  else if (key === "class") element.setAttribute("class", [element.getAttribute("class"), value].filter(Boolean).join(" "));
  else if (key === "value" || key === "checked") element[key] = value;
  else element.setAttribute(key, value === true ? "" : value);
}

/** A table of rows as the server gives them. `cell(column, row)` may give an element instead. */
export function table(columns, rows, { cell, row: onRow, caption, numeric = [] } = {}) {
  const head = h("tr", columns.map((column) => h("th", { scope: "col", class: numeric.includes(column) ? "n" : "" }, column.replace(/_ns$|_bytes$/, "").replaceAll("_", " "))));
  const body = rows.map((row) => {
    const tr = h("tr", columns.map((column) => {
      const content = cell?.(column, row);
      if (content instanceof HTMLTableCellElement) return content;
      const isNumber = numeric.includes(column);
      return h(isNumber ? "td.n" : "td", content ?? plain(column, row[column]));
    }));
    onRow?.(tr, row);
    return tr;
  });
  return h("table", caption ? h("caption.sr", caption) : null, h("thead", head), h("tbody", body));
}

export function plain(column, value) {
  if (value === null || value === undefined) return "";
  if (column.endsWith("_ns")) return duration(value);
  if (column.endsWith("_bytes")) return bytes(value);
  if (typeof value === "boolean") return value ? "yes" : "no";
  return String(value);
}
