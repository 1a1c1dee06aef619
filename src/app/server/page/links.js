// Seqs and processes as things to click, and rows of facts: what the inspector's cards are made of.

import { h, number } from "./format.js";

export const links = (actions) => ({
  seqLink: (seq) => h("button.seqlink", { onclick: () => actions.seek(seq) }, `#${number(seq)}`),
  chip: ({ process, name }) => h("button.chip", { onclick: () => actions.select({ process }), title: process }, name || process),
});

export const fact = (name, ...values) => [h("dt", name), h("dd", values)];
