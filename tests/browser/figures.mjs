// Figures of the page in Chromium: `node figures.mjs URL WHAT`, one JSON object a line. `cinema bench server` calls it, and
// knows what is served.
//
// first_paint   from the address to the lanes, and while scrubbing the whole line
// playing       the main thread's time per frame
// paints        when the page had drawn how long a recording, until standard input ends

import { chromium } from "playwright-core";
import { FLAGS } from "./support.mjs";

const [url, what] = process.argv.slice(2);
const tell = (name, value, unit) => console.log(JSON.stringify({ name, value, unit }));
const sorted = (list) => [...list].sort((a, b) => a - b);
const at = (list, share) => sorted(list)[Math.min(list.length - 1, Math.floor(list.length * share))];

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: FLAGS });
const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });

async function open() {
  const page = await context.newPage();
  // A browser that is busy opening its own window says nothing about the page.
  await page.evaluate(() => new Promise((resolve) => setTimeout(() => requestIdleCallback(resolve), 700)));
  await page.goto(url, { waitUntil: "commit" });
  await page.waitForFunction(() => performance.getEntriesByName("lanes").length > 0 && window.cinema.doc.n_recorded > 0);
  return page;
}

/** Counts frames and the main thread's time while `run` runs. */
async function frames(page, run) {
  const client = await context.newCDPSession(page);
  await client.send("Performance.enable");
  const busy = async () => (await client.send("Performance.getMetrics")).metrics.find(({ name }) => name === "TaskDuration").value;
  await page.evaluate(() => {
    window.frames = [];
    let last = performance.now();
    const count = () => { const now = performance.now(); window.frames.push(now - last); last = now; window.counting = requestAnimationFrame(count); };
    window.counting = requestAnimationFrame(count);
  });
  const from = await busy();
  await run();
  const to = await busy();
  const gaps = await page.evaluate(() => { cancelAnimationFrame(window.counting); return window.frames; });
  return { gaps, busy_ms: ((to - from) * 1_000) / gaps.length };
}

const push = (page, event, payload) => page.evaluate(([event, payload]) => window.cinema.channel.push(event, payload), [event, payload]);

const MEASURES = {
  async first_paint() {
    const paints = [];
    for (let round = 0; round < 5; round++) {
      const page = await open();
      paints.push(await page.evaluate(() => performance.getEntriesByName("lanes")[0].startTime));
      await page.close();
    }
    tell("first paint: from the address to the lanes, median", at(paints, 0.5), "ms");
    const page = await open();
    const box = await page.locator("#seek").boundingBox();
    const scrubbed = await frames(page, async () => {
      await page.mouse.move(box.x + 20, box.y + 20);
      await page.mouse.down();
      for (let x = 20; x < box.width - 20; x += 12) await page.mouse.move(box.x + x, box.y + 20);
      await page.mouse.up();
      for (let n = 0; n < 24; n++) { await page.keyboard.press(n % 8 < 4 ? "w" : "s"); await page.waitForTimeout(60); }
    });
    tell("scrubbing and zooming: between frames, 95 %", at(scrubbed.gaps, 0.95), "ms");
  },
  async playing() {
    const page = await open();
    const n = await page.evaluate(() => window.cinema.scene.describe().n_lanes);
    await push(page, "timeline_seek", { moment: "10%" });
    // A stretch in which single messages are seen, played so that it lasts.
    await page.evaluate(() => { const { overview, choose } = window.cinema; const at = overview.n_events / 10; choose({ from: at - 40, to: at + 260, isFitted: false }); });
    await page.waitForFunction(() => !window.cinema.scene.describe().is_dense);
    await push(page, "toggle_playback", { action: "play", speed: Number(process.argv[4] || 0.01) });
    await page.waitForTimeout(500);
    const played = await frames(page, () => page.waitForTimeout(4_000));
    await push(page, "toggle_playback", { action: "pause" });
    tell(`playing ${n} lanes: main thread per frame`, played.busy_ms, "ms");
    tell(`playing ${n} lanes: frames`, 1_000 / (played.gaps.reduce((a, b) => a + b, 0) / played.gaps.length), "frames/s");
  },
  async paints() {
    const page = await open();
    await page.exposeFunction("drawn", (n, at_ms) => console.log(JSON.stringify({ drawn: n, at_ms })));
    await page.evaluate(() => {
      let known = 0;
      // What changed is drawn in the frame in which it is told: after that frame it is on the screen.
      const look = () => {
        const n = window.cinema.doc.n_recorded;
        if (n !== known) { known = n; const { port1, port2 } = new MessageChannel(); port1.onmessage = () => window.drawn(n, performance.timeOrigin + performance.now()); port2.postMessage(0); }
        requestAnimationFrame(look);
      };
      requestAnimationFrame(look);
    });
    console.log(JSON.stringify({ ready: true }));
    await new Promise((resolve) => { process.stdin.on("end", resolve); process.stdin.resume(); });
  },
};
await MEASURES[what]();
await browser.close();
