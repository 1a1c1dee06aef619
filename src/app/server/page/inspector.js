// The inspector: the selected event with its causes, and the selected process at the cursor's moment, with its state and
// the changes around it.

import * as api from "./api.js";
import { bytes, clip, duration, groupOf, h, number, plain, put, table, termText } from "./format.js";
import { choose, doc, look, nameOf, on } from "./state.js";

export function makeInspector(root, actions) {
  const eventCard = h("section.card", { "aria-label": "Event" }), whyCard = h("section.card.why", { "aria-label": "Why", hidden: true }), processCard = h("section.card", { "aria-label": "Process" });
  const askProcess = api.latest((process, at, options) => api.view("inspect", { process, at }, options));
  const askEvent = api.latest((seq, options) => api.get("events", { after: seq - 1, limit: 1 }, options));
  let shownState = null;

  const seqLink = (seq) => h("button.seqlink", { onclick: () => actions.seek(seq) }, `#${number(seq)}`);
  const processChip = ({ process, name }) => h("button.chip", { onclick: () => actions.select({ process }), title: process }, name || process);

  async function showEvent() {
    const seq = look.seq ?? doc.seq;
    if (seq === null || seq === undefined) return put(eventCard, h("p.dim", "At the start: nothing has happened yet. Step (→) or play (Space)."));
    let answer;
    try { answer = await askEvent(seq); } catch { return undefined; }
    const row = answer?.data[0];
    if (!row || row.seq !== seq) return undefined;
    const link = async (operation) => {
      try {
        const { data } = await api.operation(operation, { event: seq });
        const found = Array.isArray(data) ? data[0] : data;
        if (found) actions.select({ seq: found.seq, goes: true });
        else actions.say(operation === "cause" ? "no cause is known" : "nothing followed that is known");
      } catch (error) { actions.complain(error); }
    };
    put(eventCard,
      h("h2", h(`span.kind.${groupOf(row.kind)}`, row.kind.replaceAll("_", " ")), seqLink(row.seq), h("span.dim", duration(row.at_ns)), h("span.grow"), look.seq !== null ? h("button.button.small", { onclick: () => choose({ seq: null, focus: null }) }, "follow cursor") : null),
      h("dl.facts",
        fact("process", processChip({ process: row.pid, name: row.process })),
        row.peer_pid ? fact("peer", processChip({ process: row.peer_pid, name: row.peer })) : null,
        row.class ? fact("class", row.class) : null, row.tag ? fact("tag", h("code", row.tag)) : null,
        row.payload !== null ? fact("payload", h("pre.term", clip(termText(row.payload), 4_000))) : null),
      h("div.row", { style: "margin-top:8px" },
        h("button.button.small", { onclick: () => link("cause"), disabled: row.cause === null }, "← cause"),
        h("button.button.small", { onclick: () => link("effects") }, "effects →"),
        h("button.button.small", { onclick: () => actions.focus(seq) }, "focus"),
        h("button.button.small.main", { onclick: () => showWhy(seq) }, "why?")),
    );
    return undefined;
  }

  async function showWhy(seq) {
    whyCard.hidden = false;
    put(whyCard, h("p.dim", "…"));
    try {
      const { data, meta } = await api.operation("why", seq === null ? {} : { event: seq });
      put(whyCard,
        h("h2", "Why", seqLink(data.event), h("span.grow"), h("button.button.small", { onclick: () => { whyCard.hidden = true; choose({ focus: null }); } }, "close")),
        data.sentences.map((sentence) => h("p", linked(sentence))),
        h("h3", "evidence"),
        h("ol", data.evidence.map((row) => h("li", h("button.link", { onclick: () => actions.seek(row.seq) }, row.what)))),
        (meta.notes || []).map((note) => h("p.dim", note)),
      );
      choose({ focus: new Set(data.focus) });
      actions.frame(data.focus);
    } catch (error) {
      put(whyCard, h("p.error", [error.message, ...(error.hints || [])].join("\n")), h("button.button.small", { onclick: () => { whyCard.hidden = true; } }, "close"));
    }
  }

  /** Seqs in a sentence become links. */
  const linked = (text) => text.split(/(#\d+)/).map((part) => (/^#\d+$/.test(part) ? seqLink(Number(part.slice(1))) : part.replace(/\($/, "(\u2060")));

  async function showProcess() {
    const process = look.process || doc.event?.process;
    if (!process || doc.seq === null || doc.seq === undefined) return put(processCard, h("p.dim", "Select a process: a name on the left, or anything in the view."));
    let data;
    try { data = await askProcess(process, doc.seq); } catch (error) {
      return put(processCard, h("h2", nameOf(process), h("span.pid", process)), h("p.dim", error.message));
    }
    if (data) fill(data);
    return undefined;
  }

  function fill(data) {
    const { info } = data;
    const isOpen = new Map([...processCard.querySelectorAll("details[data-part]")].map((part) => [part.dataset.part, part.open]));
    const part = (name, title, content, open = false) => h("details", { "data-part": name, open: isOpen.get(name) ?? open }, h("summary", h("h3", { style: "display:inline" }, title)), content);
    put(processCard,
      h("nav.crumbs", { "aria-label": "Supervision path" }, data.path.slice(0, -1).map((step) => [h("button.link", { onclick: () => actions.select({ process: step.process }) }, step.name), " › "])),
      h("h2", data.name.replace(data.process, "").trim() || data.process, h("span.pid", data.process), statusChip(info), info.n_restarts ? h("span.chip.bad", `↻ ${info.n_restarts}`) : null),
      h("dl.facts",
        info.module ? fact("module", h("code", info.module), ` ${info.behaviour.replace("_", " ")}`) : fact("behaviour", info.behaviour.replace("_", " ")),
        data.callback ? fact("in callback", `${data.callback.class} ${data.callback.tag || ""} since `, seqLink(data.callback.seq)) : null,
        fact("messages", `${number(info.n_received)} in, ${number(info.n_sent)} out, ${number(info.n_handled)} handled`),
        info.memory_bytes !== null ? fact("memory", `${info.memory_is_estimated ? "≈ " : ""}${bytes(info.memory_bytes)}`) : null,
        info.reductions ? fact("reductions", number(info.reductions)) : null,
        data.gc ? fact("last gc", seqLink(data.gc.seq)) : null,
        info.spawned !== null ? fact("spawned", seqLink(info.spawned)) : null, info.ended !== null ? fact("ended", seqLink(info.ended)) : null),
      stateSection(data),
      change("last change", data.last_change, info), change("next change", data.next_change, info),
      part("mailbox", `mailbox (${number(data.n_mailbox)})`, mailbox(data), data.n_mailbox > 0),
      part("history", `history (${data.history.length}${data.history.length >= 100 ? "+" : ""})`, history(data)),
      part("links", `links (${info.links.length}) · monitors (${info.monitors.length})`, h("div", h("h3", "links"), h("div.chips", info.links.map(processChip)), h("h3", "monitors"), h("div.chips", info.monitors.map(processChip)), info.parent ? [h("h3", "parent"), h("div.chips", processChip(info.parent))] : null)),
    );
  }

  const statusChip = (info) => h(`span.chip${info.status === "alive" ? "" : ".bad"}`, info.status);

  function stateSection(data) {
    const { state } = data;
    if (!state) return h("p.dim", "no state is recorded up to here");
    if (state.error) return h("p.error", state.error);
    const syntax = look.syntax || (doc.is_elixir ? "elixir" : "erlang");
    shownState = state;
    const toggle = (name) => h("button.button.small", { "aria-pressed": String(syntax === name), onclick: () => { choose({ syntax: name }); fill(data); }, style: syntax === name ? "font-weight:700" : "" }, name === "erlang" ? "Erlang" : "Elixir");
    const changed = new Set((data.last_change?.changes || []).map(({ path }) => path));
    return h("div",
      h("h3", "state", seqLink(state.seq), h("span.dim", bytes(state.n_bytes)), h("span.grow"), toggle("erlang"), toggle("elixir"), h("button.button.small", { onclick: copyState, title: "Copy as a term" }, "copy")),
      state.tree && typeof state.tree === "object" ? h("div.tree.term", treeOf(state.tree, "", changed, 0)) : null,
      h("pre.term", state[syntax]));
  }

  async function copyState() {
    const text = shownState[look.syntax || (doc.is_elixir ? "elixir" : "erlang")];
    try { await navigator.clipboard.writeText(text); actions.say("the state is copied as a term"); } catch { actions.say("the browser does not let the page copy"); }
  }

  /** A term as nested details; what the last change wrote is marked. */
  function treeOf(json, path, changed, depth) {
    const entries = Array.isArray(json) ? json.map((value, idx) => [`[${idx}]`, value]) : json.$map ? json.$map.map(([key, value]) => [termText(key), value]) : json.$tuple ? json.$tuple.map((value, idx) => [`{${idx}}`, value]) : Object.entries(json);
    return entries.slice(0, 200).map(([key, value]) => {
      const here = Array.isArray(json) ? `${path}${key}` : path ? `${path}.${key}` : key;
      const isChanged = changed.has(here) ? ".changed" : "";
      const isNested = value !== null && typeof value === "object" && !Object.keys(value).some((name) => ["$bin", "$pid", "$ref", "$big", "$fun", "$bytes", "$port", "$bits"].includes(name)) && Object.keys(value).length > 0;
      if (!isNested) return h("div.leaf", h(`span.key${isChanged}`, key), ": ", h(`span${isChanged}`, clip(termText(value), 400)));
      return h("details", { open: depth < 1 }, h("summary", h(`span.key${isChanged}`, key), h("span.dim", ` ${clip(termText(value), 60)}`)), treeOf(value, here, changed, depth + 1));
    });
  }

  function change(title, found, info) {
    if (!found) return null;
    const rows = found.changes.map((row) => h("div.diff", h("span", `${row.path || "state"}: `), row.before !== null ? h("span.was", row.before) : null, row.before !== null && row.after !== null ? " → " : "", row.after !== null ? h("span.is", row.after) : null));
    return h("div", h("h3", title, seqLink(found.seq), h("span.dim", found.event ? `${found.event.class} ${found.event.tag || ""}` : ""), info.status === "dead" ? h("span.dim", "(before its end)") : null),
      rows.length ? rows : h("div.dim", found.from === null ? "its first state" : "nothing that differs"));
  }

  function mailbox(data) {
    if (!data.info.queue_is_known) return h("p.dim", "what waits is not known: the recording does not show messages being taken out");
    if (!data.mailbox.length) return h("p.dim", "empty");
    return table(["seq", "from", "class", "message", "waited_ns"], data.mailbox, {
      numeric: ["seq", "waited_ns"], caption: "Mailbox",
      cell: (column, row) => (column === "seq" ? seqLink(row.seq) : column === "message" ? h("td.term", plain(column, row[column])) : undefined),
    });
  }

  function history(data) {
    return table(["seq", "at_ns", "trigger", "tag", "changed"], data.history, {
      numeric: ["seq", "at_ns"], caption: "History",
      cell: (column, row) => (column === "seq" ? seqLink(row.seq) : column === "changed" ? h("td.term", row.changed.join(", ")) : undefined),
    });
  }

  function fact(name, ...values) { return [h("dt", name), h("dd", values)]; }

  let timer = 0, last = 0;
  /** While the cursor runs, five times a second is enough to read. */
  function refresh() {
    if (look.side !== "inspector") return;
    clearTimeout(timer);
    const wait = Math.max(0, 200 - (performance.now() - last));
    timer = setTimeout(() => { last = performance.now(); showEvent(); showProcess(); }, doc.state === "paused" ? 0 : wait);
  }
  on(["position", "process", "seq", "side", "n_recorded"], refresh);
  return { show: () => { put(root, eventCard, whyCard, processCard); refresh(); }, why: showWhy };
}
