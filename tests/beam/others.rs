//! Others at work on the same node: tools that trace, processes that want no looks, further nodes.

use std::time::Duration;

use crate::apps::App;
use crate::desk::{Desk, attach_line};
use crate::node::{Setup, TestNode};
use crate::otp::{Otp, each_otp};

const SOON: Duration = Duration::from_secs(5);

/// What dbg has set: on the stock, or as sessions.
fn of_dbg(node: &TestNode, otp: Otp) -> String {
    node.shown(match otp {
        Otp::V25 => {
            "{erlang:trace_info(whereis(stock), flags), erlang:trace_info(whereis(stock), tracer),
                erlang:trace_info({shop_stock, handle_call, 3}, all)}"
        }
        Otp::V27 => "[{Name, S} || {Name, _} = S <- trace:session_info(all), Name =/= cinema]",
    })
}

each_otp! {
    fn another_tool_is_not_disturbed(otp) {
        let node = TestNode::by_port(otp, App::Shop);
        // The counter is asked by a message: dbg's tracer is a process.
        node.run("dbg:tracer(process, {fun(_, N) -> persistent_term:put(n_traced, N + 1), N + 1 end, 0}),
            dbg:p(whereis(stock), [m, call]), dbg:tp(shop_stock, handle_call, 3, [])");
        let before = of_dbg(&node, otp);
        assert!(before.contains(if otp == Otp::V25 { "call" } else { "dbg" }), "{before}");
        let mut desk = Desk::attach(&node, "");
        desk.eval("start_tracing(\"app:shop\")");
        let told = desk.told().concat();
        let is_refused = told.contains("1 process and 1 function are traced by another tool and left alone");
        assert_eq!(is_refused, otp == Otp::V25, "{told}");
        node.run("shop:run(buy), shop:run(door)");
        desk.until("events().pid(\"door\").kind(\"reply\").count()", |n| n == "9");
        let seen = desk.int("events().pid(\"stock\").kind(\"handle_end\").count()");
        assert_eq!(seen, if otp == Otp::V25 { 0 } else { 5 });
        desk.eval("brk(on_state(\"door\", \"state\"))");
        desk.eval("stop_tracing()");
        assert_eq!(of_dbg(&node, otp), before);
        let mut others = Desk::attach(&node, "trace: \"all\"");
        drop(desk);
        others.drain();
        drop(others);
        assert_eq!(of_dbg(&node, otp), before);
        // Theirs still tells them.
        node.run("persistent_term:put(n_traced, 0), shop:run(buy),
            Wait = fun Wait() -> persistent_term:get(n_traced) > 3 orelse begin erlang:yield(), Wait() end end, Wait()");
        node.run("dbg:stop(), catch dbg:stop_clear(), persistent_term:erase(n_traced),
            Wait = fun Wait() -> whereis(dbg) =:= undefined orelse begin erlang:yield(), Wait() end end, Wait()");
        node.settled(SOON).assert_none();
    }

    fn a_sensitive_process_tells_nothing(otp) {
        let node = TestNode::by_port(otp, App::Shop);
        let mut desk = Desk::attach(&node, "trace: \"all\"");
        node.run("shop:run(secret), shop:run(buy)");
        desk.until("events().pid(\"stock\").kind(\"handle_end\").count()", |n| n == "5");
        desk.eval("stop_tracing()");
        assert_eq!(desk.eval("events().pid(\"vault\").kind([\"receive\", \"send\", \"handle_start\", \"state_change\"]).count()"), "0");
        let (_folder, file) = crate::desk::scratch();
        desk.eval(&format!("export_to(\"jsonl\", {file:?})"));
        let all = std::fs::read_to_string(&file).expect("it was written");
        assert!(all.contains("hunter2-5d1c") && !all.contains("sesame-88ab"), "{}", all.len());
    }

    fn a_cluster_is_one_recording(otp) {
        let first = TestNode::start(otp, App::Shop);
        let second = Setup::new(otp, App::Shop).beside(&first).start();
        assert_eq!(first.shown(&format!("net_kernel:connect_node('{}')", second.name())), "true");
        // The first node's driver tells the second's stock to buy: what it sends is traced there, what is received here.
        let far = format!("{{stock, '{}'}}", second.name());
        let receive = "events().kind(\"receive\").tag(\"deliver\")";
        // On a busy machine two clocks are known no better than a message is under way: they are compared anew.
        let attempt = |n: u32| {
            let mut desk = Desk::new();
            desk.eval(&attach_line(&first, &format!("others: [{:?}], trace: \"app:shop\"", second.address_by_port())));
            let nodes = desk.eval("nodes()");
            assert!(nodes.contains(first.name()) && nodes.contains(second.name()), "{nodes}");
            let info = desk.eval("info()");
            assert!(info.contains(&format!("clock of {}", second.name())) && info.contains("give or take"), "{info}");
            first.run(&format!("gen_server:cast(pong, nothing), sys:replace_state(ping, fun(S) -> gen_server:cast({far}, {{deliver, 5}}), S end)"));
            desk.until(&format!("{receive}.count()"), |n| n == "1");
            let line = desk.eval(&format!("{receive}.all()"));
            assert!(line.contains("stock"), "{line}");
            desk.until("events().kind(\"send\").tag(\"deliver\").count()", |n| n == "1");
            let ends = desk.eval("events().tag(\"deliver\").map(|e| `${e.kind} at ${e.at_ns}`)");
            let is_found = desk.eval(&format!("type_of(cause({receive}.top(1)[0]))")) != "()";
            assert!(is_found || n < 4, "{ends}\n{info}");
            is_found.then_some((desk, 100 + n * 5))
        };
        let (mut desk, count) = (1..=4).find_map(attempt).expect("the last attempt says why");
        let cause = desk.eval(&format!("let sent = cause({receive}.top(1)[0]); sent.kind + \" \" + sent.process.name"));
        // In a cluster a name bears its node.
        assert_eq!(cause, format!("send ping@{}", first.name().split('@').next().expect("a node's name")));
        // Time goes on from the cause to the effect, over both clocks.
        assert_eq!(desk.eval(&format!("{receive}.top(1)[0].at_ns >= sent.at_ns - 2_000_000")), "true");
        let states = desk.until(&format!("events().kind(\"state_change\").where(|e| e.message.to_string().contains(\"{count}\")).count()"), |n| n == "1");
        assert_eq!(states, "1");
        drop(desk);
        for node in [&first, &second] {
            node.run("ok");
            let left = node.settled(SOON);
            assert!(left.category("processes").is_empty(), "{:?}", left.category("processes"));
        }
        assert_eq!(first.leftovers().categories(), ["connections"]);
    }

    fn a_node_goes_and_the_others_stay(otp) {
        let first = TestNode::start(otp, App::Shop);
        let mut second = Setup::new(otp, App::Shop).beside(&first).start();
        let mut desk = Desk::new();
        desk.eval(&attach_line(&first, &format!("others: [{:?}], trace: \"app:shop\"", second.address_by_port())));
        second.kill();
        let told = desk.until_told("is gone");
        assert!(told.contains(second.name()), "{told}");
        first.run("shop:run(buy)");
        desk.until("events().kind(\"handle_end\").count()", |n| n.parse::<u32>().is_ok_and(|n| n >= 5));
        assert_eq!(desk.eval("gen_call(\"pong\", \"ping\")"), "{pong,1}");
        drop(desk);
        first.settled(SOON).assert_none();
    }
}
