%% A gen_server whose state is too large to be traced, and a lean trace of it: the server's side only, no
%% arguments but what the match specs pick. tests/import/lean.rs knows the truth.
-module(till).
-behaviour(gen_server).
-export([trace/2, init/1, handle_call/3, handle_cast/2, handle_info/2, handle_continue/2, terminate/2]).

%% `Omitted` is the atom that stands for what is left out.
trace(To, Omitted) ->
    Port = (dbg:trace_port(file, To))(),
    {ok, Till} = gen_server:start({local, till}, till, [], []),
    Flags = ['receive', call, arity, return_to, strict_monotonic_timestamp, {tracer, Port}],
    1 = erlang:trace(Till, true, Flags),
    erlang:trace_pattern('receive', [{['$1', '$2', '_'], [], [{message, {{'$1', '$2'}}}]}], []),
    State = {const, Omitted},
    Watched = fun(Arg) -> #{sold => {map_get, sold, Arg}} end,
    Spec = fun(Args, Shown, Arg) -> [{Args, [], [{message, {{cinema, Shown, Watched(Arg)}}}]}] end,
    Lean = fun(Function, Arity, MatchSpec) ->
        1 = erlang:trace_pattern({till, Function, Arity}, MatchSpec, [local])
    end,
    Lean(handle_call, 3, Spec(['$1', '$2', '$3'], ['$1', '$2', State], '$3')),
    [Lean(F, 2, Spec(['$1', '$2'], ['$1', State], '$2')) || F <- [handle_cast, handle_info, handle_continue]],
    [Lean(F, 2, [{['$1', '_'], [], [{message, {{cinema, ['$1', State]}}}]}]) || F <- [terminate]],
    run(),
    Ref = monitor(process, Till),
    gen_server:cast(till, stop),
    receive {'DOWN', Ref, process, Till, _} -> ok end,
    Delivered = erlang:trace_delivered(all),
    receive {trace_delivered, all, Delivered} -> ok end,
    erlang:port_close(Port).

run() ->
    ok = gen_server:call(till, {sell, 2}),
    %% Calls a traced callback itself.
    ok = gen_server:call(till, {sell_twice, 3}),
    %% Ends in a tail call of another traced callback.
    gen_server:cast(till, {sell, 1}),
    %% Answers after its callback is over.
    ok = gen_server:call(till, {later, 5}),
    %% Raises, and catches it.
    ok = gen_server:call(till, careful),
    till ! tick,
    9 = gen_server:call(till, sold),
    try gen_server:call(till, {sleep, 40}, 10) catch exit:{timeout, _} -> ok end,
    9 = gen_server:call(till, sold).

init([]) ->
    process_flag(trap_exit, true),
    {ok, #{sold => 0, log => lists:seq(1, 1000)}}.

handle_call({sell, N}, _From, State = #{sold := Sold}) -> {reply, ok, State#{sold := Sold + N}};
handle_call({sell_twice, N}, From, State) ->
    {reply, ok, Once} = ?MODULE:handle_call({sell, N}, From, State),
    {reply, ok, Twice} = handle_call({sell, N}, From, Once),
    {reply, ok, Twice};
handle_call({later, Ms}, From, State) ->
    erlang:send_after(Ms, self(), {answer, From}),
    {noreply, State};
handle_call(careful, From, State) ->
    try ?MODULE:handle_call({sell, not_a_number}, From, State)
    catch error:badarith -> {reply, ok, State}
    end;
handle_call(sold, _From, State) -> {reply, maps:get(sold, State), State, {continue, counted}};
handle_call({sleep, Ms}, _From, State) -> timer:sleep(Ms), {reply, ok, State}.

handle_cast({sell, N}, State) ->
    {reply, _, Sold} = handle_call({sell, N}, none, State),
    handle_info(sold, Sold);
handle_cast(stop, State) -> {stop, normal, State}.

handle_info({answer, From}, State) -> gen_server:reply(From, ok), {noreply, State};
handle_info(_, State) -> {noreply, State}.

handle_continue(counted, State) -> {noreply, State}.

terminate(_Reason, _State) -> ok.
