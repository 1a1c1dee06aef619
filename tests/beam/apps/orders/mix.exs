defmodule Orders.MixProject do
  use Mix.Project

  def project do
    [app: :orders, version: "1.0.0", elixir: "~> 1.14", deps: []]
  end

  # story: names for Orders.Story.run/1, told in turn, one every every_ms.
  def application do
    [
      mod: {Orders.Application, []},
      extra_applications: [:logger],
      env: [story: [], every_ms: 200]
    ]
  end
end
