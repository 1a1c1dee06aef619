// A client of Phoenix Channels, protocol V2 in JSON: one socket, one topic at a time, which is joined again whenever
// the connection was lost. It knows frames, and nothing about what they are about.

const HEARTBEAT_MS = 25_000;
const RETRY_MS = [200, 500, 1_000, 2_000, 5_000];

export class Channel {
  /** @param {string} url  @param {{joined, push, state}} listener */
  constructor(url, listener) {
    Object.assign(this, { url, listener, topic: null, joinRef: null, n: 0, pending: new Map(), tries: 0 });
    this.connect();
  }

  connect() {
    this.socket = new WebSocket(this.url);
    this.socket.onopen = () => {
      this.tries = 0;
      this.listener.state("open");
      this.heartbeat = setInterval(() => this.send("phoenix", "heartbeat", {}), HEARTBEAT_MS);
      if (this.topic) this.join(this.topic);
    };
    this.socket.onmessage = (event) => this.receive(JSON.parse(event.data));
    this.socket.onclose = (event) => {
      clearInterval(this.heartbeat);
      for (const { reject } of this.pending.values()) reject(new Error("the connection was lost"));
      this.pending.clear();
      if (this.isOver) return;
      this.listener.state("closed", event.reason);
      setTimeout(() => this.connect(), RETRY_MS[Math.min(this.tries++, RETRY_MS.length - 1)]);
    };
  }

  /** Joins a topic, leaving the one before. */
  join(topic) {
    if (this.topic && this.topic !== topic && this.isOpen()) this.send(this.topic, "phx_leave", {}).catch(() => {});
    this.topic = topic;
    if (!this.isOpen()) return;
    this.joinRef = String(++this.n);
    this.exchange(topic, "phx_join", {}, this.joinRef).then(
      (response) => this.listener.joined(response),
      (problem) => this.listener.state("refused", problem.reason || problem.message, problem),
    );
  }

  /** Ends the connection, for good. */
  close() {
    this.isOver = true;
    this.socket.close();
  }

  isOpen() { return this.socket.readyState === WebSocket.OPEN; }

  /** Sends an event on the joined topic; gives the response. */
  push(event, payload) {
    return this.exchange(this.topic, event, payload, String(++this.n));
  }

  send(topic, event, payload) { return this.exchange(topic, event, payload, String(++this.n)); }

  exchange(topic, event, payload, ref) {
    return new Promise((resolve, reject) => {
      if (!this.isOpen()) return reject(new Error("there is no connection"));
      this.pending.set(ref, { resolve, reject });
      this.socket.send(JSON.stringify([this.joinRef, ref, topic, event, payload]));
    });
  }

  /** Acknowledges a frame: the server sends the next ones at the pace of these. */
  ack(frame) {
    if (this.isOpen()) this.socket.send(JSON.stringify([this.joinRef, null, this.topic, "ack", { frame }]));
  }

  receive([joinRef, ref, topic, event, payload]) {
    if (event === "phx_reply") {
      const waiting = this.pending.get(ref);
      this.pending.delete(ref);
      if (payload.status === "ok") waiting?.resolve(payload.response);
      else waiting?.reject(Object.assign(new Error(payload.response.detail || payload.response.reason), payload.response));
    } else if (topic === this.topic && joinRef === this.joinRef) {
      this.listener.push(event, payload);
    }
  }
}
