%% A gen_statem with state functions: a door with a code, which locks itself again.
-module(door).
-behaviour(gen_statem).
-export([start_link/1, init/1, callback_mode/0, terminate/3, code_change/4, locked/3, open/3]).

start_link(Code) -> gen_statem:start_link({local, door}, door, Code, []).

callback_mode() -> [state_functions, state_enter].

init(Code) -> {ok, locked, #{code => Code, tries => 0}}.

locked(enter, _OldState, _Data) -> keep_state_and_data;
locked({call, From}, {code, Code}, #{code := Code} = Data) ->
    {next_state, open, Data#{tries := 0}, [{reply, From, ok}, {next_event, internal, greet}]};
locked({call, From}, {code, _}, #{tries := Tries} = Data) ->
    {keep_state, Data#{tries := Tries + 1}, [{reply, From, wrong}]};
locked(cast, push, _Data) -> {keep_state_and_data, postpone}.

open(enter, _OldState, _Data) -> {keep_state_and_data, [{state_timeout, 20, lock}]};
open(internal, greet, _Data) -> keep_state_and_data;
open(cast, push, Data) -> {keep_state, Data#{pushed => true}};
open(info, knock, _Data) -> {keep_state_and_data, [{{timeout, bell}, 0, ring}]};
open({timeout, bell}, ring, _Data) -> keep_state_and_data;
open(state_timeout, lock, Data) -> {next_state, locked, Data};
open({call, From}, state, _Data) -> {keep_state_and_data, [{reply, From, open}]}.

terminate(_Reason, _State, _Data) -> ok.

code_change(_OldVsn, State, Data, _Extra) -> {ok, State, Data#{version => 2}}.
