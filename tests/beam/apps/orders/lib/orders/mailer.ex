defmodule Orders.Mailer do
  @moduledoc "Sends mail, one process for each partition of the customers."
  use GenServer

  def start_link(_), do: GenServer.start_link(__MODULE__, [])

  def mail(customer, text) do
    GenServer.cast({:via, PartitionSupervisor, {Orders.Mailers, customer}}, {:mail, customer, text})
  end

  @impl true
  def init([]), do: {:ok, %{sent: []}}

  @impl true
  def handle_cast({:mail, customer, text}, state) do
    {:noreply, %{state | sent: Enum.take([{customer, text} | state.sent], 10)}}
  end
end
