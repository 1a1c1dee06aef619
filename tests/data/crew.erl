%% A supervisor with one worker, and a client that makes it live through everything that the import must
%% recognise. Traced by trace/1 into a file; tests/import/live.rs knows the truth.
-module(crew).
-behaviour(supervisor).
-export([trace/1, init/1, run/0]).

trace(To) ->
    {ok, _} = dbg:tracer(port, dbg:trace_port(file, To)),
    {ok, _} = dbg:p(new, [m, p, c, strict_monotonic_timestamp]),
    [code:ensure_loaded(M) || M <- [clerk, supervisor, gen_server, timer, erl_error, io_lib_pretty]],
    [{ok, _} = dbg:tpl(clerk, F, '_', x) || F <- [init, handle_call, handle_cast, handle_info, terminate]],
    {Client, Ref} = spawn_monitor(crew, run, []),
    receive {'DOWN', Ref, process, Client, normal} -> ok end,
    %% Everything until here is in the file when the port has been flushed.
    Delivered = erlang:trace_delivered(all),
    receive {trace_delivered, all, Delivered} -> ok end,
    ok = dbg:flush_trace_port(),
    dbg:stop_clear().

init([]) ->
    {ok, {#{strategy => one_for_one, intensity => 3, period => 5},
          [#{id => the_clerk, start => {clerk, start_link, [7]}}]}}.

run() ->
    {ok, Sup} = supervisor:start_link(crew, []),
    unlink(Sup),
    First = whereis(clerk),
    8 = gen_server:call(clerk, {add, 1}),
    ok = gen_server:cast(clerk, {add, 10}),
    18 = gen_server:call(clerk, get),
    clerk ! hello,
    %% The clerk starts a timer for itself, which fires before the next call comes back.
    ok = gen_server:call(clerk, {tick_in, 1}),
    ok = gen_server:call(clerk, {sleep, 20}),
    {'EXIT', {timeout, _}} = (catch gen_server:call(clerk, {sleep, 60}, 20)),
    %% The late reply has been sent when this comes back.
    19 = gen_server:call(clerk, get),
    {'EXIT', {{oops, _}, _}} = (catch gen_server:call(clerk, crash)),
    ok = wait_for_another(First),
    First ! too_late,
    7 = gen_server:call(clerk, get),
    exit(Sup, shutdown),
    Ref = monitor(process, Sup),
    receive {'DOWN', Ref, process, Sup, _} -> ok end.

wait_for_another(First) ->
    case whereis(clerk) of
        Pid when is_pid(Pid), Pid =/= First -> ok;
        _ -> timer:sleep(1), wait_for_another(First)
    end.
