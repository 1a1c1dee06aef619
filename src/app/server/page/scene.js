// The lanes: processes one below the other, their callbacks as bars, and, in the message view, messages as arrows. What
// stands still is drawn once per window; what moves lies above it: the playhead with its veil and ring, which are only
// placed anew, and a narrow canvas with the messages that arrive. What is on screen is a part of what was loaded, so
// that panning and zooming never wait.

import * as api from "./api.js";
import { Axis } from "./axis.js";
import { readFilter } from "./filter.js";
import { h, number, put, s } from "./format.js";
import { STYLES, color, mark, messageLine, reducedMotion, sharpen } from "./paint.js";
import { TRAIL, drawStill, drawUnderway, hitTest, laneOf } from "./lanes.js";
import { choose, doc, found, look, names, on, overview, rankOf, seqAt, tell } from "./state.js";
import { hideTip, showTip } from "./tip.js";
import { labelColumn } from "./labels.js";
import { moveRange } from "./range.js";
import { laneRows, makeTwin } from "./twin.js";

/** The loaded stretch reaches so much beyond what is shown, on either side, as a share of it. */
const MARGIN = 0.5;
const LOAD_MS = 70;
/** Seconds that a page lasts at least while it plays: one that passes sooner is gone before it is loaded, and seen. */
const PAGE_SECONDS = 1.2;
/** Room at both ends, in pixels: a mark at the first moment is a whole mark. */
const EDGE = 7;
/** The share of what is left that a turning page moves in each frame. */
const PAGE_TURN = 0.3;

