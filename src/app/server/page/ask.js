// A line of the shell and what it gives: for the shell's panel and for the box of the inspector.

import * as api from "./api.js";
import { clip, h, number, plain, table } from "./format.js";
import { syntax } from "./state.js";

const ROWS_MAX = 100;

export const numericColumns = (columns, rows) => columns.filter((column) => rows.length && rows.every((row) => row[column] === null || typeof row[column] === "number"));

/** Evaluates a line; gives what it shows, as elements. What goes wrong is shown as well. */
export async function evaluate(line, actions) {
  try {
    const { data } = await api.post("/api/v1/eval", { line, terms: syntax() });
    return data.map((block) => (block.text !== undefined ? h("pre", block.text) : block.table.meta.columns ? tableOf(block.table, actions) : fields(block.table)));
  } catch (error) {
    return [h("pre.error", [error.message, ...(error.hints || []).map((hint) => `hint: ${hint}`)].join("\n"))];
  }
}

const fields = ({ data }) => h("pre", Object.entries(data).map(([key, value]) => `${key}: ${plain(key, value)}`).join("\n"));

function tableOf({ data, meta }, actions) {
  const rows = data.slice(0, ROWS_MAX);
  const cell = (column, row) => {
    if (column === "seq" && row.seq !== null) return h("button.seqlink", { onclick: () => actions.seek(row.seq) }, `#${row.seq}`);
    return typeof row[column] === "string" ? h("td", { title: row[column] }, clip(row[column], 200)) : undefined;
  };
  const n_more = meta.n_more + data.length - rows.length;
  return h("div", table(meta.columns, rows, { numeric: numericColumns(meta.columns, rows), caption: meta.title, cell }), n_more ? h("div.dim", `… ${number(n_more)} more`) : null);
}
