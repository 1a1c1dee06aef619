%% A gen_server that does what its requests tell it.
-module(told).
-behaviour(gen_server).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, handle_continue/2, terminate/2]).

init({stop, Reason}) -> {stop, Reason};
init(ignore) -> ignore;
init({raise, Reason}) -> error(Reason);
init({exit, Reason}) -> exit(Reason);
init(bad) -> nonsense;
init({continue, What}) -> {ok, 0, {continue, What}};
init(trap) -> process_flag(trap_exit, true), {ok, 0};
init(N) -> {ok, N}.

handle_call(get, _, N) -> {reply, N, N};
handle_call({add, M}, _, N) -> {reply, N + M, N + M};
handle_call({stop, Reason}, _, N) -> {stop, Reason, N};
handle_call({stop_reply, Reason}, _, N) -> {stop, Reason, last_words, N};
handle_call({continue, What}, _, N) -> {reply, ok, N, {continue, What}};
handle_call({wait, Ms}, _, N) -> {reply, ok, N, Ms};
handle_call({sleep, Ms}, _, N) -> timer:sleep(Ms), {reply, slept, N};
handle_call({raise, Reason}, _, _) -> error(Reason);
handle_call({exit, Reason}, _, _) -> exit(Reason);
handle_call({throw, Value}, _, _) -> throw(Value);
handle_call({bad, Value}, _, _) -> Value;
handle_call({later, Ms}, From, N) -> erlang:send_after(Ms, self(), {reply, From}), {noreply, N};
handle_call({call, Dest}, _, N) -> {reply, gen_server:call(Dest, get, 20), N}.

handle_cast({stop, Reason}, N) -> {stop, Reason, N};
handle_cast({add, M}, N) -> {noreply, N + M}.

handle_info({sleep, Ms}, N) -> timer:sleep(Ms), {noreply, N};
handle_info({reply, From}, N) -> gen_server:reply(From, N), {noreply, N};
handle_info(Other, N) -> parity:say({info, Other}), {noreply, N}.

handle_continue(What, N) -> parity:say({continue, What}), {noreply, N}.

terminate(Reason, _) -> parity:say({terminate, Reason}).
