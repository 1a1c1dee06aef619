// Drawing lanes: what stands still (lanes, bars, arrows, points, densities) and messages under way. It draws what it is
// given and knows no server.

import { clip, duration, h } from "./format.js";
import { STYLES, color, mark } from "./paint.js";
import { found, look, nameOf, overview } from "./state.js";

const BAR = 0.52;
const FAINT = 0.12;

const yOf = (scene, lane) => (lane + 0.5) * scene.laneHeight;
const isInFocus = (...seqs) => !look.focus || seqs.some((seq) => look.focus.has(seq));

export function drawStill(context, scene) {
  const { data, width, height, laneHeight } = scene;
  context.clearRect(0, 0, width, height);
  data.lanes.forEach((lane, idx) => {
    if (idx % 2 === 0) { context.fillStyle = color("band"); context.fillRect(0, idx * laneHeight, width, laneHeight); }
    if (lane.process === look.process) { context.fillStyle = color("accent-bg"); context.fillRect(0, idx * laneHeight, width, laneHeight); }
  });
  drawGrid(context, scene);
  drawRange(context, scene);
  data.lanes.forEach((lane, idx) => drawLife(context, scene, lane, yOf(scene, idx)));
  if (data.density) return drawDensity(context, scene);
  for (const bar of data.bars) drawBar(context, scene, bar);
  if (look.view === "messages") drawArrows(context, scene);
  for (const point of data.points) drawPoint(context, scene, point);
}

function drawGrid(context, scene) {
  context.fillStyle = color("grid");
  for (const tick of scene.axis.ticks(scene.range[0], scene.range[1], scene.width)) {
    context.fillRect(Math.round(scene.toX(tick.share)), 0, 1, scene.height);
  }
  context.strokeStyle = color("ink3");
  context.setLineDash([3, 3]);
  context.lineWidth = 1;
  for (const [from, to] of scene.data.gaps) {
    const [x0, x1] = [scene.toX(scene.axis.ofTime(from)), scene.toX(scene.axis.ofTime(to))];
    context.strokeRect(Math.round(x0) + 0.5, -2, Math.max(2, Math.round(x1 - x0)), scene.height + 4);
    context.fillStyle = color("ink3");
    if (x1 - x0 > 13) {
      context.save();
      context.translate((x0 + x1) / 2, Math.min(scene.height / 2, 120));
      context.rotate(-Math.PI / 2);
      context.font = "10.5px system-ui, sans-serif";
      context.textAlign = "center";
      context.textBaseline = "middle";
      context.fillText(`quiet for ${duration(to - from)}`, 0, 0);
      context.restore();
    }
  }
  context.setLineDash([]);
}

/** The selected range as a band, and a fine line where a breakpoint hits. */
function drawRange(context, scene) {
  const xOf = (seq) => scene.toX(scene.axis.ofSeq(seq));
  const [first, last] = [scene.axis.seqs[0] ?? 0, scene.axis.seqs.at(-1) ?? -1];
  context.fillStyle = color("exit");
  context.globalAlpha = 0.35;
  if (!scene.data.density) found.hits.filter(({ seq }) => seq >= first && seq <= last).forEach(({ seq }) => context.fillRect(Math.round(xOf(seq)), 0, 1, scene.height));
  context.globalAlpha = 1;
  if (!look.range || look.range[1] < first || look.range[0] > last) return;
  const [x0, x1] = [xOf(look.range[0]), Math.max(xOf(look.range[0]) + 2, xOf(look.range[1]))];
  context.fillStyle = color("accent");
  context.globalAlpha = 0.1;
  context.fillRect(x0, 0, x1 - x0, scene.height);
  context.globalAlpha = 0.7;
  context.fillRect(Math.round(x0), 0, 1, scene.height);
  context.fillRect(Math.round(x1) - 1, 0, 1, scene.height);
  context.globalAlpha = 1;
}

