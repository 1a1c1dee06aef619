%% shop_sup (one_for_one) has the servers, and shop_client_sup (simple_one_for_one) for the clients, who come and go.
-module(shop_sup).
-behaviour(supervisor).
-export([start_link/0, start_clients/0, init/1]).

start_link() -> supervisor:start_link({local, shop_sup}, ?MODULE, shop).

start_clients() -> supervisor:start_link({local, shop_client_sup}, ?MODULE, clients).

init(shop) ->
    Worker = fun(Id, Start) -> #{id => Id, start => Start, shutdown => 1000} end,
    {ok, {#{strategy => one_for_one, intensity => 10, period => 1},
        [Worker(stock, {shop_stock, start_link, [100]}),
         Worker(door, {shop_door, start_link, [[1, 2, 3, 4]]}),
         Worker(news, {shop_news, start_link, []}),
         Worker(archive, {shop_archive, start_link, [application:get_env(shop, archive_kb, 200)]}),
         Worker(fragile, {shop_fragile, start_link, []}),
         Worker(flood, {shop_flood, start_link, []}),
         Worker(pong, {shop_pong, start_link, []}),
         Worker(ping, {shop_ping, start_link, []}),
         Worker(account, {shop_account, start_link, []}),
         Worker(vault, {shop_vault, start_link, []}),
         #{id => clients, start => {?MODULE, start_clients, []}, type => supervisor},
         Worker(driver, {shop_driver, start_link, []})]}};
init(clients) ->
    {ok, {#{strategy => simple_one_for_one},
        [#{id => client, start => {shop_client, start_link, []}, restart => temporary}]}}.
