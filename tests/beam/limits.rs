//! Tracing that ends by itself, and nodes that are too fast, stand still or die.

use std::time::{Duration, Instant};

use crate::apps::App;
use crate::desk::{Desk, PATIENCE};
use crate::node::TestNode;
use crate::otp::each_otp;

const SOON: Duration = Duration::from_secs(5);

/// Waits until nothing is left on the node but what belongs to being attached.
fn wait_until_untraced(node: &TestNode) {
    let start = Instant::now();
    while node.leftovers().categories() != ["connections", "processes"] {
        assert!(start.elapsed() < SOON, "{:#?}", node.leftovers());
    }
}

/// Starts tracing `what` with `limits`, does `load`, and waits until the tracing has ended by the limit called `name`;
/// then does `after`, and waits until nothing is left.
fn ends_by(node: &TestNode, what: &str, limits: &str, load: &str, name: &str, after: &str) -> Desk {
    let mut desk = Desk::attach(node, "");
    desk.eval(&format!("start_tracing({what:?}, #{{sample: (), limits: #{{{limits}}}}})"));
    node.run(load);
    let told = desk.until_told("has ended by its limit");
    assert!(told.contains(&format!("`{name}`")) && told.contains(node.name()), "{told}");
    node.run(after);
    wait_until_untraced(node);
    desk
}

/// The process that floods has nothing more to do.
const FLOOD_IS_OVER: &str = "Wait = fun Wait() -> case process_info(whereis(flood), [status, message_queue_len]) of
    [{status, waiting}, {message_queue_len, 0}] -> ok; _ -> receive after 5 -> Wait() end end end, Wait()";