/** A solid line while the process lives, a dotted one before and after. */
function drawLife(context, scene, lane, y) {
  const inside = (seq) => Math.max(0, Math.min(scene.width, scene.toX(scene.axis.ofSeq(seq))));
  const first = scene.axis.seqs[0] ?? 0, last = scene.axis.seqs.at(-1) ?? 0;
  const x0 = lane.born !== null && lane.born >= first ? inside(Math.min(lane.born, last + 1)) : 0;
  const x1 = lane.died !== null ? (lane.died < first ? 0 : lane.died > last ? scene.width : inside(lane.died)) : scene.width;
  const line = (from, to, name, dash, size) => {
    if (to <= from) return;
    context.strokeStyle = color(name);
    context.setLineDash(dash);
    context.lineWidth = size;
    context.beginPath(); context.moveTo(from, Math.round(y) + 0.5); context.lineTo(to, Math.round(y) + 0.5); context.stroke();
  };
  const isDeadBefore = lane.died !== null && lane.died < first;
  line(0, scene.width, "ghost", [1, 4], 1);
  if (!isDeadBefore && (lane.born === null || lane.born <= last)) line(x0, x1, "lane", [], 1.5);
  context.setLineDash([]);
}

function drawBar(context, scene, [lane, from, to, fromSeq, toSeq, , label]) {
  const x0 = scene.toX(from), x1 = Math.max(scene.toX(to), x0 + 1.5);
  if (x1 < 0 || x0 > scene.width) return;
  const height = scene.laneHeight * (look.view === "processes" ? 0.7 : BAR);
  const y = yOf(scene, lane) - height / 2;
  const isSup = scene.data.lanes[lane].is_supervisor;
  context.globalAlpha = isInFocus(fromSeq, toSeq) ? 1 : FAINT * 2;
  context.fillStyle = color(isSup ? "bar-sup" : "bar");
  context.strokeStyle = color("bar-line");
  context.lineWidth = 1;
  context.beginPath();
  context.roundRect(x0, y, x1 - x0, height, Math.min(3, (x1 - x0) / 2));
  context.fill();
  if (x1 - x0 > 4) context.stroke();
  if (look.seq === fromSeq || look.seq === toSeq) { context.strokeStyle = color("select"); context.lineWidth = 2; context.stroke(); }
  if (look.view === "processes" && x1 - x0 > 34) {
    context.save();
    context.beginPath(); context.rect(x0, y, x1 - x0 - 3, height); context.clip();
    context.fillStyle = color("bar-ink");
    context.font = "11px system-ui, sans-serif";
    context.textBaseline = "middle";
    context.textAlign = "left";
    context.fillText(label, Math.max(x0, 0) + 5, y + height / 2 + 0.5);
    context.restore();
  }
  context.globalAlpha = 1;
}

function arrowEnds(scene, [fromLane, toLane, from, to]) {
  return [scene.toX(from), yOf(scene, fromLane), scene.toX(to), yOf(scene, toLane)];
}

function drawArrows(context, scene) {
  scene.taken = [];
  for (const kind of Object.keys(STYLES)) {
    for (const faint of [true, false]) {
      const some = scene.data.arrows.filter((arrow) => arrow[6] === kind && isInFocus(arrow[4], arrow[5]) !== faint);
      const style = STYLES[kind];
      context.globalAlpha = faint ? FAINT : 0.92;
      context.strokeStyle = context.fillStyle = color(style.color);
      context.lineWidth = style.width * (look.focus && !faint ? 1.6 : 1);
      context.setLineDash(style.dash);
      context.beginPath();
      for (const arrow of some) {
        const [x0, y0, x1, y1] = arrowEnds(scene, arrow);
        if (x1 < -20 || x0 > scene.width + 20) continue;
        context.moveTo(x0, y0);
        if (y0 === y1) context.quadraticCurveTo((x0 + x1) / 2, y0 - scene.laneHeight * 0.7, x1, y1 - 2);
        else context.lineTo(x1, y1);
      }
      context.stroke();
      context.setLineDash([]);
      context.beginPath();
      for (const arrow of some) head(context, ...arrowEnds(scene, arrow));
      context.fill();
      if (!faint && some.length < 60) some.forEach((arrow) => drawLabel(context, scene, arrow));
    }
  }
  const picked = scene.data.arrows.find((arrow) => arrow[4] === look.seq || arrow[5] === look.seq);
  if (picked) highlight(context, scene, picked, 1, 3);
  context.globalAlpha = 1;
}

function head(context, x0, y0, x1, y1) {
  const angle = y0 === y1 ? Math.PI / 2.4 : Math.atan2(y1 - y0, x1 - x0);
  const size = 7;
  context.moveTo(x1, y1);
  context.lineTo(x1 - size * Math.cos(angle - 0.36), y1 - size * Math.sin(angle - 0.36));
  context.lineTo(x1 - size * Math.cos(angle + 0.36), y1 - size * Math.sin(angle + 0.36));
  context.closePath();
}

