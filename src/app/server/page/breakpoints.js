// Breakpoints: the list with hits, and a form that says what it would be in the shell.

import * as api from "./api.js";
import { duration, h, number, put, table } from "./format.js";
import { doc, found, look, names, on } from "./state.js";

const SORTS = {
  result: "a call ends badly", message: "a message arrives", state: "a state changes", process: "something happens to a process", script: "a script says so",
};
const quoted = (text) => JSON.stringify(text);
const literal = (text) => (/^-?\d+(\.\d+)?$|^(true|false)$/.test(text.trim()) ? text.trim() : quoted(text));

export function makeBreakpoints(root, actions) {
  const list = h("div"), hits = h("div"), code = h("div.code", { "aria-live": "polite" }), error = h("p.error", { role: "alert" });
  const field = (name, label, attributes = {}) => h("label.row", h("span.dim", { style: "width:64px" }, label), h("input", { name, type: "text", spellcheck: "false", ...attributes }));
  const select = (name, label, options) => h("label.row", h("span.dim", { style: "width:64px" }, label), h("select", { name }, Object.entries(options).map(([value, text]) => h("option", { value }, text))));
  const known = h("datalist", { id: "known-processes" });
  const parts = h("div");
  const form = h("form", select("sort", "when", SORTS), parts,
    select("action", "then", { pause: "pause", inspect: "pause and show the state", highlight: "pause and mark the tree", log: "log a line and go on", script: "run a script" }),
    field("text", "text", { placeholder: "a call timed out" }), field("act", "script", { placeholder: "|hit| hit.n > 10", title: "true pauses, anything else goes on", class: "mono" }),
    h("label.row", h("span.dim", { style: "width:64px" }, "once"), h("input", { name: "once", type: "checkbox", style: "flex:none" }), h("span.dim", "goes after its first hit")), field("name", "name", { placeholder: "(made up)" }),
    code, error, h("div.row", { style: "margin-top:8px" }, h("button.button.main", { type: "submit" }, "Set breakpoint")), known);

  const PARTS = {
    result: () => [select("result", "result", { timeout: "timeout: the caller gave up", late: "late: the reply came too late", noproc: "noproc: nobody was there", exit: "exit: the callee died" })],
    message: () => [field("tag", "tag", { placeholder: "get", required: true })],
    state: () => [field("process", "process", { placeholder: "any", list: "known-processes" }), field("path", "path", { placeholder: "balance", required: true }),
      h("div.row", h("span.dim", { style: "width:64px" }, "is"), h("select", { name: "test", style: "flex:0 0 auto" }, Object.entries({ changed: "changed", gt: ">", lt: "<", ge: "≥", le: "≤", eq: "=", ne: "≠" }).map(([value, text]) => h("option", { value }, text))), h("input", { name: "value", type: "text", placeholder: "100" }))],
    process: () => [field("process", "process", { placeholder: "any", list: "known-processes" }), select("event", "event", { crash: "crash", exit: "exit", end: "exit or crash", restart: "restart", spawn: "spawn", register: "register" })],
    script: () => [field("script", "script", { placeholder: "|e| e.kind == \"crash\" && e.reason != \"normal\"", required: true, class: "mono" })],
  };

  const value = (name) => form.elements[name]?.value.trim() ?? "";
  function condition() {
    const process = quoted(value("process") || "any");
    switch (value("sort")) {
      case "result": return `on_result(${quoted(value("result"))})`;
      case "message": return `on_message(${quoted(value("tag"))})`;
      case "state": return `on_state(${process}, ${quoted(value("path"))}, ${value("test") === "changed" ? "changed()" : `${value("test")}(${literal(value("value"))})`})`;
      case "process": return `on_process(${process}, ${quoted(value("event"))})`;
      default: return value("script");
    }
  }
  function action() {
    switch (value("action")) {
      case "inspect": return "action::inspect(\"state\")";
      case "highlight": return "action::highlight(\"supervision_tree\")";
      case "log": return `action::log(${quoted(value("text"))})`;
      case "script": return value("act");
      default: return "action::pause()";
    }
  }
  function preview() {
    const isOnce = form.elements.once.checked, name = isOnce ? "" : value("name");
    form.elements.text.closest("label").hidden = value("action") !== "log";
    form.elements.act.closest("label").hidden = form.elements.act.disabled = value("action") !== "script";
    form.elements.act.required = value("action") === "script";
    form.elements.name.closest("label").hidden = isOnce;
    code.textContent = `${isOnce ? "tbrk" : "brk"}(${condition()}${value("action") === "pause" && !name ? "" : `, ${action()}`}${name ? `, ${quoted(name)}` : ""})`;
  }
  form.addEventListener("change", (event) => { if (event.target.name === "sort") put(parts, ...PARTS[value("sort")]()); preview(); });
  form.addEventListener("input", preview);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    error.textContent = "";
    if (value("sort") === "script" && !/^(\|| *on_\w+\()/.test(value("script"))) {
      error.textContent = "a script here says when: |e| e.size > 100, or a condition as on_message(\"get\")";
      return;
    }
    try {
      const isOnce = form.elements.once.checked, name = isOnce ? "" : value("name");
      const wanted = { condition: condition(), action: action(), ...(name ? { name } : {}) };
      const response = isOnce ? await api.operation("tbrk", wanted) : await actions.push("set_breakpoint", wanted);
      actions.say(`breakpoint ${name || `b${response.data.id}`} is set`);
      // Space plays again, rather than to set a second one.
      root.focus();
      showHits(response.data.id, name || `b${response.data.id}`);
    } catch (problem) { error.textContent = [problem.detail || problem.message, ...(problem.hints || [])].join("\n"); }
  });

  /** How often it hits in the recorded past, as far as it is known. */
  const inPast = (row) => { const n = found.hits.filter((hit) => hit.name === row.name).length; return row.is_enabled && n ? `hits (${number(n)})` : "hits"; };

  function showList() {
    if (look.side !== "breakpoints") return;
    const rows = doc.breakpoints || [];
    put(known, ...[...new Set(names.values())].slice(0, 300).map((name) => h("option", { value: name })));
    put(list, rows.length ? h("ul.plain", rows.map((row) => h("li.row",
      h("label.row", h("input", { type: "checkbox", checked: row.is_enabled, style: "flex:none", "aria-label": `${row.name} enabled`, onchange: (event) => act(event.target.checked ? "enable_breakpoint" : "disable_breakpoint", row.id) }), h("b", row.name)),
      h("code", { style: "flex:1 1 12ch;overflow-wrap:anywhere" }, row.condition), h("span.dim", row.action),
      row.n_hits ? h("span.chip.warn", { title: "while it ran" }, `hit ${number(row.n_hits)}×`) : null,
      row.failure ? h("span.error", row.failure) : null,
      h("button.button.small", { onclick: () => showHits(row.id, row.name) }, inPast(row)), h("button.button.small", { onclick: () => act("remove_breakpoint", row.id), "aria-label": `Remove ${row.name}` }, "✕"))))
      : h("p.dim", "There is none yet. A breakpoint stops playing and stepping at its hits (Alt ←/→), and a running sandbox before the event."));
  }

  async function act(name, id) {
    try { await api.operation(name, { id }); put(hits); } catch (problem) { actions.complain(problem); }
  }

  async function showHits(id, name) {
    put(hits, h("h3", `hits of ${name}`), h("p.dim", "…"));
    try {
      const { data, meta } = await api.operation("hits", { id });
      put(hits, h("h3", `hits of ${name} (${number(data.length + meta.n_more)})`), data.length ? table(["seq", "at_ns", "kind", "process"], data.slice(0, 200), {
        numeric: ["seq", "at_ns"], caption: "Hits",
        cell: (column, row) => (column === "seq" ? h("button.seqlink", { onclick: () => actions.seek(row.seq) }, `#${row.seq}`) : column === "at_ns" ? h("td.n", duration(row.at_ns)) : undefined),
      }) : h("p.dim", "nothing in the recorded past"));
    } catch (problem) { put(hits, h("h3", `hits of ${name}`), h("p.error", [problem.message, ...problem.hints].join("\n"))); }
  }

  put(parts, ...PARTS.result());
  preview();
  on(["breakpoints", "hits", "side"], showList);
  return { show: () => { put(root, h("section.card", h("h2", "Breakpoints"), list, hits), look.isReadOnly ? "" : h("section.card", h("h2", "New breakpoint"), form)); showList(); } };
}
