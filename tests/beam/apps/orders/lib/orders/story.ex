defmodule Orders.Story do
  @moduledoc """
  Makes things happen: `run/1` from outside, or by itself the chapters that the application environment names, in
  turn, one every `every_ms`. A chapter returns when it is over, with what was seen.
  """
  use GenServer

  alias Orders.{Cart, Counter, Inventory, Settings}

  def start_link(_), do: GenServer.start_link(__MODULE__, [], name: __MODULE__)

  @doc "An order that goes well."
  def run(:order) do
    {:ok, _} = Cart.start("ann")
    Cart.add("ann", "lamp", 1250)
    {:ok, receipt} = Cart.checkout("ann")
    Cart.stop("ann")
    receipt
  end

  # The inventory is busy with a recount, so the payment's call to it times out, and the cart learns only that.
  def run(:timeout) do
    {:ok, _} = Cart.start("bob")
    Cart.add("bob", "chair", 4900)
    Inventory.recount(self())
    receive do: (:recounting -> :ok)
    {:error, :inventory_timeout} = Cart.checkout("bob")
    # Answered when the recount is over, so after the late reply to the payment.
    left = Inventory.count("chair")
    Cart.stop("bob")
    left
  end

  # The counter goes over 100, one by one.
  def run(:count) do
    Counter.reset()
    for _ <- 1..105, do: Counter.increment()
    Counter.value()
  end

  # A cart crashes and is restarted under the same name, empty.
  def run(:crash) do
    {:ok, old} = Cart.start("eve")
    ref = Process.monitor(old)
    Cart.break("eve", {:payment_lost, 42})
    receive do: ({:DOWN, ^ref, :process, ^old, _} -> :ok)
    # The supervisor answers when it is done with the restart.
    _ = DynamicSupervisor.count_children(Orders.Carts)
    new = Cart.whereis("eve")
    Cart.stop("eve")
    {old, new}
  end

  # Tasks at work: two that are awaited, one that fails.
  def run(:tasks) do
    sums = for n <- [10, 20], do: Task.Supervisor.async(Orders.Tasks, fn -> Enum.sum(1..n) end)
    failing = Task.Supervisor.async_nolink(Orders.Tasks, fn -> exit(:no_paper) end)
    {:exit, :no_paper} = Task.yield(failing)
    Task.await_many(sums)
  end

  def run(:settings) do
    Settings.put(:rush, true)
    rush = Settings.get(:rush)
    Settings.put(:rush, false)
    rush
  end

  @impl true
  def init([]) do
    {:ok, chapters} = Application.fetch_env(:orders, :story)
    {:ok, every_ms} = Application.fetch_env(:orders, :every_ms)
    {:ok, next(%{to_come: chapters, every_ms: every_ms, told: 0})}
  end

  @impl true
  def handle_info(:next, %{to_come: [chapter | rest]} = state) do
    run(chapter)
    {:noreply, next(%{state | to_come: rest ++ [chapter], told: state.told + 1})}
  end

  def handle_info({:run, chapter}, state) do
    run(chapter)
    {:noreply, %{state | told: state.told + 1}}
  end

  def handle_info(_stray, state), do: {:noreply, state}

  defp next(%{to_come: []} = state), do: state

  defp next(state) do
    Process.send_after(self(), :next, state.every_ms)
    state
  end
end
