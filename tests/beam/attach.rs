//! Attaching and choosing what is traced, on both releases: what a user sees of a node, and that nothing is left.

use std::time::Duration;

use crate::apps::App;
use crate::desk::Desk;
use crate::node::{Setup, TestNode};
use crate::otp::{Otp, each_otp};

/// What a tracer and its going away may take.
const SOON: Duration = Duration::from_secs(5);

/// What is of ours on a node that is attached and not traced.
const ATTACHED: [&str; 2] = ["connections", "processes"];

each_otp! {
    fn attaching_introduces_what_runs(otp) {
        let node = TestNode::by_port(otp, App::Shop);
        let mut desk = Desk::attach(&node, "");
        let nodes = desk.eval("nodes()");
        assert!(nodes.contains(node.name()) && nodes.contains(otp.release()) && nodes.contains("attached"), "{nodes}");
        assert_eq!(nodes.contains("yes"), otp == Otp::V27, "{nodes}");
        assert!(desk.told().iter().any(|line| line.contains("nothing is traced yet")));
        let tree = desk.eval("tree()");
        let child = |name: &str| tree.lines().any(|line| line.contains(&format!("─ {name} ")));
        assert!(child("stock") && child("door") && child("news") && child("shop_client_sup"), "{tree}");
        assert!(tree.lines().any(|line| line.starts_with("shop_sup")), "{tree}");
        let stock = desk.eval("process(\"stock\")");
        assert!(stock.contains("shop_stock") && stock.contains("shop_sup"), "{stock}");
        assert_eq!(node.leftovers().categories(), ATTACHED);
        drop(desk);
        node.settled(SOON).assert_none();
    }

    fn every_way_to_choose(otp) {
        let node = TestNode::by_port(otp, App::Shop);
        let mut desk = Desk::attach(&node, "");
        let traced = "[erlang:trace_info(P, flags) || P <- processes(), erlang:trace_info(P, flags) =/= {flags, []}]";
        for (what, n_processes) in [
            ("\"stock\"", Some(1)),
            ("process(\"pong\").pid", Some(1)),
            ("\"module:shop_pong\"", Some(1)),
            ("[\"stock\", \"door\"]", Some(2)),
            // The supervisors and the eleven servers.
            ("\"tree:shop_sup\"", Some(13)),
            // With the application's master, and the process that starts it.
            ("\"app:shop\"", Some(15)),
            ("\"applications\"", Some(15)),
            ("\"all\"", None),
        ] {
            let said = desk.eval(&format!("start_tracing({what})"));
            if let Some(n_processes) = n_processes {
                assert!(said.contains(&format!(": {n_processes} processes")), "{what}: {said}");
            }
            // Sessions do not show in erlang:trace_info.
            let shown = node.shown(&format!("length({traced})"));
            assert!((otp == Otp::V25) == (shown != "0"), "{what}: {shown}");
            desk.eval("stop_tracing()");
            assert_eq!(node.leftovers().categories(), ATTACHED, "{what}");
        }
        assert_eq!(desk.told().iter().filter(|line| line.contains("not traced")).count(), 0);
        drop(desk);
        node.settled(SOON).assert_none();
    }

    fn what_cannot_be_chosen_is_said(otp) {
        let node = TestNode::by_port(otp, App::Shop);
        let mut desk = Desk::attach(&node, "");
        let refused = desk.fails("start_tracing(\"stok\")");
        assert!(refused.contains("no process is registered as stok") && refused.contains("did you mean stock?"), "{refused}");
        let refused = desk.fails("start_tracing(\"app:shops\")");
        assert!(refused.contains("shops does not run"), "{refused}");
        let refused = desk.fails("start_tracing(\"module:nobody\")");
        assert!(refused.contains("no process runs the module nobody"), "{refused}");
        assert!(desk.fails("start_tracing(\"stock\", #{queue: 5})").contains("could crash the node"));
        assert!(desk.fails("start_tracing(\"stock\", #{capture: \"much\"})").contains("no capture \"much\""));
        assert!(desk.fails("start_tracing(\"stock\", #{limit: 5})").contains("limits"));
        // A wrong word changes nothing: what is traced goes on being traced.
        desk.eval("start_tracing(\"stock\")");
        desk.fails("start_tracing(\"stok\")");
        node.run("shop:run(buy)");
        desk.until("events().pid(\"stock\").kind(\"handle_end\").count()", |n| n == "5");
        drop(desk);
        node.settled(SOON).assert_none();
    }

    fn a_second_choice_adds_to_the_first(otp) {
        let node = TestNode::by_port(otp, App::Shop);
        let mut desk = Desk::attach(&node, "trace: \"stock\"");
        desk.eval("start_tracing(\"door\")");
        assert_eq!(desk.told().iter().filter(|line| line.contains("not traced")).count(), 0);
        node.run("shop:run(buy), shop:run(door)");
        desk.until("events().pid(\"stock\").kind(\"handle_end\").count()", |n| n == "5");
        desk.until("events().pid(\"door\").kind(\"reply\").count()", |n| n == "9");
        desk.eval("stop_tracing()");
        node.run("shop:run(buy)");
        desk.eval("refresh()");
        assert_eq!(desk.eval("events().pid(\"stock\").kind(\"handle_end\").count()"), "5");
        // And again, in the same recording.
        desk.eval("start_tracing(\"stock\", #{capture: \"received\"})");
        node.run("shop:run(buy)");
        desk.until("events().pid(\"stock\").kind(\"receive\").count()", |n| n == "10");
        drop(desk);
        node.settled(SOON).assert_none();
    }

    fn every_capture_tells_its_part(otp) {
        let node = TestNode::by_port(otp, App::Shop);
        let mut desk = Desk::attach(&node, "");
        let mut told = Vec::new();
        for options in ["", "capture: \"full\"", "capture: \"lean\"", "capture: \"lean\", watch: [\"count\"]", "capture: \"received\""] {
            let first = desk.int("events().count()");
            desk.eval(&format!("start_tracing(\"stock\", #{{sample: (), {options}}})"));
            node.run("gen_server:call(stock, {buy, 1}), gen_server:cast(stock, {deliver, 1}), stock ! stray");
            desk.eval("stop_tracing()");
            let events = format!("events().pid(\"stock\").between(\"#{first}\", \"end\")");
            let mut line = |kind: &str| desk.eval(&format!("{events}.kind({kind:?}).map(|e| e.message.to_string())"));
            told.push(format!("{options}: {} / {}\n", line("receive"), line("state_change")));
        }
        expect_test::expect![[r##"
            : ['{buy,1}','{deliver,1}',stray] / ['#{"count": 100, "sold": 0}','#{"count": 99, "sold": 1}','#{"count": 100, "sold": 1}']
            capture: "full": ['{buy,1}','{deliver,1}',stray] / ['#{"count": 99, "sold": 2}','#{"count": 100, "sold": 2}']
            capture: "lean": ['{buy,1}','{deliver,1}',stray] / []
            capture: "lean", watch: ["count"]: ['{buy,1}','{deliver,1}',stray] / ['#{<<"count">> => 100}','#{<<"count">> => 99}','#{<<"count">> => 100}']
            capture: "received": ['{buy,1}','{deliver,1}',stray] / []
        "##]].assert_eq(&told.concat());
    }

    fn tracing_the_large_leaves_their_states_out(otp) {
        let node = TestNode::by_port(otp, App::Shop);
        let mut desk = Desk::attach(&node, "");
        let said = desk.eval("start_tracing(\"app:shop\", #{watch: [\"version\"]})");
        assert!(said.contains("(1 without states: large)"), "{said}");
        node.run("shop:run(archive), shop:run(buy)");
        desk.until("events().pid(\"archive\").kind(\"handle_end\").count()", |n| n == "1");
        desk.until("events().pid(\"stock\").kind(\"handle_end\").count()", |n| n == "5");
        let states = desk.eval("events().pid(\"archive\").kind(\"state_change\").map(|e| e.message.to_string())");
        assert!(states.len() < 200 && states.contains("version"), "{states}");
        let replies = desk.eval("events().pid(\"archive\").kind(\"reply\").count()");
        assert_eq!(replies, "1");
        drop(desk);
        node.settled(SOON).assert_none();
    }

    fn new_processes_are_followed_and_ours_are_not_seen(otp) {
        let node = TestNode::by_port(otp, App::Shop);
        let mut desk = Desk::attach(&node, "");
        desk.eval("start_tracing(\"stock\", #{all_new: true, sample: \"20ms\"})");
        let first = desk.int("events().count()") - 1;
        // Our own looks make processes there.
        desk.eval("refresh()");
        desk.eval("get_state(\"stock\")");
        desk.eval("sample(\"pong\")");
        node.run("shop:run(buy)");
        let modules = &format!("events().kind(\"spawn\").between(\"#{first}\", \"end\").map(|e| e.tag)");
        desk.until(modules, |text| text.contains("shop_client"));
        let spawned = desk.eval(modules);
        assert!(!spawned.contains("erl_eval") && !spawned.contains("erpc"), "{spawned}");
        drop(desk);
        node.settled(SOON).assert_none();
    }

    fn messages_are_left_out_at_the_source(otp) {
        let node = TestNode::by_port(otp, App::Shop);
        let mut desk = Desk::attach(&node, "");
        desk.eval("start_tracing(\"stock\", #{without: [\"count\", \"deliver\"], capture: \"received\"})");
        node.run("shop:run(buy)");
        desk.eval("stop_tracing()");
        assert_eq!(desk.eval("events().pid(\"stock\").kind(\"receive\").map(|e| e.tag)"), "[buy,buy,hello]");
    }

    fn a_node_without_runtime_tools_forwards(otp) {
        let node = Setup::new(otp, App::Shop).without_epmd().without("runtime_tools").start();
        let mut desk = Desk::attach(&node, "trace: \"app:shop\"");
        desk.until_told("no runtime_tools");
        node.run("shop:run(buy)");
        desk.until("events().pid(\"stock\").kind(\"handle_end\").count()", |n| n == "5");
        desk.eval("stop_tracing()");
        assert_eq!(node.leftovers().categories(), ATTACHED);
        drop(desk);
        node.settled(SOON).assert_none();
    }
}
