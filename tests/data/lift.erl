%% A gen_statem with one handle_event function, a state that is no atom, and a record for its data.
-module(lift).
-behaviour(gen_statem).
-export([start/0, init/1, callback_mode/0, handle_event/4]).

-record(data, {doors = closed, n_rides = 0}).

start() -> gen_statem:start(lift, [], []).

callback_mode() -> handle_event_function.

init([]) -> {ok, {floor, 0}, #data{}}.

handle_event({call, From}, {go, Floor}, {floor, _}, Data) ->
    {next_state, {floor, Floor}, Data#data{n_rides = Data#data.n_rides + 1}, {reply, From, arrived}};
handle_event(cast, Doors, _State, Data) when Doors =:= open; Doors =:= closed ->
    {keep_state, Data#data{doors = Doors}};
handle_event(info, stop, _State, _Data) -> {stop, normal}.
