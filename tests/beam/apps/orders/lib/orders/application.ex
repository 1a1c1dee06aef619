defmodule Orders.Application do
  @moduledoc "A web shop's back end without the web: carts come and go, stock and payments are shared."
  use Application

  @impl true
  def start(_type, _args) do
    children = [
      {Registry, keys: :unique, name: Orders.Registry},
      {Orders.Settings, %{currency: "EUR", rush: false}},
      Orders.Inventory,
      Orders.Payments,
      Orders.Counter,
      {Task.Supervisor, name: Orders.Tasks},
      {DynamicSupervisor, name: Orders.Carts, strategy: :one_for_one, max_restarts: 10, max_seconds: 1},
      {PartitionSupervisor, child_spec: Orders.Mailer, name: Orders.Mailers, partitions: 2},
      Orders.Story
    ]

    Supervisor.start_link(children, strategy: :one_for_one, name: Orders.Supervisor)
  end
end
