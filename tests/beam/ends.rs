//! Acting on a live node, and what is left to look at afterwards: the saved session gives the same answers.

use std::time::Duration;

use crate::apps::App;
use crate::desk::{Desk, scratch};
use crate::node::TestNode;
use crate::otp::each_otp;

const SOON: Duration = Duration::from_secs(5);

each_otp! {
    fn a_user_acts_on_the_node(otp) {
        let node = TestNode::by_port(otp, App::Shop);
        let mut desk = Desk::attach(&node, "trace: \"app:shop\"");
        assert_eq!(desk.eval("gen_call(\"stock\", t(\"buy\", 3))"), "{ok,97}");
        desk.eval("cast(\"stock\", t(\"deliver\", 10))");
        desk.eval("send(\"stock\", \"hello\")");
        assert_eq!(desk.eval("gen_call(process(\"stock\").pid, \"count\")"), "107");
        // What we made happen is part of the story; who we are is not.
        assert_eq!(desk.eval("events().pid(\"stock\").kind(\"receive\").map(|e| e.tag)"), "[buy,deliver,hello,count]");
        assert_eq!(desk.eval("state(\"stock\", \"end\")"), "#{count => 107,sold => 3}");
        let lost = desk.fails("gen_call(\"nobody\", \"hello\")");
        assert!(lost.contains("noproc"), "{lost}");
        let crashed = desk.fails("gen_call(\"fragile\", t(\"crash\", \"oops\"))");
        assert!(crashed.contains("oops"), "{crashed}");
        desk.until("events().kind(\"supervisor_restart\").count()", |n| n == "1");
        let late = desk.fails("gen_call(\"stock\", t(\"audit\", pid(\"<0.1.0>\")), \"20ms\")");
        assert!(late.contains("timeout"), "{late}");
        let old = node.shown("whereis(fragile)");
        desk.eval("kill(\"fragile\")");
        desk.until("events().kind(\"supervisor_restart\").count()", |n| n == "2");
        assert_ne!(node.shown("whereis(fragile)"), old);
        assert!(desk.fails("kill(\"nobody\")").contains("no process is registered"));
        assert!(desk.fails("restore(\"start\")").contains("can_restore"));
        assert!(desk.fails("start_link(\"counter\")").contains("scripts run on a sim"));
        drop(desk);
        node.settled(SOON).assert_none();
    }

    fn a_saved_session_gives_the_same_answers(otp) {
        let node = TestNode::by_port(otp, App::Shop);
        let mut desk = Desk::attach(&node, "trace: \"app:shop\"");
        desk.eval("brk(on_state(\"stock\", \"count\", lt(100)))");
        node.run("spawn(fun() -> shop:run(buy), shop:run(late_call), shop:run(crash), shop:run(door) end)");
        while desk.until("paused().len() + events().kind(\"supervisor_restart\").count()", |n| n != "0") == "1"
            && desk.eval("paused().len()") == "1"
        {
            desk.eval("resume()");
        }
        desk.eval("remove_breakpoint(1)");
        desk.until("events().pid(\"door\").kind(\"reply\").count()", |n| n == "9");
        desk.eval("get_state(\"archive\")");
        desk.eval("sample(\"pong\")");
        desk.eval("mark(\"here\")");
        desk.eval("stop_tracing()");
        desk.eval("seek(\"end\")");
        let questions = [
            "events().count()", "events().by(\"kind\")", "events().all()", "tree()", "processes()", "latency()", "calls()",
            "state(\"stock\")", "state(\"archive\")", "history(\"stock\")", "process(\"pong\")", "why(events().kind(\"timeout\").top(1)[0])",
            "why(events().kind(\"crash\").top(1)[0])", "writes(\"count\", \"stock\")", "last(\"count\", \"stock\")", "marks()", "loss()",
        ];
        let live: Vec<String> = questions.iter().map(|line| desk.eval(line)).collect();
        let (_folder, file) = scratch();
        desk.eval(&format!("save({file:?})"));
        drop(desk);
        node.settled(SOON).assert_none();
        let mut offline = Desk::new();
        offline.eval(&format!("open({file:?})"));
        offline.eval("seek(\"end\")");
        for (line, live) in questions.iter().zip(live) {
            assert_eq!(offline.eval(line), live, "{line}");
        }
        assert!(offline.fails("start_tracing(\"stock\")").contains("can_trace"));
        assert!(offline.fails("gen_call(\"stock\", \"count\")").contains("can_input"));
    }
}
