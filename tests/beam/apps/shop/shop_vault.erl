%% A sensitive process: the VM shows no tracer what it does.
-module(shop_vault).
-behaviour(gen_server).
-export([start_link/0, init/1, handle_call/3, handle_cast/2]).

start_link() -> gen_server:start_link({local, vault}, ?MODULE, [], []).

init([]) ->
    process_flag(sensitive, true),
    {ok, #{secret => <<"sesame-88ab">>, n_opened => 0}}.

handle_call({open, Secret}, _From, #{secret := Secret, n_opened := N} = State) ->
    {reply, {ok, N + 1}, State#{n_opened := N + 1}}.

handle_cast(_Request, State) -> {noreply, State}.
