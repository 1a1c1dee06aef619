#!/usr/bin/env escript
%% Many XMPP clients: they log in, chat with each other, meet in rooms, ask for rosters, ping, and now and then
%% cut the line. xmpp_load.escript PORT CLIENTS SECONDS. It must not know who traces the server.
-mode(compile).

main([Port0, Clients0, Seconds0]) ->
    [Port, Clients, Seconds] = [list_to_integer(S) || S <- [Port0, Clients0, Seconds0]],
    Until = erlang:monotonic_time(millisecond) + Seconds * 1000 - 2000,
    Self = self(),
    [spawn(fun() -> timer:sleep(N * 5), live(N, Port, Clients, Until), Self ! done end)
     || N <- lists:seq(1, Clients)],
    [receive done -> ok after Seconds * 1000 + 10000 -> ok end || _ <- lists:seq(1, Clients)].

%% One client, again and again until the end.
live(N, Port, Clients, Until) ->
    case erlang:monotonic_time(millisecond) < Until of
        false -> ok;
        true ->
            rand:seed(exsss, {N, erlang:unique_integer(), 7}),
            try session(N, Port, Clients, Until) catch _:_ -> timer:sleep(200) end,
            live(N, Port, Clients, Until)
    end.

session(N, Port, Clients, Until) ->
    {ok, S} = gen_tcp:connect({127, 0, 0, 1}, Port, [binary, {active, false}, {nodelay, true}]),
    Header = "<?xml version='1.0'?><stream:stream to='localhost' xmlns='jabber:client' "
             "xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>",
    say(S, Header),
    await(S, <<"</stream:features>">>),
    Plain = base64:encode(iolist_to_binary([0, "u", integer_to_list(N), 0, "secret"])),
    say(S, ["<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>", Plain, "</auth>"]),
    await(S, <<"<success">>),
    say(S, Header),
    await(S, <<"</stream:features>">>),
    say(S, "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>load</resource></bind></iq>"),
    await(S, <<"</iq>">>),
    say(S, "<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq><presence/>"),
    Room = ["room", integer_to_list(N rem 20), "@conference.localhost"],
    say(S, ["<presence to='", Room, "/n", integer_to_list(N), "'><x xmlns='http://jabber.org/protocol/muc'/></presence>"]),
    inet:setopts(S, [{active, true}]),
    talk(S, N, Clients, Room, Until, 100 + rand:uniform(400)).

%% A client's stanzas; after `Left` of them it cuts the line, politely or not.
talk(S, _, _, _, _, 0) ->
    rand:uniform(2) =:= 1 andalso say(S, "</stream:stream>"),
    gen_tcp:close(S);
talk(S, N, Clients, Room, Until, Left) ->
    case erlang:monotonic_time(millisecond) < Until of
        false -> gen_tcp:close(S);
        true ->
            Id = integer_to_list(erlang:unique_integer([positive])),
            To = integer_to_list(rand:uniform(Clients)),
            say(S, case rand:uniform(20) of
                1 -> ["<iq type='get' id='", Id, "'><query xmlns='jabber:iq:roster'/></iq>"];
                2 -> ["<iq type='get' to='localhost' id='", Id, "'><ping xmlns='urn:xmpp:ping'/></iq>"];
                3 -> ["<message to='", Room, "' type='groupchat' id='", Id, "'><body>", words(), "</body></message>"];
                4 -> ["<iq type='get' to='localhost' id='", Id, "'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>"];
                5 -> ["<presence><show>", lists:nth(rand:uniform(3), ["away", "chat", "dnd"]), "</show></presence>"];
                _ -> ["<message to='u", To, "@localhost' type='chat' id='", Id, "'><body>", words(), "</body></message>"]
            end),
            drain(),
            timer:sleep(rand:uniform(40)),
            talk(S, N, Clients, Room, Until, Left - 1)
    end.

words() ->
    Words = {"the", "pool", "is", "full", "timeout", "again", "restart", "it", "when", "we", "ship", "tea", "today",
             "queue", "grows", "no", "answer", "from", "node", "seven"},
    lists:join(" ", [element(rand:uniform(size(Words)), Words) || _ <- lists:seq(1, 3 + rand:uniform(12))]).

say(S, Text) -> ok = gen_tcp:send(S, Text).

await(S, Wanted) -> await(S, Wanted, <<>>).
await(S, Wanted, Seen) ->
    case binary:match(Seen, Wanted) of
        nomatch ->
            {ok, More} = gen_tcp:recv(S, 0, 10000),
            await(S, Wanted, <<Seen/binary, More/binary>>);
        _ -> ok
    end.

drain() ->
    receive
        {tcp, _, _} -> drain();
        {tcp_closed, _} -> exit(closed)
    after 0 -> ok
    end.
