// The event table with its filter: words of the columns (crash, from:alice, kind:send), any text, or a script |e| ..
// Pages come around the cursor; what is not in sight is not loaded.

import * as api from "./api.js";
import { clip, duration, groupOf, h, number, plain, put, table } from "./format.js";
import { choose, doc, look, names, on } from "./state.js";

const PAGE = 80;
const COLUMNS = ["seq", "at_ns", "kind", "process", "peer", "tag", "payload"];
const KEYS = { from: "process", to: "process", process: "process", pid: "process", kind: "kind", class: "class", tag: "tag" };

/** The filter box's words as parameters of the server. */
export function readFilter(text, kinds) {
  const words = text.trim();
  if (!words) return {};
  if (words.startsWith("|")) return { where: words };
  const values = {};
  const rest = [];
  for (const word of words.split(/\s+/)) {
    const [, key, value] = /^(\w+):(.+)$/.exec(word) || [];
    const add = (name, item) => { values[name] = values[name] ? `${values[name]},${item}` : item; };
    if (key && KEYS[key]) add(KEYS[key], value);
    else if (/^(on_\w+)\(/.test(word)) return { where: words };
    else if (kinds.has(word)) add("kind", word);
    else rest.push(word);
  }
  if (rest.length) values.q = rest.join(" ");
  return values;
}

const KINDS = new Set("spawn exit crash link unlink monitor demonitor down register unregister send receive handle_start handle_end reply timeout late_reply send_to_dead state_change code_change supervisor_restart child_spec_change timer_start timer_fire timer_cancel gc loss mark restored forked exit_signal log input".split(" "));

export function makeEvents(root, actions) {
  const box = h("div"), input = document.querySelector("#filter");
  const ask = api.latest((values, options) => api.get("events", values, options));
  let rows = [], edge = { before: null, after: null }, key = "";

  async function load(values) {
    const filter = readFilter(look.filter, KINDS);
    try {
      const answer = await ask({ limit: PAGE, ...filter, ...values });
      if (!answer) return;
      input.removeAttribute("aria-invalid");
      rows = answer.data;
      rows.forEach((row) => { names.set(row.pid, row.process); if (row.peer_pid) names.set(row.peer_pid, row.peer); });
      edge = { before: rows[0]?.seq, after: values.before === undefined ? answer.meta.next : rows.at(-1)?.seq };
      draw(answer.meta);
    } catch (error) {
      input.setAttribute("aria-invalid", "true");
      put(box, h("p.empty.error", [error.message, ...(error.hints || [])].join("\n")));
    }
  }

  /** The page around the cursor, unless it is there already. */
  function follow() {
    if (look.drawer !== "events" || !doc.n_recorded) return;
    const now = `${look.filter}|${doc.n_recorded}|${api.sandbox}`;
    const isThere = now === key && rows.length && doc.seq >= rows[0].seq && doc.seq <= rows.at(-1).seq;
    if (isThere || (now === key && look.filter)) return markHere();
    key = now;
    const around = Math.max(0, (doc.seq ?? 0) - PAGE / 2);
    if (look.filter || around === 0) load({});
    else load({ after: around });
  }

  function draw(meta) {
    const rowOf = (tr, row) => {
      tr.classList.add("pick");
      tr.dataset.seq = row.seq;
      tr.tabIndex = -1;
      tr.addEventListener("click", () => { actions.seek(row.seq); choose({ process: row.pid }); });
    };
    const cell = (column, row) => {
      if (column === "seq") return h("button.seqlink", { onclick: (event) => { event.stopPropagation(); actions.seek(row.seq); } }, number(row.seq));
      if (column === "at_ns") return h("td.n", { title: `${row.at_ns} ns` }, duration(row.at_ns));
      if (column === "kind") return h(`span.kind.${groupOf(row.kind)}`, row.kind.replaceAll("_", " "), row.class ? h("span.dim", ` ${row.class}`) : null);
      if (column === "payload") return h("td.term", { title: clip(plain(column, row.payload), 1_000) }, clip(plain(column, row.payload), 160));
      return undefined;
    };
    const older = h("button.button.small", { onclick: () => load({ before: edge.before }), disabled: !rows.length || rows[0].seq === 0 }, "↑ earlier");
    const newer = h("button.button.small", { onclick: () => load({ after: edge.after }), disabled: edge.after === null || edge.after === undefined }, "↓ later");
    const pager = h("div.pager", older, newer, h("span", rows.length ? `#${number(rows[0].seq)} to #${number(rows.at(-1).seq)}` : "nothing matches"), meta.next !== null && rows.length < PAGE ? h("span", "the search stopped here: later goes on") : null, h("span.grow"),
      h("button.link", { onclick: () => { key = ""; follow(); } }, "to the cursor"));
    put(box, table(COLUMNS, rows, { numeric: ["seq", "at_ns"], cell, row: rowOf, caption: "Events" }), pager);
    markHere(true);
  }

  function markHere(isNew = false) {
    for (const tr of box.querySelectorAll("tr[data-seq]")) {
      const seq = Number(tr.dataset.seq), isHere = seq === doc.seq;
      tr.className = `pick ${isHere ? "here" : seq > (doc.seq ?? -1) ? "future" : "past"}`;
      if (isHere) { tr.setAttribute("aria-current", "true"); } else tr.removeAttribute("aria-current");
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
    timer = setTimeout(() => choose({ filter: input.value, drawer: "events" }), 250);
  });
  let pending = 0;
  on(["position", "filter", "drawer", "n_recorded"], () => {
    // While the cursor runs, four times a second.
    pending ||= setTimeout(() => { pending = 0; follow(); }, doc.state === "paused" ? 0 : 250);
  });
  return { show: () => { put(root, box); key = ""; follow(); } };
}
