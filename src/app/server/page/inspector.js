// The inspector: the selected range in sum, the selected event with its causes and why, the selected process at the
// cursor's moment, and a box to ask anything else.

import * as api from "./api.js";
import { evaluate } from "./ask.js";
import { exact, groupOf, h, number, put } from "./format.js";
import { fact, links } from "./links.js";
import { processCard } from "./process.js";
import { rangeCard } from "./range.js";
import { choose, doc, found, look, nameOf, on, syntax, tell, wallOf } from "./state.js";

/** At the end of a callback the sim tells what the process has used. */
const isCost = (row) => row.kind === "handle_end" && /^\{\d+,\s?\d+\}$/.test(row.payload);

export function makeInspector(root, actions) {
  const eventCard = h("section.card", { "aria-label": "Event" }), whyCard = h("section.card.why", { "aria-label": "Why", hidden: true });
  const { seqLink, chip } = links(actions);
  const range = rangeCard(actions), process = processCard(actions), ask = askBox();
  const askEvent = api.latest((seq) => api.get("events", { ...(seq > 0 ? { after: seq - 1 } : {}), limit: 1, terms: syntax() }));

  async function showEvent() {
    const seq = look.seq ?? doc.seq;
    if (seq === null || seq === undefined) return put(eventCard, h("p.dim", "At the start: nothing has happened yet. Step (→) or play (Space)."));
    let answer;
    try { answer = await askEvent(seq); } catch { return undefined; }
    const row = answer?.data[0];
    if (!row || row.seq !== seq) return undefined;
    found.event = row;
    tell("found");
    const link = async (operation) => {
      try {
        const { data } = await api.operation(operation, { event: seq });
        const next = Array.isArray(data) ? data[0] : data;
        if (next) actions.select({ seq: next.seq, goes: true });
        else actions.say(operation === "cause" ? "no cause is known" : "nothing followed that is known");
      } catch (error) { actions.complain(error); }
    };
    put(eventCard,
      h("h2", h(`span.kind.${groupOf(row.kind)}`, row.kind.replaceAll("_", " ")), seqLink(row.seq), h("span.dim", { title: `${row.at_ns} ns after the start` }, exact(row.at_ns)), h("span.grow"), look.seq !== null ? h("button.button.small", { onclick: () => choose({ seq: null, focus: null }) }, "follow cursor") : null),
      h("dl.facts",
        fact("process", chip({ process: row.pid, name: row.process })),
        row.peer_pid ? fact("peer", chip({ process: row.peer_pid, name: row.peer })) : null,
        doc.wall_offset_ns ? fact("at", `${wallOf(row.at_ns)} UTC`) : null,
        row.class && row.class !== row.kind ? fact("class", row.class) : null, row.tag ? fact("tag", h("code", row.tag)) : null,
        row.payload !== null ? fact(isCost(row) ? "reductions, bytes" : "payload", h("pre.term", row.payload)) : null),
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
  const linked = (text) => text.split(/([(]?#\d+[).,]*)/).map((part) => {
    const [, before, seq, after] = /^([(]?)#(\d+)([).,]*)$/.exec(part) || [];
    return seq ? h("span.whole-word", before, seqLink(Number(seq)), after) : part;
  });

  function askBox() {
    const input = h("input", { type: "text", name: "expression", "aria-label": "A Rhai expression", spellcheck: "false", autocomplete: "off", class: "mono" });
    const answer = h("div.answer", { "aria-live": "polite" });
    const form = h("form", h("div.row", input, h("button.button", { type: "submit" }, "evaluate")));
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (input.value.trim()) put(answer, ...(await evaluate(input.value.trim(), actions)));
    });
    on(["process", "position"], () => { input.placeholder = `state("${(nameOf(look.process || doc.event?.process) || "alice").split(" ")[0]}")`; });
    return h("section.card.ask", { "aria-label": "Evaluate" }, h("h3", "evaluate", h("span.dim", "Rhai, as in the shell")), form, answer);
  }

  let timer = 0, last = 0;
  /** While the cursor runs, a few times a second is enough to read. */
  function refresh() {
    if (look.side !== "inspector") return;
    clearTimeout(timer);
    const wait = Math.max(0, 350 - (performance.now() - last));
    timer = setTimeout(() => { last = performance.now(); showEvent(); process.show(); }, doc.state === "paused" ? 0 : wait);
  }
  on(["forgotten"], () => { whyCard.hidden = true; });
  on(["position", "process", "seq", "side", "n_recorded", "syntax", "is_elixir", "forgotten"], refresh);
  return { show: () => { put(root, range, eventCard, whyCard, process.card, look.isReadOnly ? null : ask); refresh(); }, why: showWhy };
}
