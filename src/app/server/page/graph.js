// The process graph: who supervises, links, watches and talks to whom at the cursor's moment. Places are found by forces,
// kept from moment to moment, and can be moved by hand.

import { h, legendLine, number, put, s } from "./format.js";
import { messageLine } from "./paint.js";
import { doc, ends, look, names, on } from "./state.js";
import { systemAt } from "./system.js";
import { hideTip, showTip } from "./tip.js";
import { makeTwin, systemRows } from "./twin.js";

const NODES_MAX = 150;
const TEXT_PX_MIN = 10;
const SORTS = ["traffic", "cast", "reply", "info"];

export function makeGraph(actions) {
  const edgesLayer = s("g"), nodesLayer = s("g");
  const svg = s("svg", { role: "group", "aria-label": "Process graph" }, edgesLayer, nodesLayer);
  const box = h("div.graph", svg);
  const notes = h("div.notes");
  const root = h("div.stage-fit", box, notes);
  /** Places by pid, in units of the picture. */
  const places = new Map();
  let nodes = [], edges = [], drawn = "", current = null;
  const twin = makeTwin(root, () => systemRows(current, "Processes and messages"), actions);

  async function show() {
    if (!root.isConnected) return;
    const system = await systemAt(doc.seq);
    if (!system || !root.isConnected) return;
    const key = JSON.stringify([system.at, look.process, look.from, look.to, ends()]);
    if (key === drawn) return;
    drawn = key;
    current = system;
    twin.fill();
    choose(system);
    settle();
    draw();
    const hidden = system.nodes.length - nodes.length + system.n_hidden;
    put(notes,
      h("span", `${number(nodes.length)} processes at #${system.at}; squares supervise; size is traffic of the shown stretch`),
      h("span", hidden ? `${hidden} more, dead or quieter, are not shown` : ""), h("span.grow"),
      h("div.legend", legendLine("supervises", "var(--line2)", "", 1.8), legendLine("link", "var(--ink3)", "1.5 4", 1.6), legendLine("monitor", "var(--restart)", "6 4", 1.6), h("span", "curved:"), ["call", "cast", "reply", "info"].map(messageLine), h("span", s("svg", { viewBox: "0 0 8 8", style: "width:8px" }, s("circle.busy", { cx: 4, cy: 4, r: 4 })), "in a callback")), twin.toggle);
  }

  function choose(system) {
    const weight = new Map();
    for (const [from, to, counts] of system.traffic) {
      const n = counts.reduce((a, b) => a + b, 0);
      for (const idx of [from, to]) weight.set(idx, (weight.get(idx) || 0) + n);
    }
    const order = system.nodes.map((node, idx) => ({ ...node, idx, weight: weight.get(idx) || 0 })).filter((node) => node.status !== "dead" || node.process === look.process);
    const kept = order.sort((a, b) => b.weight + (b.behaviour === "supervisor" ? 1e6 : 0) - a.weight - (a.behaviour === "supervisor" ? 1e6 : 0)).slice(0, NODES_MAX);
    nodes = kept.sort((a, b) => a.idx - b.idx);
    const most = Math.max(1, ...nodes.map((node) => node.weight));
    const at = new Map(nodes.map((node, position) => { node.radius = 11 + 15 * Math.sqrt(node.weight / most); return [node.idx, position]; }));
    const byPid = new Map(nodes.map((node, position) => [node.process, position]));
    edges = nodes.flatMap((node, position) => (byPid.has(node.parent) ? [{ from: byPid.get(node.parent), to: position, sort: "sup" }] : []));
    const supervised = new Set(edges.map(({ from, to }) => `${Math.min(from, to)}-${Math.max(from, to)}`));
    for (const [from, to, sort] of system.edges) {
      const [a, b] = [at.get(from), at.get(to)];
      const isTwig = sort === "link" && supervised.has(`${Math.min(a, b)}-${Math.max(a, b)}`);
      if (a !== undefined && b !== undefined && !isTwig) edges.push({ from: a, to: b, sort });
    }
    for (const [from, to, counts] of system.traffic.slice(0, 300)) {
      const [a, b] = [at.get(from), at.get(to)];
      if (a === undefined || b === undefined || a === b) continue;
      counts.forEach((n, sort) => { if (n) edges.push({ from: a, to: b, sort: SORTS[sort], n, isTraffic: true }); });
    }
  }

  /** Finds places: new processes begin near their supervisor; all repel, those that belong together attract, and no two
   *  names are written over each other. */
  function settle() {
    let isNew = false;
    nodes.forEach((node, idx) => {
      if (places.has(node.process)) return;
      isNew = true;
      const parent = places.get(node.parent);
      const angle = idx * 2.39996; // The golden angle: no two begin at one place, and every run is the same.
      const far = parent ? 60 : 30 + 26 * Math.sqrt(idx);
      places.set(node.process, { x: (parent?.x ?? 0) + far * Math.cos(angle), y: (parent?.y ?? 0) + far * Math.sin(angle) });
    });
    if (!isNew) return;
    const points = nodes.map((node) => places.get(node.process));
    const rounds = nodes.length > 80 ? 160 : 320;
    for (let round = 0; round < rounds; round++) {
      push(points, 1 - round / rounds);
      if (round > rounds * 0.6) separate(points);
    }
    for (let round = 0; round < 40; round++) separate(points);
  }

  function push(points, heat) {
    const force = points.map(() => [0, 0]);
    for (let i = 0; i < points.length; i++) {
      for (let j = i + 1; j < points.length; j++) {
        const dx = points[i].x - points[j].x || 0.01, dy = points[i].y - points[j].y || 0.01;
        const square = dx * dx + dy * dy, length = Math.sqrt(square);
        const away = Math.min(8, 7000 / square);
        force[i][0] += (dx / length) * away; force[i][1] += (dy / length) * away;
        force[j][0] -= (dx / length) * away; force[j][1] -= (dy / length) * away;
      }
    }
    // Of many edges each pulls less: a busy system is no knot.
    const share = Math.min(1, (1.5 * points.length) / Math.max(1, edges.length));
    for (const { from, to, sort, isTraffic } of edges) {
      const dx = points[to].x - points[from].x, dy = points[to].y - points[from].y;
      const length = Math.hypot(dx, dy) || 1;
      const pull = (length - (sort === "sup" ? 95 : 150)) * (isTraffic ? 0.008 * share : 0.03);
      force[from][0] += (dx / length) * pull; force[from][1] += (dy / length) * pull;
      force[to][0] -= (dx / length) * pull; force[to][1] -= (dy / length) * pull;
    }
    points.forEach((point, idx) => {
      if (point.isHeld) return;
      // The room is wider than high.
      point.x += (force[idx][0] - point.x * 0.010) * heat * 1.6;
      point.y += (force[idx][1] - point.y * 0.022) * heat * 1.6;
    });
  }

  /** Moves apart what overlaps, name included, along the shorter way. */
  function separate(points) {
    const half = nodes.map((node) => ({ w: Math.max(node.radius, (node.name || node.process).length * 3.1) + 5, h: node.radius + 12 }));
    for (let i = 0; i < points.length; i++) {
      for (let j = i + 1; j < points.length; j++) {
        const dx = points[j].x - points[i].x, dy = points[j].y - points[i].y;
        const [overX, overY] = [half[i].w + half[j].w - Math.abs(dx), half[i].h + half[j].h - Math.abs(dy)];
        if (overX <= 0 || overY <= 0) continue;
        const [axis, by] = overX < overY ? ["x", (overX / 2) * (dx < 0 ? -1 : 1)] : ["y", (overY / 2) * (dy < 0 ? -1 : 1)];
        if (!points[i].isHeld) points[i][axis] -= by * 0.6;
        if (!points[j].isHeld) points[j][axis] += by * 0.6;
      }
    }
  }

  function frame() {
    const points = nodes.map((node) => places.get(node.process));
    const xs = points.map((p) => p.x), ys = points.map((p) => p.y);
    const pad = 46;
    const [x0, x1, y0, y1] = [Math.min(...xs, -50) - pad, Math.max(...xs, 50) + pad, Math.min(...ys, -50) - pad, Math.max(...ys, 50) + pad];
    // Few processes are not blown up to fill the room.
    const wide = Math.max(x1 - x0, svg.clientWidth / 1.3), high = Math.max(y1 - y0, svg.clientHeight / 1.3);
    // However small the picture, its words are read.
    svg.style.setProperty("--text", `${Math.max(11, TEXT_PX_MIN * Math.max(wide / svg.clientWidth, high / svg.clientHeight) || 11).toFixed(1)}px`);
    svg.setAttribute("viewBox", `${(x0 + x1 - wide) / 2} ${(y0 + y1 - high) / 2} ${wide} ${high}`);
  }

  function draw() {
    const picked = nodes.find((node) => node.process === look.process);
    const near = new Set(picked ? [picked.process, ...edges.flatMap(({ from, to }) => (nodes[from] === picked ? [nodes[to].process] : nodes[to] === picked ? [nodes[from].process] : []))] : []);
    box.classList.toggle("picked", Boolean(picked));
    const most = Math.max(1, ...edges.map((edge) => edge.n || 0));
    put(edgesLayer, ...edges.map(({ from, to, sort, n }) => {
      const [a, b] = [places.get(nodes[from].process), places.get(nodes[to].process)];
      const isNear = picked && (nodes[from] === picked || nodes[to] === picked);
      const width = n ? 1 + (sort === "traffic" ? 4 : 2.2) * Math.log(n + 1) / Math.log(most + 1) : null;
      const [sender, receiver] = ends();
      const isHere = n && nodes[from].process === sender && nodes[to].process === receiver;
      const path = s(`path.e.${sort}${isHere ? ".here" : ""}${SORTS.includes(sort) && sort !== "traffic" ? ".traffic" : ""}${isNear ? ".near" : ""}`, { d: curve(a, b, n ? 0.16 + 0.05 * SORTS.indexOf(sort) : 0), style: width ? `stroke-width:${width.toFixed(1)}` : null },
        s("title", n ? `${nodes[from].name} → ${nodes[to].name}: ${n} ${sort === "traffic" ? "call" : sort}` : `${nodes[from].name} ${sort === "sup" ? "supervises" : sort} ${nodes[to].name}`));
      return path;
    }));
    put(nodesLayer, ...nodes.map((node) => drawNode(node, near)));
    frame();
  }

  function curve(a, b, bend) {
    const [mx, my] = [(a.x + b.x) / 2 - (b.y - a.y) * bend, (a.y + b.y) / 2 + (b.x - a.x) * bend];
    return `M${a.x.toFixed(1)} ${a.y.toFixed(1)}Q${mx.toFixed(1)} ${my.toFixed(1)} ${b.x.toFixed(1)} ${b.y.toFixed(1)}`;
  }

  function drawNode(node, near) {
    const place = places.get(node.process);
    const isActive = ends().includes(node.process);
    const isSup = node.behaviour === "supervisor";
    const name = node.name || node.process;
    const r = node.radius;
    const classes = ["n", isSup ? "supervisor" : "", node.status === "alive" ? "" : node.status, isActive ? "active" : "", look.process === node.process ? "selected" : "", near.has(node.process) ? "near" : ""].filter(Boolean).join(".");
    const element = s(`g.${classes}`, {
      transform: `translate(${place.x.toFixed(1)} ${place.y.toFixed(1)})`, tabindex: "0", role: "button",
      "aria-label": `${name}, ${node.behaviour.replace("_", " ")}, ${node.status}${node.is_handling ? ", in a callback" : ""}, ${node.queue_len} waiting, ${node.weight} messages`,
    }, isSup ? s("rect", { x: -r, y: -r, width: 2 * r, height: 2 * r, rx: 3 }) : s("circle", { r }),
    node.is_handling ? s("circle.busy", { cx: r * 0.75, cy: -r * 0.75, r: 4.5 }) : null, s("text", { y: r + 13 }, name), node.queue_len ? s("text.q", { y: 4 }, String(node.queue_len)) : node.n_restarts ? s("text.q", { y: 4 }, `↻${node.n_restarts}`) : null);
    let drag = null;
    element.addEventListener("pointerdown", (event) => { drag = { x: event.clientX, y: event.clientY, moved: false }; element.setPointerCapture(event.pointerId); });
    element.addEventListener("pointermove", (event) => {
      if (!drag) return showTip(event.clientX, event.clientY, h("div", h("b", name), `  ${node.process}`, h("div.dim", `${node.module || ""} ${node.behaviour.replace("_", " ")} · ${node.status}${node.is_handling ? ", in a callback" : ""} · ${node.queue_len} waiting · ${number(node.weight)} messages`), node.state ? h("div.term", node.state) : ""));
      const scale = svg.viewBox.baseVal.width / svg.clientWidth || 1;
      place.x += (event.clientX - drag.x) * scale; place.y += (event.clientY - drag.y) * scale;
      drag = { x: event.clientX, y: event.clientY, moved: true };
      place.isHeld = true;
      hideTip();
      draw();
    });
    element.addEventListener("pointerup", () => { if (drag && !drag.moved) actions.select({ process: node.process }); drag = null; });
    element.addEventListener("pointerleave", hideTip);
    element.addEventListener("keydown", (event) => { if (event.key === "Enter") { event.stopPropagation(); actions.select({ process: node.process }); } });
    return element;
  }

  new ResizeObserver(() => { if (nodes.length) frame(); }).observe(box);
  on(["position", "system", "found", "seq", "process", "view", "from", "to", "n_recorded"], show);
  on(["forgotten"], () => { drawn = ""; current = null; nodes = edges = []; places.clear(); put(edgesLayer); put(nodesLayer); put(notes, h("span", "nothing is recorded yet")); });
  return { root, show: () => { drawn = ""; show(); } };
}
