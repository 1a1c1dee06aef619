%% A client: buys, and gives up when the stock takes too long.
-module(shop_client).
-behaviour(gen_server).
-export([start_link/1, buy/3, audit/2, leave/1, init/1, handle_call/3, handle_cast/2]).

start_link(Name) -> gen_server:start_link(?MODULE, Name, []).

%% `{ok, Left}`, `sold_out` or `timeout`, after at most TimeoutMs.
buy(Client, N, TimeoutMs) -> gen_server:call(Client, {buy, N, TimeoutMs}, infinity).

%% Has the stock audited; Observer is told when that begins.
audit(Client, Observer) -> gen_server:cast(Client, {audit, Observer}).

leave(Client) -> gen_server:stop(Client).

init(Name) -> {ok, #{name => Name, bought => 0, timeouts => 0}}.

handle_call({buy, N, TimeoutMs}, _From, #{bought := Bought, timeouts := Timeouts} = State) ->
    try gen_server:call(stock, {buy, N}, TimeoutMs) of
        {ok, _} = Reply -> {reply, Reply, State#{bought := Bought + N}};
        sold_out -> {reply, sold_out, State}
    catch
        exit:{timeout, _} -> {reply, timeout, State#{timeouts := Timeouts + 1}}
    end.

handle_cast({audit, Observer}, State) ->
    {ok, _} = gen_server:call(stock, {audit, Observer}),
    {noreply, State}.
