defmodule Orders.Cart do
  @moduledoc "A customer's cart: under Orders.Carts, found by name in Orders.Registry."
  use GenServer, restart: :transient

  alias Orders.Payments

  defstruct [:customer, items: [], receipt: nil, error: nil]

  def start(customer), do: DynamicSupervisor.start_child(Orders.Carts, {__MODULE__, customer})

  def start_link(customer), do: GenServer.start_link(__MODULE__, customer, name: via(customer))

  def add(customer, sku, cents), do: GenServer.cast(via(customer), {:add, sku, cents})

  @doc "Pays for what was added last."
  def checkout(customer), do: GenServer.call(via(customer), :checkout, 10_000)

  def break(customer, reason), do: GenServer.cast(via(customer), {:break, reason})

  def stop(customer), do: GenServer.stop(via(customer))

  def whereis(customer), do: GenServer.whereis(via(customer))

  defp via(customer), do: {:via, Registry, {Orders.Registry, {:cart, customer}}}

  @impl true
  def init(customer), do: {:ok, %__MODULE__{customer: customer}, {:continue, :greet}}

  @impl true
  def handle_continue(:greet, state) do
    Orders.Mailer.mail(state.customer, "welcome")
    {:noreply, state}
  end

  @impl true
  def handle_cast({:add, sku, cents}, state) do
    {:noreply, %{state | items: [%{sku: sku, cents: cents} | state.items]}}
  end

  def handle_cast({:break, reason}, _state), do: exit(reason)

  @impl true
  def handle_call(:checkout, _from, %__MODULE__{items: [%{sku: sku, cents: cents} | _]} = state) do
    order = %{id: {state.customer, length(state.items)}, sku: sku, cents: cents}

    case Payments.charge(order) do
      {:ok, receipt} ->
        Orders.Counter.increment()
        {:reply, {:ok, receipt}, %{state | receipt: receipt, error: nil}}

      {:error, reason} ->
        {:reply, {:error, reason}, %{state | error: reason}}
    end
  end
end
