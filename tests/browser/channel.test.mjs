// The channel as the unmodified Phoenix client uses it, and as others misuse it.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Socket } from "phoenix";
import WebSocket from "ws";
import { TOKEN, serve, until } from "./support.mjs";

let server;
const sockets = [];
/** Joins at once and never acknowledges anything; what becomes of it is looked at in the end. */
const silent = { n_updates: 0, closed: null };
before(async () => {
  server = await serve("examples/bank/main.rhai");
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}/socket/websocket?vsn=2.0.0&token=${TOKEN}`);
  socket.on("open", () => socket.send(JSON.stringify(["1", "1", "cinema_debugger:0", "phx_join", {}])));
  socket.on("message", (data) => { silent.n_updates += JSON.parse(data)[3] === "timeline_update" ? 1 : 0; });
  socket.on("close", (code, reason) => { silent.closed = `${code} ${reason}`; });
});
after(async () => {
  sockets.forEach((socket) => { socket.channels.forEach((channel) => channel.leave()); socket.disconnect(); });
  await server.stop();
});

/** A client with the topic of the bank; acknowledges as the page does. */
async function connect({ acks = true } = {}) {
  const socket = new Socket(`ws://127.0.0.1:${server.port}/socket`, { transport: WebSocket, params: { token: TOKEN }, reconnectAfterMs: () => 50, rejoinAfterMs: () => 50 });
  sockets.push(socket);
  socket.connect();
  const channel = socket.channel("cinema_debugger:0", {});
  const client = { socket, channel, doc: {}, frames: [], n_joins: 0, hits: [], playback: [] };
  channel.on("timeline_update", (payload) => {
    client.frames.push(payload);
    Object.assign(client.doc, payload.changed);
    if (acks) channel.push("ack", { frame: payload.frame });
  });
  channel.on("breakpoint_triggered", (hit) => client.hits.push(hit));
  channel.on("playback_state", (state) => client.playback.push(state));
  const joined = (response) => { client.n_joins += 1; client.doc = { ...response.state }; };
  await new Promise((resolve, reject) => channel.join().receive("ok", (response) => { joined(response); resolve(); }).receive("error", reject));
  client.push = (event, payload) => new Promise((resolve, reject) => channel.push(event, payload).receive("ok", resolve).receive("error", reject));
  return client;
}

test("joins, and is told how the session stands", async () => {
  const { doc } = await connect();
  assert.equal(doc.title, "bank");
  assert.equal(doc.state, "paused");
  assert.equal(doc.n_events, doc.n_recorded);
  assert.equal(doc.can.can_run, true);
});

test("moves, and is sent only what changed", async () => {
  const client = await connect();
  await client.push("timeline_seek", { moment: "#100" });
  await until(() => client.doc.seq === 100, "the position");
  const before = client.frames.length;
  await client.push("step", { direction: "forward" });
  await until(() => client.doc.seq === 101, "the step");
  const frame = client.frames[before];
  assert.equal(frame.full, false);
  assert.ok(!("title" in frame.changed) && !("breakpoints" in frame.changed), Object.keys(frame.changed).join());
  await client.push("step", { direction: "back", unit: "process", process: "teller" });
  await until(() => client.doc.seq < 101, "the step back");
  assert.equal(client.doc.event.process, (await client.push("inspect", { process: "teller", moment: "#101" })).data.pid);
  await assert.rejects(client.push("step", { direction: "sideways" }), (problem) => problem.errors[0].field === "direction");
  for (const [event, payload, field] of [["step", { n: 1, sideways: true }, "sideways"], ["toggle_playback", { action: "play", volume: 11 }, "volume"], ["toggle_playback", { speed: "fast" }, "speed"], ["set_speed", {}, "speed"], ["timeline_seek", { moment: 1, x: 1 }, "x"], ["operation", { name: "info", arguments: {} }, "arguments"]]) {
    await assert.rejects(client.push(event, payload), (problem) => problem.errors[0].field === field, `${event} ${field}`);
  }
  await assert.rejects(client.push("no_such_event", {}), (problem) => problem.code === "not_found");
  const process = await client.push("inspect", { process: "alice" });
  assert.equal(process.data.name, "alice");
});

