%% What `cinema bench beam` measures on a node of its own: a server that is called, a client that calls, a supervisor
%% with many children, and OTP's own tracers with the same flags for comparison.
-module(cinema_bench).
-export([start/0, calls/2, flood/1, children/1, dbg_process/0, dbg_file/1, dbg_stop/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, client/0, sink/0]).

start() ->
    {ok, _} = gen_server:start({local, cinema_bench}, cinema_bench, [], []),
    register(cinema_bench_client, spawn(cinema_bench, client, [])),
    register(cinema_bench_sink, spawn(cinema_bench, sink, [])),
    ok.

init([]) -> {ok, #{count => 0}};
init({children, N}) ->
    Child = fun(Id) ->
        #{id => Id, start => {gen_server, start_link, [{local, list_to_atom("child_" ++ integer_to_list(Id))}, cinema_bench, [], []]}}
    end,
    {ok, {#{}, [Child(Id) || Id <- lists:seq(1, N)]}}.

handle_call({ping, Work}, _From, #{count := N} = State) ->
    work(Work),
    {reply, pong, State#{count := N + 1}}.

handle_cast(_, State) -> {noreply, State}.
handle_info(_, State) -> {noreply, State}.

work(0) -> ok;
work(N) -> erlang:phash2({N, N, N}), work(N - 1).

%% Microseconds of N calls, each of which works so much.
calls(N, Work) ->
    cinema_bench_client ! {calls, self(), N, Work},
    receive {took, Us} -> Us end.

client() ->
    receive
        {calls, From, N, Work} ->
            {Us, ok} = timer:tc(fun() -> call(N, Work) end),
            From ! {took, Us},
            client();
        {flood, From, N} ->
            {Us, ok} = timer:tc(fun() -> send(N) end),
            From ! {took, Us},
            client()
    end.

call(0, _) -> ok;
call(N, Work) -> pong = gen_server:call(cinema_bench, {ping, Work}), call(N - 1, Work).

%% Microseconds of N sends, as fast as the node can.
flood(N) ->
    cinema_bench_client ! {flood, self(), N},
    receive {took, Us} -> Us end.

send(0) -> ok;
send(N) -> cinema_bench_sink ! {item, N, <<"some payload of a message">>}, send(N - 1).

sink() -> receive _ -> sink() end.

children(N) ->
    {ok, Sup} = supervisor:start_link({local, cinema_bench_sup}, cinema_bench, {children, N}),
    unlink(Sup),
    ok.

dbg_process() ->
    {ok, _} = dbg:tracer(process, {fun(_, State) -> State end, none}),
    dbg_flags().

dbg_file(File) ->
    {ok, _} = dbg:tracer(port, dbg:trace_port(file, File)),
    dbg_flags().

dbg_flags() ->
    Traced = [whereis(Name) || Name <- [cinema_bench, cinema_bench_client, cinema_bench_sink]],
    [{ok, _} = dbg:p(Pid, [m, p, c, strict_monotonic_timestamp]) || Pid <- Traced],
    [dbg:tpl(cinema_bench, F, A, [{'_', [], [{exception_trace}]}])
        || {F, A} <- [{handle_call, 3}, {handle_cast, 2}, {handle_info, 2}]],
    ok.

dbg_stop() ->
    dbg:flush_trace_port(),
    dbg:ctpl(cinema_bench),
    dbg:stop(),
    ok.
