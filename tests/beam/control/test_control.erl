%% The harness's hand on a node, without the distribution: evaluates what comes in on file descriptor 3 and answers
%% on 4, and stops the node when the harness is gone. Tracers do not see it: it is a sensitive process.
-module(test_control).
-export([start/0]).

start() ->
    ok = io:setopts(user, [{encoding, unicode}]),
    spawn(fun() ->
        process_flag(sensitive, true),
        process_flag(priority, high),
        register(?MODULE, self()),
        loop(open_port({fd, 3, 4}, [{packet, 4}, binary, eof]))
    end).

loop(Port) ->
    receive
        {Port, {data, Code}} ->
            port_command(Port, term_to_binary(answer(Code))),
            loop(Port);
        {Port, eof} ->
            erlang:halt(0, [{flush, false}])
    end.

answer(Code) ->
    try
        {ok, value(unicode:characters_to_list(Code))}
    catch
        Class:Reason:Stack -> {error, unicode:characters_to_binary(io_lib:format("~tp:~tp~n~tp", [Class, Reason, Stack]))}
    end.

value(Code) ->
    {ok, Tokens, _} = erl_scan:string(Code ++ "."),
    {ok, Exprs} = erl_parse:parse_exprs(Tokens),
    {value, Value, _} = erl_eval:exprs(Exprs, []),
    Value.
