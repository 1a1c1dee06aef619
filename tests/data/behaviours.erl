%% Lives through what gen_statem, gen_event, supervisor and sys do, traced into a file. tests/import/behaviours.rs
%% knows the truth.
-module(behaviours).
-behaviour(supervisor).
-export([trace/2, init/1, doors/0, lifts/0, events/0, children/0, labels/0]).

%% Traces one of the stories below.
trace(To, Story) ->
    {ok, _} = dbg:tracer(port, dbg:trace_port(file, To)),
    {ok, _} = dbg:p(new, [m, p, c, strict_monotonic_timestamp]),
    [code:ensure_loaded(M) || M <- [door, lift, tally, diary, clerk, gen_statem, gen_event, supervisor, sys]],
    [dbg:tpl(M, x) || M <- [door, lift, tally, diary]],
    [{ok, _} = dbg:tpl(clerk, F, '_', x) || F <- [init, handle_call, terminate]],
    {Client, Ref} = spawn_monitor(behaviours, Story, []),
    receive {'DOWN', Ref, process, Client, Reason} -> normal = Reason end,
    Delivered = erlang:trace_delivered(all),
    receive {trace_delivered, all, Delivered} -> ok end,
    ok = dbg:flush_trace_port(),
    dbg:stop_clear().

doors() ->
    {ok, Door} = door:start_link(42),
    unlink(Door),
    wrong = gen_statem:call(door, {code, 7}),
    %% Postponed until the door opens.
    gen_statem:cast(door, push),
    ok = gen_statem:call(door, {code, 42}),
    door ! knock,
    open = gen_statem:call(door, state),
    timer:sleep(60),
    sys:suspend(door),
    ok = sys:change_code(door, door, 1, []),
    sys:resume(door),
    gen_statem:stop(door).

lifts() ->
    {ok, Lift} = lift:start(),
    arrived = gen_statem:call(Lift, {go, 3}),
    gen_statem:cast(Lift, open),
    Ref = monitor(process, Lift),
    Lift ! stop,
    receive {'DOWN', Ref, process, Lift, _} -> ok end.

events() ->
    {ok, Bus} = gen_event:start({local, bus}),
    ok = gen_event:add_handler(bus, tally, 1),
    ok = gen_event:add_handler(bus, diary, []),
    ok = gen_event:notify(bus, {add, 2}),
    ok = gen_event:sync_notify(bus, {add, 3}),
    6 = gen_event:call(bus, tally, total),
    bus ! hello,
    106 = gen_event:call(bus, tally, total),
    ok = gen_event:notify(bus, leave),
    [leave, {add, 3}, {add, 2}] = gen_event:call(bus, diary, read),
    ok = gen_event:stop(Bus).

init(Strategy) ->
    {ok, {#{strategy => Strategy}, [#{id => any, start => {clerk, start_link, []}} || Strategy =:= simple_one_for_one]}}.

children() ->
    {ok, Sup} = supervisor:start_link({local, crew_sup}, behaviours, one_for_one),
    unlink(Sup),
    Spec = #{id => first, start => {clerk, start_link, [7]}, restart => transient},
    {ok, Clerk} = supervisor:start_child(crew_sup, Spec),
    {error, {already_started, Clerk}} = supervisor:start_child(crew_sup, Spec),
    [{first, Clerk, worker, [clerk]}] = supervisor:which_children(crew_sup),
    ok = supervisor:terminate_child(crew_sup, first),
    {ok, _} = supervisor:restart_child(crew_sup, first),
    ok = supervisor:terminate_child(crew_sup, first),
    ok = supervisor:delete_child(crew_sup, first),
    {ok, Many} = supervisor:start_link(behaviours, simple_one_for_one),
    unlink(Many),
    {ok, One} = supervisor:start_child(Many, [1]),
    ok = supervisor:terminate_child(Many, One),
    exit(Many, shutdown),
    exit(Sup, shutdown).

%% What proc_lib knows of a process's family.
labels() ->
    register(labeller, self()),
    {Pid, Ref} = {proc_lib:spawn_link(fun() -> receive go -> ok end end), make_ref()},
    Monitor = monitor(process, Pid),
    Pid ! go,
    receive {'DOWN', Monitor, process, Pid, normal} -> Ref end.
