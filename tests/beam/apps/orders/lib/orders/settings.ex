defmodule Orders.Settings do
  @moduledoc "What the shop is set to, in an Agent."
  use Agent

  def start_link(settings), do: Agent.start_link(fn -> settings end, name: __MODULE__)

  def get(key), do: Agent.get(__MODULE__, &Map.fetch!(&1, key))

  def put(key, value), do: Agent.update(__MODULE__, &Map.replace!(&1, key, value))
end
