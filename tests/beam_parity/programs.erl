%% The programs. Each has a twin of the same name in ../beam_parity.rs.
-module(programs).
-compile(export_all).
-compile(nowarn_export_all).
-import(parity, [say/1]).

names() ->
    [links, exits, monitors, names_, timers, mailbox, calls, inits, callbacks, terminations, one_for_one, one_for_all,
     rest_for_one, intensity, dynamic, requests].

%% Waits for ever, or ends as it is told.
idle() ->
    receive {stop, Reason} -> exit(Reason); _ -> idle() end.

exit_reason() ->
    receive {'EXIT', _, Reason} -> Reason after 50 -> nothing end.

down_reason() ->
    receive {'DOWN', _, process, Object, Reason} -> {Object, Reason} after 50 -> nothing end.

links() ->
    process_flag(trap_exit, true),
    [begin P = spawn_link(fun idle/0), exit(P, Reason), say({Reason, exit_reason()}) end
     || Reason <- [normal, kill, boom, shutdown]],
    Suicide = spawn_link(fun idle/0),
    Suicide ! {stop, kill},
    say(exit_reason()),
    Middle = spawn_link(fun() -> register(deep, spawn_link(fun idle/0)), idle() end),
    timer:sleep(10),
    deep ! {stop, chain},
    receive {'EXIT', Middle, Reason} -> say({middle, Reason}) end,
    Untouched = spawn_link(fun() -> register(deep, spawn_link(fun idle/0)), idle() end),
    timer:sleep(10),
    deep ! {stop, normal},
    timer:sleep(10),
    say(is_process_alive(Untouched)).

exits() ->
    P1 = spawn(fun idle/0),
    exit(P1, kill),
    timer:sleep(10),
    say(try link(P1) catch Class:Reason -> {Class, Reason} end),
    P2 = spawn(fun idle/0),
    exit(P2, kill),
    erlang:monitor(process, P2),
    {_, R2} = down_reason(),
    say(R2),
    process_flag(trap_exit, true),
    link(P1),
    say(exit_reason()),
    P3 = spawn_link(fun idle/0),
    exit(P3, boom),
    unlink(P3),
    say(exit_reason()),
    exit(self(), normal),
    say(exit_reason()),
    P4 = spawn(fun() -> receive go -> exit(self(), normal) end, timer:sleep(10), say(not_reached) end),
    erlang:monitor(process, P4),
    P4 ! go,
    {_, R4} = down_reason(),
    say(R4),
    P5 = spawn(fun() ->
        process_flag(trap_exit, true),
        receive go -> exit(self(), kill) end,
        timer:sleep(10),
        say(not_reached)
    end),
    erlang:monitor(process, P5),
    P5 ! go,
    {_, R5} = down_reason(),
    say(R5).

monitors() ->
    P = spawn(fun idle/0),
    register(idler, P),
    erlang:monitor(process, P),
    erlang:monitor(process, idler),
    Dropped = erlang:monitor(process, P),
    erlang:demonitor(Dropped),
    idler ! {stop, bye},
    [say(down_reason()) || _ <- [1, 2, 3]],
    erlang:monitor(process, idler),
    say(down_reason()),
    erlang:monitor(process, P),
    say(down_reason()),
    Q = spawn(fun idle/0),
    Flushed = erlang:monitor(process, Q),
    Q ! {stop, flushed},
    timer:sleep(10),
    erlang:demonitor(Flushed, [flush]),
    say(down_reason()).

names_() ->
    register(first, self()),
    Try = fun(F) -> say(try F(), fine catch Class:Reason -> {Class, Reason} end) end,
    Me = self(),
    Try(fun() -> register(first, Me) end),
    Try(fun() -> register(second, Me) end),
    Try(fun() -> unregister(unknown) end),
    Try(fun() -> unknown ! hello end),
    Try(fun() -> {unknown, node()} ! hello end),
    Dead = spawn(fun() -> ok end),
    timer:sleep(10),
    Try(fun() -> register(dead, Dead) end),
    Try(fun() -> Dead ! hello end),
    Try(fun() -> unregister(first) end),
    say(whereis(first)),
    P = spawn(fun idle/0),
    register(third, P),
    erlang:monitor(process, P),
    P ! {stop, gone},
    receive {'DOWN', _, _, _, _} -> say({free_at_down, whereis(third)}) end.

