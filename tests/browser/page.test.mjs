// The page in Chromium: what a user does, with the mouse, with the keyboard alone, in two browsers and a shell at once.
// Screenshots are left in target/browser.

import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { FLAGS, ROOT, TOKEN, ask, serve, shell, until } from "./support.mjs";

const PICTURES = join(ROOT, "target/browser");
let browser, server;
before(async () => {
  mkdirSync(PICTURES, { recursive: true });
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: FLAGS });
  server = await serve("examples/bank/main.rhai");
});
after(async () => { await browser?.close(); await server?.stop(); });

/** A page of its own that must not complain. */
async function open(place = server, { fragment = "", ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  const page = await context.newPage();
  page.complaints = [];
  page.on("pageerror", (error) => page.complaints.push(error.message));
  page.on("console", (message) => { if (message.type() === "error" && !/409|404|422/.test(message.text())) page.complaints.push(message.text()); });
  await page.goto(place.url + fragment);
  await page.waitForFunction(() => window.cinema?.scene.describe().n_lanes > 0);
  page.seq = () => page.evaluate(() => window.cinema.doc.seq);
  page.at = (seq) => page.waitForFunction((wanted) => window.cinema.doc.seq === wanted, seq);
  page.shot = (name) => page.screenshot({ path: join(PICTURES, `${name}.png`) });
  page.end = async () => { assert.deepEqual(page.complaints, []); await context.close(); };
  return page;
}

test("loads, and shows where one is", async () => {
  const page = await open();
  // What is there stays there.
  await page.waitForFunction(() => window.cinema.doc.n_recorded > 0 && document.querySelector("#drawer tr[data-seq]"));
  const about = await page.evaluate(() => window.cinema.scene.describe());
  assert.ok(about.n_lanes >= 9 && about.n_arrows > 100 && about.n_bars > 50, JSON.stringify(about));
  assert.match(await page.textContent("#position"), /#\d+.*of/);
  assert.match(await page.title(), /bank/);
  await page.shot("messages");
  await page.end();
});

test("the views change, and the position stays", async () => {
  const page = await open();
  await page.evaluate(() => window.cinema.channel.push("timeline_seek", { moment: "#300" }));
  await page.at(300);
  for (const [name, look] of [["processes", ".label"], ["supervision", ".suptree .node"], ["graph", ".graph .n"]]) {
    await page.click(`[data-view=${name}]`);
    await page.waitForFunction((selector) => document.querySelectorAll(selector).length > 5, look);
    assert.equal(await page.seq(), 300);
    assert.equal(await page.getAttribute(`[data-view=${name}]`, "aria-selected"), "true");
    await page.shot(name);
  }
  // What is selected in one view is selected in the others and in the inspector.
  await page.click(".graph .n:has-text('ledger')");
  await page.waitForFunction(() => document.querySelector("#side h2 .pid") && /ledger/.test(document.querySelector("#side").textContent));
  await page.click("[data-view=supervision]");
  await page.waitForFunction(() => document.querySelector(".suptree [aria-pressed=true]")?.textContent.includes("ledger"));
  await page.end();
});

test("plays, pauses, steps, and messages move", async () => {
  const page = await open();
  await page.evaluate(() => window.cinema.channel.push("timeline_seek", { moment: "#60" }));
  await page.at(60);
  await page.evaluate(() => window.cinema.channel.push("set_speed", { speed: 0.1 }));
  await page.click("[data-do=toggle]");
  await page.waitForFunction(() => window.cinema.doc.state === "playing" && window.cinema.doc.seq > 75);
  await page.shot("playing");
  await page.click("[data-do=toggle]");
  await page.waitForFunction(() => window.cinema.doc.state === "paused");
  const seq = await page.seq();
  await page.click("[data-do=step]");
  await page.at(seq + 1);
  await page.click("[data-do=step_back]");
  await page.at(seq);
  await page.end();
});

test("what passes faster than pages turn is shown wider, until one pauses", async () => {
  const page = await open();
  await page.evaluate(() => window.cinema.channel.push("timeline_seek", { moment: "#60" }));
  await page.at(60);
  const shown = () => page.evaluate(() => ({ from: window.cinema.look.from, to: window.cinema.look.to, rank: window.cinema.doc.seq }));
  for (let n = 0; n < 20; n += 1) await page.keyboard.press("w");
  const narrow = await shown();
  assert.ok(narrow.to - narrow.from <= 16, JSON.stringify(narrow));
  await page.evaluate(() => window.cinema.channel.push("toggle_playback", { action: "play", speed: 0.5 }));
  await page.waitForFunction((span) => window.cinema.look.to - window.cinema.look.from > 4 * span, narrow.to - narrow.from);
  const wide = await shown();
  assert.ok(wide.from <= wide.rank && wide.rank <= wide.to, JSON.stringify(wide));
  await page.evaluate(() => window.cinema.channel.push("toggle_playback", { action: "pause" }));
  await page.waitForFunction((span) => Math.abs(window.cinema.look.to - window.cinema.look.from - span) < 1, narrow.to - narrow.from);
  const again = await shown();
  assert.ok(again.from <= again.rank && again.rank <= again.to, JSON.stringify(again));
  await page.end();
});

test("the keyboard alone is enough", async () => {
  const page = await open();
  await page.keyboard.press("Home");
  await page.at(null);
  await page.keyboard.press("ArrowRight");
  await page.at(0);
  await page.keyboard.press("End");
  await page.waitForFunction(() => window.cinema.doc.n_passed === window.cinema.doc.n_events);
  await page.keyboard.press("ArrowLeft");
  await page.waitForFunction(() => window.cinema.doc.n_passed === window.cinema.doc.n_events - 1);
  const before = await page.evaluate(() => window.cinema.look.to - window.cinema.look.from);
  await page.keyboard.press("w");
  await page.waitForFunction((span) => window.cinema.look.to - window.cinema.look.from < span, before);
  await page.keyboard.press("a");
  await page.keyboard.press("0");
  await page.waitForFunction((span) => window.cinema.look.to - window.cinema.look.from === span, before);
  await page.keyboard.press("3");
  await page.waitForSelector(".suptree .node");
  await page.keyboard.press("2");
  await page.keyboard.press("/");
  await page.keyboard.type("kind:timeout");
  await page.waitForFunction(() => document.querySelectorAll("#drawer tr[data-seq]").length === 1);
  await page.keyboard.press("Escape");
  await page.keyboard.press("m");
  await page.waitForFunction(() => document.activeElement?.name === "name");
  await page.keyboard.type("from the keyboard");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => window.cinema.doc.marks.some((mark) => mark.name === "from the keyboard"));
  await page.keyboard.press("Escape");
  await page.keyboard.press("?");
  await page.waitForSelector("dialog[open]");
  await page.shot("help");
  await page.keyboard.press("Escape");
  // Everything that can be reached has a name.
  const nameless = await page.evaluate(() => [...document.querySelectorAll("button, input, select, [role=tab]")].filter((element) => element.offsetParent && !(element.textContent.trim() || element.ariaLabel || element.getAttribute("aria-label") || element.labels?.length || element.placeholder)).map((element) => element.outerHTML.slice(0, 120)));
  assert.deepEqual(nameless, []);
  await page.end();
});

test("each key of the help does what it says", async () => {
  const page = await open();
  const doc = (name) => page.evaluate((name) => window.cinema.doc[name], name);
  const span = () => page.evaluate(() => window.cinema.look.to - window.cinema.look.from);
  await page.evaluate(() => window.cinema.channel.push("timeline_seek", { moment: "#300" }));
  await page.at(300);
  // The same process: the cursor's own, else the selected one.
  await page.keyboard.press("Shift+ArrowRight");
  await page.waitForFunction(() => window.cinema.doc.seq > 300 && window.cinema.doc.event.process === "<0.109.0>");
  const stepped = await doc("seq");
  await page.keyboard.press("Control+ArrowRight");
  await page.waitForFunction((seq) => window.cinema.doc.seq > seq && window.cinema.doc.event.kind === "handle_start", stepped);
  const seq = await doc("seq");
  await page.keyboard.press("PageDown");
  await page.waitForFunction((seq) => window.cinema.doc.seq > seq + 20, seq);
  await page.keyboard.press("PageUp");
  await page.at(seq);
  const whole = await span();
  await page.keyboard.press("w");
  await page.waitForFunction((span) => window.cinema.look.to - window.cinema.look.from < span, whole);
  const from = await page.evaluate(() => window.cinema.look.from);
  await page.keyboard.press("d");
  await page.waitForFunction((from) => window.cinema.look.from > from, from);
  await page.keyboard.press("s");
  await page.keyboard.press("s");
  await page.waitForFunction((span) => window.cinema.look.to - window.cinema.look.from === span, whole);
  const speed = await doc("speed");
  await page.keyboard.press("+");
  await page.waitForFunction((speed) => window.cinema.doc.speed > speed, speed);
  await page.keyboard.press("-");
  await page.waitForFunction((speed) => window.cinema.doc.speed === speed, speed);
  await page.keyboard.press("Space");
  await page.waitForFunction(() => window.cinema.doc.state === "playing");
  await page.keyboard.press("Space");
  await page.waitForFunction(() => window.cinema.doc.state === "paused");
  const { data } = await page.evaluate(() => window.cinema.channel.push("set_breakpoint", { condition: "on_result(\"timeout\")" }));
  await page.keyboard.press("Home");
  await page.at(null);
  await page.keyboard.press("Alt+ArrowRight");
  await page.waitForFunction(() => window.cinema.doc.event?.kind === "timeout");
  await page.keyboard.press("f");
  await page.waitForFunction(() => window.cinema.look.focus?.size > 3);
  await page.keyboard.press("Escape");
  await page.waitForFunction(() => window.cinema.look.focus === null);
  await page.keyboard.press("r");
  await page.waitForFunction(() => window.cinema.doc.state === "rewinding");
  await page.keyboard.press("r");
  await page.waitForFunction(() => window.cinema.doc.state === "paused");
  await page.evaluate((id) => window.cinema.channel.push("remove_breakpoint", { id }), data.id);
  await page.end();
});

test("a range is selected, summed up, and kept in every view and in the link", async () => {
  const page = await open();
  const box = await page.locator(".lanes").boundingBox();
  await page.keyboard.down("Shift");
  await page.mouse.move(box.x + 200, box.y + 150);
  await page.mouse.down();
  await page.mouse.move(box.x + 420, box.y + 160, { steps: 4 });
  await page.mouse.up();
  await page.keyboard.up("Shift");
  const [from, to] = await page.evaluate(() => window.cinema.look.range);
  assert.ok(from < to, `${from} ${to}`);
  await page.waitForSelector("[aria-label=Range] dd");
  await page.waitForFunction(([from, to]) => [...document.querySelectorAll("#drawer tr[data-seq]")].every(({ dataset }) => dataset.seq >= from && dataset.seq <= to), [from, to]);
  await page.click("[data-view=graph]");
  assert.match(await page.textContent("[aria-label=Range] h2"), new RegExp(`#${from}`));
  await page.waitForFunction((range) => location.hash.includes(`r=${range}`), `${from}-${to}`);
  await page.shot("range");
  await page.keyboard.press("Escape");
  await page.waitForFunction(() => window.cinema.look.range === null);
  // By keys: it begins here, and ends there.
  for (const [seq, key] of [[260, "["], [340, "]"]]) {
    await page.evaluate((moment) => window.cinema.channel.push("timeline_seek", { moment }), seq);
    await page.at(seq);
    await page.keyboard.press(key);
  }
  assert.deepEqual(await page.evaluate(() => window.cinema.look.range), [260, 340]);
  await page.waitForFunction(() => /crash/.test(document.querySelector("[aria-label=Range]").textContent));
  await page.end();
});

test("every picture has its table, and the filter names the lanes", async () => {
  const page = await open();
  for (const view of ["supervision", "graph"]) {
    await page.click(`[data-view=${view}]`);
    await page.click("text=as a table");
    await page.waitForFunction(() => /ledger/.test(document.querySelector(".twin-panel table")?.textContent));
    await page.keyboard.press("Escape");
  }
  await page.click("[data-tab=marks]");
  await page.waitForFunction(() => /crash/.test(document.querySelector("#side").textContent));
  await page.click("[data-view=messages]");
  // Those two, below their supervisor.
  await page.fill("#filter", "from:alice from:ledger");
  await page.waitForFunction(() => window.cinema.scene.describe().n_lanes === 3);
  await page.end();
});

test("a state in either syntax, and an expression about it", async () => {
  const page = await open();
  await page.evaluate(() => window.cinema.choose({ process: "<0.102.0>", side: "inspector" }));
  await page.waitForSelector(".tree .leaf");
  await page.click("text=Elixir");
  await page.click("text=as a term");
  await page.waitForFunction(() => /^%\{balance: \d+, owner: :alice\}$/.test(document.querySelector(".whole pre")?.textContent));
  await page.click("text=Erlang");
  await page.waitForFunction(() => /^#\{balance => \d+,/.test(document.querySelector(".whole pre")?.textContent));
  await page.fill("input[name=expression]", "state(\"alice\").balance + 1");
  await page.press("input[name=expression]", "Enter");
  await page.waitForFunction(() => /^\d+$/.test(document.querySelector(".answer")?.textContent.trim()));
  await page.fill("input[name=expression]", "state(\"alcie\")");
  await page.press("input[name=expression]", "Enter");
  await page.waitForSelector(".answer .error");
  await page.end();
});

test("a breakpoint is set in the form, and playing stops at its hit", async () => {
  const page = await open();
  await page.keyboard.press("Home");
  await page.at(null);
  await page.click("[data-tab=breakpoints]");
  await page.selectOption("#side select[name=sort]", "state");
  await page.fill("#side input[name=process]", "alice");
  await page.fill("#side input[name=path]", "balance");
  await page.selectOption("#side select[name=test]", "gt");
  await page.fill("#side input[name=value]", "500");
  assert.match(await page.textContent("#side .code"), /brk\(on_state\("alice", "balance", gt\(500\)\)\)/);
  await page.click("#side button[type=submit]");
  await page.waitForFunction(() => window.cinema.doc.breakpoints.length === 1);
  await page.evaluate(() => window.cinema.channel.push("toggle_playback", { action: "play", speed: 20 }));
  await page.waitForSelector(".toast:has-text('state change')");
  await page.waitForFunction(() => window.cinema.doc.state === "paused" && window.cinema.doc.event.kind === "state_change");
  await page.shot("breakpoint");
  await page.click("#side [aria-label^=Remove]");
  await page.waitForFunction(() => window.cinema.doc.breakpoints.length === 0);
  // A closure as the action, and a breakpoint that goes after its first hit.
  await page.selectOption("#side select[name=action]", "script");
  await page.fill("#side input[name=act]", "|hit| \"pause\"");
  await page.check("#side input[name=once]");
  assert.match(await page.textContent("#side .code"), /^tbrk\(on_state\("alice", "balance", gt\(500\)\), \|hit\| "pause"\)$/);
  await page.click("#side button[type=submit]");
  await page.waitForFunction(() => window.cinema.doc.breakpoints.length === 1);
  assert.match(await page.textContent("#side ul.plain"), /balance/);
  await page.click("#side [aria-label^=Remove]");
  await page.waitForFunction(() => window.cinema.doc.breakpoints.length === 0);
  await page.selectOption("#side select[name=action]", "pause");
  await page.uncheck("#side input[name=once]");
  await page.selectOption("#side select[name=sort]", "script");
  await page.fill("#side input[name=script]", "|e| e.nonsense > 1");
  await page.click("#side button[type=submit]");
  await page.waitForSelector("#side .error:not(:empty)");
  await page.end();
});

test("why: sentences, evidence, and the causal chain in the picture", async () => {
  const page = await open();
  const late = (await ask(server, "sandboxes/0/events?kind=timeout")).data[0].seq;
  await page.evaluate((seq) => window.cinema.channel.push("timeline_seek", { moment: seq }), late);
  await page.at(late);
  await page.click("[data-tab=inspector]");
  await page.keyboard.press("y");
  await page.waitForSelector(".why li");
  assert.match(await page.textContent(".why"), /ledger/);
  assert.equal(await page.getAttribute("#focus", "aria-pressed"), "true");
  await page.shot("why");
  await page.click("[data-tab=patterns]");
  await page.waitForSelector("#drawer td.wrap");
  await page.shot("patterns");
  await page.click("[data-tab=latency]");
  await page.waitForSelector("#drawer .spark");
  await page.click("[data-tab=shell]");
  await page.fill("#drawer input", "events().by(\"kind\")");
  await page.press("#drawer input", "Enter");
  await page.waitForSelector("#drawer .log table");
  await page.shot("shell");
  await page.end();
});

test("the view as a table, in the dark, without motion", async () => {
  const page = await open(server, { colorScheme: "dark", reducedMotion: "reduce" });
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
  await page.click("text=as a table");
  await page.waitForSelector(".twin-panel table");
  const about = await page.evaluate(() => window.cinema.scene.describe());
  assert.ok((await page.locator(".twin-panel tbody tr").count()) >= Math.min(400, about.n_arrows));
  await page.shot("dark");
  await page.keyboard.press("Escape");
  await page.waitForSelector(".twin-panel", { state: "detached" });
  await page.end();
});

test("in a small window nothing is cut off or covered", async () => {
  for (const [width, height] of [[1280, 800], [800, 600], [400, 700]]) {
    const page = await open(server, { viewport: { width, height } });
    const size = `${width}x${height}`;
    const fits = (selector) => page.evaluate((selector) => [...document.querySelectorAll(selector)].filter(({ offsetParent }) => offsetParent).every((element) => element.scrollWidth <= element.clientWidth + 1 && element.getBoundingClientRect().right <= innerWidth + 1), selector);
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${size} scrolls sideways`);
    await page.waitForSelector("#drawer tr.here");
    assert.ok(await page.evaluate(() => { const [row, box] = ["#drawer tr.here", "#drawer"].map((selector) => document.querySelector(selector).getBoundingClientRect()); return row.height > 0 && row.top >= box.top && row.bottom <= box.bottom + 1; }), `${size}: the row where one stands is in sight`);
    assert.ok(await fits(".pager .button"), `${size}: pager`);
    await page.keyboard.press("4");
    await page.waitForFunction(() => document.querySelectorAll(".graph .n").length > 5);
    assert.ok(await fits(".stage .legend, .stage .legend span"), `${size}: legend`);
    assert.ok(await page.evaluate(() => { const box = document.querySelector(".graph").getBoundingClientRect(); return [...document.querySelectorAll(".graph .n")].every((node) => { const { left, right, top, bottom } = node.getBoundingClientRect(); return left >= box.left - 1 && right <= box.right + 1 && top >= box.top - 1 && bottom <= box.bottom + 1; }); }), `${size}: the whole graph`);
    await page.keyboard.press("?");
    assert.ok(await fits("dialog, .keys div"), `${size}: help`);
    await page.end();
  }
});

test("a link leads to the same moment, view and filter", async () => {
  const page = await open(server, { fragment: "&v=processes&at=123&f=100&t=200&q=kind%3Areceive" });
  await page.at(123);
  const look = await page.evaluate(() => ({ ...window.cinema.look, focus: null }));
  assert.equal(look.view, "processes");
  assert.equal(look.filter, "kind:receive");
  assert.ok(look.from <= 123 && look.to >= 123 && look.to - look.from === 100, JSON.stringify(look));
  // The token leaves the address bar, and the session remembers it.
  await page.waitForFunction(() => !location.hash.includes("token"));
  await page.reload();
  await page.at(123);
  await page.end();
});

test("a recording is dropped and opened; the other stays", async () => {
  const place = await serve(null);
  const context = await browser.newContext({ viewport: { width: 1200, height: 800 } });
  const page = await context.newPage();
  await page.goto(place.url);
  await page.waitForSelector(".welcome");
  await page.screenshot({ path: join(PICTURES, "welcome.png") });
  await page.setInputFiles("#file", join(ROOT, "tests/data/ejabberd-small.trace"));
  await page.waitForFunction(() => window.cinema.doc.title === "ejabberd-small.trace" && window.cinema.scene.describe().is_dense);
  await page.waitForSelector(".notes .legend:has-text('events of a process')");
  assert.doesNotMatch(await page.textContent(".scene .notes"), /cast|PICTURE_LANES/);
  await page.screenshot({ path: join(PICTURES, "dense.png") });
  await page.setInputFiles("#file", { name: "nonsense.cinema", mimeType: "application/octet-stream", buffer: Buffer.from("this is no recording") });
  await page.waitForSelector(".toast.bad");
  await page.evaluate((text) => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([text], "dropped.cinema"));
    for (const type of ["dragover", "drop"]) document.body.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
  }, "neither is this");
  await page.waitForSelector(".toast:has-text('opening dropped.cinema')");
  const saved = page.waitForEvent("download");
  await page.click("#save");
  assert.match((await saved).suggestedFilename(), /ejabberd.*\.cinema/);
  await context.close();
  await place.stop();
});

test("the address follows the position, and who loads the page again moves nobody", async () => {
  const [page, other] = [await open(), await open()];
  await page.evaluate(() => window.cinema.channel.push("timeline_seek", { moment: "#200" }));
  await page.at(200);
  await page.keyboard.press("ArrowRight");
  await page.waitForFunction(() => location.hash.includes("at=201"));
  // The page is asleep while the session goes on: its address is old when it is loaded again.
  await page.goto("about:blank");
  await other.evaluate(() => window.cinema.channel.push("timeline_seek", { moment: "#50" }));
  await other.at(50);
  await page.goBack();
  await page.waitForFunction(() => window.cinema?.doc.seq === 50 && window.cinema.scene.describe().n_lanes > 0);
  await page.reload();
  await page.waitForFunction(() => window.cinema?.doc.seq === 50 && window.cinema.scene.describe().n_lanes > 0);
  assert.equal(await other.seq(), 50);
  // A link that is followed in the same tab leads there.
  await page.evaluate(() => { location.hash = "#v=graph&at=77"; });
  await other.at(77);
  await page.waitForFunction(() => window.cinema?.look.view === "graph");
  await page.end();
  await other.end();
});

test("what the address says amiss is told, and the rest is shown", async () => {
  const page = await open(server, { fragment: "&v=nonsense&at=x&f=9&t=2&r=5&e=12" });
  await page.waitForSelector(".toast.bad:has-text('v=nonsense')");
  assert.match(await page.textContent(".toast.bad"), /at=x, r=5|r=5.*at=x|f and t/);
  assert.deepEqual(await page.evaluate(() => [window.cinema.look.view, window.cinema.look.seq, window.cinema.look.isFitted]), ["messages", 12, true]);
  await page.end();
});

test("without the token it is asked for", async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(server.origin);
  await page.fill("[name=token]", "no-such-token-at-all");
  await page.press("[name=token]", "Enter");
  await page.waitForFunction(() => /not the token/.test(document.querySelector("#stage").textContent));
  await page.fill("[name=token]", TOKEN);
  await page.press("[name=token]", "Enter");
  await page.waitForFunction(() => window.cinema?.scene.describe().n_lanes > 0);
  await context.close();
});

test("an empty sandbox shows nothing of the one before, a damaged file says so", async () => {
  const place = await serve("examples/bank/main.rhai");
  const page = await open(place);
  await page.waitForSelector("#drawer tr[data-seq]");
  await page.click("[data-tab=shell]");
  await page.fill("#drawer input", "sandbox(\"examples/counter\")");
  await page.press("#drawer input", "Enter");
  await page.waitForFunction(() => window.cinema.doc.sandbox === 1);
  await page.waitForSelector(".toast:has-text('the session is now counter')");
  if (await page.evaluate(() => window.cinema.doc.n_recorded === 0)) {
    await page.waitForFunction(() => window.cinema.scene.describe().n_lanes === 0 && !document.querySelector(".label"));
    await page.click("[data-tab=events]");
    await page.waitForFunction(() => /Nothing is recorded/.test(document.querySelector("#drawer").textContent));
    await page.click("[data-view=graph]");
    assert.equal(await page.locator(".graph .n").count(), 0);
    await page.shot("empty");
  }
  const whole = await fetch(`${place.origin}/api/v1/sandboxes/0/export`, { headers: { authorization: `Bearer ${TOKEN}` } });
  const bytes = Buffer.from(await whole.arrayBuffer());
  bytes.fill(0xaa, bytes.length / 2, bytes.length / 2 + 64);
  await page.setInputFiles("#file", { name: "broken.cinema", mimeType: "application/octet-stream", buffer: bytes });
  await page.waitForSelector("#damaged:not([hidden])");
  assert.match(await page.getAttribute("#damaged", "title"), /offset/);
  await page.shot("damaged");
  await page.end();
  await place.stop();
});

test("marks are removed, moved when that is meant; the filter leaves the tab alone", async () => {
  const page = await open();
  const mark = async (seq) => {
    await page.evaluate((moment) => window.cinema.channel.push("timeline_seek", { moment }), seq);
    await page.at(seq);
    await page.fill("#side input[name=name]", "twice");
    await page.press("#side input[name=name]", "Enter");
  };
  const at = (seq) => page.waitForFunction((seq) => window.cinema.doc.marks.find(({ name }) => name === "twice")?.seq === seq, seq);
  await page.click("[data-tab=marks]");
  await mark(30);
  await at(30);
  await mark(40);
  await page.waitForFunction(() => /is at #30/.test(document.querySelector("#side .error").textContent));
  await at(30);
  await page.press("#side input[name=name]", "Enter");
  await at(40);
  await page.click("[aria-label='Remove twice']");
  await at(undefined);
  await page.click("[data-tab=shell]");
  await page.fill("#filter", "kind:crash");
  await page.waitForFunction(() => window.cinema.look.filter === "kind:crash");
  assert.equal(await page.evaluate(() => window.cinema.look.drawer), "shell");
  await page.press("#filter", "Enter");
  await page.waitForFunction(() => document.querySelectorAll("#drawer tr[data-seq]").length === 1);
  await page.end();
});

test("a range ends where fast steps end", async () => {
  const page = await open();
  await page.evaluate(() => window.cinema.channel.push("timeline_seek", { moment: "#100" }));
  await page.at(100);
  await page.keyboard.press("[");
  for (let n = 0; n < 8; n++) await page.keyboard.press("ArrowRight", { delay: 0 });
  await page.keyboard.press("]");
  await page.waitForFunction(() => window.cinema.look.range?.join() === "100,108");
  await page.end();
});

test("two browsers and the shell are on one session", async () => {
  const place = await shell("load(\"examples/bank/main.rhai\");");
  const [one, other] = [await open(place), await open(place)];
  place.type("seek(\"#50\");");
  await one.at(50);
  await other.at(50);
  await one.keyboard.press("ArrowRight");
  await other.at(51);
  place.type("when().seq");
  await place.line(/^51$/);
  place.type("mark(\"from the shell\", \"#40\");");
  await other.waitForFunction(() => window.cinema.doc.marks.some(({ name }) => name === "from the shell"));
  place.type("brk(on_result(\"timeout\"));");
  await one.waitForFunction(() => window.cinema.doc.breakpoints.length === 1);
  // While somebody looks on, the shell stays free when it plays.
  place.type("seek(\"#60\");");
  place.type("play(0.1)");
  await one.waitForFunction(() => window.cinema.doc.state === "playing" && window.cinema.doc.seq > 62);
  place.type("pause()");
  // Who looks on is told that the shell works.
  place.type("sleep(1.5);");
  await one.waitForSelector("#busy:not([hidden])");
  await one.waitForSelector("#busy", { state: "hidden" });
  await other.waitForFunction(() => window.cinema.doc.state === "paused");
  await one.end();
  await other.end();
  await place.stop();
});

test("a server that goes away is waited for, and joined when it is back", async () => {
  const place = await serve("examples/counter/main.rhai");
  const page = await open(place);
  await place.stop();
  await page.waitForSelector(".connection.bad");
  await until(async () => /disconnected/.test(await page.textContent("#connection")), "the notice");
  const again = await serve("examples/bank/main.rhai", "--port", String(place.port));
  await page.waitForFunction(() => window.cinema.doc.title === "bank" && window.cinema.scene.describe().n_lanes >= 9);
  assert.equal(await page.textContent("#connection"), "");
  await page.context().close();
  await again.stop();
});

test("frames while playing take little of the main thread", async () => {
  const page = await open();
  const client = await page.context().newCDPSession(page);
  await client.send("Performance.enable");
  const busy = async () => {
    const { metrics } = await client.send("Performance.getMetrics");
    const value = (name) => metrics.find((metric) => metric.name === name).value;
    return { task_s: value("TaskDuration"), at_s: value("Timestamp") };
  };
  await page.evaluate(() => window.cinema.channel.push("timeline_seek", { moment: "#60" }));
  await page.at(60);
  await page.evaluate(() => { window.cinema.choose({ from: 50, to: 250, isFitted: false }); window.n = 0; const count = () => { window.n += 1; requestAnimationFrame(count); }; requestAnimationFrame(count); });
  await page.evaluate(() => window.cinema.channel.push("toggle_playback", { action: "play", speed: 0.05 }));
  const [from, frames] = [await busy(), await page.evaluate(() => window.n)];
  await page.waitForFunction((n) => window.n > n + 120, frames);
  const [to, n] = [await busy(), (await page.evaluate(() => window.n)) - frames];
  const per_frame_ms = ((to.task_s - from.task_s) * 1_000) / n;
  await page.evaluate(() => window.cinema.channel.push("toggle_playback", { action: "pause" }));
  writeFileSync(join(PICTURES, "frames.json"), JSON.stringify({ per_frame_ms, n_frames: n, seconds: to.at_s - from.at_s }));
  console.log(`main thread while playing: ${per_frame_ms.toFixed(2)} ms per frame, ${n} frames in ${(to.at_s - from.at_s).toFixed(2)} s`);
  assert.ok(per_frame_ms < 40, `${per_frame_ms} ms per frame: a machine that draws without a GPU needs a few, not this many`);
  await page.end();
});

test("what a step does not find leaves one where one is, and is said", async () => {
  const page = await open();
  await page.evaluate(() => window.cinema.channel.push("timeline_seek", { moment: "#300" }));
  await page.at(300);
  await page.keyboard.press("Alt+ArrowRight");
  await page.waitForSelector(".toast:has-text('no breakpoint is set')");
  const { data } = await page.evaluate(() => window.cinema.channel.push("set_breakpoint", { condition: "on_process(\"any\", \"crash\")" }));
  await page.keyboard.press("Alt+ArrowRight");
  await page.waitForSelector(".toast:has-text('no breakpoint is hit after')");
  assert.equal(await page.seq(), 300);
  await page.keyboard.press("Escape");
  assert.equal(await page.locator(".toast").count(), 0);
  // By process and by callback without a keyboard.
  await page.selectOption("#unit", "process");
  await page.click("[data-do=step]");
  await page.waitForFunction(() => window.cinema.doc.seq > 300 && window.cinema.doc.event.process === "<0.109.0>");
  await page.selectOption("#unit", "handler");
  await page.click("[data-do=step]");
  await page.waitForFunction(() => window.cinema.doc.event.kind === "handle_start");
  await page.evaluate((id) => window.cinema.channel.push("remove_breakpoint", { id }), data.id);
  await page.end();
});

test("a breakpoint that fails says so in its place, a script that is none sets nothing, Space plays", async () => {
  const page = await open();
  await page.keyboard.press("Home");
  await page.at(null);
  await page.click("[data-tab=breakpoints]");
  const set = async (script) => {
    await page.selectOption("#side select[name=sort]", "script");
    await page.fill("#side input[name=script]", script);
    await page.click("#side button[type=submit]");
  };
  await set("brk(|e| true)");
  await page.waitForSelector("#side .error:has-text('a script here says when')");
  assert.deepEqual(await page.evaluate(() => window.cinema.doc.breakpoints), []);
  await set("|e| e.kind == \"crash\"");
  await page.waitForSelector("#side h3:has-text('hits of b'):has-text('(1)')");
  await page.waitForSelector("#side button:has-text('hits (1)')");
  await page.keyboard.press("Space");
  await page.waitForFunction(() => window.cinema.doc.state === "playing");
  assert.equal(await page.evaluate(() => window.cinema.doc.breakpoints.length), 1);
  await page.keyboard.press("Space");
  await page.waitForFunction(() => window.cinema.doc.state === "paused");
  await set("|e| e.size / 0 == 1");
  await page.waitForFunction(() => window.cinema.doc.breakpoints.length === 2);
  await page.locator("#side li button:has-text('hits')").last().click();
  await page.waitForSelector("#side h3 + .error");
  for (const { id } of await page.evaluate(() => window.cinema.doc.breakpoints)) await page.evaluate((id) => window.cinema.channel.push("remove_breakpoint", { id }), id);
  await page.end();
});

test("terms are written as the shell writes them, times so that rows can be told apart", async () => {
  const page = await open();
  await page.click("[data-tab=shell]");
  await page.fill("#drawer input", "[#{a: 1}]");
  await page.fill("#filter", "kind:log");
  await page.click("[data-tab=events]");
  await page.waitForFunction(() => /<<"emil: transfer 3 failed">>/.test(document.querySelector("#drawer").textContent));
  await page.click("#drawer tr[data-seq]");
  await page.evaluate(() => window.cinema.choose({ process: "<0.102.0>", side: "inspector" }));
  await page.click("#side button:has-text('Elixir')");
  await page.waitForFunction(() => /"emil: transfer 3 failed"/.test(document.querySelector("#drawer").textContent) && !/<</.test(document.querySelector("#drawer").textContent));
  await page.fill("#filter", "");
  await page.waitForFunction(() => document.querySelectorAll("#drawer tr[data-seq]").length > 20);
  const times = await page.locator("#drawer td:nth-child(2)").allTextContents();
  assert.equal(new Set(times).size, times.length, times.slice(0, 5).join(" "));
  assert.equal(new Set(times.map((text) => text.length - text.indexOf("."))).size, 1, "aligned at the point");
  await page.end();
});

test("focus lights all that why names, and Space at the end begins anew", async () => {
  const page = await open();
  await page.evaluate(() => window.cinema.channel.push("timeline_seek", { moment: "#282" }));
  await page.at(282);
  const { data } = await ask(server, "sandboxes/0/operations/why", { event: 282 });
  await page.keyboard.press("f");
  await page.waitForFunction((seqs) => seqs.every((seq) => window.cinema.look.focus?.has(seq)), data.focus);
  await page.keyboard.press("Escape");
  await page.keyboard.press("End");
  await page.waitForFunction(() => window.cinema.doc.n_passed === window.cinema.doc.n_events);
  await page.keyboard.press("Space");
  await page.waitForFunction(() => window.cinema.doc.state === "playing" && window.cinema.doc.n_passed < window.cinema.doc.n_events);
  await page.keyboard.press("Space");
  await page.waitForFunction(() => window.cinema.doc.state === "paused");
  await page.end();
});

test("who looks on is told when another one moves", async () => {
  const [page, other] = [await open(), await open()];
  await other.waitForFunction(() => window.cinema.doc.n_recorded > 0);
  await page.waitForFunction(() => !window.cinema.api.isAsking());
  await other.keyboard.press("Home");
  await other.at(null);
  await other.keyboard.press("ArrowRight");
  await page.waitForSelector(".toast:has-text('moved by another browser')");
  assert.equal(await other.locator(".toast").count(), 0);
  await page.end();
  await other.end();
});
