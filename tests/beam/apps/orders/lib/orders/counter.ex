defmodule Orders.Counter do
  @moduledoc "Counts orders: something that goes over 100."
  use GenServer

  defstruct count: 0, since: nil

  def start_link(_), do: GenServer.start_link(__MODULE__, [], name: __MODULE__)

  def increment(by \\ 1), do: GenServer.cast(__MODULE__, {:increment, by})

  def value, do: GenServer.call(__MODULE__, :value)

  def reset, do: GenServer.call(__MODULE__, :reset)

  @impl true
  def init([]), do: {:ok, %__MODULE__{since: ~D[2024-02-29]}}

  @impl true
  def handle_cast({:increment, by}, state), do: {:noreply, %{state | count: state.count + by}}

  @impl true
  def handle_call(:value, _from, state), do: {:reply, state.count, state}
  def handle_call(:reset, _from, state), do: {:reply, :ok, %{state | count: 0}}
end
