#!/usr/bin/env escript
%% -*- erlang -*-
%%! +pc unicode
%% Terms of a real BEAM for tests/terms_beam.rs: terms.escript DIR
%% Writes DIR/out: for each term {Bytes, Print, IsPrintCompared} as frames, says "ready", waits for a line,
%% then reads DIR/back (the re-encoded terms) and says which differ from the originals.
-mode(compile).

main([Dir]) ->
    Terms = [{T, true} || T <- comparable()] ++ [{T, false} || T <- others()],
    Frames = [[frame(Bytes), frame(print(T)), case IsCompared of true -> 1; false -> 0 end]
              || {T, IsCompared} <- Terms, Bytes <- encodings(T)],
    ok = file:write_file(filename:join(Dir, "out"), Frames),
    io:format("ready~n"),
    _ = io:get_line(""),
    {ok, Back} = file:read_file(filename:join(Dir, "back")),
    Originals = [T || {T, _} <- Terms, _ <- encodings(T)],
    [io:format("differs: ~0p~n", [T])
     || {T, Bytes} <- lists:zip(Originals, unframe(Back)), binary_to_term(Bytes) =/= T],
    io:format("compared ~p~n", [length(Originals)]).

frame(Bytes) -> [<<(byte_size(Bytes)):32>>, Bytes].

unframe(<<Size:32, Bytes:Size/binary, Rest/binary>>) -> [Bytes | unframe(Rest)];
unframe(<<>>) -> [].

print(T) -> unicode:characters_to_binary(io_lib:format("~0tp", [T])).

encodings(T) ->
    [term_to_binary(T), term_to_binary(T, [{compressed, 9}]), term_to_binary(T, [{minor_version, 0}]),
     term_to_binary(T, [{minor_version, 2}])].

comparable() ->
    [0, 255, 256, -1, 1 bsl 27, -(1 bsl 31), 1 bsl 31, 1 bsl 62, -(1 bsl 63), 1 bsl 63, 1 bsl 64, -(1 bsl 64),
     1 bsl 2047, -(1 bsl 2048), 1 bsl 4000,
     0.0, 1.0, -1.5, 0.1, 100.0, 1.0e5, 123456.0, 1234567.0, 1.0e15, 1.0e16, 1.0e22, 1.0e-5, 0.001, 0.00012, 1.5e-7,
     9007199254740991.0, 9007199254740992.0, 1.7976931348623157e308, 5.0e-324, 2.2250738585072014e-308, 3.14159,
     ok, '', 'Hello World', 'it\'s', 'end', true, undefined, 'a@b', '_x', 'żółw', '\n', list_to_atom(lists:duplicate(255, $a)),
     list_to_atom(lists:duplicate(255, 16#17c)),
     [], {}, #{}, <<>>, "", [a], [a | b], [1, 2 | c], "hello", "tab\t", [0, 1], [255], lists:seq(0, 255), lists:duplicate(70000, 7),
     [[], [[]], {[]}], lists:seq(1, 300),
     list_to_tuple(lists:seq(1, 300)), {a, "b", <<"c">>}, {{{{}}}},
     #{a => 1}, #{1 => #{2 => #{}}}, #{<<"k">> => [v]}, maps:from_list([{N, N * N} || N <- lists:seq(1, 20)]),
     <<"text">>, <<"quote\" and \\">>, <<"żółw"/utf8>>, <<1, 2, 3>>, <<5:3>>, <<1, 2, 1:1>>, binary:copy(<<"ab">>, 5000),
     fun lists:map/2, fun erlang:'+'/2, self(), whereis(init), list_to_pid("<0.12345.7>"),
     {'$gen_call', {self(), [alias]}, get}].

%% What we print otherwise, and rightly: quoted where a newer OTP needs it, text only when it is UTF-8.
others() ->
    X = {some, "state"},
    [make_ref(), alias(), [alias | make_ref()], hd(erlang:ports()), erlang:ports(),
     fun(Y) -> {X, Y} end, fun() -> ok end, #{fun(A) -> A end => 1},
     #{2 => a, 1.5 => b, x => c, "s" => d},
     lists:foldl(fun(_, Acc) -> {Acc, [Acc]} end, leaf, lists:seq(1, 8)),
     'maybe', 'éa', <<255>>, 'a\tb\x{1}', [27, 7], <<"\e[31m">>,
     processes(), erlang:system_info(build_type), erlang:timestamp()].
