%% Cinema's agent: what runs on a target node. Not a module: these expressions are evaluated by erl_eval, so nothing
%% is loaded and nothing is left. Bound are
%%   Owner    our pid, on our own hidden node; the process that evaluates this, the holder, is linked to it
%%   Beat_ms  silence of Owner after which the holder ends
%%
%% Two processes. The holder owns the trace port, does what Owner asks, and watches the limits. The janitor listens to
%% Owner's heart and ends the holder when it stops beating; it is told of every effect *before* it is made, and undoes
%% just those when the holder is gone, whatever made it go.
%%
%% Owner sends the holder {Ref, Request} and gets {Ref, Answer}, and sends the janitor beats. By itself the holder sends
%% {event, What}.

Holder = self(),
Tick_ms = 250,

%% OTP 27 and later: tracing happens in a session of our own, which ends with its handle.
HasSessions = element(1, code:ensure_loaded(trace)) =:= module andalso erlang:function_exported(trace, session_create, 3),

%% ---- The janitor.

System = fun(Pid, Request) -> Pid ! {system, {self(), make_ref()}, Request} end,

%% Each call of trace_pattern waits for all schedulers, on a busy node for long: one takes off all that are ours, unless
%% there are others.
UndoPatterns = fun
    ([]) -> ok;
    (Ours) ->
        All = [{M, F, A} || {M, _} <- code:all_loaded(), {F, A} <- M:module_info(functions)],
        case [MFA || MFA <- All, erlang:trace_info(MFA, traced) =/= {traced, false}] -- Ours of
            [] -> erlang:trace_pattern({'_', '_', '_'}, false, [local]);
            _ -> [catch erlang:trace_pattern(MFA, false, [local]) || MFA <- Ours]
        end
end,

UndoOther = fun
    (received) -> catch erlang:trace_pattern('receive', true, []);
    (new_processes) -> catch erlang:trace(new_processes, false, [all]);
    ({debug, Pid, Id}) -> System(Pid, {debug, {remove, Id}});
    ({suspended, Pid}) -> System(Pid, resume)
end,

Undo = fun(Effects) ->
    Patterns = [MFA || {pattern, MFA} <- Effects],
    lists:foreach(UndoOther, Effects -- [{pattern, MFA} || MFA <- Patterns]),
    UndoPatterns(Patterns)
end,

%% 1 when all is over, for who must not ask by a message: that would show in the trace.
IsOver = atomics:new(1, []),