timers() ->
    erlang:send_after(40, self(), late),
    erlang:send_after(20, self(), first),
    erlang:start_timer(30, self(), wrapped),
    Never = erlang:start_timer(10000, self(), never),
    Left = erlang:cancel_timer(Never),
    say(is_integer(Left) andalso Left =< 10000 andalso Left > 9000),
    say(erlang:cancel_timer(Never)),
    Dead = spawn(fun() -> ok end),
    erlang:send_after(5, Dead, nobody),
    [say(receive Message -> Message after 100 -> nothing end) || _ <- [1, 2, 3, 4]].

mailbox() ->
    [self() ! Message || Message <- [a, {b, 1}, c, {b, 2}]],
    [say(receive {b, N} -> N after 5 -> none end) || _ <- [1, 2, 3]],
    [say(receive Any -> Any after 0 -> none end) || _ <- [1, 2, 3]].

call(Dest, Request, Timeout) ->
    say(try {ok, gen_server:call(Dest, Request, Timeout)} catch Class:{Reason, {gen_server, call, Args}} -> {Class, Reason, length(Args)} end).

told(Args) ->
    {ok, Pid} = gen_server:start(told, Args, []),
    Pid.

calls() ->
    [call(told(40), Request, 200)
     || Request <- [get, {add, 2}, {stop, bye}, {stop, normal}, {raise, boom}, {exit, gone}, {throw, ball}, {bad, x},
                    {stop_reply, fine}, {later, 10}]],
    Slow = told(0),
    call(Slow, {sleep, 50}, 10),
    timer:sleep(80),
    say(receive Late -> Late after 0 -> no_late_reply end),
    call(Slow, get, 200),
    call(nobody, get, 200),
    call(self(), get, 200),
    call(told(1), {call, told(2)}, 200),
    Killed = told(3),
    spawn(fun() -> timer:sleep(10), exit(Killed, kill) end),
    call(Killed, {sleep, 100}, 500).

inits() ->
    process_flag(trap_exit, true),
    [begin
         Started = gen_server:start_link({local, starter}, told, Args, []),
         say({Started, exit_reason()}),
         say(whereis(starter))
     end || Args <- [{stop, no}, ignore, {raise, boom}, {exit, gone}, bad, 5]],
    say(gen_server:start_link({local, starter}, told, 6, [])),
    say(gen_server:start(told, {stop, unlinked}, [])).

callbacks() ->
    P = told({continue, first}),
    gen_server:call(P, {continue, second}),
    gen_server:call(P, {wait, 10}),
    timer:sleep(40),
    gen_server:call(P, {wait, 20}),
    P ! message,
    timer:sleep(60),
    P ! {sleep, 20},
    P ! {'$gen_call', {self(), tag}, {wait, 0}},
    P ! queued,
    timer:sleep(60),
    say(receive Reply -> Reply after 0 -> none end),
    gen_server:cast(P, {add, 5}),
    say(sys:get_state(P)),
    say(sys:replace_state(P, fun(_) -> 9 end)),
    sys:suspend(P),
    call(P, get, 20),
    sys:resume(P),
    call(P, get, 20),
    gen_server:cast(nobody, whatever),
    gen_server:cast(P, {stop, {shutdown, done}}).

