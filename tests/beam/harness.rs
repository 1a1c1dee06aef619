//! The harness itself: before it judges a debugger, it is seen to work, to see, and to leave nothing.

use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use cinema::model::Term;

use crate::apps::App;
use crate::node::{Setup, TestNode};
use crate::otp::each_otp;

/// Long enough for what takes milliseconds.
const SOON: Duration = Duration::from_secs(10);

fn is_listening(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

each_otp! {
    fn a_node_starts_is_asked_and_is_clean(otp) {
        let node = TestNode::start(otp, App::None);
        assert_eq!(node.shown("erlang:system_info(otp_release)"), format!("{:?}", otp.release()));
        assert_eq!(node.eval("1 + 2"), Term::Int(3));
        assert_eq!(node.try_eval("ok = no").unwrap_err().lines().next(), Some("error:{badmatch,no}"));
        node.run("io:format(\"it is ~ts~n\", [<<\"spät\"/utf8>>])");
        node.wait_for_log("it is spät");
        node.leftovers().assert_none();
    }

    fn names_are_short_or_long_and_the_cookie_is_private(otp) {
        let short = TestNode::start(otp, App::None);
        assert!(short.name().ends_with("@localhost"));
        assert_eq!(short.shown("node()"), short.name());
        assert_eq!(short.shown("erlang:get_cookie()").trim_matches('\''), short.cookie());
        let file = std::fs::metadata(short.cookie_file()).expect("a file");
        assert_eq!(file.mode() & 0o777, 0o400);
        let command_line = std::fs::read(Path::new("/proc").join(short.os_pid().to_string()).join("cmdline"));
        assert!(!String::from_utf8_lossy(&command_line.expect("it runs")).contains(short.cookie()));
        assert!(is_listening(short.epmd_port().expect("its own epmd")));

        let long = Setup::new(otp, App::None).long_names().beside(&short).start();
        assert!(long.name().ends_with("@127.0.0.1"));
        assert_eq!((long.cookie(), long.epmd_port()), (short.cookie(), short.epmd_port()));
    }

    fn a_node_without_epmd_has_a_fixed_port(otp) {
        let node = Setup::new(otp, App::None).without_epmd().start();
        assert_eq!(node.epmd_port(), None);
        assert!(is_listening(node.dist_port().expect("a fixed port")));
    }

    fn an_application_can_be_missing(otp) {
        let node = Setup::new(otp, App::None).without("runtime_tools").start();
        assert_eq!(node.shown("code:priv_dir(runtime_tools)"), "{error,bad_name}");
    }

    fn nodes_of_a_cluster_find_each_other(otp) {
        let first = TestNode::start(otp, App::None);
        let second = Setup::new(otp, App::None).beside(&first).start();
        assert_eq!(first.shown(&format!("net_kernel:connect_node('{}')", second.name())), "true");
        let left = second.leftovers();
        assert_eq!(left.categories(), ["connections"]);
        assert_eq!(left.category("connections"), [first.shown("node()")]);
        assert_eq!(first.shown(&format!("erlang:disconnect_node('{}')", second.name())), "true");
        second.settled(SOON).assert_none();
    }

    fn what_a_tracer_leaves_is_seen(otp) {
        let node = TestNode::start(otp, App::Shop);
        node.run("Tracer = spawn(fun() -> receive stop -> ok end end), put(tracer, Tracer),
            erlang:trace(whereis(stock), true, [send, {tracer, Tracer}]),
            erlang:trace(new_processes, true, [call, {tracer, Tracer}]),
            erlang:trace_pattern({shop_stock, handle_call, 3}, true, [local]),
            erlang:trace_pattern('receive', [{['_', '_', '_'], [], [{message, false}]}], [])");
        let left = node.leftovers();
        assert_eq!(left.categories(), ["patterns", "processes", "traced"], "{left:?}");
        assert!(left.category("traced").iter().any(|line| line.contains(",stock},[send]")), "{left:?}");
        assert!(left.category("traced").iter().any(|line| line.starts_with("{new_processes,[call")), "{left:?}");
        assert!(left.category("patterns").iter().any(|line| line.contains("{shop_stock,handle_call,3}")), "{left:?}");
        assert!(left.category("patterns").iter().any(|line| line.starts_with("{'receive',")), "{left:?}");
        // A tracer that dies takes its flags with it, but not those of the processes to come, nor the patterns.
        node.run("exit(get(tracer), kill), erlang:trace(new_processes, false, [call]),
            erlang:trace_pattern({shop_stock, handle_call, 3}, false, [local]),
            erlang:trace_pattern('receive', true, [])");
        node.settled(SOON).assert_none();
    }

    fn what_a_debugger_leaves_is_seen(otp) {
        let node = TestNode::start(otp, App::Shop);
        node.run("Holder = spawn(fun() ->
                erlang:suspend_process(whereis(pong)),
                Path = code:priv_dir(runtime_tools) ++ \"/lib\",
                ok = erl_ddll:load_driver(Path, trace_ip_drv),
                open_port({spawn, \"trace_ip_drv 0 100 2\"}, []),
                receive stop -> ok end
            end),
            put(holder, Holder),
            Wait = fun Wait() -> process_info(whereis(pong), status) =:= {status, suspended} andalso
                process_info(Holder, current_function) =:= {current_function, {prim_eval, 'receive', 2}}
                orelse begin erlang:yield(), Wait() end end,
            Wait(),
            sys:install(stock, {fun(State, _, _) -> State end, nothing}),
            sys:suspend(door),
            {module, shop_alien} = begin
                {ok, Module, Binary} = compile:forms([{attribute, 1, module, shop_alien}]),
                code:load_binary(Module, \"no file\", Binary) end");
        let left = node.leftovers();
        assert_eq!(
            left.categories(),
            ["debugged", "drivers", "modules", "ports", "processes", "suspended"],
            "{left:?}"
        );
        let of = |category, text| left.category(category).iter().any(|line| line.contains(text));
        assert!(of("debugged", ",stock},running") && of("debugged", ",door},suspended"), "{left:?}");
        // It cannot answer: it is suspended.
        assert!(of("debugged", ",pong},no_answer") && of("suspended", ",pong}"), "{left:?}");
        assert!(of("drivers", "trace_ip_drv") && of("ports", "trace_ip_drv") && of("modules", "shop_alien"), "{left:?}");
        node.run("exit(get(holder), kill), sys:no_debug(stock), sys:resume(door),
            code:purge(shop_alien), code:delete(shop_alien), code:purge(shop_alien),
            erl_ddll:unload_driver(trace_ip_drv)");
        node.settled(SOON).assert_none();
    }

    fn a_node_that_floods_or_stands_still_is_still_held(otp) {
        let node = TestNode::start(otp, App::Shop);
        node.run("shop:run(flood)");
        assert_eq!(node.eval("1 + 1"), Term::Int(2));
        assert!(node.eval("shop:run(stop)").as_int().is_some_and(|n_rounds| n_rounds > 0));
        node.signal("STOP");
        node.signal("CONT");
        assert_eq!(node.eval("1 + 1"), Term::Int(2));
    }

    fn nothing_outlives_the_node(otp) {
        let mut node = TestNode::start(otp, App::None);
        let (pid, epmd) = (node.os_pid(), node.epmd_port().expect("its own epmd"));
        let home = node.home().to_path_buf();
        node.kill();
        assert!(node.try_eval("1").is_err());
        drop(node);
        assert!(!Path::new("/proc").join(pid.to_string()).exists());
        assert!(!is_listening(epmd) && !home.exists());
        // A test that is killed cannot kill its node: the node sees that the line is cut.
        let busy = Setup::new(otp, App::None).start();
        busy.run("spawn(fun Spin() -> Spin() end)");
        busy.abandon();
    }
}

#[cfg(target_os = "linux")]
each_otp! {
    fn a_node_listens_on_the_loopback_only(otp) {
        let node = TestNode::start(otp, App::None);
        let listening = node.shown("[inet:sockname(Port) || Port <- erlang:ports(), erlang:port_info(Port, name) =:= {name, \"tcp_inet\"}, {error, enotconn} =:= inet:peername(Port)]");
        assert!(listening.starts_with("[{ok,{{127,0,0,1},") && listening.matches("ok").count() == 1, "{listening}");
    }
}

/// A session of the new trace module is seen; only OTP 27 has it.
#[test]
fn a_trace_session_is_seen() {
    let otp = crate::otp::Otp::V27;
    if !otp.is_here("a_trace_session_is_seen") {
        return;
    }
    let node = TestNode::start(otp, App::None);
    node.run("put(session, trace:session_create(ours, self(), [])), trace:process(get(session), all, true, [call])");
    assert_eq!(node.leftovers().categories(), ["sessions"]);
    assert!(node.leftovers().category("sessions")[0].contains("ours"));
    node.run("trace:session_destroy(erase(session))");
    node.leftovers().assert_none();
}
