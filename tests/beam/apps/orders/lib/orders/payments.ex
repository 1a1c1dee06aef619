defmodule Orders.Payments do
  @moduledoc "Charges cards. To know that there is something to pay for, it reserves it first, and waits at most 100 ms."
  use GenServer

  alias Orders.Inventory

  defstruct charged: 0, failed: 0, api_key: "sk_live_9f2c41"

  @reserve_ms 100

  def start_link(_), do: GenServer.start_link(__MODULE__, [], name: __MODULE__)

  @doc "`{:ok, receipt}` or `{:error, reason}`."
  def charge(order), do: GenServer.call(__MODULE__, {:charge, order}, 5000)

  @impl true
  def init([]), do: {:ok, %__MODULE__{}}

  @impl true
  def handle_call({:charge, %{id: id, sku: sku, cents: cents}}, _from, %__MODULE__{} = state) do
    case Inventory.reserve(sku, id, @reserve_ms) do
      :ok -> {:reply, {:ok, %{order: id, cents: cents}}, %{state | charged: state.charged + cents}}
      error -> {:reply, error, %{state | failed: state.failed + 1}}
    end
  catch
    :exit, {:timeout, _} -> {:reply, {:error, :inventory_timeout}, %{state | failed: state.failed + 1}}
  end
end