terminations() ->
    [begin
         Parent = spawn(fun() -> {ok, _} = gen_server:start_link({local, child}, told, Args, []), idle() end),
         timer:sleep(10),
         Child = whereis(child),
         erlang:monitor(process, Child),
         exit(Child, from_a_stranger),
         timer:sleep(10),
         Parent ! {stop, Reason},
         {_, Down} = down_reason(),
         say({Args, Down})
     end || {Args, Reason} <- [{trap, gone}, {trap, normal}, {5, gone}]].

%% Starts a supervisor, tells workers to end, says what is left; at last the supervisor is told to shut down.
supervise(Spec, Orders) ->
    process_flag(trap_exit, true),
    case supervisor:start_link({local, the_sup}, sup, Spec) of
        {ok, Sup} -> obey(Sup, Orders);
        Error -> say(Error)
    end.

obey(Sup, []) ->
    exit(Sup, shutdown),
    receive {'EXIT', Sup, Reason} -> say({sup_ended, Reason}) end;
obey(Sup, [{Name, Reason} | Orders]) ->
    say({tell, Name, Reason}),
    gen_server:cast(Name, Reason),
    timer:sleep(150),
    case whereis(the_sup) of
        undefined -> receive {'EXIT', Sup, Why} -> say({sup_ended, Why}) end;
        Sup ->
            say([{Id, Child} || {Id, Child, _, _} <- supervisor:which_children(Sup)]),
            obey(Sup, Orders)
    end.

one_for_one() ->
    supervise({one_for_one, 5, [{a, permanent}, {b, transient}, {c, temporary}]},
              [{a, normal}, {b, boom}, {b, {shutdown, x}}, {c, boom}, {a, shutdown}]).

one_for_all() ->
    supervise({one_for_all, 5, [{a, permanent}, {b, permanent}, {c, temporary}]}, [{b, boom}, {a, boom}]).

rest_for_one() ->
    supervise({rest_for_one, 5, [{a, permanent}, {b, permanent}, {stubborn, permanent}, {d, permanent}]}, [{b, boom}]).

intensity() ->
    supervise({one_for_one, 1, [{a, permanent}, {b, permanent}]}, [{a, one}, {a, two}, {a, three}]),
    supervise({one_for_one, 1, [{a, permanent}, {bad, permanent}, {c, permanent}]}, []).

dynamic() ->
    process_flag(trap_exit, true),
    {ok, Sup} = supervisor:start_link(sup, {simple_one_for_one, 3, transient}),
    [{ok, X}, {ok, _}] = [supervisor:start_child(Sup, [Name]) || Name <- [x, y]],
    say(supervisor:start_child(Sup, [bad])),
    say(supervisor:count_children(Sup)),
    gen_server:cast(y, boom),
    timer:sleep(20),
    say(supervisor:terminate_child(Sup, X)),
    say(supervisor:terminate_child(Sup, x)),
    say(supervisor:restart_child(Sup, x)),
    gen_server:cast(y, normal),
    timer:sleep(20),
    say(supervisor:count_children(Sup)),
    exit(Sup, shutdown),
    say(exit_reason()).

requests() ->
    {ok, Sup} = supervisor:start_link(sup, {one_for_one, 3, [{z, permanent}]}),
    Spec = #{id => a, start => {worker, start_link, [a]}},
    say(supervisor:start_child(Sup, Spec)),
    say(supervisor:start_child(Sup, Spec)),
    say(supervisor:delete_child(Sup, a)),
    say(supervisor:restart_child(Sup, a)),
    say(supervisor:terminate_child(Sup, a)),
    say(supervisor:start_child(Sup, Spec)),
    say(supervisor:terminate_child(Sup, zz)),
    say(supervisor:which_children(Sup)),
    say(supervisor:restart_child(Sup, a)),
    say(supervisor:terminate_child(Sup, a)),
    say(supervisor:delete_child(Sup, a)),
    say(supervisor:delete_child(Sup, a)),
    say(element(1, supervisor:start_child(Sup, Spec#{start => {worker, start_link, [bad]}}))),
    say(supervisor:count_children(Sup)),
    unlink(Sup),
    exit(Sup, kill).
