// Puts the page together: the channel to the session, the views, the panels, and what one tells the others.

import * as api from "./api.js";
import { makeBreakpoints } from "./breakpoints.js";
import { KEYS, makeDirector } from "./director.js";
import { makeEvents } from "./events.js";
import { readFilter } from "./filter.js";
import { h, number, put } from "./format.js";
import { makeGraph } from "./graph.js";
import { makeHeld } from "./held.js";
import { makeInspector } from "./inspector.js";
import { makeMarks } from "./marks.js";
import { forgetColors } from "./paint.js";
import { makeLatency, makePatterns, makeShell } from "./panels.js";
import { makeScene } from "./scene.js";
import { makeScrubber } from "./scrubber.js";
import { Channel } from "./socket.js";
import { VIEWS, choose, doc, forget, fragment, look, nameOf, on, overview, readFragment, seqAt, tell } from "./state.js";
import { makeSupervision } from "./supervision.js";
import { announce, complain, toast } from "./tip.js";

const $ = (selector) => document.querySelector(selector);
const strange = readFragment();
// The first picture needs these two: they are on their way before there is a session to talk to.
api.prefetch("overview", {});
if (look.isFitted) api.prefetch("window", { only: readFilter(look.filter).process || "" });

// What parts ask of each other.

let seeking = null;
/** Goes to an event, to the start (null) or to a named moment. Of many wishes in a row the last one counts. */
function seek(seq) {
  const isFree = seeking === null;
  if (seq !== look.goingTo) look.goingTo = null;
  seeking = { moment: seq === null ? "start" : seq };
  if (isFree) sendSeek();
}
async function sendSeek() {
  while (seeking) {
    const { moment } = seeking;
    try { await api.asking(channel.push("timeline_seek", { moment })); } catch (error) { look.goingTo = null; complain(error); }
    if (seeking?.moment === moment) seeking = null;
  }
}

const actions = {
  seek, complain,
  say: (text) => { toast(text); announce(text); },
  push: (event, payload) => api.asking(channel.push(event, payload)),
  seekRank: (rank) => seek(rank < 0 ? null : seqAt(Math.min(rank, overview.n_events - 1))),
  view: (view) => { choose({ view }); channel.push("set_view", { view }).catch(() => {}); announce(`${view} view`); },
  /** Selects a process, an event, or both; `goes` moves the cursor there. */
  select: ({ process, seq, goes }) => {
    choose({ ...(process ? { process } : {}), ...(seq !== undefined ? { seq } : {}), side: "inspector" });
    if (goes && seq !== undefined) seek(seq);
  },
  async focus(seq = look.seq ?? doc.seq) {
    if (look.focus || seq === null || seq === undefined) return choose({ focus: null });
    try {
      // All that `why` names belongs to it, too: what has no link of its own, as a message to a process that was dead.
      const why = api.operation("why", { event: seq }).then(({ data }) => data.focus, () => []);
      const { data } = await api.operation("chain", { event: seq });
      const seqs = new Set([seq, ...data.map((row) => row.seq), ...(await why)]);
      choose({ focus: seqs, seq });
      scene.frame(seqs);
      actions.say(`${seqs.size} events in the causal chain of #${number(seq)}`);
    } catch (error) { complain(error); }
    return undefined;
  },
  frame: (seqs) => scene.frame(seqs),
  why: () => { choose({ side: "inspector" }); inspector.why(look.seq ?? doc.seq); },
  mark: () => { choose({ side: "marks" }); setTimeout(() => marks.begin(), 60); },
  shell: (line) => { choose({ drawer: "shell" }); shell.run(line); },
  letGo: () => {
    $("#toasts").replaceChildren();
    if ($("#dialog").open) return $("#dialog").close();
    if (document.activeElement?.matches("input")) return document.activeElement.blur();
    return choose({ focus: null, range: null, seq: null, process: null });
  },
  help: () => {
    const dialog = $("#dialog");
    put(dialog, h("h2", "Keyboard"), h("div.keys", KEYS.map(([key, what]) => h("div", h("span", what), h("span", key.split(" ").map((part) => [h("kbd", part), " "]))))), h("p.dim", "In the view: drag pans, drag with Shift selects a range, the wheel zooms (with Ctrl where the lanes scroll), a click selects or goes there, a double click on something goes to it."), h("form", { method: "dialog" }, h("button.button", "Close")));
    dialog.showModal();
  },
};

// The stage.

