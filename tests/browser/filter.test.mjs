// The filter box's words as what the server is asked: the module alone, without a browser.

import assert from "node:assert/strict";
import { test } from "node:test";
import { readFilter } from "../../src/app/server/page/filter.js";

test("words, lists, phrases and scripts", () => {
  const read = [
    ["process:teller kind:crash", { process: "teller", kind: "crash" }],
    ["crash from:alice from:bob", { kind: "crash", process: "alice,bob" }],
    ["\"went well\"", { q: "went well" }],
    ["timeout \"went well\" soon", { kind: "timeout", q: "went well soon" }],
    ["from:\"x y\"", { process: "x y" }],
    ["from:\"x y", { process: "x y" }],
    ["from:\"a,b\",c", { process: "\"a,b\",c" }],
    ["\"crash\"", { q: "crash" }],
    ["<<\"went well\">>", { q: "<<\"went well\">>" }],
    ["|e| e.tag == \"x y\"", { where: "|e| e.tag == \"x y\"" }],
    ["on_message(\"get me\")", { where: "on_message(\"get me\")" }],
    ["  ", {}],
  ];
  for (const [text, values] of read) assert.deepEqual(readFilter(text), values, text);
});
