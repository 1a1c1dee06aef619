%% Runs each program of programs.erl and prints its outcome: one line, `Name Terms`, where
%% Terms is the list of what its processes said. What differs from run to run is cleaned away.
-module(parity).
-export([main/0, say/1]).

main() ->
    logger:set_primary_config(level, none),
    lists:foreach(fun run/1, programs:names()),
    halt(0).

say(Term) ->
    collector ! {say, Term},
    Term.

run(Name) ->
    Collector = spawn(fun() -> collect([]) end),
    register(collector, Collector),
    {_, Monitor} = spawn_monitor(fun() -> programs:Name() end),
    receive {'DOWN', Monitor, _, _, _} -> ok after 20000 -> say(hangs) end,
    timer:sleep(20),
    Collector ! {done, self()},
    receive {said, Terms} -> io:format("~s ~w~n", [Name, clean(Terms)]) end,
    unregister(collector).

collect(Said) ->
    receive
        {say, Term} -> collect([Term | Said]);
        {done, From} -> From ! {said, lists:reverse(Said)}, receive never -> ok end
    end.

%% Pids and references by their sort, stacks as [].
clean(Pid) when is_pid(Pid) -> pid;
clean(Ref) when is_reference(Ref) -> ref;
clean([{M, F, A, Where} | _]) when is_atom(M), is_atom(F), is_list(Where), (is_integer(A) orelse is_list(A)) -> [];
clean([alias | Ref]) when is_reference(Ref) -> ref;
clean([Head | Tail]) -> [clean(Head) | clean(Tail)];
clean(Tuple) when is_tuple(Tuple) -> list_to_tuple(clean(tuple_to_list(Tuple)));
clean(Map) when is_map(Map) -> maps:map(fun(_, V) -> clean(V) end, Map);
clean(Other) -> Other.