const scene = makeScene(actions);
const stages = { processes: scene, messages: scene, supervision: makeSupervision(actions), graph: makeGraph(actions) };
function showView() {
  const stage = stages[look.view];
  if ($("#stage").firstChild !== stage.root) put($("#stage"), stage.root);
  document.querySelectorAll("[data-view]").forEach((tab) => setTab(tab, tab.dataset.view === look.view));
  stage.show();
}
function setTab(tab, isSelected) {
  tab.setAttribute("aria-selected", String(isSelected));
  tab.tabIndex = isSelected ? 0 : -1;
}

// Panels in tabs.

const inspector = makeInspector($("#side"), actions), marks = makeMarks($("#side"), actions);
const sides = { inspector, breakpoints: makeBreakpoints($("#side"), actions), marks };
const shell = makeShell($("#drawer"), actions);
const drawers = { events: makeEvents($("#drawer"), actions), patterns: makePatterns($("#drawer"), actions), latency: makeLatency($("#drawer")), shell };
const shown = {};
function showTabs(name, parts) {
  document.querySelectorAll(`#${name}-tabs [data-tab]`).forEach((tab) => setTab(tab, tab.dataset.tab === look[name]));
  if (shown[name] === look[name]) return;
  shown[name] = look[name];
  parts[look[name]].show();
}
for (const list of document.querySelectorAll("[role=tablist]")) {
  list.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    const tabs = [...list.querySelectorAll("[role=tab]")];
    const next = tabs[(tabs.indexOf(document.activeElement) + (event.key === "ArrowRight" ? 1 : tabs.length - 1)) % tabs.length];
    event.preventDefault();
    next.focus();
    next.click();
  });
}
document.querySelectorAll("[data-view]").forEach((tab) => tab.addEventListener("click", () => actions.view(tab.dataset.view)));
document.querySelectorAll("#side-tabs [data-tab]").forEach((tab) => tab.addEventListener("click", () => choose({ side: tab.dataset.tab })));
document.querySelectorAll("#drawer-tabs [data-tab]").forEach((tab) => tab.addEventListener("click", () => choose({ drawer: tab.dataset.tab })));
on(["view"], showView);
on(["side"], () => showTabs("side", sides));
on(["drawer"], () => showTabs("drawer", drawers));
on(["focus"], () => $("#focus").setAttribute("aria-pressed", String(Boolean(look.focus))));
$("#focus").addEventListener("click", () => actions.focus());
$("#help").addEventListener("click", actions.help);

const director = makeDirector(actions, { zoom: (...args) => scene.zoom(...args), pan: (...args) => scene.pan(...args), fit: () => scene.fit() });
makeHeld($("#held"), actions);
const scrubber = makeScrubber(seek);
showView();
scrubber.refresh();

// The channel: the session's document by differences.

const POSITION = ["seq", "n_passed", "at_ns", "clock_ns", "event", "state", "n_events"];
function take(changed) {
  tellForeign(changed);
  Object.assign(doc, changed);
  if (doc.seq === look.goingTo) look.goingTo = null;
  const keys = Object.keys(changed);
  tell(...keys, ...(keys.some((key) => POSITION.includes(key)) ? ["position"] : []));
  if ("title" in changed) { $("#title").textContent = doc.title; document.title = `${doc.title} · cinema`; }
  if ("n_lost" in changed) {
    $("#lost").hidden = !doc.n_lost;
    $("#lost").textContent = `${number(doc.n_lost || 0)} events lost`;
  }
  if ("n_damaged" in changed) {
    $("#damaged").hidden = !doc.n_damaged;
    $("#damaged").title = ["This recording is damaged:", ...(doc.damage || [])].join("\n");
    if (doc.n_damaged) toast(`The recording is damaged in ${number(doc.n_damaged)} place${doc.n_damaged > 1 ? "s" : ""}: ${doc.damage[0]}`, true);
  }
  if ("is_busy" in changed) { $("#busy").hidden = !doc.is_busy; }
  if ("n_sandboxes" in changed || "current_sandbox" in changed) listSandboxes();
  if (doc.state === "paused" && "seq" in changed && doc.event) announce(`#${doc.event.seq} ${doc.event.kind.replaceAll("_", " ")} ${nameOf(doc.event.process)} ${doc.event.tag || ""}`);
}