test("sets a breakpoint, plays, and is told of the hit", async () => {
  const client = await connect();
  await client.push("timeline_seek", { moment: "start" });
  const { data } = await client.push("set_breakpoint", { condition: "on_result(\"timeout\")", name: "late" });
  await until(() => client.doc.breakpoints?.some((breakpoint) => breakpoint.id === data.id), "the breakpoint");
  await client.push("set_speed", { speed: 2 });
  await client.push("toggle_playback", { action: "play" });
  const hit = await until(() => client.hits[0], "the hit");
  assert.equal(hit.name, "late");
  assert.equal(hit.event.kind, "timeout");
  await until(() => client.doc.state === "paused" && client.doc.seq === hit.event.seq, "the pause at the hit");
  assert.ok(client.playback.some(({ state, speed }) => state === "playing" && speed === 2), JSON.stringify(client.playback));
  await client.push("remove_breakpoint", { id: data.id });
  await until(() => client.doc.breakpoints.length === 0, "its removal");
});

test("loses its connection, comes back, and goes on", async () => {
  const client = await connect();
  const joins = [];
  client.channel.joinPush.receive("ok", (response) => joins.push(response));
  client.socket.conn.terminate();
  const response = await until(() => joins[0], "the second join");
  assert.equal(response.state.title, "bank");
  await client.push("timeline_seek", { moment: "#42" });
  await until(() => client.doc.seq === 42, "a frame after the second join");
});

test("asks for everything again after a gap", async () => {
  const client = await connect();
  const before = client.frames.length;
  await client.push("resync", {});
  const frame = await until(() => client.frames.slice(before).find(({ full }) => full), "a full frame");
  assert.ok("title" in frame.changed && "marks" in frame.changed);
});

test("an ack names a frame, a view is one of the page's, and who has left is not heard", async () => {
  const client = await connect();
  for (const [event, payload, field] of [["ack", { frames: 1 }, "frame"], ["ack", { frame: 1e6 }, "frame"], ["set_view", { view: 12 }, "view"], ["set_view", {}, "view"]]) {
    await assert.rejects(client.push(event, payload), (problem) => problem.errors[0].field === field, event);
  }
  assert.equal((await client.push("set_view", { view: "graph" })).data.view, "graph");
  await assert.rejects(client.push("no_such_event", {}), (problem) => /ack, resync/.test(problem.hints[0]));
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}/socket/websocket?vsn=2.0.0&token=${TOKEN}`), replies = [];
  await new Promise((resolve) => socket.on("open", resolve));
  socket.on("message", (data) => { const [, ref, , event] = JSON.parse(data); if (event === "phx_reply") replies.push(ref); });
  for (const [join, ref, event] of [["1", "1", "phx_join"], ["2", "2", "phx_join"], ["1", "3", "inspect"], ["1", "4", "phx_leave"], ["2", "5", "inspect"]]) socket.send(JSON.stringify([join, ref, "cinema_debugger:0", event, { process: "alice" }]));
  await until(() => replies.includes("5"), "the answer to the one who is there");
  assert.ok(!replies.includes("3") && !replies.includes("4"), replies.join());
  socket.close();
});

test("times count from the first event, and the clock stands beside", async () => {
  const client = await connect();
  await client.push("timeline_seek", { moment: 50 });
  await until(() => client.doc.seq === 50, "the position");
  const { doc } = client;
  assert.deepEqual([doc.at_ns, doc.clock_ns], [doc.event.at_ns, doc.event.clock_ns]);
  assert.equal(doc.clock_ns - doc.at_ns, doc.time_range_ns[0]);
});

test("who does not acknowledge gets two frames, and costs the others nothing", async () => {
  const [slow, quick] = [await connect({ acks: false }), await connect()];
  for (let seq = 1; seq <= 30; seq++) {
    await quick.push("timeline_seek", { moment: seq });
    await until(() => quick.doc.seq === seq, `#${seq}`);
  }
  assert.equal(slow.frames.length, 2);
  assert.ok(quick.frames.length >= 30);
  // What came meanwhile is merged into one frame.
  slow.channel.push("ack", { frame: 2 });
  await until(() => slow.doc.seq === 30, "the newest position");
  assert.equal(slow.frames.length, 3);
});

