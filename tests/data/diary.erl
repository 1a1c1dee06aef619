%% Another handler of gen_event: it keeps every event.
-module(diary).
-behaviour(gen_event).
-export([init/1, handle_event/2, handle_call/2, handle_info/2]).

init([]) -> {ok, []}.
handle_event(Event, Pages) -> {ok, [Event | Pages]}.
handle_call(read, Pages) -> {ok, Pages, Pages}.
handle_info(_Message, Pages) -> {ok, Pages}.
