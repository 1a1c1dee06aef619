// Two browsers on a live node that a shell is attached to, too: `node live.mjs URL`. It says how far it is, and waits
// for what the shell does. `tests/beam/served.rs` is the shell.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { FLAGS, ROOT } from "./support.mjs";

const PICTURES = join(ROOT, "target/browser");
mkdirSync(PICTURES, { recursive: true });
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: FLAGS });
const pages = [];
for (const name of ["one", "other"]) {
  const page = await (await browser.newContext({ viewport: { width: 1440, height: 900 } })).newPage();
  page.on("pageerror", (error) => { console.error(`${name}: ${error.message}`); process.exitCode = 1; });
  await page.goto(process.argv[2]);
  await page.waitForFunction(() => window.cinema?.scene.describe().n_lanes > 3 && window.cinema.doc?.can?.is_live);
  pages.push(page);
}
const [one, other] = pages;
const both = (look, argument) => Promise.all(pages.map((page) => page.waitForFunction(look, argument)));

// The recording grows, and what is drawn with it.
const before = await one.evaluate(() => window.cinema.doc.n_recorded);
await both((n) => window.cinema.doc.n_recorded > n && window.cinema.overview.n_recorded > n, before);
console.log("both look on");

await both(() => window.cinema.doc.marks.some((mark) => mark.name === "from the shell"));
console.log("both see the mark");

await one.click("[data-tab=breakpoints]");
await one.selectOption("#side select[name=sort]", "process");
await one.selectOption("#side select[name=event]", "crash");
await one.fill("#side input[name=name]", "from a browser");
await one.click("#side button[type=submit]");
await other.waitForFunction(() => window.cinema.doc.breakpoints.some((breakpoint) => breakpoint.name === "from a browser"));
console.log("both see the breakpoint");

await both(() => window.cinema.doc.breakpoints.some((breakpoint) => breakpoint.n_hits > 0));
await one.click("[data-view=supervision]");
await one.waitForFunction(() => /shop_sup/.test(document.querySelector(".suptree").textContent));
await one.screenshot({ path: join(PICTURES, "live.png") });
console.log("both see the hit");

// A process that waits at a breakpoint inside it is shown to both; either lets it go on.
const { data } = await one.evaluate(() => window.cinema.channel.push("set_breakpoint", { condition: "on_state(\"stock\", \"count\", lt(1000000))", name: "inside" }));
await Promise.all(pages.map((page) => page.waitForSelector("#held:has-text('stock')")));
await one.screenshot({ path: join(PICTURES, "held.png") });
const held = await other.evaluate(() => window.cinema.doc.held[0].at_ns);
await other.click("#held [aria-label='Resume stock']");
await both((held) => window.cinema.doc.held[0]?.at_ns !== held, held);
await one.evaluate((id) => window.cinema.channel.push("remove_breakpoint", { id }), data.id);
await both(() => document.querySelector("#held").hidden);
console.log("both see who waits");
await browser.close();