/** The message beside a long enough arrow, when few are in sight. */
function drawLabel(context, scene, arrow) {
  const [x0, y0, x1, y1] = arrowEnds(scene, arrow);
  if (Math.abs(y1 - y0) < 24 || x0 < 0 || x1 > scene.width || scene.labels > 40) return;
  if ((scene.axis.seqs.at(-1) - scene.axis.seqs[0]) * ((scene.range[1] - scene.range[0]) || 1) > 180) return;
  // A request's words stand nearer to its sender, a reply's nearer to the replier, each where there is room.
  const along = arrow[6] === "reply" ? 0.3 : 0.38;
  const [x, y] = [x0 + (x1 - x0) * along + 5, y0 + (y1 - y0) * along];
  context.font = "10.5px system-ui, sans-serif";
  context.textBaseline = "middle";
  context.textAlign = "left";
  context.lineWidth = 3;
  const text = clip(arrow[7], 26);
  const box = [x, y - 7, x + context.measureText(text).width, y + 7];
  if (scene.taken.some((other) => other[0] < box[2] && box[0] < other[2] && other[1] < box[3] && box[1] < other[3])) return;
  scene.taken.push(box);
  const stroke = context.strokeStyle;
  context.strokeStyle = color("bg");
  context.strokeText(text, x, y);
  context.strokeStyle = stroke;
  context.fillText(text, x, y);
  context.lineWidth = STYLES[arrow[6]].width;
}

function highlight(context, scene, arrow, alpha, width) {
  const [x0, y0, x1, y1] = arrowEnds(scene, arrow);
  context.globalAlpha = alpha;
  context.strokeStyle = context.fillStyle = color(STYLES[arrow[6]].color);
  context.lineWidth = width;
  context.setLineDash([]);
  context.beginPath(); context.moveTo(x0, y0); context.lineTo(x1, y1); context.stroke();
  context.beginPath(); head(context, x0, y0, x1, y1); context.fill();
}

function drawPoint(context, scene, [lane, share, seq, kind]) {
  const x = scene.toX(share);
  if (x < -10 || x > scene.width + 10) return;
  context.globalAlpha = isInFocus(seq) ? 1 : FAINT * 2;
  mark(context, kind, x, yOf(scene, lane), Math.min(5.5, scene.laneHeight / 4.5));
  if (look.seq === seq) {
    context.strokeStyle = color("select");
    context.lineWidth = 2;
    context.beginPath(); context.arc(x, yOf(scene, lane), 10, 0, 7); context.stroke();
  }
  context.globalAlpha = 1;
}

/** Hatches what is not counted yet: from an `x` on, down to `height`. */
export function drawUncounted(context, x, width, height) {
  context.save();
  context.beginPath(); context.rect(x, 0, width - x, height); context.clip();
  context.strokeStyle = color("line2");
  context.lineWidth = 1;
  context.beginPath();
  for (let at = x - height; at < width; at += 9) { context.moveTo(at, height); context.lineTo(at + height, 0); }
  context.stroke();
  context.restore();
}

function drawDensity(context, scene) {
  if (!scene.data.is_complete) drawUncounted(context, Math.max(0, scene.toX(scene.axis.ofSeq(overview.n_covered))), scene.width, scene.height);
  const { density, density_edges: edges } = scene.data;
  const most = Math.max(1, ...density.map((bins) => Math.max(0, ...bins)));
  const top = Math.log(most + 1);
  density.forEach((bins, lane) => {
    const isSup = scene.data.lanes[lane].is_supervisor;
    context.fillStyle = color(isSup ? "restart" : "call");
    bins.forEach((n, bin) => {
      if (!n) return;
      const x0 = scene.toX(edges[bin]), x1 = scene.toX(edges[bin + 1]);
      if (x1 < 0 || x0 > scene.width) return;
      const share = Math.log(n + 1) / top;
      const height = Math.max(2, share * scene.laneHeight * 0.78);
      context.globalAlpha = 0.25 + 0.6 * share;
      context.fillRect(x0, yOf(scene, lane) - height / 2, Math.max(1, x1 - x0 - 0.4), height);
    });
  });
  context.globalAlpha = 1;
}

