// What the page knows: the session's document as the server keeps it, and what this viewer has chosen. Everything
// that is shown follows from here; whoever changes something says so, and the others hear it at the next frame.

import * as api from "./api.js";
import { wallTime } from "./format.js";

export const VIEWS = ["processes", "messages", "supervision", "graph"];

/** The session's document; see `pulse` in the server. */
export const doc = {};

/** What this viewer has chosen. `from` and `to` count events along the line. */
export const look = {
  view: "messages", from: 0, to: 0, isFitted: true, process: null, seq: null, focus: null,
  /** A selected stretch: its first and last event. */
  range: null,
  filter: "", side: "inspector", drawer: "events", syntax: null, isConnected: false, isReadOnly: false,
  /** The event that the address named, until the session is there. */
  goingTo: null,
};

const NOTHING = { n_events: 0, n_recorded: 0, n_covered: 0, ranges: [], axis: { seqs: [], since_start_ns: [], shares: [] }, density: [], edges: [], markers: [] };

/** The whole line at a glance; see `overview` in the server. */
export const overview = { ...NOTHING };

/** What is known beside the document: where which breakpoints hit in the recorded past, and the event that is picked (the
 *  selected one, else the one that one stands on) with its payload. */
export const found = { hits: [], event: null };

/** Whether an event of this kind came from its peer, rather than going there. */
export const isFromPeer = (kind) => /receive|down|exit_signal|late|handle/.test(kind);

/** The processes of the picked event: who sent and who received, in this order, or the one that did it. */
export function ends() {
  const event = look.seq !== null && found.event?.seq === look.seq ? { kind: found.event.kind, process: found.event.pid, peer: found.event.peer_pid } : doc.event;
  if (!event) return [];
  return isFromPeer(event.kind) ? [event.peer, event.process] : [event.process, event.peer];
}

/** The syntax in which terms are written. */
export const syntax = () => look.syntax || (doc.is_elixir ? "elixir" : "erlang");

/** The wall clock, UTC, so many ns after the start; empty where none was recorded. */
export const wallOf = (at_ns) => (doc.wall_offset_ns ? wallTime(doc.wall_offset_ns + doc.clock_ns - doc.at_ns + at_ns) : "");

/** Names of processes by pid, learned from what was shown. */
export const names = new Map();
export const nameOf = (process) => (process ? names.get(process) || process : "");

const listeners = [];
const changed = new Set();
let isScheduled = false;

/** Calls `listener` in the next frame after any of `topics` changed. */
export function on(topics, listener) {
  listeners.push({ topics, listener });
}

/** Says that something changed. */
export function tell(...topics) {
  topics.forEach((topic) => changed.add(topic));
  if (isScheduled) return;
  isScheduled = true;
  // Not every place draws frames (a hidden tab does not); what is known must still be told.
  (document.hidden ? (run) => setTimeout(run, 50) : requestAnimationFrame)(flush);
}

function flush() {
  isScheduled = false;
  const now = new Set(changed);
  changed.clear();
  for (const { topics, listener } of listeners) {
    if (topics.some((topic) => now.has(topic))) listener(now);
  }
}

/** Forgets a sandbox: nothing of it is shown while another one, which may be empty, is on its way. */
export function forget() {
  Object.assign(overview, NOTHING);
  Object.assign(look, { from: 0, to: 0, isFitted: true, process: null, seq: null, focus: null, range: null, goingTo: null });
  Object.assign(found, { hits: [], event: null });
  for (const key of Object.keys(doc)) delete doc[key];
  names.clear();
  tell("forgotten");
}

/** Changes what the viewer has chosen. */
export function choose(values) {
  const topics = Object.keys(values).filter((key) => look[key] !== values[key]);
  Object.assign(look, values);
  if (topics.length) tell(...topics);
  scheduleUrl();
}

// Seqs and positions on the line: the same but where branches leave events out.

export function rankOf(seq) {
  let before = 0;
  for (const [start, end] of overview.ranges) {
    if (seq < start) return before;
    if (seq < end) return before + seq - start;
    before += end - start;
  }
  return before;
}

export function seqAt(rank) {
  let before = 0;
  for (const [start, end] of overview.ranges) {
    if (rank < before + (end - start)) return start + Math.max(0, Math.floor(rank - before));
    before += end - start;
  }
  return overview.ranges.length ? overview.ranges.at(-1)[1] - 1 : 0;
}

// The address holds where one is, so that a link leads there, and a reload comes back.

let urlTimer = 0;
function scheduleUrl() {
  // Browsers take only so many changes of the address.
  urlTimer ||= setTimeout(() => { urlTimer = 0; if (look.goingTo === null) history.replaceState(null, "", `#${fragment(false)}`); }, 400);
}
on(["position"], scheduleUrl);

export function fragment(withToken) {
  const values = new URLSearchParams();
  if (withToken) values.set("token", api.token);
  if (api.sandbox) values.set("s", api.sandbox);
  values.set("v", look.view);
  if (doc.seq !== null && doc.seq !== undefined) values.set("at", doc.seq);
  if (!look.isFitted) { values.set("f", Math.round(look.from)); values.set("t", Math.round(look.to)); }
  if (look.process) values.set("p", look.process);
  if (look.seq !== null) values.set("e", look.seq);
  if (look.range) values.set("r", look.range.join("-"));
  if (look.filter) values.set("q", look.filter);
  return values.toString();
}

/** Takes what the address says; gives the parts that say nothing. */
export function readFragment() {
  const values = new URLSearchParams(location.hash.slice(1));
  const strange = [];
  const read = (name, pattern) => {
    const text = values.get(name);
    if (text === null || pattern.test(text)) return text;
    strange.push(`${name}=${text}`);
    return null;
  };
  const count = (name) => { const text = read(name, /^\d{1,15}$/); return text === null ? null : Number(text); };
  look.view = read("v", new RegExp(`^(${VIEWS.join("|")})$`)) ?? look.view;
  count("s");
  const [from, to] = [count("f"), count("t")];
  if (from !== null && to > from) Object.assign(look, { from, to, isFitted: false });
  else if (from !== null || to !== null) strange.push("f and t: no stretch");
  look.process = values.get("p");
  look.seq = count("e");
  look.range = read("r", /^\d{1,15}-\d{1,15}$/)?.split("-").map(Number).sort((a, b) => a - b) ?? null;
  look.filter = values.get("q") || "";
  // A link leads somewhere; who only loads the page again stays where the session is by now.
  const at = count("at");
  look.goingTo = isReload() ? null : at;
  return strange;
}

const FOLLOWED = "cinema.followed";
function isReload() {
  const isFollowed = sessionStorage.getItem(FOLLOWED) !== null;
  sessionStorage.removeItem(FOLLOWED);
  return !isFollowed && performance.getEntriesByType("navigation")[0]?.type !== "navigate";
}
/** A link that is pasted into the address of the page itself. */
addEventListener("hashchange", () => { sessionStorage.setItem(FOLLOWED, ""); location.reload(); });
