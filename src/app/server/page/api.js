// Requests to the server. It knows the token and the current sandbox, and nothing about what is asked.

const parameters = new URLSearchParams(location.hash.slice(1));
const given = parameters.get("token");
if (given) sessionStorage.setItem("cinema.token", given);

export const token = given || sessionStorage.getItem("cinema.token") || "";
/** Keeps a token that was typed, for the next load. */
export const keepToken = (text) => sessionStorage.setItem("cinema.token", text.trim());
export let sandbox = Number(/^\d+$/.exec(parameters.get("s")) ?? 0);
export const setSandbox = (id) => { sandbox = id; };

/** A problem as the server tells it (RFC 9457). */
export class Problem extends Error {
  constructor(problem) {
    super(problem.detail || problem.title || "the server does not answer");
    Object.assign(this, { code: problem.code, hints: problem.hints || [], errors: problem.errors || [], status: problem.status });
  }
}

async function request(path, options = {}) {
  const headers = { authorization: `Bearer ${token}`, ...options.headers };
  let response;
  try {
    response = await fetch(path, { ...options, headers });
  } catch {
    throw new Problem({ code: "offline", detail: "the server does not answer" });
  }
  if (response.ok) return response;
  throw new Problem(await response.json().catch(() => ({ status: response.status, title: response.statusText })));
}

export const query = (values) =>
  new URLSearchParams(Object.entries(values).filter(([, value]) => value !== undefined && value !== null && value !== "")).toString();

/** GET below the current sandbox; gives {data, meta}. */
export const get = async (path, values = {}) =>
  (await request(`/api/v1/sandboxes/${sandbox}/${path}?${query(values)}`)).json();

/** Performs an operation of the table on the current sandbox; gives {data, meta}. */
export const operation = async (name, args = {}) => post(`/api/v1/sandboxes/${sandbox}/operations/${name}`, args);

export const post = async (path, body) =>
  (await asking(request(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) }))).json();

// What this page asked for itself, and what comes soon after the answer.
const ECHO_MS = 1_500;
let n_asking = 0, asked_at = -ECHO_MS;
/** Whether this page asked the session for something a moment ago. */
export const isAsking = () => n_asking > 0 || performance.now() - asked_at < ECHO_MS;
/** Keeps in mind that something is asked; gives the answer. */
export async function asking(answer) {
  n_asking += 1;
  try { return await answer; } finally {
    n_asking -= 1;
    asked_at = performance.now();
  }
}

const early = new Map();
const keyOf = (name, values) => `${sandbox}/${name}?${query(values)}`;

/** A view of the current sandbox; gives its data. */
export async function view(name, values) {
  const key = keyOf(name, values), started = early.get(key);
  early.delete(key);
  return (await (started ?? get(`views/${name}`, values))).data;
}

/** Asks for a view before anybody needs it; whoever does first gets the answer. */
export function prefetch(name, values) {
  const asked = get(`views/${name}`, values);
  // Whoever asks in earnest hears of a failure.
  asked.catch(() => {});
  early.set(keyOf(name, values), asked);
}

export const sandboxes = async () => (await (await request("/api/v1/sandboxes")).json()).data;

export const upload = async (file) =>
  (await request(`/api/v1/import?${query({ name: file.name })}`, { method: "POST", body: file })).json();

export const download = async (format) => {
  const response = await request(`/api/v1/sandboxes/${sandbox}/export?${query({ format })}`);
  const name = /filename="([^"]+)"/.exec(response.headers.get("content-disposition") || "")?.[1] || "session.cinema";
  return { name, blob: await response.blob() };
};

/** Asks one question at a time: of those that come meanwhile the last one is asked next, and the others get nothing. So
 *  there is always an answer soon, however often a growing recording makes somebody ask again. */
export function latest(ask) {
  let isRunning = false, next = null;
  async function run() {
    isRunning = true;
    while (next) {
      const mine = next;
      next = null;
      try { mine.resolve(await ask(...mine.args)); } catch (error) { mine.reject(error); }
    }
    isRunning = false;
  }
  return (...args) => new Promise((resolve, reject) => {
    next?.resolve(undefined);
    next = { args, resolve, reject };
    if (!isRunning) run();
  });
}
