%% Sends itself messages as fast as the node can: two trace events for each, and a mailbox that does not grow. A
%% plain process under proc_lib, of no behaviour.
-module(shop_flood).
-export([start_link/0, start/1, stop/0, enter/1]).

start_link() -> proc_lib:start_link(?MODULE, enter, [self()]).

%% Begins N rounds, or rounds until stop/0.
start(N) ->
    flood ! {start, N},
    ok.

%% How many rounds there have been since start/1.
stop() ->
    Ref = make_ref(),
    flood ! {stop, self(), Ref},
    receive {Ref, NRounds} -> NRounds end.

enter(Parent) ->
    register(flood, self()),
    proc_lib:init_ack(Parent, {ok, self()}),
    idle(0).

idle(NRounds) ->
    receive
        {start, N} -> flood(N, 0);
        {stop, From, Ref} -> From ! {Ref, NRounds}, idle(NRounds)
    end.

flood(N, N) -> idle(N);
flood(N, NRounds) ->
    self() ! {round, NRounds},
    receive
        {round, _} -> flood(N, NRounds + 1);
        {stop, From, Ref} ->
            receive {round, _} -> ok end,
            From ! {Ref, NRounds + 1},
            idle(NRounds + 1)
    end.
