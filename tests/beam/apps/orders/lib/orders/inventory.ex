defmodule Orders.Inventory do
  @moduledoc "What is in stock. A recount takes 300 ms, and everybody waits."
  use GenServer

  defstruct stock: %{"lamp" => 40, "chair" => 12}, reserved: %{}, recounts: 0

  @recount_ms 300

  def start_link(_), do: GenServer.start_link(__MODULE__, [], name: __MODULE__)

  @doc "Takes one out of stock for an order. Exits when there is no answer in `timeout_ms`."
  def reserve(sku, order_id, timeout_ms \\ 5000) do
    GenServer.call(__MODULE__, {:reserve, sku, order_id}, timeout_ms)
  end

  def release(order_id), do: GenServer.cast(__MODULE__, {:release, order_id})

  @doc "Starts a recount; `observer` is told when it has begun."
  def recount(observer), do: GenServer.cast(__MODULE__, {:recount, observer})

  def count(sku), do: GenServer.call(__MODULE__, {:count, sku})

  @impl true
  def init([]), do: {:ok, %__MODULE__{}}

  @impl true
  def handle_call({:reserve, sku, order_id}, _from, %__MODULE__{stock: stock} = state) do
    case stock do
      %{^sku => n} when n > 0 ->
        reserved = Map.put(state.reserved, order_id, sku)
        {:reply, :ok, %{state | stock: %{stock | sku => n - 1}, reserved: reserved}}

      _ ->
        {:reply, {:error, :sold_out}, state}
    end
  end

  def handle_call({:count, sku}, _from, state), do: {:reply, Map.get(state.stock, sku, 0), state}

  @impl true
  def handle_cast({:release, order_id}, %__MODULE__{stock: stock} = state) do
    case Map.pop(state.reserved, order_id) do
      {nil, _} -> {:noreply, state}
      {sku, reserved} -> {:noreply, %{state | stock: Map.update!(stock, sku, &(&1 + 1)), reserved: reserved}}
    end
  end

  def handle_cast({:recount, observer}, state) do
    send(observer, :recounting)
    Process.sleep(@recount_ms)
    {:noreply, %{state | recounts: state.recounts + 1}}
  end
end