test("two clients see one session", async () => {
  const [one, other] = [await connect(), await connect()];
  await one.push("timeline_seek", { moment: "#77" });
  await until(() => other.doc.seq === 77, "the other's position");
  await other.push("operation", { name: "mark", args: { name: "seen by both" } });
  await until(() => one.doc.marks.some(({ name }) => name === "seen by both"), "the mark");
});

test("wrong tokens, foreign pages and topics that are none", async () => {
  const refused = (url, options) => new Promise((resolve) => {
    const socket = new WebSocket(url, options);
    socket.on("unexpected-response", (_, response) => resolve(response.statusCode));
    socket.on("open", () => { socket.close(); resolve("open"); });
    socket.on("error", () => {});
  });
  const url = `ws://127.0.0.1:${server.port}/socket/websocket?vsn=2.0.0`;
  assert.equal(await refused(`${url}&token=wrong-wrong-wrong`), 401);
  assert.equal(await refused(`${url}&token=${TOKEN}`, { headers: { origin: "http://evil.example" } }), 403);
  assert.equal(await refused(`${url.replace("2.0.0", "1.0.0")}&token=${TOKEN}`), 400);
  assert.equal(await refused(`${url}&token=${TOKEN}`, { headers: { origin: server.origin } }), "open");
  const client = await connect();
  const join = (topic) => new Promise((resolve) => {
    const channel = client.socket.channel(topic, {});
    channel.join().receive("error", (response) => { channel.leave(); resolve(response); });
  });
  assert.match((await join("cinema_debugger:99")).reason, /no sandbox 99/);
  assert.match((await join("room:1")).reason, /no topic/);
});

test("hostile frames end their own connection at most", async () => {
  const open = () => new Promise((resolve) => {
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}/socket/websocket?vsn=2.0.0&token=${TOKEN}`);
    const seen = { socket, messages: [], closed: null };
    socket.on("message", (data) => seen.messages.push(JSON.parse(data)));
    socket.on("close", (code, reason) => { seen.closed = `${code} ${reason}`; });
    socket.on("error", () => {});
    socket.on("open", () => resolve(seen));
  });
  const client = await connect();
  const liar = await open();
  for (const text of ["", "no json", "{}", "[1,2,3]", "[null,null,7,\"x\",{}]", "[".repeat(5000), "[\"1\",\"1\",\"cinema_debugger:0\",\"step\",{}]", "[\"1\",\"2\",\"cinema_debugger:-1\",\"phx_join\",null]"]) liar.socket.send(text);
  await until(() => liar.messages.length === 8, "an answer to each");
  assert.ok(liar.messages.every(([, , , event, payload]) => event === "phx_reply" && payload.status === "error"), JSON.stringify(liar.messages));
  const large = await open();
  large.socket.send("x".repeat(200_000));
  await until(() => large.closed, "the end of the one with the large frame");
  const binary = await open();
  binary.socket.send(Buffer.from([1, 2, 3]));
  assert.match(await until(() => binary.closed, "the end of the one with the binary frame"), /1008 frames are text/);
  // A flood of requests is answered or refused, not queued without end.
  const flood = await open();
  flood.socket.send(JSON.stringify(["1", "1", "cinema_debugger:0", "phx_join", {}]));
  await until(() => flood.messages.length > 0, "the join");
  for (let n = 0; n < 500; n++) flood.socket.send(JSON.stringify(["1", String(n + 2), "cinema_debugger:0", "inspect", { process: "alice" }]));
  await until(() => flood.messages.filter(([, , , event]) => event === "phx_reply").length >= 501, "an answer to each request");
  await client.push("timeline_seek", { moment: "#5" });
  await until(() => client.doc.seq === 5, "the others go on");
  [liar, flood].forEach(({ socket }) => socket.close());
});

test("who closes is answered", async () => {
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}/socket/websocket?vsn=2.0.0&token=${TOKEN}`);
  await new Promise((resolve) => socket.on("open", resolve));
  const code = new Promise((resolve) => socket.on("close", resolve));
  socket.close(1000, "enough");
  assert.equal(await code, 1000);
});

test("who never acknowledges is dropped, and told why", async () => {
  const client = await connect();
  assert.match(await until(() => silent.closed, "the end of the silent one", 60_000), /^1008 slow client: frames were not acknowledged for 30 s/);
  assert.equal(silent.n_updates, 2);
  await client.push("timeline_seek", { moment: "#9" });
  await until(() => client.doc.seq === 9, "the others go on");
});
