// Starts the program and waits for what it says. It knows nothing of what is tested.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), "../..");
export const TOKEN = "a-token-for-the-tests-0123456789";
/** What Chromium is started with where there is neither a screen nor a user. */
export const FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const PROGRAM = process.env.CINEMA || join(ROOT, "target/debug/cinema");

function start(args) {
  const child = spawn(PROGRAM, args, { cwd: ROOT, stdio: ["pipe", "pipe", "pipe"], env: { ...process.env, CINEMA_HISTORY: "" } });
  const said = { lines: [], waiting: [] };
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on("line", (line) => {
      said.lines.push(line);
      said.waiting = said.waiting.filter(({ wanted, resolve }) => (wanted.test(line) ? (resolve(line), false) : true));
    });
  }
  /** The next line that matches, or one that was said before. */
  const line = (wanted, isNew = false) => {
    const known = isNew ? undefined : said.lines.find((text) => wanted.test(text));
    if (known !== undefined) return Promise.resolve(known);
    return new Promise((resolve, reject) => {
      said.waiting.push({ wanted, resolve });
      setTimeout(() => reject(new Error(`nothing like ${wanted} was said:\n${said.lines.join("\n")}`)), 30_000).unref();
    });
  };
  const stop = () => new Promise((resolve) => { child.once("exit", resolve); child.kill(); });
  return { line, stop, type: (text) => child.stdin.write(`${text}\n`) };
}

/** A server of the program; `what` is a script or a recording. */
export async function serve(what, ...flags) {
  const port = flags.includes("--port") ? [] : ["--port", "0"];
  const program = start(["serve", ...port, "--token", TOKEN, ...flags, ...(what ? [what] : [])]);
  return { ...program, ...place(await program.line(/^http:\/\//)) };
}

/** The shell, as it runs behind a pipe, with its session in the browser, too. */
export async function shell(...lines) {
  const program = start(["--format", "json"]);
  lines.forEach(program.type);
  program.type(`serve(#{port: 0, token: "${TOKEN}"})`);
  const said = await program.line(/http:\/\//);
  return { ...program, ...place(/http:\/\/[^"]+/.exec(said)[0]) };
}

function place(url) {
  const { port, origin } = new URL(url);
  return { url, port, origin };
}

/** Asks the server by HTTP; gives the answer's body. */
export async function ask(server, path, body) {
  const response = await fetch(`${server.origin}/api/v1/${path}`, {
    method: body === undefined ? "GET" : "POST",
    headers: { authorization: `Bearer ${TOKEN}` },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  return response.json();
}

/** Waits until `look` gives something true; gives it. */
export async function until(look, what, limit_ms = 15_000) {
  const end = performance.now() + limit_ms;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (performance.now() > end) throw new Error(`did not come: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
