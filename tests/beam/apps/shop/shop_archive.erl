%% A server with a large state: as many KB of heap as it is told (application environment archive_kb).
-module(shop_archive).
-behaviour(gen_server).
-export([start_link/1, init/1, handle_call/3, handle_cast/2]).

start_link(KBytes) -> gen_server:start_link({local, archive}, ?MODULE, KBytes, []).

init(KBytes) -> {ok, #{version => 0, entries => entries(KBytes)}}.

handle_call({touch, Idx}, _From, #{version := Version, entries := Entries} = State) ->
    #{Idx := #{n_reads := N} = Entry} = Entries,
    {reply, Version + 1, State#{version := Version + 1, entries := Entries#{Idx := Entry#{n_reads := N + 1}}}};
handle_call({resize, KBytes}, _From, #{version := Version}) ->
    {reply, Version + 1, #{version => Version + 1, entries => entries(KBytes)}}.

handle_cast({touch, Idx}, State) ->
    {reply, _, Next} = handle_call({touch, Idx}, none, State),
    {noreply, Next}.

%% One entry for each KB: a list of 58 integers is 928 bytes of heap, the map and its place the rest.
entries(KBytes) ->
    Entry = fun(Idx) -> {Idx, #{n_reads => 0, pages => lists:seq(Idx, Idx + 57)}} end,
    maps:from_list([Entry(Idx) || Idx <- lists:seq(1, KBytes)]).
