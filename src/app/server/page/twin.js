// The table twin of the lanes: the same marks as rows, for screen readers and for whoever would rather read.

import { duration, h, put, table } from "./format.js";
import { look, nameOf, on } from "./state.js";

const ROWS_MAX = 400;

export function windowTwin(root, scene, actions) {
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
    if (!panel || !scene.data) return;
    const { data } = scene;
    const name = (lane) => nameOf(data.lanes[lane].process);
    let rows, columns;
    if (data.density) {
      columns = ["process", "events"];
      rows = data.lanes.map((lane, idx) => ({ process: nameOf(lane.process), events: data.density[idx].reduce((sum, n) => sum + n, 0) }));
    } else {
      columns = ["seq", "what", "process", "to", "took", "detail"];
      const arrows = look.view === "messages" ? data.arrows.map(([from, to, , , seq, arrival, kind, label]) => ({ seq, what: kind, process: name(from), to: name(to), took: `arrives #${arrival}`, detail: label })) : [];
      const bars = data.bars.map(([lane, , , seq, , ns, label]) => ({ seq, what: "callback", process: name(lane), to: "", took: duration(ns), detail: label }));
      const points = data.points.map(([lane, , seq, kind, label]) => ({ seq, what: kind.replaceAll("_", " "), process: name(lane), to: "", took: "", detail: label }));
      rows = [...arrows, ...bars, ...points].sort((a, b) => a.seq - b.seq);
    }
    const shown = rows.slice(0, ROWS_MAX);
    put(panel,
      h("div.row", h("b", `${rows.length} rows`), rows.length > ROWS_MAX ? h("span.dim", `the first ${ROWS_MAX}; zoom in for the others`) : null, h("span.grow"), h("button.button.small", { onclick: close }, "Close")),
      table(columns, shown, {
        numeric: ["seq", "events"],
        caption: `${look.view} as a table`,
        cell: (column, row) => (column === "seq" ? h("button.seqlink", { onclick: () => actions.seek(row.seq) }, `#${row.seq}`) : undefined),
      }),
    );
  }
  root.addEventListener("keydown", (event) => { if (event.key === "Escape" && panel) { event.stopPropagation(); close(); toggle.focus(); } });
  on(["window", "view"], fill);
  return { toggle };
}
