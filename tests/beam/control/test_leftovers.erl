%% What a debugger may leave behind on a node, compared with how the node was when it was ready. Everything is said
%% as text, by category; an empty list everywhere is a clean node.
-module(test_leftovers).
-export([baseline/0, left/0, settled/1]).

%% How long a process may take to answer a system message.
-define(ANSWER_MS, 2000).

%% Remembers how the node is now. To be called by the process that asks later.
baseline() ->
    put(?MODULE, #{
        processes => sets:from_list(processes()),
        ports => sets:from_list(erlang:ports()),
        drivers => drivers(),
        modules => foreign_modules(),
        connections => nodes(connected)
    }),
    ok.

%% As left/0, as soon as nothing is left, or after this time.
settled(WithinMs) ->
    settled_by(erlang:monotonic_time(millisecond) + WithinMs).

settled_by(DeadlineMs) ->
    Left = left(),
    IsClean = lists:all(fun(Of) -> Of =:= [] end, maps:values(Left)),
    case IsClean orelse erlang:monotonic_time(millisecond) >= DeadlineMs of
        true -> Left;
        false -> receive after 20 -> settled_by(DeadlineMs) end
    end.

left() ->
    Baseline = get(?MODULE),
    Found = #{
        traced => traced(),
        patterns => patterns(),
        sessions => sessions(),
        processes => [about(Pid) || Pid <- processes(), is_alien(Pid, Pid, processes, Baseline)],
        ports => [about_port(Port) || Port <- erlang:ports(), is_alien_port(Port, Baseline)],
        suspended => [about(Pid) || Pid <- processes(), process_info(Pid, status) =:= {status, suspended}],
        debugged => lists:append([debugged(Pid) || Pid <- processes(), answers_system_messages(Pid)]),
        drivers => drivers() -- maps:get(drivers, Baseline),
        connections => nodes(connected) -- maps:get(connections, Baseline),
        modules => foreign_modules() -- maps:get(modules, Baseline)
    },
    maps:map(fun(_, Things) -> [unicode:characters_to_binary(io_lib:format("~0tp", [T])) || T <- Things] end, Found).

%% Trace flags of processes, ports, and of what will be spawned.
traced() ->
    Named = [{Who, erlang:trace_info(Who, flags)} || Who <- [new_processes, new_ports]],
    Living = [{about(Pid), erlang:trace_info(Pid, flags)} || Pid <- processes()],
    Ports = [{about_port(Port), erlang:trace_info(Port, flags)} || Port <- erlang:ports()],
    [{Who, Flags} || {Who, {flags, Flags}} <- Named ++ Living ++ Ports, Flags =/= []].

%% Trace patterns of messages and of every function of every loaded module.
patterns() ->
    Messages = [{What, erlang:trace_info(What, match_spec)} || What <- [send, 'receive']],
    OnLoad = [{on_load, erlang:trace_info(on_load, all)}],
    Calls = [{MFA, erlang:trace_info(MFA, all)} || MFA <- functions()],
    [Set || {_, {_, Spec}} = Set <- Messages ++ OnLoad ++ Calls, not lists:member(Spec, [true, [], false, undefined])].

functions() ->
    [{Module, Name, Arity} || {Module, _} <- code:all_loaded(), {Name, Arity} <- Module:module_info(functions)].

%% Trace sessions (from OTP 27 on), without the one that erlang:trace uses: traced/0 and patterns/0 look at that.
sessions() ->
    case erlang:function_exported(trace, session_info, 1) of
        true -> [Session || Session <- trace:session_info(all), Session =/= {legacy, default}];
        false -> []
    end.

%% Whether a process is neither as old as the baseline nor part of an application.
is_alien(Thing, Owner, Key, Baseline) ->
    IsOld = sets:is_element(Thing, maps:get(Key, Baseline)),
    not IsOld andalso is_process_alive(Owner) andalso application:get_application(Owner) =:= undefined.

is_alien_port(Port, Baseline) ->
    case erlang:port_info(Port, connected) of
        {connected, Owner} -> is_alien(Port, Owner, ports, Baseline);
        undefined -> false
    end.

%% The processes whose behaviours are OTP's own: others would find our question in their mailbox.
answers_system_messages(Pid) ->
    case process_info(Pid, dictionary) of
        {dictionary, Dictionary} ->
            case lists:keyfind('$initial_call', 1, Dictionary) of
                {_, {gen_event, init_it, 6}} -> true;
                {_, {_, init, 1}} -> true;
                _ -> false
            end;
        undefined -> false
    end.

%% Debug functions, and processes held by sys:suspend.
debugged(Pid) ->
    try sys:get_status(Pid, ?ANSWER_MS) of
        {status, _, _, [_, running, _, [], _]} -> [];
        {status, _, _, [_, State, _, Debug, _]} -> [{about(Pid), State, Debug}]
    catch
        exit:{timeout, _} -> [{about(Pid), no_answer_in_ms, ?ANSWER_MS}];
        exit:_ -> []
    end.

drivers() ->
    {ok, Drivers} = erl_ddll:loaded_drivers(),
    Drivers.

%% Modules that came from somewhere else than a file of this node.
foreign_modules() -> [Module || {Module, File} <- code:all_loaded(), is_list(File), not filelib:is_regular(File)].

about(Pid) ->
    case process_info(Pid, [registered_name, initial_call, current_function, group_leader]) of
        undefined -> {Pid, gone};
        [{_, []} | Rest] -> {Pid, Rest};
        [{_, Name} | _] -> {Pid, Name}
    end.

about_port(Port) -> {Port, erlang:port_info(Port, name), erlang:port_info(Port, connected)}.
