// Colours of the style sheet for canvases, and canvases that are sharp on any screen. It knows no data.

import { legendLine } from "./format.js";

const cache = new Map();
export function color(name) {
  if (!cache.has(name)) cache.set(name, getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim());
  return cache.get(name);
}
export const forgetColors = () => cache.clear();

export const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");

/** Makes a canvas as many device pixels as it covers; gives its context in CSS pixels. */
export function sharpen(canvas, width, height) {
  const ratio = devicePixelRatio || 1;
  const [w, h] = [Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio))];
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}

/** Line styles of message kinds: each has a pattern beside its colour. */
export const STYLES = {
  call: { color: "call", dash: [], width: 1.3 },
  cast: { color: "cast", dash: [1.6, 2.6], width: 1.6 },
  reply: { color: "reply", dash: [5, 3], width: 1.3 },
  info: { color: "info", dash: [7, 2.5, 1.5, 2.5], width: 1.2 },
  exit: { color: "exit", dash: [], width: 2.4 },
};

/** The line of a legend for a kind of message. */
export const messageLine = (kind) => legendLine(kind, `var(--${STYLES[kind].color})`, STYLES[kind].dash.join(" "), STYLES[kind].width + 0.3);

/** The mark of something that happened at one place, as in the SVG pictures. */
export function mark(context, kind, x, y, size = 5) {
  context.save();
  context.setLineDash([]);
  context.lineWidth = 2;
  context.fillStyle = color("bg");
  const path = (name, draw, isFilled = false) => {
    context.strokeStyle = color(name);
    context.beginPath();
    draw();
    if (isFilled) context.fill();
    context.stroke();
  };
  const cross = () => {
    context.moveTo(x - size, y - size); context.lineTo(x + size, y + size);
    context.moveTo(x + size, y - size); context.lineTo(x - size, y + size);
  };
  if (kind === "crash") { context.lineWidth = 2.8; path("exit", cross); }
  else if (kind === "exit") path("ink2", () => { context.moveTo(x, y - size); context.lineTo(x, y + size); });
  else if (kind === "spawn") path("reply", () => context.arc(x, y, size - 1, 0, 7), true);
  else if (kind === "restart" || kind === "supervisor_restart") {
    path("restart", () => context.arc(x, y, size, 0.6, 5.8));
    context.fillStyle = color("restart");
    context.beginPath();
    context.moveTo(x + size + 2.5, y - 4.5); context.lineTo(x + size - 3.5, y - 3.5); context.lineTo(x + size, y + 1.5);
    context.fill();
  } else if (kind === "timeout") {
    path("exit", () => context.arc(x, y, size, 0, 7), true);
    path("exit", () => { context.moveTo(x, y - 3); context.lineTo(x, y); context.lineTo(x + 2.5, y + 1.5); });
  } else if (kind === "late_reply") {
    path("reply", () => context.arc(x, y, size, 0, 7), true);
    path("reply", () => { context.moveTo(x, y - 3); context.lineTo(x, y); context.lineTo(x + 2.5, y + 1.5); });
  } else if (kind === "send_to_dead") path("exit", () => { context.arc(x, y, size - 0.5, 0, 7); context.moveTo(x - 3, y + 3); context.lineTo(x + 3, y - 3); });
  else if (kind === "loss") { context.setLineDash([2, 2]); path("exit", () => context.rect(x - size, y - size, 2 * size, 2 * size), true); }
  else path("cursor", () => { context.moveTo(x, y + size); context.lineTo(x, y - size); context.lineTo(x + size + 1, y - size / 2); context.lineTo(x, y); }, false);
  context.restore();
}
