// The table twin of a picture: the same marks as rows, for screen readers and for whoever would rather read.

import { duration, h, number, put, table } from "./format.js";
import { look, nameOf } from "./state.js";

const ROWS_MAX = 400;

/** A button that shows the twin over its picture. `rows` gives {columns, rows, caption}, or nothing yet.
 *  @param {HTMLElement} root */
export function makeTwin(root, rows, actions) {
  let panel = null;
  const toggle = h("button.link", { "aria-expanded": "false", onclick: () => (panel ? close() : open()) }, "as a table");

  function open() {
    panel = h("div.twin-panel", { tabindex: "0", role: "region", "aria-label": "This view as a table" });
    root.append(panel);
    toggle.setAttribute("aria-expanded", "true");
    fill();
    panel.focus();
  }
  function close() {
    panel?.remove();
    panel = null;
    toggle.setAttribute("aria-expanded", "false");
  }

  function fill() {
    const twin = panel && rows();
    if (!twin) return;
    const cell = (column, row) => {
      if (column === "seq") return h("button.seqlink", { onclick: () => actions.seek(row.seq) }, `#${row.seq}`);
      return row.pid && column === "process" ? h("button.link", { onclick: () => actions.select({ process: row.pid }) }, row.process) : undefined;
    };
    put(panel,
      h("div.row", h("b", `${number(twin.rows.length)} rows`), twin.rows.length > ROWS_MAX ? h("span.dim", `the first ${ROWS_MAX}; zoom in for the others`) : null, h("span.grow"), h("button.button.small", { onclick: close }, "Close")),
      table(twin.columns, twin.rows.slice(0, ROWS_MAX), { numeric: ["seq", "events", "waiting", "restarts", "calls", "casts", "replies", "infos"], caption: twin.caption, cell }),
    );
  }
  root.addEventListener("keydown", (event) => { if (event.key === "Escape" && panel) { event.stopPropagation(); close(); toggle.focus(); } });
  return { toggle, fill };
}

/** The lanes: messages, callbacks and what stands out, in order; where they are dense, counts. */
export function laneRows({ data }) {
  if (!data) return null;
  const name = (lane) => nameOf(data.lanes[lane].process);
  const of = (lane) => ({ process: name(lane), pid: data.lanes[lane].process });
  const caption = `${look.view} as a table`;
  if (data.density) {
    return { caption, columns: ["process", "events"], rows: data.lanes.map((_, idx) => ({ ...of(idx), events: data.density[idx].reduce((sum, n) => sum + n, 0) })) };
  }
  const arrows = look.view === "messages" ? data.arrows.map(([from, to, , , seq, arrival, kind, label]) => ({ seq, what: kind, ...of(from), to: name(to), took: `arrives #${arrival}`, detail: label })) : [];
  const bars = data.bars.map(([lane, , , seq, , ns, label]) => ({ seq, what: "callback", ...of(lane), to: "", took: duration(ns), detail: label }));
  const points = data.points.map(([lane, , seq, kind, label]) => ({ seq, what: kind.replaceAll("_", " "), ...of(lane), to: "", took: "", detail: label }));
  return { caption, columns: ["seq", "what", "process", "to", "took", "detail"], rows: [...arrows, ...bars, ...points].sort((a, b) => a.seq - b.seq) };
}

/** The system at a moment: its processes with what binds them, and who talks to whom. */
export function systemRows(system, caption) {
  if (!system) return null;
  const { nodes, edges, traffic } = system;
  const name = (idx) => nodes[idx].name || nodes[idx].process;
  const known = new Map(nodes.map((node, idx) => [node.process, idx]));
  const others = (idx, sort) => edges.filter(([from, to, kind]) => kind === sort && (from === idx || (sort === "link" && to === idx))).map(([from, to]) => name(from === idx ? to : from)).join(", ");
  const processes = nodes.map((node, idx) => ({
    process: name(idx), pid: node.process, status: node.status, supervisor: known.has(node.parent) ? name(known.get(node.parent)) : "", restarts: node.n_restarts || "",
    waiting: node.queue_len || "", links: others(idx, "link"), monitors: others(idx, "monitor"),
  }));
  const messages = traffic.map(([from, to, [calls, casts, replies, infos]]) => ({ process: name(from), pid: nodes[from].process, to: name(to), calls, casts, replies, infos }));
  return { caption, columns: ["process", "status", "supervisor", "restarts", "waiting", "links", "monitors", "to", "calls", "casts", "replies", "infos"], rows: [...processes, ...messages] };
}
