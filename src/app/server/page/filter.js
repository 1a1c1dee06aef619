// The filter box's words: kinds, from:alice, kind:send, any text, or a script |e| .. It knows no page.

const KEYS = { from: "process", to: "process", process: "process", pid: "process", kind: "kind", class: "class", tag: "tag" };

const KINDS = new Set("spawn exit crash link unlink monitor demonitor down register unregister send receive handle_start handle_end reply timeout late_reply send_to_dead state_change code_change supervisor_restart child_spec_change timer_start timer_fire timer_cancel gc loss mark restored forked exit_signal log input sample held released".split(" "));

/** The words as parameters of the server. */
export function readFilter(text) {
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
    else if (KINDS.has(word)) add("kind", word);
    else rest.push(word);
  }
  if (rest.length) values.q = rest.join(" ");
  return values;
}
