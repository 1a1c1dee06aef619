%% A supervisor of workers: {Strategy, Intensity, [{Name, Restart}]}.
-module(sup).
-behaviour(supervisor).
-export([init/1]).

init({simple_one_for_one, Intensity, Restart}) ->
    Flags = #{strategy => simple_one_for_one, intensity => Intensity, period => 5},
    {ok, {Flags, [#{id => worker, start => {worker, start_link, []}, restart => Restart, shutdown => 100}]}};
init({Strategy, Intensity, Children}) ->
    Flags = #{strategy => Strategy, intensity => Intensity, period => 5},
    Spec = fun({Name, Restart}) ->
        #{id => Name, start => {worker, start_link, [Name]}, restart => Restart, shutdown => 100}
    end,
    {ok, {Flags, lists:map(Spec, Children)}}.