each_otp! {
    alone
    fn each_limit_ends_the_tracing_and_says_so(otp) {
        let node = TestNode::by_port(otp, App::Shop);
        ends_by(&node, "stock", "time: \"300ms\"", "ok", "time", "ok");
        ends_by(&node, "app:shop", "events: 20", "shop:run(buy)", "events", "ok");
        ends_by(&node, "flood", "rate: 5000", "shop:run(flood)", "rate", "shop:run(stop)");
        let queue = "sys:suspend(stock), [gen_server:cast(stock, {deliver, 1}) || _ <- lists:seq(1, 50)]";
        ends_by(&node, "stock", "queue: 20", queue, "queue", "sys:resume(stock)");
        let large = "put(large, binary:copy(<<0>>, 50_000_000))";
        let mut desk = ends_by(&node, "stock", "memory_bytes: 5_000_000", large, "memory", "ok");
        // It can go on in the same recording; the next limits count from now.
        desk.told();
        desk.eval("start_tracing(\"stock\", #{limits: #{memory_bytes: 5_000_000, events: 50}})");
        node.run("shop:run(buy)");
        desk.until("events().pid(\"stock\").kind(\"handle_end\").count()", |n| n == "5");
        desk.drain();
        assert!(!desk.told().concat().contains("has ended"));
        drop(desk);
        node.settled(SOON).assert_none();
    }

    fn what_a_flood_loses_is_counted_exactly(otp) {
        let node = TestNode::by_port(otp, App::Shop);
        let mut desk = Desk::attach(&node, "");
        desk.eval("start_tracing(\"flood\", #{sample: (), queue: 500, limits: #{rate: ()}})");
        // Nobody takes events meanwhile: the channels fill, the node's queue fills, and it drops.
        node.run(&format!("shop:run({{flood, 300000}}), {FLOOD_IS_OVER}"));
        let sent = 2 * 300_000 + 1;
        let told = "events().pid(\"flood\").kind([\"send\", \"receive\"]).count() + nodes()[0].dropped";
        desk.until(told, |n| n == sent.to_string());
        let dropped = desk.int("nodes()[0].dropped");
        let lost = desk.eval("let n = 0; for e in events().kind(\"loss\").all() { n += e.message.total; } n");
        assert_eq!(lost, dropped.to_string());
        assert!(dropped > 0, "the queue of 500 took it all");
        desk.eval("stop_tracing()");
        wait_until_untraced(&node);
    }

    fn a_flood_without_a_port_is_counted_exactly(otp) {
        let node = crate::node::Setup::new(otp, App::Shop).without_epmd().without("runtime_tools").start();
        let mut desk = Desk::attach(&node, "");
        desk.eval("start_tracing(\"flood\", #{sample: (), queue: 500, limits: #{rate: ()}})");
        node.run(&format!("shop:run({{flood, 100000}}), {FLOOD_IS_OVER}"));
        let sent = 2 * 100_000 + 1;
        let told = "events().pid(\"flood\").kind([\"send\", \"receive\"]).count() + nodes()[0].dropped";
        desk.until(told, |n| n == sent.to_string());
        assert!(desk.int("nodes()[0].dropped") > 0);
        drop(desk);
        node.settled(SOON).assert_none();
    }

    fn a_busy_desk_keeps_its_agent(otp) {
        let node = TestNode::by_port(otp, App::Shop);
        let mut desk = Desk::attach(&node, "");
        desk.eval("start_tracing(\"app:shop\", #{sample: \"10ms\", limits: #{rate: ()}})");
        node.run("shop:run(flood)");
        // Longer than the agent lives without a heart; then looks into a feed that is full.
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(4) {
            desk.eval("let n = 0; while n < 100_000 { n += 1; }");
        }
        let start = Instant::now();
        desk.eval("get_state(\"stock\")");
        desk.eval("sample(\"pong\")");
        assert_eq!(desk.eval("gen_call(\"stock\", \"count\")"), "100");
        desk.eval("stop_tracing()");
        assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
        node.run("shop:run(stop)");
        assert_eq!(desk.eval("nodes()[0].status"), "attached");
        drop(desk);
        node.settled(SOON).assert_none();
    }

    fn a_node_that_stands_still_holds_nobody_up(otp) {
        let node = TestNode::by_port(otp, App::Shop);
        let mut desk = Desk::attach(&node, "trace: \"stock\"");
        node.run("shop:run(buy)");
        desk.until("events().pid(\"stock\").kind(\"handle_end\").count()", |n| n == "5");
        assert!(desk.eval("state(\"stock\", \"end\")").contains("107"));
        node.signal("STOP");
        let mut within = |line: &str, max_ms: u64| {
            let start = Instant::now();
            let answer = desk.try_eval(line);
            assert!(start.elapsed() < Duration::from_millis(max_ms), "{line} took {:?}", start.elapsed());
            answer
        };
        assert!(within("state(\"stock\", \"end\")", 500).is_ok());
        assert!(within("tree()", 500).is_ok());
        assert!(within("nodes()", 500).is_ok());
        assert!(within("paused()", 1500).is_ok());
        assert!(within("gen_call(\"stock\", \"count\", \"200ms\")", 3000).is_err());
        assert!(within("get_state(\"stock\", #{timeout: \"200ms\"})", 4000).is_err());
        assert!(within("run_for(\"50ms\")", 500).is_ok());
        node.signal("CONT");
        // Our agent has outlived the stand-still, and all goes on.
        node.run("gen_server:cast(stock, {deliver, 1})");
        desk.until("state(\"stock\", \"end\")", |text| text.contains("108"));
        assert_eq!(desk.eval("nodes()[0].status"), "attached");
        drop(desk);
        node.settled(SOON).assert_none();
    }

    fn a_node_that_dies_leaves_its_recording(otp) {
        let mut node = TestNode::by_port(otp, App::Shop);
        let mut desk = Desk::attach(&node, "trace: \"stock\"");
        node.run("shop:run(buy)");
        desk.until("events().pid(\"stock\").kind(\"handle_end\").count()", |n| n == "5");
        assert!(desk.eval("state(\"stock\", \"end\")").contains("107"));
        desk.eval("brk(on_message(\"count\", \"stock\"))");
        node.run("spawn(fun() -> gen_server:call(stock, count) end)");
        desk.until("paused().len()", |n| n == "1");
        node.kill();
        desk.until_told("is gone");
        assert_eq!(desk.eval("paused().len()"), "0");
        assert!(desk.eval("state(\"stock\", \"end\")").contains("107"));
        for line in ["gen_call(\"stock\", \"count\")", "get_state(\"stock\")", "start_tracing(\"stock\")", "resume(\"stock\")"] {
            let start = Instant::now();
            let failure = desk.fails(line);
            assert!(start.elapsed() < Duration::from_secs(1), "{line}: {:?}", start.elapsed());
            assert!(failure.contains("gone") || failure.contains("can_"), "{line}: {failure}");
        }
        desk.eval("stop_tracing()");
        desk.eval("run()");
    }
}
