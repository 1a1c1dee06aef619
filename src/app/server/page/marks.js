// Marks, notes and snapshots: named moments, with what was written at them.

import * as api from "./api.js";
import { groupOf, h, number, put } from "./format.js";
import { doc, look, on, overview } from "./state.js";

const ROWS_MAX = 100;

export function makeMarks(root, actions) {
  const list = h("div"), notable = h("div"), error = h("p.error", { role: "alert" });
  const form = h("form", h("label.row", h("span.dim", { style: "width:50px" }, "name"), h("input", { name: "name", type: "text", placeholder: "here it starts" })),
    h("label.row", h("span.dim", { style: "width:50px" }, "note"), h("input", { name: "note", type: "text", placeholder: "the pool is full from here on" })),
    error, h("div.row", h("button.button.main", { type: "submit" }, "Mark this moment"), h("button.button", { type: "button", onclick: snapshot }, "Take a snapshot")));
  const value = (name) => form.elements[name].value.trim();

  let asked = "";
  async function save(name) {
    error.textContent = "";
    const taken = (doc.marks || []).find((mark) => mark.name === value("name") && mark.seq !== doc.seq);
    if (taken && asked !== taken.name) {
      asked = taken.name;
      error.textContent = `${taken.name} is at #${number(taken.seq)}: once more, and it is moved here, with its note`;
      return;
    }
    asked = "";
    try {
      if (value("name")) await api.operation(name, { name: value("name") });
      if (value("note")) await api.operation("note", { moment: doc.seq, text: value("note") });
      form.reset();
    } catch (problem) { error.textContent = [problem.message, ...problem.hints].join("\n"); }
  }
  function snapshot() { if (value("name")) save("snapshot"); else error.textContent = "a snapshot needs a name"; }
  form.addEventListener("submit", (event) => { event.preventDefault(); if (value("name") || value("note")) save("mark"); else error.textContent = "a name or a note"; });

  function show() {
    if (look.side !== "marks") return;
    const rows = [...(doc.marks || [])].sort((a, b) => a.seq - b.seq);
    put(list, rows.length ? h("ul.plain", rows.map((row) => h("li", h("div.row", h("button.seqlink", { onclick: () => actions.seek(row.seq) }, `#${number(row.seq)}`), h("b", row.name), row.is_snapshot ? h("span.chip", "snapshot") : null, h("span.grow"),
      row.is_snapshot && doc.can?.can_restore && !look.isReadOnly ? h("button.button.small", { onclick: () => api.operation("restore", { moment: row.name }).catch(actions.complain) }, "restore") : null,
      look.isReadOnly ? null : h("button.button.small", { "aria-label": `Remove ${row.name}`, onclick: () => api.operation("unmark", { name: row.name }).catch(actions.complain) }, "✕")), row.note ? h("div", row.note) : null)))
      : h("p.dim", "No marks yet. M marks the moment where you stand."));
  }
  /** What stands out on the line, as the scrubber shows it. */
  function showNotable() {
    if (look.side !== "marks") return;
    const rows = overview.markers.slice(0, ROWS_MAX);
    put(notable, rows.length ? h("ul.plain", rows.map((row) => h("li", h("button.seqlink", { onclick: () => actions.seek(row.seq) }, `#${number(row.seq)}`), " ", h(`span.kind.${groupOf(row.kind)}`, row.kind.replaceAll("_", " ")), ` ${row.process}`)))
      : h("p.dim", "No crash, restart, timeout, late reply, message to the dead or loss."),
      overview.markers.length > ROWS_MAX ? h("p.dim", `… ${number(overview.markers.length - ROWS_MAX)} more: filter the events by kind to see them`) : "");
  }
  on(["marks", "side"], show);
  on(["overview", "side"], showNotable);
  return {
    show: () => { put(root, h("section.card", h("h2", "Marks, notes, snapshots"), list), look.isReadOnly ? null : h("section.card", form), h("section.card", h("h2", "What stands out"), notable)); show(); showNotable(); },
    begin: () => form.elements.name.focus(),
  };
}
