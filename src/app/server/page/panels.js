// Patterns of trouble, latencies, and the shell's line: the operations' own tables.

import * as api from "./api.js";
import { evaluate, numericColumns } from "./ask.js";
import { duration, h, plain, put, table } from "./format.js";
import { doc, look, on } from "./state.js";

export function makePatterns(root, actions) {
  let key = "";
  async function load() {
    if (look.drawer !== "patterns" || key === `${api.sandbox}-${doc.n_recorded}`) return undefined;
    key = `${api.sandbox}-${doc.n_recorded}`;
    if (!doc.n_recorded) return put(root, h("p.empty", "Nothing is recorded yet."));
    put(root, h("p.empty", "looking for known trouble …"));
    try {
      const { data, meta } = await api.get("patterns");
      if (!data.length) return put(root, h("p.empty", "No known trouble: no call cycle, slow callback, growing mailbox, bottleneck, late reply, message to the dead, restart storm or crash loop."));
      const cell = (column, row) => {
        if (column === "severity") return h(`span.chip${row.severity === "critical" || row.severity === "error" ? ".bad" : ".warn"}`, row.severity);
        if (column === "pattern") return row.pattern.replaceAll("_", " ");
        if (column === "seq") return h("button.seqlink", { onclick: () => actions.select({ seq: row.seq, goes: true }) }, `#${row.seq}`);
        if (column === "finding") return h("td.wrap", row.finding.split(/(#\d+)/).map((part) => (/^#\d+$/.test(part) ? h("button.seqlink", { onclick: () => actions.seek(Number(part.slice(1))) }, part) : part)));
        if (column === "next") return h("td", h("button.link.mono", { onclick: () => actions.shell(row.next), title: "run this in the shell" }, row.next));
        return undefined;
      };
      put(root, table(meta.columns, data, { numeric: ["count", "seq"], cell, caption: "Patterns" }));
    } catch (error) { key = ""; put(root, h("p.empty.error", error.message)); }
    return undefined;
  }
  on(["drawer", "n_recorded", "forgotten"], load);
  return { show: () => { key = ""; load(); } };
}

export function makeLatency(root) {
  let key = "";
  async function load() {
    if (look.drawer !== "latency" || key === `${api.sandbox}-${doc.n_recorded}`) return undefined;
    key = `${api.sandbox}-${doc.n_recorded}`;
    if (!doc.n_recorded) return put(root, h("p.empty", "Nothing is recorded yet."));
    put(root, h("p.empty", "measuring …"));
    try {
      const { data, meta } = await api.get("latency");
      if (!data.length) return put(root, h("p.empty", "No calls with an answer are recorded."));
      const columns = [...meta.columns];
      const waits = columns.filter((column) => /^(queue|handling|reply).*_(ns|us)$/.test(column));
      const parts = ["queue", "handling", "reply"].map((name) => waits.find((column) => column.startsWith(name) && /p?95|p99|p50/.test(column)) || waits.find((column) => column.startsWith(name)));
      const most = Math.max(1, ...data.map((row) => parts.reduce((sum, part) => sum + (row[part] || 0), 0)));
      const bar = (row) => h("td", h("div.spark", { title: parts.map((part) => `${part}: ${part?.endsWith("_us") ? row[part] + " µs" : duration(row[part])}`).join("\n") }, parts.map((part, idx) => h(`i.${"qhr"[idx]}`, { style: `width:${row[part] ? Math.max(2, (row[part] / most) * 160).toFixed(1) : 0}px` }))));
      put(root, table(["split", ...columns], data, { numeric: numericColumns(columns, data), caption: "Latency of calls", cell: (column, row) => (column === "split" ? bar(row) : column.endsWith("_us") ? plain("x_ns", row[column] === null ? null : row[column] * 1000) : undefined) }),
        h("p.empty", h("span.spark", { style: "display:inline-flex;min-width:0;height:9px" }, h("i.q", { style: "width:14px" }), h("i.h", { style: "width:14px" }), h("i.r", { style: "width:14px" })), "  waiting in the mailbox, being handled, the reply's way back"));
    } catch (error) { key = ""; put(root, h("p.empty.error", error.message)); }
    return undefined;
  }
  on(["drawer", "n_recorded", "forgotten"], load);
  return { show: () => { key = ""; load(); } };
}

export function makeShell(root, actions) {
  const log = h("div.log", { role: "log", "aria-label": "Output" }), input = h("input", { type: "text", "aria-label": "A line of the shell", placeholder: "latency()   why()   events().by(\"kind\")   state(\"alice\")", spellcheck: "false", autocomplete: "off", style: "flex:1" });
  const past = [];
  let at = 0;
  const form = h("form", h("span", "cinema ▸"), input);
  const body = h("div.shell", log, form);

  async function run(line) {
    past.push(line);
    at = past.length;
    log.append(h("div.in", `▸ ${line}`), ...(await evaluate(line, actions)));
    log.scrollTop = log.scrollHeight;
  }
  form.addEventListener("submit", (event) => { event.preventDefault(); const line = input.value.trim(); if (line) { input.value = ""; run(line); } });
  input.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowUp" && event.key !== "ArrowDown") return;
    event.preventDefault();
    at = Math.max(0, Math.min(past.length, at + (event.key === "ArrowUp" ? -1 : 1)));
    input.value = past[at] || "";
  });
  return {
    show: () => { put(root, body); if (look.isReadOnly) put(log, h("p.dim", "This server only shows the session.")); },
    run: (line) => { run(line); },
  };
}
