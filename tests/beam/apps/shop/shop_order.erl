%% An order, from new to shipped: gen_statem with one handle_event for all states.
-module(shop_order).
-behaviour(gen_statem).
-export([start_link/1, init/1, callback_mode/0, handle_event/4]).

start_link(Order) -> gen_statem:start_link(?MODULE, Order, []).

init(Order) -> {ok, new, Order#{paid => 0}}.

callback_mode() -> handle_event_function.

handle_event({call, From}, {pay, Amount}, new, #{price := Amount} = Order) ->
    {next_state, paid, Order#{paid := Amount}, [{reply, From, ok}]};
handle_event({call, From}, ship, paid, Order) -> {next_state, shipped, Order, [{reply, From, ok}]};
handle_event({call, From}, ship, new, _Order) -> {keep_state_and_data, [{reply, From, {error, not_paid}}]}.
