%% Has a password in its state, and gets others in messages: a debugger must be able not to keep them.
-module(shop_account).
-behaviour(gen_server).
-export([start_link/0, init/1, handle_call/3, handle_cast/2]).

start_link() -> gen_server:start_link({local, account}, ?MODULE, [], []).

init([]) -> {ok, #{user => <<"ann">>, password => <<"hunter2-5d1c">>, card => #{pin => 4711}, n_logins => 0}}.

handle_call({login, Password}, _From, #{password := Password, n_logins := N} = State) ->
    {reply, ok, State#{n_logins := N + 1}};
handle_call({login, _Wrong}, _From, State) -> {reply, {error, wrong_password}, State}.

handle_cast(_Request, State) -> {noreply, State}.
