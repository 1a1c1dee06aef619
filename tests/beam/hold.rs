//! Processes that are stopped inside their own loops, looked at, changed, and let go.

use std::time::{Duration, Instant};

use crate::apps::App;
use crate::desk::Desk;
use crate::node::TestNode;
use crate::otp::each_otp;

const SOON: Duration = Duration::from_secs(5);

/// Whether the process called `name` waits inside a breakpoint.
fn is_held(node: &TestNode, name: &str) -> bool {
    // Nobody who is held answers; who is not answers at once.
    node.shown(&format!("catch element(1, sys:get_status({name}, 200))")) != "status"
}

each_otp! {
    fn a_state_condition_holds_after_the_callback(otp) {
        let node = TestNode::by_port(otp, App::Shop);
        let mut desk = Desk::attach(&node, "trace: \"stock\"");
        desk.eval("brk(on_state(\"stock\", \"count\", lt(50)))");
        assert!(desk.told().iter().any(|line| line.contains(": a hit holds")));
        node.run("[gen_server:cast(stock, {deliver, N}) || N <- [-10, -20, -30, -40]]");
        let held = desk.until("paused()", |text| text.contains("stock"));
        assert!(held.contains("{deliver,-30}") && held.contains("count => 40") && held.contains("after"), "{held}");
        assert!(is_held(&node, "stock"));
        // What waits behind it is seen, and the recording goes on.
        desk.until("mailbox(\"stock\")", |text| text.contains("deliver"));
        desk.eval("resume()");
        // The field passes the test still: it has not become so, but it changed.
        let held = desk.until("paused()", |text| text.contains("{deliver,-40}"));
        assert!(held.contains("count => 0"), "{held}");
        desk.eval("resume(\"stock\")");
        desk.until("paused()", |text| !text.contains("stock"));
        assert!(!is_held(&node, "stock"));
        assert!(desk.fails("resume(\"stock\")").contains("neither held nor suspended"));
        desk.eval("remove_breakpoint(1)");
        node.run("gen_server:cast(stock, {deliver, -5})");
        assert_eq!(node.shown("gen_server:call(stock, count)"), "-5");
        drop(desk);
        node.settled(SOON).assert_none();
    }

    fn a_message_condition_holds_before_the_callback(otp) {
        let node = TestNode::by_port(otp, App::Shop);
        let mut desk = Desk::attach(&node, "trace: \"stock\"");
        desk.eval("brk(on_message(\"buy\", \"stock\"), action::pause(), \"buys\")");
        node.run("stock ! hello, gen_server:cast(stock, {deliver, 1}), spawn(fun() -> gen_server:call(stock, {buy, 1}) end)");
        let held = desk.until("paused()", |text| text.contains("stock"));
        assert!(held.contains("before") && held.contains("{buy,1}") && held.contains("count => 101"), "{held}");
        assert_eq!(desk.eval("state(\"stock\", \"end\")"), "#{count => 101,sold => 0}");
        // It takes no new state there, and says so.
        assert!(desk.fails("replace_state(\"stock\", 1)").contains("held"));
        assert!(desk.fails("get_state(\"stock\", #{timeout: \"100ms\"})").contains("did not answer in time"));
        desk.eval("resume()");
        desk.until("state(\"stock\", \"end\")", |text| text == "#{count => 100,sold => 1}");
        desk.eval("disable_breakpoint(1)");
        node.run("gen_server:call(stock, {buy, 1})");
        desk.eval("enable_breakpoint(1)");
        node.run("spawn(fun() -> gen_server:call(stock, {buy, 1}) end)");
        desk.until("paused()", |text| text.contains("stock"));
        // Leaving lets it go.
        drop(desk);
        node.settled(SOON).assert_none();
        assert_eq!(node.shown("gen_server:call(stock, count)"), "98");
    }

    fn a_breakpoint_that_goes_leaves_nobody_held(otp) {
        let node = TestNode::by_port(otp, App::Shop);
        let mut desk = Desk::attach(&node, "trace: \"stock\"");
        for id in 1..=10 {
            desk.eval("brk(on_message(\"deliver\", \"stock\"))");
            // Each of them would hit, and all wait before what takes the breakpoint out.
            node.run("[gen_server:cast(stock, {deliver, 1}) || _ <- lists:seq(1, 100)]");
            desk.until("paused()", |text| text.contains("stock"));
            desk.eval(&format!("remove_breakpoint({id})"));
            assert_eq!(node.shown("gen_server:call(stock, count, 2000)"), (100 + id * 100).to_string());
        }
        assert_eq!(desk.until("paused().len()", |n| n == "0"), "0");
        drop(desk);
        node.settled(SOON).assert_none();
    }

    fn a_deadline_lets_it_go(otp) {
        let node = TestNode::by_port(otp, App::Shop);
        let mut desk = Desk::attach(&node, "trace: \"stock\"");
        desk.eval("hold_for(\"150ms\")");
        desk.eval("tbrk(on_message(\"buy\", \"stock\"))");
        let start = Instant::now();
        assert_eq!(node.shown("gen_server:call(stock, {buy, 1})"), "{ok,99}");
        assert!(start.elapsed() >= Duration::from_millis(150), "{:?}", start.elapsed());
        let released = desk.until("events().kind(\"released\").all()", |text| text.contains("stock"));
        assert!(released.contains("deadline"), "{released}");
        // It was for once.
        assert_eq!(node.shown("element(1, timer:tc(gen_server, call, [stock, count])) < 100000"), "true");
        drop(desk);
        node.settled(SOON).assert_none();
    }

    fn a_restarted_server_is_held_again(otp) {
        let node = TestNode::by_port(otp, App::Shop);
        let mut desk = Desk::attach(&node, "trace: \"app:shop\"");
        desk.eval("brk(on_message(\"serve\", \"fragile\"))");
        let old = node.shown("whereis(fragile)");
        node.run("shop:run(crash)");
        desk.until("process(\"fragile\").pid.to_string()", |pid| !pid.is_empty());
        // The new one has it as soon as it was seen.
        desk.until("events().kind(\"supervisor_restart\").count()", |n| n == "1");
        desk.until("breakpoints()", |_| node.shown("lists:nth(4, element(4, sys:get_status(fragile)))") != "[]");
        node.run("spawn(fun() -> gen_server:call(fragile, serve) end)");
        desk.until("paused()", |text| text.contains("fragile"));
        assert_ne!(old, node.shown("whereis(fragile)"));
        drop(desk);
        node.settled(SOON).assert_none();
    }

    fn several_are_held_and_one_is_killed_meanwhile(otp) {
        let node = TestNode::by_port(otp, App::Shop);
        let mut desk = Desk::attach(&node, "trace: \"app:shop\"");
        node.run("[put(N, shop:client(N)) || N <- [1, 2, 3]]");
        desk.until("processes()", |text| text.matches("shop_client").count() >= 3);
        desk.eval("brk(on_message(\"buy\", of_module(\"shop_client\")))");
        node.run("[spawn(fun() -> catch shop_client:buy(C, 1, 1000) end) || C <- [get(1), get(2), get(3)]]");
        desk.until("paused().len()", |n| n == "3");
        node.run("exit(get(2), kill)");
        desk.until("paused().len()", |n| n == "2");
        desk.eval("resume()");
        desk.until("paused().len()", |n| n == "0");
        drop(desk);
        node.settled(SOON).assert_none();
    }

    fn a_machine_is_held(otp) {
        let node = TestNode::by_port(otp, App::Shop);
        let mut desk = Desk::attach(&node, "trace: \"door\"");
        desk.eval("brk(on_message(\"digit\", \"door\"))");
        node.run("spawn(fun() -> gen_statem:call(door, {digit, 9}) end)");
        let held = desk.until("paused()", |text| text.contains("door"));
        assert!(held.contains("{digit,9}"), "{held}");
        desk.eval("remove_breakpoint(1)");
        desk.until("paused().len()", |n| n == "0");
        desk.eval("brk(on_state(\"door\", \"state\", eq(\"open\")))");
        node.run("spawn(fun() -> shop_door:press([0, 0, 0, 1, 2, 3, 4]) end)");
        let held = desk.until("paused()", |text| text.contains("door"));
        assert!(held.contains("state => open"), "{held}");
        // Of the data the machine's loop tells nothing: that is tested beside the stream.
        desk.told();
        desk.eval("brk(on_state(\"door\", \"data.n_opened\", gt(1)))");
        assert!(desk.told().concat().contains("of a gen_statem's state only its name"));
        drop(desk);
        node.settled(SOON).assert_none();
    }

    fn states_are_asked_for(otp) {
        let node = TestNode::by_port(otp, App::Shop);
        let mut desk = Desk::attach(&node, "");
        assert_eq!(desk.eval("get_state(\"stock\")"), "#{count => 100,sold => 0}");
        assert_eq!(desk.eval("state(\"stock\", \"end\")"), "#{count => 100,sold => 0}");
        let large = desk.fails("get_state(\"archive\", #{state_max: 1000})");
        assert!(large.contains("larger than the limit"), "{large}");
        assert_eq!(desk.eval("get_state(\"archive\").len()"), "2");
        let plain = desk.fails("get_state(\"flood\")");
        assert!(plain.contains("answers no system messages"), "{plain}");
        // A busy one is not waited for longer than asked.
        node.run("spawn(fun() -> gen_server:call(stock, {audit, self()}) end), receive after 30 -> ok end");
        let busy = desk.fails("get_state(\"stock\", #{timeout: \"20ms\"})");
        assert!(busy.contains("did not answer in time"), "{busy}");
        // Nothing of ours is in anybody's mailbox.
        assert_eq!(node.shown("process_info(whereis(flood), message_queue_len)"), "{message_queue_len,0}");
        drop(desk);
        node.settled(SOON).assert_none();
    }

    fn a_process_is_suspended_and_goes_on(otp) {
        let node = TestNode::by_port(otp, App::Shop);
        let mut desk = Desk::attach(&node, "trace: \"stock\"");
        desk.eval("suspend(\"stock\")");
        assert_eq!(node.leftovers().category("debugged").len(), 1);
        node.run("gen_server:cast(stock, {deliver, 1})");
        // What waits unseen is told by the samples that follow each other.
        desk.until("process(\"stock\").queue.to_string()", |n| n == "1");
        desk.eval("resume(\"stock\")");
        desk.until("state(\"stock\", \"end\")", |text| text.contains("101"));
        assert!(desk.fails("suspend(\"flood\")").contains("answers no system messages"));
        // What we ask is no part of the story; what the harness asked is.
        desk.eval("get_state(\"stock\")");
        desk.eval("brk(on_message(\"buy\", \"stock\"))");
        node.run("gen_server:cast(stock, {deliver, 1})");
        desk.until("state(\"stock\", \"end\")", |text| text.contains("102"));
        assert_eq!(desk.eval("events().pid(\"stock\").kind(\"receive\").map(|e| e.tag)"), "[get_status,deliver,deliver]");
        assert_eq!(desk.eval("mailbox(\"stock\").len()"), "0");
        desk.eval("suspend(\"stock\")");
        drop(desk);
        node.settled(SOON).assert_none();
    }

    fn states_are_put_back(otp) {
        let node = TestNode::by_port(otp, App::Shop);
        let mut desk = Desk::attach(&node, "trace: [\"stock\", \"pong\"]");
        node.run("gen_server:call(pong, ping), gen_server:call(stock, {buy, 1})");
        desk.until("events().kind(\"state_change\").pid(\"pong\").count()", |n| n != "0");
        desk.until("state(\"stock\", \"end\")", |text| text.contains("99"));
        desk.eval("mark(\"good\")");
        node.run("gen_server:call(pong, ping), gen_server:call(stock, {buy, 50})");
        desk.until("state(\"stock\", \"end\")", |text| text.contains("49"));
        let said = desk.eval("restore_state([\"stock\", \"pong\"], \"good\")");
        assert!(said.contains("stock (as of #") && said.contains("pong (as of #"), "{said}");
        assert!(said.contains("Not restored: mailboxes") && said.contains("timers, links, monitors"), "{said}");
        assert_eq!(node.shown("{gen_server:call(stock, count), sys:get_state(pong)}"), "{99,#{count => 1}}");
        assert_eq!(desk.eval("state(\"stock\", \"end\")"), "#{count => 99,sold => 1}");
        desk.eval("replace_state(\"stock\", term(\"#{count => 7, sold => 0}\"))");
        assert_eq!(node.shown("gen_server:call(stock, count)"), "7");
        assert!(desk.fails("restore_state(\"account\", \"good\")").contains("no whole state"));
        drop(desk);
        node.settled(SOON).assert_none();
    }
}
