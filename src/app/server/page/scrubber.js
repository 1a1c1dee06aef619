// The scrubber: the whole line with its density, what stands out in it, marks and breakpoints, and where one is: a
// needle above the canvas. The control itself is a native range input above both.

import * as api from "./api.js";
import { Axis } from "./axis.js";
import { duration, h, number } from "./format.js";
import { drawUncounted } from "./lanes.js";
import { color, mark, reducedMotion, sharpen } from "./paint.js";
import { doc, found, look, nameOf, on, overview, rankOf, seqAt, tell } from "./state.js";
import { showTip, hideTip } from "./tip.js";

const GROUPS = ["message", "work", "life", "trouble"];
const TICKS_HEIGHT = 14;

/** @param {(seq: number|null) => void} seek */
export function makeScrubber(seek) {
  const root = document.querySelector("#scrubber");
  const canvas = root.querySelector("canvas"), needle = root.querySelector(".needle"), past = root.querySelector(".past");
  const input = root.querySelector("input");
  let axis = new Axis(overview.axis);
  let isDragging = false;

  const load = api.latest(() => api.view("overview", {}));
  let timer = 0;
  /** Asks for the overview; while densities are still made or the recording grows, again a little later. */
  async function refresh() {
    clearTimeout(timer);
    timer = 0;
    try {
      const fresh = await load();
      if (!fresh) return;
      const grew = fresh.n_events !== overview.n_events;
      Object.assign(overview, fresh);
      axis = new Axis(overview.axis);
      if (look.isFitted || look.to === 0) Object.assign(look, { from: 0, to: overview.n_events });
      tell("overview", ...(grew ? ["to"] : []));
      if (!fresh.is_complete || doc.n_recorded > fresh.n_recorded) refreshSoon();
    } catch { timer ||= setTimeout(refresh, 2_000); }
  }
  const refreshSoon = () => { timer ||= setTimeout(refresh, 250); };

  // The input counts thousandths of the axis, so that the thumb stands under the picture.
  const shareOf = (seq) => (seq === null || seq === undefined ? 0 : axis.ofSeq(seq));
  input.max = 100_000;
  input.addEventListener("input", () => {
    isDragging = true;
    const share = input.value / 100_000;
    const seq = share <= 0 ? null : Math.round(axis.seqOf(share));
    doc.seq = seq; // at once; the server confirms
    seek(seq);
    tell("position");
  });
  input.addEventListener("change", () => { isDragging = false; });
  // Arrow keys are those of the page: by events, not by thousandths.
  input.addEventListener("keydown", (event) => { if (/^(Arrow|Home|End|Page)/.test(event.key)) event.preventDefault(); });

  let isStale = true;
  function drawStill(width, height, base) {
    const context = sharpen(canvas, width, height);
    context.clearRect(0, 0, width, height);
    if (overview.is_complete === false) drawUncounted(context, shareOf(overview.n_covered) * width, width, base);
    drawDensity(context, width, base);
    drawTicks(context, width, base, axis);
    drawWindow(context, width, base, axis);
    // Whole marks at the ends, too.
    const inside = (x) => Math.max(6, Math.min(width - 6, x));
    for (const item of overview.markers) mark(context, item.kind, inside(item.share * width), 7, 3.6);
    for (const item of doc.marks || []) mark(context, "mark", inside(shareOf(item.seq) * width), base - 8, 4);
    context.fillStyle = color("exit");
    for (const { seq } of found.hits) {
      context.beginPath();
      context.arc(inside(shareOf(seq) * width), base - 1, 2.6, 0, 7);
      context.fill();
    }
  }

  // Where breakpoints hit in the recorded past: asked for when one is set, changed, or removed.
  let hitsOf = "";
  async function findHits() {
    const set = (doc.breakpoints || []).filter((breakpoint) => breakpoint.is_enabled);
    const key = JSON.stringify([set.map(({ id }) => id), doc.n_recorded]);
    if (key === hitsOf || doc.state !== "paused") return;
    hitsOf = key;
    try { found.hits = set.length ? (await api.operation("hits")).data : []; } catch { found.hits = []; }
    tell("hits");
  }
  on(["breakpoints", "n_recorded", "state"], findHits);

  let shown = 0, size = { width: root.clientWidth, height: root.clientHeight };
  function draw() {
    const { width, height } = size;
    if (isStale) { isStale = false; drawStill(width, height, height - TICKS_HEIGHT); }
    const target = shareOf(doc.seq);
    shown = reducedMotion.matches || doc.state === "paused" || Math.abs(target - shown) > 0.05 ? target : shown + (target - shown) * 0.35;
    if (Math.abs(target - shown) > 1e-4) tell("moved");
    needle.style.transform = `translateX(${(shown * width).toFixed(1)}px)`;
    past.style.transform = `scaleX(${shown.toFixed(5)})`;
  }

  function drawDensity(context, width, base) {
    // Events per width: where the axis is drawn out, fewer happened in the same time.
    const rates = overview.density.map((counts, idx) => counts.reduce((sum, n) => sum + n, 0) / Math.max(1e-4, (overview.edges[idx + 1] ?? 1) - (overview.edges[idx] ?? 0)));
    const most = Math.max(1, [...rates].sort((a, b) => a - b)[Math.floor(rates.length * 0.97)] || 1);
    const scale = (rate) => (rate ? 3 + Math.min(1, rate / most) ** 0.7 * (base - 22) : 0);
    overview.density.forEach((counts, idx) => {
      const x0 = (overview.edges[idx] ?? 0) * width, x1 = (overview.edges[idx + 1] ?? 1) * width;
      const total = counts.reduce((sum, n) => sum + n, 0);
      let y = base;
      const full = scale(rates[idx]);
      for (let group = 0; group < 4; group++) {
        const part = total ? (counts[group] / total) * full : 0;
        context.fillStyle = color(`d-${GROUPS[group]}`);
        context.fillRect(x0, y - part, Math.max(1, x1 - x0 - (x1 - x0 > 3 ? 1 : 0)), part);
        y -= part;
      }
    });
    context.fillStyle = color("line2");
    context.fillRect(0, base, width, 1);
  }

  function drawTicks(context, width, base) {
    context.font = "10.5px system-ui, sans-serif";
    context.fillStyle = color("ink3");
    context.textBaseline = "top";
    for (const tick of axis.ticks(0, 1, width, 96)) {
      context.fillRect(Math.round(tick.x), base, 1, 3);
      context.textAlign = tick.x < 16 ? "left" : tick.x > width - 24 ? "right" : "center";
      context.fillText(tick.text, tick.x, base + 3);
    }
  }

  /** The selected range, and the stretch that the view shows. */
  function drawWindow(context, width, base) {
    if (look.range) {
      const [x0, x1] = look.range.map((seq) => axis.ofSeq(seq) * width);
      context.fillStyle = color("accent");
      context.globalAlpha = 0.18;
      context.fillRect(x0, 0, Math.max(2, x1 - x0), base);
      context.globalAlpha = 1;
    }
    if (look.isFitted || !overview.n_events) return;
    const x0 = axis.ofSeq(seqAt(look.from)) * width, x1 = axis.ofSeq(seqAt(look.to - 1)) * width;
    context.fillStyle = color("bg2");
    context.globalAlpha = 0.6;
    context.fillRect(0, 0, x0, base);
    context.fillRect(x1, 0, width - x1, base);
    context.globalAlpha = 1;
    context.strokeStyle = color("line2");
    context.strokeRect(x0 + 0.5, 0.5, Math.max(2, x1 - x0 - 1), base - 1);
  }

  root.addEventListener("pointermove", (event) => {
    const share = (event.clientX - root.getBoundingClientRect().left) / root.clientWidth;
    if (!overview.n_events || share < 0 || share > 1) return;
    const near = overview.markers.filter((item) => Math.abs(item.share - share) * root.clientWidth < 6).slice(0, 4);
    const seq = Math.round(axis.seqOf(share));
    showTip(event.clientX, event.clientY, h("div", h("b", `#${number(seq)}`), `  ${duration(axis.timeOf(share))}`,
      found.hits.filter((hit) => Math.abs(shareOf(hit.seq) - share) * root.clientWidth < 4).slice(0, 3).map((hit) => h("div", `● ${hit.name} · #${hit.seq}`)), near.map((item) => h("div", `${item.kind.replaceAll("_", " ")} · ${item.process} · #${item.seq}`))));
  });
  root.addEventListener("pointerleave", hideTip);
  new ResizeObserver(() => { size = { width: root.clientWidth, height: root.clientHeight }; isStale = true; tell("moved"); }).observe(root);

  on(["forgotten"], () => { axis = new Axis(overview.axis); });
  const STILL = ["forgotten", "overview", "from", "to", "marks", "hits", "range", "theme", "isFitted"];
  on(STILL, () => { isStale = true; });
  on(["position", "moved", ...STILL], draw);
  on(["position"], () => {
    if (!isDragging) input.value = Math.round(shareOf(doc.seq) * 100_000);
    const here = doc.event ? `${doc.event.kind.replaceAll("_", " ")} ${nameOf(doc.event.process)}` : "start";
    input.setAttribute("aria-valuetext", `event ${doc.n_passed ?? 0} of ${doc.n_events ?? 0}, ${duration(doc.at_ns ?? 0)}, ${here}`);
  });
  let branch;
  on(["n_recorded", "branch"], () => {
    if (doc.n_recorded !== overview.n_recorded || (branch !== undefined && doc.branch !== branch)) refreshSoon();
    branch = doc.branch;
  });
  return { refresh, rankOf };
}
