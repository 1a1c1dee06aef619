{application, shop,
 [{description, "A shop: every OTP behaviour, and the ways in which they go wrong"},
  {vsn, "1.0.0"},
  {modules, [shop, shop_account, shop_app, shop_archive, shop_client, shop_door, shop_driver, shop_flood,
             shop_fragile, shop_news, shop_order, shop_ping, shop_pong, shop_stock, shop_sup, shop_vault]},
  {registered, [shop_sup, shop_client_sup, shop_driver, stock, door, news, archive, fragile, flood, ping, pong,
                account, vault]},
  {applications, [kernel, stdlib]},
  {mod, {shop_app, []}},
  %% scenarios: names for shop:run/1, run in turn, one every every_ms.
  {env, [{archive_kb, 200}, {scenarios, []}, {every_ms, 200}]}]}.
