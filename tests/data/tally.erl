%% A handler of gen_event: it counts, and answers how many.
-module(tally).
-behaviour(gen_event).
-export([init/1, handle_event/2, handle_call/2, handle_info/2, terminate/2]).

init(N) -> {ok, N}.
handle_event({add, M}, N) -> {ok, N + M};
handle_event(leave, _N) -> remove_handler.
handle_call(total, N) -> {ok, N, N}.
handle_info(_Message, N) -> {ok, N + 100}.
terminate(_Reason, _N) -> ok.
