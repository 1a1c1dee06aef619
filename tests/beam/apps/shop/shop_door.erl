%% A door with a code: gen_statem with state functions, enter calls and a timeout.
-module(shop_door).
-behaviour(gen_statem).
-export([start_link/1, press/1, wait_until_locked/0, init/1, callback_mode/0, locked/3, open/3]).

-define(OPEN_MS, 20).

start_link(Code) -> gen_statem:start_link({local, door}, ?MODULE, Code, []).

%% The state after the last digit.
press(Digits) -> lists:last([gen_statem:call(door, {digit, Digit}) || Digit <- Digits]).

wait_until_locked() -> gen_statem:call(door, wait_until_locked).

init(Code) -> {ok, locked, #{code => Code, pressed => [], n_opened => 0}}.

callback_mode() -> [state_functions, state_enter].

locked(enter, _Old, Data) -> {keep_state, Data#{pressed := []}};
locked({call, From}, {digit, Digit}, #{code := Code, pressed := Pressed, n_opened := N} = Data) ->
    case Pressed ++ [Digit] of
        Code -> {next_state, open, Data#{n_opened := N + 1}, [{reply, From, open}]};
        More when length(More) < length(Code) -> {keep_state, Data#{pressed := More}, [{reply, From, locked}]};
        _Wrong -> {keep_state, Data#{pressed := []}, [{reply, From, locked}]}
    end;
locked({call, From}, wait_until_locked, _Data) -> {keep_state_and_data, [{reply, From, ok}]}.

open(enter, _Old, _Data) -> {keep_state_and_data, [{state_timeout, ?OPEN_MS, close}]};
open(state_timeout, close, Data) -> {next_state, locked, Data};
open({call, _From}, wait_until_locked, _Data) -> {keep_state_and_data, [postpone]};
open({call, From}, {digit, _}, _Data) -> {keep_state_and_data, [{reply, From, open}]}.
