// The inspector's part on one process at the cursor's moment: what it is, its state with the changes around it, what
// waits, what it did, whom it knows.

import * as api from "./api.js";
import { bytes, duration, h, number, plain, put, table } from "./format.js";
import { fact, links } from "./links.js";
import { choose, doc, look, nameOf, on, syntax } from "./state.js";

/** Whether a term, as the server gives it, has parts to unfold. */
const isNested = (tree) => Boolean(tree && tree.length > 1);

export function processCard(actions) {
  const card = h("section.card", { "aria-label": "Process" });
  const ask = api.latest((process, at) => api.view("inspect", { process, at, terms: syntax() }));
  const { seqLink, chip } = links(actions);
  /** Parts that the viewer opened or closed; the others open where there is something to see. */
  const opened = new Map();
  let shown = null;

  const chips = (title, list) => [h("h3", title), list.length ? h("div.chips", list.map(chip)) : h("p.dim", "none")];

  async function show() {
    const process = look.process || doc.event?.process;
    if (!process || doc.seq === null || doc.seq === undefined) return put(card, h("p.dim", "Select a process: a name on the left, or anything in the view."));
    let data;
    try { data = await ask(process, doc.seq); } catch (error) {
      return put(card, h("h2", nameOf(process), h("span.pid", process)), h("p.dim", error.message));
    }
    if (data) fill(data);
    return undefined;
  }

  function fill(data) {
    const { info } = data;
    shown = data;
    /** What is closed is not made. */
    const part = (name, title, content, isOpen = false) => {
      const open = opened.get(name) ?? isOpen;
      const details = h("details.part", { open }, h("summary", h("h3", title)), open ? content() : null);
      details.addEventListener("toggle", () => {
        opened.set(name, details.open);
        if (details.open && details.childElementCount < 2) details.append(content());
      });
      return details;
    };
    put(card,
      h("nav.crumbs", { "aria-label": "Supervision path" }, data.path.slice(0, -1).map((step) => [h("button.link", { onclick: () => actions.select({ process: step.process }) }, step.name), " › "])),
      h("h2", data.name.replace(data.process, "").trim() || data.process, h("span.pid", data.process), h(`span.chip${info.status === "alive" ? "" : ".bad"}`, info.status), (doc.held || []).some((row) => row.process === data.process) ? h("span.chip.warn", "held") : null, info.n_restarts ? h("span.chip.bad", `↻ ${info.n_restarts}`) : null),
      facts(data),
      stateOf(data),
      change("last change", data.last_change, info), change("next change", data.next_change, info),
      part("mailbox", `mailbox (${info.queue_is_known ? number(data.n_mailbox) : "?"})`, () => mailbox(data), data.n_mailbox > 0),
      part("callbacks", `callbacks (${atLeast(data.callbacks.length, 40)})`, () => callbacks(data)),
      part("history", `history (${atLeast(data.history.length, 100)})`, () => history(data)),
      part("links", `links (${info.links.length}) · monitors (${info.monitors.length})`, () => h("div", chips("links", info.links), chips("monitors", info.monitors), info.parent ? chips("parent", [info.parent]) : null)),
    );
  }

  const atLeast = (n, max) => (n >= max ? `${n}+` : String(n));

  function facts({ info, callback, gc }) {
    return h("dl.facts",
      info.module ? fact("module", h("code", info.module), ` ${info.behaviour.replace("_", " ")}`) : fact("behaviour", info.behaviour.replace("_", " ")),
      callback ? fact("in callback", `${callback.class} ${callback.tag || ""} since `, seqLink(callback.seq)) : null,
      fact("messages", `${number(info.n_received)} in, ${number(info.n_sent)} out, ${number(info.n_handled)} handled`),
      info.memory_bytes !== null ? fact("memory", `${info.memory_is_estimated ? "≈ " : ""}${bytes(info.memory_bytes)}`) : null,
      info.reductions ? fact("reductions", number(info.reductions)) : null,
      gc ? fact("last gc", seqLink(gc.seq)) : null,
      info.spawned !== null ? fact("spawned", seqLink(info.spawned)) : null,
      info.ended !== null ? fact("ended", seqLink(info.ended)) : null);
  }

  function stateOf(data) {
    const { state } = data;
    if (!state) return h("p.dim", "no state is recorded up to here");
    if (state.error) return h("p.error", state.error);
    const toggle = (name, text) => h("button.button.small", { "aria-pressed": String(syntax() === name), onclick: () => choose({ syntax: name }) }, text);
    const changed = new Set((data.last_change?.changes || []).map(({ path }) => path));
    return h("div",
      h("h3", "state", seqLink(state.seq), h("span.dim", bytes(state.n_bytes)), h("span.grow"), toggle("erlang", "Erlang"), toggle("elixir", "Elixir"), h("button.button.small", { onclick: copyState, title: "Copy as a term" }, "copy")),
      isNested(state.tree) ? h("div.tree.term", treeOf(state.tree, changed, 0)) : h("pre.term", state.text),
      isNested(state.tree) ? h("details.whole", h("summary", "as a term"), h("pre.term", state.text)) : null);
  }

  async function copyState() {
    try { await navigator.clipboard.writeText(shown.state.text); actions.say("the state is copied as a term"); } catch { actions.say("the browser does not let the page copy"); }
  }

  /** A term as nested details, from its text, parts, and how many more there are; what the last change wrote is marked. */
  function treeOf([, parts, nMore], changed, depth) {
    const rows = parts.map(([key, path, value]) => {
      const isChanged = changed.has(path) ? ".changed" : "";
      if (!isNested(value)) return h("div.leaf", h(`span.key${isChanged}`, key), ": ", h(`span${isChanged}`, value[0]));
      return h("details", { open: depth < 1 }, h("summary", h(`span.key${isChanged}`, key), h("span.dim", ` ${value[0]}`)), treeOf(value, changed, depth + 1));
    });
    return nMore ? [...rows, h("div.dim", `… ${number(nMore)} more`)] : rows;
  }

  function change(title, found, info) {
    if (!found) return null;
    const rows = found.changes.map((row) => h("div.diff", h("span", `${row.path || "state"}: `), row.before !== null ? h("span.was", row.before) : null, row.before !== null && row.after !== null ? " → " : "", row.after !== null ? h("span.is", row.after) : null));
    return h("div", h("h3", title, seqLink(found.seq), h("span.dim", found.event ? `${found.event.class} ${found.event.tag || ""}` : ""), info.status === "dead" ? h("span.dim", "(before its end)") : null),
      rows.length ? rows : h("div.dim", found.from === null ? "its first state" : "nothing that differs"));
  }

  const rowsOf = (columns, rows, caption, cell) => table(columns, rows, {
    numeric: ["seq", "at_ns", "waited_ns", "took_ns"], caption,
    cell: (column, row) => (column === "seq" ? seqLink(row.seq) : cell(column, row)),
  });

  function mailbox(data) {
    if (!data.info.queue_is_known) return h("p.dim", "what waits is not known: the recording does not show messages being taken out");
    if (!data.mailbox.length) return h("p.dim", "empty");
    return rowsOf(["seq", "from", "class", "message", "waited_ns"], data.mailbox, "Mailbox", (column, row) => (column === "message" ? h("td.term", plain(column, row[column])) : undefined));
  }

  function callbacks(data) {
    return data.callbacks.length ? rowsOf(["seq", "callback", "tag", "peer", "took_ns"], data.callbacks, "Callbacks, newest first", (column, row) => {
      if (column === "peer") return row.peer ? chip(row.peer) : "";
      return column === "took_ns" ? (row.took_ns === null ? "goes on" : duration(row.took_ns)) : undefined;
    }) : h("p.dim", "none is recorded up to here");
  }

  function history(data) {
    return data.history.length ? rowsOf(["seq", "at_ns", "trigger", "tag", "changed"], data.history, "History, newest first", (column, row) => (column === "changed" ? h("td.term", row.changed.join(", ")) : undefined)) : h("p.dim", "no change of its state is recorded up to here");
  }

  return { card, show };
}
