// The filter box's words: kinds, from:alice, kind:send, any text, "several words", from:"a name", or a script |e| ..
// It knows no page.

const KEYS = { from: "process", to: "process", process: "process", pid: "process", kind: "kind", class: "class", tag: "tag" };

const KINDS = new Set("spawn exit crash link unlink monitor demonitor down register unregister send receive handle_start handle_end reply timeout late_reply send_to_dead state_change code_change supervisor_restart child_spec_change timer_start timer_fire timer_cancel gc loss mark restored forked exit_signal log input sample held released".split(" "));

/** What stands in double quotes from end to end; they close at the end of what is typed. */
const unquoted = (text) => /^"([^"]+)"?$/.exec(text)?.[1] ?? text;

/** The words as parameters of the server. */
export function readFilter(text) {
  const words = text.trim();
  if (!words) return {};
  if (words.startsWith("|")) return { where: words };
  const values = {};
  const rest = [];
  for (const written of words.match(/(?:[^\s"]|"[^"]*"?)+/g)) {
    const word = unquoted(written);
    const [, key, value] = /^(\w+):(.+)$/.exec(written) || [];
    const add = (name, item) => { values[name] = values[name] ? `${values[name]},${item}` : item; };
    // A list has commas between its items; in quotes they are part of one.
    if (key && KEYS[key]) add(KEYS[key], value.includes(",") ? value : unquoted(value));
    else if (/^(on_\w+)\(/.test(written)) return { where: words };
    else if (KINDS.has(written)) add("kind", word);
    else rest.push(word);
  }
  if (rest.length) values.q = rest.join(" ");
  return values;
}
