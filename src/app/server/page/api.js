// Requests to the server. It knows the token and the current sandbox, and nothing about what is asked.

const parameters = new URLSearchParams(location.hash.slice(1));
const given = parameters.get("token");
if (given) sessionStorage.setItem("cinema.token", given);

export const token = given || sessionStorage.getItem("cinema.token") || "";
export let sandbox = Number(parameters.get("s") || 0);
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
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({ code: "offline", detail: "the server does not answer" });
  }
  if (response.ok) return response;
  throw new Problem(await response.json().catch(() => ({ status: response.status, title: response.statusText })));
}

export const query = (values) =>
  new URLSearchParams(Object.entries(values).filter(([, value]) => value !== undefined && value !== null && value !== "")).toString();

/** GET below the current sandbox; gives {data, meta}. */
export const get = async (path, values = {}, options = {}) =>
  (await request(`/api/v1/sandboxes/${sandbox}/${path}?${query(values)}`, options)).json();

/** Performs an operation of the table on the current sandbox; gives {data, meta}. */
export const operation = async (name, args = {}) => post(`/api/v1/sandboxes/${sandbox}/operations/${name}`, args);

export const post = async (path, body) =>
  (await request(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) })).json();

const early = new Map();
const keyOf = (name, values) => `${sandbox}/${name}?${query(values)}`;

export async function view(name, values, options) {
  const key = keyOf(name, values), started = early.get(key);
  early.delete(key);
  return (await (started ?? get(`views/${name}`, values, options))).data;
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
  (await (await request(`/api/v1/import?${query({ name: file.name })}`, { method: "POST", body: file })).json()).data;

export const download = async (format) => {
  const response = await request(`/api/v1/sandboxes/${sandbox}/export?${query({ format })}`);
  const name = /filename="([^"]+)"/.exec(response.headers.get("content-disposition") || "")?.[1] || "session.cinema";
  return { name, blob: await response.blob() };
};

/** Keeps the last answer of a question while it is asked again, and drops answers that come too late. */
export function latest(ask) {
  let running = null;
  return async (...args) => {
    running?.abort();
    const mine = (running = new AbortController());
    try {
      const answer = await ask(...args, { signal: mine.signal });
      return mine.signal.aborted ? undefined : answer;
    } catch (error) {
      if (mine.signal.aborted || error.name === "AbortError") return undefined;
      throw error;
    }
  };
}
