%% Makes things happen without help from outside: the scenarios that the application environment names, in turn, one
%% every every_ms; or one on `{run, Scenario}`.
-module(shop_driver).
-behaviour(gen_server).
-export([start_link/0, init/1, handle_call/3, handle_cast/2, handle_info/2]).

start_link() -> gen_server:start_link({local, shop_driver}, ?MODULE, [], []).

init([]) ->
    {ok, Scenarios} = application:get_env(shop, scenarios),
    {ok, EveryMs} = application:get_env(shop, every_ms),
    {ok, next(#{to_come => Scenarios, every_ms => EveryMs, n_done => 0})}.

handle_call({run, Scenario}, _From, #{n_done := N} = State) -> {reply, shop:run(Scenario), State#{n_done := N + 1}}.

handle_cast(_Request, State) -> {noreply, State}.

handle_info(next, #{to_come := [Scenario | Rest], n_done := N} = State) ->
    _ = shop:run(Scenario),
    {noreply, next(State#{to_come := Rest ++ [Scenario], n_done := N + 1})};
handle_info({run, Scenario}, #{n_done := N} = State) ->
    _ = shop:run(Scenario),
    {noreply, State#{n_done := N + 1}};
handle_info(_Stray, State) -> {noreply, State}.

next(#{to_come := []} = State) -> State;
next(#{every_ms := EveryMs} = State) ->
    erlang:send_after(EveryMs, self(), next),
    State.
