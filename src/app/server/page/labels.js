// The names beside the lanes: buttons, so that keyboard and screen reader have the processes at hand, with what is known
// of each at the cursor's moment.

import { h, put, reveal } from "./format.js";
import { doc, look, on } from "./state.js";
import { systemAt } from "./system.js";

export function labelColumn(root, actions) {
  let rows = [], shown = null;

  function show(lanes) {
    const key = lanes.map((lane) => lane.process).join();
    if (root.dataset.key !== key) {
      root.dataset.key = key;
      rows = lanes.map((lane) => {
        const mark = h("span.dotmark", { "aria-hidden": "true" });
        const state = h("span.st"), queue = h("span.queue", { hidden: true });
        const button = h("button.label", { style: `padding-left:${10 + lane.depth * 14}px`, onclick: () => actions.select({ process: lane.process }) },
          mark, h("span.name", lane.name || lane.id), queue, state, lane.name ? h("span.pid", lane.id) : null);
        if (lane.is_supervisor) button.classList.add("sup");
        return { lane, button, mark, state, queue };
      });
      put(root, ...rows.map((row) => row.button));
    }
    rows.forEach((row, idx) => { row.lane = lanes[idx]; });
    update();
  }

  async function update() {
    for (const { lane, button, mark } of rows) {
      const seq = doc.seq ?? -1;
      const isDead = lane.died !== null && lane.died <= seq;
      const isUnborn = lane.born !== null && lane.born > seq;
      button.classList.toggle("dead", isDead);
      mark.className = `dotmark${isDead ? " dead" : isUnborn ? " unborn" : ""}`;
      button.setAttribute("aria-pressed", String(lane.process === look.process));
    }
    if (shown !== look.process) reveal(root.querySelector("[aria-pressed=true]"), root.parentElement);
    shown = look.process;
    const system = await systemAt(doc.seq);
    if (!system) return;
    const nodes = new Map(system.nodes.map((node) => [node.process, node]));
    for (const { lane, button, mark, state, queue } of rows) {
      const node = nodes.get(lane.process);
      if (node?.is_handling) mark.classList.add("busy");
      if (node?.status === "restarting") mark.classList.add("restarting");
      queue.hidden = !node?.queue_len;
      queue.textContent = node?.queue_len || "";
      queue.title = `${node?.queue_len} messages wait`;
      state.textContent = look.view === "processes" ? node?.state || "" : "";
      const words = [lane.name || lane.id, lane.id, node?.status || "unknown", node?.is_handling ? "in a callback" : "", node?.queue_len ? `${node.queue_len} waiting` : ""];
      button.setAttribute("aria-label", words.filter(Boolean).join(", "));
      button.title = node?.state ? `${lane.name} ${lane.id}\n${node.state}` : `${lane.name} ${lane.id}`;
    }
  }

  let timer = 0;
  /** While the cursor runs, a few times a second is enough to read. */
  function updateSoon() {
    if (doc.state === "paused") return update();
    timer ||= setTimeout(() => { timer = 0; update(); }, 180);
    return undefined;
  }
  on(["position", "process", "view", "system"], updateSoon);
  return { show };
}
