%% News: a gen_event manager, and the handler that keeps the last headlines. A frail one crashes on `break`.
-module(shop_news).
-behaviour(gen_event).
-export([start_link/0, init/1, handle_event/2, handle_call/2]).

-define(KEPT, 5).

start_link() ->
    {ok, Manager} = gen_event:start_link({local, news}),
    ok = gen_event:add_handler(Manager, ?MODULE, sturdy),
    {ok, Manager}.

init(Kind) -> {ok, #{kind => Kind, headlines => []}}.

handle_event({headline, Text}, #{headlines := Old} = State) ->
    {ok, State#{headlines := lists:sublist([Text | Old], ?KEPT)}};
handle_event(break, #{kind := frail}) -> error(broken);
handle_event(break, State) -> {ok, State}.

handle_call(last, #{headlines := Headlines} = State) -> {ok, Headlines, State}.
