// Positions on an axis that is half time, half order of events: straight lines between samples from the server.
// It knows no canvas.

import { duration } from "./format.js";

/** The first index at which `list` is not below `value`. */
export function lowerBound(list, value) {
  let low = 0, high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

function interpolate(from, to, value) {
  if (!from.length) return 0;
  const at = lowerBound(from, value);
  if (at === 0) return to[0];
  if (at === from.length) return to[from.length - 1];
  const span = from[at] - from[at - 1];
  const share = span > 0 ? (value - from[at - 1]) / span : 1;
  return to[at - 1] + (to[at] - to[at - 1]) * share;
}

export class Axis {
  constructor({ seqs, since_start_ns, shares }) {
    Object.assign(this, { seqs, times: since_start_ns, shares });
  }
  /** Where an event stands, from 0 to 1; events between two samples lie between them. */
  ofSeq(seq) { return interpolate(this.seqs, this.shares, seq); }
  ofTime(ns) { return interpolate(this.times, this.shares, ns); }
  seqOf(share) { return interpolate(this.shares, this.seqs, share); }
  timeOf(share) { return interpolate(this.shares, this.times, share); }

  /** Round times between two shares, so many pixels apart or more: [{share, text}]. */
  ticks(from, to, width, apart = 84) {
    if (!this.times.length || to <= from) return [];
    const [first, last] = [this.timeOf(from), this.timeOf(to)];
    const step = niceStep((last - first) / Math.max(2, width / apart));
    if (!(step > 0)) return [];
    const ticks = [];
    let free = -Infinity;
    for (let ns = Math.ceil(first / step) * step; ns <= last && ticks.length < 60; ns += step) {
      const share = this.ofTime(ns);
      const x = ((share - from) / (to - from)) * width;
      if (x - free < apart * 0.75) continue;
      free = x;
      const rounded = Number(ns.toPrecision(12));
      // Where three digits do not tell one from the next, what was added to the first does.
      const text = ticks.length && Math.abs(rounded) > step * 200 ? `+${duration(rounded - ticks[0].ns)}` : duration(rounded) || "0";
      ticks.push({ share, x, text, ns: rounded });
    }
    return ticks;
  }
}

function niceStep(raw) {
  if (!(raw > 0)) return 0;
  const base = 10 ** Math.floor(Math.log10(raw));
  return base * ([1, 2, 5].find((factor) => base * factor >= raw) || 10);
}
