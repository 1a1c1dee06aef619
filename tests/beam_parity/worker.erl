%% A supervised worker that says when it starts and stops, and ends with what it is cast.
-module(worker).
-behaviour(gen_server).
-export([start_link/1, init/1, handle_call/3, handle_cast/2, terminate/2]).

start_link(bad) -> gen_server:start_link(?MODULE, bad, []);
start_link(Name) -> gen_server:start_link({local, Name}, ?MODULE, Name, []).

init(bad) -> {stop, bad_start};
init(Name) -> process_flag(trap_exit, true), parity:say({start, Name}), {ok, Name}.

handle_call(Request, _, Name) -> {reply, Request, Name}.
handle_cast(Reason, Name) -> {stop, Reason, Name}.

terminate(Reason, stubborn) -> parity:say({stop, stubborn, Reason}), timer:sleep(2000);
terminate(Reason, Name) -> parity:say({stop, Name, Reason}).