/** Says when somebody else moved what all who look share. */
function tellForeign(changed) {
  const wasStill = doc.state === "paused" && doc.seq !== undefined && "seq" in changed && changed.seq !== doc.seq;
  if (!wasStill || doc.can?.is_live || api.isAsking() || (changed.sandbox ?? doc.sandbox) !== doc.sandbox) return;
  if ((changed.n_recorded ?? doc.n_recorded) === doc.n_recorded) toast(changed.state && changed.state !== "paused" ? "another browser or the shell plays" : "moved by another browser or the shell");
}

/** The document, until the first picture is there: what stands beside it asks for more, and can wait a moment. */
let waiting = null;
const painted = new Promise((resolve) => { on(["window"], resolve); setTimeout(resolve, 500); });
function begin() {
  if (!waiting) return;
  const document = waiting;
  waiting = null;
  take(document);
  if (doc.n_recorded !== overview.n_recorded) scrubber.refresh();
  shown.side = shown.drawer = null;
  showView();
  showTabs("side", sides);
  showTabs("drawer", drawers);
  if (look.goingTo >= doc.n_recorded) toast(`the link leads to event #${number(look.goingTo)}, and there are ${number(doc.n_recorded)}`, true);
  if (look.goingTo !== null && look.goingTo < doc.n_recorded && look.goingTo !== doc.seq) seek(look.goingTo);
  else look.goingTo = null;
  if (strange.length) toast(`the address says what is not understood: ${strange.splice(0).join(", ")}`, true);
}

const connection = $("#connection");
const channel = new Channel(`${location.origin.replace("http", "ws")}/socket/websocket?vsn=2.0.0&token=${encodeURIComponent(api.token)}`, {
  joined(response) {
    $(".welcome")?.remove();
    connection.className = `connection${response.is_read_only ? " ro" : ""}`;
    connection.textContent = response.is_read_only ? "read only" : "";
    choose({ isConnected: true, isReadOnly: response.is_read_only });
    waiting = response.state;
    painted.then(begin);
  },
  push(event, payload) {
    if (event === "timeline_update") {
      if (waiting) Object.assign(waiting, payload.changed);
      else take(payload.changed);
      // In the next frame, when it is drawn: a browser that cannot keep up is sent less.
      (document.hidden ? (run) => setTimeout(run, 100) : requestAnimationFrame)(() => channel.ack(payload.frame));
    } else if (event === "breakpoint_triggered") {
      const text = payload.missed ? `${payload.missed} hits were missed` : `breakpoint ${payload.name}: ${payload.event.kind.replaceAll("_", " ")} ${nameOf(payload.event.process)} #${payload.event.seq}`;
      toast(`● ${text}`);
      announce(text);
      if (!payload.missed) choose({ process: payload.event.process });
    } else if (event === "loss") {
      toast(`${number(payload.n_lost)} events were lost while recording`, true);
    }
  },
  state(state, reason, problem) {
    if (state === "open") return undefined;
    choose({ isConnected: false });
    if (state === "refused") return welcome(problem);
    connection.className = "connection bad";
    connection.textContent = reason ? `disconnected: ${reason}` : "disconnected, trying again …";
    return undefined;
  },
});
channel.join(`cinema_debugger:${api.sandbox}`);
// A socket is not told why it is refused; a request is.
api.sandboxes().catch((error) => { if (error.status === 401) askToken(error); });

/** Without the token there is nothing to see: it can be given here. */
function askToken(error) {
  channel.close();
  connection.textContent = "";
  const input = h("input", { type: "password", name: "token", "aria-label": "Token", autocomplete: "off", required: true, style: "flex:1" });
  const open = (event) => { event.preventDefault(); api.keepToken(input.value); location.reload(); };
  put($("#stage"), h("div.welcome", h("h2", "The token, please"), h("p", `${error.message[0].toUpperCase()}${error.message.slice(1)}. The address that was printed when the server started holds it, behind #token=.`),
    h("form", { onsubmit: open }, h("div.row", input, h("button.button.main", { type: "submit" }, "Open")))));
  input.focus();
}

function showSandbox(id) {
  if (id !== api.sandbox) forget();
  api.setSandbox(id);
  channel.join(`cinema_debugger:${id}`);
}

let known = null;
async function listSandboxes() {
  const rows = await api.sandboxes().catch(() => []);
  const select = $("#sandboxes");
  select.hidden = rows.length < 2;
  $("#title").hidden = rows.length >= 2;
  put(select, ...rows.map((row) => h("option", { value: row.id, selected: row.id === api.sandbox }, `${row.id}: ${row.title}`)));
  // The shell turned to another one: so does the page.
  const current = rows.find((row) => row.is_current)?.id;
  if (known !== null && current !== undefined && current !== known && current !== api.sandbox) {
    showSandbox(current);
    actions.say(`the session is now ${rows.find((row) => row.id === current).title}`);
  }
  known = current ?? known;
}
$("#sandboxes").addEventListener("change", (event) => showSandbox(Number(event.target.value)));

