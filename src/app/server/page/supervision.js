// The supervision view: the tree as it stands at the cursor's moment, restarts and all, with the traffic of the shown
// stretch as arcs beside it.

import { h, number, put, reveal, s } from "./format.js";
import { STYLES, messageLine } from "./paint.js";
import { doc, ends, look, names, on } from "./state.js";
import { systemAt } from "./system.js";
import { hideTip, showTip } from "./tip.js";
import { makeTwin, systemRows } from "./twin.js";

const ROW = 32;
const ARCS_MAX = 160;
const SORTS = ["call", "cast", "reply", "info"];

export function makeSupervision(actions) {
  const list = h("ul", { role: "tree", "aria-label": "Supervision tree" });
  const arcs = s("svg", { role: "img", "aria-label": "Messages between the processes, as arcs" });
  const box = h("div.suptree", list, arcs);
  const notes = h("div.notes");
  const root = h("div.stage-fit", box, notes);
  let drawn = "", current = null, shown = null;
  const twin = makeTwin(root, () => systemRows(current, "Processes and messages"), actions);

  async function show() {
    if (!root.isConnected) return;
    const system = await systemAt(doc.seq);
    if (!system || !root.isConnected) {
      if (!system && doc.seq === null) put(list, h("li.empty", "Nothing has happened yet at the start of the line."));
      return;
    }
    const key = JSON.stringify([system.at, look.process, look.from, look.to, system.traffic.length, ends()]);
    if (key === drawn) return;
    drawn = key;
    current = system;
    twin.fill();
    drawTree(system);
    drawArcs(system);
    const hidden = system.n_hidden ? `${system.n_hidden} quieter processes are not shown` : "";
    const n = system.traffic.reduce((sum, [, , counts]) => sum + counts.reduce((a, b) => a + b, 0), 0);
    put(notes, h("span", `${number(system.nodes.length)} processes at #${system.at}; arcs: ${number(n)} messages of the shown stretch, as wide as they are many`), h("span", hidden), h("span.grow"), h("div.legend", SORTS.map(messageLine)), twin.toggle);
  }

  function drawTree(system) {
    const kept = new Map([...list.children].map((item) => [item.dataset.process, item]));
    const rows = system.nodes.map((node, idx) => {
      const item = kept.get(node.process) || makeRow(node.process);
      fill(item, node, idx, system.nodes);
      return item;
    });
    put(list, ...rows);
    if (shown !== look.process) reveal(list.querySelector("[aria-pressed=true]"), box);
    shown = look.process;
  }

  function makeRow(process) {
    const button = h("button.node", { onclick: () => actions.select({ process }) });
    return h("li.item", { role: "treeitem", "data-process": process }, button);
  }

  function fill(item, node, idx, nodes) {
    const button = item.querySelector("button");
    const isActive = ends().includes(node.process);
    button.className = ["node", node.behaviour === "supervisor" ? "supervisor" : "", node.status === "alive" ? "" : node.status, isActive ? "active" : ""].join(" ");
    button.setAttribute("aria-pressed", String(look.process === node.process));
    const facts = [node.strategy, node.intensity ? `≤ ${node.intensity[0]} in ${node.intensity[1]} s` : "", node.state && node.behaviour !== "supervisor" ? node.state : ""].filter(Boolean).join(" · ");
    put(button,
      h(`span.dotmark${node.status === "alive" ? (node.is_handling ? ".busy" : "") : `.${node.status}`}`, { "aria-hidden": "true" }),
      h("span.name", node.name || node.process),
      node.n_restarts ? h("span.chip.bad", `↻ ${node.n_restarts}`) : "",
      node.queue_len ? h("span.queue", String(node.queue_len)) : "",
      h("span.more", facts),
    );
    button.title = `${node.name} ${node.process} ${node.status}${facts ? `\n${facts}` : ""}`;
    item.setAttribute("aria-level", node.depth + 1);
    item.setAttribute("aria-label", `${node.name || node.process}, ${node.behaviour.replace("_", " ")}, ${node.status}${node.n_restarts ? `, restarted ${node.n_restarts} times` : ""}${node.queue_len ? `, ${node.queue_len} waiting` : ""}`);
    item.style.paddingLeft = `${node.depth * 30}px`;
    item.querySelector(".twig")?.remove();
    const parent = nodes.findIndex((other) => other.process === node.parent);
    if (parent >= 0) {
      const left = (node.depth - 1) * 30 + 14;
      item.append(h("span.twig", { "aria-hidden": "true", style: `left:${left}px;width:16px;top:${-(idx - parent) * ROW + 29}px;height:${(idx - parent) * ROW - 13}px` }));
    }
  }

  function drawArcs(system) {
    const height = system.nodes.length * ROW;
    const busiest = system.traffic.slice(0, ARCS_MAX);
    const most = Math.max(1, ...busiest.flatMap(([, , counts]) => counts));
    const y = (row) => row * ROW + ROW / 2;
    const picked = system.nodes.findIndex((node) => node.process === look.process);
    const paths = busiest.flatMap(([from, to, counts]) => SORTS.map((sort, idx) => [from, to, sort, counts[idx]]).filter(([, , , n]) => n > 0));
    // The longest arc takes the room there is, and no two lengths look alike.
    const farthest = Math.max(1, ...paths.map(([from, to]) => Math.abs(to - from)));
    const step = Math.max(0.5, Math.min(21, (Math.max(60, arcs.clientWidth * 1.25 - 60) - 34) / farthest));
    const [sender, receiver] = ends();
    const drawnPaths = paths.map(([from, to, sort, n]) => {
      const bend = 34 + Math.abs(to - from) * step + SORTS.indexOf(sort) * 7;
      const down = to >= from ? 5 : -5; // Requests and replies leave at different heights, so that neither hides the other.
      const [y0, y1] = [y(from) + down * 0.6, y(to) - down * 0.6];
      const isNear = picked < 0 || picked === from || picked === to;
      const isHere = system.nodes[from].process === sender && system.nodes[to].process === receiver;
      const path = s(`path.arc${isHere ? ".here" : isNear ? (picked >= 0 ? ".strong" : "") : ".faint"}`, {
        d: from === to ? `M4 ${y0}c30 -12 30 12 0 8` : `M4 ${y0}C${bend} ${y0} ${bend} ${y1} 8 ${y1}`,
        stroke: `var(--${STYLES[sort].color})`, "stroke-width": (1.1 + (sort === "call" ? 4.5 : 2.2) * Math.log(n + 1) / Math.log(most + 1)).toFixed(1), "stroke-dasharray": STYLES[sort].dash.join(" "),
      }, s("title", `${system.nodes[from].name} → ${system.nodes[to].name}: ${n} ${sort}`));
      path.addEventListener("pointermove", (event) => showTip(event.clientX, event.clientY, h("div", h("b", `${n} ${sort}`), `  ${names.get(system.nodes[from].process)} → ${names.get(system.nodes[to].process)}`)));
      path.addEventListener("pointerleave", hideTip);
      const tipMark = s("path", { d: `M3 ${y1}l8 -3.500v7z`, fill: `var(--${STYLES[sort].color})`, opacity: isNear ? 0.9 : 0.15 });
      return [path, tipMark];
    });
    arcs.setAttribute("height", height + 8);
    put(arcs, ...drawnPaths.flat());
    arcs.setAttribute("width", "100%");
  }

  on(["position", "system", "found", "seq", "process", "view", "from", "to", "n_recorded", "theme"], show);
  on(["forgotten"], () => { drawn = ""; current = null; put(list, h("li.empty", "Nothing is recorded yet.")); put(arcs); put(notes); });
  return { root, show: () => { drawn = ""; show(); } };
}