export function makeScene(actions) {
  const corner = h("div.corner");
  const axisBox = h("div.axis", h("canvas", { "aria-hidden": "true" }));
  const labels = h("div.labels", { role: "group", "aria-label": "Processes" });
  const still = h("canvas", { role: "img" }), moving = h("canvas.moving", { "aria-hidden": "true", hidden: true });
  const future = h("div.future", { "aria-hidden": "true" }), ring = h("div.ring", { "aria-hidden": "true" });
  const lanes = h("div.lanes", still, moving, future, ring);
  const scroll = h("div.scroll", labels, lanes);
  const notes = h("div.notes");
  const root = h("div.scene", corner, axisBox, scroll, notes);
  const column = labelColumn(labels, actions);

  const scene = { data: null, axis: null, laneHeight: 26, width: 100, height: 100, playhead: 0, isStale: true };
  const cache = new Map();
  const ask = api.latest((values) => api.view("window", values));
  let timer = 0;

  /** Processes that the filter names have their lanes to themselves. */
  const wantedLanes = () => readFilter(look.filter).process || "";

  /** Loads what is shown, and around it, unless it is there. */
  async function load() {
    const { from, to } = look;
    if (!overview.n_events || to <= from) return;
    const span = Math.max(4, to - from);
    const wide = { from: Math.max(0, Math.floor(from - span * MARGIN)), to: Math.min(overview.n_events, Math.ceil(to + span * MARGIN)) };
    const have = scene.data;
    const isCovered = have && have.version === (doc.n_recorded ?? have.version) && have.only === wantedLanes() && have.from <= Math.max(0, from) && have.to >= Math.min(overview.n_events, to);
    if (isCovered && have.to - have.from < span * 3.2) return;
    const only = wantedLanes();
    const isWhole = wide.from === 0 && wide.to === overview.n_events;
    const key = `${api.sandbox}-${wide.from}-${wide.to}-${doc.n_recorded ?? overview.n_recorded}-${doc.branch}-${only}`;
    const mine = api.sandbox;
    let data = cache.get(key);
    if (!data) {
      try { data = await ask({ ...(isWhole ? {} : wide), only }); } catch (error) { return actions.complain(error); }
      if (!data || mine !== api.sandbox) return;
      Object.assign(data, { version: data.n_recorded, only });
      if (data.is_complete) cache.set(key, data);
      else setTimeout(() => { if (scene.data === data) { scene.data = { ...data, version: -1 }; load(); } }, 400);
      if (cache.size > 24) cache.delete(cache.keys().next().value);
    }
    data.lanes.forEach((lane) => names.set(lane.process, lane.name || lane.id));
    scene.data = data;
    scene.axis = new Axis(data.axis);
    scene.isStale = true;
    column.show(data.lanes);
    layout();
    tell("window");
    if (!isPainted) draw();
  }
  /** Shows nothing: another sandbox is on its way, which may be empty. */
  function clear() {
    scene.data = null;
    scene.isStale = true;
    for (const canvas of [still, moving, axisBox.firstChild]) canvas.width = 0;
    ring.hidden = true;
    corner.textContent = "nothing is recorded yet";
    column.show([]);
    put(notes);
  }
  on(["forgotten"], clear);

  /** The first picture does not wait. */
  const loadSoon = () => { timer ||= setTimeout(() => { timer = 0; load(); }, scene.data ? LOAD_MS : 0); };

  function layout() {
    if (!scene.data || !root.isConnected) return;
    const n = Math.max(1, scene.data.lanes.length);
    const room = root.clientHeight - 26 - notes.offsetHeight;
    scene.laneHeight = Math.max(look.view === "processes" ? 24 : 20, Math.min(46, Math.floor(room / n)));
    scene.width = lanes.clientWidth;
    scene.height = scene.laneHeight * n;
    lanes.style.height = `${scene.height}px`;
    labels.style.gridAutoRows = `${scene.laneHeight}px`;
    scene.isStale = true;
    corner.textContent = scene.data.subtitle.replace("; quiet stretches are cut out", "");
    corner.title = scene.data.subtitle;
    const isDense = Boolean(scene.data.density);
    const texts = scene.data.notes.map(inWords);
    if (!scene.data.is_complete) texts.unshift("still counting: where it is hatched, events are not counted yet");
    if (scene.data.gaps.length) texts.push("quiet stretches are cut out");
    put(notes, isDense ? denseLegend(scene.data.lanes) : look.view === "messages" ? legend() : "", h("span.said", { title: [...texts, "", ...scene.data.notes].join("\n") }, texts.join(" · ")), twin.toggle);
    still.setAttribute("aria-label", `${look.view}: ${scene.data.subtitle}. ${isDense ? "As a table: how many events each process has." : "As a table it says the same."}`);
  }

  const twin = makeTwin(root, () => laneRows(scene), actions);
  on(["window", "view"], twin.fill);

  /** The part of the loaded stretch that is shown, as shares of its axis. */
  function shown() {
    if (!scene.data || scene.data.to <= scene.data.from) return [0, 1];
    const s0 = look.from <= scene.data.from ? 0 : scene.axis.ofSeq(seqAt(look.from));
    const s1 = look.to >= scene.data.to ? 1 : scene.axis.ofSeq(seqAt(look.to));
    // Shown beyond what is loaded, for the moment until it is: the loaded part at its place.
    const span = scene.data.to - scene.data.from;
    const before = Math.min(0, (look.from - scene.data.from) / span), after = Math.max(0, (look.to - scene.data.to) / span);
    return [s0 + before, Math.max(s0 + 1e-6, s1 + after)];
  }
  scene.toX = (share) => { const [a, b] = scene.range; return EDGE + ((share - a) / (b - a)) * (scene.width - 2 * EDGE); };
  scene.toShare = (x) => { const [a, b] = scene.range; return a + ((x - EDGE) / (scene.width - 2 * EDGE)) * (b - a); };
  scene.range = [0, 1];
  let isPainted = false;

  function draw() {
    if (!scene.data || !root.isConnected) return;
    const range = shown();
    if (range[0] !== scene.range[0] || range[1] !== scene.range[1]) scene.isStale = true;
    scene.range = range;
    if (scene.isStale) {
      scene.isStale = false;
      drawStill(sharpen(still, scene.width, scene.height), scene);
      drawAxis();
      if (!isPainted) { isPainted = true; performance.mark("lanes"); }
    }
    const target = doc.seq === null || doc.seq === undefined ? -0.01 : scene.axis.ofSeq(doc.seq);
    const isEased = doc.state !== "paused" && !reducedMotion.matches && Math.abs(target - scene.playhead) < 0.3;
    scene.playhead = isEased ? scene.playhead + (target - scene.playhead) * 0.3 : target;
    place();
    if (Math.abs(scene.playhead - target) > 1e-5) tell("moved");
  }

  /** What moves: the future is veiled, a ring is at the event that one stands on, messages come in with the playhead. */
  function place() {
    const x = scene.toX(scene.playhead), isDense = Boolean(scene.data.density);
    future.style.transform = `translateX(${(doc.seq === undefined ? scene.width : Math.max(-2, Math.min(scene.width, x))).toFixed(1)}px)`;
    const lane = isDense ? -1 : laneOf(scene, doc.event?.process);
    ring.hidden = lane < 0 || x < 0 || x > scene.width;
    if (!ring.hidden) ring.style.transform = `translate(${x.toFixed(1)}px, ${((lane + 0.5) * scene.laneHeight).toFixed(1)}px)`;
    moving.hidden = isDense || look.view !== "messages" || doc.state === "paused" || reducedMotion.matches;
    if (moving.hidden) return;
    moving.style.transform = `translateX(${(x - TRAIL).toFixed(1)}px)`;
    drawUnderway(sharpen(moving, TRAIL + 8, scene.height), scene, x);
  }

  function drawAxis() {
    const canvas = axisBox.firstChild;
    const context = sharpen(canvas, axisBox.clientWidth, 26);
    context.clearRect(0, 0, axisBox.clientWidth, 26);
    context.font = "11px system-ui, sans-serif";
    context.textBaseline = "middle";
    for (const tick of scene.axis.ticks(scene.range[0], scene.range[1], scene.width)) {
      context.fillStyle = color("ink2");
      const x = scene.toX(tick.share);
      const half = context.measureText(tick.text).width / 2 + 3;
      context.textAlign = "center";
      context.fillText(tick.text, Math.max(half, Math.min(scene.width - half, x)), 12);
      context.fillStyle = color("line2");
      context.fillRect(Math.round(x), 21, 1, 5);
    }
    // Above the lanes: marks as flags, hits of breakpoints as dots.
    const xOf = (seq) => scene.toX(scene.axis.ofSeq(seq));
    const isInside = (seq) => seq >= (scene.axis.seqs[0] ?? 0) && seq <= (scene.axis.seqs.at(-1) ?? -1);
    for (const item of (doc.marks || []).filter(({ seq }) => isInside(seq))) mark(context, "mark", xOf(item.seq), 21.5, 4);
    context.fillStyle = color("exit");
    for (const { seq } of found.hits.filter((hit) => isInside(hit.seq))) {
      context.beginPath();
      context.arc(xOf(seq), 22, 3, 0, 7);
      context.fill();
    }
  }

  /** Keeps the playhead in sight while it moves: near the edge the view turns the page, and between two pages only the
   *  playhead is drawn. */
  function follow() {
    // Before the line is known, and on the way to where a link leads, there is nowhere to go.
    if (look.isFitted || doc.seq === null || doc.seq === undefined || !overview.ranges.length || look.goingTo !== null) return;
    const rank = rankOf(doc.seq), isBack = doc.state === "rewinding";
    fitPace(rank);
    const span = look.to - look.from;
    const [low, high] = doc.state === "paused" ? [0, 0.72] : isBack ? [0.12, 1] : [0, 0.88];
    if (page === null) {
      if (rank >= look.from + span * low && rank <= look.from + span * high) return;
      page = clampFrom(rank - span * (doc.state === "paused" ? 0.5 : isBack ? 0.85 : 0.15), span);
    }
    const left = page - look.from, isJump = Math.abs(left) > span || reducedMotion.matches || doc.state === "paused";
    const from = isJump || Math.abs(left) < span * 0.01 ? page : look.from + left * PAGE_TURN;
    if (from === page) page = null;
    else tell("moved");
    if (from !== look.from) choose({ from, to: from + span });
  }
  /** Where the page that is being turned begins. */
  let page = null;

  /** Shows more while events pass faster than pages can be turned; at rest again what was shown before. */
  function fitPace(rank) {
    const span = look.to - look.from;
    if (widened && Math.abs(widened.to - span) > 1) widened = null;
    if (doc.state === "paused") {
      pace = null;
      if (widened) showAround(rank, widened.from, 0.5);
      widened = null;
      return;
    }
    const now = performance.now();
    if (pace && now - pace.at < 50) return;
    const measured = pace ? (1000 * Math.abs(rank - pace.rank)) / (now - pace.at) : 0;
    // Of two measures the slower one: a jump is no pace.
    const needed = Math.min(overview.n_events, PAGE_SECONDS * Math.min(measured, pace?.measured ?? 0));
    pace = { rank, at: now, measured };
    if (span >= needed) return;
    widened = { from: widened?.from ?? span, to: Math.min(overview.n_events, Math.ceil(needed * 1.5)) };
    showAround(rank, widened.to, doc.state === "rewinding" ? 0.85 : 0.15);
  }
  function showAround(rank, span, share) {
    page = null;
    const from = clampFrom(rank - span * share, span);
    choose({ from, to: from + span });
  }
  /** Where playing was a moment ago, and how many events passed in a second. */
  let pace = null;
  /** How many events were shown before, and are now, while more are shown than was chosen. */
  let widened = null;

  const clampFrom = (from, span) => Math.max(0, Math.min(from, Math.max(0, overview.n_events - span)));

  /** Zooms by a factor around a share of the shown stretch. */
  function zoom(factor, around = null) {
    const span = look.to - look.from;
    if (around === null) {
      // By key: around where one stands, when that is in sight.
      const here = doc.seq === null || doc.seq === undefined ? 0 : (rankOf(doc.seq) - look.from) / span;
      around = here >= 0 && here <= 1 ? here : 0.5;
    }
    const anchor = look.from + span * around;
    const wanted = Math.max(8, Math.min(span * factor, overview.n_events));
    const from = clampFrom(anchor - wanted * around, wanted);
    choose({ from, to: from + wanted, isFitted: wanted >= overview.n_events });
  }
  function pan(share) {
    const span = look.to - look.from;
    const from = clampFrom(look.from + span * share, span);
    choose({ from, to: from + span, isFitted: span >= overview.n_events });
  }

  // The pointer: drag pans, with Shift it selects a range; the wheel zooms where it is, a click selects what is there or
  // goes there.
  let drag = null;
  const seqOfX = (x) => Math.max(0, Math.round(scene.axis.seqOf(Math.max(0, Math.min(1, scene.toShare(x))))));
  lanes.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    const x = event.clientX - lanes.getBoundingClientRect().left;
    drag = { x: event.clientX, from: look.from, moved: false, range: event.shiftKey ? seqOfX(x) : null };
    lanes.setPointerCapture(event.pointerId);
  });
  lanes.addEventListener("pointermove", (event) => {
    const box = lanes.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    if (drag) {
      if (Math.abs(event.clientX - drag.x) > 3) { drag.moved = true; lanes.classList.add("drag"); }
      if (drag.moved && drag.range !== null) {
        const seq = seqOfX(x);
        choose({ range: [Math.min(drag.range, seq), Math.max(drag.range, seq)], side: "inspector" });
      } else if (drag.moved && !look.isFitted) {
        const span = look.to - look.from;
        const from = clampFrom(drag.from - ((event.clientX - drag.x) / scene.width) * span, span);
        choose({ from, to: from + span });
      }
      return hideTip();
    }
    const hit = scene.data && hitTest(scene, x, y);
    if (hit) showTip(event.clientX, event.clientY, hit.tip());
    else hideTip();
  });
  lanes.addEventListener("pointerup", (event) => {
    const box = lanes.getBoundingClientRect();
    const wasDrag = drag?.moved;
    drag = null;
    lanes.classList.remove("drag");
    if (wasDrag || !scene.data) return;
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const hit = hitTest(scene, x, y);
    if (hit) return actions.select({ seq: hit.seq, process: hit.process });
    if (event.shiftKey) return moveRange(seqOfX(x) < (look.range?.[0] ?? 0) ? "from" : "to", seqOfX(x));
    actions.seek(seqOfX(x));
    const lane = scene.data.lanes[Math.floor(y / scene.laneHeight)];
    if (lane) choose({ process: lane.process });
  });
  lanes.addEventListener("dblclick", (event) => {
    const box = lanes.getBoundingClientRect();
    const hit = scene.data && hitTest(scene, event.clientX - box.left, event.clientY - box.top);
    if (hit) actions.seek(hit.seq);
  });
  lanes.addEventListener("pointerleave", hideTip);
  lanes.addEventListener("wheel", (event) => {
    const box = lanes.getBoundingClientRect();
    if (Math.abs(event.deltaX) > Math.abs(event.deltaY) || event.shiftKey) {
      event.preventDefault();
      return pan(((event.deltaX || event.deltaY) / scene.width) * 1.2);
    }
    const canScroll = scroll.scrollHeight > scroll.clientHeight + 1;
    if (canScroll && !event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    zoom(Math.exp(Math.max(-60, Math.min(60, event.deltaY)) * 0.006), (event.clientX - box.left) / scene.width);
  }, { passive: false });

  new ResizeObserver(() => { layout(); tell("moved"); }).observe(root);
  on(["position", "moved"], follow);
  on(["from", "to", "overview", "n_recorded", "branch", "filter"], () => (root.isConnected ? loadSoon() : undefined));
  on(["process", "seq", "focus", "range", "theme", "view", "window", "marks", "hits"], () => { scene.isStale = true; });
  on(["view"], layout);
  on(["position", "moved", "window", "from", "to", "process", "seq", "focus", "range", "theme", "view", "marks", "hits", "overview"], draw);

  return {
    root, zoom, pan,
    show: () => { load(); layout(); tell("moved"); },
    /** Shows these events, all of them, with a little around them. */
    frame: (seqs) => {
      const ranks = [...seqs].map(rankOf);
      const [first, last] = [Math.min(...ranks), Math.max(...ranks)];
      if (!ranks.length || (first >= look.from && last <= look.to)) return;
      const margin = Math.max(6, (last - first) * 0.12);
      const from = Math.max(0, first - margin), to = Math.min(overview.n_events, last + margin);
      choose({ from, to, isFitted: from <= 0 && to >= overview.n_events });
    },
    fit: () => choose({ from: 0, to: overview.n_events, isFitted: true }),
    /** For the tests, and for whoever measures. */
    describe: () => ({ n_lanes: scene.data?.lanes.length ?? 0, n_arrows: scene.data?.arrows.length ?? 0, n_bars: scene.data?.bars.length ?? 0, is_dense: Boolean(scene.data?.density), span: number(look.to - look.from) }),
  };
}

const legend = () => h("div.legend", Object.keys(STYLES).map(messageLine));

/** Of a legend only what is drawn: where there are counts, there are no messages. */
const denseLegend = (lanes) => h("div.legend", [["events of a process", "call", true], ["of a supervisor", "restart", lanes.some((lane) => lane.is_supervisor)]].filter(([, , isDrawn]) => isDrawn)
  .map(([name, ink]) => h("span", s("svg", { "aria-hidden": "true" }, [[0, 2, 0.35], [9, 5, 0.6], [18, 8, 0.85]].map(([x, high, opacity]) => s("rect", { x, y: 4 - high / 2, width: 8, height: high, fill: `var(--${ink})`, opacity }))), name)), h("span", "taller and darker: more"));

/** A note of the server in plain words: which limit it is stands in the tooltip. */
const inWords = (note) => note.replace(/^limit \w+ \(\d+\): /, "").replace("; choose some to see them", ": filter to choose").replace(/\d{4,}/g, number);
