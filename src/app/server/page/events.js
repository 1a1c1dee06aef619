// The event table: what the filter and the selected range leave. Pages come around the cursor; what is not in sight is
// not loaded.

import * as api from "./api.js";
import { aligned, clip, groupOf, h, number, put, table } from "./format.js";
import { readFilter } from "./filter.js";
import { choose, doc, found, look, names, on, syntax, wallOf } from "./state.js";

const PAGE = 80;
/** While the cursor runs: what is in sight, and how often. */
const PAGE_RUNNING = 24, RUNNING_MS = 400;
const COLUMNS = ["seq", "at_ns", "kind", "process", "peer", "tag", "payload"];

export function makeEvents(root, actions) {
  const box = h("div"), input = document.querySelector("#filter");
  const ask = api.latest((values) => api.get("events", values));
  let rows = [], edge = { before: null, after: null }, key = "", meta = {};

  async function load(values) {
    const filter = { ...readFilter(look.filter), ...(look.range ? { from: `#${look.range[0]}`, to: `#${look.range[1]}` } : {}) };
    try {
      const answer = await ask({ limit: PAGE, terms: syntax(), ...filter, ...values });
      if (!answer) return;
      input.removeAttribute("aria-invalid");
      rows = answer.data;
      rows.forEach((row) => { names.set(row.pid, row.process); if (row.peer_pid) names.set(row.peer_pid, row.peer); });
      edge = { before: rows[0]?.seq, after: values.before === undefined ? answer.meta.next : rows.at(-1)?.seq };
      meta = answer.meta;
      draw(meta);
    } catch (error) {
      input.setAttribute("aria-invalid", "true");
      put(box, h("p.empty.error", [error.message, ...(error.hints || [])].join("\n")));
    }
  }

  /** The page around the cursor, unless it is there already. */
  function follow() {
    if (look.drawer !== "events") return undefined;
    if (!doc.n_recorded) { rows = []; return put(box, h("p.empty", "Nothing is recorded yet.")); }
    const now = `${syntax()}|${look.filter}|${look.range}|${doc.n_recorded}|${api.sandbox}`;
    const isThere = now === key && rows.length && doc.seq >= rows[0].seq && doc.seq <= rows.at(-1).seq;
    if (isThere || (now === key && (look.filter || look.range))) return markHere();
    key = now;
    const limit = doc.state === "paused" ? PAGE : PAGE_RUNNING;
    const around = Math.max(0, (doc.seq ?? 0) - (doc.state === "paused" ? limit / 2 : 6));
    return load(look.filter || look.range || around === 0 ? {} : { after: around, limit });
  }

  function draw(meta) {
    const hits = new Map(found.hits.map((hit) => [hit.seq, hit.name]));
    const time = aligned(rows.map((row) => row.at_ns));
    const rowOf = (tr, row) => {
      tr.classList.add("pick");
      tr.dataset.seq = row.seq;
      tr.tabIndex = -1;
      tr.addEventListener("click", () => { actions.seek(row.seq); choose({ process: row.pid }); });
    };
    const cell = (column, row) => {
      if (column === "seq") return h("button.seqlink", { onclick: (event) => { event.stopPropagation(); actions.seek(row.seq); } }, number(row.seq));
      if (column === "at_ns") return h("td.n", { title: wallOf(row.at_ns) || `${row.at_ns} ns` }, time(row.at_ns));
      if (column === "kind") return h(`span.kind.${groupOf(row.kind)}`, row.kind.replaceAll("_", " "), row.class && row.class !== row.kind ? h("span.dim", ` ${row.class}`) : null, hits.has(row.seq) ? h("span.dot", { title: `breakpoint ${hits.get(row.seq)} hits here` }, h("span.sr", `breakpoint ${hits.get(row.seq)} hits here`)) : null);
      if (column === "payload") return h("td.term", { title: clip(row.payload ?? "", 1_000) }, clip(row.payload ?? "", 160));
      return undefined;
    };
    const older = h("button.button.small", { onclick: () => load({ before: edge.before }), disabled: !rows.length || rows[0].seq === 0 }, "↑ earlier");
    const newer = h("button.button.small", { onclick: () => load({ after: edge.after }), disabled: edge.after === null || edge.after === undefined }, "↓ later");
    const pager = h("div.pager", older, newer, h("span", rows.length ? `#${number(rows[0].seq)} to #${number(rows.at(-1).seq)}` : "nothing matches"), meta.next !== null && rows.length < PAGE && (look.filter || look.range) ? h("span", "the search stopped here: later goes on") : null, h("span.grow"),
      look.range ? h("button.link", { onclick: () => choose({ range: null }) }, "only the range; show all") : null,
      h("button.link", { onclick: () => { key = ""; follow(); } }, "to the cursor"));
    put(box, table(COLUMNS, rows, { numeric: ["seq", "at_ns"], cell, row: rowOf, caption: "Events" }), pager);
    markHere(true);
  }

  function markHere(isNew = false) {
    for (const tr of box.querySelectorAll("tr[data-seq]")) {
      const seq = Number(tr.dataset.seq), isHere = seq === doc.seq;
      const name = `pick ${isHere ? "here" : seq > (doc.seq ?? -1) ? "future" : "past"}`;
      if (tr.className !== name) tr.className = name;
      if (isHere) tr.setAttribute("aria-current", "true");
      else if (tr.ariaCurrent) tr.removeAttribute("aria-current");
      if (isHere && look.drawer === "events") scrollTo(tr, isNew);
    }
  }
  function scrollTo(tr) {
    const [top, height] = [tr.offsetTop, tr.offsetHeight];
    if (top < root.scrollTop + 30 || top + height > root.scrollTop + root.clientHeight - 8) root.scrollTop = top - root.clientHeight / 2;
  }

  let timer = 0;
  input.value = look.filter;
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => choose({ filter: input.value }), 250);
  });
  input.addEventListener("keydown", (event) => { if (event.key === "Enter") choose({ filter: input.value, drawer: "events" }); });
  let pending = 0;
  on(["hits"], () => { if (rows.length && look.drawer === "events") draw(meta); });
  on(["position", "filter", "range", "syntax", "is_elixir", "drawer", "n_recorded", "forgotten"], () => {
    pending ||= setTimeout(() => { pending = 0; follow(); }, doc.state === "paused" ? 0 : RUNNING_MS);
  });
  return { show: () => { put(root, box); key = ""; follow(); } };
}
