%% Counts what is in stock. An audit takes 150 ms, and everybody waits.
-module(shop_stock).
-behaviour(gen_server).
-export([start_link/1, init/1, handle_call/3, handle_cast/2, handle_info/2]).

-define(AUDIT_MS, 150).

start_link(Count) -> gen_server:start_link({local, stock}, ?MODULE, Count, []).

init(Count) -> {ok, #{count => Count, sold => 0}}.

handle_call({buy, N}, _From, #{count := Count} = State) when N > Count -> {reply, sold_out, State};
handle_call({buy, N}, _From, #{count := Count, sold := Sold} = State) ->
    {reply, {ok, Count - N}, State#{count := Count - N, sold := Sold + N}};
handle_call(count, _From, #{count := Count} = State) -> {reply, Count, State};
handle_call({audit, Observer}, _From, State) ->
    Observer ! {auditing, self()},
    timer:sleep(?AUDIT_MS),
    {reply, {ok, State}, State}.

handle_cast({deliver, N}, #{count := Count} = State) -> {noreply, State#{count := Count + N}}.

handle_info(_Stray, State) -> {noreply, State}.
