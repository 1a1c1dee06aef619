// The one tooltip. It knows no data.

import { put } from "./format.js";
const tip = () => document.querySelector("#tip");

export function showTip(x, y, ...content) {
  const element = tip();
  put(element, ...content);
  element.hidden = false;
  const { width, height } = element.getBoundingClientRect();
  element.style.left = `${Math.max(6, Math.min(x + 14, innerWidth - width - 8))}px`;
  element.style.top = `${y + 18 + height > innerHeight ? y - height - 12 : y + 18}px`;
}

export const hideTip = () => { tip().hidden = true; };

const TOASTS_MAX = 3;

/** Says something in passing. What was said already is said anew, and of many the newest are left. */
export function toast(text, isBad = false) {
  const element = Object.assign(document.createElement("div"), { className: isBad ? "toast bad" : "toast", textContent: text });
  const root = document.querySelector("#toasts");
  for (const other of [...root.children].filter((other, idx, all) => other.textContent === text || idx <= all.length - TOASTS_MAX)) other.remove();
  root.append(element);
  setTimeout(() => element.remove(), isBad ? 8_000 : 3_500);
}

export function announce(text) { document.querySelector("#announce").textContent = text; }

/** Says what went wrong, with what to do about it. */
export const complain = (error) => toast([error.message, ...(error.hints || [])].join("\n"), true);
