// The selected range: what happened in it, in sum. It is chosen in the lanes or by keys, and kept in every view.

import * as api from "./api.js";
import { duration, groupOf, h, number, put, table } from "./format.js";
import { fact, links } from "./links.js";
import { choose, doc, look, on, overview, rankOf } from "./state.js";

const NAMES = { message: "messages", work: "callbacks and states", life: "births and deaths", trouble: "trouble" };

/** The range from the event where one stands to `seq`, or a new one. */
export function moveRange(end, seq) {
  const [from, to] = look.range ?? [seq, seq];
  const [a, b] = end === "from" ? [seq, Math.max(seq, to)] : [Math.min(from, seq), seq];
  choose({ range: [a, b], side: "inspector" });
}

export function rangeCard(actions) {
  const card = h("section.card", { "aria-label": "Range", hidden: true });
  const ask = api.latest((from, to) => api.view("range", { from, to }));

  const { seqLink, chip } = links(actions);

  async function show() {
    card.hidden = !look.range;
    if (!look.range || look.side !== "inspector" || !overview.n_events) return;
    const [from, to] = look.range;
    let data;
    try { data = await ask(rankOf(from), rankOf(to) + 1); } catch (error) { put(card, h("p.error", error.message)); return; }
    if (!data) return;
    put(card,
      h("h2", "Range", seqLink(from), "–", seqLink(to), h("span.grow"),
        h("button.button.small", { onclick: () => zoomTo(from, to) }, "zoom"), h("button.button.small", { onclick: () => choose({ range: null }) }, "let go")),
      h("dl.facts", fact("events", `${number(data.n_events)} in ${duration(data.to_ns - data.from_ns) || "no time"}, of ${number(data.n_processes)} processes`),
        data.groups.filter(([, n]) => n).map(([group, n]) => fact(NAMES[group], number(n)))),
      data.notable.length ? [h("h3", "what stands out"), h("ul.plain", data.notable.map((row) => h("li", seqLink(row.seq), " ", h(`span.kind.${groupOf(row.kind)}`, row.kind.replaceAll("_", " ")), ` ${row.process}`)))] : null,
      data.pairs.length ? [h("h3", "busiest"), table(["from", "to", "class", "n"], data.pairs, { numeric: ["n"], caption: "Who sent to whom in the range", cell: (column, row) => (column === "from" || column === "to" ? chip(row[column]) : undefined) })] : null,
    );
  }

  function zoomTo(from, to) {
    const margin = Math.max(2, (rankOf(to) - rankOf(from)) * 0.05);
    const [a, b] = [Math.max(0, rankOf(from) - margin), Math.min(overview.n_events, rankOf(to) + 1 + margin)];
    choose({ from: a, to: b, isFitted: a <= 0 && b >= overview.n_events });
    // The view follows the cursor: it comes along.
    if (doc.seq === null || doc.seq < from || doc.seq > to) actions.seek(from);
  }

  on(["range", "side", "overview"], show);
  return card;
}
