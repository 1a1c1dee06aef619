# What Elixir's own behaviours do, traced into the file that is named on the command line: Registry, DynamicSupervisor,
# Task and Task.Supervisor, Agent, PartitionSupervisor. tests/import/elixir.rs knows the truth.
defmodule Cart do
  use GenServer
  defstruct items: %{}, total: 0
  def start_link(id), do: GenServer.start_link(__MODULE__, id, name: {:via, Registry, {Market.Registry, "cart-#{id}"}})
  @impl true
  def init(id), do: {:ok, %Cart{items: %{id => 0}}, {:continue, :warm}}
  @impl true
  def handle_continue(:warm, cart), do: {:noreply, %{cart | total: 1}}
  @impl true
  def handle_call({:add, item, price}, _from, cart) do
    {:reply, :ok, %{cart | items: Map.put(cart.items, item, price), total: cart.total + price}}
  end
end

defmodule Market do
  def tree do
    [
      {Registry, keys: :unique, name: Market.Registry},
      {DynamicSupervisor, name: Market.Carts},
      {Task.Supervisor, name: Market.Tasks},
      %{id: :stock, start: {Agent, :start_link, [fn -> %{apples: 3} end, [name: Market.Stock]]}},
      {PartitionSupervisor, child_spec: {Agent, fn -> 0 end}, name: Market.Partitions, partitions: 2}
    ]
  end

  defp gone(ref) do
    receive do
      {:DOWN, ^ref, _, _, _} -> :ok
    end
  end

  def run do
    {:ok, sup} = Supervisor.start_link(tree(), strategy: :one_for_one, name: Market.Supervisor)
    {:ok, cart} = DynamicSupervisor.start_child(Market.Carts, {Cart, 7})
    :ok = GenServer.call({:via, Registry, {Market.Registry, "cart-7"}}, {:add, :apple, 3})
    3 = Agent.get(Market.Stock, & &1.apples)
    :ok = Agent.update(Market.Stock, &Map.put(&1, :apples, 2))
    :ok = Agent.cast(Market.Stock, &Map.put(&1, :pears, 1))
    42 = Task.await(Task.async(fn -> 42 end))
    9 = Task.await(Task.Supervisor.async(Market.Tasks, fn -> 9 end))
    {:ok, pid} = Task.Supervisor.start_child(Market.Tasks, fn -> Process.sleep(5) end)
    :ok = gone(Process.monitor(pid))
    :ok = DynamicSupervisor.terminate_child(Market.Carts, cart)
    :ok = Supervisor.terminate_child(Market.Supervisor, :stock)
    :ok = Supervisor.delete_child(Market.Supervisor, :stock)
    {:ok, _} = Supervisor.start_child(Market.Supervisor, %{id: :till, start: {Agent, :start_link, [fn -> 0 end]}})
    Process.unlink(sup)
    :ok = Supervisor.stop(sup)
  end
end

defmodule Tracer do
  @callbacks [init: 1, handle_call: 3, handle_cast: 2, handle_info: 2, handle_continue: 2, terminate: 2]

  def trace(file) do
    {:ok, _} = :dbg.tracer(:port, :dbg.trace_port(:file, String.to_charlist(file)))
    {:ok, _} = :dbg.p(:new, [:m, :p, :c, :strict_monotonic_timestamp])
    modules = [Cart, Agent.Server, DynamicSupervisor, :supervisor]
    Enum.each(modules ++ [Registry.Partition, Task.Supervised, Task.Supervisor], &Code.ensure_loaded/1)
    for module <- modules, {function, arity} <- @callbacks, do: :dbg.tpl(module, function, arity, :x)
    {pid, ref} = spawn_monitor(Market, :run, [])
    :normal = ended(pid, ref)
    delivered(:erlang.trace_delivered(:all))
    :dbg.flush_trace_port()
    :dbg.stop_clear()
  end

  defp ended(pid, ref) do
    receive do
      {:DOWN, ^ref, :process, ^pid, reason} -> reason
    end
  end

  defp delivered(ref) do
    receive do
      {:trace_delivered, :all, ^ref} -> :ok
    end
  end
end

Tracer.trace(hd(System.argv()))
