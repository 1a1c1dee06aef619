//! What a recording of a live node tells: the stories of the applications, each with its cause.

use crate::apps::App;
use crate::desk::Desk;
use crate::node::TestNode;
use crate::otp::each_otp;

each_otp! {
    fn why_a_call_timed_out(otp) {
        let node = TestNode::by_port(otp, App::Shop);
        let mut desk = Desk::attach(&node, "trace: \"app:shop\"");
        node.run("shop:run(late_call)");
        desk.until("events().kind(\"late_reply\").count()", |n| n == "1");
        let why = desk.eval("why(events().kind(\"timeout\").top(1)[0])");
        assert!(why.contains("stock") && why.contains("audit"), "{why}");
        desk.eval("stop_tracing()");
    }

    fn what_a_newcomer_types_is_answered(otp) {
        let node = TestNode::by_port(otp, App::Shop);
        let mut desk = Desk::attach(&node, "trace: \"app:shop\"");
        // One's own processes stand before OTP's.
        let mut place = |name: &str| desk.int(&format!("processes().map(|row| row.name).index_of({name:?})"));
        let (stock, controller, purger) = (place("stock"), place("application_controller"), place("erts_code_purger"));
        assert!(0 <= stock && stock < controller && stock < purger, "{stock} {controller} {purger}");
        desk.eval("suspend(\"stock\")");
        let paused = desk.eval("paused()");
        assert!(paused.contains("stock") && paused.contains("suspended"), "{paused}");
        assert_eq!(desk.eval("resume()"), "stock goes on");
        let unknown = desk.fails("start_tracing(\"app:shup\")");
        assert!(unknown.contains("did you mean app:shop?") && unknown.contains(node.name()), "{unknown}");
        desk.told();
        desk.eval("brk(on_state(\"stok\", \"n\", gt(1)))");
        let told = desk.told().concat();
        assert!(told.contains("no process stok (did you mean \"stock\"?)"), "{told}");
        let killed = desk.eval("kill(\"stock\")");
        assert!(killed.contains(&format!("stock on {} was sent an exit signal kill", node.name())), "{killed}");
    }

    fn a_crash_and_its_restart(otp) {
        let node = TestNode::by_port(otp, App::Shop);
        let mut desk = Desk::attach(&node, "trace: \"app:shop\"");
        node.run("shop:run(crash), shop:run(lost_calls)");
        desk.until("events().kind(\"supervisor_restart\").count()", |n| n == "2");
        let crashes = desk.eval("events().kind(\"crash\").map(|e| e.reason.to_string())");
        assert!(crashes.contains("boom") && crashes.contains("oops"), "{crashes}");
        let why = desk.eval("why(events().kind(\"supervisor_restart\").top(1)[0])");
        assert!(why.contains("fragile") && why.contains("boom"), "{why}");
        let tree = desk.eval("tree()");
        assert!(tree.contains("fragile"), "{tree}");
    }

    fn machines_and_their_states(otp) {
        let node = TestNode::by_port(otp, App::Shop);
        let mut desk = Desk::attach(&node, "trace: \"app:shop\"");
        node.run("shop:run(door)");
        desk.until("events().pid(\"door\").kind(\"reply\").count()", |n| n == "9");
        desk.until("events().pid(\"door\").kind(\"state_change\").count()", |n| n != "0");
        let states = desk.eval("events().pid(\"door\").kind(\"state_change\").map(|e| e.message.to_string())");
        assert!(states.contains("\"state\": \"open\"") && states.contains("\"state\": \"locked\""), "{states}");
        assert!(desk.eval("state(\"door\")").contains("n_opened => 1"));
    }

    fn event_managers_and_their_handlers(otp) {
        let node = TestNode::by_port(otp, App::Shop);
        let mut desk = Desk::attach(&node, "trace: \"app:shop\"");
        node.run("shop:run(news)");
        desk.until("events().pid(\"news\").kind(\"handle_end\").count()", |n| n != "0");
        desk.eval("stop_tracing()");
        let story = desk.story("news");
        assert!(story.contains("headline"), "{story}");
    }

    fn elixir_is_told_in_elixir(otp) {
        let node = TestNode::by_port(otp, App::Orders);
        let mut desk = Desk::attach(&node, "trace: \"app:orders\"");
        node.run("'Elixir.Orders.Story':run(order), 'Elixir.Orders.Story':run(timeout), 'Elixir.Orders.Story':run(crash),
            'Elixir.Orders.Story':run(tasks), 'Elixir.Orders.Story':run(settings),
            'Elixir.Task.Supervisor':start_child('Elixir.Orders.Tasks', fun() -> exit(no_ink) end)");
        desk.until("events().kind(\"supervisor_restart\").count()", |n| n == "1");
        assert!(desk.eval("info()").contains("Elixir") || !desk.eval("events().kind(\"crash\").all()").contains("'Elixir."));
        let state = desk.eval("state(\"Orders.Inventory\")");
        assert!(state.contains("Orders.Inventory") && state.contains("recounts"), "{state}");
        let why = desk.eval("why(events().kind(\"timeout\").top(1)[0])");
        assert!(why.contains("Orders.Inventory") && why.contains("recount"), "{why}");
        let tree = desk.eval("tree()");
        assert!(tree.contains("Orders.Supervisor") && tree.contains("Orders.Carts"), "{tree}");
        let modules = desk.eval("events().kind(\"spawn\").by(\"tag\")");
        assert!(modules.contains("Task"), "{modules}");
        // Its module is that of the function that somebody gave it.
        let crashes = "events().kind(\"crash\").where(|e| e.message.to_string().contains(\"no_ink\"))";
        desk.until(&format!("{crashes}.count()"), |n| n == "1");
        let why = desk.eval(&format!("why({crashes}.first())"));
        assert!(why.contains("Task of :erl_eval"), "{why}");
        // An agent says that it began with the function that made its state.
        let settings = desk.eval("state(\"Orders.Settings\")");
        assert!(settings.contains("rush"), "{settings}");
        // A supervisor waits for its children's answers, and for nothing else meanwhile.
        let waiting = desk.eval("mailbox(\"Orders.Carts\").len() + mailbox(\"Orders.Tasks\").len()");
        assert_eq!(waiting.trim(), "0");
        let undead = desk.eval("processes().filter(|p| p.status == \"restarting\").len()");
        assert_eq!(undead.trim(), "0");
    }
}

/// Debian's ejabberd, unmodified: a third party's system of three hundred processes.
mod a_client_logs_in {
    use super::*;
    use crate::ejabberd::Client;

    each_otp! {
        fn and_cinema_sees_it(otp) {
            let node = TestNode::by_port(otp, App::Ejabberd);
            let mut desk = Desk::attach(&node, "trace: \"app:ejabberd\"");
            let tree = desk.eval("tree()");
            assert!(tree.contains("ejabberd_sup") && tree.contains("ejabberd_c2s_sup"), "{tree}");
            let mut client = Client::login(&node);
            client.talk("hello");
            desk.until("events().kind(\"spawn\").tag([\"ejabberd_c2s\", \"xmpp_stream_in\"]).count()", |n| n != "0");
            desk.until("events().where(|e| e.kind == \"receive\" && e.message.to_string().contains(\"hello\")).count()", |n| n != "0");
            // Who the client is stands in the state of its process.
            let state = desk.until(
                "events().kind(\"state_change\").where(|e| e.message.to_string().contains(\"alice\")).count()",
                |n| n != "0",
            );
            assert_ne!(state, "0");
            desk.eval("stop_tracing()");
            drop(client);
            drop(desk);
            node.settled(std::time::Duration::from_secs(5)).assert_none();
        }
    }
}
