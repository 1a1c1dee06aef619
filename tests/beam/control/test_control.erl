%% The harness's hand on a node, without the distribution: evaluates what comes in on file descriptor 3 and answers
%% on 4, and stops the node when the harness is gone, be an expression still running or not. Tracers see neither of
%% its two processes: they are sensitive.
-module(test_control).
-export([start/0]).

start() ->
    ok = io:setopts(user, [{encoding, unicode}]),
    spawn(fun() ->
        hide(test_control),
        Port = open_port({fd, 3, 4}, [{packet, 4}, binary, eof]),
        line(Port, spawn_link(fun() -> hide(test_evaluator), evaluator(Port) end))
    end).

hide(Name) ->
    process_flag(sensitive, true),
    process_flag(priority, high),
    register(Name, self()).

line(Port, Evaluator) ->
    receive
        {Port, {data, Code}} ->
            Evaluator ! {evaluate, Code},
            line(Port, Evaluator);
        {Port, eof} ->
            erlang:halt(0, [{flush, false}])
    end.

evaluator(Port) ->
    receive {evaluate, Code} -> port_command(Port, term_to_binary(answer(Code))) end,
    evaluator(Port).

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