/** How far behind the playhead messages under way are drawn. */
export const TRAIL = 220;
/** How far behind it one that arrived still glows. */
const GLOW = 46;

export const laneOf = (scene, process) => scene.data.lanes.findIndex((lane) => lane.process === process);

/** Messages under way when the playhead is at `x`, on a canvas that ends there: dots that run along their arrows. */
export function drawUnderway(context, scene, x) {
  context.clearRect(0, 0, TRAIL + 8, scene.height);
  context.save();
  context.translate(TRAIL - x, 0);
  for (const arrow of scene.data.arrows) {
    const [x0, y0, x1, y1] = arrowEnds(scene, arrow);
    if (x0 > x || x1 < x - GLOW) continue;
    if (x1 <= x) {
      // Arrived: it glows for a moment.
      highlight(context, scene, arrow, Math.max(0, 1 - (x - x1) / GLOW) * 0.9, 2.4);
      continue;
    }
    const y = y0 + (y1 - y0) * ((x - x0) / (x1 - x0));
    context.globalAlpha = 1;
    context.strokeStyle = context.fillStyle = color(STYLES[arrow[6]].color);
    context.lineWidth = 3;
    context.beginPath(); context.moveTo(x0, y0); context.lineTo(x, y); context.stroke();
    context.beginPath(); context.arc(x, y, 5, 0, 7); context.fill();
    context.strokeStyle = color("bg");
    context.lineWidth = 1.5;
    context.stroke();
  }
  context.restore();
}

/** What is under the pointer: its seq, its process, and what to say about it. */
export function hitTest(scene, x, y) {
  const { data } = scene;
  if (data.density) return densityTip(scene, x, y);
  const tip = (title, detail, seq, extra) => () =>
    h("div", h("b", title), "  ", detail, h("div.dim", `#${seq}${extra ? ` · ${extra}` : ""} · click selects, double click goes there`));
  for (const [lane, share, seq, kind, label] of data.points) {
    if (Math.hypot(scene.toX(share) - x, yOf(scene, lane) - y) < 8) {
      const process = data.lanes[lane].process;
      return { seq, process, tip: tip(kind.replaceAll("_", " "), `${nameOf(process)} ${label}`, seq) };
    }
  }
  if (look.view === "messages") {
    const near = data.arrows.map((arrow) => [distance(scene, arrow, x, y), arrow]).filter(([far]) => far < 5).sort((a, b) => a[0] - b[0])[0];
    if (near) {
      const [fromLane, toLane, , , from, to, kind, label] = near[1];
      const [sender, receiver] = [data.lanes[fromLane].process, data.lanes[toLane].process];
      return { seq: from, process: receiver, tip: tip(kind, `${nameOf(sender)} → ${nameOf(receiver)}  ${label}`, from, `arrives #${to}`) };
    }
  }
  for (const [lane, from, to, fromSeq, , ns, label] of data.bars) {
    const x0 = scene.toX(from), x1 = Math.max(scene.toX(to), x0 + 4);
    if (x >= x0 - 1 && x <= x1 + 1 && Math.abs(y - yOf(scene, lane)) < scene.laneHeight * 0.36) {
      const process = data.lanes[lane].process;
      return { seq: fromSeq, process, tip: tip(label || "callback", `${nameOf(process)}, ${duration(ns)}`, fromSeq) };
    }
  }
  return null;
}

function distance(scene, arrow, x, y) {
  const [x0, y0, x1, y1] = arrowEnds(scene, arrow);
  const length = (x1 - x0) ** 2 + (y1 - y0) ** 2;
  const share = length ? Math.max(0, Math.min(1, ((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / length)) : 0;
  return Math.hypot(x - x0 - share * (x1 - x0), y - y0 - share * (y1 - y0));
}

function densityTip(scene, x, y) {
  const lane = Math.floor(y / scene.laneHeight);
  const share = scene.toShare(x);
  const bin = scene.data.density_edges.findIndex((edge) => edge > share) - 1;
  const n = scene.data.density[lane]?.[bin];
  if (!n) return null;
  const { process } = scene.data.lanes[lane];
  const seq = Math.round(scene.axis.seqOf(share));
  return { seq, process, tip: () => h("div", h("b", nameOf(process)), `  ${n} events around #${seq}`, h("div.dim", "zoom in to see them")) };
}
