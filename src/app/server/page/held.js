// Who waits at a breakpoint, or because somebody suspended it: it is said when it begins, and shown until it goes on.

import * as api from "./api.js";
import { exact, h, number, put } from "./format.js";
import { doc, look, nameOf, on, wallOf } from "./state.js";

const ROWS_MAX = 5;

export function makeHeld(root, actions) {
  let known = new Set();
  const keyOf = ({ process, at_ns: atNs }) => `${process}-${atNs}`;
  const who = (row) => (row.breakpoint ? `${row.breakpoint} holds ${nameOf(row.process)} ${row.is_before ? "before" : "after"} ${row.message ?? "a callback"}` : `${nameOf(row.process)} is suspended`);
  const resume = (values) => api.operation("resume", values).catch(actions.complain);

  function show() {
    const rows = doc.held || [];
    const fresh = rows.filter((row) => !known.has(keyOf(row)));
    known = new Set(rows.map(keyOf));
    if (fresh.length) {
      actions.say(`● ${who(fresh[0])}${fresh.length > 1 ? `, and ${number(fresh.length - 1)} more wait` : ""}`);
      // As a hit that stops playing: what it is about is selected.
      actions.select({ process: fresh[0].process });
    }
    root.hidden = !rows.length;
    put(root, rows.slice(0, ROWS_MAX).map(line), rows.length > ROWS_MAX ? h("div.dim", `… and ${number(rows.length - ROWS_MAX)} more`) : null,
      rows.length > 1 && !look.isReadOnly ? h("div", h("button.button.small", { onclick: () => resume({}) }, "Resume all")) : null);
  }

  /** Hits of a live system that hold nobody: the cursor stays where it is, so they are said. */
  function tellHits() {
    if (!doc.can?.is_live) return;
    for (const { id, name, n_hits: n, condition } of doc.breakpoints || []) {
      const isNew = n > (counts.get(id) ?? n);
      counts.set(id, n);
      if (isNew && !(doc.held || []).some((row) => row.breakpoint === name)) actions.say(`● breakpoint ${name}: ${condition}`);
    }
  }
  const counts = new Map();

  const line = (row) => h("div.row",
    h("span.dot", { "aria-hidden": "true" }), h("b", row.breakpoint ?? "suspended"), h("button.chip", { onclick: () => actions.select({ process: row.process }), title: row.process }, nameOf(row.process)),
    h("span", row.breakpoint ? (row.is_before ? "waits before" : "waits after") : "waits"), row.message ? h("code.message", row.message) : null,
    h("span.dim", `since ${wallOf(row.at_ns).slice(11, 23) || exact(row.at_ns)}`),
    row.seq !== null ? h("button.seqlink", { onclick: () => actions.seek(row.seq) }, `#${number(row.seq)}`) : null,
    row.state ? h("span.dim.message", { title: row.state }, `state ${row.state}`) : null,
    look.isReadOnly ? null : h("button.button.small.main", { onclick: () => resume({ process: row.process }), "aria-label": `Resume ${nameOf(row.process)}` }, "Resume"));

  on(["held", "isReadOnly"], show);
  on(["breakpoints"], tellHits);
  on(["forgotten"], () => { known = new Set(); counts.clear(); root.hidden = true; });
}
