#!/bin/sh
# Records a real trace to measure the store with: ejabberd under a load of XMPP clients, traced through dbg's file trace
# port as `cinema open` reads it. Erlang and ejabberd are those that tests/otp unpacks (OTP 25, or $OTP).
#
#   scripts/traces/ejabberd.sh OUT.trace [CLIENTS] [SECONDS] [calls]
#
# The default, 150 clients for 120 s, gives about 2 M events: messages and process events. With `calls`, calls and
# returns of the callbacks are traced too, so that states are 3 of 4 bytes. Everything listens on 127.0.0.1 only and lives in
# a scratch folder that is removed; nothing that is installed is touched.
set -eu
out=$(realpath "${1:?usage: $0 OUT.trace [CLIENTS] [SECONDS]}")
clients=${2:-150}
seconds=${3:-120}
calls=${4:-no_calls}
here=$(dirname "$(realpath "$0")")
otp=$("$here/../../tests/otp" "${OTP:-25}")
ebin=$(dirname "$(find "$otp/usr/lib" -path '*/ebin/ejabberd.app' | head -n 1)")
scratch=$(mktemp -d)
port=$((20000 + $$ % 20000))
trap 'kill "${server:-}" 2>/dev/null || true; rm -rf "$scratch"' EXIT INT TERM

cat >"$scratch/ejabberd.yml" <<YML
hosts: [localhost]
loglevel: error
log_rotate_count: 0
certfiles: []
auth_method: internal
auth_password_format: plain
max_fsm_queue: 10000
listen:
  - port: $port
    ip: "127.0.0.1"
    module: ejabberd_c2s
    starttls: false
    zlib: false
    max_stanza_size: 262144
    shaper: none
    access: everyone
access_rules:
  everyone:
    - allow: all
modules:
  mod_disco: {}
  mod_last: {}
  mod_muc: {access: everyone, access_create: everyone, default_room_options: {persistent: false}}
  mod_offline: {}
  mod_ping: {}
  mod_private: {}
  mod_roster: {}
  mod_vcard: {}
YML

# The server registers the clients' accounts, then traces itself: messages, process events, and calls with returns
# of the callbacks of its behaviours.
cat >"$scratch/serve.erl" <<'ERL'
-module(serve).
-export([start/4]).
start(Out, Clients, Seconds, Calls) ->
    {ok, _} = application:ensure_all_started(ejabberd),
    [{atomic, ok} = register_user(integer_to_binary(N)) || N <- lists:seq(1, Clients)],
    {ok, _} = dbg:tracer(port, dbg:trace_port(file, Out)),
    Modules = [ejabberd_c2s, ejabberd_router, ejabberd_sm, ejabberd_local, ejabberd_hooks, mod_muc, mod_muc_room,
               mod_roster, mod_offline, mod_ping, mod_last, mod_vcard, xmpp_stream_in, supervisor],
    Callbacks = [handle_call, handle_cast, handle_info, handle_event, init, terminate],
    [dbg:tpl(M, F, [{'_', [], [{return_trace}]}]) || Calls =:= calls, M <- Modules, F <- Callbacks],
    {ok, _} = dbg:p(all, [m, p, c, strict_monotonic_timestamp]),
    io:format("ready~n"),
    timer:sleep(Seconds * 1000),
    dbg:stop_clear(),
    timer:sleep(1000),
    io:format("done~n"),
    erlang:halt(0).
register_user(Name) ->
    case ejabberd_auth:try_register(<<"u", Name/binary>>, <<"localhost">>, <<"secret">>) of
        ok -> {atomic, ok};
        Other -> Other
    end.
ERL
(cd "$scratch" && "$otp/usr/bin/erlc" serve.erl)

# ejabberd wants rebar's layout of library names; the Erlang path of the package has it.
EJABBERD_CONFIG_PATH="$scratch/ejabberd.yml" EJABBERD_LOG_PATH="$scratch/ejabberd.log" ERL_CRASH_DUMP_SECONDS=0 \
    "$otp/usr/bin/erl" -noinput -pa "$ebin" "$scratch" -mnesia dir "\"$scratch/mnesia\"" -sasl errlog_type error \
    -eval "serve:start(\"$out\", $clients, $seconds, $calls)" >"$scratch/serve.out" 2>&1 &
server=$!
n=0
until grep -q ready "$scratch/serve.out"; do
    n=$((n + 1))
    if [ $n -gt 300 ] || ! kill -0 $server 2>/dev/null; then
        cat "$scratch/serve.out" "$scratch/ejabberd.log" >&2 2>/dev/null || true
        exit 1
    fi
    sleep 0.2
done
"$otp/usr/bin/escript" "$here/xmpp_load.escript" "$port" "$clients" "$seconds"
wait $server || true
ls -l "$out"
