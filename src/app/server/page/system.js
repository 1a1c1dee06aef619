// The system at the cursor's moment (see `views/graph` in the server), asked for once per moment and shared by all who
// show it. While the cursor runs, the newest moment wins.

import * as api from "./api.js";
import { doc, look, names, on, tell } from "./state.js";

/** Between two questions while the cursor runs: quicker than one reads. */
const RUNNING_MS = 250;

let current = null;
let running = null;
let wanted = null;

on(["forgotten"], () => { current = null; });

const key = (seq) => `${seq}-${doc.n_recorded}-${look.view === "processes" || look.view === "messages" ? "" : `${Math.round(look.from)}-${Math.round(look.to)}`}-${api.sandbox}`;

/** The system just after event `seq`; the last one known while a newer one is under way. */
export async function systemAt(seq) {
  if (seq === null || seq === undefined || !doc.n_recorded) return null;
  if (current?.key === key(seq)) return current.system;
  wanted = seq;
  if (!running) run();
  return current?.system ?? null;
}

async function run() {
  while (wanted !== null) {
    const seq = wanted, mine = key(seq);
    wanted = null;
    running = api.view("graph", { at: seq, dead: "few", from: Math.floor(look.from), to: Math.ceil(look.to) });
    try {
      const system = await running;
      system.nodes.forEach((node) => names.set(node.process, node.name || node.process));
      current = { key: mine, system };
      tell("system");
    } catch { /* the next moment asks again */ }
    if (doc.state !== "paused") await new Promise((resolve) => setTimeout(resolve, RUNNING_MS));
  }
  running = null;
}
