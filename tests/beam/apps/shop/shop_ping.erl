%% Calls pong again and again: the busy pair.
-module(shop_ping).
-behaviour(gen_server).
-export([start_link/0, run/1, init/1, handle_call/3, handle_cast/2]).

start_link() -> gen_server:start_link({local, ping}, ?MODULE, [], []).

%% Makes N calls, and gives the microseconds they took.
run(N) -> gen_server:call(ping, {run, N}, infinity).

init([]) -> {ok, #{n_calls => 0}}.

handle_call({run, N}, _From, #{n_calls := NCalls} = State) ->
    {Us, ok} = timer:tc(fun() -> calls(N) end),
    {reply, {us, Us}, State#{n_calls := NCalls + N}}.

handle_cast(_Request, State) -> {noreply, State}.

calls(0) -> ok;
calls(N) ->
    {pong, _} = gen_server:call(pong, ping),
    calls(N - 1).
