// The director: buttons and keys that move the session's cursor, which all who look share.

import { exact, groupOf, h, number, put, wallTime } from "./format.js";
import { moveRange } from "./range.js";
import { choose, doc, isFromPeer, look, nameOf, on } from "./state.js";

const SPEEDS = [0.001, 0.01, 0.1, 0.25, 0.5, 1, 2, 5, 10, 100, 1000, 10000];

/** After so long a sandbox that goes on has done something. */
const SETTLED_MS = 400;

export const KEYS = [
  ["Space", "play, pause"], ["← →", "step by event"], ["Shift ← →", "step within the same process"], ["Alt ← →", "previous, next hit of a breakpoint"],
  ["Ctrl ← →", "previous, next callback"], ["Home End", "start, end"], ["PgUp PgDn", "back, forth by a tenth of what is shown"], ["R", "rewind"], ["W S", "zoom in, out"], ["A D", "pan"],
  ["0", "show all"], ["+ −", "faster, slower"], ["1 2 3 4", "processes, messages, supervision, graph"], ["/", "filter"], ["[ ]", "the range begins, ends here"], ["F", "focus on the causal chain"], ["M", "mark this moment"], ["Y", "why?"], ["Esc", "let go of what is selected"], ["?", "this help"],
];

export function makeDirector(actions, stage) {
  const select = document.querySelector("#speed");
  put(select, ...SPEEDS.map((speed) => h("option", { value: speed }, speed < 1 ? `×1/${Math.round(1 / speed)}` : `×${speed}`)));
  const play = document.querySelector("[data-do=toggle]");
  const push = (event, payload) => (asked = actions.push(event, payload).catch((error) => (error.code === "edge" ? actions.say(error.detail.split(":")[0].replaceAll("_", " ")) : actions.complain(error))));
  let asked = null;
  /** Where one stands once what was asked is done: what is shown comes a little later. */
  const here = async () => {
    const answer = (await asked)?.data;
    asked = null;
    return answer?.seq ?? doc.seq ?? 0;
  };
  const step = (direction, unit, extra = {}) => push("step", { direction, unit, ...extra });
  const process = () => (look.process ? { process: look.process } : {});
  const unit = document.querySelector("#unit");
  const stepBy = (direction) => step(direction, unit.value, unit.value === "event" ? {} : process());
  const isAtEnd = () => doc.state === "paused" && doc.n_events > 0 && doc.n_passed === doc.n_events && !doc.can?.is_live;
  /** Plays or pauses. At the end a sandbox goes on; where nothing more happens in it, playing begins anew. */
  async function toggle() {
    const { n_events: nBefore } = doc, wasAtEnd = isAtEnd();
    await push("toggle_playback", {});
    if (!wasAtEnd || !doc.can?.can_run) return;
    await new Promise((resolve) => setTimeout(resolve, SETTLED_MS));
    if (!isAtEnd() || doc.n_events !== nBefore) return;
    await push("timeline_seek", { moment: "start" });
    push("toggle_playback", { action: "play" });
  }
  function faster(factor) {
    const now = Math.abs(doc.speed || 1);
    const idx = SPEEDS.findIndex((speed) => speed >= now * 0.999);
    const next = SPEEDS[Math.max(0, Math.min(SPEEDS.length - 1, (idx < 0 ? SPEEDS.length - 1 : idx) + factor))];
    push("set_speed", { speed: doc.state === "rewinding" ? -next : next });
  }
  const byShown = (share) => actions.seekRank((doc.n_passed ?? 0) - 1 + Math.max(1, Math.round((look.to - look.from) * Math.abs(share))) * Math.sign(share));

  const ACTIONS = {
    start: () => actions.seek(null), end: () => actions.seek("end"), step: () => stepBy("forward"), step_back: () => stepBy("back"),
    hit: () => step("forward", "hit"), hit_back: () => step("back", "hit"), toggle,
    rewind: () => push("toggle_playback", { action: doc.state === "rewinding" ? "pause" : "rewind" }),
    fast: () => { faster(1); if (doc.state === "paused") push("toggle_playback", { action: "play" }); },
  };
  document.querySelectorAll("[data-do]").forEach((button) => button.addEventListener("click", () => ACTIONS[button.dataset.do]()));
  select.addEventListener("change", () => push("set_speed", { speed: Number(select.value) }));

  const BY_KEY = {
    " ": ACTIONS.toggle, Home: ACTIONS.start, End: ACTIONS.end, PageDown: () => byShown(0.1), PageUp: () => byShown(-0.1),
    w: () => stage.zoom(0.6), s: () => stage.zoom(1 / 0.6), a: () => stage.pan(-0.2), d: () => stage.pan(0.2), 0: () => stage.fit(), r: ACTIONS.rewind,
    "+": () => faster(1), "=": () => faster(1), "-": () => faster(-1), 1: () => actions.view("processes"), 2: () => actions.view("messages"), 3: () => actions.view("supervision"), 4: () => actions.view("graph"),
    "[": () => here().then((seq) => moveRange("from", seq)), "]": () => here().then((seq) => moveRange("to", seq)), f: () => actions.focus(), m: () => actions.mark(), y: () => actions.why(), "?": () => actions.help(), "/": () => document.querySelector("#filter").focus(),
  };
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") return actions.letGo();
    const isTyping = event.target.closest("input:not([type=range]):not([type=checkbox]), textarea, select, dialog");
    if (isTyping || event.metaKey) return undefined;
    if (event.key === "ArrowRight" || event.key === "ArrowLeft") {
      if (event.target.closest("[role=tablist], .split")) return undefined;
      event.preventDefault();
      const direction = event.key === "ArrowRight" ? "forward" : "back";
      if (event.altKey) return step(direction, "hit");
      if (event.ctrlKey) return step(direction, "handler", process());
      return event.shiftKey ? step(direction, "process", process()) : step(direction, "event");
    }
    if (event.ctrlKey || event.altKey) return undefined;
    // A focused button keeps its own keys.
    if ((event.key === " " || event.key === "Enter") && event.target.closest("button, summary, [role=button]") && !event.target.closest("[data-do]")) return undefined;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const act = BY_KEY[key];
    if (!act) return undefined;
    event.preventDefault();
    return act();
  });

  const position = document.querySelector("#position"), event = document.querySelector("#here"), wall = document.querySelector("#wall");
  on(["position", "state", "speed", "n_events", "window", "system"], () => {
    const isRunning = doc.state && doc.state !== "paused";
    play.querySelector("use").setAttribute("href", isRunning ? "#i-pause" : "#i-play");
    play.setAttribute("aria-label", isRunning ? "Pause" : "Play");
    document.querySelector("[data-do=rewind]").setAttribute("aria-pressed", String(doc.state === "rewinding"));
    const speed = Math.abs(doc.speed || 1);
    const nearest = SPEEDS.reduce((best, candidate) => (Math.abs(Math.log(candidate / speed)) < Math.abs(Math.log(best / speed)) ? candidate : best), 1);
    if (document.activeElement !== select) select.value = String(nearest);
    put(position, doc.seq === null || doc.seq === undefined ? "start" : `#${number(doc.seq)}`, " ", h("small", `+${exact(doc.at_ns || 0)}`), h("small.dim", `  ${number(doc.n_passed || 0)} of ${number(doc.n_events || 0)}`));
    const at = doc.event;
    put(event, ...(at ? [h(`span.kind.${groupOf(at.kind)}`, at.kind.replaceAll("_", " ")), " ", h("b", nameOf(at.process)), at.peer ? ` ${isFromPeer(at.kind) ? "←" : "→"} ${nameOf(at.peer)}` : "", at.tag ? ` ${at.tag}` : ""] : []));
    wall.textContent = doc.wall_offset_ns ? wallTime(doc.clock_ns + doc.wall_offset_ns) : "";
    wall.title = doc.wall_offset_ns ? "wall clock, UTC" : "";
  });
  return { choose };
}
