%% Answers ping.
-module(shop_pong).
-behaviour(gen_server).
-export([start_link/0, init/1, handle_call/3, handle_cast/2]).

start_link() -> gen_server:start_link({local, pong}, ?MODULE, [], []).

init([]) -> {ok, #{count => 0}}.

handle_call(ping, _From, #{count := Count} = State) -> {reply, {pong, Count + 1}, State#{count := Count + 1}};
%% A callback that does real work: sorts this many numbers.
handle_call({work, N}, _From, #{count := Count} = State) ->
    Sorted = lists:sort([erlang:phash2({Count, Idx}) || Idx <- lists:seq(1, N)]),
    {reply, {done, hd(Sorted)}, State#{count := Count + 1}}.

handle_cast(_Request, State) -> {noreply, State}.
