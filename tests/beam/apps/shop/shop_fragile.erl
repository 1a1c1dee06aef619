%% Crashes when told to, with the reason it is told.
-module(shop_fragile).
-behaviour(gen_server).
-export([start_link/0, init/1, handle_call/3, handle_cast/2]).

start_link() -> gen_server:start_link({local, fragile}, ?MODULE, [], []).

init([]) -> {ok, #{served => 0}}.

handle_call({crash, Reason}, _From, _State) -> error(Reason);
handle_call(serve, _From, #{served := N} = State) -> {reply, N + 1, State#{served := N + 1}}.

handle_cast({crash, Reason}, _State) -> exit(Reason).