%% Time is counted in ticks, not read from a clock: a node that stood still finds its owner as it left it.
Janitor = spawn_link(fun() ->
    process_flag(trap_exit, true),
    erlang:send_after(Tick_ms, self(), tick),
    %% Owner leaves the workers out of the recording. The janitor must not wait for a connection that does not move.
    Note = fun(What) -> erlang:send(Owner, {event, What}, [nosuspend]) end,
    %% What a worker announced came before the news of its end.
    EndAll = fun(Workers) ->
        [exit(Pid, kill) || Pid <- maps:values(Workers)],
        [receive {'DOWN', Monitor, process, _, _} -> ok end || Monitor <- maps:keys(Workers)]
    end,
    Announced = fun More(Effects) -> receive {effect, Effect} -> More([Effect | Effects]) after 0 -> Effects end end,
    (fun Loop(Effects, Workers, NSilent) ->
        receive
            {effect, Effect} ->
                Loop([Effect | lists:delete(Effect, Effects)], Workers, NSilent);
            {undo, Which, Then} ->
                Undo([Effect || Effect <- Which, lists:member(Effect, Effects)]),
                Then(),
                Loop(Effects -- Which, Workers, NSilent);
            {undo_all, Then} ->
                EndAll(Workers),
                Undo(Announced(Effects)),
                Then(),
                Loop([], #{}, NSilent);
            {work, Job} ->
                {Pid, Monitor} = spawn_monitor(fun() -> receive go -> Job() end end),
                Note({worker, Pid, began}),
                Pid ! go,
                Loop(Effects, Workers#{Monitor => Pid}, NSilent);
            beat ->
                Loop(Effects, Workers, 0);
            tick ->
                NSilent * Tick_ms < Beat_ms orelse exit(Holder, {cinema, owner_is_silent}),
                erlang:send_after(Tick_ms, self(), tick),
                Loop(Effects, Workers, NSilent + 1);
            {'DOWN', Worker, process, Pid, _} ->
                Note({worker, Pid, ended}),
                Loop(Effects, maps:remove(Worker, Workers), NSilent);
            {'EXIT', Holder, _} ->
                atomics:put(IsOver, 1, 1),
                EndAll(Workers),
                Undo(Announced(Effects));
            %% Answers to system messages.
            _ ->
                Loop(Effects, Workers, NSilent)
        end
    end)([], #{}, 0)
end),

Will = fun(Effect) -> Janitor ! {effect, Effect} end,
Revoke = fun(Effects) ->
    Done = make_ref(),
    Janitor ! {undo, Effects, fun() -> Holder ! Done end},
    receive Done -> ok end
end,

%% ---- Tracing. A tracer is #{to := Port | Pid, session := Session | none | over}; `none` before OTP 27, `over` when
%% nothing is traced any more and the tracer only has to be emptied.

%% The code path may lack runtime_tools (mix leaves out what a project does not name) where it is installed all the same.
DriverDir = fun() ->
    case code:priv_dir(runtime_tools) of
        {error, _} ->
            case filelib:wildcard(filename:join([code:lib_dir(), "runtime_tools-*", "priv", "lib"])) of
                [] -> none;
                Dirs -> lists:last(Dirs)
            end;
        Dir -> filename:join(Dir, "lib")
    end
end,

OpenPort = fun(QueueLen) ->
    case DriverDir() of
        none ->
            {error, no_runtime_tools};
        Dir ->
            case erl_ddll:load_driver(Dir, "trace_ip_drv") of
                ok ->
                    Args = lists:flatten(io_lib:format("trace_ip_drv 0 ~w 2", [QueueLen])),
                    Port = open_port({spawn, Args}, [eof]),
                    <<0, TcpPort:16>> = iolist_to_binary(port_control(Port, $p, "")),
                    {ok, Port, TcpPort};
                {error, Reason} ->
                    {error, {no_driver, lists:flatten(erl_ddll:format_error(Reason))}}
            end
    end
end,

%% Without runtime_tools: a process is the tracer and forwards frames like the port's over the distribution, as many
%% batches ahead as it has credit for. What waits beyond QueueLen is dropped and counted in its place, as the port does.
Forwarder = fun(QueueLen, Ahead) ->
    Frame = fun(Trace) -> Bytes = term_to_binary(Trace), <<0, (byte_size(Bytes)):32, Bytes/binary>> end,
    Drain = fun Drain(0, N) -> N;
                Drain(Left, N) -> receive Trace when element(1, Trace) =:= trace_ts -> Drain(Left - 1, N + 1) after 0 -> N end end,
    Gather = fun
        Gather(0, Frames) -> lists:reverse(Frames);
        Gather(N, Frames) ->
            receive {mark, Term} -> Gather(N - 1, [Frame(Term) | Frames]);
                    Trace when element(1, Trace) =:= trace_ts -> Gather(N - 1, [Frame(Trace) | Frames])
            after 0 -> lists:reverse(Frames) end
    end,
    spawn_link(fun() ->
        Forward = fun(Frames) -> Owner ! {frames, iolist_to_binary(Frames)} end,
        (fun Loop(Credit, NLost) ->
            N = case process_info(self(), message_queue_len) of
                {_, Len} when Len > QueueLen -> NLost + Drain(Len, 0);
                _ -> NLost
            end,
            Lost = [<<1, N:32>> || N > 0],
            case Credit of
                0 ->
                    receive more -> Loop(1, N) after 10 -> Loop(0, N) end;
                _ when Lost =/= [] ->
                    Forward([Lost | Gather(200, [])]),
                    Loop(Credit - 1, 0);
                _ ->
                    receive
                        more -> Loop(Credit + 1, 0);
                        {mark, Term} -> Forward([Frame(Term) | Gather(200, [])]), Loop(Credit - 1, 0);
                        Trace when element(1, Trace) =:= trace_ts ->
                            Forward([Frame(Trace) | Gather(200, [])]), Loop(Credit - 1, 0)
                    end
            end
        end)(Ahead, 0)
    end)
end,

%% Flags are added to those that are there: what another way to capture had more is taken off first.
TraceProcess = fun(#{session := Session, to := To}, Who, Flags) ->
    TooMany = [send, call, arity, return_to] -- Flags,
    case Session of
        none ->
            is_atom(Who) orelse TooMany =:= [] orelse erlang:trace(Who, false, TooMany),
            erlang:trace(Who, true, [{tracer, To} | Flags]);
        _ ->
            is_atom(Who) orelse TooMany =:= [] orelse trace:process(Session, Who, false, TooMany),
            trace:process(Session, Who, true, Flags)
    end
end,

%% Whose process is it: free | ours | other. Before sessions a process has one tracer, and we never take another tool's.
TracedBy = fun
    (#{session := none, to := To}, Pid) ->
        case erlang:trace_info(Pid, tracer) of
            {tracer, []} -> free;
            {tracer, To} -> ours;
            undefined -> gone;
            _ -> other
        end;
    (_, _) -> free
end,

%% Sets flags on processes; gives {N, Refused}.
TraceAll = fun(Tracer, Pids, Flags) ->
    Own = [Holder, Janitor, maps:get(to, Tracer), whereis(auth)],
    lists:foldl(
        fun(Pid, {N, Refused}) ->
            case lists:member(Pid, Own) orelse TracedBy(Tracer, Pid) of
                true -> {N, Refused};
                gone -> {N, Refused};
                other -> {N, [{Pid, traced_by_another} | Refused]};
                _ ->
                    try TraceProcess(Tracer, Pid, Flags) of M -> {N + M, Refused}
                    catch error:Reason -> {N, [{Pid, Reason} | Refused]} end
            end
        end, {0, []}, Pids)
end,

SetPattern = fun
    (#{session := none}, MFA, Spec) ->
        case erlang:trace_info(MFA, traced) of
            {traced, T} when T =:= false; T =:= undefined ->
                Will({pattern, MFA}),
                erlang:trace_pattern(MFA, Spec, [local]);
            _ ->
                traced_by_another
        end;
    (#{session := Session}, MFA, Spec) ->
        trace:function(Session, MFA, Spec, [local])
end,
ResetPattern = fun
    (#{session := none}, MFA, Spec) -> erlang:trace_pattern(MFA, Spec, [local]);
    (#{session := Session}, MFA, Spec) -> trace:function(Session, MFA, Spec, [local])
end,

%% Before sessions there is one receive pattern, and one tracer of new processes: `HasSet` says that they are ours.
%% The node's cookie is told to nobody: not as an answer to who asks for it, and the process that keeps it is not traced.
IsCookie = {['_', '_', {'_', '$4'}], [{'=:=', '$4', {const, erlang:get_cookie()}}], [{message, false}]},
SetReceive = fun
    (#{session := none}, Spec, HasSet) ->
        case erlang:trace_info('receive', match_spec) of
            {match_spec, M} when HasSet; M =:= []; M =:= true; M =:= false; M =:= undefined ->
                Will(received),
                erlang:trace_pattern('receive', [IsCookie | Spec], []);
            _ ->
                traced_by_another
        end;
    (#{session := Session}, Spec, _) ->
        trace:recv(Session, [IsCookie | Spec], [])
end,

TraceNew = fun
    (#{session := none, to := To} = Tracer, Flags) ->
        case erlang:trace_info(new_processes, tracer) of
            {tracer, T} when T =:= []; T =:= To -> Will(new_processes), TraceProcess(Tracer, new_processes, Flags);
            _ -> traced_by_another
        end;
    (Tracer, Flags) ->
        TraceProcess(Tracer, new_processes, Flags)
end,

Mark = fun
    (#{to := Port}, Term) when is_port(Port) -> port_command(Port, term_to_binary(Term));
    (#{to := Pid}, Term) -> Pid ! {mark, Term}
end,

%% Takes back every flag and pattern: nothing new comes, what has come is still on its way through the tracer.
Quiet = fun
    (#{tracer := #{to := To, session := Session} = Tracer, set := Set} = S) when Session =/= over ->
        case Session of
            none ->
                Ours = [Pid || Pid <- processes(), erlang:trace_info(Pid, tracer) =:= {tracer, To}],
                [catch erlang:trace(Pid, false, [all]) || Pid <- Ours],
                Revoke(Set);
            _ ->
                trace:session_destroy(Session)
        end,
        S#{tracer := Tracer#{session := over}, set := [], traced := [], limits := #{}};
    (S) -> S
end,

%% Closes the tracer, and with it whatever is still on its way there.
Close = fun
    (#{tracer := none} = S) -> S;
    (#{tracer := #{to := To}} = S) ->
        case is_port(To) of
            true -> catch port_close(To), erl_ddll:unload_driver("trace_ip_drv");
            false -> unlink(To), exit(To, kill)
        end,
        S#{tracer := none}
end,

%% ---- Looking at processes. Each look runs in a process of its own, so that a busy target never holds the holder up.

Behaviours = fun(Module) ->
    Attributes = try Module:module_info(attributes) catch error:undef -> [] end,
    lists:append([Names || {Key, Names} <- Attributes, Key =:= behaviour orelse Key =:= behavior])
end,

%% Whether a process answers system messages: by the loop that it is in or, where that is out of sight (it hibernates,
%% or is deep in a callback), by the init/1 of a behaviour that it was started with. To any other process such a message
%% would stay in its mailbox for ever.
IsOtp = fun(Pid) ->
    Loops = [gen_server, gen_statem, gen_event, supervisor, sys, 'Elixir.GenServer', 'Elixir.DynamicSupervisor'],
    case process_info(Pid, current_stacktrace) of
        undefined ->
            gone;
        {current_stacktrace, Stack} ->
            lists:any(fun({Module, _, _, _}) -> lists:member(Module, Loops) end, Stack) orelse
                case catch proc_lib:translate_initial_call(Pid) of
                    {supervisor, _, 1} -> true;
                    {gen_event, init_it, _} -> true;
                    {Module, init, 1} -> lists:any(fun(B) -> lists:member(B, Loops) end, [Module | Behaviours(Module)]);
                    _ -> false
                end
    end
end,

Bytes = fun(Term) -> erlang:external_size(Term) end,

GetState = fun(Pid, BytesMax, Timeout_ms) ->
    IsKeeper = Pid =:= whereis(auth),
    case IsOtp(Pid) of
        _ when IsKeeper -> {error, keeps_the_cookie};
        gone -> {error, noproc};
        false -> {error, not_otp};
        true ->
            {total_heap_size, Words} = process_info(Pid, total_heap_size),
            case Words * erlang:system_info(wordsize) > 8 * BytesMax of
                true -> {error, {too_large, Words * erlang:system_info(wordsize)}};
                false ->
                    try sys:get_state(Pid, Timeout_ms) of
                        State ->
                            case Bytes(State) of
                                N when N > BytesMax -> {error, {too_large, N}};
                                _ -> {ok, erlang:monotonic_time(nanosecond), State}
                            end
                    catch exit:{timeout, _} -> {error, timeout};
                          exit:Reason -> {error, {exit, Reason}} end
            end
    end
end,

Items = [registered_name, initial_call, current_function, status, message_queue_len, memory, total_heap_size,
         reductions, links, parent, group_leader, trap_exit],

%% proc_lib:get_label/1 came with OTP 27.
HasLabels = erlang:function_exported(proc_lib, get_label, 1),
Label = fun(Pid) -> case HasLabels of true -> proc_lib:get_label(Pid); false -> undefined end end,

Facts = fun(Pids) ->
    [{Pid, Info, catch proc_lib:translate_initial_call(Pid), Label(Pid)}
        || Pid <- Pids, Info <- [process_info(Pid, Items)], Info =/= undefined]
end,

%% What a module is for, by its attributes; only loaded modules are asked.
ModuleFacts = fun(Modules) ->
    [{M, Behaviours(M), [FA || {F, A} = FA <- M:module_info(exports), A =:= 3 orelse {F, A} =:= {handle_event, 4}]}
        || M <- Modules, erlang:module_loaded(M)]
end,

%% ---- Stopping a process inside its own loop, by a debug function (sys:install/2).

%% Holds the process at a hit until it is let go, its deadline passes, or the holder ends. What lets it go is sent to
%% an alias: once that is off, nothing of ours can reach the process's mailbox.
Hold = fun(#{id := Id, is_off := IsOff, deadline_ms := Deadline_ms, bytes_max := BytesMax}, Phase, Message, State) ->
    Shown = fun(Term, As) -> case Bytes(Term) of N when N > BytesMax -> {too_large, N}; _ -> {As, Term} end end,
    ShownState = case State of {part, Part} -> Shown(Part, part); _ -> Shown(State, ok) end,
    Alias = erlang:monitor(process, Holder, [{alias, explicit_unalias}]),
    Holder ! {hit, Id, self(), {Alias, IsOff}, {Phase, erlang:monotonic_time(nanosecond), Shown(Message, ok), ShownState}},
    End = receive
        {Alias, resume} -> resumed;
        {'DOWN', Alias, process, Holder, _} -> gone
    after Deadline_ms -> deadline end,
    erlang:unalias(Alias),
    erlang:demonitor(Alias, [flush]),
    (fun Flush() -> receive {Alias, resume} -> Flush() after 0 -> ok end end)(),
    Holder ! {released, Id, self(), End},
    End
end,

Matches = fun(Spec, Phase, Message, State, Last) ->
    Whole = fun({part, Part}) -> Part; (Term) -> Term end,
    ets:match_spec_run([{Phase, Message, Whole(State), Whole(Last)}], Spec) =/= []
end,

%% One call per debug event of the process; `last` is the state after the callback before.
Step = fun(#{spec := Spec, phase := Wanted, is_once := IsOnce, last := Last} = F, Phase, Message, State) ->
    F2 = F#{last := State, message := Message},
    case Wanted =:= Phase andalso Matches(Spec, Phase, Message, State, Last) of
        false -> F2;
        true ->
            case Hold(F, Phase, Message, State) of
                gone -> done;
                _ when IsOnce -> done;
                _ -> F2
            end
    end
end,

%% gen_server tells {in, Msg} and {out, Reply, To, State} or {noreply, State}; gen_event only {in, Msg}. gen_statem tells
%% {in, Event, Name} and {consume, Event, Name, NextName}: of its state the name, never the data.
DebugFun = fun(#{is_off := IsOff, last := Last, message := Before} = F, Event, _) ->
    Named = fun(Name) -> {part, #{state => Name}} end,
    case {atomics:get(IsOver, 1) + atomics:get(IsOff, 1), Event} of
        {N, _} when N > 0 -> done;
        {0, {in, Message}} -> Step(F, before, Message, Last);
        {0, {in, Message, Name}} -> Step(F, before, Message, Named(Name));
        {0, {noreply, State}} -> Step(F, 'after', Before, State);
        {0, {out, _, _, State}} -> Step(F, 'after', Before, State);
        {0, {consume, Message, Name, Next}} -> Step(F#{last := Named(Name)}, 'after', Message, Named(Next));
        _ -> F
    end
end,

%% A request that comes too late is followed by this one.
TakeBack = fun(Effect) -> Janitor ! {undo, [Effect], fun() -> ok end} end,

%% `IsOff` becomes 1 when the hold is taken out: the message that takes it out of the process comes after all that wait in
%% its mailbox, and any of those could hit again.
Install = fun(Pid, Id, IsOff, Phase, Spec, Options) ->
    case IsOtp(Pid) of
        gone -> {error, noproc};
        false -> {error, not_otp};
        true ->
            #{deadline_ms := Deadline_ms, bytes_max := BytesMax, is_once := IsOnce, timeout_ms := Timeout_ms} = Options,
            F = #{id => Id, is_off => IsOff, phase => Phase, spec => ets:match_spec_compile(Spec), deadline_ms => Deadline_ms,
                  bytes_max => BytesMax, is_once => IsOnce, last => '$cinema_unknown', message => '$cinema_unknown'},
            Will({debug, Pid, Id}),
            try sys:install(Pid, {Id, DebugFun, F}, Timeout_ms) of
                ok -> ok;
                Other -> {error, Other}
            catch exit:{timeout, _} -> atomics:put(IsOff, 1, 1), TakeBack({debug, Pid, Id}), {error, timeout};
                  exit:Reason -> {error, {exit, Reason}} end
    end
end,

%% Suspends a process between two callbacks (sys:suspend/1).
Suspend = fun(Pid, Timeout_ms) ->
    case IsOtp(Pid) of
        gone -> {error, noproc};
        false -> {error, not_otp};
        true ->
            Will({suspended, Pid}),
            try sys:suspend(Pid, Timeout_ms) of ok -> ok
            catch exit:{timeout, _} -> TakeBack({suspended, Pid}), {error, timeout};
                  exit:Reason -> {error, {exit, Reason}} end
    end
end,

Replace = fun(Pid, New, Timeout_ms) ->
    case IsOtp(Pid) of
        gone -> {error, noproc};
        false -> {error, not_otp};
        true ->
            try sys:replace_state(Pid, fun(_) -> New end, Timeout_ms) of State -> {ok, erlang:monotonic_time(nanosecond), State}
            catch exit:{timeout, _} -> {error, timeout};
                  exit:Reason -> {error, {exit, Reason}} end
    end
end,

%% Slow work has a process of its own, which the janitor ends with everything else.
Work = fun(Ref, Job) ->
    Janitor ! {work, fun() -> Owner ! {Ref, try Job() catch C:R -> {error, {C, R}} end} end}
end,

%% ---- Limits, looked at four times a second. The first one that is tripped ends the tracing and is told.

Tripped = fun(#{limits := Limits, traced := Traced}) ->
    Over = fun
        (until_ms, Max) -> erlang:monotonic_time(millisecond) > Max;
        (memory_bytes, Max) -> erlang:memory(total) > Max;
        (queue_len, Max) ->
            lists:any(fun(Pid) -> case process_info(Pid, message_queue_len) of {_, N} -> N > Max; _ -> false end end, Traced)
    end,
    case [Key || {Key, Max} <- maps:to_list(Limits), Over(Key, Max)] of [] -> none; [Key | _] -> Key end
end,

%% ---- What Owner can ask. `holds` has the switch of every hold that was asked for, `held` the alias of every process
%% that is held at a hit.

Tell = fun(What) -> Owner ! {event, What} end,

%% What is on its way gets a second to arrive.
StopFor = fun
    (#{tracer := #{to := To, session := Session}} = S, Limit) when Session =/= over ->
        Stopped = Quiet(S),
        erlang:send_after(1000, self(), {close, To}),
        Tell({stopped, Limit}),
        Stopped;
    (S, _) -> S
end,

LetGo = fun(#{held := Held}, At) ->
    case Held of
        #{At := Alias} -> Alias ! {Alias, resume}, ok;
        _ -> {error, not_held}
    end
end,

Session = fun(To) -> case HasSessions of true -> trace:session_create(cinema, To, []); false -> none end end,

Handle = fun
    ({start, QueueLen}, Before, _) ->
        S = Close(Quiet(Before)),
        case OpenPort(QueueLen) of
            {ok, Port, TcpPort} -> {{ok, {port, TcpPort}}, S#{tracer := #{to => Port, session => Session(Port)}}};
            {error, Why} -> {{error, Why}, S}
        end;
    ({start_forwarding, QueueLen, Ahead}, Before, _) ->
        S = Close(Quiet(Before)),
        Pid = Forwarder(QueueLen, Ahead),
        {{ok, {forwarder, Pid}}, S#{tracer := #{to => Pid, session => Session(Pid)}}};
    ({limit, Limits}, S, _) ->
        FromNow = fun
            (time_ms, Time) -> {until_ms, erlang:monotonic_time(millisecond) + Time};
            (memory_growth_bytes, Growth) -> {memory_bytes, erlang:memory(total) + Growth};
            (Key, Max) -> {Key, Max}
        end,
        {ok, S#{limits := maps:from_list([FromNow(Key, Max) || {Key, Max} <- maps:to_list(Limits)])}};
    ({mark, Nonce}, #{tracer := #{} = Tracer} = S, _) ->
        Mark(Tracer, {cinema, Nonce}),
        {ok, S};
    (quiet, S, _) ->
        {ok, Quiet(S)};
    (close, S, _) ->
        {ok, Close(S)};
    ({stop_for, Limit}, S, _) ->
        {ok, StopFor(S, Limit)};
    ({processes, Pids, Flags}, #{tracer := #{session := At} = Tracer, traced := Traced} = S, _) when At =/= over ->
        {N, Refused} = TraceAll(Tracer, Pids, Flags),
        {{ok, N, Refused}, S#{traced := lists:sublist(lists:usort(Pids ++ Traced), 1000)}};
    ({new_processes, Flags}, #{tracer := #{session := At} = Tracer, set := Set} = S, _) when At =/= over ->
        {TraceNew(Tracer, Flags), S#{set := lists:usort([new_processes | Set])}};
    ({received, Spec}, #{tracer := #{session := At} = Tracer, set := Set} = S, _) when At =/= over ->
        case SetReceive(Tracer, Spec, lists:member(received, Set)) of
            traced_by_another -> {traced_by_another, S};
            N -> {N, S#{set := lists:usort([received | Set])}}
        end;
    ({patterns, Wanted}, #{tracer := #{session := At} = Tracer, set := Set} = S, _) when At =/= over ->
        SetOne = fun({{M, _, _} = MFA, Spec}) ->
            code:ensure_loaded(M),
            try case lists:member({pattern, MFA}, Set) of
                    true -> ResetPattern(Tracer, MFA, Spec);
                    false -> SetPattern(Tracer, MFA, Spec)
                end
            catch error:Reason -> Reason end
        end,
        Answers = [{MFA, SetOne(Pattern)} || {MFA, _} = Pattern <- Wanted],
        {{ok, Answers}, S#{set := lists:usort([{pattern, MFA} || {MFA, N} <- Answers, is_integer(N)] ++ Set)}};
    ({facts, Which}, S, Ref) ->
        Work(Ref, fun() -> {ok, Facts(case Which of all -> processes() -- [self(), Holder, Janitor]; _ -> Which end)} end),
        {later, S};
    ({modules, Modules}, S, Ref) ->
        Work(Ref, fun() -> {ok, ModuleFacts(Modules)} end),
        {later, S};
    ({masters, Apps}, S, Ref) ->
        Work(Ref, fun() -> {ok, [{App, application_controller:get_master(App)} || App <- Apps]} end),
        {later, S};
    ({children, Sup, Timeout_ms}, S, Ref) ->
        Work(Ref, fun() ->
            try gen_server:call(Sup, which_children, Timeout_ms) of Children -> {ok, Children}
            catch exit:{timeout, _} -> {error, timeout}; exit:Reason -> {error, {exit, Reason}} end
        end),
        {later, S};
    ({handlers, Managers, Timeout_ms}, S, Ref) ->
        Work(Ref, fun() ->
            Of = fun(Pid) -> case catch gen:call(Pid, self(), which_handlers, Timeout_ms) of {ok, L} -> L; _ -> [] end end,
            {ok, lists:usort([case H of {M, _} -> M; M -> M end || Pid <- Managers, H <- Of(Pid)])}
        end),
        {later, S};
    ({state, Pid, BytesMax, Timeout_ms}, S, Ref) ->
        Work(Ref, fun() -> GetState(Pid, BytesMax, Timeout_ms) end),
        {later, S};
    ({install, Pid, Id, Phase, Spec, Options}, #{holds := Holds} = S, Ref) ->
        IsOff = atomics:new(1, []),
        Work(Ref, fun() -> Install(Pid, Id, IsOff, Phase, Spec, Options) end),
        {later, S#{holds := Holds#{{Pid, Id} => IsOff}}};
    ({remove, Pid, Id}, #{holds := Holds} = S, _) ->
        [atomics:put(IsOff, 1, 1) || #{{Pid, Id} := IsOff} <- [Holds]],
        LetGo(S, {Pid, Id}),
        Revoke([{debug, Pid, Id}]),
        {ok, S#{holds := maps:remove({Pid, Id}, Holds)}};
    ({resume, Pid, Id}, S, _) ->
        {LetGo(S, {Pid, Id}), S};
    ({suspend, Pid, Timeout_ms}, S, Ref) ->
        Work(Ref, fun() -> Suspend(Pid, Timeout_ms) end),
        {later, S};
    ({unsuspend, Pid}, S, _) ->
        Revoke([{suspended, Pid}]),
        {ok, S};
    ({replace, Pid, New, Timeout_ms}, S, Ref) ->
        Work(Ref, fun() -> Replace(Pid, New, Timeout_ms) end),
        {later, S};
    (_, S, _) ->
        {{error, not_tracing}, S}
end,

erlang:send_after(Tick_ms, self(), tick),
Tell({ready, Janitor, #{
    otp => erlang:system_info(otp_release), has_sessions => HasSessions,
    monotonic_ns => erlang:monotonic_time(nanosecond), offset_ns => erlang:time_offset(nanosecond),
    elixir => code:is_loaded('Elixir.Kernel') =/= false, n_processes => erlang:system_info(process_count),
    memory_bytes => erlang:memory(total)}}),

(fun Loop(S) ->
    receive
        tick ->
            erlang:send_after(Tick_ms, self(), tick),
            [self() ! {released, Id, Pid, died} || {Pid, Id} <- maps:keys(maps:get(held, S)), not is_process_alive(Pid)],
            case Tripped(S) of
                none -> Loop(S);
                Limit -> Loop(StopFor(S, Limit))
            end;
        {close, To} ->
            case S of
                #{tracer := #{to := To, session := over}} -> Loop(Close(S));
                _ -> Loop(S)
            end;
        {Ref, bye} ->
            Close(Quiet(S)),
            [Alias ! {Alias, resume} || Alias <- maps:values(maps:get(held, S))],
            Done = make_ref(),
            Janitor ! {undo_all, fun() -> Holder ! Done end},
            receive Done -> Owner ! {Ref, ok} end;
        {Ref, Request} when is_reference(Ref) ->
            {Answer, S2} = try Handle(Request, S, Ref) catch C:R -> {{error, {C, R}}, S} end,
            Answer =:= later orelse (Owner ! {Ref, Answer}),
            Loop(S2);
        {hit, Id, Pid, {Alias, IsOff}, What} ->
            Tell({hit, Id, Pid, What}),
            atomics:get(IsOff, 1) =:= 0 orelse (Alias ! {Alias, resume}),
            Loop(S#{held := (maps:get(held, S))#{{Pid, Id} => Alias}});
        {released, Id, Pid, How} ->
            Tell({released, Id, Pid, {How, erlang:monotonic_time(nanosecond)}}),
            Loop(S#{held := maps:remove({Pid, Id}, maps:get(held, S))});
        _ ->
            Loop(S)
    end
end)(#{tracer => none, set => [], traced => [], limits => #{}, holds => #{}, held => #{}}).
