%% What can be made to happen in the shop. Each scenario returns when it is over, with what was seen.
-module(shop).
-export([run/1, client/1]).

%% A new client, dynamic child of shop_client_sup.
client(Name) ->
    {ok, Client} = supervisor:start_child(shop_client_sup, [Name]),
    Client.

%% Two buys, a delivery, a stray message.
run(buy) ->
    Client = client("ann"),
    {ok, _} = shop_client:buy(Client, 1, 5000),
    {ok, _} = shop_client:buy(Client, 2, 5000),
    ok = gen_server:cast(stock, {deliver, 10}),
    stock ! hello,
    Count = gen_server:call(stock, count),
    ok = shop_client:leave(Client),
    {stock, Count};
%% One client's audit holds the stock for 150 ms. Another's buy gives up after 50 ms, and is answered late.
run(late_call) ->
    Auditor = client("olga"),
    Buyer = client("bob"),
    ok = shop_client:audit(Auditor, self()),
    receive {auditing, _} -> ok end,
    timeout = shop_client:buy(Buyer, 1, 50),
    %% When this comes back, the late reply has been sent.
    Count = gen_server:call(stock, count),
    [ok = shop_client:leave(Client) || Client <- [Auditor, Buyer]],
    {stock, Count};
%% The door opens with the right code, is entered, and falls shut by itself; an order goes its way.
run(door) ->
    locked = shop_door:press([9, 9, 9, 9]),
    open = shop_door:press([1, 2, 3, 4]),
    ok = shop_door:wait_until_locked(),
    {ok, Order} = shop_order:start_link(#{item => <<"lamp">>, price => 1250}),
    {error, not_paid} = gen_statem:call(Order, ship),
    ok = gen_statem:call(Order, {pay, 1250}),
    ok = gen_statem:call(Order, ship),
    ok = gen_statem:stop(Order),
    shipped;
%% Three events; one makes a handler crash, and the manager goes on without it.
run(news) ->
    ok = gen_event:add_handler(news, {shop_news, frail}, frail),
    ok = gen_event:notify(news, {headline, <<"sale">>}),
    ok = gen_event:sync_notify(news, {headline, <<"winter">>}),
    ok = gen_event:sync_notify(news, break),
    {gen_event:which_handlers(news), gen_event:call(news, shop_news, last)};
%% A server crashes and is restarted.
run(crash) -> run({crash, {boom, 7}});
run({crash, Reason}) ->
    Pid = whereis(fragile),
    Ref = monitor(process, Pid),
    ok = gen_server:cast(fragile, {crash, Reason}),
    receive {'DOWN', Ref, process, Pid, _} -> ok end,
    {Pid, restarted(fragile, Pid)};
%% A call to a server that crashes under it, and one to a name that nobody has.
run(lost_calls) ->
    Old = whereis(fragile),
    {'EXIT', {{oops, _}, _}} = (catch gen_server:call(fragile, {crash, oops})),
    _ = restarted(fragile, Old),
    {'EXIT', {noproc, _}} = (catch gen_server:call(nobody, hello)),
    ok;
%% The large state changes in one place.
run(archive) -> gen_server:call(archive, {touch, 17});
run({archive_kb, KBytes}) -> gen_server:call(archive, {resize, KBytes});
%% N calls of an empty server; how many microseconds they took.
run({ping, N}) -> shop_ping:run(N);
%% N messages as fast as the node can, or until run(stop).
run({flood, N}) -> shop_flood:start(N);
run(flood) -> shop_flood:start(infinity);
run(stop) -> shop_flood:stop();
run(secret) ->
    ok = gen_server:call(account, {login, <<"hunter2-5d1c">>}),
    {error, wrong_password} = gen_server:call(account, {login, <<"guess">>}),
    {ok, _} = gen_server:call(vault, {open, <<"sesame-88ab">>}),
    ok.

%% The process that has the name now, other than Old. Found by asking the supervisor, who answers when it is done.
restarted(Id, Old) ->
    case lists:keyfind(Id, 1, supervisor:which_children(shop_sup)) of
        {Id, Pid, _, _} when is_pid(Pid), Pid =/= Old -> Pid;
        _ -> restarted(Id, Old)
    end.