/** Nothing is open yet: says how to begin, and begins when something is opened. */
function welcome(problem) {
  connection.textContent = "";
  put($("#stage"), h("div.welcome", h("h2", "Nothing is open yet"), h("p", "Drop a recording here (a .cinema file, or a trace file of dbg or ttb), or open a system in the shell:"), h("p.code", "sandbox(\"examples/bank\")   open(\"node.trace\")"), problem?.hints ? h("p.dim", problem.reason) : null));
  setTimeout(async () => {
    const rows = await api.sandboxes().catch(() => []);
    if (rows.length) showSandbox(rows.find((row) => row.is_current)?.id ?? rows[0].id);
    else welcome(problem);
  }, 1_000);
}

// Files in and out, link, theme, sizes.

async function openFile(file) {
  toast(`opening ${file.name} …`);
  try {
    const { data: source, meta } = await api.upload(file);
    known = source.id;
    showSandbox(source.id);
    actions.say(`${source.title}: ${number(source.n_events)} events${meta.warnings ? ", damaged" : ""}`);
  } catch (error) { complain(error); }
}
$("#open").addEventListener("click", () => $("#file").click());
$("#file").addEventListener("change", (event) => { if (event.target.files[0]) openFile(event.target.files[0]); event.target.value = ""; });
addEventListener("dragover", (event) => { event.preventDefault(); $("#drop").hidden = false; });
addEventListener("dragleave", (event) => { if (!event.relatedTarget) $("#drop").hidden = true; });
addEventListener("drop", (event) => { event.preventDefault(); $("#drop").hidden = true; if (event.dataTransfer.files[0]) openFile(event.dataTransfer.files[0]); });
$("#save").addEventListener("click", async () => {
  try {
    const { name, blob } = await api.download("cinema");
    const link = h("a", { href: URL.createObjectURL(blob), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  } catch (error) { complain(error); }
});
$("#share").addEventListener("click", async () => {
  const link = `${location.origin}/#${fragment(true)}`;
  try { await navigator.clipboard.writeText(link); actions.say("the link is copied; it contains the token"); } catch { toast(link); }
});

const dark = matchMedia("(prefers-color-scheme: dark)");
function applyTheme() {
  document.documentElement.dataset.theme = localStorage.getItem("cinema.theme") || (dark.matches ? "dark" : "light");
  forgetColors();
  tell("theme", "position");
}
dark.addEventListener("change", applyTheme);
$("#theme").addEventListener("click", () => { localStorage.setItem("cinema.theme", document.documentElement.dataset.theme === "dark" ? "light" : "dark"); applyTheme(); });

function splitter(selector, variable, size) {
  const element = $(selector);
  const set = (pixels) => { document.documentElement.style.setProperty(variable, `${Math.max(90, Math.min(pixels, innerWidth * 0.7))}px`); localStorage.setItem(`cinema${variable}`, pixels); };
  const saved = Number(localStorage.getItem(`cinema${variable}`));
  if (saved) set(saved);
  element.addEventListener("pointerdown", (event) => {
    element.setPointerCapture(event.pointerId);
    const move = (moved) => set(size(moved));
    element.addEventListener("pointermove", move);
    element.addEventListener("pointerup", () => element.removeEventListener("pointermove", move), { once: true });
  });
  element.addEventListener("keydown", (event) => {
    const now = parseFloat(getComputedStyle(document.documentElement).getPropertyValue(variable));
    const by = { ArrowLeft: 20, ArrowUp: 20, ArrowRight: -20, ArrowDown: -20 }[event.key];
    if (by) { event.preventDefault(); event.stopPropagation(); set(now + by); }
  });
}
splitter("#split-side", "--side", (event) => innerWidth - event.clientX);
splitter("#split-drawer", "--drawer", (event) => $(".desk").getBoundingClientRect().bottom - event.clientY);

applyTheme();
document.querySelectorAll("[data-view]").forEach((tab) => setTab(tab, tab.dataset.view === look.view));
// For tests and measurements, and for the curious.
window.cinema = { api, channel, choose, director, doc, look, overview, scene, views: VIEWS };
