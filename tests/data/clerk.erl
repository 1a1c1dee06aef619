%% The worker of crew.erl: a counter.
-module(clerk).
-behaviour(gen_server).
-export([start_link/1, init/1, handle_call/3, handle_cast/2, handle_info/2, terminate/2]).

start_link(N) -> gen_server:start_link({local, clerk}, clerk, N, []).

init(N) -> process_flag(trap_exit, true), {ok, N}.

handle_call({add, M}, _From, N) -> {reply, N + M, N + M};
handle_call(get, _From, N) -> {reply, N, N};
handle_call({tick_in, Ms}, _From, N) -> erlang:start_timer(Ms, self(), tick), {reply, ok, N};
handle_call({sleep, Ms}, _From, N) -> timer:sleep(Ms), {reply, ok, N};
handle_call(crash, _From, _) -> error(oops).

handle_cast({add, M}, N) -> {noreply, N + M}.

handle_info(hello, N) -> {noreply, N};
handle_info({timeout, _, tick}, N) -> {noreply, N + 1}.

terminate(_Reason, _N) -> ok.
